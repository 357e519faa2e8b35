# SPDX-License-Identifier: Apache-2.0
"""What follows from all of a sample together: repeated rows, figures with intervals, false claims.

Intervals are made from segments, not from rows: rows that stand together are alike, and sorted data
would look far surer than it is.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from truthmark.codec.files_table import BYTES, TABLE, Entry
from truthmark.market.preview.draw import Pick
from truthmark.market.preview.facts import MAX_CLASSES, SegmentFacts, TableFacts
from truthmark.market.preview.strata import Strata

DOUBT: Final = 0.001
"""Chance that a true claim lies outside of its interval."""
_QUANTILE: Final = 3.290526731491926
"""Of the normal distribution, for both sides of `DOUBT`."""
_MAX_TEXT: Final = 100
_MAX_CLAIMS: Final = 500
"""Of a card that are held against the sample; it may have a megabyte of them."""


@dataclass(frozen=True, slots=True)
class Share:
    """The share of rows that have something, with its interval.

    Attributes:
        estimate: Of all rows.
        low: Least that the sample leaves possible.
        high: Most.
    """

    estimate: float
    low: float
    high: float

    def allows(self, claim: float) -> bool:
        """Whether a claim lies within."""
        return self.low - 1e-9 <= claim <= self.high + 1e-9


@dataclass(frozen=True, slots=True)
class Equal:
    """Rows that stand in a sample more than once.

    Attributes:
        rows: How many were compared.
        pairs: How many pairs of them are equal.
    """

    rows: int
    pairs: int

    @property
    def different(self) -> float | None:
        """About how many different rows the data would have; None where no two were equal."""
        return self.rows * (self.rows - 1) / 2 / self.pairs if self.pairs else None


def equal_rows(facts: Mapping[str, TableFacts]) -> Equal:
    """Count equal rows among those of which marks were kept."""
    counts: Counter[bytes] = Counter()
    for table in facts.values():
        for segment in table.segments.values():
            counts.update(segment.marks)
    return Equal(counts.total(), sum(n * (n - 1) // 2 for n in counts.values()))


def share_of(hits: Sequence[int], rows: Sequence[int], chances: Sequence[float]) -> Share:
    """Estimate a share of rows from draws.

    Args:
        hits: of each draw, rows of its segment that have it.
        rows: of each draw, rows of its segment.
        chances: of each draw, how likely it was to fall on that segment.
    """
    count = len(hits)
    weights = [1 / chance for chance in chances]
    total = sum(w * r for w, r in zip(weights, rows, strict=True))
    estimate = sum(w * h for w, h in zip(weights, hits, strict=True)) / total
    residuals = [w * (h - estimate * r) for w, h, r in zip(weights, hits, rows, strict=True)]
    spread = math.sqrt(sum(e * e for e in residuals) * count / max(count - 1, 1)) / total
    reach = _student(count - 1) * spread
    # What no draw met may be so much of the whole, and all of it otherwise.
    unseen = 1 - (DOUBT / 2) ** (1 / count)
    low = min(estimate - reach, estimate * (1 - unseen))
    high = max(estimate + reach, estimate + unseen * (1 - estimate))
    return Share(estimate, max(0.0, low), min(1.0, high))


def _student(freedom: int) -> float:
    """Return Student's quantile for `DOUBT`, by its expansion around the normal one."""
    z, v = _QUANTILE, max(freedom, 3)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


class Draws:
    """The draws that fell on one table, for estimates.

    Args:
        strata: What was drawn from.
        picks: All draws.
        facts: Of the table's segments.
    """

    def __init__(self, strata: Strata, picks: Sequence[Pick], facts: TableFacts) -> None:
        """Keep those of the table."""
        self._drawn: list[tuple[SegmentFacts, float]] = []
        for pick in picks:
            found = facts.segments.get(pick.segment)
            if found is None:
                continue
            stratum = strata.drawn[pick.stratum]
            chance = 0.5 * found.segment.shards / stratum.shard_count
            chance += 0.5 * found.segment.rows / stratum.rows
            self._drawn.append((found, chance))

    def nulls(self, column: str) -> Share | None:
        """Estimate the share of missing values; None where the column is not in all segments."""
        return self._share(column, lambda facts: facts.nulls)

    def class_share(self, column: str, value: str) -> Share | None:
        """Estimate the share of rows that have a value; None where there are too many values."""
        if any(f.columns[column].counts is None for f, _ in self._drawn if column in f.columns):
            return None
        return self._share(column, lambda facts: (facts.counts or {}).get(value, 0))

    def span(self, column: str) -> tuple[Any, Any] | None:
        """Return the least and the largest value in the sample."""
        found = [f.columns[column] for f, _ in self._drawn if column in f.columns]
        lows = [facts.low for facts in found if facts.low is not None]
        highs = [facts.high for facts in found if facts.high is not None]
        return (min(lows), max(highs)) if lows and highs else None

    def _share(self, column: str, hits: Any) -> Share | None:
        if not self._drawn or any(column not in facts.columns for facts, _ in self._drawn):
            return None
        return share_of(
            [hits(facts.columns[column]) for facts, _ in self._drawn],
            [facts.rows for facts, _ in self._drawn],
            [chance for _, chance in self._drawn],
        )


