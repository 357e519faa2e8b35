# SPDX-License-Identifier: Apache-2.0
"""Files as CAR archives: one stream of all blocks, to carry a file by hand or over plain HTTP.

Source: the CARv1 specification (ipld/specs, content-addressable archives).
"""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from truthmark.cid import CID, EMPTY_CID, RAW
from truthmark.errors import (
    BlockNotFoundError,
    ConfigError,
    LimitError,
    MalformedError,
    StorageError,
)
from truthmark.storage.block_storage import MAX_BLOCK, MAX_FILE, Storage, check_block
from truthmark.storage.dag import MAX_BLOCKS, parse_node, walk
from truthmark.storage.fetch import sync_folder
from truthmark.types import Progress

_CID_SIZE: Final = 36
_MAX_ROOTS: Final = 16
# DAG-CBOR has one encoding of {"roots": [...], "version": 1}; these are its constant parts.
_HEADER_START: Final = b"\xa2\x65roots"
_HEADER_ROOT: Final = b"\xd8\x2a\x58\x25\x00"  # tag 42, 37 bytes, identity multibase
_HEADER_END: Final = b"\x67version\x01"


class Car(NamedTuple):
    """An archive under way: its roots, and its blocks as they are read."""

    roots: list[CID]
    blocks: Iterator[tuple[CID, bytes]]


def write_car(
    store: Storage, cid: CID, stream: BinaryIO, *, on_block: Callable[[bytes], None] | None = None
) -> None:
    """Write the file `cid` to `stream`, parents before children, every block once."""
    header = _HEADER_START + b"\x81" + _HEADER_ROOT + cid.to_bytes() + _HEADER_END
    stream.write(_varint(len(header)) + header)
    for block, data in store.blocks(cid):
        stream.write(_varint(_CID_SIZE + len(data)) + block.to_bytes() + data)
        if on_block is not None:
            on_block(data)


def export_car(store: Storage, cid: CID, dest: Path, *, progress: Progress | None = None) -> None:
    """Write the file `cid` as an archive to `dest`, which appears only when it is whole.

    Args:
        store: where its blocks are read.
        cid: the file.
        dest: path of the archive.
        progress: called with bytes of the file that are written, and all.

    Raises:
        StorageError: a block is missing, or `dest` cannot be written.
    """
    dest = Path(dest)
    part = dest.with_name(dest.name + ".part")
    total = walk(store.read_block, cid).size if progress is not None else 0
    done = 0

    def count(data: bytes) -> None:
        nonlocal done
        done = min(done + len(data), total)  # inner nodes are no part of the file
        if progress is not None:
            progress(done, total)

    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            write_car(store, cid, stream, on_block=count)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(dest)
        sync_folder(dest.parent)
    except StorageError:
        raise
    except OSError as error:
        hint = "free some space" if error.errno == errno.ENOSPC else "check the path"
        raise StorageError(f"{dest} cannot be written: {error.strerror}; {hint}") from error
    finally:
        part.unlink(missing_ok=True)


def read_car(stream: BinaryIO, *, max_size: int = MAX_FILE) -> Car:
    """Read an archive that a stranger may have made.

    Every block is checked, and must be a root or linked from a block before it; at the end the
    trees must be whole. So an archive cannot smuggle in, leave out or repeat anything unnoticed.

    Args:
        stream: the archive.
        max_size: bytes of the largest file in it.

    Returns:
        Its roots, and an iterator over distinct blocks that raises as below.

    Raises:
        MalformedError: it is not a CARv1 of files with raw leaves.
        LimitError: a file, a block or the number of blocks is over the limit.
        BlockMismatchError: a block's bytes are not those of its CID.
        BlockNotFoundError: blocks are missing at the end.
    """
    roots = _read_header(stream)
    return Car(roots, _read_blocks(stream, roots, max_size))


