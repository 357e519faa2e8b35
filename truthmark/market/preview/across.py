# SPDX-License-Identifier: Apache-2.0
"""What follows from all of a sample together: repeated rows, and claims that are false."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from truthmark.codec.files_table import BYTES, TABLE, Entry
from truthmark.codec.shard_index import Segment
from truthmark.market.preview.distinct import DistinctCounter
from truthmark.market.preview.facts import MAX_CLASSES, TableFacts
from truthmark.market.preview.figures import Draws

if TYPE_CHECKING:
    import pyarrow as pa

    from truthmark.market.preview.sampling import Sample

_MAX_TEXT: Final = 100
_MAX_CLAIMS: Final = 500
"""Of a card that are held against the sample; it may have a megabyte of them."""


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


def draws_of(sample: "Sample") -> dict[str, Draws]:
    """Return the draws of each table that was opened, by its path."""
    entries, strata = sample.structure.entries, sample.strata.drawn
    new = {segment.number for stratum in strata for segment in stratum.segments}
    segments = {
        entries[position].path: [segment for segment in mine if segment.number in new]
        for position, mine in sample.structure.tables
    }
    return {
        path: Draws(
            strata, sample.picks, facts, _counter(sample.tables.get(path), facts, segments[path])
        )
        for path, facts in sample.facts.items()
    }


def _counter(
    table: "pa.Table | None", facts: TableFacts, drawn_from: Sequence[Segment]
) -> DistinctCounter | None:
    lengths = [facts.segments[number].rows for number in sorted(facts.segments)]
    if table is None or table.num_rows != sum(lengths):
        return None  # more than is kept
    return DistinctCounter(
        table, lengths, len(drawn_from), sum(segment.rows for segment in drawn_from)
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
            `min`, `max`, `distinct` (how many values) and `classes` (shares by value).
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
    nulls, shares = claims.get("nulls"), []
    if not _may_be_missing(nulls, draws, column):
        shares.append(("nulls", nulls, draws.nulls(column)))
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
    distinct, claim = draws.distinct(column), claims.get("distinct")
    if distinct is not None and _is_number(claim) and not distinct.allows(claim):
        found.append(
            f"{name}: the card says {claim:,} different values, "
            f"the sample {distinct.seen:,} to {distinct.high:,.0f}"
        )
    span = draws.span(column)
    if span is not None:
        if _is_number(claims.get("min")) and span[0] < claims["min"]:
            found.append(f"{name}: the card says at least {claims['min']}, a row has {span[0]}")
        if _is_number(claims.get("max")) and span[1] > claims["max"]:
            found.append(f"{name}: the card says at most {claims['max']}, a row has {span[1]}")
    return found


def _may_be_missing(claim: object, draws: Draws, column: str) -> bool:
    """Whether a share of nulls may be that of nulls and NaN, which pandas does not tell apart."""
    share = draws.missing(column)
    return share is not None and _is_number(claim) and share.allows(float(claim))


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
