# SPDX-License-Identifier: Apache-2.0
"""Who keeps keys, with what at stake; this account's own stake and obligations; scores to check."""

from collections.abc import Callable
from decimal import Decimal

import pandas as pd
import streamlit as st

from app import services
from app.components.account import unlock_first
from app.components.acting import act_button, carry_out, news
from app.components.bounty_card import when
from app.components.giving_back import giving_back
from app.components.head import page_head
from app.components.pager import page_of, pager
from app.components.problem import shown, working
from app.components.text import count, literal, short_address
from app.components.top_up import top_up
from app.income_views import MyValidator, Validators

KEY = "validators"
WALLET = f"{KEY}_wallet"


def show() -> None:
    """Draw one's own stake where there is one, the scores to check, and all validators."""
    page_head("Validators")
    st.markdown(
        "Validators keep parts of keys, so that a sale goes through although its seller is away, "
        "and lose stake if they do not. Anyone may check the scores of bounties."
    )
    news(KEY)
    everyone = services.validators(page_of(KEY))
    mine, scores, others = st.tabs(["Your stake", "Scores to check", "All validators"])
    with mine:
        _mine(everyone)
    with scores:
        _scores()
    with others:
        _everyone(everyone)


# ------------------------------------------------------------------------------ one's own


def _mine(everyone: Validators) -> None:
    if not services.is_local():
        st.info("This server holds no user's keys. On your own machine:")
        st.code(
            "truthmark stake register\ntruthmark stake add 1\n"
            'truthmark stake offer --fee "0.1 TUSD"\ntruthmark node run --as custodian',
            language=None,
        )
        return
    found = services.my_validator()
    if found is None:
        unlock_first()
        return
    if not found.is_registered:
        _register(everyone)
        return
    with st.container():  # whatever is in it, what is open below stays open
        _figures(found)
        left, right = st.columns(2, gap="large")
        with left:
            _stake(found, everyone)
        with right:
            _offer(found)
        _obligations(found)
    giving_back(
        "A validator is an account of this machine, as its node must act at any hour.",
        "Leave it here as long as you keep keys, or offer to: your node pays gas by it."
        if found.obligations or found.offer
        else "",
    )


def _register(everyone: Validators) -> None:
    st.markdown(
        f"This account is no validator yet. One ticket of stake is **{literal(everyone.ticket)}**; "
        f"stake that you take out comes back after **{literal(everyone.unbonding)}**. A node of "
        "yours must run day and night."
    )
    with shown(services.TruthmarkError):
        top_up(lambda payer: services.lacking_for_stake(1, payer), WALLET)
    _act("Become a validator", "register", services.register, "This account is a validator now.")


def _figures(found: MyValidator) -> None:
    figures = [
        ("Stake", found.stake),
        ("At risk for obligations", found.at_risk),
        ("Free", found.free),
        ("Obligations", str(len(found.obligations))),
    ]
    for column, (name, value) in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(name, value, border=True)
    if missing := found.missing:
        st.error(
            f"{literal(missing)} of the stake was lost and not paid back, so the tickets are "
            "not fully covered.",
            icon=":material/error:",
        )
        with shown(services.TruthmarkError):
            key = f"{WALLET}_cover"
            top_up(lambda payer: services.lacking_for_cover(missing, payer), key)
        _act("Pay it back", "top_up", services.top_up_stake, "The stake is covered again.")


def _stake(found: MyValidator, everyone: Validators) -> None:
    st.subheader("Stake")
    st.caption(
        f"{count(found.standing, 'ticket')} of {literal(everyone.ticket)} · what you take out "
        f"comes back after {literal(everyone.unbonding)}"
    )
    tickets = st.number_input(
        "Tickets",
        min_value=1,
        max_value=services.MOST_TICKETS,
        value=1,
        key=f"{KEY}_tickets",
        persist_state="page",
    )
    with st.container(horizontal=True):
        _act(
            f"Add {count(tickets, 'ticket')}",
            "add",
            lambda: services.add_stake(tickets),
            f"{count(tickets, 'ticket')} added.",
        )
        _act(
            f"Take {count(tickets, 'ticket')} out",
            "take",
            lambda: services.take_stake_out(tickets),
            f"{count(tickets, 'ticket')} on the way out.",
            disabled=found.free_tickets < 1,
        )
    with shown(services.TruthmarkError):
        top_up(
            lambda payer: services.lacking_for_stake(tickets, payer),
            WALLET,
            f"To add {count(tickets, 'ticket')},",
        )
    if found.leaving_count:
        st.caption(
            f"{count(found.leaving_count, 'ticket')} on the way out; the next at {found.leaving[0]}"
        )
    if found.can_take_out:
        with shown(services.TruthmarkError):
            _act("Withdraw what is free", "withdraw", services.withdraw_stake, "{} came to you.")


def _offer(found: MyValidator) -> None:
    st.subheader("Offer")
    if found.offer:
        st.markdown(f"You ask **{literal(found.offer)}**.")
        st.markdown(f"You take {'' if found.is_available else '**no** '}new obligations.")
        with st.container(horizontal=True):
            if found.is_available:
                _act(
                    "Take no new obligations",
                    "off",
                    lambda: services.set_available(False),
                    "Running obligations go on; there will be no new ones.",
                )
            else:
                _act(
                    "Take new obligations",
                    "on",
                    lambda: services.set_available(True),
                    "New obligations are taken.",
                )
            _act(
                "Take the offer back",
                "unoffer",
                services.withdraw_offer,
                "The offer is taken back.",
            )
    else:
        st.markdown("You offer nothing yet, so no seller can choose you.")
    with st.expander("Change the offer" if found.offer else "Make an offer"):
        _offer_form()