def import_car(
    source: Path | BinaryIO,
    store: Storage,
    *,
    pin: bool = True,
    max_size: int = MAX_FILE,
    progress: Progress | None = None,
) -> list[CID]:
    """Store the files of an archive and return their roots; see `read_car` for what is refused.

    Args:
        source: the archive or its path.
        store: where the blocks go.
        pin: keep the files.
        max_size: bytes of the largest file in it.
        progress: called with bytes read, and all where `source` is a path (else 0).

    Raises:
        ConfigError: there is no such archive.
    """
    if isinstance(source, Path):
        if not source.is_file():
            raise ConfigError(f"{source}: no such file; name a CAR archive")
        total = source.stat().st_size
        with source.open("rb") as stream:
            return _import(stream, store, pin, max_size, progress, total)
    return _import(source, store, pin, max_size, progress, 0)


def _import(
    stream: BinaryIO,
    store: Storage,
    pin: bool,
    max_size: int,
    progress: Progress | None,
    total: int,
) -> list[CID]:
    car = read_car(stream, max_size=max_size)
    done = 0
    for cid, data in car.blocks:
        store.put_block(cid, data)
        done += len(data)
        if progress is not None:
            progress(min(done, total) if total else done, total)
    if pin:
        for root in car.roots:
            store.pin(root)
    return car.roots


def _read_header(stream: BinaryIO) -> list[CID]:
    length = _read_varint(stream)
    if length is None or length > 4096:
        raise _malformed("no header")
    header = _read_exactly(stream, length)
    body = header.removeprefix(_HEADER_START).removesuffix(_HEADER_END)
    if len(body) != len(header) - len(_HEADER_START) - len(_HEADER_END) or not body:
        raise _malformed("not a CARv1 header")
    count = body[0] - 0x80  # a CBOR array of fewer than 24
    step = len(_HEADER_ROOT) + _CID_SIZE
    if not 1 <= count <= _MAX_ROOTS or len(body) != 1 + count * step:
        raise _malformed(f"not 1 to {_MAX_ROOTS} roots")
    roots = []
    for start in range(1, len(body), step):
        if not body.startswith(_HEADER_ROOT, start):
            raise _malformed("a root that is no CID")
        roots.append(CID.from_bytes(body[start + len(_HEADER_ROOT) : start + step]))
    return roots


def _read_blocks(stream: BinaryIO, roots: list[CID], max_size: int) -> Iterator[tuple[CID, bytes]]:
    wanted = set(roots) - {EMPTY_CID}
    seen: set[CID] = {EMPTY_CID}
    while (length := _read_varint(stream)) is not None:
        if not _CID_SIZE <= length <= _CID_SIZE + MAX_BLOCK:
            raise LimitError(f"car: a block of {length} bytes; blocks are at most {MAX_BLOCK}")
        cid = CID.from_bytes(_read_exactly(stream, _CID_SIZE))
        data = check_block(cid, _read_exactly(stream, length - _CID_SIZE), "car")
        if cid in seen:
            if cid == EMPTY_CID and cid in roots:
                continue
            raise _malformed(f"block {cid} stands in it twice")
        if cid not in wanted:
            raise _malformed(f"block {cid} belongs to no root before it")
        wanted.discard(cid)
        seen.add(cid)
        size = len(data)
        if cid.codec != RAW:
            node = parse_node(data)
            size = node.size
            wanted.update(link.cid for link in node.links if link.cid not in seen)
        if size > max_size:
            raise LimitError(f"car: a file of {size} bytes where {max_size} are allowed")
        if len(wanted) + len(seen) > MAX_BLOCKS:
            raise LimitError(f"car: more than {MAX_BLOCKS} blocks; use larger blocks")
        yield cid, data
    if wanted:
        raise BlockNotFoundError(
            f"car: ends without {len(wanted)} of its blocks, such as {min(map(str, wanted))}; "
            "export it again"
        )


def _read_varint(stream: BinaryIO) -> int | None:
    """Return the varint that comes next, None at the end of the archive."""
    value = 0
    for shift in range(0, 35, 7):
        byte = stream.read(1)
        if not byte:
            if shift == 0:
                return None
            raise _malformed("cut off")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            if byte[0] == 0 and shift:
                raise _malformed("a length not in its shortest form")
            return value
    raise _malformed("a length over 35 bits")


def _read_exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise _malformed("cut off")
    return data


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))


def _malformed(why: str) -> MalformedError:
    return MalformedError(f"car: {why}; export the file again as CARv1 with raw leaves")
