# SPDX-License-Identifier: Apache-2.0
"""Who acts: the account's menu at the top of every page."""

import streamlit as st

from app import services
from app.components.problem import shown
from app.components.text import literal, short_address


def account_menu() -> None:
    """Draw the menu: address, balances, and what can be switched or unlocked."""
    if not services.is_local():
        return
    account = services.account()
    services.remember_choice()
    label = (
        f"{literal(account.name)} · {short_address(account.address)}" if account else "No account"
    )
    with (
        st.container(horizontal=True, horizontal_alignment="right"),
        st.popover(label, icon=":material/account_circle:", width="content"),
    ):
        _switches()
        if account is None:
            st.markdown("This machine has no account yet. Make one in a terminal:")
            st.code("truthmark wallet new me", language=None)
            return
        st.caption("Address")
        st.code(account.address, language=None)
        for balance in account.balances:
            st.text(balance)
        if account.is_locked:
            _unlock()


def unlock_first() -> bool:
    """Ask for the passphrase where the account is locked; return whether it may act now."""
    account = services.account()
    if account is None:
        st.info("This machine has no account yet: `truthmark wallet new me` makes one.")
        return False
    if account.is_locked:
        st.info("Your account is locked. Unlock it in the menu under its name, at the top.")
    return not account.is_locked


def _switches() -> None:
    if roles := services.roles():
        st.selectbox(
            "Role on this development network",
            roles,
            index=roles.index(services.role()),
            key="account_role",
            on_change=lambda: services.choose_role(st.session_state.account_role),
        )
        return
    names = services.account_names()
    if len(names) > 1:
        account = services.account()
        st.selectbox(
            "Account",
            names,
            index=names.index(account.name) if account and account.name in names else None,
            key="account_name",
            on_change=lambda: services.choose_account(st.session_state.account_name),
        )


def _unlock() -> None:
    with st.form("account_unlock", border=False, clear_on_submit=True):
        passphrase = st.text_input("Passphrase", type="password")
        if st.form_submit_button("Unlock"):
            with shown(services.TruthmarkError):
                services.unlock(passphrase)
                st.rerun()
