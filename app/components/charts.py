# SPDX-License-Identifier: Apache-2.0
"""Figures of labels as pictures; each says the same in numbers, too."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from app.components.text import literal

_CELL = 56
_MANY = 12  # classes, beyond which a cell has no room for its number


def confusion_chart(counts: Sequence[tuple[str, str, int]], against: str) -> None:
    """Draw what was answered for what, as shares of each row; the numbers stand in the cells."""
    frame = pd.DataFrame(counts, columns=["is", "answered", "labels"])
    totals = frame.groupby("is")["labels"].transform("sum")
    frame["share"] = (frame["labels"] / totals.where(totals > 0)).fillna(0.0)
    names = list(dict.fromkeys(frame["is"]))
    base = alt.Chart(frame).encode(
        x=alt.X("answered:N", sort=names, title="answered", axis=_axis(names)),
        y=alt.Y("is:N", sort=names, title=against, axis=alt.Axis(labelLimit=120)),
    )
    cells = base.mark_rect(stroke="gray", strokeWidth=0.3).encode(
        color=alt.Color(
            "share:Q",
            scale=alt.Scale(scheme="viridis", domain=[0, 1]),
            legend=alt.Legend(title="share", format=".0%", gradientLength=70),
        ),
        tooltip=["is", "answered", "labels", alt.Tooltip("share:Q", format=".1%")],
    )
    chart: alt.Chart | alt.LayerChart = cells
    if len(names) <= _MANY:
        chart = cells + base.mark_text(fontSize=14, fontWeight="bold").encode(
            text="labels:Q",
            color=alt.condition("datum.share > 0.6", alt.value("black"), alt.value("white")),
        )
    st.altair_chart(chart.properties(height=_CELL * len(names) + 90), width="stretch")
    st.caption(_said(frame))


def _axis(names: Sequence[str]) -> alt.Axis:
    is_short = len(names) <= 6 and max(map(len, names)) <= 12
    return alt.Axis(orient="top", labelAngle=0 if is_short else -45, labelLimit=120)


def _said(frame: pd.DataFrame) -> str:
    """Return in words which answers are taken for another most."""
    wrong = frame[(frame["is"] != frame["answered"]) & (frame["labels"] > 0)]
    if wrong.empty:
        return "No class was taken for another."
    worst = wrong.sort_values("labels", ascending=False).head(3).to_dict("records")
    said = "; ".join(f"{r['is']} for {r['answered']} ({r['labels']} ×)" for r in worst)
    return literal(f"Most often taken for another: {said}.")


def margin_chart(margins: Sequence[int], below: int) -> None:
    """Draw how surely items have their label: how many lead by how much.

    Args:
        margins: Of all items that have a label.
        below: Less is unsure; 0 where nothing says what is.
    """
    top = max([*margins, below, 1])
    if below:
        top = min(top, 4 * below)  # one that leads by very much would press the others together
    frame = pd.DataFrame({"margin": [min(value, top) for value in margins]})
    frame["is"] = ["unsure" if value < below else "clear" for value in margins]
    legend = alt.Legend(title=None, orient="top") if below else None
    chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X(
                "margin:Q",
                bin=alt.Bin(maxbins=24, extent=[0, top]),
                title="how far the label leads",
            ),
            y=alt.Y("count():Q", title="items", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color(
                "is:N",
                scale=alt.Scale(domain=["unsure", "clear"], range=["#d55e00", "#0072b2"]),
                legend=legend,
            ),
            tooltip=[alt.Tooltip("count():Q", title="items")],
        )
        .properties(height=270)
    )
    st.altair_chart(chart, width="stretch")
    if below:
        unsure = sum(value < below for value in margins)
        st.caption(f"{unsure} of {len(margins)} items lead by less than {below}.")
