# SPDX-License-Identifier: Apache-2.0
"""Files as one stream of bytes, from which shards are filled."""

import os
from bisect import bisect_right
from itertools import accumulate

from truthmark.codec.sources import BytesFile
from truthmark.errors import CodecError


class ByteStream:
    """Files end to end, readable anywhere by many threads.

    Attributes:
        size: bytes of all of them.
    """

    def __init__(self, files: list[BytesFile]) -> None:
        """Put `files` end to end, in their order."""
        self._files = [file for file in files if file.size]
        self._starts = [0, *accumulate(file.size for file in self._files)]
        self.size = self._starts[-1]

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill `buffer` from `offset`; zeros behind the end.

        Raises:
            CodecError: a file is shorter than it was.
        """
        position = bisect_right(self._starts, offset) - 1
        done = 0
        while done < len(buffer) and position < len(self._files):
            file = self._files[position]
            start = offset + done - self._starts[position]
            size = min(file.size - start, len(buffer) - done)
            _read_exactly(file, buffer[done : done + size], start)
            done += size
            position += 1
        buffer[done:] = bytes(len(buffer) - done)


def _read_exactly(file: BytesFile, buffer: memoryview, offset: int) -> None:
    descriptor = os.open(file.location, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        while len(buffer):
            size = os.preadv(descriptor, [buffer], offset)
            if not size:
                raise CodecError(f"{file.location} became shorter while it was packed; try again")
            buffer, offset = buffer[size:], offset + size
    finally:
        os.close(descriptor)
