# SPDX-License-Identifier: Apache-2.0
"""A purchase of the account: its steps, and what can be done about it."""

from typing import Final

import streamlit as st

from app import services
from app.components.acting import account_button, act_button
from app.components.clock import TICK_SECONDS
from app.components.live import live
from app.components.problem import shown, working
from app.components.remedies import remedies
from app.components.tables import examples_of
from app.components.text import literal
from app.components.tracker import tracker
from app.remedy_views import Checked
from app.views import Opened, Purchase, WrongKey

POLL_SECONDS: Final = 1.0


def purchase_panel(purchase: Purchase) -> None:
    """Draw the steps and the time left, which move by themselves, and the actions."""
    is_waiting = not (purchase.can_open or purchase.can_refund or purchase.is_over)
    pause = POLL_SECONDS if is_waiting else TICK_SECONDS
    live(_steps, every=None if purchase.is_over else pause)(purchase)
    if purchase.can_refund:
        _refund(purchase)
    elif purchase.can_open:
        _open(purchase)
        remedies(purchase)


def _steps(purchase: Purchase) -> None:
    if not purchase.is_over:
        now = services.purchase_by_key(purchase.key)
        if _actions(now) != _actions(purchase):
            st.rerun()
        purchase = now
    tracker(purchase.steps)
    st.caption(literal(purchase.note))


def _actions(purchase: Purchase) -> tuple[bool, bool, bool]:
    return purchase.can_open, purchase.can_refund, purchase.is_over


def _refund(purchase: Purchase) -> None:
    act_button(
        "purchase",
        f"Take {literal(purchase.paid)} back",
        lambda: f"{services.take_back(purchase.key)} came back.",
        "Taking your money back",
        key=f"purchase_refund_{purchase.key}",
        type="primary",
        icon=":material/undo:",
    )


def _open(purchase: Purchase) -> None:
    held = f"purchase_opened_{purchase.key}"
    key = f"purchase_open_{purchase.key}"
    if account_button("Open", key=key, type="primary", icon=":material/lock_open:"):
        with shown(services.TruthmarkError), working("Checking and opening") as progress:
            found = services.open_purchase(purchase.key, progress)
            # What is wrong with it is drawn beside what can be done about it.
            is_wrong = isinstance(found, Checked)
            st.session_state[f"purchase_checked_{purchase.key}" if is_wrong else held] = found
    opened = st.session_state.get(held)
    if isinstance(opened, WrongKey):
        _dispute(purchase, opened)
    elif isinstance(opened, Opened):
        _contents(purchase, opened)


def _contents(purchase: Purchase, opened: Opened) -> None:
    st.success("The key opens every part of the data.", icon=":material/verified:")
    examples_of(opened.tables)
    if opened.files:
        st.markdown(f"**Files** · {opened.file_count:,}")
        st.dataframe([{"file": path, "size": size} for path, size in opened.files], hide_index=True)
    with st.form(f"purchase_save_{purchase.key}"):
        folder = st.text_input(
            "Save all of it in a new folder of this machine",
            placeholder="~/data/my-purchase",
            key=f"purchase_folder_{purchase.key}",
            persist_state="page",
        )
        is_asked = st.form_submit_button("Save", icon=":material/save:")
    if is_asked:
        with shown(services.TruthmarkError), working("Saving") as progress:
            st.success(
                f"Saved in {literal(services.save_purchase(purchase.key, folder, progress))}"
            )


def _dispute(purchase: Purchase, wrong: WrongKey) -> None:
    st.error("This key does not open the data that the seller promised.", icon=":material/error:")
    if wrong.is_late:
        st.markdown(
            f"Disputes were possible until {wrong.until}; nothing can be done about this purchase."
        )
        return
    cost = f"about **{literal(wrong.cost)}** for gas" if wrong.cost else "gas"
    st.markdown(
        f"A dispute proves this to the contract. It costs {cost} and "
        f"brings back **{literal(wrong.brings)}**. It also makes the wrong key public and ends "
        f"the listing for everyone."
    )
    live(_time_to_dispute, every=TICK_SECONDS)(purchase, wrong)

    def act() -> str:
        brought = services.dispute(purchase.key)
        st.session_state.pop(f"purchase_opened_{purchase.key}", None)
        return f"The dispute was right: {brought} came to you."

    act_button(
        "purchase",
        "Dispute",
        act,
        "Proving it to the contract",
        key=f"purchase_dispute_{purchase.key}",
        type="primary",
        icon=":material/report:",
    )


def _time_to_dispute(purchase: Purchase, wrong: WrongKey) -> None:
    now = services.wrong_key(purchase.key) or wrong
    if now.is_late:
        st.session_state[f"purchase_opened_{purchase.key}"] = now
        st.rerun()
    st.markdown(f"You can dispute until {now.until}.")
