# SPDX-License-Identifier: Apache-2.0
"""Plain types that every layer shares."""

from collections.abc import Callable
from typing import NamedTuple


class Point(NamedTuple):
    """An affine point of secp256k1; the contracts' `struct Point`."""

    x: int
    y: int


Progress = Callable[[int, int], None]
"""Called as `progress(done, total)`, both in bytes unless a docstring says otherwise."""