def _offer_form() -> None:
    key = f"{KEY}_{services.acting_as()}"
    with st.form(f"{key}_offer", border=False):
        first, second = st.columns(2)
        fee = first.number_input(
            "Fee for each sale", min_value=0.0, value=0.1, key=f"{key}_fee", persist_state="page"
        )
        token = second.selectbox("in", services.tokens(), key=f"{key}_token", persist_state="page")
        days = first.number_input(
            "Longest obligation, in days",
            min_value=1,
            max_value=365,
            value=100,
            key=f"{key}_days",
            persist_state="page",
        )
        lock = second.number_input(
            "Stake for one obligation",
            min_value=0.0,
            value=100.0,
            key=f"{key}_lock",
            persist_state="page",
        )
        url = st.text_input(
            "Where your node answers (may be empty)",
            key=f"{key}_url",
            max_chars=128,
            help="Sellers ask there whether it runs.",
            persist_state="page",
        )
        unsampled = st.checkbox(
            "Keep also what nobody but its seller has seen any of",
            key=f"{key}_unsampled",
            help="Else you keep only what buyers could see a sample of, drawn by chance.",
            persist_state="page",
        )
        is_asked = st.form_submit_button("Publish", icon=":material/campaign:")
    if is_asked and unlock_first():

        def act() -> str:
            services.publish_offer(
                fee=Decimal(str(fee)),
                token=token,
                days=days,
                lock=Decimal(str(lock)),
                takes_unsampled=unsampled,
                url=url,
            )
            return "The offer stands. It counts only with a node behind it."

        carry_out(KEY, act, "Publishing it")
    st.code("truthmark node run --as custodian", language=None)


def _obligations(found: MyValidator) -> None:
    st.subheader("Obligations")
    if not found.obligations:
        st.caption("You keep no key at present.")
        return
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "data set": obligation.ref,
                    "part": obligation.part,
                    "status": obligation.status + (", fined" if obligation.is_fined else ""),
                    "at risk": obligation.locked,
                    "ends": obligation.ends,
                }
                for obligation in found.obligations
            ]
        ),
        hide_index=True,
    )
    st.caption("A part that you do not deliver in time costs a fine; a wrong key costs all of it.")


# --------------------------------------------------------------------------------- scores


def _scores() -> None:
    found = services.challengeable()
    if not found:
        st.info("No score can be disproved just now.", icon=":material/inbox:")
        return
    st.caption(
        "A requester who is silent or lies loses the bond. The first who proves a lie gets the "
        "reward; everybody who labeled is then paid in full."
    )
    checked: dict[int, int] = st.session_state.get(f"{KEY}_checked", {})
    if st.button("Check all of them", key=f"{KEY}_check", icon=":material/fact_check:"):
        with (
            shown(services.TruthmarkError),
            working("Holding scores against the chain") as progress,
        ):
            for done, score in enumerate(found, 1):
                challenge = services.challenge_of(score.number)
                checked[score.number] = len(challenge.wrongs) if challenge is not None else 0
                progress(done, len(found))
        st.session_state[f"{KEY}_checked"] = checked
    for score in found:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.page_link(
                "app_pages/bounty.py",
                label=literal(score.title or f"Bounty {score.number}"),
                query_params={"bounty": str(score.number)},
            )
            if score.title:
                st.caption(f"bounty {score.number}", width="content")
            st.caption(when(score.clock), width="content")
            st.caption(f"reward {literal(score.reward)}", width="content")
            if score.number in checked:
                wrong = checked[score.number]
                text = "wrong, and you can prove it" if wrong else "nothing can be proven wrong"
                icon = ":material/gavel:" if wrong else ":material/verified:"
                st.badge(text, icon=icon, color="red" if wrong else "green")


# --------------------------------------------------------------------------------- everyone


def _everyone(found: Validators) -> None:
    if not found.total:
        st.info("Nobody is a validator on this network yet.", icon=":material/inbox:")
        return
    st.caption(f"{count(found.total, 'validator')}, by when they registered")
    for row in found.rows:
        with st.container(border=True):
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                st.markdown(f"**{short_address(row.address)}**", width="content")
                if row.is_available:
                    st.badge("takes new obligations", icon=":material/check:", color="green")
                if row.is_alive:
                    st.badge("seen within a day", icon=":material/favorite:", color="blue")
                elif row.offer:
                    st.badge("not seen for a day", icon=":material/heart_broken:", color="orange")
            st.caption(
                f"stake {literal(row.stake)}, of which {literal(row.at_risk)} is at risk now · "
                + (f"asks {literal(row.offer)}" if row.offer else "offers nothing")
            )
            with st.expander("Address"):
                st.code(row.address, language=None)
    pager(KEY, found.page, found.pages)


# ------------------------------------------------------------------------------- internals


def _act(
    label: str, name: str, act: Callable[[], object], told: str, *, disabled: bool = False
) -> None:
    """Draw a button that does something as the account, and tells what that was."""
    # The key names the account, too: a click on a button of one never acts as another.
    key = f"{KEY}_{name}_{services.acting_as()}"
    act_button(KEY, label, lambda: told.format(act()), "Sending it", key=key, disabled=disabled)


show()
