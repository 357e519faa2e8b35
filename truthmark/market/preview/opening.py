# SPDX-License-Identifier: Apache-2.0
"""Opens parts of a container with published keys, and says whose fault it is where it fails.

Nothing is trusted: ciphertext against the index, keys against their hashes, shards by their tags;
Arrow is decoded in a child process under limits. What a storage does not give is never held
against the seller, and what the seller committed to never against a storage. What this computer
lacks, time or memory or a program, is held against neither: it is an `UnableError`, which ends the
look and of which nothing is remembered.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from truthmark.cid import raw_cid
from truthmark.codec.container import Container
from truthmark.codec.files_table import Entry
from truthmark.codec.limits import DATA_NAME, DEFAULT_LIMITS, FILES_SEGMENT, PATIENT, Limits
from truthmark.codec.manifest import Manifest
from truthmark.codec.shard_index import Segment, ShardIndex
from truthmark.codec.shards import KeyedOpener, Opener, ShardSource
from truthmark.errors import (
    CodecError,
    IntegrityError,
    LimitError,
    StorageError,
    UnableError,
    WrongKeyError,
)
from truthmark.hashing import sha256
from truthmark.market.preview.states import PreviewState
from truthmark.market.preview.strata import MAX_FILES_SHARDS, Structure, column_text, files_shards
from truthmark.storage.fetch import read_ahead
from truthmark.text import format_size, plural

if TYPE_CHECKING:
    import pyarrow as pa

    from truthmark.market.entries import Version
    from truthmark.market.fetch import Fetcher

_T = TypeVar("_T")

MAX_DOWNLOAD: Final = 64 << 20
"""Bytes of a sample that are fetched unless somebody says otherwise."""
MAX_SECONDS: Final = 1_200.0
"""That decoding may take in one look, of all versions; fetching takes as long as it takes."""
_AGAIN: Final = "; get it again"


class EndError(Exception):
    """The look ends here: in a state, for a reason."""

    def __init__(self, state: PreviewState, why: str) -> None:
        """Keep both."""
        super().__init__(why)
        self.state, self.why = state, why


class Patience:
    """How long a look may still take: many segments could be as slow as one may be.

    Attributes:
        left: Seconds of decoding.
        media: Seconds that opening drawn files has taken so far.
    """

    def __init__(self, seconds: float = MAX_SECONDS) -> None:
        """Begin with all of them."""
        self.left = seconds
        self.media = 0.0

    @contextlib.contextmanager
    def spend(self) -> Iterator[None]:
        """Count the time that something takes.

        Raises:
            UnableError: There is none left.
        """
        if self.left <= 0:
            raise UnableError(
                "this computer took too long to decode what was opened; try again when it has less "
                "to do"
            )
        start = time.monotonic()
        try:
            yield
        finally:
            self.left -= time.monotonic() - start


class FetchedShards(ShardSource):
    """Shards of a container, by the CIDs that its index gives them; those asked for are kept.

    Attributes:
        fetched: bytes that were asked for so far.
    """

    def __init__(
        self, fetcher: "Fetcher", version: "Version", index: ShardIndex, shard_size: int
    ) -> None:
        """Read shards of a version from what was fetched of it, else from storage."""
        self._storage, self._index, self._size = fetcher.session.storage, index, shard_size
        self._path = fetcher.folder(version) / DATA_NAME
        self._kept: dict[int, bytes] = {}
        self.fetched = 0

    def fetch(self, shards: Collection[int]) -> None:
        """Fetch shards, several at once, and keep them until `drop`.

        Raises:
            StorageError: One is nowhere to be had.
        """
        missing = [i for i in shards if i not in self._kept]
        if not missing:
            return
        for i, data in read_ahead(missing, self._block, self._storage.workers):
            self._kept[i] = data
            self.fetched += len(data)

    def drop(self) -> None:
        """Forget what was fetched."""
        self._kept.clear()

    def read(self, i: int) -> bytes:
        """Return the ciphertext of shard `i`."""
        kept = self._kept.get(i)
        return self._block(i) if kept is None else kept

    def _block(self, i: int) -> bytes:
        digest = self._index.sha256(i)
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(i * self._size)
            data = file.read(self._size)
            if sha256(data) == digest:
                return data
        return self._storage.read_block(raw_cid(digest))


class OwnShards(FetchedShards):
    """Shards that somebody has, to look at them as others will who have to fetch them."""

    def __init__(self, opener: Opener) -> None:
        """Read from where `opener` reads."""
        self._opener, self._kept, self.fetched = opener, {}, 0

    def fetch(self, shards: Collection[int]) -> None:
        """Do nothing."""

    def _block(self, i: int) -> bytes:
        return self._opener.ciphertext(i)


@dataclass(slots=True)
class Opening:
    """A container as far as published keys open it.

    Args:
        manifest: Of the version.
        index: As the manifest commits to it.
        source: Gives ciphertext.
        keys: Published, by shard.
        limits: What may be spent on one segment.
        max_download: Bytes of segment 0 that are fetched.
        patience: How long decoding may take.

    Attributes:
        container: Opened by segment 0; None until `read_files`.
    """

    manifest: Manifest
    index: ShardIndex
    source: FetchedShards
    keys: Mapping[int, bytes]
    limits: Limits = DEFAULT_LIMITS
    max_download: int = MAX_DOWNLOAD
    patience: Patience = field(default_factory=Patience)
    container: Container | None = None
    _structure: Structure | None = None

    def read_files(self) -> Structure:
        """Open segment 0, whole, and return what it says of the rest.

        Raises:
            EndError: It cannot be, and in which state that leaves the sample.
        """
        if self._structure is not None:
            return self._structure
        run = self.index.segments[FILES_SEGMENT]
        shards = files_shards(self.index)
        if run.shards > MAX_FILES_SHARDS:
            raise EndError(
                PreviewState.PARTIAL,
                f"the table of its files has {run.shards:,} shards, {MAX_FILES_SHARDS:,} are read",
            )
        size = run.shards * self.manifest.shard_size
        if size > self.max_download:
            raise EndError(
                PreviewState.PARTIAL,
                f"the table of its files has {format_size(size)}, "
                f"{format_size(self.max_download)} are fetched",
            )
        if run.decoded_bytes > self.limits.files_table_bytes:
            raise EndError(
                PreviewState.PARTIAL,
                f"the table of its files has {format_size(run.decoded_bytes)}, too much to read",
            )
        missing = sum(i not in self.keys for i in shards)
        if missing:
            raise EndError(
                PreviewState.WAITING, f"the keys of {plural(missing, 'shard')} are missing"
            )
        self.container = self._judged("the table of its files", shards, self._open)
        try:
            entries = [file.entry for file in self.container.files]
            size = self.manifest.shard_size
            self._structure = Structure(self.index, entries, size, self._columns)
        except CodecError as error:
            raise EndError(PreviewState.BAD, str(error)) from error
        return self._structure

    def fetch(self, shards: Collection[int]) -> None:
        """Fetch ciphertext, several shards at once.

        Raises:
            EndError: UNREACHABLE.
        """
        self._judged(plural(len(shards), "shard"), shards, lambda limits: None)

    def shard(self, i: int) -> None:
        """Open one shard, for its tag only.

        Raises:
            EndError: BAD or UNREACHABLE.
        """
        self._judged(f"shard {i}", [i], lambda limits: self.opener.open(i))

    def segment(self, segment: Segment, path: str) -> "pa.Table":
        """Open and decode a segment of a table, whose shards are all open.

        Raises:
            EndError: BAD, PARTIAL or UNREACHABLE.
        """
        if segment.decoded_bytes > self.limits.segment_bytes:
            raise EndError(
                PreviewState.PARTIAL,
                f"segment {segment.number} declares {format_size(segment.decoded_bytes)}, "
                f"{format_size(self.limits.segment_bytes)} are decoded",
            )
        container = self.container
        assert container is not None
        file = container.file(path)

        def decode(limits: Limits) -> "pa.Table":
            container.limits = limits
            return container.decode_segment(file, segment)

        shards = range(segment.shard, segment.shard + segment.shards)
        return self._judged(f"segment {segment.number}", shards, decode)

    def file(self, path: str) -> bytes:
        """Return a file of the byte stream, whose shards are all open.

        Raises:
            EndError: BAD or UNREACHABLE.
        """
        container = self.container
        assert container is not None
        return self._judged(f"{path!r}", [], lambda limits: container.read_bytes(path))

    @property
    def opener(self) -> KeyedOpener:
        """Opens single shards."""
        size = self.manifest.shard_size
        return KeyedOpener(self.index, self.source, keys=self.keys, shard_size=size)

    def _columns(self, entry: Entry) -> bytes:
        # There may be hundreds of thousands of tables.
        with self.patience.spend():
            return column_text(entry)

    def _open(self, limits: Limits) -> Container:
        return Container(self.manifest, self.opener, limits=limits, card=None, opened=None)

    def _judged(self, what: str, shards: Collection[int], work: Callable[[Limits], _T]) -> _T:
        """Do something with shards, and turn what goes wrong into a state.

        Raises:
            EndError: It goes wrong wherever it is done.
            UnableError: It went wrong here.
        """
        try:
            self.source.fetch(shards)
            with self.patience.spend():
                try:
                    return work(self.limits)
                except (IntegrityError, WrongKeyError):
                    raise
                except (CodecError, UnableError):
                    # With patience: what is said of a seller must not hang on this machine.
                    return work(replace(self.limits, seconds=PATIENT.seconds))
        except (StorageError, IntegrityError) as error:
            raise EndError(
                PreviewState.UNREACHABLE, f"{what} cannot be fetched: {error}"
            ) from error
        except LimitError as error:
            is_files = self.container is None
            state = PreviewState.PARTIAL if is_files else PreviewState.BAD
            raise EndError(state, str(error)) from error
        except CodecError as error:
            # To get it again would not help here: it is what the seller has committed to.
            raise EndError(PreviewState.BAD, str(error).removesuffix(_AGAIN)) from error
