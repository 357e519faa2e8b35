# SPDX-License-Identifier: Apache-2.0
"""Bring a file from any storage to a path: several blocks at once, resumable, checked.

Checked blocks go to `<dest>.part` at their final place, inner nodes to `<dest>.part.nodes`. There
is no journal to fall out of step: after a kill, whatever in these two files still has the right
hash is kept and not fetched again, and the rest is fetched. `dest` itself appears, or is replaced,
only when it is whole and on disk.
"""

import errno
import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from truthmark.cid import CID, RAW
from truthmark.config.files import sync_path
from truthmark.errors import MalformedError, StorageError
from truthmark.hashing import sha256
from truthmark.storage.dag import Leaf, Walk, leaf_bytes, walk
from truthmark.storage.limits import MAX_BLOCK, MAX_FILE, check_block
from truthmark.types import Progress

_T = TypeVar("_T")

_LEFT_SECONDS: Final = 1.0
_HEAD: Final = 40  # 36 bytes of CID, 4 bytes of length


class BlockSource(Protocol):
    """The part of a storage that fetching needs."""

    workers: int

    def read_block(self, cid: CID) -> bytes:
        """Return one block, checked."""
        ...


def fetch_file(
    source: BlockSource,
    cid: CID,
    dest: Path,
    *,
    progress: Progress | None = None,
    resume: bool = True,
    max_size: int = MAX_FILE,
    wait: bool = False,
    on_node: Callable[[CID, bytes], None] | None = None,
) -> None:
    """Write the file `cid` to `dest`.

    A `dest` that holds these very bytes already is left as it is.

    Args:
        source: where blocks are read, `source.workers` at once.
        cid: the file.
        dest: its path; missing parents are made.
        progress: called with bytes in place and in all.
        resume: keep the checked blocks of an earlier attempt, else start over.
        max_size: bytes; a larger file is refused before anything is written.
        wait: wait for another process that fetches to `dest` instead of refusing.
        on_node: called once with every inner node and its bytes.

    Raises:
        StorageError: a block cannot be read or `dest` cannot be written; what was fetched is kept
            for the next attempt.
        LimitError, MalformedError: the tree breaks the limits or the format.
    """
    dest = Path(dest)
    with _as_storage_error(dest), _locked_part(dest, wait=wait) as handle:
        if not resume:
            os.ftruncate(handle, 0)
            _nodes_path(dest).unlink(missing_ok=True)
        elif _is_block(dest, cid):
            _part_path(dest).unlink()
            return
        with (
            _kept_if_used(dest, handle),
            _NodeFile(_nodes_path(dest), source, on_node) as nodes,
        ):
            tree = walk(nodes.read_block, cid, max_size=max_size)
            part = _PartFile(handle, tree.size, progress)
            if resume and is_whole(dest, tree):
                _part_path(dest).unlink()
                part.advance(tree.size)
            else:
                leaves = walk(nodes.read_block, cid, max_size=max_size).leaves
                _fill(source, (leaf for leaf in leaves if not part.holds(leaf)), part)
                os.fsync(handle)
                _part_path(dest).replace(dest)
                sync_path(dest.parent)
        # Only now: until `dest` stands, the next attempt must find the nodes.
        _nodes_path(dest).unlink(missing_ok=True)


def is_whole(path: Path, tree: Walk) -> bool:
    """Return whether `path` holds exactly the file of `tree`."""
    if not path.is_file() or path.stat().st_size != tree.size:
        return False
    with path.open("rb", buffering=0) as stream:
        for leaf in tree.leaves:
            if leaf.length > MAX_BLOCK or sha256(stream.read(leaf.length)) != leaf.cid.digest:
                return False
    return True


def read_ahead(
    items: Iterable[_T],
    read: Callable[[_T], bytes],
    workers: int,
    *,
    on_left: Callable[[_T, bytes], None] | None = None,
) -> Iterator[tuple[_T, bytes]]:
    """Yield `(item, read(item))` in order, with up to `2 * workers` reads under way.

    Args:
        items: what to read.
        read: reads one item; called in threads where `workers` is over 1.
        workers: how many reads run at once.
        on_left: given what had been read when the iteration ended early.
    """
    if workers <= 1:
        for item in items:
            yield item, read(item)
        return
    pending: deque[tuple[_T, Future[bytes]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="read-ahead")
    try:
        for item in items:
            pending.append((item, pool.submit(read, item)))
            if len(pending) >= 2 * workers:
                yield pending[0][0], pending[0][1].result()
                pending.popleft()
        while pending:
            yield pending[0][0], pending[0][1].result()
            pending.popleft()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if on_left is not None:
            # What was asked for is worth a moment, but not the whole time that a stall may take.
            under_way = [future for _, future in pending if not future.cancelled()]
            wait_for(under_way, timeout=_LEFT_SECONDS)
            for item, future in pending:
                if future.done() and not future.cancelled() and future.exception() is None:
                    on_left(item, future.result())


def _fill(source: BlockSource, leaves: Iterator[Leaf], part: "_PartFile") -> None:
    """Bring every leaf into `part`, several on their way at once."""

    def keep(leaf: Leaf, data: bytes) -> None:
        with suppress(OSError):  # already failing, or interrupted
            part.write(leaf, data)

    read = partial(leaf_bytes, source.read_block)
    for leaf, data in read_ahead(leaves, read, source.workers, on_left=keep):
        part.write(leaf, data)


class _PartFile:
    """The file under way: the leaves that it holds already, and those that arrive."""

    def __init__(self, handle: int, size: int, progress: Progress | None) -> None:
        self._handle = handle
        self._old = min(os.fstat(handle).st_size, size)
        self._size = size
        self._done = 0
        self._progress = progress
        os.ftruncate(handle, size)

    def holds(self, leaf: Leaf) -> bool:
        """Return whether the bytes of `leaf` stand here already, from an earlier attempt."""
        end = leaf.offset + leaf.length
        if end > self._old or leaf.length > MAX_BLOCK:
            return False
        try:
            # A hole was never written; hashing terabytes of zeros would take hours.
            if os.lseek(self._handle, leaf.offset, os.SEEK_DATA) >= end:
                return False
        except OSError:  # ENXIO: nothing but a hole from here on
            return False
        data = os.pread(self._handle, leaf.length, leaf.offset)
        if len(data) != leaf.length or sha256(data) != leaf.cid.digest:
            return False
        self.advance(leaf.length)
        return True

    def write(self, leaf: Leaf, data: bytes) -> None:
        """Put the checked bytes of `leaf` at their place."""
        view = memoryview(data)
        written = 0
        while written < len(view):
            written += os.pwrite(self._handle, view[written:], leaf.offset + written)
        self.advance(len(data))

    def advance(self, count: int) -> None:
        """Report `count` more bytes in place."""
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._size)


