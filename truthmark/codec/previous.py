# SPDX-License-Identifier: Apache-2.0
"""What an update can take over from the version before."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from truthmark.arrow import pa
from truthmark.cid import CID
from truthmark.codec.container import Container, File, open_container
from truthmark.codec.limits import BYTES_SEGMENT, DEFAULT_LIMITS
from truthmark.codec.sampling import MAX_PREVIOUS, preview_asked
from truthmark.codec.segments import one_batch
from truthmark.codec.shard_index import Segment
from truthmark.errors import MalformedError

if TYPE_CHECKING:
    from truthmark.codec.sources import BytesFile
    from truthmark.codec.tables import Table

_CHUNK_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class Previous:
    """An older version: the folder that `pack` made, and its content key."""

    folder: Path
    cek: bytes


class OldSegment:
    """A segment that can be taken over if its rows are unchanged."""

    def __init__(self, container: Container, file: File, segment: Segment) -> None:
        """Describe `segment` of `file`."""
        self._container, self._file, self._segment = container, file, segment
        self.rows, self.shards = segment.rows, segment.shards
        self.shard, self.decoded_bytes = segment.shard, segment.decoded_bytes

    def first_row(self) -> "pa.Table":
        """Return a copy of the first row alone."""
        return self._container.decode_segment(self._file, self._segment).take([0])

    def holds(self, rows: "pa.Table") -> bool:
        """Tell whether the segment decodes to exactly `rows`."""
        old = self._container.decode_segment(self._file, self._segment)
        # NaN differs from itself, so equal bytes count as equal too.
        return old.equals(rows) or _plain_bytes(old) == _plain_bytes(rows)


class PreviousContainer:
    """The opened older version."""

    def __init__(self, container: Container) -> None:
        """Take over from `container`."""
        self._container = container
        self.shard_size = container.manifest.shard_size
        run = container.index.segments.get(BYTES_SEGMENT)
        self.stream_first = run.shard if run else 0
        self.stream_shards = run.shards if run else 0

    @property
    def sampled(self) -> tuple[CID, ...]:
        """Manifests of it and the versions before it, as far as samples of them could be drawn."""
        try:
            asked = preview_asked(self._container.card or {})
        except MalformedError:
            return ()  # a sample that nobody can draw shows nothing
        if asked is None:
            return ()
        return (self._container.manifest.cid, *asked.previous)[:MAX_PREVIOUS]

    def unchanged(self, files: "Sequence[BytesFile]") -> dict[str, int]:
        """Return the offset in the old byte stream of each file that is still the same."""
        old = {file.path: file for file in self._container.files if not file.is_table}
        return {
            file.path: old[file.path].offset
            for file in files
            if file.path in old and self._is_same(file, old[file.path])
        }

    def segments(self, table: "Table") -> list[OldSegment]:
        """Return the segments of the old table at the same path with the same columns."""
        return [
            OldSegment(self._container, file, segment)
            for file in self._container.tables
            if file.path == table.path and table.schema.equals(file.schema)
            for segment in self._container.segments_of(file)
        ]

    def shard(self, i: int) -> tuple[bytes, bytes]:
        """Return the checked ciphertext of shard `i` and its key."""
        opener = self._container.opener
        return opener.ciphertext(i), opener.key(i)

    def _is_same(self, new: "BytesFile", old: File) -> bool:
        if new.size != old.length:
            return False
        with new.location.open("rb") as file:
            for start in range(0, new.size, _CHUNK_SIZE):
                chunk = file.read(_CHUNK_SIZE)
                if chunk != self._container.read_bytes(old.path, start, start + _CHUNK_SIZE):
                    return False
        return True


@contextlib.contextmanager
def open_previous(previous: Previous | None) -> Iterator[PreviousContainer | None]:
    """Open the older version for as long as the pack takes."""
    if previous is None:
        yield None
        return
    with open_container(previous.folder, cek=previous.cek, limits=DEFAULT_LIMITS) as container:
        yield PreviousContainer(container)


def _plain_bytes(table: "pa.Table") -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in one_batch(table):
            writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())
