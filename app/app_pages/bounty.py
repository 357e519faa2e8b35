# SPDX-License-Identifier: Apache-2.0
"""Everything about one bounty: what it asks and pays, and what became of one's own answers."""

import streamlit as st

from app import services
from app.bounty_views import BountyPage
from app.components.acting import act_button, news
from app.components.bounty_card import ACCESS, requester_record, when
from app.components.chosen import chosen_bounty
from app.components.clock import TICK_SECONDS
from app.components.head import page_head
from app.components.live import live, trouble
from app.components.pace import own_pace
from app.components.problem import problem, shown
from app.components.sample import sample
from app.components.score import challenge, kept_reward, my_result
from app.components.tables import copyable
from app.components.text import in_badge, literal


def show() -> None:
    """Draw the bounty that the address names."""
    number = chosen_bounty("Bounty")
    if number is None:
        return
    clock = services.clock_of(number)
    try:
        bounty = services.bounty(number)
    except services.TruthmarkError as error:
        page_head(f"Bounty {number}")
        st.caption(when(clock))
        trouble(error)
        return
    _head(bounty)
    left, right = st.columns([1.9, 1], gap="large")
    with left:
        news("bounty")
        _after(bounty)
        _asked(bounty)
        _evidence(bounty)
    with right:
        live(_clock, every=3 * TICK_SECONDS)(number, bounty.phase)
        _pay(bounty)
        _terms(bounty)


def _head(bounty: BountyPage) -> None:
    page_head(bounty.title)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        text, icon, colour = ACCESS[bounty.access]
        st.badge(text, icon=icon, color=colour)
        for flag in bounty.flags:
            st.badge(in_badge(flag), icon=":material/warning:", color="red")
        st.caption(
            f"bounty {bounty.number} · {bounty.items:,} {bounty.kind}, each by {bounty.rounds}",
            width="content",
        )

    # On a narrow screen what it pays comes far below; else the style sheet hides this.
    with st.container(key="bounty_first"):
        _label_link(bounty)


def _clock(number: int, phase: str) -> None:
    """Draw what goes on, again and again; the whole page where that is something else now."""
    clock = services.clock_of(number)
    if clock.phase != phase:
        st.rerun()
    with st.container(border=True):
        st.markdown(when(clock))
        if clock.then:
            st.caption(f"Then: {literal(clock.then)}.")
        if clock.until is not None and services.can_warp():
            _warp(clock.until)


def _warp(until: int) -> None:
    """Draw what a development network alone can do: not to wait."""
    if st.button(
        "Skip to then",
        key="bounty_warp",
        icon=":material/fast_forward:",
        help="Only here, on a development network: lets its time pass at once.",
    ):
        with shown(services.TruthmarkError):
            services.warp_past(until)
            st.rerun()


# -------------------------------------------------------------------------- what it asks


def _asked(bounty: BountyPage) -> None:
    st.subheader("What is asked")
    st.text(bounty.guidelines)
    if bounty.classes:
        with st.container(horizontal=True, gap="xsmall"):
            for name in bounty.classes:
                st.badge(in_badge(name), color="gray")
    st.fragment(_samples)(bounty)


def _samples(bounty: BountyPage) -> None:
    """Draw a few items, by themselves: a relay may take its time."""
    st.subheader("For example")
    with st.spinner("Asking the relay for them", show_time=False):
        try:
            found = services.samples(bounty.number)
        except services.TruthmarkError as error:
            st.caption("None can be shown just now.")
            problem(error)
            return
    if not found:
        st.caption("The requester shows no items.")
        return
    for column, item in zip(st.columns(len(found)), found, strict=True):
        with column, st.container(border=True, height="stretch"):
            sample(item)


# -------------------------------------------------------------------------- what it pays


def _pay(bounty: BountyPage) -> None:
    with st.container(border=True):
        if bounty.hourly is not None:
            st.markdown(f"## about {literal(bounty.hourly)} an hour")
            st.caption(
                f"{literal(bounty.price)} a label, {literal(bounty.spread)}; "
                f"{bounty.seconds:.2g}\u00a0s an answer in the requester's trial, for somebody "
                "who is right in 85 of 100"
            )
        else:
            st.markdown(f"## {literal(bounty.price)} a label")
            st.caption(f"{literal(bounty.spread)}; nobody measured how long one takes")
        if bounty.practice:
            own_pace([(bounty.number, bounty.title, bounty.judged)], f"bounty_pace_{bounty.number}")
        st.markdown(literal(bounty.pay_rule))
        if not (bounty.record.is_bad and bounty.doubts):  # which say it
            requester_record(bounty.record)
        for doubt in bounty.doubts:
            st.warning(literal(doubt[:1].upper() + doubt[1:]), icon=":material/warning:")
        if bounty.own_gas:
            st.caption(literal(bounty.own_gas))
        _label(bounty)
        if bounty.can_pay_out:
            _payout(bounty)


