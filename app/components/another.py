# SPDX-License-Identifier: Apache-2.0
"""The way to another of the things that one page shows, which its address names."""

from typing import Any

import streamlit as st


def another(label: str, name: str, value: str, *, key: str, **look: Any) -> None:
    """Draw what looks like a link from the page to itself.

    A link of Streamlit's to the page where it stands leaves the address as it was, so the next
    click would be answered for what was shown before.

    Args:
        label: What is shown.
        name: Of the entry in the address that says what the page shows.
        value: What it shows then; empty for none in particular.
        key: Of the button.
        **look: As `st.button` takes it.
    """
    st.button(label, key=key, type="tertiary", on_click=_name, args=(name, value), **look)


def _name(name: str, value: str) -> None:
    """Change the address before the page is drawn again."""
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)
