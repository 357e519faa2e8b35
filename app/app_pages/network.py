# SPDX-License-Identifier: Apache-2.0
"""What the app is connected to."""

import streamlit as st

from app import services
from app.components.clock import TICK_SECONDS
from app.components.head import page_head
from app.components.live import live
from app.components.tables import copyable
from app.components.text import literal, prose


def show() -> None:
    """Draw health, figures, parameters and addresses."""
    network = services.network()
    page_head("Network")
    live(_figures, every=TICK_SECONDS)()
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Health")
        for check in network.health:
            icon, colour = ("check_circle", "green") if check.is_good else ("error", "red")
            st.markdown(f":{colour}[:material/{icon}:] **{check.name}** · {prose(check.text)}")
        st.subheader("Activity")
        for name, value in network.totals:
            st.markdown(f"{name} · **{value}**")
    with right:
        st.subheader("Rules")
        for name, value in network.parameters:
            st.markdown(f"{name} · **{literal(value)}**")
        st.caption(
            "The owner can pause new listings and purchases, but cannot stop people from getting "
            "their money back. A changed fee applies only to later listings."
        )
    st.subheader("Contracts")
    for column, (name, what, address) in zip(
        _columns(len(network.contracts)), network.contracts, strict=True
    ):
        with column:
            copyable(f"**{name}** · {what}" if what else f"**{name}**", address)
    st.subheader("Tokens")
    for column, (symbol, address) in zip(
        _columns(len(network.tokens)), network.tokens, strict=True
    ):
        with column:
            copyable(f"**{literal(symbol)}**", address)


def _figures() -> None:
    network = services.network()
    figures = st.columns(4)
    figures[0].metric("Network", literal(network.name), border=True)
    figures[1].metric("Newest block", f"{network.height:,}", border=True)
    figures[2].metric("Read up to block", f"{network.indexed:,}", border=True)
    figures[3].metric("Chain time", network.time.partition(" ")[2], border=True)


def _columns(number: int) -> list[st.delta_generator.DeltaGenerator]:
    return [column for _ in range(-(-number // 2)) for column in st.columns(2)][:number]


show()
