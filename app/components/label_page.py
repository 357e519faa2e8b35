# SPDX-License-Identifier: Apache-2.0
"""The label page inside the app: the very module of the page at /label/{bounty}.

What is answered goes from the browser to its own storage and to the relay; this server sees no
answer and no key.
"""

import streamlit as st

from app import services
from app.ask_views import Preview

_LABEL = st.components.v2.component(
    "truthmark_label",
    html='<div class="tm-place"></div>',
    css=services.web_source("label.css"),
    js=services.web_source("label.js"),
)


def label_page(number: int) -> None:
    """Draw the page of a bounty."""
    _LABEL(key=f"label_{number}", data={"bounty": number})


def label_preview(preview: Preview, key: str) -> None:
    """Draw the page as it would be, on some items; nothing is kept or sent."""
    _LABEL(
        key=key,
        data={
            "preview": {
                "title": preview.title,
                "guidelines": preview.guidelines,
                "classes": [{"name": name, "key": sign} for name, sign in preview.classes],
                "kind": preview.kind,
                "items": list(preview.items),
            }
        },
    )
