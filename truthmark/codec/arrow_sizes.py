# SPDX-License-Identifier: Apache-2.0
"""What an Arrow stream would have pyarrow make, counted in its messages before pyarrow reads them.

Within a message (a flatbuffer) one field, name or text can be referred to any number of times, and
pyarrow makes each of them again: some hundred kilobytes become gigabytes of anyone who reads. So
who cannot trust the writer counts first. Places are those of Arrow's format/Message.fbs and
Schema.fbs.
"""

import functools
import struct
from mmap import mmap
from typing import Final

_MARK: Final = 0xFFFFFFFF
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_TIMESTAMP: Final = 10
_KEPT_SIZE: Final = 1 << 20
_U16, _U32, _I32, _I64 = (struct.Struct(f"<{kind}").unpack_from for kind in "HIiq")


def require_modest(stream: mmap, most: int) -> None:
    """Refuse a stream of too many fields and arrays, too long texts, or compressed buffers.

    Only that: whether it is well formed is for pyarrow to say.

    Args:
        stream: An Arrow IPC stream.
        most: Fields of the schema at any depth, and likewise arrays of batches and dictionaries.

    Raises:
        ValueError: It has more, or texts that are longer than its schema, or its messages cannot
            be followed.
    """
    try:
        _require_modest(stream, most)
    except (struct.error, IndexError) as error:
        raise ValueError("its messages cannot be followed") from error


def _require_modest(stream: mmap, most: int) -> None:
    at = arrays = 0
    while at + 8 <= len(stream):
        (mark,), (size,) = _U32(stream, at), _U32(stream, at + 4)
        if mark != _MARK:
            raise ValueError("its messages cannot be followed")
        if not size:
            return  # the end
        message = _Message(stream[at + 8 : at + 8 + size])
        root = message.offset(0)
        kind, header, body = (message.place(root, number) for number in (1, 2, 3))
        if kind and header:
            arrays += _count(message, message.data[kind], message.offset(header), most)
            if arrays > most:
                raise ValueError(f"more than {most:,} arrays")
        length = _I64(message.data, body)[0] if body else 0
        if length < 0:
            raise ValueError("its messages cannot be followed")
        at += 8 + size + length


def _count(message: "_Message", kind: int, table: int, most: int) -> int:
    """Return how many arrays a message is of; look at it first if it is a schema."""
    if kind == _SCHEMA:
        # Segments of one file have the same: it is looked at once.
        looked_at = _look if len(message.data) <= _KEPT_SIZE else _look.__wrapped__
        looked_at(message.data, table, most)
    if kind == _DICTIONARY:
        place = message.place(table, 1)
        table = message.offset(place) if place else 0
    if kind not in (_DICTIONARY, _BATCH) or not table:
        return 0
    nodes, buffers, compression, views = (message.place(table, number) for number in (1, 2, 3, 4))
    if compression:
        raise ValueError("compressed buffers")
    if views:
        counts, most = message.offset(views), _vector_size(message, buffers)
        for index in range(message.number(counts)):
            if (number := _I64(message.data, counts + 4 + 8 * index)[0]) < 0:
                raise ValueError("its messages cannot be followed")
            most -= number
        if most < 0:
            raise ValueError("more buffers than it has")
    return _vector_size(message, nodes)


def _vector_size(message: "_Message", place: int) -> int:
    return message.number(message.offset(place)) if place else 0


@functools.lru_cache(maxsize=16)
def _look(data: bytes, schema: int, most: int) -> None:
    """Refuse a schema of too many fields, or of too long texts."""
    message = _Message(data)
    count = texts = 0
    fields, metadata = message.tables(schema, 1, most), message.tables(schema, 2, most)
    while fields or metadata:
        for pair in metadata:
            texts += 1 + message.length(pair, 0) + message.length(pair, 1)
        metadata = []
        if fields:
            field = fields.pop()
            count += 1
            texts += message.length(field, 0)
            kind, type_ = message.place(field, 2), message.place(field, 3)
            if kind and type_ and data[kind] == _TIMESTAMP:
                texts += message.length(message.offset(type_), 1)
            fields += message.tables(field, 5, most)
            metadata = message.tables(field, 6, most)
        if count + len(fields) > most:
            raise ValueError(f"more than {most:,} fields")
        if texts > len(data):
            raise ValueError("names and texts that are longer than its schema")


class _Message:
    """A flatbuffer."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def place(self, table: int, number: int) -> int:
        """Return where a field of a table is; 0 where it is left out."""
        offsets = table - _I32(self.data, table)[0]
        if offsets < 0:
            raise ValueError("its messages cannot be followed")
        if 6 + 2 * number > _U16(self.data, offsets)[0]:
            return 0
        offset = _U16(self.data, offsets + 4 + 2 * number)[0]
        return table + offset if offset else 0

    def tables(self, table: int, number: int, most: int) -> list[int]:
        """Return where the tables are that a field holds."""
        if not (place := self.place(table, number)):
            return []
        vector = self.offset(place)
        count = self.number(vector)
        if count > most:
            raise ValueError(f"more than {most:,} fields or texts")
        return [self.offset(vector + 4 + 4 * index) for index in range(count)]

    def length(self, table: int, number: int) -> int:
        """Return how long a text of a table is."""
        return _vector_size(self, self.place(table, number))

    def offset(self, at: int) -> int:
        return at + self.number(at)

    def number(self, at: int) -> int:
        return int(_U32(self.data, at)[0])
