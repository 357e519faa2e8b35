# SPDX-License-Identifier: Apache-2.0
"""Asking on a server of somebody else: what it would cost, what labelers would see, the commands.

What is typed stays in this visit; nothing is written on the server's disk.
"""

from typing import Final

import streamlit as st

from app import services
from app.ask_views import AskForm
from app.components.cost import cost_table
from app.components.label_page import label_preview
from app.components.problem import shown
from app.services import asking

_CLASSES: Final = "cat\ndog"
_EXAMPLES: Final = "It purrs.\nIt barks.\nIt sleeps all day."


def elsewhere() -> None:
    """Draw all that can be seen of a bounty where it cannot be asked."""
    st.info(
        "This server holds no user's keys, so items are labeled and paid for on your own machine. "
        "What it would cost and what labelers would see can be tried here; nothing that you type "
        "is kept."
    )
    tokens = services.tokens()
    left, right = st.columns([2, 3], gap="large")
    with left:
        items = st.number_input("Items", 1, 1_000_000, 500, key="ask_items", persist_state="page")
        answers = st.text_area(
            "Answers, one a line; a key after = if you like",
            _CLASSES,
            key="ask_classes",
            max_chars=asking.MOST_TYPED,
            persist_state="page",
        )
        price = st.text_input(
            "Price of a label", "0.05", key="ask_price", max_chars=40, persist_state="page"
        )
        token = st.selectbox(
            "Token", tokens, index=len(tokens) - 1, key="ask_token", persist_state="page"
        )
        people = st.number_input(
            "People I know; 0: anyone", 0, 2_048, 0, key="ask_team_size", persist_state="page"
        )
    form = AskForm(
        "elsewhere",
        classes=asking.classes_in(answers),
        price=price,
        token=token,
        is_team=people > 0,
        people="\n".join(f"person {n}" for n in range(1, int(people) + 1)),
    )
    with right, shown(services.TruthmarkError):
        cost_table(asking.cost(form, int(items)))
    _preview(form)
    st.markdown("**On your own machine**")
    with shown(services.TruthmarkError):
        st.code("\n".join(asking.commands(form)), language=None)


def _preview(form: AskForm) -> None:
    st.markdown("**As labelers will see it**")
    left, right = st.columns(2, gap="large")
    with left:
        title = st.text_input(
            "Title", "What does it look like?", key="ask_title", max_chars=200, persist_state="page"
        )
        guidelines = st.text_area(
            "Guidelines",
            key="ask_guidelines",
            max_chars=asking.MOST_TYPED,
            height=100,
            persist_state="page",
        )
    examples = right.text_area(
        "Some items, one a line; pictures and sounds are tried on your own machine",
        _EXAMPLES,
        key="ask_examples",
        max_chars=asking.MOST_TYPED,
        height=180,
        persist_state="page",
    )
    with shown(services.TruthmarkError), st.container(border=True):
        label_preview(
            asking.typed_preview(form, title, guidelines, examples), "ask_preview_elsewhere"
        )
