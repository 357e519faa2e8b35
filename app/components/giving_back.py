# SPDX-License-Identifier: Apache-2.0
"""The way back: what is left on the account of this machine, sent to its owner's wallet."""

from typing import Final

import streamlit as st

from app import services
from app.components.acting import act_button, news
from app.components.problem import shown
from app.components.text import literal
from app.components.wallet import chosen, wallet
from app.services import returning

KEY: Final = "give_back"
WALLET: Final = f"{KEY}_wallet"


WHY_BOUNTIES: Final = (
    "Bounties are run by an account of this machine, as it must sign for days, also while no "
    "browser is open."
)


def giving_back(why: str = WHY_BOUNTIES, needs_gas: str = "") -> None:
    """Draw what the account holds, and the button that sends it to a wallet, or any address.

    Args:
        why: Why the account acts, and not the wallet.
        needs_gas: Why it should keep the coins, beside bounties that run; empty if not so.
    """
    news(KEY)
    name = "Take money back to your wallet"
    with (
        st.expander(name, icon=":material/account_balance_wallet:"),
        shown(services.TruthmarkError),
    ):
        _draw(why, needs_gas)


def _draw(why: str, needs_gas: str) -> None:
    left = returning.left()
    if not left.tokens and not left.coins:
        st.caption("The account here holds nothing.")
        return
    st.caption(
        f"{why} What is left, or came back, you send on from here; the account pays the gas, and "
        "your wallet is asked for nothing but its address."
    )
    for one in left.tokens:
        owed = f", {one.owed} of it still in the contracts, from where it is drawn first"
        st.caption(literal(f"{one.name}: {one.amount}{owed if one.owed else ''}."))
    # A choice holds as long as its texts do, so there are no amounts in them.
    # Keys name the account: what was chosen for one, or clicked, never counts for another.
    key = f"{KEY}_{left.account}"
    names = {one.address: one.name for one in left.tokens}
    wanted = st.multiselect(
        "What",
        list(names),
        default=_chosen_before(key, list(names)),
        format_func=lambda token: names.get(token, token),
        key=f"{key}_what",
        persist_state="page",
    )
    coins = False
    if left.coins:
        # Streamlit heeds a changed beginning only under another key: an account may have come to
        # need its gas since.
        stays = bool(needs_gas or left.running)
        coins = st.checkbox(
            literal(f"and {left.coins}, which pays for gas"),
            value=not stays,
            key=f"{key}_coins_{stays}",
            persist_state="page",
        )
        if needs_gas:
            st.caption(needs_gas)
        if left.running:
            numbers = " and ".join(map(str, left.running))
            st.caption(
                f"Leave it here as long as bounty {numbers} runs: without gas there is no score, "
                "and everybody is paid in full, with the bond."
            )
    wallet(services.wallet_offer(chosen(WALLET)), WALLET)
    to = st.text_input(
        "To",
        value=chosen(WALLET),
        key=f"{key}_to_{chosen(WALLET)}",
        placeholder="0x…",
        max_chars=42,
        persist_state="page",
    ).strip()
    act_button(
        KEY,
        "Send it there",
        lambda: returning.give_back(to, tuple(wanted), coins=coins),
        "Sending it",
        key=f"{key}_send",
        type="primary",
        icon=":material/send:",
        disabled=not to or not (wanted or coins),
    )


def _chosen_before(key: str, tokens: list[str]) -> list[str] | None:
    """Add what has come since to what was chosen; return all where nothing was chosen yet."""
    held, seen = f"{key}_what", f"{key}_seen"
    known = st.session_state.get(seen, tokens)
    st.session_state[seen] = tokens
    if held not in st.session_state:
        return tokens
    if not set(tokens) <= set(known):
        kept = st.session_state[held]
        st.session_state[held] = [one for one in tokens if one in kept or one not in known]
    return None
