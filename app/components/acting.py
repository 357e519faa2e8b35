# SPDX-License-Identifier: Apache-2.0
"""Buttons that do something as the account of this machine, and what is told of it afterwards."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from app import services
from app.components.account import unlock_first
from app.components.problem import shown
from app.components.text import literal


def account_button(label: str, **look: Any) -> bool:
    """Draw a button as `st.button` does; return whether it was pressed and the account may act."""
    return st.button(label, **look) and unlock_first()


def act_button(topic: str, label: str, act: Callable[[], str], busy: str, **look: Any) -> None:
    """Draw a button that does something as the account.

    Args:
        topic: Under which `news` tells of it.
        label: Of the button.
        act: Does it; returns what is told afterwards.
        busy: What is told meanwhile.
        **look: As `st.button` takes it.
    """
    if account_button(label, **look):
        carry_out(topic, act, busy)


def carry_out(topic: str, act: Callable[[], str], busy: str) -> None:
    """Do what `act_button` does, and draw the page again, which tells of it; or show why not."""
    with shown(services.TruthmarkError), st.spinner(busy):
        tell(topic, act())
        st.rerun()


def tell(topic: str, text: str) -> None:
    """Have `news` tell a text the next time that it is drawn."""
    st.session_state[f"{topic}_news"] = text


def news(topic: str) -> None:
    """Draw what the last action brought, once."""
    # The place stays also where there is nothing: else what is below would move, and close by that.
    with st.container():
        if text := st.session_state.pop(f"{topic}_news", None):
            st.success(literal(text), icon=":material/check_circle:")
