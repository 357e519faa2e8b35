# SPDX-License-Identifier: Apache-2.0
"""Which bounty a page's address names."""

import streamlit as st

from app.components.head import page_head


def chosen_bounty(title: str) -> int | None:
    """Return the number in the address; where there is none, draw how to choose one.

    Args:
        title: Of the page that is drawn then.
    """
    named = st.query_params.get("bounty", "")[:18]
    if named.isascii() and named.isdecimal():
        return int(named)
    page_head(title)
    st.info("Choose a bounty on the page of bounties.", icon=":material/label:")
    st.page_link("app_pages/bounties.py", label="Bounties", icon=":material/label:")
    return None
