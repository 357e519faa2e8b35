# SPDX-License-Identifier: Apache-2.0
"""The label page at this server, beside the app: what links lead to."""

import streamlit as st

from app.services.reading import shared_session
from truthmark.web.hosting import PageHost, relays_of


def page_host() -> PageHost:
    """Return what serves the page; it holds no keys and sees no labels of visitors."""
    return PageHost(session=shared_session, relays=_relays)


@st.cache_data(ttl=30, max_entries=1_000, show_spinner=False)
def _relays(bounty_id: int) -> list[str]:
    return relays_of(shared_session(), bounty_id)