def false_counts(card: Mapping[str, Any], entries: Sequence[Entry]) -> list[str]:
    """Return what the card counts otherwise than segment 0, a line each."""
    counts = card.get("counts")
    if not isinstance(counts, list):
        return []
    by_split: dict[str, Counter[str]] = {}
    for entry in entries:
        true = by_split.setdefault(entry.split or "", Counter())
        true.update(
            {"files": 1, "bytes": entry.length}
            if entry.kind == BYTES
            else {"tables": 1, "rows": entry.length}
        )
    found = []
    for claim in counts[:_MAX_CLAIMS]:
        split = claim.get("split") or "" if isinstance(claim, Mapping) else None
        if not isinstance(split, str):
            continue
        found += [
            f"the card says {_short(claim[name])} {name} in split {_short(split)}, there are "
            f"{number:,}"
            for name in ("files", "bytes", "tables", "rows")
            if name in claim and claim[name] != (number := by_split.get(split, Counter())[name])
        ]
    return found


def false_columns(
    card: Mapping[str, Any], entries: Sequence[Entry], columns: Mapping[str, Sequence[str]]
) -> list[str]:
    """Return tables whose columns the card calls otherwise than segment 0, a line each.

    Args:
        card: of the version.
        entries: segment 0.
        columns: names by path, of tables that were opened.
    """
    claims = card.get("tables")
    if not isinstance(claims, list):
        return []
    paths = [entry.path for entry in entries if entry.kind == TABLE]
    if len(claims) != len(paths):
        return [f"the card names {len(claims)} tables, there are {len(paths)}"]
    return [
        f"the card names the columns of {_short(path)} otherwise than its schema"
        for path, claim in zip(paths, map(_names, claims), strict=True)
        if claim is not None and path in columns and claim != list(columns[path])
    ]


def false_figures(card: Mapping[str, Any], draws: Mapping[str, Draws]) -> list[str]:
    """Return figures of the card that the sample contradicts, a line each.

    Args:
        card: of the version; its `extra.figures` has, by path and column, `nulls` (a share),
            `min`, `max`, and `classes` (shares by value).
        draws: by path of the table.
    """
    extra = card.get("extra")
    figures = extra.get("figures") if isinstance(extra, Mapping) else None
    if not isinstance(figures, Mapping):
        return []
    claims = [
        (path, column, claim)
        for path, columns in figures.items()
        if path in draws and isinstance(columns, Mapping)
        for column, claim in columns.items()
        if isinstance(claim, Mapping)
    ]
    found: list[str] = []
    for path, column, claim in claims[:_MAX_CLAIMS]:
        found += _false_of_column(path, column, claim, draws[path])
    return found


def _false_of_column(path: str, column: str, claims: Mapping[str, Any], draws: Draws) -> list[str]:
    found = []
    name = f"{_short(path)}, {_short(column)}"
    shares = [("nulls", claims.get("nulls"), draws.nulls(column))]
    classes = claims.get("classes")
    if isinstance(classes, Mapping):
        shares += [
            (f"share of {_short(value)}", claim, draws.class_share(column, value))
            for value, claim in list(classes.items())[:MAX_CLASSES]
        ]
    for what, claim, share in shares:
        if share is not None and _is_number(claim) and not share.allows(float(claim)):
            found.append(
                f"{name}: the card says {claim:.3g} for {what}, "
                f"the sample {share.low:.3g} to {share.high:.3g}"
            )
    span = draws.span(column)
    if span is not None:
        if _is_number(claims.get("min")) and span[0] < claims["min"]:
            found.append(f"{name}: the card says at least {claims['min']}, a row has {span[0]}")
        if _is_number(claims.get("max")) and span[1] > claims["max"]:
            found.append(f"{name}: the card says at most {claims['max']}, a row has {span[1]}")
    return found


def _short(value: object) -> str:
    """Return a claim as text: a card may have a megabyte of one."""
    text = repr(value)
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"


def _names(claim: object) -> list[Any] | None:
    columns = claim.get("columns") if isinstance(claim, Mapping) else None
    if not isinstance(columns, list):
        return None
    return [column.get("name") for column in columns if isinstance(column, Mapping)]


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
