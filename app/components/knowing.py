# SPDX-License-Identifier: Apache-2.0
"""Where a requester labels items themselves: one click or key an answer, and the next item."""

import time
from collections.abc import Callable

import streamlit as st

from app import services
from app.ask_views import Desk, Knowing
from app.components.problem import problem, shown
from app.components.sample import sample
from app.components.text import literal

_BEGAN, _PROBLEM = "knowing_began", "knowing_problem"
_RESERVED = "cr"  # keys that the browser side of the app keeps for itself


@st.fragment
def knowing_panel(desk: Desk) -> None:
    """Draw the next item with its answers; only this part is drawn again for each."""
    with shown(services.TruthmarkError):
        found = desk.look()
        _count(found)
        if found.item is None:
            st.success("All items are answered.", icon=":material/check_circle:")
        else:
            _ask(desk, found)


def _count(found: Knowing) -> None:
    enough = min(1.0, found.known / max(1, found.wanted))
    aim = "that are advised" if found.is_judging else "that tell how long one takes"
    st.progress(enough, text=f"{found.known} of {found.wanted} {aim}")
    parts = [f"{number} × {name}" for name, number in found.by_class]
    parts += [f"{found.seconds:g} s an item"] if found.seconds else []
    if parts:
        st.caption(literal(" · ".join(parts)))


def _ask(desk: Desk, found: Knowing) -> None:
    item = found.item
    assert item is not None  # the caller has looked
    if st.session_state.get(_BEGAN, (None, 0))[0] != (desk.key, item.number):
        st.session_state[_BEGAN] = (desk.key, item.number), time.monotonic()
    with st.container(border=True, width=520):
        sample(item.sample)
    if said := st.session_state.pop(_PROBLEM, None):
        problem(said)
    answers = desk.answers()
    taken = {key for _, key in answers}
    with st.container(horizontal=True, gap="xsmall"):
        for code, (name, key) in enumerate(answers):
            _button(desk, item.number, code, literal(name), key)
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        skip = "" if "0" in taken else "0"
        _button(desk, item.number, len(answers), "I cannot say", skip)
        if found.can_undo:
            st.button(
                "Undo",
                key="knowing_undo",
                icon=":material/undo:",
                shortcut="Backspace",
                on_click=_act,
                args=(desk.undo,),
            )
        if found.last:
            st.caption(literal(f"Last: {found.last}"))


def _button(desk: Desk, number: int, code: int, label: str, key: str) -> None:
    is_short = len(key) == 1 and key.isascii() and key.isalnum() and key.lower() not in _RESERVED
    st.button(
        label,
        key=f"knowing_{code}",
        shortcut=key if is_short else None,
        on_click=_act,
        args=(lambda: desk.answer(number, code, _seconds()),),
    )


def _seconds() -> float:
    began: float = st.session_state[_BEGAN][1]
    return time.monotonic() - began


def _act(act: Callable[[], None]) -> None:
    """Do what a button says, before the panel is drawn again."""
    try:
        act()
    except services.TruthmarkError as error:
        st.session_state[_PROBLEM] = error
