# SPDX-License-Identifier: Apache-2.0
"""Licences by the names that SPDX gives them, which tools and hubs understand."""

import difflib
import re
from functools import cache
from typing import TYPE_CHECKING

from truthmark.codec.manifest import check_licence
from truthmark.errors import ConfigError

if TYPE_CHECKING:
    from license_expression import Licensing

_OWN = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")


def spdx(licence: str) -> str:
    """Return a licence as SPDX spells it, such as `CC-BY-4.0` for `cc-by-4.0`.

    Args:
        licence: An SPDX expression; terms of one's own are named `LicenseRef-` and what follows.

    Raises:
        ConfigError: It names a licence that SPDX does not know, or is no expression.
        MalformedError: It is too long, or not in printable ASCII characters.

    >>> spdx("mit OR apache-2.0")
    'MIT OR Apache-2.0'
    """
    check_licence(licence)
    licensing = _licensing()
    try:
        parsed = licensing.parse(licence)
        names = licensing.license_keys(parsed)
    except Exception as error:  # besides its own errors the library has some by accident
        raise ConfigError(
            f"licence {licence!r} is not an SPDX expression; write one such as CC-BY-4.0 or "
            "MIT OR Apache-2.0, or name terms of your own LicenseRef-MyTerms"
        ) from error
    for name in names:
        if name not in licensing.known_symbols and not _OWN.fullmatch(name):
            known = [k for k in licensing.known_symbols if not k.startswith("LicenseRef-")]
            near = difflib.get_close_matches(name, known, 1, 0.7)
            hint = f"did you mean {near[0]}?" if near else "see spdx.org/licenses,"
            bare = re.sub("(?i)^licenseref-", "", name)
            own = re.sub("[^A-Za-z0-9.]+", "-", bare).strip("-") or "MyTerms"
            raise ConfigError(
                f"licence: SPDX knows no {name!r}; {hint} or name terms of your own "
                f"LicenseRef-{own}"
            )
    return str(parsed.render("{symbol.key}"))


@cache
def _licensing() -> "Licensing":
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()
