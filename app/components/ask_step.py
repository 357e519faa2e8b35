# SPDX-License-Identifier: Apache-2.0
"""What the steps to a bounty share: keeping what is filled in, and the ways back and forth."""

from dataclasses import replace
from typing import Any

import streamlit as st

from app.ask_views import AskForm
from app.services import drafts


def keep(form: AskForm, **changed: Any) -> AskForm:
    """Put what is filled in onto the disk; closing the browser loses nothing.

    Args:
        form: What was filled in before.
        changed: Its fields that are others now.
    """
    new = replace(form, **changed)
    drafts.save_form(new)
    return new


def buttons(form: AskForm) -> tuple[bool, bool]:
    """Draw what ends a form of a step; returns whether back and forth are asked for.

    Args:
        form: What is filled in.
    """
    with st.container(horizontal=True):
        is_back = form.step > 1 and st.form_submit_button(
            "Back", icon=":material/arrow_back:", key="ask_back"
        )
        is_next = st.form_submit_button(
            "Next", type="primary", icon=":material/arrow_forward:", key="ask_next"
        )
    return is_back, is_next


def ways(form: AskForm) -> bool:
    """Draw the ways back and forth, where a step is no form; returns whether to go on.

    Args:
        form: What is filled in.
    """
    with st.container(horizontal=True):
        leave_step(form)
        return st.button("Next", type="primary", icon=":material/arrow_forward:", key="ask_next")


def leave_step(form: AskForm) -> None:
    """Draw the way back, where a step is no form.

    Args:
        form: What is filled in.
    """
    if st.button("Back", icon=":material/arrow_back:", key="ask_back"):
        keep(form, step=form.step - 1)
        st.rerun()
