# SPDX-License-Identifier: Apache-2.0
"""A wallet of the visitor's browser: which account it shows, and what it confirmed."""

from typing import Any

import streamlit as st

from app import services
from app.views import WalletOffer

# Our own module, bundled and committed (tools/web.py); it writes what it is given as text alone.
_WALLET = st.components.v2.component(
    "truthmark_wallet",
    html='<div class="tm-wallet"></div>',
    css=services.web_source("wallet.css"),
    js=services.web_source("wallet.js"),
)


def chosen(key: str) -> str:
    """Return the account that the wallet under a key shows; empty where none is connected."""
    return str(_state(key).get("account") or "")


def wallet(offer: WalletOffer, key: str) -> str:
    """Draw the wallet and what it may confirm.

    Args:
        offer: The network, and transactions in words.
        key: Unlike that of any other component.

    Returns:
        The last transaction that was confirmed since the visit began, or nothing.
    """
    data = {
        "chain": {
            "id": offer.chain_id,
            "name": offer.network,
            "currency": offer.currency,
            "confirmations": offer.confirmations,
            "rpc": list(offer.endpoints),
        },
        "account": offer.account,
        "offers": [
            {
                "key": action.key,
                "title": action.title,
                "action": action.action,
                "details": [list(detail) for detail in action.details],
                "calls": [
                    {"to": call.to, "data": call.data, "value": hex(call.value)}
                    for call in action.calls
                ],
            }
            for action in offer.actions
        ],
    }
    _WALLET(
        key=key,
        data=data,
        default={"account": "", "done": ""},
        on_account_change=_nothing,
        on_done_change=_nothing,
    )
    return str(_state(key).get("done") or "")


def _state(key: str) -> dict[str, Any]:
    found = st.session_state.get(key)
    return dict(found) if found else {}


def _nothing() -> None:
    """Have the page drawn again, which a change does by itself."""
