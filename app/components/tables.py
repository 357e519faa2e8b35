# SPDX-License-Identifier: Apache-2.0
"""Tables, figures and addresses."""

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from app.components.text import count, literal
from app.views import Count, Drawn, Table


def columns_of(tables: Iterable[Table]) -> None:
    """Draw names and types of the columns of tables."""
    for table in tables:
        if table.columns:
            _name(table)
            frame = pd.DataFrame(table.columns, columns=["column", "type"])
            st.dataframe(frame, hide_index=True, height="content" if len(frame) < 12 else 400)


def examples_of(tables: Iterable[Table]) -> None:
    """Draw the first rows of tables."""
    for table in tables:
        if table.example_rows:
            _name(table)
            st.dataframe(pd.DataFrame(list(table.example_rows)), hide_index=True)
        elif table.note:
            _name(table)
            st.caption(literal(table.note))


def figures_of(sample: Drawn) -> None:
    """Draw what a sample says of the columns of its tables."""
    if not sample.figures:
        return
    with st.expander("What the sample says of the columns", icon=":material/bar_chart:"):
        for name, rows in sample.figures:
            _name(Table(name))
            frame = pd.DataFrame(list(rows), columns=list(sample.figures_head))
            st.dataframe(frame, hide_index=True, height="content" if len(frame) < 12 else 400)
        st.caption(
            "Of all rows, with 99.9 % certainty: about so much, and in brackets the least and the "
            "most that the parts which chance picked leave possible. Computed on this computer."
        )


def _name(table: Table) -> None:
    parts = [f"**{literal(table.name)}**"] if table.name else []
    parts += [] if table.rows is None else [count(table.rows, "row")]
    if parts:
        st.caption(" · ".join(parts))


def counts(found: Iterable[Count]) -> None:
    """Draw what each split holds."""
    for entry in found:
        parts = [
            count(number, noun)
            for number, noun in (
                (entry.rows, "row"),
                (entry.tables, "table"),
                (entry.files, "file"),
            )
            if number
        ]
        name = f"**{literal(entry.split)}** · " if entry.split else ""
        st.markdown(name + (" · ".join(parts) or "nothing"))


def copyable(label: str, value: str) -> None:
    """Draw a value that people take elsewhere, with a button that copies it."""
    st.caption(label)
    st.code(value, language=None, wrap_lines=True)
