# SPDX-License-Identifier: Apache-2.0
"""What is for sale."""

from decimal import Decimal

import streamlit as st

from app import services
from app.components.head import page_head
from app.components.listing_card import listing_card
from app.components.live import live
from app.components.pager import filtering, page_of, pager
from app.components.text import count
from app.views import Found

COLUMNS = 3
ANY = "any"
CHEAPEST = "Lowest price"


def show() -> None:
    """Draw the search, the filters and a page of cards."""
    page_head("Market")
    st.markdown(
        "Every byte is checked before you pay, the key is checked when it is delivered, "
        "and if it does not come you get your money back."
    )
    is_reading = st.session_state.get("market_pending", 0) > 0
    live(_results, every=1.0 if is_reading else None)(is_reading)


def _results(is_reading: bool) -> None:
    text = st.text_input(
        "Search",
        key="market_text",
        placeholder="Search titles and descriptions",
        icon=":material/search:",
        label_visibility="collapsed",
        max_chars=200,
        **filtering("market"),
    )
    chosen = st.session_state.get
    token, licence, limit = (chosen(f"market_{n}") for n in ("token", "licence", "max"))
    found = services.search(
        text,
        token=token if token != ANY else None,
        max_price=Decimal(str(limit)) if limit is not None else None,
        seller=chosen("market_seller", ""),
        licence=licence if licence != ANY else None,
        cheapest_first=chosen("market_order") == CHEAPEST,
        page=page_of("market"),
    )
    # On a narrow screen the style sheet hides the filters until this is on; else it hides this.
    st.toggle("Filters", key="market_fold", persist_state="page")
    with st.container(key="market_filters"):
        _filters(found.licences)
    _summary(found, is_filtered=_is_filtered())
    for start in range(0, len(found.listings), COLUMNS):
        row = found.listings[start : start + COLUMNS]
        for column, listing in zip(st.columns(COLUMNS), row, strict=False):
            with column:
                listing_card(listing, "app_pages/dataset.py")
    pager("market", found.page, found.pages)
    st.session_state.market_pending = found.pending
    if (found.pending > 0) != is_reading:
        st.rerun()


def _is_filtered() -> bool:
    chosen = st.session_state.get
    named = [chosen(f"market_{name}", ANY) for name in ("token", "licence")]
    return any(name not in (ANY, None) for name in named) or bool(chosen("market_seller"))


def _summary(found: Found, *, is_filtered: bool) -> None:
    fitting = " that fits the filters" if is_filtered and found.total == 1 else ""
    fitting = " that fit the filters" if is_filtered and found.total != 1 else fitting
    st.caption(f"{count(found.total, 'data set')} for sale{fitting}")
    if found.pending:
        st.caption(f":material/hourglass: {count(found.pending, 'description')} still being read")
    if found.hidden:
        st.caption(
            f"{count(found.hidden, 'listing')} not shown: what the seller wrote cannot be read now."
        )
    if not found.total and not found.pending:
        st.info("Nothing for sale here matches.", icon=":material/search_off:")


def _filters(licences: tuple[str, ...]) -> None:
    tokens = services.tokens()
    token, price, seller, licence, order = st.columns([1, 1, 2, 1.5, 1.2])
    chosen = token.selectbox("Token", [ANY, *tokens], key="market_token", **filtering("market"))
    price.number_input(
        "At most",
        min_value=0.0,
        value=None,
        key="market_max",
        placeholder="any",
        disabled=chosen == ANY,
        **filtering("market"),
    )
    seller.text_input(
        "Seller",
        key="market_seller",
        placeholder="0x… address, or how it begins",
        max_chars=42,
        **filtering("market"),
    )
    held = st.session_state.get("market_licence")
    known = [ANY, *licences, *([held] if held not in (None, ANY, *licences) else [])]
    licence.selectbox("Licence", known, key="market_licence", **filtering("market"))
    order.selectbox(
        "Order",
        ["Newest", CHEAPEST],
        key="market_order",
        disabled=chosen == ANY,
        help="To sort by price, choose a token: prices in different tokens cannot be compared.",
        **filtering("market"),
    )


show()
