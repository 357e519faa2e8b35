# SPDX-License-Identifier: Apache-2.0
"""Items small, in a row, to see what was read."""

from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st

from app import services
from app.ask_views import ItemView
from app.components.sample import sample
from app.components.text import literal

_WIDTH: Final = 126
_LONGEST: Final = 24


def item_row(numbers: Sequence[int], load: Callable[[int], ItemView]) -> None:
    """Draw some items small, beside each other where there is room."""
    with st.container(horizontal=True, gap="small"):
        for number in numbers:
            with st.container(border=True, width=_WIDTH + 34, gap="xsmall"):
                try:
                    found = load(number)
                except services.TruthmarkError as error:
                    st.caption(literal(services.said_of(error)))
                    continue
                sample(found.sample, _WIDTH)
                name = found.name
                short = name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"
                st.caption(literal(short))
