# SPDX-License-Identifier: Apache-2.0
"""When a requester's computer must be on."""

import streamlit as st

from app.components.text import literal


def on_note(text: str) -> None:
    """Draw when this computer must be on."""
    if text:
        st.info(literal(f"{text[:1].upper()}{text[1:]}."), icon=":material/schedule:")
