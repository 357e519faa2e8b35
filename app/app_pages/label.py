# SPDX-License-Identifier: Apache-2.0
"""Labels a bounty inside the app."""

import streamlit as st

from app.components.chosen import chosen_bounty
from app.components.label_page import label_page


def show() -> None:
    """Draw the bounty that the address names."""
    number = chosen_bounty("Label")
    if number is None:
        return
    label_page(number)
    st.link_button("On a page of its own, also without a network", f"/label/{number}")


show()
