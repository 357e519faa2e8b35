# SPDX-License-Identifier: Apache-2.0
"""Cases of what a contract refuses: each with its reason, and how to come there."""

from collections.abc import Callable
from typing import Any

import pytest


class Refusals:
    """Collects cases as their functions are defined; a test takes them all.

    Attributes:
        cases: pairs of a reason and a function that prepares everything and returns the call that
            is refused, as `pytest.mark.parametrize` takes them.
        reasons: all that were named.

    Args:
        parts: Cases that were collected elsewhere, to start with.
    """

    def __init__(self, *parts: "Refusals") -> None:
        self.cases: list[Any] = [case for part in parts for case in part.cases]
        self.reasons: set[str] = set().union(*(part.reasons for part in parts))

    def add(self, reason: str, setup: Callable[..., Any], name: str) -> None:
        """Add a case."""
        self.reasons.add(reason)
        self.cases.append(pytest.param(reason, setup, id=name))

    def __call__(self, reason: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a decorator that adds a function as a case of `reason`."""

        def add(setup: Callable[..., Any]) -> Callable[..., Any]:
            self.add(reason, setup, setup.__name__)
            return setup

        return add
