# SPDX-License-Identifier: Apache-2.0
"""Other people's texts in places that read Markdown.

Streamlit reads Markdown in headings, labels and badges. A backslash before each punctuation mark
takes its meaning, except where something looks at the text once more after that: addresses are
made links, `:name:` an icon, and `--` or `->` other signs. There an invisible word joiner breaks
the pattern.
"""

import re
import string
from typing import Final

_JOINER: Final = "\N{WORD JOINER}"
_PUNCTUATION: Final = re.compile(f"([{re.escape(string.punctuation)}])")
_CODE: Final = re.compile(r"`([^`\n]*[^`\s][^`\n]*)`")
_PATTERNS: Final = re.compile(r"([:@]|www|[<>~](?==)|<(?=-)|-(?=[->]))", re.IGNORECASE)


def literal(text: str) -> str:
    r"""Return Markdown that shows a text as it is.

    >>> literal("*a*")
    '\\*a\\*'
    """
    return _PUNCTUATION.sub(r"\\\1", _PATTERNS.sub(rf"\1{_JOINER}", text))


def in_badge(text: str) -> str:
    r"""Return Markdown that shows a text as it is in `st.badge`, which escapes brackets itself.

    >>> in_badge("[a]*")
    '[a]\\*'
    """
    return literal(text).replace("\\[", "[").replace("\\]", "]")


def prose(text: str) -> str:
    r"""Return Markdown that shows a text as it is, but what it has in backticks as code.

    Nothing has a meaning inside of code, so that it does not matter who wrote it.

    >>> prose("run `truthmark init` *now*")
    'run `truthmark init` \\*now\\*'
    """
    parts = _CODE.split(text)
    return "".join(f"`{part}`" if i % 2 else literal(part) for i, part in enumerate(parts))


def short_address(address: str) -> str:
    """Return the ends of an address, where the whole one stands nearby."""
    return f"{address[:6]}…{address[-4:]}"


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1,000 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
