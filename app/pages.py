# SPDX-License-Identifier: Apache-2.0
"""What the server in `streamlit_app.py` shows: what all pages share, and the chosen one."""

from pathlib import Path

import streamlit as st

from app import services
from app.components.live import trouble

HERE = Path(__file__).parent


def main() -> None:
    """Draw what all pages share, then the chosen one."""
    st.set_page_config(
        page_title="Truthmark",
        page_icon=str(HERE / "static" / "mark.svg"),
        layout="wide",
        menu_items={
            "About": "Sell data without having to trust anyone; what is in it no contract sees."
        },
    )
    st.html(HERE / "static" / "style.css")
    st.logo(str(HERE / "static" / "logo.svg"), size="large")
    page = st.navigation(
        [
            st.Page("app_pages/market.py", title="Market", icon=":material/storefront:"),
            st.Page("app_pages/dataset.py", title="Dataset", visibility="hidden"),
            st.Page("app_pages/my_data.py", title="My data", icon=":material/key:"),
            st.Page("app_pages/sell.py", title="Sell", icon=":material/sell:"),
            st.Page("app_pages/bounties.py", title="Bounties", icon=":material/label:"),
            st.Page("app_pages/bounty.py", title="Bounty", visibility="hidden"),
            st.Page("app_pages/label.py", title="Label", visibility="hidden"),
            st.Page("app_pages/earnings.py", title="Earnings", icon=":material/savings:"),
            st.Page("app_pages/new_bounty.py", title="New bounty", icon=":material/add_task:"),
            st.Page("app_pages/asked.py", title="Asked", icon=":material/fact_check:"),
            st.Page("app_pages/validators.py", title="Validators", icon=":material/shield:"),
            st.Page("app_pages/network.py", title="Network", icon=":material/hub:"),
        ],
        position="top",
    )
    try:
        page.run()
    except services.TruthmarkError as error:
        trouble(error)


main()
