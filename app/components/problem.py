# SPDX-License-Identifier: Apache-2.0
"""What went wrong, in one line that says what to do."""

import contextlib
from collections.abc import Callable, Iterator

import streamlit as st

from app import services
from app.components.text import prose


def problem(error: BaseException | str) -> None:
    """Show an error; its text may repeat what others have written."""
    said = services.said_of(error) if isinstance(error, BaseException) else error
    text = " ".join(said.split())[:600]
    st.error(prose(text[:1].upper() + text[1:]), icon=":material/error:")


@contextlib.contextmanager
def shown(*kinds: type[BaseException]) -> Iterator[None]:
    """Show errors of these kinds instead of raising them."""
    try:
        yield
    except kinds as error:
        problem(error)


@contextlib.contextmanager
def working(text: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar while something goes on; gives what to report progress to."""
    bar = st.progress(0.0, text=text)

    def report(done: int, total: int) -> None:
        bar.progress(min(done / total, 1.0) if total else 0.0, text=text)

    try:
        yield report
    finally:
        bar.empty()
