# SPDX-License-Identifier: Apache-2.0
"""Logs decoded in bulk: from `eth_getLogs`' JSON to columns, without a Python object a value.

Logs of one event are joined into one array of 32-byte words and cut by columns. Events with
strings or arrays, which are rare, are decoded one by one, and so are a few of any event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

    def with_times(self, times: Mapping[int, int]) -> "Logs":
        """Return the same with these times of blocks besides those that the node told.

        Args:
            times: By number.
        """
        return replace(self, timestamps={**self.timestamps, **times})


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
            numbers = _integers([log["blockNumber"] for log in logs])
            indexes = _integers([log["logIndex"] for log in logs])
            if (
                min(numbers) < first
                or max(numbers) > last
                or any(log.get("removed") for log in logs)
            ):
                raise MalformedReplyError(
                    "a chain endpoint gives logs of other blocks; try another"
                )
            places.update(zip(numbers, indexes, strict=True))
            # What logs of one block have in common is read once.
            found = {*zip(numbers, [log["blockHash"] for log in logs], strict=True)}
            blocks = [number for number, _ in found]
            for number, block_hash in zip(blocks, _hashes([h for _, h in found]), strict=True):
                if hashes.setdefault(number, block_hash) != block_hash:
                    raise MalformedReplyError("a chain endpoint gives two blocks of one height")
            if logs[0].get("blockTimestamp") is not None:
                told = {*zip(numbers, [log["blockTimestamp"] for log in logs], strict=True)}
                stamps = _integers([stamp for _, stamp in told])
                for (number, _), stamp in zip(told, stamps, strict=True):
                    if timestamps.setdefault(number, stamp) != stamp:
                        raise MalformedReplyError("a chain endpoint gives two times of one block")
            values = _columns(table, logs)
            columns[table.table.name] = [
                numbers,
                indexes,
                _hashes([log["transactionHash"] for log in logs]),
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


def _integers(texts: Sequence[str]) -> list[int]:
    values = [int(text, 16) for text in texts]
    if min(values) < 0 or max(values) >= 2**63:
        raise MalformedReplyError("a chain endpoint gives a number out of range; try another one")
    return values


def _hashes(texts: Sequence[str]) -> list[bytes]:
    if {*map(len, texts)} != {66}:
        raise MalformedReplyError("a chain endpoint gives a hash of a wrong size; try another")
    raw = bytes.fromhex("".join([text[2:] for text in texts]))
    if len(raw) != 32 * len(texts):  # spaces among the digits
        raise MalformedReplyError("a chain endpoint gives a hash of a wrong size; try another")
    return [raw[at : at + 32] for at in range(0, len(raw), 32)]
