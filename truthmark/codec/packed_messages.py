# SPDX-License-Identifier: Apache-2.0
"""Packs the Arrow messages of a segment into zstd frames.

Over all columns of a segment zstd is begun once, not once for each buffer, which in small segments
takes longer than to compress it, and costs bytes. Columns that are unlike each other stand within a
frame in blocks of their own, or in frames where these are smaller: where a new one saves bytes is
found out on the first rows of a table.
"""

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from truthmark.arrow import pa
from truthmark.errors import CodecError

LENGTH_SIZE: Final = 4
# What a frame may hold at most, as readers take it.
_MOST: Final = 8 << 20
# In between pyarrow's call for one buffer takes less time than its stream; of more than that zstd
# does not keep all in sight, so it says that it keeps less.
_SMALL: Final = 16 << 10
_LARGE: Final = 256 << 10
_LEAST: Final = 256
_MOST_BLOCKS: Final = 32
# A block more must save so much of all, and frames of their own so much more.
_GAIN: Final = 0.005
_FRAMES_GAIN: Final = 0.02
_RECORD_BATCH: Final = 3
_START: Final = struct.Struct("<q")
_MARK: Final = b"\xff\xff\xff\xff"
END: Final = _MARK + bytes(4)
"""The end of a stream."""
_MAGIC: Final = b"\x28\xb5\x2f\xfd"
# The same as a frame: magic number, single segment of 8 bytes, one last block, as it is.
_END_FRAME: Final = _MAGIC + b"\x20\x08\x41\x00\x00" + END
# How frames begin: one of which zstd was not told the size, then how much of it is kept in sight
# (one byte); one of a single segment, all of it in sight, then its size (four bytes).
_SIZE_UNKNOWN: Final = _MAGIC + b"\x00"
_SINGLE_SEGMENT: Final = _MAGIC + b"\xa0"


class FramePacker:
    """Packs messages of one table, each segment's by itself."""

    def __init__(self) -> None:
        """Pack into as few blocks as may be, until `learn`."""
        self._codec = pa.Codec("zstd")
        # Of the buffers of a record batch those with which a block begins, and where in its message
        # the list of them is.
        self._begins: tuple[int, ...] = ()
        self._list = 0
        self._has_frames = False  # of its own for each block

    def pack(self, messages: "Sequence[pa.Buffer]") -> list[bytes]:
        """Return a segment, in parts: the length of its frames, then these.

        Args:
            messages: Whole ones, without compression, and without the end of the stream.
        """
        frames = [b""]
        for message in messages:
            begins = self._places(message)
            for start in range(0, len(message), _MOST):
                stop = min(start + _MOST, len(message))
                inside = [place for place in begins if start < place < stop]
                frames += self._packed(message, [start, *inside, stop])
        frames.append(_END_FRAME)
        frames[0] = sum(map(len, frames)).to_bytes(LENGTH_SIZE, "little")
        return frames

    def learn(self, message: "pa.Buffer") -> None:
        """Find out where blocks should begin, and whether in one frame, on a batch's message."""
        self._begins, self._list = (), _list_of_buffers(message)
        self._has_frames = False
        if not self._list:
            return
        count = _number(memoryview(message).cast("B"), self._list)
        buffers = _places_of(message, self._list, range(count))
        places, numbers = [0], [0]
        for number, (place, stop) in enumerate(pairwise([*buffers, len(message)])):
            # Before a large buffer even the little that stands there may be in its way.
            is_large = 8 * (stop - place) >= len(message)
            least = _LEAST if is_large else max(4 * _LEAST, len(message) // _MOST_BLOCKS)
            if place - places[-1] >= least and len(message) - place >= least:
                places.append(place)
                numbers.append(number)
        places.append(len(message))
        begins = []
        gain = _GAIN * self._size(message, 0, len(message))
        begin, alone = 0, self._size(message, 0, places[1])
        for number, (place, stop) in zip(numbers[1:], pairwise(places[1:]), strict=True):
            apart, together = self._size(message, place, stop), self._size(message, begin, stop)
            if alone + apart + gain < together:
                begins.append(number)
                begin, alone = place, apart
            else:
                alone = together
        self._begins = tuple(begins)
        # Of a stream zstd does not know how long it is, and looks for long repetitions only.
        ends = [0, *self._places(message), len(message)]
        apart = sum(self._size(message, *pair) for pair in pairwise(ends))
        self._has_frames = apart < (1 - _FRAMES_GAIN) * len(self._frame(message, ends))

    def _packed(self, message: "pa.Buffer", places: Sequence[int]) -> list[bytes]:
        """Return frames of what begins and ends at `places`."""
        if not self._has_frames:
            return [self._frame(message, places)]
        return [
            self._compressed(message, start, stop)
            if stop - start <= _LARGE
            else self._frame(message, [start, stop])
            for start, stop in pairwise(places)
        ]

    def _places(self, message: "pa.Buffer") -> list[int]:
        """Return where blocks begin, except for the first."""
        places: list[int] = []
        for place in _places_of(message, self._list, self._begins):
            if place - (places[-1] if places else 0) >= _LEAST and place <= len(message) - _LEAST:
                places.append(place)
        return places

    def _frame(self, message: "pa.Buffer", places: Sequence[int]) -> bytes:
        """Return a frame of blocks that begin and end at `places`."""
        size = places[-1] - places[0]
        if len(places) == 2 and _SMALL < size <= _LARGE:
            return self._compressed(message, *places)
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            for start, stop in pairwise(places):
                stream.write(message.slice(start, stop - start))
                if stop < places[-1]:
                    stream.flush()  # which ends a block
        frame = sink.getvalue()
        # A stream does not know how much follows, so its frame does not say it, as it has to.
        if frame[: len(_SIZE_UNKNOWN)] != _SIZE_UNKNOWN:
            raise CodecError("zstd: pyarrow writes other frames than it did; please report this")
        head = _SINGLE_SEGMENT + size.to_bytes(4, "little")
        return head + bytes(frame.slice(len(_SIZE_UNKNOWN) + 1).to_pybytes())

    def _compressed(self, message: "pa.Buffer", start: int, stop: int) -> bytes:
        part = message.slice(start, stop - start)
        return bytes(self._codec.compress(part, asbytes=True))

    def _size(self, message: "pa.Buffer", start: int, stop: int) -> int:
        return len(self._compressed(message, start, stop))


def _list_of_buffers(message: "pa.Buffer") -> int:
    """Return where a record batch lists its buffers; 0 in other messages.

    It is a table of FlatBuffers, as pyarrow has just written it: the same for all batches of one
    schema.
    """
    data = memoryview(message).cast("B")
    root = 8 + _number(data, 8)
    if data[_field(data, root, 1)] != _RECORD_BATCH:
        return 0
    batch = _follow(data, _field(data, root, 2))
    return _follow(data, _field(data, batch, 2))


def _places_of(message: "pa.Buffer", listed: int, numbers: Sequence[int]) -> list[int]:
    """Return where some of the buffers begin that are listed there."""
    if not numbers:
        return []
    data = memoryview(message).cast("B")
    body = 8 + _number(data, 4)
    return [body + _START.unpack_from(data, listed + 4 + 16 * number)[0] for number in numbers]


def _number(data: memoryview, place: int) -> int:
    return int(struct.unpack_from("<i", data, place)[0])


def _follow(data: memoryview, place: int) -> int:
    return place + _number(data, place)


def _field(data: memoryview, table: int, number: int) -> int:
    """Return where a field of a table is."""
    places = table - _number(data, table)
    return table + int(struct.unpack_from("<H", data, places + 4 + 2 * number)[0])
