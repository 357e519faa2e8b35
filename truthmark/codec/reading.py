# SPDX-License-Identifier: Apache-2.0
"""Reads small files from outside without trusting their size."""

from pathlib import Path

from truthmark.errors import CodecError, LimitError


def read_limited(path: Path, limit: int) -> bytes:
    """Return the bytes of a file of at most `limit` bytes.

    Raises:
        LimitError: it is larger.
        CodecError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise CodecError(
            f"{path} cannot be read ({error.strerror}); is this the folder of a container?"
        ) from error
    if len(data) > limit:
        raise LimitError(f"{path}: more than the {limit} bytes allowed; get it again")
    return data
