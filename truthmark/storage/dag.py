# SPDX-License-Identifier: Apache-2.0
"""Read the tree of a file from blocks that a stranger may have made.

Only files are read, as `ipfs add --cid-version=1 --raw-leaves` makes them: DAG-PB nodes with
UnixFS data above raw leaves. Everything a node declares is a limit for what is below it, and
whatever would make a reader work more than the declared size deserves is refused.

Sources: the DAG-PB and UnixFS specifications (ipfs/specs).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from truthmark.cid import CID, MAX_LINKS, RAW
from truthmark.errors import LimitError, MalformedError
from truthmark.storage.limits import MAX_BLOCK, MAX_FILE

MAX_DEPTH: Final = 8
"""Levels of inner nodes; four hold 4 TiB in blocks of 4 KiB."""

MAX_BLOCKS: Final = 1 << 22
"""Blocks of one tree; 4 TiB in blocks of 1 MiB."""

ReadBlock = Callable[[CID], bytes]
"""Returns a checked block or raises a `StorageError`."""

_UNIXFS_FILE: Final = 2


class Link(NamedTuple):
    """A child of an inner node and the bytes of the file below it."""

    cid: CID
    size: int


class Leaf(NamedTuple):
    """A raw block and the place of its bytes in the file; `data` where it was read already."""

    cid: CID
    offset: int
    length: int
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """An inner node: bytes of the file below it and its children in order."""

    size: int
    links: list[Link]


@dataclass(frozen=True, slots=True)
class Walk:
    """A file's size and its leaves in order; nodes are read as the iteration gets to them."""

    size: int
    leaves: Iterator[Leaf]


def parse_node(data: bytes) -> Node:
    """Decode an inner node.

    Raises:
        MalformedError: it is not a UnixFS file node above raw leaves, or its sizes disagree.
        LimitError: it has more than 1,024 links.
    """
    links: list[CID] = []
    unixfs: bytes | None = None
    for number, value in _fields(data):
        if number == 2 and isinstance(value, bytes) and unixfs is None:
            if len(links) == MAX_LINKS:
                raise LimitError(f"node: more than {MAX_LINKS} links; add the file with fewer")
            links.append(_parse_link(value))
        elif number == 1 and isinstance(value, bytes) and unixfs is None:
            unixfs = value
        else:
            raise _malformed("node", f"field {number} out of place")
    if unixfs is None:
        raise _malformed("node", "no UnixFS data")
    if not links:
        raise _malformed("node", "no links")
    size, sizes = _parse_unixfs(unixfs)
    if len(sizes) != len(links):
        raise _malformed("node", f"{len(links)} links but {len(sizes)} sizes")
    if min(sizes) == 0 or sum(sizes) != size:
        raise _malformed("node", "its sizes do not add up")
    return Node(size, list(map(Link, links, sizes)))


def walk(
    read: ReadBlock, root: CID, *, start: int = 0, stop: int | None = None, max_size: int = MAX_FILE
) -> Walk:
    """Return the size of the file `root` and its leaves that hold bytes of `[start, stop)`.

    Args:
        read: returns checked blocks.
        root: the file.
        start: first byte wanted.
        stop: byte after the last one wanted; the end of the file if None.
        max_size: bytes; a larger file is refused at its root.

    Raises:
        LimitError: the file is larger than `max_size`, or too deep, or of too many blocks.
        MalformedError: a node is not one of a file, or is not of the size its parent declares.
    """
    if root.codec == RAW:
        data = read(root)
        _check_size(root, len(data), max_size)
        wanted = len(data) > start and (stop is None or stop > 0)
        return Walk(len(data), iter([Leaf(root, 0, len(data), data)] if wanted else []))
    node = parse_node(read(root))
    _check_size(root, node.size, max_size)
    end = node.size if stop is None else min(stop, node.size)
    return Walk(node.size, _leaves(read, root, node, start, end))


def leaf_bytes(read: ReadBlock, leaf: Leaf) -> bytes:
    """Return the bytes of `leaf`.

    Raises:
        MalformedError: the block is not as long as its parent declared.
    """
    data = read(leaf.cid) if leaf.data is None else leaf.data
    if len(data) != leaf.length:
        raise _malformed(str(leaf.cid), f"{len(data)} bytes where {leaf.length} were declared")
    return data


