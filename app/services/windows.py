# SPDX-License-Identifier: Apache-2.0
"""When a requester's computer must be on, in words and in this machine's own time of day."""

from datetime import datetime

from truthmark.bounty.terms import Terms


def must_be_on(terms: Terms, mark: int, now: int, *, is_latest: bool = False) -> str:
    """Return when a computer must be on, for labeling that begins at `mark`.

    Args:
        terms: Of the bounty.
        mark: Chain time.
        now: Chain time.
        is_latest: Whether labeling may begin before that.
    """
    times = terms.deadlines(mark)
    sooner = " (sooner, if all join before)" if is_latest else ""
    return (
        f"this computer must be on at some time between {clock(times.post, now)} and"
        f" {clock(times.score, now)}{sooner}, or everybody is paid in full without a score"
    )


def clock(unix: int, now: int) -> str:
    """Return a moment as people say it: `14:40`, `tomorrow 14:40`, `3 Dec 14:40`."""
    then, today = (datetime.fromtimestamp(moment).astimezone() for moment in (unix, now))
    hour = f"{then:%H:%M}"
    days = (then.date() - today.date()).days
    if days == 0:
        return hour
    names = {1: "tomorrow", -1: "yesterday"}
    return f"{names.get(days) or f'{then.day} {then:%b}'} {hour}"