def _label(bounty: BountyPage) -> None:
    """Draw the way to the label page, and its lines for a terminal."""
    _label_link(bounty)
    is_open = bounty.phase == "joining"
    if bounty.label_link:
        st.caption(
            "Opens a page of its own, for phones too. You need no wallet: it makes a key of its "
            "own, and you name the address that is paid."
            if is_open
            else "In the browser in which you labeled: it alone knows your answers, holds them "
            "against the score, and lets you disprove what is not so."
            if bounty.is_scored
            else "In the browser in which you labeled, or joined."
        )
    if is_open:
        st.caption("or in a terminal:")
        steps = ["join", "label"] if not bounty.practice else ["practice", "join", "label"]
        lines = [f"truthmark bounty {step} {bounty.number}" for step in steps]
        st.code("\n".join(lines), language=None)


def _label_link(bounty: BountyPage) -> None:
    if not bounty.label_link:
        return
    is_open = bounty.phase == "joining"
    is_after = bounty.phase in ("silent", "ended")
    label = "Your score" if bounty.is_scored else "Your part" if is_after else "Go on"
    if is_open:
        label = "Practice and label" if bounty.practice else "Label"
    st.link_button(
        label,
        bounty.label_link,
        type="primary" if is_open else "secondary",
        icon=":material/edit:",
        width="stretch",
    )


def _payout(bounty: BountyPage) -> None:
    account = services.account() if services.is_local() else None
    if account is None:
        st.caption("Anyone may have everybody paid who labeled:")
        st.code(f"truthmark bounty payout {bounty.number}", language=None)
        return

    def act() -> str:
        paid = services.pay_out(bounty.number)
        return f"{paid} came to you." if paid else "Everybody is paid; nothing is owed to you."

    act_button(
        "bounty",
        "Pay out",
        act,
        "Paying",
        key=f"bounty_payout_{account.address}",
        type="primary" if bounty.results else "secondary",
        icon=":material/payments:",
        width="stretch",
    )
    st.caption("Credits all who labeled, and pays you what is yours. You get the tip for it.")


def _terms(bounty: BountyPage) -> None:
    st.markdown("##### The terms")
    taken, needed = f"{bounty.batches_taken:,}", f"{bounty.batches_needed:,}"
    each = str(bounty.least) if bounty.least == bounty.most else f"{bounty.least} to {bounty.most}"
    lines = [
        f"**{taken} of {bounty.batches:,}** batches are taken; it takes place with {needed}",
        f"You take **{each}** of **{bounty.batch}** items",
        *(f"{literal(name)}: **{literal(value)}**" for name, value in bounty.times),
        "Without a score in time everybody is paid in full, and shares the requester's bond",
        f"You grant: {literal(bounty.licence)}",
    ]
    st.markdown("\n".join(f"- {line}" for line in lines))
    if bounty.gate:
        copyable("This contract must admit you", bounty.gate)
    copyable("Requester", bounty.requester)


# ----------------------------------------------------------------------------- after it


def _after(bounty: BountyPage) -> None:
    for result in bounty.results:
        st.subheader("Your part")
        my_result(result)
    if bounty.challenge is not None:
        st.subheader("Is the score right?")
        challenge(bounty.challenge)
    if bounty.kept is not None:
        st.subheader("The score was disproved")
        kept_reward(bounty.kept)


def _evidence(bounty: BountyPage) -> None:
    with st.expander("How do I know this?", icon=":material/fact_check:"):
        st.markdown(
            """
- **The terms** (prices, windows, the relay, the gold commitment): from the event of the board
  contract that made the bounty; all of them are in one hash that the contract keeps.
- **Title, guidelines, answers, items**: the requester's words. Their SHA-256 is in the terms, so
  they cannot change any more.
- **The requester's record**: from the events of all their bounties. It counts what was paid, and
  how often they fell silent or were proven wrong.
- **What an hour may bring**: the price, the time that an answer took in the requester's own trial,
  and the pay rule, drawn for somebody who is right in 85 of 100.
- **Roster, answers, score**: from the calls to the contracts, held against the hashes that the
  board keeps; if one differs, this page refuses to show it.
"""
        )
        for name, value in bounty.evidence:
            copyable(literal(name), value)


show()
