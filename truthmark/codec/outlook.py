# SPDX-License-Identifier: Apache-2.0
"""What a sample will make public, as far as that can be known before chance has spoken."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from truthmark.codec.files_table import TABLE, Entry
from truthmark.codec.limits import BYTES_SEGMENT, MAX_SEGMENT_SHARDS
from truthmark.codec.sampling import (
    LEAST_SEGMENTS,
    SMALL_SEGMENTS,
    default_draws,
    draws_of_part,
)
from truthmark.codec.shard_index import Segment, ShardIndex

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]

JUDGED_SIZE: Final = 64 << 10
"""Of larger shards no contract can tell that they were not sealed rightly."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a sample will show, on average.

    Attributes:
        draws: m, as the card asks for.
        segments: how many can be drawn; what was taken over from a sampled version cannot.
        units: how many there are, with those.
        opened: how many of them are opened, where chance takes none twice too often.
        rows: of all tables that can be drawn from.
        open_rows: about how many of these become public.
        open_share: about which part of the bytes that can be drawn from becomes public.
        left_out: which part of the bytes is in tables, or files, too small to draw from.
        shard_size: bytes of a shard.
    """

    draws: int
    segments: int
    units: int
    opened: float
    rows: int
    open_rows: float
    open_share: float
    left_out: float
    shard_size: int

    @property
    def is_small(self) -> bool:
        """Whether there is too little to draw from for a sample to be worth much."""
        return self.units < SMALL_SEGMENTS

    @property
    def bound(self) -> float:
        """Which part of the data may be otherwise though all drawn is good, at 95 %."""
        return 1 - float(0.05 ** (2 / self.draws))

    def lines(self) -> list[str]:
        """Say it in sentences, which the seller reads before anything is written."""
        count = f"{self.segments:,} part" + ("s" if self.segments != 1 else "")
        said = ["names and structure: the path of each file, the columns and rows of each table"]
        share = f"about {_percent(self.open_share)} of the data"
        if self.rows:
            share = f"about {round(self.open_rows):,} of {self.rows:,} rows, {share}"
        if self.opened:
            said.append(
                f"a sample that chance draws once it is listed: {share} "
                f"({self.draws} draws from {count})"
            )
            said.append(
                "that shows buyers, before they pay, that at most "
                f"{_percent(self.bound)} of it is otherwise"
            )
        elif not self.is_small:
            said.append(
                f"no more rows for now: what is new ({count}) is too little to draw from, what was "
                "taken over could be drawn in the versions before"
            )
        if self.is_small and self.opened:
            said.append(
                f"this is little data: a sample of {count} gives away much of it, or shows little; "
                "packed blind, all stays private, and buyers rely on you, the bond and the "
                "guarantee"
            )
        elif self.is_small:
            said.append(
                f"this is too little data to draw from ({count}): buyers rely on you, the bond "
                "and the guarantee; packed blind, names and structure stay private too"
            )
        elif self.left_out >= 0.0005:
            said.append(f"never drawn, as its parts are too few: {_percent(self.left_out)} of it")
        if self.shard_size > JUDGED_SIZE:
            said.append(
                f"its parts of {self.shard_size >> 10} KiB are too large for a contract to judge"
            )
        return said


def foresee(
    index: ShardIndex,
    entries: Sequence[Entry],
    *,
    kept: Collection[int] = (),
    draws: int | None = None,
    shard_size: int,
) -> Outlook:
    """Return what a sample of a container will show.

    Args:
        index: of the container.
        entries: its files table.
        kept: shards that are not drawn, as they could be in an older version.
        draws: m; by default as many as the number of segments asks for.
        shard_size: of the container.
    """
    parts, small = _parts(index, entries, set(kept))
    segments = sum(len(part.shards) for part in parts + small)
    wanted = draws or default_draws(segments)
    run = index.segments.get(BYTES_SEGMENT)
    shards = sum(part.shards.sum() for part in parts)
    rows = sum(part.items.sum() for part in parts)
    opened = open_rows = open_shards = 0.0
    for part in parts:
        mine = draws_of_part(
            wanted,
            len(part.shards),
            (round(part.shards.sum()), round(shards)),
            (round(part.items.sum()), round(rows)),
        )
        chance = 1 - (1 - part.by_shard) ** -(-mine // 2) * (1 - part.by_item) ** (mine // 2)
        opened += chance.sum()
        open_shards += (chance * part.shards).sum()
        open_rows += (chance * part.items).sum() if part.is_table else 0
    left_out = sum(part.shards.sum() for part in small)
    return Outlook(
        draws=wanted,
        segments=segments,
        units=len(index.table_segments) + (run.shards if run is not None else 0),
        opened=float(opened),
        rows=round(sum(part.items.sum() for part in parts if part.is_table)),
        open_rows=float(open_rows),
        open_share=float(open_shards / max(shards, 1)),
        left_out=float(left_out / max(shards + left_out, 1)),
        shard_size=shard_size,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What is drawn from by itself: a table, some small ones together, or the byte stream.

    Attributes:
        shards: of each segment; in the stream each shard is one.
        items: rows of each segment; in the stream, files that begin there.
        by_shard: the chance that a draw by shard takes it.
        by_item: the chance that a draw by row, or by file, takes it.
    """

    shards: "Numbers"
    items: "Numbers"
    by_shard: "Numbers"
    by_item: "Numbers"
    is_table: bool


