# SPDX-License-Identifier: Apache-2.0
"""What a look at a version's sample brings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from truthmark.market.preview.states import RULES, PreviewState, Rule

if TYPE_CHECKING:
    import pyarrow as pa

    from truthmark.market.preview.bounds import Bounds
    from truthmark.market.preview.figures import ColumnFigures


@dataclass(frozen=True, slots=True)
class Part:
    """One stratum: the byte stream, a table, or several tables that are too small by themselves.

    Attributes:
        name: Path of the table; "files", or "small tables".
        draws: How many fell on it; 0 where it is not sampled.
        segments: Of it; of the byte stream, its shards.
        opened: How many different ones were drawn.
        bytes_share: Its share of the container's bytes.
        rows_share: Its share of the rows; of files, where there are no tables.
        bounds: What the draws show of it; None where it is not sampled.
    """

    name: str
    draws: int
    segments: int
    opened: int
    bytes_share: float
    rows_share: float
    bounds: "Bounds | None" = None


@dataclass(frozen=True, slots=True)
class Preview:
    """How a version's sample stands, and what is in it.

    Texts, names and rows are the seller's: clean them where they are shown.

    Attributes:
        state: How it stands.
        why: What this computer found, in one line.
        ref: The version, such as `17@2`.
        draws: m, how many the card asks for; 0 where it asks for none.
        parts: All strata, those that are not sampled too.
        bounds: What all draws together show; None where nothing was drawn.
        segments: How many different segments (shards of files) were opened.
        rows: How many rows these have.
        tables: Rows of drawn segments by path of their table, the oldest first.
        files: Drawn files that are whole, by path.
        figures: Of the columns of drawn tables, by path and name: estimates with intervals.
        findings: What was noticed across the sample, a line each.
        contradictions: Claims of the card that the sample contradicts, a line each.
        unsampled: Share of bytes or rows, the larger, that no draw could have met.
        taken_over: Share of the bytes that older versions of the listing have shown.
        since: Unix time since which it waits; None where it does not.
    """

    state: PreviewState
    why: str
    ref: str = ""
    draws: int = 0
    parts: tuple[Part, ...] = ()
    bounds: "Bounds | None" = None
    segments: int = 0
    rows: int = 0
    tables: "Mapping[str, pa.Table]" = field(default_factory=dict, repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    figures: "Mapping[str, Mapping[str, ColumnFigures]]" = field(default_factory=dict, repr=False)
    findings: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    unsampled: float = 0.0
    taken_over: float = 0.0
    since: int | None = None

    @property
    def rule(self) -> Rule:
        """What buyers, custodians and the seller do in this state."""
        return RULES[self.state]

    @property
    def lines(self) -> list[str]:
        """What to show a person, the most important first."""
        bounds = [] if self.bounds is None else self.bounds.lines
        return [self.rule.meaning, self.why, *bounds, *self.contradictions, *self.findings]
