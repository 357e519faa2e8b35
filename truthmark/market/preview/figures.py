# SPDX-License-Identifier: Apache-2.0
"""What a sample says of each column: estimates with intervals, which come from segments.

They are not made from rows: rows that stand together are alike, and sorted data would look far
surer than it is. Pure.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from truthmark.market.preview.distinct import DistinctCounter
from truthmark.market.preview.draw import Pick
from truthmark.market.preview.facts import MAX_CLASSES, SegmentFacts, TableFacts
from truthmark.market.preview.strata import Stratum

DOUBT: Final = 0.001
"""Chance that a true claim lies outside of its interval."""
MAX_COLUMNS: Final = 200
"""Of which there are figures, of all tables together."""
SHOWN_CLASSES: Final = 16
"""Most frequent values of a column of which the share is estimated."""
HEAD: Final = ("column", "missing", "different values", "in the sample", "most frequent")
"""What `ColumnFigures.cells` are."""
_SHORT_CLASSES: Final = 3


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

    def __str__(self) -> str:
        """As people read it, such as `33 % (20 to 47 %)`."""
        return f"{100 * self.estimate:.3g} % ({100 * self.low:.2g} to {100 * self.high:.2g} %)"


@dataclass(frozen=True, slots=True)
class Range:
    """The values of a column of numbers.

    Attributes:
        low: Least of the sample.
        high: Largest of the sample.
        outside: The largest share of all rows that may lie outside of these.
    """

    low: Any
    high: Any
    outside: float

    def __str__(self) -> str:
        """As people read it."""
        ends = (self.low, self.high)
        low, high = (f"{it:.6g}" if isinstance(it, float) else f"{it:,}" for it in ends)
        return f"{low} to {high}; outside at most {100 * self.outside:.2g} %"


@dataclass(frozen=True, slots=True)
class Distinct:
    """How many different values a column has.

    Attributes:
        seen: In the sample; there are no fewer.
        estimate: In all rows.
        high: Most that the sample leaves possible.
    """

    seen: int
    estimate: float
    high: float

    def allows(self, claim: float) -> bool:
        """Whether a claim lies within."""
        return self.seen <= claim <= self.high + 1e-9

    def __str__(self) -> str:
        """As people read it."""
        return f"about {self.estimate:,.0f} ({self.seen:,} to {self.high:,.0f})"


@dataclass(frozen=True, slots=True)
class ColumnFigures:
    """What the sample says of one column.

    Attributes:
        nulls: Share of the rows that have no value.
        distinct: How many different values there are; None where they cannot be counted.
        values: Of numbers, from which to which; None of others.
        classes: Of a column of few values the most frequent ones, each with its share of the rows.
    """

    nulls: Share
    distinct: Distinct | None = None
    values: Range | None = None
    classes: Mapping[str, Share] | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """All but the name in the order of `HEAD`, as people read it; values are the seller's."""
        frequent = list((self.classes or {}).items())[:_SHORT_CLASSES]
        return (
            str(self.nulls),
            "" if self.distinct is None else str(self.distinct),
            "" if self.values is None else str(self.values),
            ", ".join(f"{value} {share}" for value, share in frequent),
        )


