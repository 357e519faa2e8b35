# SPDX-License-Identifier: Apache-2.0
"""What can be labeled, and what it may pay."""

import streamlit as st

from app import services
from app.bounty_views import Access, FoundBounties, Order, Stage
from app.components.bounty_card import bounty_card
from app.components.clock import TICK_SECONDS
from app.components.head import page_head
from app.components.live import live
from app.components.pace import own_pace
from app.components.pager import filtering, page_of, pager
from app.components.text import count

KEY = "bounties"
COLUMNS = 3
ANY = "any"


def show() -> None:
    """Draw the search, the filters and a page of bounties."""
    page_head("Bounties")
    st.markdown(
        "Label for money. You see the rules and try it before you join, and how each of your "
        "answers was counted after it. Nobody can keep back what you have earned."
    )
    is_reading = st.session_state.get(f"{KEY}_pending", 0) > 0
    # Clocks run on; while descriptions are still coming it looks again sooner.
    live(_results, every=1.0 if is_reading else 5 * TICK_SECONDS)(is_reading)


def _results(is_reading: bool) -> None:
    text = st.text_input(
        "Search",
        key=f"{KEY}_text",
        placeholder="Search titles and guidelines",
        icon=":material/search:",
        label_visibility="collapsed",
        max_chars=200,
        **filtering(KEY),
    )
    # On a narrow screen the style sheet hides the filters until this is on; else it hides this.
    st.toggle("Filters", key=f"{KEY}_fold", persist_state="page")
    with st.container(key=f"{KEY}_filters"):
        stage, kind, access, token, order = _filters()
    found = services.find_bounties(
        text, stage=stage, kind=kind, access=access, token=token, order=order, page=page_of(KEY)
    )
    _summary(found, stage)
    if found.bounties:
        own_pace([(it.number, it.title, it.judged) for it in found.bounties], f"{KEY}_pace")
    for start in range(0, len(found.bounties), COLUMNS):
        row = found.bounties[start : start + COLUMNS]
        for column, bounty in zip(st.columns(COLUMNS), row, strict=False):
            with column:
                bounty_card(bounty)
    pager(KEY, found.page, found.pages)
    st.session_state[f"{KEY}_pending"] = found.pending
    if (found.pending > 0) != is_reading:
        st.rerun()


def _filters() -> tuple[Stage, str | None, Access | None, str | None, Order]:
    columns = st.columns([1.2, 1, 1.4, 0.8, 1.1])
    stage = columns[0].selectbox(
        "Stage", list(Stage), format_func=lambda it: it.value, key=f"{KEY}_stage", **filtering(KEY)
    )
    kinds = {name: kind for kind, name in services.KINDS.items()}
    kind = columns[1].selectbox("What", [ANY, *kinds], key=f"{KEY}_kind", **filtering(KEY))
    access = columns[2].selectbox(
        "Who may join",
        [None, *Access],
        format_func=lambda it: ANY if it is None else it.value,
        key=f"{KEY}_access",
        **filtering(KEY),
    )
    token = columns[3].selectbox(
        "Paid in", [ANY, *services.tokens()], key=f"{KEY}_token", **filtering(KEY)
    )
    order = columns[4].selectbox(
        "Order",
        list(Order) if token != ANY else [it for it in Order if it is not Order.BEST_PAID],
        format_func=lambda it: it.value,
        key=f"{KEY}_order",
        help="To sort by pay, choose a token: amounts in different tokens cannot be compared.",
        **filtering(KEY),
    )
    return stage, kinds.get(kind), access, None if token == ANY else token, order


def _summary(found: FoundBounties, stage: Stage) -> None:
    number = f"{found.total:,} {'bounty' if found.total == 1 else 'bounties'}"
    said = {Stage.JOINABLE: "can be joined", Stage.RUNNING: "under way", Stage.OVER: "ended"}[stage]
    st.caption(
        f"{number} {said} · an hour is for somebody who is right in 85 of 100, at the pace that "
        "the requester measured; at your own, once you have practiced on ten items here"
    )
    if found.pending:
        st.caption(f":material/hourglass: {count(found.pending, 'description')} still being read")
    if found.hidden:
        st.caption(
            f"{found.hidden:,} not shown: what the requester wrote cannot be read now, or "
            "contradicts the terms."
        )
    if found.is_empty:
        st.info("Nobody has posted a bounty on this network yet.", icon=":material/inbox:")
    elif not found.total and not found.pending:
        st.info("No bounty here matches.", icon=":material/search_off:")


show()
