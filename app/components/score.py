# SPDX-License-Identifier: Apache-2.0
"""What became of an account's part in a bounty: pay, answers against the requester's, proofs."""

from typing import Any, Final

import pandas as pd
import streamlit as st

from app import services
from app.bounty_views import Challenge, Kept, MyResult
from app.components.acting import act_button, tell
from app.components.clock import clock
from app.components.problem import shown
from app.components.tables import copyable
from app.components.text import literal, prose, short_address
from app.components.wallet import chosen, wallet
from app.views import WalletAction

_RIGHT: Final = ":green[:material/check_circle:]"


def my_result(result: MyResult) -> None:
    """Draw one part of the account: figures, then each answer that was checked."""
    figures: list[tuple[str, str]] = [("Batches", f"{result.batches} of {result.of_batches}")]
    if result.share is not None:
        figures.insert(0, ("Of the full price", result.share))
    if result.pay is not None:
        figures.insert(0, ("You get" if result.is_final else "You get, if it stands", result.pay))
    for column, (name, value) in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(name, value, border=True)
    for line in _lines(result):
        st.markdown(line)
    if result.lines:
        _answers(result)
    with st.expander("How do I know this?", icon=":material/fact_check:"):
        st.markdown(
            """
- **The right answers** were fixed before anyone labeled: their hash is in the terms, and the score
  showed what it is the hash of.
- **Your answers**: your commitment is on the chain, and opens to these and to no others. Nobody,
  the requester included, could choose which of your items are checked: a draw decided who labels
  what, after the right answers were fixed.
- **The pay** follows from both by one rule. It was computed here again from what is on the chain;
  a score that says anything else can be disproved by anyone, and then everybody is paid in full.
"""
        )
        for name, value in result.evidence:
            copyable(literal(name), value)


def _lines(result: MyResult) -> list[str]:
    found = []
    if result.mark:
        found.append(f":red[:material/error:] Your labels are {literal(result.mark)}.")
    if result.half:
        found.append(
            ":orange[:material/balance:] Too many agreed against the requester's answers, so half "
            f"of the price is paid to all ({literal(result.half)})."
        )
    if result.bond:
        found.append(f"{_RIGHT} {literal(result.bond)} of it is your part of the requester's bond.")
    if result.withheld:
        found.append(f"{literal(result.withheld)} of the full price is not paid; nobody gets it.")
    if result.is_checked:
        found.append(f"{_RIGHT} Computed again on this page: the same as was posted.")
    if result.is_delivered and result.share is None and result.pay is None:
        found.append(f"{_RIGHT} Your labels have arrived, and nobody can deny it.")
    if result.note:
        found.append(f":gray[:material/info:] {prose(result.note[:1].upper() + result.note[1:])}.")
    return found


def _answers(result: MyResult) -> None:
    counts = " · ".join(f"{number:,} {literal(name)}" for name, number in result.counts)
    st.markdown(f"##### Your answers that were checked · {counts}")
    st.caption(
        "The requester knew the right answer of these before anyone labeled, and nobody knew "
        "which they are."
    )
    shows_own = any(line.own is not None for line in result.lines)
    rows: list[dict[str, Any]] = [
        {
            "": "⚠" if line.is_disputed else "✓" if line.is_right else "✗",
            "right answer": line.right,
            "you said, by the score": line.said,
            **({"you said": line.own or ""} if shows_own else {}),
            "counts as": line.outcome,
            "where": line.place,
        }
        for line in result.lines
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content" if len(rows) < 12 else 400,
        column_config={"": st.column_config.TextColumn(width=30)},
    )
    if result.more:
        st.caption(f"and {result.more:,} more")


def challenge(found: Challenge) -> None:
    """Draw what is wrong in a score, and the button that proves it."""
    until = literal(clock(found.until, found.now))
    if not found.wrongs:
        st.success(
            f"Nothing in this score can be proven wrong with what is known here. It stands after "
            f"{until} if nobody else proves anything.",
            icon=":material/verified:",
        )
        return
    st.error(
        "This score is wrong, and that can be proven. After a proof everybody is paid in full, "
        f"and the first who proves it gets {literal(found.reward)}.",
        icon=":material/gavel:",
    )
    for wrong in found.wrongs:
        st.markdown(f"- {literal(wrong)}")
    account = services.account()
    if account is None:
        _by_wallet(found)
        st.caption(f"Or prove it from your own machine until {until}:")
        st.code(f"truthmark bounty label {found.number} --stay", language=None)
        return
    act_button(
        "bounty",
        f"Disprove it as {literal(account.name)}",
        lambda: _proven(services.disprove(found.number)),
        "Proving it to the contract",
        key=f"bounty_disprove_{found.number}_{account.address}",
        type="primary",
        icon=":material/gavel:",
    )
    st.caption(f"Until {until}; gas is paid by the account.")


def _by_wallet(found: Challenge) -> None:
    """Draw the proof as what a wallet of the browser may send, which needs no account here."""
    st.caption("Prove it with a wallet of this browser: it pays the gas, and gets the reward.")
    key = f"bounty_wallet_{found.number}"
    payer = chosen(key)
    actions: tuple[WalletAction, ...] = ()
    with shown(services.TruthmarkError):
        actions = services.disproving(found.number, payer)
    done = wallet(services.wallet_offer(payer, actions), key)
    if done and done != st.session_state.get(f"{key}_done"):
        st.session_state[f"{key}_done"] = done
        tell("bounty", _proven(found.reward))
        st.rerun()


def kept_reward(found: Kept) -> None:
    """Draw the reward that waits for who disproved the score, and how they take it out."""
    st.success(
        "It was proven that the score is wrong, so everybody is paid in full. The contract keeps "
        f"{literal(found.amount)} for the account that did.",
        icon=":material/gavel:",
    )
    copyable("Who proved it", found.account)
    account = services.account()
    if account is not None:
        if account.address == found.account:
            act_button(
                "bounty",
                "Take it out",
                lambda: f"{services.withdraw()} came to you.",
                "Paying it out to you",
                key=f"bounty_reward_{found.number}_{account.address}",
            )
        return
    st.caption("If that account is yours, take it out with the wallet that sent the proof.")
    key = f"bounty_reward_{found.number}"
    payer = chosen(key)
    is_theirs = payer.lower() == found.account.lower()
    actions: tuple[WalletAction, ...] = ()
    with shown(services.TruthmarkError):
        actions = services.taking_out(payer) if is_theirs else ()
    done = wallet(services.wallet_offer(payer, actions), key)
    if payer and not is_theirs:
        st.caption(
            f"This is another account; choose {short_address(found.account)} in your wallet."
        )
    if done and done != st.session_state.get(f"{key}_done"):
        st.session_state[f"{key}_done"] = done
        tell("bounty", "It came to your address.")
        st.rerun()


def _proven(reward: str) -> str:
    return f"It is proven: everybody is paid in full, and {reward} is yours."
