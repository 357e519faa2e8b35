# SPDX-License-Identifier: Apache-2.0
"""Packs data into a TMK1 container."""

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from truthmark.cid import build_dag, cid_of_stream
from truthmark.codec import files_table
from truthmark.codec.aligning import aligned
from truthmark.codec.byte_stream import ByteStream
from truthmark.codec.card import (
    CardPolicy,
    FileFacts,
    TableFacts,
    example_rows,
    make_card,
    read_card,
)
from truthmark.codec.derive import check_cek
from truthmark.codec.durable import new_folder, write_file
from truthmark.codec.estimate import Estimate, choose_sampled_size, choose_shard_size
from truthmark.codec.file_rows import holds_files
from truthmark.codec.files_table import BYTES, TABLE, Entry
from truthmark.codec.fine_cuts import FineCutter
from truthmark.codec.licences import spdx
from truthmark.codec.limits import (
    BYTES_SEGMENT,
    CARD_NAME,
    DATA_NAME,
    FILES_SEGMENT,
    FIRST_TABLE_SEGMENT,
    INDEX_NAME,
    MANIFEST_NAME,
    MAX_PACKED_COUNT,
    is_shard_size,
    payload_size,
)
from truthmark.codec.manifest import Manifest
from truthmark.codec.outlook import Outlook, foresee
from truthmark.codec.parquet import PROBE_ROWS, parquet_problem
from truthmark.codec.previous import Previous, PreviousContainer, open_previous
from truthmark.codec.sampling import FIELD, MAX_DRAWS, PreviewAsked
from truthmark.codec.seal import Sealer
from truthmark.codec.segments import Cutter, Encoded, RowQueue, schema_message
from truthmark.codec.shard_index import ShardIndex
from truthmark.codec.sources import BytesFile, Plan, SourceOptions, plan
from truthmark.codec.table_writer import TableWriter
from truthmark.errors import CodecError, ConfigError, LimitError
from truthmark.types import Point, Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from truthmark.codec.tables import Table

# How much the files table may grow when the lengths of tables are filled in at the end.
_RESERVE: Final = 128
Review = Callable[[dict[str, Any], Manifest, Outlook | None], None]
"""Shown all that becomes public: the card, the manifest, and what a sample will be, if any."""
_UNKNOWN: Final = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)


@dataclass(frozen=True, slots=True)
class Packed:
    """What `pack` made.

    Attributes:
        folder: where `data.tmk`, `index.arrow`, `manifest.json` and `card.json` are.
        manifest: as in `manifest.json`.
        manifest_bytes: its canonical bytes.
        card: the public card, as read back from its bytes.
        inherited: how many shards were taken over unchanged from the previous version.
        skipped: hidden files and folders of a folder that were not packed.
        notes: what else of the source is lost or is packed otherwise than one might expect.
        outlook: what a sample will make public; None where none is asked for.
    """

    folder: Path
    manifest: Manifest
    manifest_bytes: bytes
    card: dict[str, Any]
    inherited: int
    skipped: tuple[str, ...]
    notes: tuple[str, ...]
    outlook: Outlook | None = None

    def __repr__(self) -> str:
        """Show where it is and how much."""
        return f"<Packed {self.folder}: {self.manifest.size:,} bytes in {self.count} shards>"

    @property
    def root(self) -> bytes:
        """Root of the tree over all shards."""
        return self.manifest.root

    @property
    def count(self) -> int:
        """Number of shards."""
        return self.manifest.count

    @property
    def shard_size(self) -> int:
        """Bytes of a shard."""
        return self.manifest.shard_size


