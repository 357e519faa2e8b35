# SPDX-License-Identifier: Apache-2.0
"""Logs decoded in bulk: from `eth_getLogs`' JSON to columns, without a Python object a value.

Logs of one event are joined into one array of 32-byte words and cut by columns. Events with
strings or arrays, which are rare, are decoded one by one, and so are a few of any event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from truthmark.errors import MalformedReplyError
from truthmark.index.schema import EventTable, to_column

FEW = 16
"""Up to so many logs of an event are decoded one by one, for which numpy need not be loaded."""


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

    @cached_property
    def places(self) -> set[tuple[int, int, bytes]]:
        """Block number, log index and transaction hash of each."""
        found: set[tuple[int, int, bytes]] = set()
        for numbers, indexes, hashes, *_ in self.columns.values():
            found.update(zip(numbers, indexes, hashes, strict=True))
        return found

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
            values = _columns(table, logs)
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


def _columns(table: EventTable, logs: Sequence[Mapping[str, Any]]) -> list[Sequence[Any]]:
    if _is_static(table) and len(logs) > FEW:
        from truthmark.index.words import cut_columns

        return cut_columns(table, logs)
    words = sum(not leaf.indexed for leaf in table.leaves) if _is_static(table) else None
    rows = []
    for log in logs:
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        data = bytes.fromhex(log["data"][2:])
        if any(len(topic) != 32 for topic in topics) or words not in (None, len(data) / 32):
            raise MalformedReplyError(
                "a chain endpoint gives logs of a wrong size; try another one"
            )
        args = table.event.decode(topics, data)
        row = []
        for leaf in table.leaves:
            value = args[leaf.path[0]]
            for name in leaf.path[1:]:
                value = getattr(value, name)
            row.append(to_column(leaf, value))
        rows.append(row)
    return [list(column) for column in zip(*rows, strict=True)]


def _integers(logs: Sequence[Mapping[str, Any]], name: str) -> list[int]:
    values = [int(log[name], 16) for log in logs]
    if min(values) < 0 or max(values) >= 2**63:
        raise MalformedReplyError(f"a chain endpoint gives a {name} out of range; try another one")
    return values


def _hashes(logs: Sequence[Mapping[str, Any]], name: str) -> list[bytes]:
    values = [bytes.fromhex(log[name][2:]) for log in logs]
    if any(len(value) != 32 for value in values):
        raise MalformedReplyError(f"a chain endpoint gives a {name} of a wrong size; try another")
    return values
