# SPDX-License-Identifier: Apache-2.0
"""The local store: a folder that holds files under the very CIDs that Kubo gives them.

    <root>/files/<cid>       a whole file; its leaves are slices of it
    <root>/blocks/<xx>/<cid> loose blocks: inner nodes, small files, single blocks that were read
    <root>/pins/<cid>        empty; what `gc` keeps
    <root>/index.sqlite      leaf -> file and place; made again from the rest if lost
    <root>/tmp, <root>/lock

A container is not cut into blocks on disk: `put` gives the store a name of its own for the same
file (a copy-on-write clone where the filesystem has them, else a hard link), so that a terabyte
stays a terabyte. Every block is hashed as it is read, so a file that somebody edits in place
through its other name is noticed, never served, and replaced by the next `pin`.

Several processes may use one store: everything is written under a temporary name, synced and
renamed; writers share `lock`, and `gc` takes it alone. What is pinned survives a power cut; loose
unpinned blocks are a cache and need not.
"""

import errno
import fcntl
import io
import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from truthmark.cid import CID, DEFAULT_CHUNK_SIZE, RAW, build_dag
from truthmark.config.files import sync_path
from truthmark.errors import (
    BlockMismatchError,
    BlockNotFoundError,
    ConfigError,
    MalformedError,
    StorageError,
)
from truthmark.hashing import sha256
from truthmark.storage.block_storage import Storage
from truthmark.storage.dag import visit, walk
from truthmark.storage.fetch import BlockSource, fetch_file, is_whole
from truthmark.storage.leaf_index import IndexRow, LeafIndex
from truthmark.storage.limits import MAX_BLOCK, check_block, check_chunk
from truthmark.types import Progress

_LINK_FROM: Final = 1 << 20
"""Bytes; smaller files are copied: nothing to save, and they are edited in place more often."""

_FICLONE: Final = 0x40049409  # linux/fs.h