class Draws:
    """The draws that fell on one table, for estimates.

    Args:
        strata: That were drawn from.
        picks: All draws.
        facts: Of the table's segments.
        counter: Counts its different values.
    """

    def __init__(
        self,
        strata: Sequence[Stratum],
        picks: Sequence[Pick],
        facts: TableFacts,
        counter: DistinctCounter | None = None,
    ) -> None:
        """Keep those of the table."""
        self._counter = counter
        self._drawn: list[tuple[SegmentFacts, float]] = []
        sizes = [(stratum.shard_count, stratum.rows) for stratum in strata]
        for pick in picks:
            found = facts.segments.get(pick.segment)
            if found is None:
                continue
            shards, rows = sizes[pick.stratum]
            chance = 0.5 * found.segment.shards / shards + 0.5 * found.segment.rows / rows
            self._drawn.append((found, chance))

    def nulls(self, column: str) -> Share | None:
        """Estimate the share of missing values; None where the column is not in all segments."""
        return self._share(column, lambda facts: facts.nulls)

    def missing(self, column: str) -> Share | None:
        """Estimate the same with NaN among them, as pandas' `isna` has it."""
        return self._share(column, lambda facts: facts.nulls + facts.nans)

    def class_share(self, column: str, value: str) -> Share | None:
        """Estimate the share of rows that have a value; None where there are too many values."""
        if any(f.columns[column].counts is None for f, _ in self._drawn if column in f.columns):
            return None
        return self._share(column, lambda facts: (facts.counts or {}).get(value, 0))

    def classes(self, column: str) -> dict[str, Share] | None:
        """Estimate the shares of the most frequent values; None where there are too many values."""
        found: Counter[str] = Counter()
        for facts, _ in self._drawn:
            if column not in facts.columns or facts.columns[column].counts is None:
                return None
            found.update(facts.columns[column].counts)
        if not 0 < len(found) <= MAX_CLASSES:
            return None
        # Of equal counts the first in order, that all see the same.
        values = sorted(found, key=lambda value: (-found[value], value))[:SHOWN_CLASSES]
        shares = {value: self.class_share(column, value) for value in values}
        return {value: share for value, share in shares.items() if share is not None}

    def span(self, column: str) -> tuple[Any, Any] | None:
        """Return the least and the largest value in the sample."""
        found = [f.columns[column] for f, _ in self._drawn if column in f.columns]
        lows = [facts.low for facts in found if facts.low is not None]
        highs = [facts.high for facts in found if facts.high is not None]
        return (min(lows), max(highs)) if lows and highs else None

    def distinct(self, column: str) -> Distinct | None:
        """Estimate how many different values there are; None where they cannot be counted."""
        met = None if self._counter is None else self._counter.count(column)
        if met is None or not self._drawn:
            return None
        reach = _student(met.segments - 1) * met.spread()
        most = met.seen + met.rows_left
        estimate = min(met.estimate(), most)
        high = max(estimate + reach, met.seen + unmet(len(self._drawn)) * met.rows)
        return Distinct(met.seen, estimate, min(high, most))

    def figures(self, column: str) -> ColumnFigures | None:
        """Return all that the sample says of a column; None where it is not in all segments."""
        nulls, span = self.nulls(column), self.span(column)
        if nulls is None:
            return None
        return ColumnFigures(
            nulls,
            self.distinct(column),
            None if span is None else Range(*span, unmet(len(self._drawn))),
            self.classes(column),
        )

    def _share(self, column: str, hits: Any) -> Share | None:
        if not self._drawn or any(column not in facts.columns for facts, _ in self._drawn):
            return None
        return share_of(
            [hits(facts.columns[column]) for facts, _ in self._drawn],
            [facts.rows for facts, _ in self._drawn],
            [chance for _, chance in self._drawn],
        )


def figures_of(
    draws: Mapping[str, Draws], columns: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, ColumnFigures]]:
    """Return what a sample says of each column.

    Args:
        draws: By path of the table.
        columns: Names by path.
    """
    left, found = MAX_COLUMNS, {}
    for path, mine in draws.items():
        names = list(dict.fromkeys(columns[path]))[:left]
        left -= len(names)
        figures = {name: mine.figures(name) for name in names}
        found[path] = {name: it for name, it in figures.items() if it is not None}
    return {path: figures for path, figures in found.items() if figures}


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
    unseen = unmet(count)
    low = min(estimate - reach, estimate * (1 - unseen))
    high = max(estimate + reach, estimate + unseen * (1 - estimate))
    return Share(estimate, max(0.0, low), min(1.0, high))


def unmet(draws: int) -> float:
    """Return the largest share of the rows that so many draws may all have missed.

    The exponent is 2/m as in `bounds`: rows that stand in few shards are met by one half only.
    """
    return float(1 - (DOUBT / 2) ** (2 / draws))


@cache
def _student(freedom: int) -> float:
    """Return Student's quantile for both sides of `DOUBT`, by Abramowitz and Stegun 26.7.3-4."""
    freedom = max(freedom, 3)
    low, high = 0.0, math.pi / 2  # the arc tangent of t / √freedom
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < 1 - DOUBT else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """Return how likely Student's t is at most √freedom · tan(angle) from 0."""
    sine, cosine, is_odd = math.sin(angle), math.cos(angle), freedom % 2
    term = cosine if is_odd else 1.0
    total = 0.0
    for n in range(1 + is_odd, freedom, 2):
        total += term
        term *= cosine * cosine * n / (n + 1)
    return (angle + sine * total) * 2 / math.pi if is_odd else sine * total
