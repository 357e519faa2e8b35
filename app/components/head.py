# SPDX-License-Identifier: Apache-2.0
"""The top of every page."""

import streamlit as st

from app.components.account import account_menu
from app.components.text import literal


def page_head(title: str) -> None:
    """Draw a page's title, no matter who wrote it, with the account's menu beside it."""
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.title(literal(title), anchor=False)
    with right:
        account_menu()
