# SPDX-License-Identifier: Apache-2.0
"""Tables, figures and addresses."""

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from app.components.text import count, literal
from app.views import Count, Table


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
