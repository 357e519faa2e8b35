# SPDX-License-Identifier: Apache-2.0
"""What a bounty costs, takes and pays: a table, a chart of chances, and what to mind."""

import pandas as pd
import streamlit as st

from app.ask_views import Cost
from app.components.on_note import on_note
from app.components.text import literal


def cost_table(cost: Cost) -> None:
    """Draw all of it."""
    st.metric("To pay in", cost.total, help="The most it can cost. What is not used comes back.")
    st.table(
        pd.DataFrame(
            [(literal(name), literal(value)) for name, value in cost.facts if name != "to pay in"],
            columns=["", "what it comes to"],
        ).set_index("")
    )
    if cost.chances:
        st.markdown("**What labelers get of the full price**")
        st.dataframe(
            pd.DataFrame(
                [
                    (one.who, *(round(100 * part) for part in (one.mean, one.low, one.high)))
                    for one in cost.chances
                ],
                columns=["who", "on average", "low", "high"],
            ),
            hide_index=True,
            column_config={
                "on average": st.column_config.ProgressColumn(
                    "on average", format="%d %%", min_value=0, max_value=100
                ),
                "low": st.column_config.NumberColumn("one in ten gets less than", format="%d %%"),
                "high": st.column_config.NumberColumn("one in ten gets more than", format="%d %%"),
            },
        )
    if cost.known:
        st.caption(literal(cost.known))
    for line in cost.warnings:
        st.warning(literal(line[:1].upper() + line[1:]), icon=":material/warning:")
    on_note(cost.must_be_on)
