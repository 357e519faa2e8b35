# SPDX-License-Identifier: Apache-2.0
"""zstd frames by hand, and a reader of segments in frames from docs/format.md alone."""

import struct
from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa

MAGIC = b"\x28\xb5\x2f\xfd"
MESSAGE_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def block(content: bytes | int, kind: int = 0, *, is_last: bool = True) -> bytes:
    """One block: of content as it is, or of so many zeros."""
    size = content if isinstance(content, int) else len(content)
    head = (is_last | (1 if isinstance(content, int) else kind) << 1 | size << 3).to_bytes(
        3, "little"
    )
    return head + (b"\0" if isinstance(content, int) else content)


def frame(content: bytes, *, zeros: int = 0, says: int | None = None) -> bytes:
    """A frame that compresses nothing but the zeros behind its content."""
    size = len(content) + zeros if says is None else says
    blocks = block(content, is_last=not zeros) + (block(zeros) if zeros else b"")
    if size < 256:
        return MAGIC + bytes([0x20, size]) + blocks
    return MAGIC + b"\xa0" + struct.pack("<I", size) + blocks


def in_frames(*frames: bytes, length: int | None = None) -> bytes:
    """A segment of these frames."""
    data = b"".join(frames)
    return struct.pack("<I", len(data) if length is None else length) + data


def compressed(messages: bytes, cuts: Sequence[int] = ()) -> bytes:
    """A segment as a packer makes it, with frames that end where `cuts` say."""
    codec = pa.Codec("zstd")
    places = [0, *cuts, len(messages)]
    parts = [messages[a:b] for a, b in pairwise(places)]
    return in_frames(*(codec.compress(part, asbytes=True) for part in parts))


def read_by_the_page(segment: bytes, decoded_bytes: int) -> bytes | None:
    """Return the messages of a segment; None where the page says that it is refused."""
    if segment.startswith(b"\xff\xff\xff\xff"):
        return segment
    (length,) = struct.unpack_from("<I", segment)
    frames, found, blocks = segment[4 : 4 + length], [], 0
    if not length or len(frames) < length:
        return None
    while frames:
        end = _frame_end(frames)
        if end is None:
            return None
        size, count, rest = end
        blocks += count
        if blocks > 65_536 or sum(map(len, found)) + size > decoded_bytes:
            return None
        try:
            # A decoder of streams, which sees no further back than the frame says.
            stream = pa.CompressedInputStream(pa.BufferReader(frames[: len(frames) - rest]), "zstd")
            found.append(stream.read())
        except OSError:
            return None
        if len(found[-1]) != size:
            return None
        frames = frames[len(frames) - rest :]
    messages = b"".join(found)
    is_whole = len(messages) == decoded_bytes and messages.endswith(MESSAGE_END)
    return messages if is_whole else None


def _frame_end(data: bytes) -> tuple[int, int, int] | None:
    """Return the size of what a frame holds, its blocks, and the bytes behind it."""
    if data[:4] != MAGIC or len(data) < 6 or data[4] & 0b101011 != 0b100000:
        return None
    form = ("<B", "<H", "<I", "<Q")[data[4] // 64]
    try:
        (size,) = struct.unpack_from(form, data, 5)
        size += 256 * (form == "<H")
        rest, count, is_last = data[5 + struct.calcsize(form) :], 0, 0
        while not is_last:
            low, high = struct.unpack_from("<HB", rest)
            header = low + high * 65_536
            is_last, stored = header % 2, 1 if header // 2 % 4 == 1 else header // 8
            if len(rest) < 3 + stored:
                return None
            rest, count = rest[3 + stored :], count + 1
    except struct.error:
        return None
    checksum = 4 if data[4] & 4 else 0
    if len(rest) < checksum or size > 8 << 20:
        return None
    return size, count, len(rest) - checksum
