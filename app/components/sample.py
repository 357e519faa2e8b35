# SPDX-License-Identifier: Apache-2.0
"""An item of a bounty, as `services` made it harmless."""

import streamlit as st

from app.bounty_views import Sample


def sample(item: Sample, width: int | None = None) -> None:
    """Draw an item, a picture as wide as it is or so many pixels."""
    if item.pair is not None:
        for column, part in zip(st.columns(2), item.pair, strict=True):
            with column:
                sample(part, width)
    elif item.picture is not None:
        # Drawn by `services`, never what a stranger sent.
        st.image(item.picture, width=width or "content", output_format="PNG", alt="an item")
    elif item.sound is not None:
        st.audio(item.sound, format=item.mime)
    else:
        st.text(item.text)
