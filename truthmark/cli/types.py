# SPDX-License-Identifier: Apache-2.0
"""Types of arguments: durations and shares of them."""

import re
from typing import Any

import click

_DURATION = re.compile(r"([0-9]{1,12})\s*(s|min|m|h|d|)")
_SECONDS = {"s": 1, "": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_MAX = 100 * 365 * 86_400


class Duration(click.ParamType):
    """Seconds, written as `90d`, `12h`, `30min`, `20s` or `3600`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds."""
        if isinstance(value, int):
            return value
        match = _DURATION.fullmatch(str(value).strip().lower())
        if not match:
            self.fail(f"{value!r} is no duration; write 90d, 12h, 30min or 3600", param, ctx)
        seconds = int(match[1]) * _SECONDS[match[2]]
        if not 0 < seconds <= _MAX:
            self.fail(f"{value!r} is out of range; write 1s to 36500d", param, ctx)
        return seconds


DURATION = Duration()
