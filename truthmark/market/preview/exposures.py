# SPDX-License-Identifier: Apache-2.0
"""Tries what others have opened: whether it is rotten, each computer finds by itself.

A key that fits no leaf is passed over, and a shard that is fine changes nothing, so nobody is
framed. Of what chance did not draw it is only said whether it opens and parses: its rows are never
kept nor returned, else data could be handed out this way.

Whatever keeps a unit from being tried, none may keep the others waiting: what is not served, or
takes this computer too long, says nothing of its seller, and comes after all others the next time.
"""

import time
from collections.abc import Collection, Iterator
from typing import Final

from truthmark.codec.limits import BYTES_SEGMENT, FIRST_TABLE_SEGMENT
from truthmark.errors import UnableError
from truthmark.market.preview.opening import EndError, Opening
from truthmark.market.preview.published import Published, in_turn
from truthmark.market.preview.remembered import Broken, Remembered
from truthmark.market.preview.states import PreviewState

MAX_UNITS: Final = 64
"""Segments (of the byte stream, shards) that are tried in one run."""
MAX_BYTES: Final = 64 << 20
"""Bytes that are fetched for that."""
MAX_SECONDS: Final = 300.0
"""After which no other one is begun."""


def try_exposed(
    opening: Opening,
    published: Published,
    readers: Collection[str],
    remembered: Remembered,
    *,
    is_right: Collection[int] = (),
    max_bytes: int = MAX_BYTES,
) -> Broken | None:
    """Try units that somebody has opened and that were not tried before, some a run.

    Args:
        opening: With all published keys.
        published: Who published which.
        readers: Addresses, in lower case, of those who have bought the version.
        remembered: What was tried before, and what is found now.
        is_right: Shards of units that were found right in the same look.
        max_bytes: That are fetched.

    Returns:
        What is rotten, also if it was found before; None where nothing is known to be.
    """
    manifest = opening.manifest.digest
    if (known := remembered.broken(manifest)) is not None:
        return known
    tried = _Tried(opening)
    done = {unit for unit, mark in remembered.tried(manifest).items() if mark >= tried.mark(unit)}
    done |= {tried.unit_of(shard) for shard in is_right}
    notes: list[tuple[int, int]] = []
    late = remembered.late(manifest)
    left, size, count = max_bytes, opening.manifest.shard_size, 0
    until = time.monotonic() + MAX_SECONDS
    try:
        for unit in _in_turn(published, readers, tried, done, late):
            cost = len(tried.open_shards(unit)) * size
            if cost > left:
                continue  # for another look; smaller ones may fit
            if count == MAX_UNITS or time.monotonic() > until:
                break
            left, count = left - cost, count + 1
            try:
                tried.run(unit)
            except UnableError:
                remembered.note_late(manifest, unit)
                continue
            except EndError as end:
                if end.state is PreviewState.BAD:
                    who = _publisher(published, readers, tried.open_shards(unit))
                    broken = Broken(end.why, who)
                    remembered.note_broken(manifest, broken)
                    return broken
                if end.state is PreviewState.UNREACHABLE:
                    remembered.note_late(manifest, unit)
                    continue  # nobody is to blame, and it is tried again
            finally:
                opening.source.drop()
            notes.append((unit, tried.mark(unit)))
    finally:
        if notes:
            remembered.note_tried(manifest, notes)
    return None


def is_seen(opening: Opening, shard: int) -> bool:
    """Whether those who try the unit of a shard, with the keys of an opening, find it rotten.

    Raises:
        UnableError: This computer cannot tell.
    """
    tried = _Tried(opening)
    unit = tried.unit_of(shard)
    if len(tried.open_shards(unit)) * opening.manifest.shard_size > MAX_BYTES:
        return False
    try:
        tried.run(unit)
    except EndError as end:
        return end.state is PreviewState.BAD
    return False


def _in_turn(
    published: Published,
    readers: Collection[str],
    tried: "_Tried",
    done: Collection[int],
    late: Collection[int],
) -> Iterator[int]:
    """Yield units in the order in which they are tried: what could not be tried before is last."""
    yield from in_turn(published, readers, tried.unit_of, {*done, *late})
    yield from (unit for unit in late if unit not in done and tried.open_shards(unit))


class _Tried:
    """Units of a container, and how each is tried.

    A unit is a segment of a table by its number, 0 segment 0, and -1 - i shard i of the byte
    stream, which has no segments of its own.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._structure: bool | None = None

    def unit_of(self, shard: int) -> int:
        number = int(self._opening.index.segment[shard])
        return -1 - shard if number == BYTES_SEGMENT else number

    def open_shards(self, unit: int) -> list[int]:
        return [i for i in self._shards(unit) if i in self._opening.keys]

    def mark(self, unit: int) -> int:
        """Return what can be tried of a unit: it is tried again when this has grown."""
        is_whole = unit >= FIRST_TABLE_SEGMENT and all(
            i in self._opening.keys for i in self._shards(unit)
        )
        return 2 * len(self.open_shards(unit)) + (is_whole and self._is_parsed())

    def run(self, unit: int) -> None:
        """Try a unit.

        Raises:
            EndError: BAD if it is rotten.
        """
        opening = self._opening
        if unit == 0 and all(i in opening.keys for i in self._shards(0)):
            opening.read_files()
        shards = self.open_shards(unit)
        opening.fetch(shards)
        for i in shards:
            opening.shard(i)
        if self.mark(unit) % 2:
            segment = opening.index.segments[unit]
            opening.segment(segment, self._path(unit))

    def _shards(self, unit: int) -> range:
        if unit < 0:
            return range(-1 - unit, -unit)
        segment = self._opening.index.segments[unit]
        return range(segment.shard, segment.shard + segment.shards)

    def _is_parsed(self) -> bool:
        """Whether segment 0 can be read, without which nothing is known of columns."""
        if self._structure is None:
            try:
                self._opening.read_files()
                self._structure = True
            except EndError:
                self._structure = False
        return self._structure

    def _path(self, unit: int) -> str:
        structure = self._opening.read_files()
        return next(
            structure.entries[position].path
            for position, segments in structure.tables
            if segments and segments[0].number <= unit <= segments[-1].number
        )


def _publisher(published: Published, readers: Collection[str], shards: Collection[int]) -> str:
    """Return who has published one of some shards, a buyer if there is one."""
    found = [who for who, mine in published.by.items() if any(i in mine for i in shards)]
    return min(found, key=lambda who: who.lower() not in readers)
