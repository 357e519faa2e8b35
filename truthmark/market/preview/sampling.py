# SPDX-License-Identifier: Apache-2.0
"""Opens what chance has picked, and judges it, one thing after the other."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from truthmark.arrow import pa
from truthmark.codec.file_rows import holds_files, reason_of
from truthmark.codec.files_table import BYTES
from truthmark.codec.media import MediaOpener, Opened, is_typed, kind_of
from truthmark.codec.media_ends import bytes_behind
from truthmark.codec.names import PathSet
from truthmark.codec.sampling import LEAST_DRAWS, SMALL_SEGMENTS, PreviewAsked
from truthmark.codec.segments import decoded_size
from truthmark.codec.shard_index import Segment
from truthmark.errors import MalformedError, UnableError
from truthmark.market.preview.bounds import Bounds, bound
from truthmark.market.preview.draw import Pick, draw_all, shards_of, wanted_shards
from truthmark.market.preview.facts import MAX_MARKS, TableFacts
from truthmark.market.preview.found import Part
from truthmark.market.preview.media_values import Leaf, leaves
from truthmark.market.preview.opening import MAX_DOWNLOAD, EndError, Opening
from truthmark.market.preview.states import PreviewState
from truthmark.market.preview.strata import (
    Strata,
    Stratum,
    Structure,
    files_shards,
    find_strata,
)
from truthmark.text import format_size, plural

MAX_DECODED: Final = 1 << 30
"""Bytes that all of a sample may be when it is decoded; one segment is held at a time."""
MAX_KEPT: Final = 64 << 20
"""Decoded bytes that are kept to be looked at."""
MAX_KEPT_FILES: Final = 10_000
"""The same in files: those of a byte take next to none."""
MAX_KEPT_ROWS: Final = 1_000_000
"""The same in rows: those of a column of nothing take no bytes."""
LEAST_COVERED: Final = 0.95
"""Of bytes and of rows, in strata that were drawn from, here or in older versions."""
MAX_UNOPENED: Final = 0.05
"""Of the drawn files whose names say what they are."""
FILLED: Final = 0.5
"""Less of the opened bytes in rows is said: the rest is filling."""
MAX_MEDIA: Final = 1_024
"""Files and values of a sample that are opened as what they are named."""
MAX_MEDIA_BYTES: Final = 32 << 20
"""The same in bytes."""
MAX_MEDIA_SECONDS: Final = 600.0
"""That opening them may take in one look, of all versions; then this computer gives up, and says
nothing of the sample."""


@dataclass(slots=True)
class KindCount:
    """Files and values of one type that were opened.

    Attributes:
        checked: How many.
        looked_at: Bytes of these.
        unopened: How many do not open.
        unopened_bytes: Bytes of these.
    """

    checked: int = 0
    looked_at: int = 0
    unopened: int = 0
    unopened_bytes: int = 0

    def add(self, size: int, *, is_open: bool) -> None:
        """Count one more."""
        self.checked += 1
        self.looked_at += size
        self.unopened += not is_open
        self.unopened_bytes += 0 if is_open else size

    @property
    def is_bad(self) -> bool:
        """Whether more of it does not open than may be, by number or by bytes."""
        return (
            self.unopened > MAX_UNOPENED * self.checked
            or self.unopened_bytes > MAX_UNOPENED * self.looked_at
        )


@dataclass(slots=True)
class Sample:
    """What was drawn, and what became of it.

    Attributes:
        asked: What the card asks for.
        seed: Of the draws.
        structure: Of the container.
        strata: What was drawn from.
        picks: What all draws fell on.
        facts: What the rows of each table say, by path.
        tables: Rows by path, as many as are kept.
        files: Whole files by path, as many as are kept.
        opened: First shards of the segments that were opened; of the byte stream, all shards.
        columns: Names of the columns by path, of tables that were opened.
        unknown: Bytes of drawn files and values whose type nothing here opens.
        looked_at: Bytes of all drawn files and values that have a type, as far as they were opened.
        kinds: What was opened of each type.
        untold: Bytes of drawn files and values whose type nothing tells.
        unwritable: Why rows that are said to be files cannot be written as such; "" if they can.
        decoded: Bytes of the tables that were opened.
        rows: How many these have.
    """

    asked: PreviewAsked
    seed: bytes
    structure: Structure
    strata: Strata
    picks: list[Pick] = field(default_factory=list)
    facts: dict[str, TableFacts] = field(default_factory=dict)
    tables: "dict[str, pa.Table]" = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    opened: set[int] = field(default_factory=set)
    columns: dict[str, list[str]] = field(default_factory=dict)
    unknown: int = 0
    looked_at: int = 0
    kinds: dict[str, KindCount] = field(default_factory=dict)
    untold: int = 0
    unwritable: str = ""
    decoded: int = 0
    rows: int = 0

    @property
    def wanted(self) -> list[int]:
        """All shards that must be open, those of segment 0 among them."""
        return wanted_shards(self.structure.index, self.picks)

    @property
    def checked(self) -> int:
        """How many files and values were opened as what they are named."""
        return sum(count.checked for count in self.kinds.values())

    @property
    def unopened(self) -> int:
        """How many of these do not open."""
        return sum(count.unopened for count in self.kinds.values())

    @property
    def parts(self) -> tuple[Part, ...]:
        """All strata as they are shown."""
        seen: dict[int, set[int]] = {}
        for pick in self.picks:
            units = pick.shards if self.strata.drawn[pick.stratum].is_stream else (pick.segment,)
            seen.setdefault(pick.stratum, set()).update(units)
        drawn = [
            self._part(stratum, draws, len(seen.get(k, ())))
            for k, (stratum, draws) in enumerate(
                zip(self.strata.drawn, self.strata.draws, strict=True)
            )
        ]
        return (*drawn, *(self._part(stratum, 0, 0) for stratum in self.strata.left_out))

    def _part(self, stratum: Stratum, draws: int, opened: int) -> Part:
        rows = 0 if stratum.is_stream else stratum.rows
        return Part(
            stratum.name,
            draws,
            stratum.units,
            opened,
            stratum.shard_count / max(self._shards, 1),
            rows / max(self._rows, 1),
            Bounds.of(draws) if draws else None,
        )

    @property
    def _shards(self) -> int:
        structure = self.structure
        stream = structure.stream.shards if structure.stream else 0
        return stream + sum(segment.shards for segment in structure.index.table_segments)

    @property
    def _rows(self) -> int:
        return sum(segment.rows for segment in self.structure.index.table_segments)

    @property
    def unsampled(self) -> float:
        """Share of bytes or rows, the larger, that neither a draw could meet nor was shown before.

        Bytes of the byte stream that belong to no file are among them.
        """
        left = self.strata.left_out
        shards = sum(stratum.shard_count for stratum in left)
        rows = sum(stratum.rows for stratum in left if not stratum.is_stream)
        loose = self.structure.loose_bytes / self.structure.payload
        return max((shards + loose) / max(self._shards, 1), rows / max(self._rows, 1))

    @property
    def new_share(self) -> float:
        """Share of bytes or rows, the larger, in strata that are drawn from here."""
        drawn = self.strata.drawn
        shards = sum(stratum.shard_count for stratum in drawn)
        rows = sum(stratum.rows for stratum in drawn if not stratum.is_stream)
        return max(shards / max(self._shards, 1), rows / max(self._rows, 1))

    @property
    def names(self) -> set[bytes]:
        """What a newer version can take over: all that a draw could meet, here or before."""
        structure = self.structure
        tables = {
            segment.number: structure.entries[position]
            for position, segments in structure.tables
            for segment in segments
        }
        found = set()
        if any(stratum.is_stream for stratum in self.strata.drawn):
            found.add(structure.stream_name)
        seen = [segment for stratum in self.strata.drawn for segment in stratum.segments]
        for segment in (*seen, *self.strata.taken_over):
            if segment.number in tables:
                columns = structure.columns(tables[segment.number])
                found.add(structure.name_of(segment, columns))
            else:
                found.add(structure.stream_name)
        return found

    @property
    def drawn_bytes(self) -> int:
        """Bytes of all that was drawn."""
        return len(shards_of(self.picks)) * self.structure.payload

    def _copies(self) -> int:
        """Return how many shards have the ciphertext of another one."""
        index = self.structure.index
        return index.count - len({index.sha256(i) for i in range(index.count)})

    @property
    def taken_over(self) -> float:
        """Share of the bytes that older versions have shown."""
        return sum(segment.shards for segment in self.strata.taken_over) / max(self._shards, 1)

    @property
    def oddities(self) -> list[str]:
        """What looks odd but is not wrong, a line each."""
        found = []
        if copies := self._copies():
            found.append(f"{plural(copies, 'shard')} are copies of others, byte for byte")
        if self.untold > MAX_UNOPENED * self.drawn_bytes:
            share = min(1.0, self.untold / self.drawn_bytes)
            found.append(
                f"{share:.0%} of the drawn bytes are files or values of which nothing tells the "
                "type; whether they are any good is not known"
            )
        files = [entry for entry in self.structure.entries if entry.kind == BYTES]
        if (empty := len(files) - len(self.structure.files)) > MAX_UNOPENED * len(files):
            found.append(f"{empty:,} of {plural(len(files), 'file')} have no bytes at all")
        tables = sum(
            self.structure.index.segments[n].shards
            for facts in self.facts.values()
            for n in facts.segments
        )
        if self.decoded < FILLED * tables * self.structure.payload:
            size = tables * self.structure.payload
            found.append(
                f"of {format_size(size)} that were opened {format_size(self.decoded)} are rows"
            )
        return found

    @property
    def draws(self) -> int:
        """For how many draws over everything that is drawn from these stand: m, or fewer.

        Fewer where a stratum had fewer segments than its share of the draws needs.
        """
        drawn = self.strata.drawn
        shards, rows = sum(it.shard_count for it in drawn), sum(it.rows for it in drawn)
        found = self.asked.draws
        for stratum, draws in zip(drawn, self.strata.draws, strict=True):
            found = min(found, draws * shards // stratum.shard_count)
            if stratum.rows:
                found = min(found, draws * rows // stratum.rows)
        return found if drawn else 0


def prepare(opening: Opening, asked: PreviewAsked, taken: Collection[bytes], seed: bytes) -> Sample:
    """Draw; opens nothing but segment 0.

    Raises:
        EndError: It cannot be opened yet, or at all.
    """
    structure = opening.read_files()
    strata = find_strata(structure, asked.draws, taken)
    return Sample(asked, seed, structure, strata, draw_all(structure, strata, seed))


def open_sample(opening: Opening, sample: Sample, *, max_download: int = MAX_DOWNLOAD) -> str:
    """Open and judge all that was drawn; return why it is SHOWN.

    Args:
        opening: With the published keys.
        sample: As drawn; what is found is noted in it.
        max_download: Bytes that may be fetched.

    Raises:
        EndError: It is in another state.
    """
    missing = sum(i not in opening.keys for i in sample.wanted)
    if missing:
        raise EndError(
            PreviewState.WAITING,
            f"the keys of {missing:,} of {plural(len(sample.wanted), 'shard')} are missing",
        )
    too_large = _open_picks(opening, sample, max_download)
    _require_media(sample)
    if sample.unwritable:
        raise EndError(PreviewState.PARTIAL, sample.unwritable)
    if too_large is not None:
        raise EndError(PreviewState.PARTIAL, too_large)
    _require_enough(sample)
    units = len(sample.opened)
    return (
        f"{plural(len(sample.picks), 'draw')} opened {plural(units, 'part')} of "
        f"{sample.structure.units:,} with {plural(sample.rows, 'row')}; all are as declared"
    )


def _require_enough(sample: Sample) -> None:
    units = sample.structure.units
    if units < SMALL_SEGMENTS:
        raise EndError(
            PreviewState.SMALL,
            f"it has {plural(units, 'part')} to draw from, {SMALL_SEGMENTS} are needed",
        )
    if sample.asked.draws < LEAST_DRAWS:
        raise EndError(
            PreviewState.PARTIAL,
            f"the seller asked for {plural(sample.asked.draws, 'draw')}, "
            f"{LEAST_DRAWS} are the least that show anything",
        )
    if sample.unsampled > 1 - LEAST_COVERED:
        names = ", ".join(repr(stratum.name) for stratum in sample.strata.left_out[:3])
        raise EndError(
            PreviewState.PARTIAL,
            f"{sample.unsampled:.0%} of it could not be drawn"
            + (f" ({names})" if names else " (bytes that belong to no file)"),
        )
    left = bound(sample.draws) * sample.new_share
    if left > bound(LEAST_DRAWS):
        raise EndError(
            PreviewState.PARTIAL,
            f"it took {plural(sample.draws, 'draw')} only, {LEAST_DRAWS} are needed",
        )


def _open_picks(opening: Opening, sample: Sample, max_download: int) -> str | None:
    """Open all picks that fit, the first draws of each stratum first; return what did not fit."""
    size = opening.manifest.shard_size
    shards: set[int] = set(files_shards(opening.index))
    decoded = 0
    fitting: list[Pick] = []
    for pick in sorted(sample.picks, key=lambda pick: (pick.draw, pick.stratum)):
        segment = opening.index.segments[pick.segment]
        is_new = not sample.strata.drawn[pick.stratum].is_stream and not shards >= {*pick.shards}
        decoded += segment.decoded_bytes if is_new else 0
        if len(shards | {*pick.shards}) * size > max_download or decoded > MAX_DECODED:
            break
        shards.update(pick.shards)
        fitting.append(pick)
    opening.fetch(shards)
    streams = [pick for pick in fitting if sample.strata.drawn[pick.stratum].is_stream]
    numbers = {pick.segment for pick in fitting} - {pick.segment for pick in streams}
    segments = [opening.index.segments[n] for n in sorted(numbers)]
    # Last what nobody decodes: it ends the look, and must not hide what is bad.
    segments.sort(key=lambda it: it.decoded_bytes > opening.limits.segment_bytes)
    with MediaOpener() as media:
        media.spent = opening.patience.media
        try:
            _open_stream(opening, sample, streams, media)
            _open_segments(opening, sample, segments, media)
        finally:
            opening.patience.media = media.spent
    if len(fitting) == len(sample.picks):
        return None
    total = len(sample.wanted) * size
    what = (
        f"is {format_size(total)}, {format_size(max_download)} are fetched"
        if total > max_download
        else f"is more than {format_size(MAX_DECODED)} when it is decoded"
    )
    return (
        f"the sample {what}; {len(fitting):,} of {plural(len(sample.picks), 'draw')} were opened, "
        "and they are as declared"
    )


def _open_stream(
    opening: Opening, sample: Sample, picks: Sequence[Pick], media: MediaOpener
) -> None:
    structure = sample.structure
    for shard in shards_of(picks):
        opening.shard(shard)
        sample.opened.add(shard)
    files = {i for pick in picks for i in pick.files}
    # In the order of the bytes: in that of the table each may be on another shard than the last.
    whole = [i for i in structure.files if i in files and structure.is_whole(i)]
    # What is too large to be opened whole cannot be judged, whatever its name says.
    large = sum(len(structure.shards_of_file(i)) for i in files if not structure.is_whole(i))
    sample.unknown += large * structure.payload
    sample.looked_at += large * structure.payload
    looked_at = set(_chosen(sample, 0, len(whole), MAX_MEDIA))
    kept = 0
    for place, position in enumerate(whole):
        entry = structure.entries[position]
        is_opened = is_typed(entry.path) and place in looked_at
        sample.untold += 0 if is_typed(entry.path) else entry.length
        kept += entry.length
        is_kept = kept <= MAX_KEPT and place < MAX_KEPT_FILES
        if not is_opened and not is_kept:
            continue
        data = opening.file(entry.path)
        if is_opened:
            kind = kind_of(entry.path) or ""
            if _open_media(sample, media, kind, data) is Opened.YES:
                sample.untold += bytes_behind(kind, data)
        if is_kept:
            sample.files[entry.path] = data


def _open_segments(
    opening: Opening, sample: Sample, segments: Sequence[Segment], media: MediaOpener
) -> None:
    paths = {
        segment.number: sample.structure.entries[position].path
        for position, mine in sample.structure.tables
        for segment in mine
    }
    each = max(len(segments), 1)
    kept = 0
    written: PathSet | None = None
    tables: dict[str, list[pa.Table]] = {}
    for segment in segments:
        path = paths[segment.number]
        table = opening.segment(segment, path)
        sample.opened.add(segment.shard)
        sample.columns[path] = table.schema.names
        sample.rows += table.num_rows
        chance = _chance(sample, segment.number)
        facts = sample.facts.setdefault(path, TableFacts())
        facts.add(segment, table, chance, max(1, MAX_MARKS // each))
        most = max(1, MAX_MEDIA // each)
        rows = _chosen(sample, segment.number, table.num_rows, most)
        if holds_files(table.schema) and not sample.unwritable:
            if written is None:
                written = PathSet(it.path for it in sample.structure.entries if it.kind == BYTES)
            _note_paths(sample, written, path, table, rows)
        share = max(1, MAX_MEDIA_BYTES // each)
        for leaf in leaves(table, rows, share, values=most, chance=chance):
            _open_leaf(sample, media, leaf)
        size = decoded_size(table.to_batches(), table.schema)
        kept += size
        sample.decoded += size
        if kept <= MAX_KEPT and sample.rows <= MAX_KEPT_ROWS:
            tables.setdefault(path, []).append(table)
    sample.tables = {path: pa.concat_tables(found) for path, found in tables.items()}


def _chosen(sample: Sample, number: int, count: int, most: int) -> list[int]:
    """Choose some of `count` things by the draws' own seed: nobody can know which beforehand."""
    return sorted(_chance(sample, number).sample(range(count), min(count, most)))


