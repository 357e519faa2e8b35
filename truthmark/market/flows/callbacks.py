# SPDX-License-Identifier: Apache-2.0
"""How a flow talks to the person for whom it runs."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from truthmark.types import Progress

Say = Callable[[str], None]
"""Told what happens, a line at a time."""

Bar = Callable[[str, str], AbstractContextManager[Progress | None]]
"""Shows how far something is, given what it is and its unit; None where nobody looks."""


def quiet(text: str) -> None:
    """Say nothing."""


def no_bar(what: str, unit: str) -> AbstractContextManager[Progress | None]:
    """Show nothing."""
    return nullcontext()
