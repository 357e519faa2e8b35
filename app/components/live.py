# SPDX-License-Identifier: Apache-2.0
"""Parts of a page that are drawn again by themselves, also after what they ask was away."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Final

import streamlit as st

from app import services
from app.components.problem import problem

_AGAIN_SECONDS: Final = 5.0


def live(draw: Callable[..., None], *, every: float | None) -> Callable[..., None]:
    """Return a fragment; what it cannot read is said in its place, until that is there again.

    Args:
        draw: Draws it.
        every: Seconds between two drawings; None where nothing changes by itself.
    """

    @wraps(draw)
    def drawn(*given: object) -> None:
        try:
            draw(*given)
        except services.TruthmarkError as error:
            trouble(error) if every is None else problem(error)

    return st.fragment(drawn, run_every=every)


def trouble(error: Exception) -> None:
    """Show what went wrong; where somebody was only away, the page is drawn again in a moment."""
    problem(error)
    if isinstance(error, ConnectionError):
        st.fragment(_again, run_every=_AGAIN_SECONDS)(time.monotonic())


def _again(since: float) -> None:
    if time.monotonic() - since > _AGAIN_SECONDS / 2:  # not when it is drawn the first time
        st.rerun()
