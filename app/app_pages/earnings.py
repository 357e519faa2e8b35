# SPDX-License-Identifier: Apache-2.0
"""What labeling has brought, and what can be taken out."""

import streamlit as st

from app import services
from app.components.account import unlock_first
from app.components.acting import act_button, news, tell
from app.components.bounty_card import when
from app.components.head import page_head
from app.components.pager import page_of, pager
from app.components.text import count, in_badge, literal
from app.components.wallet import chosen, wallet
from app.income_views import Earning, Earnings

KEY = "earnings"
WALLET = f"{KEY}_wallet"


def show() -> None:
    """Draw what an account earned: that of this machine, or one that is named."""
    page_head("Earnings")
    if not services.is_local():
        _visit()
        return
    if services.account() is None:
        unlock_first()
        return
    found = services.earnings("", page_of(KEY))
    news(KEY)
    _owed(found)
    _parts(found)


def _visit() -> None:
    """Show whose earnings the visitor names: a wallet of their browser does, or they type it."""
    st.markdown(
        "What anyone has earned is public. Name the address that is paid; taking money out "
        "needs no permission, and it goes to that address alone."
    )
    connected = chosen(WALLET)
    found = services.earnings(connected, page_of(KEY)) if connected else None
    actions = (
        [*services.taking_out(connected), *(claim for row in found.rows for claim in row.claims)]
        if found
        else []
    )
    done = wallet(services.wallet_offer(connected, actions), WALLET)
    if done and done != st.session_state.get(f"{KEY}_done"):
        st.session_state[f"{KEY}_done"] = done
        tell(KEY, "It came to your address.")
    if found is None:
        typed = st.text_input(
            "Address", key=f"{KEY}_address", placeholder="0x…", max_chars=42, persist_state="page"
        )
        if not typed.strip():
            return
        found = services.earnings(typed.strip(), page_of(KEY))
    news(KEY)
    _owed(found)
    _parts(found)


def _owed(found: Earnings) -> None:
    st.subheader("To take out")
    if not found.owed:
        st.caption("The contracts hold nothing for this account.")
        return
    for column, owed in zip(st.columns(max(3, len(found.owed))), found.owed, strict=False):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"#### {literal(owed.amount)}")
            if len(owed.parts) == 1:
                st.caption(f"from {literal(owed.parts[0][0])}")
            else:
                for name, amount in owed.parts:
                    st.caption(f"{literal(amount)} from {literal(name)}")
    if not services.is_local() and chosen(WALLET):
        return  # the wallet above takes it out
    if not services.is_local():
        st.caption("Anyone may pay it out to that address:")
        st.code(f"truthmark withdraw --for {found.account}", language=None)
        return
    act_button(
        KEY,
        "Withdraw all of it",
        lambda: f"{services.withdraw()} came to you.",
        "Paying it out to you",
        key=f"{KEY}_withdraw_{found.account}",
        type="primary",
        icon=":material/payments:",
    )


def _parts(found: Earnings) -> None:
    st.subheader("By bounty")
    if found.pending:
        st.caption(
            f":material/hourglass: {count(found.pending, 'list')} of labelers still being read; "
            "load the page again in a moment"
        )
    if not found.total and not found.pending:
        st.info("This account has not labeled anything yet.", icon=":material/inbox:")
        st.page_link("app_pages/bounties.py", label="Show bounties", icon=":material/label:")
    for place, row in enumerate(found.rows):
        with st.container(border=True):
            _part(row, place)
    pager(KEY, found.page, found.pages)


def _part(row: Earning, place: int) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.markdown(f"##### {literal(row.title or f'Bounty {row.number}')}", width="content")
        if row.pay is not None:
            st.markdown(f"**{literal(row.pay)}**", width="content")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.badge(in_badge(row.state), color="green" if row.state == "paid" else "gray")
        if row.share is not None:
            st.caption(f"{row.share} of the full price", width="content")
        if row.batches:
            batches = f"{row.batches:,} {'batch' if row.batches == 1 else 'batches'}"
            st.caption(batches, width="content")
        st.page_link(
            "app_pages/bounty.py",
            label="How it came to that" if row.pay is not None else f"Bounty {row.number}",
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params={"bounty": str(row.number)},
        )
    if row.state not in ("paid", "did not take place"):
        st.caption(when(row.clock))
    if row.problem:
        st.markdown(f":red[:material/error:] {literal(row.problem)}")
    if row.royalties:
        _royalties(row, place)


def _royalties(row: Earning, place: int) -> None:
    amounts = literal(" and ".join(row.royalties))
    st.markdown(f":material/sell: Sales of these labels owe you **{amounts}** more.")
    if not services.is_local():
        if not row.claims:  # else the wallet above draws it
            st.code(f"truthmark royalties draw {row.number}", language=None)
        return
    act_button(
        KEY,
        "Draw it",
        lambda: f"{services.draw_royalties(row.number) or 'It'} was paid out.",
        "Drawing what sales owe",
        key=f"{KEY}_draw_{row.number}_{place}_{services.acting_as()}",
        icon=":material/call_received:",
    )


show()