class LocalStore(Storage):
    """Files and blocks in a folder.

    Usage example::

        >>> store = LocalStore(Path("~/.local/share/truthmark/store").expanduser())
        >>> cid = store.put(Path("data.tmk"), chunk=1 << 16)
        >>> store.get(cid, Path("copy.tmk"))
    """

    writable = True
    workers = 1  # one disk; threads would only take turns

    def __init__(self, root: Path) -> None:
        """Open the store at `root`, making it if there is none.

        Raises:
            StorageError: the folder cannot be made or written.
        """
        self.root = Path(root)
        self.name = f"local:{self.root}"
        with self._errors():
            for part in ("blocks", "files", "pins", "tmp"):
                (self.root / part).mkdir(parents=True, exist_ok=True)
        self._index = LeafIndex(self.root / "index.sqlite", self._whole_files)

    # ------------------------------------------------------------------ writing

    def put(
        self,
        source: Path | bytes,
        *,
        chunk: int = DEFAULT_CHUNK_SIZE,
        pin: bool = True,
        progress: Progress | None = None,
    ) -> CID:
        """Store a file, or the bytes of one, and return its CID.

        Raises:
            ConfigError: `chunk` or `source` cannot be used.
            StorageError: the file changed while it was read, or the disk is full.
        """
        check_chunk(chunk)
        with self._errors(), self._lock(), self._temporary() as path:
            if isinstance(source, bytes):
                path.write_bytes(source)
            else:
                _take(Path(source), path)
            cid = self._adopt(path, chunk, progress)
            if pin:
                self._write_pin(cid)
        return cid

    def _adopt(self, path: Path, chunk: int, progress: Progress | None) -> CID:
        """Move the temporary file `path` into the store, pinned or not."""
        with path.open("rb", buffering=0) as stream:
            before = os.fstat(stream.fileno())
            dag = build_dag(_hash_leaves(stream, chunk, before.st_size, progress))
            after = os.fstat(stream.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise StorageError("storage: the file changed while it was stored; store it again")
            if not dag.nodes:
                stream.seek(0)
                self._write_block(dag.root, check_block(dag.root, stream.read(), self.name))
                return dag.root
            os.fsync(stream.fileno())
        for cid, data in dag.nodes:
            self._write_block(cid, data)
        self._install(dag.root, path)
        return dag.root

    def _install(self, cid: CID, path: Path) -> None:
        """Make the whole, synced temporary file `path` the one that holds `cid`."""
        path.replace(self._file_path(cid))
        sync_path(self.root / "files")
        self._index.add(str(cid), lambda: self._index_rows(cid))

    def put_block(self, cid: CID, data: bytes) -> None:
        """Store one block, unpinned.

        Raises:
            BlockMismatchError, LimitError: `data` is not the block of `cid`.
        """
        check_block(cid, data, "put_block")
        with self._errors(), self._lock():
            self._write_block(cid, data, sync=False)

    def link(self, cid: CID, path: Path) -> bool:
        """Hold the file at `path`, which is `cid`, without copying it; unpinned.

        Its inner nodes must be here already.

        Returns:
            Whether that was possible: the same filesystem, and the very bytes of `cid`.
        """
        if cid.codec == RAW:
            self.put_block(cid, path.read_bytes())
            return True
        with self._errors(), self._lock(), self._temporary() as temporary:
            if not _take(path, temporary, copy=False):
                return False
            if not is_whole(temporary, walk(self.read_block, cid)):
                return False
            sync_path(temporary)
            self._install(cid, temporary)
        return True

    def pin(
        self, cid: CID, *, progress: Progress | None = None, source: BlockSource | None = None
    ) -> None:
        """Keep the whole file from now on, on disk and checked.

        Damaged or missing blocks are fetched from `source`; what was fetched before a kill is not
        fetched again.

        Raises:
            BlockNotFoundError: a block is neither here nor at `source`.
        """
        with self._errors(), self._lock():
            reader = _Combined(self, source)
            if cid.codec == RAW:
                self._write_block(cid, reader.read_block(cid))
            else:
                fetch_file(
                    reader,
                    cid,
                    self._file_path(cid),
                    progress=progress,
                    wait=True,
                    on_node=self._write_block,
                )
                self._index.add(str(cid), lambda: self._index_rows(cid))
            self._write_pin(cid)

    def unpin(self, cid: CID) -> None:
        """Stop keeping it; harmless if it is not pinned. `gc` frees the space."""
        with self._errors(), self._lock():
            (self.root / "pins" / str(cid)).unlink(missing_ok=True)
            sync_path(self.root / "pins")

    def gc(self, *, older_than: float = 0.0) -> int:
        """Remove what no pin needs, also unfinished fetches; return the bytes freed.

        Waits for other processes that are writing.

        Args:
            older_than: Seconds since which it must not have been touched: between storing a block
                and pinning it there is a moment.

        Raises:
            StorageError: a pinned file lacks an inner node, so that what it needs is unknown.
        """
        with self._errors(), self._lock(alone=True):
            freed = sum(_remove(path) for path in self._loose(older_than))
            self._index.keep_only({path.name for path in (self.root / "files").iterdir()})
        return freed

    def loose_bytes(self, *, older_than: float = 0.0) -> int:
        """Return how many bytes on the disk `gc` would remove."""
        with self._errors():
            return sum(path.stat().st_blocks * 512 for path in self._loose(older_than))

    def _loose(self, older_than: float) -> list[Path]:
        """Return the files in the folder that no pin needs and that rest for so long."""
        files, blocks = self._needed()
        limit = time.time() - older_than
        return [
            path
            for path in self._everything()
            if (
                path.parent.name == "tmp"
                or path.name not in (files if path.parent.name == "files" else blocks)
            )
            and (not older_than or path.stat().st_ctime <= limit)
        ]

    def free(self, roots: Iterable[CID]) -> int:
        """Remove what these files left here and no pin needs; return the bytes freed.

        Those that are pinned stay, and so does everything else.

        Raises:
            StorageError: somebody is writing to the store, or a pinned file lacks an inner node.
        """
        freed = 0
        with self._errors(), self._lock(alone=True, wait=False):
            files, blocks = self._needed()
            gone: set[str] = set()
            for root in roots:
                for path in self.paths(root):
                    keep = files if path.parent.name == "files" else blocks
                    if path.name not in keep:
                        freed += _remove(path)
                        gone.add(path.name)
            known = {path.name for path in (self.root / "files").iterdir()}
            if gone:
                self._index.keep_only(known)
        return freed

    def paths(self, root: CID) -> list[Path]:
        """Return where a file, as far as it is here, lies in the store's folder."""
        found = {self._file_path(root), self._block_path(root)}
        with suppress(StorageError, MalformedError):  # of what is cut off, what can be reached
            for block, _ in visit(self.read_block, root):
                found.add(self._block_path(block))
        return [path for path in found if path.is_file()]

    def _needed(self) -> tuple[set[str], set[str]]:
        """Return the names of files and of loose blocks that pins need."""
        files = {str(cid) for cid in self.pins()}
        blocks: set[str] = set()
        for cid in self.pins():
            try:
                blocks.update(
                    str(block)
                    for block, node in visit(self.read_block, cid)
                    if node is not None or block == cid
                )
            except (StorageError, MalformedError) as error:
                raise StorageError(
                    f"{self.name}: pinned file {cid} is damaged; pin it again from another "
                    "storage, or unpin it, then repeat"
                ) from error
        return files, blocks

    def check(self, cid: CID) -> list[CID]:
        """Read every block of a file and return those that are missing or damaged."""
        bad = []
        try:
            for block, node in visit(self.read_block, cid):
                if node is None:
                    try:
                        self.read_block(block)
                    except StorageError:
                        bad.append(block)
        except (StorageError, MalformedError):
            bad.append(cid)
        return list(dict.fromkeys(bad))

    # ------------------------------------------------------------------ reading

    def _fetch(self, cid: CID) -> bytes:
        damaged = False
        with self._errors():
            for place in self._places(cid):
                data = _read_slice(*place)
                if data is not None and sha256(data) == cid.digest:
                    return data
                damaged = damaged or data is not None
        if damaged:
            raise BlockMismatchError(
                f"{self.name}: block {cid} is damaged on disk; pin its file again from elsewhere"
            )
        raise BlockNotFoundError(f"{self.name}: no block {cid}; fetch it from another storage")

    def _holds(self, cid: CID) -> bool:
        with self._errors():
            return any(
                path.is_file() and path.stat().st_size >= start + (length or 0)
                for path, start, length in self._places(cid)
            )

    def pins(self) -> list[CID]:
        """Return the roots that are kept, in the order of their texts."""
        with self._errors():
            names = sorted(path.name for path in (self.root / "pins").iterdir())
        return [CID.parse(name) for name in names]

    def _places(self, cid: CID) -> Iterator[tuple[Path, int, int | None]]:
        """Yield where the block may be: file, first byte, length (None: the whole file)."""
        yield self._block_path(cid), 0, None
        if cid.codec == RAW:
            for root, start, length in self._index.find(cid.digest):
                yield self.root / "files" / root, start, length

    # ------------------------------------------------------------------ the folder

    def _block_path(self, cid: CID) -> Path:
        name = str(cid)
        return self.root / "blocks" / name[-3:-1] / name

    def _file_path(self, cid: CID) -> Path:
        return self.root / "files" / str(cid)

    def _everything(self) -> list[Path]:
        return [
            *(self.root / "blocks").glob("*/*"),
            *(self.root / "files").iterdir(),
            *(self.root / "tmp").iterdir(),
        ]

    def _write_block(self, cid: CID, data: bytes, *, sync: bool = True) -> None:
        path = self._block_path(cid)
        known = _read_slice(path, 0, None)
        if known != data:
            with self._temporary() as temporary:
                temporary.write_bytes(data)
                if sync:
                    sync_path(temporary)
                path.parent.mkdir(exist_ok=True)
                temporary.replace(path)
        elif sync:
            sync_path(path)  # it may have come as a cache entry
        if sync:
            sync_path(path.parent)

    def _write_pin(self, cid: CID) -> None:
        (self.root / "pins" / str(cid)).touch()
        sync_path(self.root / "pins")

    def _index_rows(self, root: CID) -> Iterator[IndexRow]:
        for leaf in walk(self.read_block, root).leaves:
            yield leaf.cid.digest, leaf.offset, leaf.length

    def _whole_files(self) -> Iterator[tuple[str, Iterable[IndexRow]]]:
        """Yield every file and its leaves, for an index that was lost."""
        for path in sorted((self.root / "files").iterdir()):
            # A file whose nodes are lost cannot be served; `pin` brings them back.
            with suppress(MalformedError, StorageError):
                cid = CID.parse(path.name)
                for _ in self._index_rows(cid):  # fails here, not in the middle of the index
                    pass
                yield path.name, self._index_rows(cid)

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        """Yield a path on the same filesystem that is gone afterwards unless it was renamed."""
        path = self.root / "tmp" / secrets.token_hex(16)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def _lock(self, *, alone: bool = False, wait: bool = True) -> Iterator[None]:
        """Hold the store's lock, shared with other writers or `alone`; a kill releases it.

        Raises:
            StorageError: with `wait` False, if another one holds it.
        """
        how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        with (self.root / "lock").open("a") as handle:
            try:
                fcntl.flock(handle, how if wait else how | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StorageError(
                    f"{self.name}: something is being stored there; try again later"
                ) from error
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the operating system says into one line."""
        try:
            yield
        except StorageError:
            raise
        except (OSError, sqlite3.Error) as error:
            full = isinstance(error, OSError) and error.errno == errno.ENOSPC
            hint = "free some space, or run gc" if full else "check the folder and its rights"
            raise StorageError(f"{self.name}: {error}; {hint}") from error


class _Combined:
    """The local store first, then another one."""

    def __init__(self, local: LocalStore, source: BlockSource | None) -> None:
        self._local = local
        self._source = source
        self.workers = local.workers if source is None else source.workers

    def read_block(self, cid: CID) -> bytes:
        try:
            return self._local.read_block(cid)
        except (BlockNotFoundError, BlockMismatchError):
            if self._source is None:
                raise
            return self._source.read_block(cid)


def _take(source: Path, path: Path, *, copy: bool = True) -> bool:
    """Make `path` a clone of the file `source`, or a second name of it, or a copy.

    Returns:
        False where only a copy of a large file would do and `copy` forbids it.
    """
    if not source.is_file():
        raise ConfigError(f"{source}: no such file; name a regular file to store")
    with source.open("rb") as old, path.open("xb") as new:
        with suppress(OSError):  # most filesystems have no clones
            fcntl.ioctl(new, _FICLONE, old.fileno())
            return True
        size = os.fstat(old.fileno()).st_size
    path.unlink()
    if size >= _LINK_FROM:
        with suppress(OSError):  # another filesystem, or links to it are not allowed
            path.hardlink_to(source.resolve())
            return True
        if not copy:
            return False
    shutil.copyfile(source, path)
    return True


def _hash_leaves(
    stream: io.FileIO, chunk: int, total: int, progress: Progress | None
) -> Iterator[tuple[bytes, int]]:
    """Yield `(sha256, size)` of every chunk of `stream`."""
    buffer = memoryview(bytearray(chunk))
    done = 0
    while True:
        size = 0
        while size < chunk and (read := stream.readinto(buffer[size:])):
            size += read
        if size:
            yield sha256(buffer[:size]), size
            done += size
            if progress is not None:
                progress(done, total)
        if size < chunk:
            return


def _read_slice(path: Path, start: int, length: int | None) -> bytes | None:
    """Return bytes of a file, all that a block may have if `length` is None; None if missing."""
    try:
        with path.open("rb", buffering=0) as stream:
            return os.pread(stream.fileno(), MAX_BLOCK + 1 if length is None else length, start)
    except FileNotFoundError:
        return None


def _remove(path: Path) -> int:
    """Remove a file; return the bytes that this frees, none where it has other names."""
    state = path.stat()
    path.unlink()
    return state.st_blocks * 512 if state.st_nlink == 1 else 0