def pack(
    source: Any,
    target: Path,
    *,
    cek: bytes,
    public_key: Point,
    licence: str,
    title: str = "",
    description: str = "",
    card: CardPolicy | None = None,
    provenance: Mapping[str, Any] | None = None,
    preview: bool = False,
    draws: int | None = None,
    shard_size: int | None = None,
    raw: bool = False,
    follow_links: bool = False,
    hidden: bool = False,
    processes: int = 1,
    progress: Progress | None = None,
    previous: Previous | None = None,
    purge: bool = False,
    review: Review | None = None,
    commit: Callable[[Manifest], None] | None = None,
) -> Packed:
    """Pack `source` into the new folder `target`.

    The folder appears whole or not at all. **Never pack twice with one `cek`**: every shard key
    may encrypt one plaintext only, so a pack that was interrupted starts over with a fresh
    secret, and a `cek` that this process has packed with before is refused.

    Args:
        source: see `truthmark.codec.sources.plan`.
        target: a folder that does not exist yet, or is empty.
        cek: content key of this version, from a fresh secret.
        public_key: PK of that secret.
        licence: SPDX expression or `LicenseRef-` name; written as SPDX spells it.
        title: public, one line.
        description: public.
        card: what else becomes public; by default schema and counts, no examples.
        provenance: public, goes into the manifest.
        preview: ask for a sample that chance draws once this is listed, and cut tables so that
            it can be drawn: the card says so, and names and structure become public with it.
        draws: with `preview`, how many draws, 1 to 512; by default fitted to the data.
        shard_size: power of two from 4 KiB to 1 MiB; by default fitted to the data.
        raw: pack table files byte for byte, instead of as tables.
        follow_links: pack what links in a folder point to; without it a link is refused.
        hidden: pack hidden files of a folder too.
        processes: processors to use.
        progress: called with plaintext bytes sealed and about how many there are.
        previous: older version whose unchanged shards are taken over.
        purge: with `previous`, take nothing over, so that nothing deleted stays inside.
        review: called with the card, the manifest and what a sample will show, which is all that
            becomes public, before anything appears at `target`; an exception from it abandons the
            pack.
        commit: called with the manifest when everything is synced and only the folder's name is
            left to be given, to keep what nobody could do without once it has it.

    Returns:
        What was made.

    Raises:
        CodecError: `source` cannot be packed, or the disk refuses; nothing is left at `target`.
        ConfigError: an argument cannot be used.
    """
    if shard_size is not None and not is_shard_size(shard_size):
        raise ConfigError(f"shard size {shard_size}: choose a power of two from 4096 to 1048576")
    if processes < 1:
        raise ConfigError(f"processes {processes}: choose at least 1")
    policy = card or CardPolicy()
    _check_preview(policy, draws, preview=preview)
    licence = spdx(licence)
    _claim(check_cek(cek))
    made = plan(source, SourceOptions(raw, follow_links, hidden, media_rows=preview))
    with open_previous(None if purge else previous) as older:
        estimate = (choose_sampled_size if preview else choose_shard_size)(made)
        if older is not None:
            if shard_size not in (None, older.shard_size):
                raise ConfigError(
                    f"shard size {shard_size}: an update keeps {older.shard_size}; "
                    "leave it out, or purge"
                )
            shard_size = older.shard_size
        packed: Packed | None = None

        def finished() -> None:
            if commit is not None and packed is not None:
                commit(packed.manifest)

        with new_folder(target, finished) as folder:
            packer = _Packer(
                made,
                folder,
                cek=cek,
                shard_size=shard_size or estimate.shard_size,
                processes=processes,
                older=older,
                report=_Report(progress, estimate.encoded),
                policy=policy,
                preview=preview,
                draws=draws,
                estimate=estimate,
            )
            with packer:
                packer.run()
            packed = packer.finish(
                target,
                public_key=public_key,
                licence=licence,
                title=title,
                description=description,
                provenance=provenance,
                review=review,
            )
        return packed


def _check_preview(policy: CardPolicy, draws: int | None, *, preview: bool) -> None:
    if FIELD in policy.extra:
        raise ConfigError(
            f"the card's field {FIELD!r} says which sample is drawn; leave it out of extra, and "
            "choose by preview and draws"
        )
    if draws is not None and not (preview and 1 <= draws <= MAX_DRAWS):
        raise ConfigError(f"draws {draws}: choose 1 to {MAX_DRAWS}, for data that has a sample")
    if preview and not (policy.schema and policy.counts):
        raise ConfigError(
            "a sample shows the columns and the rows of every table: to keep them private, pack "
            "without it, with --blind",
            page="A sample shows the columns and the rows of every table: to keep them private, "
            "sell without one.",
        )


