# SPDX-License-Identifier: Apache-2.0
"""A whole local Truthmark to try things on: a chain, its contracts, funded roles, custodians."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from truthmark.testing.network import Devnet

__all__ = ["devnet"]


def devnet(folder: "Path | str | None" = None, **options: Any) -> "Devnet":
    """Start a local network; used as a context manager it is stopped at the end.

    Args:
        folder: Where it lives; a new temporary folder if not given.
        options: As `truthmark.testing.network.Devnet.start` takes them, such as `custodians=3`.

    Usage example::

        >>> with truthmark.testing.devnet() as net:  # doctest: +SKIP
        ...     print(net.status().block)
    """
    import tempfile
    from pathlib import Path

    from truthmark.testing.network import Devnet

    return Devnet.start(folder or Path(tempfile.mkdtemp(prefix="truthmark-")), **options)
