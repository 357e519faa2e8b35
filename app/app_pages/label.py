# SPDX-License-Identifier: Apache-2.0
"""Labels a bounty inside the app: the very module of the page at /label/{bounty}.

What is answered goes from the browser to its own storage and to the relay; this server sees no
answer and no key.
"""

import streamlit as st

from app import services
from app.components.chosen import chosen_bounty

_LABEL = st.components.v2.component(
    "truthmark_label",
    html='<div class="tm-place"></div>',
    css=services.web_source("label.css"),
    js=services.web_source("label.js"),
)


def show() -> None:
    """Draw the bounty that the address names."""
    number = chosen_bounty("Label")
    if number is None:
        return
    _LABEL(key=f"label_{number}", data={"bounty": number})
    st.link_button("On a page of its own, also without a network", f"/label/{number}")


show()