class _NodeFile:
    """Inner nodes, each fetched once: read from the source, kept in a file beside the target.

    Records are 36 bytes of CID, u32 length, the node. A torn or foreign tail is cut off.
    """

    def __init__(
        self, path: Path, source: BlockSource, on_node: Callable[[CID, bytes], None] | None
    ) -> None:
        self._source = source
        self._on_node = on_node
        self._places: dict[CID, tuple[int, int]] = {}
        self._told: set[CID] = set()
        self._small: bytes | None = None  # the whole file where it is a single block
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        self._end = 0
        size = os.fstat(self._handle).st_size
        while self._end + _HEAD <= size:
            head = os.pread(self._handle, _HEAD, self._end)
            length = int.from_bytes(head[36:], "big")
            data = os.pread(self._handle, min(length, MAX_BLOCK), self._end + _HEAD)
            try:
                cid = CID.from_bytes(head[:36])
            except MalformedError:
                break
            if len(data) != length or sha256(data) != cid.digest:
                break
            self._places[cid] = (self._end + _HEAD, length)
            self._end += _HEAD + length
        os.ftruncate(self._handle, self._end)

    def read_block(self, cid: CID) -> bytes:
        """Return an inner node, or the only block of a small file."""
        if cid.codec == RAW:
            if self._small is None:
                self._small = self._source.read_block(cid)
            return self._small
        if cid in self._places:
            place, length = self._places[cid]
            data = check_block(cid, os.pread(self._handle, length, place), "part file")
        else:
            data = self._source.read_block(cid)
            record = cid.to_bytes() + len(data).to_bytes(4, "big") + data
            if os.pwrite(self._handle, record, self._end) != len(record):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._places[cid] = (self._end + _HEAD, len(data))
            self._end += len(record)
        if self._on_node is not None and cid not in self._told:
            self._told.add(cid)
            self._on_node(cid, data)
        return data

    def __enter__(self) -> "_NodeFile":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


def _is_block(path: Path, cid: CID) -> bool:
    """Return whether `path` is a file of the single raw block `cid`."""
    if cid.codec != RAW or not path.is_file() or path.stat().st_size > MAX_BLOCK:
        return False
    return sha256(path.read_bytes()) == cid.digest


def _part_path(dest: Path) -> Path:
    return dest.with_name(dest.name + ".part")


def _nodes_path(dest: Path) -> Path:
    return dest.with_name(dest.name + ".part.nodes")


@contextmanager
def _locked_part(dest: Path, *, wait: bool) -> Iterator[int]:
    """Open `<dest>.part`, locked against other processes that fetch to the same place."""
    if dest.is_dir():
        raise StorageError(f"{dest} is a folder; name the file to write")
    dest.parent.mkdir(parents=True, exist_ok=True)
    path = _part_path(dest)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StorageError(
                    f"{dest}: another process is fetching it; wait or choose another target"
                ) from error
            # Anyone who held the lock before may have renamed the file to its final place.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    yield handle
                    return
        finally:
            os.close(handle)


@contextmanager
def _kept_if_used(dest: Path, handle: int) -> Iterator[None]:
    """On failure remove the part files if no leaf has arrived: there is nothing to resume."""
    try:
        yield
    except BaseException:
        if os.fstat(handle).st_blocks == 0:
            _part_path(dest).unlink(missing_ok=True)
            _nodes_path(dest).unlink(missing_ok=True)
        raise


@contextmanager
def _as_storage_error(dest: Path) -> Iterator[None]:
    """Turn what the operating system says about `dest` into one line."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        hint = "free some space" if error.errno == errno.ENOSPC else "check the path and its rights"
        raise StorageError(
            f"{dest} cannot be written: {error.strerror or error}; {hint}, then repeat: "
            "what was fetched is kept"
        ) from error