_used: set[bytes] = set()


def _claim(cek: bytes) -> None:
    # Nonces are zero: one key with two plaintexts would give both away.
    if cek in _used:
        raise ConfigError("this content key has packed before; derive one from a fresh secret")
    _used.add(cek)


class _Report:
    """Progress that never runs past its total, which is only an estimate."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, max(total, 1), 0

    def add(self, size: int) -> None:
        self._done += size
        if self._progress is not None:
            self._progress(min(self._done, self._total - 1), self._total)

    def finish(self) -> None:
        if self._progress is not None:
            self._progress(self._total, self._total)


class _Packer:
    """Writes one container; holds what is known of it so far."""

    def __init__(
        self,
        made: Plan,
        folder: Path,
        *,
        cek: bytes,
        shard_size: int,
        processes: int,
        older: PreviousContainer | None,
        report: _Report,
        policy: CardPolicy,
        preview: bool,
        draws: int | None,
        estimate: Estimate,
    ) -> None:
        self._preview, self._draws, self._estimate = preview, draws, estimate
        self._plan, self._folder, self._older = made, folder, older
        self._shard_size, self._payload = shard_size, payload_size(shard_size)
        self._processes, self._report, self._policy = processes, report, policy
        self._descriptor = os.open(folder / DATA_NAME, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._sealer = Sealer(self._descriptor, cek=cek, shard_size=shard_size, processes=processes)
        # One row a shard, in order: segment, first row, rows, decoded bytes.
        self._rows: list[tuple[int, int, int, int]] = []
        self._entries: list[Entry] = []
        self._facts: list[TableFacts] = []
        self._next_segment = FIRST_TABLE_SEGMENT
        self._first_row = 0
        self._probed: dict[bytes, str | None] = {}
        self._told: dict[str, list[str]] = {}
        self._inherited: set[int] = set()

    def __enter__(self) -> "_Packer":
        return self

    def __exit__(self, *_: object) -> None:
        self._sealer.close()
        os.close(self._descriptor)

    def run(self) -> None:
        """Seal everything: byte stream, tables, and at the end the files table at the front."""
        kept, offsets, fresh = self._lay_out_bytes()
        bytes_entries = [
            Entry(file.path, BYTES, file.split, offset, file.size)
            for file, offset in zip(self._plan.files, offsets, strict=True)
        ]
        front = self._reserve(bytes_entries)
        self._append(FILES_SEGMENT, front, 0, 0)
        self._seal_bytes(kept, fresh)
        table_entries = [self._seal_table(table) for table in self._plan.tables]
        self._entries = [*bytes_entries, *table_entries]
        self._seal_files_table(front, self._entries)
        self._report.finish()

    def finish(
        self,
        target: Path,
        *,
        public_key: Point,
        licence: str,
        title: str,
        description: str,
        provenance: Mapping[str, Any] | None,
        review: Review | None,
    ) -> Packed:
        """Write index, card and manifest."""
        index = self._index()
        index_bytes = index.to_bytes()
        outlook, asked = self._foresee(index)
        card_bytes = make_card(
            self._policy,
            title=title,
            description=description,
            licence=licence,
            files=[FileFacts(file.split, file.size) for file in self._plan.files],
            tables=self._facts,
            preview=asked,
        )
        manifest = Manifest(
            shard_size=self._shard_size,
            count=index.count,
            root=index.tree.root,
            container=build_dag(
                (index.sha256(i), self._shard_size) for i in range(index.count)
            ).root,
            index=cid_of_stream(io.BytesIO(index_bytes)),
            index_size=len(index_bytes),
            card=cid_of_stream(io.BytesIO(card_bytes)),
            card_size=len(card_bytes),
            public_key=public_key,
            licence=licence,
            provenance=provenance,
        )
        manifest_bytes = manifest.to_bytes()
        # Read back as everybody will: what cannot be read must not be sold.
        manifest = Manifest.from_bytes(manifest_bytes)
        card = read_card(card_bytes)
        write_file(self._folder / INDEX_NAME, index_bytes)
        write_file(self._folder / CARD_NAME, card_bytes)
        write_file(self._folder / MANIFEST_NAME, manifest_bytes)
        if review is not None:
            review(card, manifest, outlook)
        return Packed(
            target,
            manifest,
            manifest_bytes,
            card,
            len(self._inherited),
            tuple(self._plan.skipped),
            (*self._plan.notes, *self._notes()),
            outlook,
        )

    def _foresee(self, index: ShardIndex) -> tuple[Outlook | None, PreviewAsked | None]:
        """Return what a sample will show, and how the card asks for it."""
        if not self._preview:
            return None, None
        previous = self._older.sampled if self._older is not None else ()
        outlook = foresee(
            index,
            self._entries,
            kept=self._inherited if previous else (),
            draws=self._draws,
            shard_size=self._shard_size,
        )
        return outlook, PreviewAsked(outlook.draws, previous)

    # ------- the byte stream

    def _lay_out_bytes(self) -> tuple[int, list[int], list[BytesFile]]:
        """Return how many old shards are kept, each file's offset, and the files to seal."""
        files = self._plan.files
        old = self._older.unchanged(files) if self._older is not None else {}
        kept = self._older.stream_shards if self._older is not None and old else 0
        fresh = [file for file in files if file.path not in old]
        end = kept * self._payload
        offsets = []
        for file in files:
            if file.path in old:
                offsets.append(old[file.path])
            else:
                offsets.append(end)
                end += file.size
        return kept, offsets, fresh

    def _seal_bytes(self, kept: int, fresh: list[BytesFile]) -> None:
        start = len(self._rows)
        stream = ByteStream(fresh)
        shards = -(-stream.size // self._payload)
        self._append(BYTES_SEGMENT, kept + shards, 0, (kept + shards) * self._payload)
        if self._older is not None:
            for old in range(kept):
                self._inherit(start + old, self._older.stream_first + old)
        first = start + kept

        def fill(i: int, buffer: memoryview) -> None:
            stream.read_into(buffer, (i - first) * self._payload)

        for _ in self._sealer.seal_filled(range(first, first + shards), fill):
            self._report.add(self._payload)

    # ------- tables

    def _seal_table(self, table: "Table") -> Entry:
        rows = RowQueue(table.batches(), table.schema, table.path)
        first_row = self._first_row
        facts = TableFacts(table.split, table.schema, 0, [])
        if not holds_files(table.schema):  # which are written as what they are
            rows.fill(PROBE_ROWS)
            self._note_formats(table, rows.peek(min(PROBE_ROWS, rows.available)))
        if self._policy.examples:
            rows.fill(self._policy.examples)
            facts.examples = example_rows(
                rows.peek(min(self._policy.examples, rows.available)), self._policy.examples
            )
        writer = TableWriter(self._cutter(rows, table.path), self._seal_segment)
        olds = self._older.segments(table) if self._older is not None else []
        for fresh, old in aligned(rows, olds):
            writer.write(fresh)
            if old is not None:
                rows.drop(old.rows)
                start = self._append_table(old.shards, old.rows, old.decoded_bytes)
                for shard in range(old.shards):
                    self._inherit(start + shard, old.shard + shard)
        writer.write(None)
        writer.wait()
        facts.rows = self._first_row - first_row
        self._facts.append(facts)
        return Entry(
            table.path, TABLE, table.split, first_row, facts.rows, schema_message(table.schema)
        )

    def _note_formats(self, table: "Table", first: "pa.Table") -> None:
        """Note what buyers will find in other types or another format than they might expect."""
        if table.extended:
            reason = "extension types are packed as the types that they are stored in"
            self._told.setdefault(f"{reason}: {', '.join(table.extended)}", []).append(table.path)
        message = schema_message(table.schema)
        if message not in self._probed:
            self._probed[message] = parquet_problem(first)
        if (problem := self._probed[message]) is not None:
            reason = f"Parquet cannot hold it ({problem}); buyers get it as Arrow"
            self._told.setdefault(reason, []).append(table.path)

    def _notes(self) -> Iterator[str]:
        if self._preview and self._inherited and self._older and not self._older.sampled:
            yield (
                f"{len(self._inherited):,} parts of {self._shard_size >> 10} KiB are those of the "
                "version before, which was packed blind, so fewer and larger than a sample needs; "
                "packed again by itself and listed as an update from there, it has small ones"
            )
        for reason, paths in self._told.items():
            others = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            yield f"{paths[0]}{others}: {reason}"

    def _seal_segment(self, segment: Encoded) -> "list[Future[None]]":
        """Seal an encoded segment; its memory is free when the futures are done."""
        start = self._append_table(segment.shards, segment.rows, segment.decoded_bytes)
        self._report.add(segment.size)
        futures: list[Future[None]] = []
        for shard in range(segment.shards):
            part = segment.payloads[shard * self._payload : (shard + 1) * self._payload]
            future = self._sealer.submit(start + shard, part)
            if future is not None:
                futures.append(future)
        return futures

    def _cutter(self, rows: RowQueue, path: str) -> Cutter | FineCutter:
        """Return a cutter for this container's shards."""
        if self._preview:
            head = self._estimate.heads.pop(path, None)
            encoded = self._estimate.encoded
            return FineCutter(rows, self._payload, encoded=encoded, path=path, head=head)
        return Cutter(rows, self._payload, path=path, use_threads=self._processes > 1)

    # ------- the files table

    def _reserve(self, bytes_entries: list[Entry]) -> int:
        """Return how many shards the files table will take at most.

        It stands at the front, but the lengths of tables are known only at the end: numbers
        that do not compress stand for them.
        """
        unknown = [
            Entry(table.path, TABLE, table.split, *_UNKNOWN, schema_message(table.schema))
            for table in self._plan.tables
        ]
        size = len(files_table.encode([*bytes_entries, *unknown]))
        if unknown:
            size += _RESERVE + 16 * len(unknown)
        return -(-size // self._payload)

    def _seal_files_table(self, front: int, entries: Sequence[Entry]) -> None:
        data = files_table.encode(entries)
        if len(data) > front * self._payload:
            raise CodecError("files: the files table outgrew its place; please report this")
        self._rows[0] = (FILES_SEGMENT, 0, 0, len(files_table.encode(entries, compress=False)))
        for i in range(front):
            part = data[i * self._payload : (i + 1) * self._payload]
            self._sealer.seal(i, memoryview(part.ljust(self._payload, b"\0")))

    # ------- shared

    def _append(self, segment: int, shards: int, rows: int, decoded: int) -> int:
        start = len(self._rows)
        if start + shards > MAX_PACKED_COUNT:
            raise LimitError(
                f"the container would have more than {MAX_PACKED_COUNT:,} shards, whose index "
                "readers refuse; choose a larger shard size, or split the data"
            )
        first_row = self._first_row
        for shard in range(shards):
            last = (0, 0) if shard else (rows, decoded)
            self._rows.append((segment, first_row, *last))
        return start

    def _append_table(self, shards: int, rows: int, decoded: int) -> int:
        start = self._append(self._next_segment, shards, rows, decoded)
        self._next_segment += 1
        self._first_row += rows
        return start

    def _inherit(self, i: int, old: int) -> None:
        assert self._older is not None
        ciphertext, key = self._older.shard(old)
        self._sealer.inherit(i, ciphertext, key)
        self._inherited.add(i)
        self._report.add(self._payload)

    def _index(self) -> ShardIndex:
        import numpy as np

        count = len(self._rows)
        numbers = np.array(self._rows, dtype=np.uint64).reshape(count, 4)
        sealer = self._sealer
        return ShardIndex(
            b"".join(sealer.sha256[i] for i in range(count)),
            b"".join(sealer.key_hash[i] for i in range(count)),
            b"".join(sealer.wrap_word[i] for i in range(count)),
            tuple(np.ascontiguousarray(numbers[:, column]) for column in range(4)),
        )
