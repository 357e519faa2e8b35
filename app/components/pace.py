# SPDX-License-Identifier: Apache-2.0
"""What bounties pay at the visitor's own pace: their browser knows it, and tells nobody."""

from collections.abc import Sequence

import streamlit as st

from app import services
from app.bounty_views import Judged

# Our own module, bundled and committed (tools/web.py); it writes what it is given as text alone.
_PACE = st.components.v2.component(
    "truthmark_pace",
    html='<div class="tm-pace"></div>',
    css=services.web_source("pace.css"),
    js=services.web_source("pace.js"),
)


def own_pace(offers: Sequence[tuple[int, str, Judged]], key: str) -> None:
    """Draw a line for each bounty in which the visitor has practiced on ten items at least.

    Args:
        offers: Number and title of each, and what its pay follows from.
        key: Unlike that of any other component.
    """
    _PACE(
        key=key,
        data={
            "offers": [
                {
                    "number": number,
                    "title": title,
                    "place": judged.place,
                    "terms": dict(judged.terms),
                    "tokens": [dict(token) for token in judged.tokens],
                }
                for number, title, judged in offers
            ]
        },
    )
