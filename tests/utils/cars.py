# SPDX-License-Identifier: Apache-2.0
"""CAR archives by their specification, read and written without the library's code."""

from tests.utils.dags import varint
from truthmark.cid import CID


def header(root: CID) -> bytes:
    body = b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00" + root.to_bytes() + b"\x67version\x01"
    return varint(len(body)) + body


def section(cid: CID, data: bytes) -> bytes:
    return varint(36 + len(data)) + cid.to_bytes() + data


def blocks_of(archive: bytes, root: CID) -> list[tuple[CID, bytes]]:
    """Return the blocks of an archive with this one root, in their order."""
    start = header(root)
    assert archive.startswith(start)
    found, place = [], len(start)
    while place < len(archive):
        size = shift = 0
        while True:
            byte = archive[place]
            place += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        found.append(
            (CID.from_bytes(archive[place : place + 36]), archive[place + 36 : place + size])
        )
        place += size
    return found