def _chance(sample: Sample, number: int) -> random.Random:
    return random.Random(sample.seed + number.to_bytes(4, "big"))  # noqa: S311 (not a secret)


def _note_paths(
    sample: Sample, written: PathSet, path: str, table: "pa.Table", rows: Sequence[int]
) -> None:
    """Note why some rows that are said to be files cannot be written as such.

    Args:
        sample: Notes it.
        written: Paths of files so far.
        path: Of the table.
        table: Its rows, of which each is a file.
        rows: Which are looked at.
    """
    if table["path"].null_count:
        sample.unwritable = f"rows of {path!r} cannot be written as files: some have no path"
        return
    try:
        for row in rows:
            written.add(table["path"][row].as_py())
    except MalformedError as error:
        sample.unwritable = f"rows of {path!r} cannot be written as files ({reason_of(error)})"


def _open_leaf(sample: Sample, media: MediaOpener, leaf: Leaf) -> None:
    """Open some of the values in one place of a table, and count all that is there by them."""
    looked_at = untold = unknown = 0
    for kind, data in leaf.values:
        looked_at += len(data)
        if kind is None:
            untold += len(data)
        elif data:
            opened = _open_media(sample, media, kind, data)
            unknown += len(data) if opened is Opened.UNKNOWN else 0
            untold += bytes_behind(kind, data) if opened is Opened.YES else 0
    if not looked_at:
        sample.untold += leaf.size
        return
    # Of these a part was looked at, and what is like it is more.
    sample.untold += leaf.size * untold // looked_at
    more = leaf.size * unknown // looked_at - unknown
    sample.unknown += more
    sample.looked_at += more


