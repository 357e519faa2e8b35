# SPDX-License-Identifier: Apache-2.0
"""Words for people: other people's text made harmless, times, durations, sizes, plurals."""

import unicodedata
from datetime import UTC, datetime

INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that a terminal or a page acts on, or shows as nothing."""


def one_line(text: str) -> str:
    """Return text on one line, without what could act on a terminal."""
    return clean(" ".join(text.split()))


def clean(text: object, limit: int = 2_000) -> str:
    """Return somebody else's text as a terminal may show it: no control characters, not too long.

    Direction marks and escape sequences could make a line read as what it is not.
    """
    shown = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in INVISIBLE else char
        for char in str(text)[: limit + 1].replace("\n", " ").replace("\t", " ")
    )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def format_duration(seconds: int) -> str:
    """Return seconds in the largest units that say them well, such as `2 h` or `1 d 12 h`."""
    parts = []
    left = abs(seconds)
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def format_time(unix: int, now: int | None = None) -> str:
    """Return a moment for people, with its distance from chain time if that is given."""
    try:
        text = datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "never"
    if now is None:
        return text
    away = format_duration(unix - now)
    return f"{text} (in {away})" if unix >= now else f"{text} ({away} ago)"


def format_size(count: int) -> str:
    """Return a number of bytes for people."""
    number, unit = float(count), "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if number < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{count} bytes" if unit == "bytes" else f"{number:.1f} {unit}"


def plural(count: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