def _parts(
    index: ShardIndex, entries: Sequence[Entry], kept: set[int]
) -> tuple[list[_Part], list[_Part]]:
    """Return what is drawn from, and what is too small for that."""
    parts, pool = [], []
    stream = _stream(index, [entry for entry in entries if entry.kind != TABLE], kept)
    found = list(stream)
    runs = iter(index.table_segments)
    for entry in (entry for entry in entries if entry.kind == TABLE):
        mine, left = [], entry.length
        while left > 0:
            run = next(runs)
            left -= run.rows
            if not kept.issuperset(range(run.shard, run.shard + run.shards)):
                mine.append(run)
        if len(mine) >= LEAST_SEGMENTS:
            found.append(_of_segments(mine))
        else:
            pool += mine
    if pool:
        found.append(_of_segments(pool))
    small = [part for part in found if len(part.shards) < LEAST_SEGMENTS]
    parts = [part for part in found if len(part.shards) >= LEAST_SEGMENTS]
    return parts, small


def _of_segments(runs: Sequence[Segment]) -> _Part:
    import numpy as np

    shards = np.array([run.shards for run in runs], dtype=np.float64)
    rows = np.array([run.rows for run in runs], dtype=np.float64)
    return _Part(shards, rows, shards / shards.sum(), rows / rows.sum(), is_table=True)


def _stream(index: ShardIndex, files: Sequence[Entry], kept: set[int]) -> list[_Part]:
    import numpy as np

    run = index.segments.get(BYTES_SEGMENT)
    # It is one segment: drawn from whole, unless all of it was taken over.
    if run is None or kept.issuperset(range(run.shard, run.shard + run.shards)):
        return []
    payload = run.decoded_bytes // run.shards
    begins, held, opened = (np.zeros(run.shards + 1) for _ in range(3))
    # A shard is opened by draws of those from `low` to `high`: with a drawn shard come the files
    # that have a byte of it, of each so many shards at most.
    low, high = np.arange(run.shards), np.arange(run.shards)
    count = 0
    for file in (file for file in files if file.length):
        first, last = file.offset // payload, (file.offset + file.length - 1) // payload
        stop = min(last + 1, first + MAX_SEGMENT_SHARDS)
        count += 1
        begins[first] += 1
        held[first] += 1
        held[last + 1] -= 1
        opened[first] += 1
        opened[stop] -= 1
        np.minimum(low[first:stop], first, out=low[first:stop])
        np.maximum(high[first:stop], last, out=high[first:stop])
    if not count:
        return []
    chosen = np.cumsum(held)[:-1] > 0
    shards = np.ones(int(chosen.sum()))
    by_shard = (high - low + 1)[chosen] / len(shards)
    by_file = np.cumsum(opened)[:-1][chosen] / count
    return [_Part(shards, begins[:-1][chosen], by_shard, by_file, is_table=False)]


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