def visit(
    read: ReadBlock, root: CID, *, max_size: int = MAX_FILE
) -> Iterator[tuple[CID, bytes | None]]:
    """Yield the blocks of a tree depth first: nodes with their bytes, leaves unread as None.

    An inner node that stands in several places is entered once, a leaf may come again.

    Raises:
        LimitError, MalformedError: as for `walk`.
    """
    if root.codec == RAW:
        yield root, None
        return
    sizes: dict[CID, int] = {}
    stack: list[tuple[CID, int | None, int]] = [(root, None, 1)]
    count = 0
    while stack:
        cid, declared, depth = stack.pop()
        count = _check_count(root, count + 1)
        if cid.codec == RAW:
            yield cid, None
        elif cid in sizes:
            _check_declared(cid, sizes[cid], declared)
        else:
            data = read(cid)
            node = parse_node(data)
            sizes[cid] = node.size
            _check_declared(cid, node.size, declared)
            if declared is None:
                _check_size(root, node.size, max_size)
            _check_depth(root, depth)
            yield cid, data
            stack.extend((link.cid, link.size, depth + 1) for link in reversed(node.links))


def _leaves(read: ReadBlock, root: CID, node: Node, start: int, end: int) -> Iterator[Leaf]:
    stack: list[tuple[Link, int, int]] = []  # link, offset in the file, depth

    def push(links: list[Link], offset: int, depth: int) -> None:
        placed = []
        for link in links:
            if offset < end and offset + link.size > start:
                placed.append((link, offset, depth))
            offset += link.size
        stack.extend(reversed(placed))

    push(node.links, 0, 2)
    count = 1
    while stack:
        link, offset, depth = stack.pop()
        count = _check_count(root, count + 1)
        if link.cid.codec == RAW:
            if link.size > MAX_BLOCK:
                raise LimitError(
                    f"node: a leaf of {link.size} bytes; blocks are at most {MAX_BLOCK}"
                )
            yield Leaf(link.cid, offset, link.size)
        else:
            _check_depth(root, depth)
            child = parse_node(read(link.cid))
            _check_declared(link.cid, child.size, link.size)
            push(child.links, offset, depth + 1)


def _check_size(root: CID, size: int, max_size: int) -> None:
    if size > max_size:
        raise LimitError(
            f"{root}: a file of {size} bytes where {max_size} are allowed; "
            "allow more if you expected it"
        )


def _check_count(root: CID, count: int) -> int:
    if count > MAX_BLOCKS:
        raise LimitError(f"{root}: a tree of more than {MAX_BLOCKS} blocks; use larger blocks")
    return count


def _check_depth(root: CID, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise LimitError(f"{root}: a tree of more than {MAX_DEPTH} levels; add the file again")


def _check_declared(cid: CID, size: int, declared: int | None) -> None:
    if declared is not None and size != declared:
        raise _malformed(str(cid), f"a subtree of {size} bytes where {declared} were declared")


def _parse_link(data: bytes) -> CID:
    cid: CID | None = None
    last = 0
    for number, value in _fields(data):
        if number <= last:
            raise _malformed("link", "fields out of order")
        last = number
        if number == 1 and isinstance(value, bytes):
            cid = CID.from_bytes(value)
        elif number == 2 and value == b"":
            pass  # files have nameless links; a directory would name them
        elif number == 3 and isinstance(value, int):
            pass  # Tsize: a hint for pinning, which we never rely on
        else:
            raise _malformed("link", f"field {number} does not belong into a file")
    if cid is None:
        raise _malformed("link", "no CID")
    return cid


def _parse_unixfs(data: bytes) -> tuple[int, list[int]]:
    kind: int | None = None
    size: int | None = None
    sizes: list[int] = []
    for number, value in _fields(data):
        if number == 1 and kind is None and isinstance(value, int):
            kind = value
        elif number == 3 and size is None and isinstance(value, int):
            size = value
        elif number == 4 and isinstance(value, int) and len(sizes) <= MAX_LINKS:
            sizes.append(value)
        else:
            raise _malformed("node", f"UnixFS field {number} does not belong above raw leaves")
    if kind != _UNIXFS_FILE or size is None:
        raise _malformed("node", "not a file")
    return size, sizes


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield `(field number, value)` of a protobuf message: varints and byte strings only."""
    position = 0
    while position < len(data):
        key, position = read_varint(data, position)
        if key & 7 == 0:
            number, position = read_varint(data, position)
            yield key >> 3, number
        elif key & 7 == 2:
            length, position = read_varint(data, position)
            if length > len(data) - position:
                raise _malformed("node", "a field longer than the block")
            yield key >> 3, data[position : position + length]
            position += length
        else:
            raise _malformed("node", f"wire type {key & 7}")


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the varint at `position` and the position behind it.

    Raises:
        MalformedError: it is cut off, not the shortest, or over 63 bits.
    """
    value = shift = 0
    while True:
        if position >= len(data) or shift > 56:
            raise _malformed("varint", "cut off or too long")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:
                raise _malformed("varint", "not the shortest form")
            return value, position
        shift += 7


def _malformed(what: str, why: str) -> MalformedError:
    return MalformedError(
        f"{what}: {why}; only files added with raw leaves and CID version 1 can be read"
    )
