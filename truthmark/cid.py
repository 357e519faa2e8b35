# SPDX-License-Identifier: Apache-2.0
"""CIDs and the UnixFS tree of a file, byte for byte as Kubo makes them.

Pure arithmetic on digests: nothing here reads a block or talks to a network, so that the codec
can write CIDs into a manifest and the storage can check blocks with the same code. What is made
is what `ipfs add --cid-version=1 --raw-leaves --max-file-links=1024` makes (the profile
`unixfs-v1-2025`): raw leaves, a balanced tree of 1,024 links a node, DAG-PB nodes whose links
come before their data.

Sources: the CID specification (multiformats/cid), the DAG-PB and UnixFS specifications
(ipfs/specs), and `ipfs/boxo/ipld/unixfs/importer/balanced`.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from truthmark.errors import MalformedError

RAW: Final = 0x55
DAG_PB: Final = 0x70
MAX_LINKS: Final = 1024
DEFAULT_CHUNK_SIZE: Final = 1 << 20

_VERSION: Final = 1
_SHA2_256: Final = 0x12
_DIGEST_SIZE: Final = 32
_BINARY_SIZE: Final = 4 + _DIGEST_SIZE
_TEXT_SIZE: Final = 59  # "b" and 36 bytes in unpadded base32


@dataclass(frozen=True, slots=True)
class CID:
    """A version 1 content identifier of one block: its codec and its SHA-256.

    Only the two codecs that a file is made of (raw and DAG-PB), only SHA-256, only base32: one
    block has exactly one text here, so texts may be compared.

    Usage example::

        >>> str(raw_cid(hashlib.sha256(b"").digest()))
        'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
    """

    codec: int
    digest: bytes

    def __post_init__(self) -> None:
        """Refuse what is not used in this protocol."""
        if self.codec not in (RAW, DAG_PB) or len(self.digest) != _DIGEST_SIZE:
            raise MalformedError(
                "cid: only raw or DAG-PB blocks with a 32-byte SHA-256 are used here; "
                "add the file with CID version 1 and raw leaves"
            )

    def to_bytes(self) -> bytes:
        """Return the 36 binary bytes: version, codec, hash function, length, digest."""
        return bytes((_VERSION, self.codec, _SHA2_256, _DIGEST_SIZE)) + self.digest

    def __str__(self) -> str:
        """Return the canonical text: multibase `b`, base32, lower case, no padding."""
        return "b" + base64.b32encode(self.to_bytes()).decode("ascii").rstrip("=").lower()

    @classmethod
    def from_bytes(cls, data: bytes) -> "CID":
        """Read the binary form.

        Raises:
            MalformedError: it is not a version 1 CID of a raw or DAG-PB block with SHA-256.
        """
        if len(data) != _BINARY_SIZE or data[0] != _VERSION or data[2:4] != b"\x12\x20":
            raise MalformedError("cid: not a version 1 CID with SHA-256; check where it came from")
        return cls(data[1], bytes(data[4:]))

    @classmethod
    def parse(cls, text: str) -> "CID":
        """Read the canonical text.

        Raises:
            MalformedError: it is anything but the one text that `str` gives for some CID.
        """
        if len(text) != _TEXT_SIZE or not text.startswith("b"):
            raise MalformedError(f"cid: {text[:70]!r} is not a base32 CID of version 1")
        try:
            cid = cls.from_bytes(base64.b32decode(text[1:].upper() + "======"))
        except (binascii.Error, ValueError) as error:
            raise MalformedError(f"cid: {text!r} cannot be read as a base32 CID") from error
        if str(cid) != text:
            raise MalformedError(f"cid: {text!r} is not canonical; did you mean {cid}?")
        return cid


def raw_cid(digest: bytes) -> CID:
    """Return the CID of a raw block (a leaf of a file) with this SHA-256 `digest`."""
    return CID(RAW, digest)


EMPTY_CID: Final = raw_cid(hashlib.sha256(b"").digest())
"""The empty file. Kubo nodes never send this block to each other: answer it locally."""


@dataclass(frozen=True, slots=True)
class Dag:
    """The tree above the leaves of one file.

    Attributes:
        root: CID of the file.
        nodes: every inner node with its bytes, children before parents; empty for files of at
            most one leaf.
        size: bytes of the file.
    """

    root: CID
    nodes: list[tuple[CID, bytes]]
    size: int


def build_dag(leaves: Iterable[tuple[bytes, int]]) -> Dag:
    """Return the balanced UnixFS tree over `leaves`.

    Args:
        leaves: `(sha256, size in bytes)` of every chunk in order; may be a generator. No leaf
            at all is the empty file; one leaf is its own root.

    Returns:
        The tree; its memory is about 50 bytes a leaf.
    """
    nodes: list[tuple[CID, bytes]] = []
    # levels[d] collects the children of the next node at depth d, from the leaves upwards.
    levels: list[list[_Link]] = [[]]
    for digest, size in leaves:
        _push(levels, nodes, 0, _Link(raw_cid(digest), size, size))
    if len(levels) == 1 and len(levels[0]) <= 1:
        link = levels[0][0] if levels[0] else _Link(EMPTY_CID, 0, 0)
        return Dag(link.cid, nodes, link.file_size)
    depth = 0
    # A last node may hold a single link: all leaves stand at the same depth.
    while depth < len(levels) - 1 or len(levels[depth]) > 1:
        _push(levels, nodes, depth + 1, _close(levels[depth], nodes))
        depth += 1
    root = levels[depth][0]
    return Dag(root.cid, nodes, root.file_size)


def cid_of_stream(stream: BinaryIO, chunk_size: int = DEFAULT_CHUNK_SIZE) -> CID:
    """Return the CID that Kubo gives the rest of `stream` in chunks of `chunk_size` bytes."""
    buffer = bytearray(chunk_size)
    view = memoryview(buffer)

    def leaves() -> Iterable[tuple[bytes, int]]:
        while True:
            size = 0
            while size < chunk_size and (read := stream.readinto(view[size:])):  # type: ignore[attr-defined]
                size += read
            if size:
                yield hashlib.sha256(view[:size]).digest(), size
            if size < chunk_size:
                return

    return build_dag(leaves()).root


def cid_of_file(path: Path, chunk_size: int = DEFAULT_CHUNK_SIZE) -> CID:
    """Return the CID that Kubo gives the file at `path`; costs one SHA-256 pass."""
    with path.open("rb", buffering=0) as stream:
        return cid_of_stream(stream, chunk_size)


@dataclass(frozen=True, slots=True)
class _Link:
    """A child: its CID, the bytes of the file below it, and of all blocks below it (Tsize)."""

    cid: CID
    file_size: int
    tree_size: int


def _push(
    levels: list[list[_Link]], nodes: list[tuple[CID, bytes]], depth: int, link: _Link
) -> None:
    # A full level is closed only when one more link arrives: a file of exactly 1,024 leaves is
    # one node, not a node above a node.
    while depth < len(levels) and len(levels[depth]) == MAX_LINKS:
        closed = _close(levels[depth], nodes)
        levels[depth] = [link]
        link = closed
        depth += 1
    if depth == len(levels):
        levels.append([])
    levels[depth].append(link)


def _close(links: list[_Link], nodes: list[tuple[CID, bytes]]) -> _Link:
    block = _encode_node(links)
    cid = CID(DAG_PB, hashlib.sha256(block).digest())
    nodes.append((cid, block))
    return _Link(
        cid,
        sum(link.file_size for link in links),
        len(block) + sum(link.tree_size for link in links),
    )


def _encode_node(links: list[_Link]) -> bytes:
    parts = []
    for link in links:
        # PBLink: 1 Hash, 2 Name (empty but present), 3 Tsize.
        body = b"\x0a\x24" + link.cid.to_bytes() + b"\x12\x00\x18" + _varint(link.tree_size)
        parts.append(b"\x12" + _varint(len(body)) + body)
    # UnixFS Data: 1 Type = File, 3 filesize, 4 blocksizes (one a link).
    data = b"\x08\x02\x18" + _varint(sum(link.file_size for link in links))
    data += b"".join(b"\x20" + _varint(link.file_size) for link in links)
    parts.append(b"\x0a" + _varint(len(data)) + data)
    return b"".join(parts)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
