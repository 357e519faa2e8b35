# SPDX-License-Identifier: Apache-2.0
"""Packs the Arrow messages of a segment into zstd frames.

Over all columns of a segment zstd is begun once, not once for each buffer, which in small segments
takes longer than to compress it, and costs bytes. What a frame must not do is mix columns that are
unlike each other: where a new one saves bytes is found out on the first rows of a table.
"""

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

LENGTH_SIZE: Final = 4
# What a frame may hold at most: so much zstd keeps in sight at its fastest level, in one segment.
_MOST: Final = 256 << 10
_LEAST: Final = 256
_MOST_FRAMES: Final = 32
# A frame more must save so much of all: it takes as long to begin one as to compress some KiB.
_GAIN: Final = 0.01
_RECORD_BATCH: Final = 3
_MARK: Final = b"\xff\xff\xff\xff"
END: Final = _MARK + bytes(4)
"""The end of a stream."""
# The same as a frame: magic number, single segment of 8 bytes, one last block, as it is.
_END_FRAME: Final = b"\x28\xb5\x2f\xfd\x20\x08\x41\x00\x00" + END


class FramePacker:
    """Packs messages of one table, each segment's by itself."""

    def __init__(self) -> None:
        """Pack into as few frames as may be, until `learn`."""
        import pyarrow as pa

        self._codec = pa.Codec("zstd")
        # Of the buffers of a record batch those with which a frame begins.
        self._begins: tuple[int, ...] = ()

    def pack(self, messages: "Sequence[pa.Buffer]") -> list[bytes]:
        """Return a segment, in parts: the length of its frames, then these.

        Args:
            messages: Whole ones, without compression, and without the end of the stream.
        """
        frames = [b""]
        for message in messages:
            for start, stop in pairwise(self._places(message)):
                frames.append(self._compressed(message, start, stop))
        frames.append(_END_FRAME)
        frames[0] = sum(map(len, frames)).to_bytes(LENGTH_SIZE, "little")
        return frames

    def learn(self, message: "pa.Buffer") -> None:
        """Find out where frames should begin, on the message of a record batch."""
        buffers = _buffers(message)
        places, numbers = [0], [0]
        for number, (place, stop) in enumerate(pairwise([*buffers, len(message)])):
            # Before a large buffer even the little that stands there may be in its way.
            is_large = 8 * (stop - place) >= len(message)
            least = _LEAST if is_large else max(4 * _LEAST, len(message) // _MOST_FRAMES)
            if place - places[-1] >= least and len(message) - place >= least:
                places.append(place)
                numbers.append(number)
        places.append(len(message))
        begins = []
        begin, alone = 0, self._size(message, 0, places[1])
        for number, (place, stop) in zip(numbers[1:], pairwise(places[1:]), strict=True):
            apart, together = self._size(message, place, stop), self._size(message, begin, stop)
            if alone + apart + _GAIN * self._size(message, 0, len(message)) < together:
                begins.append(number)
                begin, alone = place, apart
            else:
                alone = together
        self._begins = tuple(begins)

    def _places(self, message: "pa.Buffer") -> list[int]:
        """Return where frames begin, and the end."""
        places = [0]
        if self._begins:
            buffers = _buffers(message)
            for number in self._begins:
                if number < len(buffers) and buffers[number] - places[-1] >= _LEAST:
                    places.append(buffers[number])
            if len(places) > 1 and len(message) - places[-1] < _LEAST:
                places.pop()
        return [
            part
            for start, stop in pairwise([*places, len(message)])
            for part in range(start, stop, _MOST)
        ] + [len(message)]

    def _compressed(self, message: "pa.Buffer", start: int, stop: int) -> bytes:
        part = message.slice(start, stop - start)
        return bytes(self._codec.compress(part, asbytes=True))

    def _size(self, message: "pa.Buffer", start: int, stop: int) -> int:
        return len(self._compressed(message, start, stop))


def _buffers(message: "pa.Buffer") -> Sequence[int]:
    """Return where the buffers of a record batch begin in its message; nothing of other messages.

    That stands in a table of FlatBuffers, as pyarrow has just written it.
    """
    data = memoryview(message).cast("B")
    (size,) = struct.unpack_from("<i", data, len(_MARK))
    root = 8 + _number(data, 8)
    if data[_field(data, root, 1)] != _RECORD_BATCH:
        return ()
    batch = _follow(data, _field(data, root, 2))
    listed = _follow(data, _field(data, batch, 2))
    count = _number(data, listed)
    body = 8 + size
    return [
        body + start for start, _ in struct.iter_unpack("<qq", data[listed + 4 :][: 16 * count])
    ]


def _number(data: memoryview, place: int) -> int:
    return int(struct.unpack_from("<i", data, place)[0])


def _follow(data: memoryview, place: int) -> int:
    return place + _number(data, place)


def _field(data: memoryview, table: int, number: int) -> int:
    """Return where a field of a table is."""
    places = table - _number(data, table)
    return table + int(struct.unpack_from("<H", data, places + 4 + 2 * number)[0])
