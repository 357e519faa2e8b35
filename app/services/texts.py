# SPDX-License-Identifier: Apache-2.0
"""Values of cards and tables that others wrote, made safe to show."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from app import views
from truthmark.config.units import about
from truthmark.market.cards import Card
from truthmark.market.records import BPS
from truthmark.session import Session
from truthmark.text import clean, format_time

PAGE_SIZE: Final = 12
MAX_TABLES: Final = 10
MAX_COLUMNS: Final = 200
_MAX_LINES: Final = 200


def said_of(error: BaseException) -> str:
    """Return an error's message in words of the app: of pages, not of a command's options."""
    return clean(getattr(error, "page", "") or error)


def title_of(card: Card) -> str:
    """Return what a seller calls it."""
    return clean(card.title, 200) or "Untitled"


def amount_of(session: Session, units: int, token: str) -> str:
    """Return an amount with its symbol; a token that the profile does not list says so."""
    return clean(session.profile.amount(units, token), 120)


def about_of(session: Session, units: int, token: str) -> str:
    """Return an amount that is only estimated, with its symbol."""
    return amount_of(session, about(units), token)


def percent_of(share_bps: int) -> str:
    """Return a share as per cent."""
    return f"{Decimal(share_bps) * 100 / BPS:f} %"


def day_of(unix: int) -> str:
    """Return the day of a Unix time."""
    return format_time(unix).partition(" ")[0]


def paragraphs_of(text: str) -> str:
    """Return the lines of a text, cleaned, a page of them at most."""
    return "\n".join(clean(line) for line in text.split("\n")[:_MAX_LINES])


def _dicts(value: object) -> list[dict[str, Any]]:
    return [e for e in value if isinstance(e, dict)] if isinstance(value, list) else []


def _number(value: object) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return int(value) if is_number else 0  # type: ignore[call-overload]


def counts_of(card: dict[str, Any]) -> tuple[views.Count, ...]:
    """Return what a card counts."""
    return tuple(
        views.Count(
            clean(entry.get("split") or "", 80),
            _number(entry.get("rows")),
            _number(entry.get("tables")),
            _number(entry.get("files")),
        )
        for entry in _dicts(card.get("counts"))[:MAX_TABLES]
    )


def tables_of(card: dict[str, Any]) -> tuple[views.Table, ...]:
    """Return the first rows that a card shows."""
    examples = card.get("examples")
    examples = examples if isinstance(examples, list) else []
    described = _dicts(card.get("tables"))[:MAX_TABLES]
    tables = []
    for i in range(min(max(len(described), len(examples)), MAX_TABLES)):
        entry = described[i] if i < len(described) else {}
        columns = tuple(
            (clean(c.get("name"), 120), clean(c.get("type"), 120))
            for c in _dicts(entry.get("columns"))[:MAX_COLUMNS]
        )
        order = [name for name, _ in columns]
        rows = rows_of(examples[i] if i < len(examples) else [], order)
        tables.append(views.Table(clean(entry.get("split") or "", 80), columns, example_rows=rows))
    return tuple(tables)


def rows_of(rows: object, order: Sequence[str] = ()) -> tuple[dict[str, Any], ...]:
    """Return rows of which every column holds either numbers or texts.

    Args:
        rows: What should be a list of objects.
        order: Names of columns that come first, in this order.
    """
    kept = [
        {clean(key, 120): value for key, value in list(row.items())[:MAX_COLUMNS]}
        for row in _dicts(rows)[:100]
    ]
    found = dict.fromkeys(name for row in kept for name in row)
    names = list(dict.fromkeys([*(name for name in order if name in found), *found]))
    numeric = {name for name in names if all(_is_number(row.get(name)) for row in kept)}
    return tuple(
        {name: row.get(name) if name in numeric else _text(row.get(name)) for name in names}
        for row in kept
    )


def _is_number(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 2**53
    return value is None or isinstance(value, float)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return clean(value, 200)
