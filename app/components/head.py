# SPDX-License-Identifier: Apache-2.0
"""The top of every page."""

import contextlib
from typing import Final

import streamlit as st

from app import services
from app.components.account import account_menu
from app.components.text import literal
from app.services import asked

_MOST: Final = 3


def page_head(title: str, bounty: int = 0) -> None:
    """Draw a page's title, no matter who wrote it, with the account's menu beside it.

    Below stands when this computer must be on for the account's bounties.

    Args:
        title: Of the page.
        bounty: One of which the page says that itself.
    """
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.title(literal(title), anchor=False)
    with right:
        account_menu()
    lines = []
    with contextlib.suppress(services.TruthmarkError):  # the page itself says what is wrong
        lines = [line for number, line in asked.hours_on() if number != bounty]
    shown = [f":material/schedule: {literal(line)}" for line in lines[:_MOST]]
    if len(lines) > _MOST:
        shown.append(f"So it is for {len(lines) - _MOST} more; see the page Asked.")
    if shown:
        st.caption("  \n".join(shown))  # a line each, in one piece
