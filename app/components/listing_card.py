# SPDX-License-Identifier: Apache-2.0
"""A listing as a card of the market."""

from typing import Literal

import streamlit as st

from app.components.text import count, in_badge, literal
from app.views import Listing


def listing_card(listing: Listing, dataset_page: str) -> None:
    """Draw a card that leads to the data set's page."""
    with st.container(border=True, height="stretch", gap="small"):
        with st.container(height="stretch", gap="xsmall"):
            st.markdown(f"##### {literal(listing.title)}")
            if listing.summary:
                st.caption(literal(listing.summary))
        with st.container(horizontal=True, gap="xsmall"):
            st.badge(in_badge(listing.licence), icon=":material/gavel:", color="gray")
            st.badge(listing.custody, icon=_custody_icon(listing), color=_custody_color(listing))
            if listing.sampled:
                good = listing.sampled == "sampled"
                st.badge(
                    listing.sampled, icon=":material/casino:", color="green" if good else "gray"
                )
            if listing.bond:
                st.badge(f"{literal(listing.bond)} bond", icon=":material/shield:", color="blue")
        st.caption(" · ".join(_holds(listing)))
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            st.markdown(f"#### {literal(listing.price)}", width="content")
            st.page_link(
                dataset_page,
                label="View",
                icon=":material/arrow_forward:",
                icon_position="right",
                query_params={"dataset": listing.ref},
            )


def _custody_icon(listing: Listing) -> str:
    if not listing.is_kept:
        return ":material/block:"
    return ":material/person:" if listing.is_direct else ":material/group:"


def _custody_color(listing: Listing) -> Literal["orange", "gray", "green"]:
    if not listing.is_kept:
        return "orange"
    return "gray" if listing.is_direct else "green"


def _holds(listing: Listing) -> list[str]:
    parts = [f"no. {listing.ref}"]
    if listing.rows:
        parts.append(count(listing.rows, "row"))
    if listing.files:
        parts.append(count(listing.files, "file"))
    return [*parts, listing.size]
