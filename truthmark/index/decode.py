# SPDX-License-Identifier: Apache-2.0
"""Logs decoded in bulk: from `eth_getLogs`' JSON to columns, without a Python object a value.

Logs of one event are joined into one array of 32-byte words and cut by columns. Events with
strings or arrays, which are rare, go through eth-abi one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from truthmark.errors import MalformedReplyError
from truthmark.hashing import keccak256
from truthmark.index.schema import EventTable, Leaf, to_column

Words = NDArray[np.uint8]
"""Shape (logs, 32)."""


@dataclass(frozen=True)
class Logs:
    """Decoded logs of a range of blocks.

    Attributes:
        columns: For each table its columns: block number, log index, transaction hash, then the
            leaves', in the form in which SQLite keeps them (see `to_sqlite`).
        hashes: Of the blocks that hold them, by number.
        timestamps: Of those blocks, where the node told them.
    """

    columns: Mapping[str, Sequence[Sequence[Any]]]
    hashes: Mapping[int, bytes]
    timestamps: Mapping[int, int]

    @property
    def count(self) -> int:
        """How many logs there are."""
        return sum(len(columns[0]) for columns in self.columns.values())


class LogDecoder:
    """Decodes the logs of some events.

    Usage example::

        logs = LogDecoder(schema.events.values()).decode(result, 100, 200)
    """

    def __init__(self, tables: Sequence[EventTable]) -> None:
        self._tables = {f"{t.address}0x{t.event.topic.hex()}": t for t in tables}

    def decode(self, result: Any, first: int, last: int) -> Logs:
        """Decode the `result` of `eth_getLogs`.

        Args:
            result: As parsed from JSON.
            first: Number of the first block that was asked for.
            last: Number of the last one.

        Raises:
            MalformedReplyError: It is not an answer to that question.
        """
        try:
            return self._decode(result, first, last)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, MalformedReplyError):
                raise
            raise MalformedReplyError(
                f"a chain endpoint gives damaged logs ({error!r:.80}); try another one"
            ) from error

    def _decode(self, result: Any, first: int, last: int) -> Logs:
        if not isinstance(result, list):
            raise MalformedReplyError("a chain endpoint gives no logs; try another one")
        groups: dict[str, list[Mapping[str, Any]]] = {}
        for log in result:
            groups.setdefault(log["address"] + log["topics"][0], []).append(log)
        columns: dict[str, Sequence[Sequence[Any]]] = {}
        hashes: dict[int, bytes] = {}
        timestamps: dict[int, int] = {}
        places: set[tuple[int, int]] = set()
        for key, logs in groups.items():
            table = self._tables.get(key) or self._tables[key.lower()]
            numbers = _integers(logs, "blockNumber")
            indexes = _integers(logs, "logIndex")
            if (
                min(numbers) < first
                or max(numbers) > last
                or any(log.get("removed") for log in logs)
            ):
                raise MalformedReplyError(
                    "a chain endpoint gives logs of other blocks; try another"
                )
            places.update(zip(numbers, indexes, strict=True))
            for number, block_hash in zip(numbers, _hashes(logs, "blockHash"), strict=True):
                if hashes.setdefault(number, block_hash) != block_hash:
                    raise MalformedReplyError("a chain endpoint gives two blocks of one height")
            if logs[0].get("blockTimestamp") is not None:
                stamps = _integers(logs, "blockTimestamp")
                timestamps.update(zip(numbers, stamps, strict=True))
            values = _static(table, logs) if _is_static(table) else _dynamic(table, logs)
            columns[table.table.name] = [
                numbers,
                indexes,
                _hashes(logs, "transactionHash"),
                *values,
            ]
        if len(places) != len(result):
            raise MalformedReplyError("a chain endpoint gives a log twice; try another one")
        return Logs(columns, hashes, timestamps)


def _is_static(table: EventTable) -> bool:
    return all(leaf.is_word for leaf in table.leaves)


def _static(table: EventTable, logs: Sequence[Mapping[str, Any]]) -> list[Sequence[Any]]:
    """Cut words by columns."""
    topics = [leaf for leaf in table.leaves if leaf.indexed]
    data = [leaf for leaf in table.leaves if not leaf.indexed]
    texts = ["".join([topic[2:] for topic in log["topics"][1:]]) for log in logs]
    words = {
        **dict(zip(topics, _words(texts, len(topics)), strict=True)),
        **dict(zip(data, _words([log["data"][2:] for log in logs], len(data)), strict=True)),
    }
    return [column_values(leaf, words[leaf]) for leaf in table.leaves]


def _dynamic(table: EventTable, logs: Sequence[Mapping[str, Any]]) -> list[Sequence[Any]]:
    """Decode one by one, then turn into columns."""
    rows = []
    for log in logs:
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        args = table.event.decode(topics, bytes.fromhex(log["data"][2:]))
        row = []
        for leaf in table.leaves:
            value = args[leaf.path[0]]
            for name in leaf.path[1:]:
                value = getattr(value, name)
            row.append(to_column(leaf, value))
        rows.append(row)
    return [list(column) for column in zip(*rows, strict=True)]


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


def _integers(logs: Sequence[Mapping[str, Any]], name: str) -> list[int]:
    values = [int(log[name], 16) for log in logs]
    if min(values) < 0 or max(values) >= 2**63:
        raise MalformedReplyError(f"a chain endpoint gives a {name} out of range; try another one")
    return values


def _hashes(logs: Sequence[Mapping[str, Any]], name: str) -> list[bytes]:
    return _slices(_words([log[name][2:] for log in logs], 1)[0])
