# SPDX-License-Identifier: Apache-2.0
"""What the account of this machine lacks for something, sent to it from a wallet of the browser."""

from collections.abc import Callable

import streamlit as st

from app import services
from app.components.text import literal
from app.components.wallet import chosen, wallet
from app.views import WalletAction

Lacking = Callable[[str], tuple[str, tuple[WalletAction, ...]]]
"""Given the wallet's account, or nothing, returns what is lacking in words, and what sends it."""


def top_up(lacking: Lacking, key: str, wanted: str = "") -> None:
    """Let a wallet of this browser send what the account lacks; nothing where it lacks nothing.

    Args:
        lacking: See there.
        key: Of the wallet; unlike that of any other component.
        wanted: For what it is, where nobody has asked for that yet: it is folded away then.
    """
    payer = chosen(key)
    lacks, actions = lacking(payer)
    if not lacks:
        return
    begins = f"{wanted} your account here lacks" if wanted else "Your account here lacks"
    with st.expander("Send it more from a wallet") if wanted else st.container(border=True):
        st.markdown(
            f"{begins} **{literal(lacks)}**. Send it from a wallet of this browser, "
            "or from anywhere else to its address, which stands in the menu at the top."
        )
        wallet(services.wallet_offer(payer, actions), key)
