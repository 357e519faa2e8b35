# SPDX-License-Identifier: Apache-2.0
"""A bounty as a card of the list, and its clock."""

from typing import Final, Literal

import streamlit as st

from app.bounty_views import Access, Bounty, Clock, Record
from app.components.clock import clock
from app.components.text import in_badge, literal

ACCESS: Final[dict[Access, tuple[str, str, Literal["green", "violet", "orange"]]]] = {
    Access.EVERYBODY: ("open to everybody", ":material/public:", "green"),
    Access.INVITED: ("by invitation", ":material/mail:", "violet"),
    Access.ADMITTED: ("for those whom a contract admits", ":material/badge:", "orange"),
}


def bounty_card(bounty: Bounty) -> None:
    """Draw a card that leads to the bounty's page."""
    with st.container(border=True, height="stretch", gap="small"):
        with st.container(height="stretch", gap="xsmall"):
            st.markdown(f"##### {literal(bounty.title)}")
            st.caption(
                f"{bounty.kind} · {literal(bounty.classes)}" if bounty.classes else bounty.kind
            )
        with st.container(horizontal=True, gap="xsmall"):
            text, icon, colour = ACCESS[bounty.access]
            st.badge(text, icon=icon, color=colour)
            for flag in bounty.flags:
                st.badge(in_badge(flag), icon=":material/warning:", color="red")
        st.caption(when(bounty.clock))
        requester_record(bounty.record)
        with st.container(gap="xsmall"):
            st.markdown(pay(bounty))
            st.caption(share(bounty))
        st.page_link(
            "app_pages/bounty.py",
            label="View",
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params={"bounty": str(bounty.number)},
        )


def pay(bounty: Bounty) -> str:
    """Return what an hour may bring, as a heading; or the price where nobody knows."""
    if bounty.hourly is None:
        return f"#### {literal(bounty.price)} a label"
    return f"#### about {literal(bounty.hourly)} an hour"


def share(bounty: Bounty) -> str:
    """Return how much of the price may be expected, and by whose word how long it takes."""
    if bounty.hourly is None:
        return f"{literal(bounty.spread)}; nobody measured how long one takes"
    pace = f"{bounty.seconds:.2g}\u00a0s an answer in the requester's trial"
    return f"{literal(bounty.price)} a label, {literal(bounty.spread)}; {pace}"


def when(at: Clock) -> str:
    """Return what goes on, as a clock on the wall says it."""
    icon, says = ":material/schedule:", literal(at.says[:1].upper() + at.says[1:])
    if at.until is None:
        return f"{icon} {says}"
    until = f"**{literal(clock(at.until, at.now))}**"
    if at.phase == "joining":
        more = f"{at.batches_left:,} more {'batch' if at.batches_left == 1 else 'batches'}"
        return f"{icon} Starts by {until}, or as soon as {more} of {at.batch} are taken"
    return f"{icon} {says}, until {until}"


def requester_record(record: Record) -> None:
    """Draw what a requester's earlier bounties say of them; the icon says it too."""
    icon, colour = ":material/horizontal_rule:", "gray"
    if record.is_good:
        icon, colour = ":material/thumb_up:", "green"
    if record.is_bad:
        icon, colour = ":material/warning:", "red"
    st.caption(f":{colour}[{icon}] The requester: {literal(record.text)}")
