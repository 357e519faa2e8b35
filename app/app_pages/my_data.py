# SPDX-License-Identifier: Apache-2.0
"""What the account has bought."""

import streamlit as st

from app import services
from app.components.account import unlock_first
from app.components.acting import act_button, news
from app.components.head import page_head
from app.components.pager import page_of, pager
from app.components.purchase import purchase_panel
from app.components.text import literal


def show() -> None:
    """Draw the account's purchases with their steps and actions."""
    page_head("My data")
    if not services.is_local():
        st.info("This server holds no user's keys. On your own machine this opens what you bought:")
        st.code("truthmark get 17 ./data", language=None)
        return
    account = services.account()
    if account is None:
        unlock_first()
        return
    news("purchase")
    _owed(account.address)
    key = f"my_data_{account.address}"
    page, purchases, pages = services.purchases(page_of(key))
    if not purchases:
        st.info("This account has not bought anything yet.", icon=":material/inbox:")
        st.page_link("app_pages/market.py", label="Show the market", icon=":material/storefront:")
    for purchase in purchases:
        with st.container(border=True):
            with st.container(
                horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
            ):
                st.markdown(f"##### {literal(purchase.title)}", width="content")
                st.markdown(f"**{literal(purchase.paid)}**", width="content")
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(f"bought {purchase.bought}", width="content")
                st.page_link(
                    "app_pages/dataset.py",
                    label=f"no. {purchase.ref}",
                    query_params={"dataset": purchase.ref},
                )
            purchase_panel(purchase)
    pager(key, page, pages)


def _owed(account: str) -> None:
    owed = services.credits()
    if not owed:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"The contracts hold **{literal(' and '.join(owed))}** for you.")
        act_button(
            "purchase",
            "Withdraw",
            lambda: f"{services.withdraw()} came to you.",
            "Paying it out to you",
            key=f"my_data_withdraw_{account}",
            icon=":material/payments:",
        )


show()
