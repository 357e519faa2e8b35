# SPDX-License-Identifier: Apache-2.0
"""Many logs of one event at once: joined into one array of 32-byte words, and cut by columns.

Apart from `decode`, because loading numpy takes longer than a few logs do.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from truthmark.errors import MalformedReplyError
from truthmark.hashing import keccak256
from truthmark.index.schema import EventTable, Leaf

Words = NDArray[np.uint8]
"""Shape (logs, 32)."""


def cut_columns(table: EventTable, logs: Sequence[Mapping[str, Any]]) -> list[Sequence[Any]]:
    """Return the columns of an event whose values are words.

    Raises:
        MalformedReplyError: A log is not one of this event.
    """
    topics = [leaf for leaf in table.leaves if leaf.indexed]
    data = [leaf for leaf in table.leaves if not leaf.indexed]
    texts = ["".join([topic[2:] for topic in log["topics"][1:]]) for log in logs]
    words = {
        **dict(zip(topics, _words(texts, len(topics)), strict=True)),
        **dict(zip(data, _words([log["data"][2:] for log in logs], len(data)), strict=True)),
    }
    return [column_values(leaf, words[leaf]) for leaf in table.leaves]


def _words(texts: Sequence[str], count: int) -> list[Words]:
    """Turn hexadecimal texts of `count` words each into `count` arrays of shape (logs, 32)."""
    if any(len(text) != 64 * count for text in texts):
        raise MalformedReplyError("a chain endpoint gives logs of a wrong size; try another one")
    if count == 0:
        return []
    raw = np.frombuffer(bytes.fromhex("".join(texts)), np.uint8).reshape(len(texts), count, 32)
    return [raw[:, place] for place in range(count)]


def column_values(leaf: Leaf, words: Words) -> Sequence[Any]:
    """Turn words into the values of a column.

    Raises:
        MalformedReplyError: A word is no value of that type.
    """
    if leaf.is_hash:
        return _slices(words)
    if leaf.type == "address":
        _require_zero(words[:, :12])
        return checksum_addresses(_slices(words[:, 12:]))
    if leaf.type == "bool":
        _require_zero(words[:, :31])
        _require_zero(words[:, 31:] & np.uint8(254))
        return [bool(value) for value in words[:, 31].tolist()]
    if leaf.type.startswith("bytes"):
        size = int(leaf.type[5:])
        _require_zero(words[:, size:])
        return _slices(words[:, :size])
    return _integers_of(words, leaf.type)


def _integers_of(words: Words, kind: str) -> list[int] | list[int | bytes]:
    signed = not kind.startswith("u")
    unused = 32 - int(kind.removeprefix("u")[3:]) // 8
    low = np.ascontiguousarray(words[:, 24:]).view(">i8")[:, 0]
    fill = np.where(low < 0, 255, 0).astype(np.uint8)[:, None] if signed else np.uint8(0)
    if bool((words[:, :24] == fill).all()) and (signed or bool((low >= 0).all())):
        values: list[int] = low.tolist()
        if unused > 24:
            limit = 1 << 8 * (32 - unused) - signed
            if max(values) >= limit or min(values) < (-limit if signed else 0):
                raise MalformedReplyError("a chain endpoint gives an integer that is too large")
        return values
    if not signed:
        _require_zero(words[:, :unused])
    # Those of up to 64 bits as integers, the others as they are.
    fits = (words[:, :24] == fill).all(axis=1) & (signed | (low >= 0))
    pairs = zip(low.tolist(), fits.tolist(), _slices(words), strict=True)
    return [number if small else raw for number, small, raw in pairs]


def checksum_addresses(raw: Sequence[bytes]) -> list[str]:
    """Return addresses with the capitals of ERC-55; each different one is hashed once."""
    unique = list(dict.fromkeys(raw))
    digits = [address.hex() for address in unique]
    marks = b"".join([keccak256(text.encode())[:20] for text in digits])
    letters = np.frombuffer("".join(digits).encode(), np.uint8).reshape(-1, 40)
    nibbles = np.frombuffer(marks.hex().encode(), np.uint8).reshape(-1, 40)
    capital = (nibbles >= ord("8")) & (letters >= ord("a"))
    text = (letters - 32 * capital.astype(np.uint8)).tobytes().decode()
    cased = {a: f"0x{text[40 * i : 40 * i + 40]}" for i, a in enumerate(unique)}
    return [cased[address] for address in raw]


def _slices(words: Words) -> list[bytes]:
    size = words.shape[1]
    raw = words.tobytes()
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def _require_zero(part: Words) -> None:
    if part.any():
        raise MalformedReplyError("a chain endpoint gives logs with stray bits; try another one")
