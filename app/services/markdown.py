# SPDX-License-Identifier: Apache-2.0
"""Markdown that others wrote, as plain text: readable, and with nothing that a page acts on.

Sellers' descriptions are often README files. They are shown as text, so that no one has to trust
what a seller wrote; only the marks that would be in the way are taken out.
"""

from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token


def plain(text: str) -> str:
    r"""Return what Markdown says, without its marks; links and pictures with their addresses.

    >>> plain("# Reviews\n\n* **10,000** of [films](films.md)")
    'Reviews\n\n- 10,000 of films (films.md)'
    """
    lines = list(_lines(_parser().parse(text)))
    return "\n".join(lines).strip("\n")


@cache
def _parser() -> MarkdownIt:
    # HTML has no meaning: it is text that somebody wrote.
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _lines(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield lines: blocks of text with an empty line between them, items and rows without."""
    marks: list[str] = []  # what stands before a block, for each list that it is in
    numbers: list[int | None] = []
    row: list[str] = []
    is_tight = is_cell = False
    for token in tokens:
        kind = token.type
        if kind in ("bullet_list_open", "ordered_list_open"):
            numbers.append(int(token.attrGet("start") or 1) if kind[0] == "o" else None)
        elif kind in ("bullet_list_close", "ordered_list_close"):
            numbers.pop()
            if not numbers:
                yield ""
        elif kind == "list_item_open":
            number = numbers[-1]
            marks.append("- " if number is None else f"{number}. ")
            if number is not None:
                numbers[-1] = number + 1
        elif kind == "list_item_close":
            marks.pop()
        elif kind == "paragraph_open":
            is_tight = token.hidden
        elif kind in ("fence", "code_block"):
            yield from (_indent(marks) + line for line in token.content.rstrip("\n").split("\n"))
            yield ""
        elif kind == "tr_close":
            yield " | ".join(row)
            row = []
        elif kind == "table_close":
            yield ""
        elif kind in ("th_open", "td_open"):
            is_cell = True
        elif kind == "inline" and is_cell:
            is_cell = False
            row.append(_inline(token.children or []))
        elif kind == "inline":
            first, *rest = _inline(token.children or []).split("\n")
            yield _indent(marks[:-1]) + (marks[-1] if marks else "") + first
            yield from (_indent(marks) + line for line in rest)
            if marks:
                marks[-1] = " " * len(marks[-1])  # what follows in the item is below its text
            if not (marks and is_tight):
                yield ""


def _indent(marks: Sequence[str]) -> str:
    return " " * sum(map(len, marks))


def _inline(tokens: Sequence[Token]) -> str:
    said = ""
    links: list[tuple[str, int]] = []
    for token in tokens:
        if token.type in ("text", "code_inline", "html_inline"):
            said += token.content
        elif token.type in ("softbreak", "hardbreak"):
            said += "\n"
        elif token.type == "image":
            said += f"{token.content} ({token.attrGet('src')})"
        elif token.type == "link_open":
            links.append((str(token.attrGet("href")), len(said)))
        elif token.type == "link_close":
            address, begin = links.pop()
            said += "" if said[begin:] == address else f" ({address})"
    return said
