# SPDX-License-Identifier: Apache-2.0
"""Times in the reader's own clock, and how often what a page says of time is told again."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

TICK_SECONDS: Final = 2.0
"""Where a deadline runs; the chain's time moves with its blocks."""


def clock(unix: int, now: int, zone: tzinfo | None = None) -> str:
    """Return a moment as a clock on the wall says it: `14:10`, `tomorrow 14:10`, `3 Dec 14:10`.

    Args:
        unix: The moment.
        now: Chain time.
        zone: Of the reader; their browser's if not given.
    """
    zone = zone or _zone()
    try:
        moment, today = (datetime.fromtimestamp(t, UTC).astimezone(zone) for t in (unix, now))
    except (OverflowError, ValueError, OSError):
        return "never"
    time = f"{moment:%H:%M}"
    if moment.date() == today.date():
        return time
    if moment.date() == today.date() + timedelta(days=1):
        return f"tomorrow {time}"
    year = f" {moment.year}" if moment.year != today.year else ""
    return f"{moment.day} {moment:%b}{year} {time}"


def _zone() -> tzinfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
