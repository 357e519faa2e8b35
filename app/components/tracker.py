# SPDX-License-Identifier: Apache-2.0
"""The steps of a purchase, in a row."""

from collections.abc import Sequence
from typing import Final, Literal

import streamlit as st

from app.views import Mark, Step

_LOOK: Final[dict[Mark, tuple[str, Literal["green", "blue", "gray", "red"]]]] = {
    Mark.DONE: (":material/check_circle:", "green"),
    Mark.NOW: (":material/pending:", "blue"),
    Mark.TODO: (":material/radio_button_unchecked:", "gray"),
    Mark.FAILED: (":material/error:", "red"),
}


def tracker(steps: Sequence[Step]) -> None:
    """Draw the steps; what each mark means is also said by its icon."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        for number, step in enumerate(steps):
            if number:
                st.markdown(":gray[:material/chevron_right:]", width="content")
            icon, colour = _LOOK[step.mark]
            st.badge(step.label, icon=icon, color=colour)
