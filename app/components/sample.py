# SPDX-License-Identifier: Apache-2.0
"""An item of a bounty, as `services` made it harmless."""

import streamlit as st

from app.views import Sample


def sample(item: Sample) -> None:
    """Draw an item."""
    if item.pair is not None:
        for column, part in zip(st.columns(2), item.pair, strict=True):
            with column:
                sample(part)
    elif item.picture is not None:
        st.image(item.picture)  # drawn by `services`, never what a stranger sent
    elif item.sound is not None:
        st.audio(item.sound, format=item.mime)
    else:
        st.text(item.text)