def _open_media(sample: Sample, media: MediaOpener, kind: str, data: bytes) -> Opened:
    """Open a file or a value as what it is said to be."""
    if media.spent > MAX_MEDIA_SECONDS:
        raise UnableError(
            f"this computer took too long to open drawn files; {sample.checked:,} were opened; try "
            "again when it has less to do"
        )
    result = media.open(kind, data)
    sample.looked_at += len(data)
    if result is Opened.UNKNOWN:
        sample.unknown += len(data)
    else:
        counted = sample.kinds.setdefault(kind, KindCount())
        counted.add(len(data), is_open=result is Opened.YES)
    return result


def _require_media(sample: Sample) -> None:
    # Each kind for itself, by number and by bytes: many small files must not vouch for large ones.
    for kind, count in sorted(sample.kinds.items()):
        if count.is_bad:
            raise EndError(
                PreviewState.PARTIAL,
                f"{count.unopened:,} of {plural(count.checked, f'{kind} file')} that were drawn, "
                f"with {count.unopened_bytes / count.looked_at:.0%} of the bytes, do not open as "
                "what their names say",
            )
    if sample.unknown > MAX_UNOPENED * max(sample.looked_at, sample.drawn_bytes):
        share = min(1.0, sample.unknown / max(sample.looked_at, 1))
        raise EndError(
            PreviewState.PARTIAL,
            f"{share:.0%} of the bytes of drawn files are of types that nothing here opens, or too "
            "large",
        )
