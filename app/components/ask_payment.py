# SPDX-License-Identifier: Apache-2.0
"""The last step to a bounty: checking what is asked, and paying it in."""

from typing import Final

import streamlit as st

from app import services
from app.ask_views import AskForm, Cost
from app.components.ask_step import keep, leave_step
from app.components.cost import cost_table
from app.components.problem import shown, working
from app.components.text import count, literal
from app.components.top_up import top_up
from app.services import asked, asking, funding

WALLET: Final = "ask_wallet"


def check_and_pay(form: AskForm) -> None:
    """Draw the last step: all that is asked, what it costs, and the button that pays.

    Args:
        form: What is filled in.
    """
    offer = funding.offer_of(form)
    if offer is None:
        st.markdown("Everything is made ready now, all but sent: nothing is paid yet.")
        with shown(services.TruthmarkError):
            _top_up(asking.cost(form))
        with st.container(horizontal=True):
            leave_step(form)
            is_asked = st.button(
                "Make it ready", type="primary", icon=":material/fact_check:", key="ask_review"
            )
        if is_asked:
            with shown(services.TruthmarkError), working("Making copies of the items") as progress:
                funding.review(form, progress)
                st.rerun()
        return
    st.markdown(f"##### {literal(offer.title)}")
    facts = [count(offer.items, "item") + " to label"]
    facts += [f"{offer.shown} to practise on"] if offer.shown else []
    facts += [f"{number} × {name} known" for name, number in offer.gold]
    st.markdown(literal(" · ".join(facts)))
    for line in offer.lines:
        st.caption(literal(line))
    cost_table(offer.cost)
    st.caption(
        "While people join and label, this computer serves them; it may be off in between, but "
        "they wait for it then."
    )
    account = services.account()
    with shown(services.TruthmarkError):
        _top_up(offer.cost)
    with st.container(horizontal=True):
        if st.button("Change it", icon=":material/arrow_back:", key="ask_change"):
            with shown(services.TruthmarkError):
                funding.withdraw_offer(form)
                keep(form, step=4)
                st.rerun()
        # The key names the account, too: a click on a button of one never pays as another.
        is_asked = account is not None and st.button(
            f"Pay {literal(offer.cost.total)} in as {literal(account.name)}",
            type="primary",
            icon=":material/payments:",
            key=f"ask_fund_{account.address}",
        )
    if is_asked:
        _fund(form)


def _top_up(cost: Cost) -> None:
    """Let a wallet of this browser send what the account lacks."""
    top_up(lambda payer: services.topping_up(cost.total, cost.gas, payer), WALLET)


def go_on(form: AskForm) -> None:
    """Draw what sends again what was agreed to before.

    Args:
        form: What is filled in.
    """
    st.info("This was agreed to, and sending it was interrupted. Nothing is paid twice.")
    if st.button("Go on", type="primary", icon=":material/arrow_forward:", key="ask_resume"):
        _fund(form)


def _fund(form: AskForm) -> None:
    with shown(services.TruthmarkError), working("Storing and paying in") as progress:
        number = funding.fund(form, progress)
        with shown(services.TruthmarkError):
            asked.run(number)
        st.query_params.clear()
        st.session_state.ask_done = number
        st.switch_page("app_pages/asked.py", query_params={"bounty": str(number)})


def link_to_asked(number: int) -> None:
    """Say that it is a bounty by now.

    Args:
        number: Which.
    """
    st.success(f"This is bounty {number} by now.", icon=":material/check_circle:")
    st.page_link(
        "app_pages/asked.py",
        label="Show how far it is",
        icon=":material/arrow_forward:",
        query_params={"bounty": str(number)},
    )
