# SPDX-License-Identifier: Apache-2.0
"""Plain types that every layer shares."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple


class Point(NamedTuple):
    """An affine point of secp256k1; the contracts' `struct Point`."""

    x: int
    y: int


Progress = Callable[[int, int], None]
"""Called as `progress(done, total)`, both in bytes unless a docstring says otherwise."""

Say = Callable[[str], None]
"""Told what happens, a line at a time."""

Bar = Callable[[str, str], AbstractContextManager[Progress | None]]
"""Shows how far something is, given what it is and its unit; None where nobody looks."""


def quiet(text: str) -> None:
    """Say nothing."""


def bar_of(progress: Progress | None) -> Bar:
    """Return what tells one function how far it is, whatever is going on."""
    return lambda what, unit: nullcontext(progress)


def no_bar(what: str, unit: str) -> AbstractContextManager[Progress | None]:
    """Show nothing."""
    return nullcontext()
