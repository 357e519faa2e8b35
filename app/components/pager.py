# SPDX-License-Identifier: Apache-2.0
"""Turns the pages of a list; which one is shown is kept under a key of the session."""

from typing import Any

import streamlit as st


def pager(key: str, page: int, pages: int) -> None:
    """Draw what turns pages, where there are several.

    Args:
        key: Under which `page_of` finds the chosen page.
        page: The one that is shown.
        pages: How many there are.
    """
    if pages <= 1:
        return
    with st.container(horizontal=True, horizontal_alignment="center", vertical_alignment="center"):
        st.button(
            "Previous",
            icon=":material/chevron_left:",
            key=f"{key}_back",
            disabled=page <= 1,
            on_click=turn_to,
            args=(key, page - 1),
        )
        st.markdown(f"page {page} of {pages}", width="content")
        st.button(
            "Next",
            icon=":material/chevron_right:",
            icon_position="right",
            key=f"{key}_on",
            disabled=page >= pages,
            on_click=turn_to,
            args=(key, page + 1),
        )


def page_of(key: str) -> int:
    """Return the chosen page, from 1."""
    return int(st.session_state.get(f"{key}_page", 1))


def filtering(key: str) -> dict[str, Any]:
    """Return the arguments that what filters a list takes: kept, and its first page is shown."""
    return {"on_change": turn_to, "args": (key, 1), "persist_state": "page"}


def turn_to(key: str, page: int) -> None:
    """Choose a page."""
    st.session_state[f"{key}_page"] = page
