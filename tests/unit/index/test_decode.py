# SPDX-License-Identifier: Apache-2.0
"""Bulk decoding against eth-abi, log by log."""

import random
from collections.abc import Mapping
from typing import Any

import pytest
from eth_abi.abi import encode

from truthmark.chain.abi import Event
from truthmark.chain.parameters import Parameter
from truthmark.config.units import to_checksum_address
from truthmark.errors import MalformedReplyError
from truthmark.hashing import keccak256
from truthmark.index.decode import FEW, LogDecoder
from truthmark.index.schema import EventTable, make_event_table
from truthmark.index.words import checksum_addresses

ADDRESS = "0x" + "11" * 20
STATIC = [
    *("uint8", "uint40", "uint64", "uint256", "int8", "int64", "int128", "int256"),
    *("bool", "address", "bytes4", "bytes32"),
]


def parameter(name: str, kind: str, indexed: bool = False) -> Parameter:
    return Parameter(name, kind, (), indexed)


POINT = Parameter("p", "(uint256,bytes32)", (parameter("x", "uint256"), parameter("y", "bytes32")))
WIDE = Event(
    "AllKinds",
    (
        parameter("id", "uint256", indexed=True),
        parameter("who", "address", indexed=True),
        parameter("note", "string", indexed=True),  # only its hash is known
        *(parameter(f"a_{kind}", kind) for kind in STATIC),
        POINT,
    ),
)
LOOSE = Event(
    "Loose",
    (
        parameter("id", "bytes32", indexed=True),
        POINT,
        parameter("text", "string"),
        parameter("raw", "bytes"),
        parameter("many", "uint256[]"),
        Parameter("points", "(uint256,bytes32)[]", POINT.components),
        parameter("pair", "address[2]"),
    ),
)
BARE = Event("Bare", ())


def table(event: Event) -> EventTable:
    return make_event_table("shop", ADDRESS, event)


def value_of(part: Parameter, chooser: random.Random) -> Any:
    if item := part.item:
        size = 2 if part.type.endswith("[2]") else chooser.randrange(4)
        return [value_of(item, chooser) for _ in range(size)]
    if part.components:
        return tuple(value_of(field, chooser) for field in part.components)
    kind = part.type
    if kind == "bool":
        return chooser.random() < 0.5
    if kind == "address":
        return to_checksum_address("0x" + chooser.randbytes(20).hex())
    if kind == "string":
        return chooser.choice(["", "plain", "hällo wörld" * 5, "\N{SNOWMAN}"])
    if kind == "bytes":
        return chooser.randbytes(chooser.randrange(70))
    if kind.startswith("bytes"):
        return chooser.randbytes(int(kind[5:]))
    bits = int(kind.removeprefix("u").removeprefix("int"))
    low, high = (
        (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )
    edges = [low, high, 0, 1, 2**63 - 1, 2**63, 2**64, -1, -(2**63) - 1]
    return chooser.choice([chooser.randint(low, high), *(e for e in edges if low <= e <= high)])


def hexed(raw: bytes) -> str:
    return "0x" + raw.hex()


def make_log(event: Event, values: Mapping[str, Any], block: int, index: int) -> dict[str, Any]:
    topics = [event.topic]
    for part in event.topics:
        value = values[part.name]
        whole = keccak256(value.encode()) if part.type == "string" else encode([part.type], [value])
        topics.append(whole)
    data = encode([p.type for p in event.data], [values[p.name] for p in event.data])
    return {
        "address": ADDRESS,
        "topics": [hexed(topic) for topic in topics],
        "data": hexed(data),
        "blockNumber": hex(block),
        "blockHash": hexed(keccak256(block.to_bytes(8, "big"))),
        "blockTimestamp": hex(1000 + block),
        "transactionHash": hexed(keccak256(bytes([index]))),
        "logIndex": hex(index),
        "removed": False,
    }


def make_logs(event: Event, count: int, seed: int = 1) -> tuple[list[dict[str, Any]], list[Any]]:
    chooser = random.Random(seed)
    all_values = [
        {part.name: value_of(part, chooser) for part in event.inputs} for _ in range(count)
    ]
    logs = [make_log(event, values, 5 + i // 3, i) for i, values in enumerate(all_values)]
    return logs, all_values


@pytest.mark.parametrize("count", [FEW, 200])
@pytest.mark.parametrize("event", [WIDE, LOOSE, BARE], ids=lambda event: event.name)
def test_decode__every_kind_of_value__equals_what_was_encoded(event: Event, count: int) -> None:
    entry = table(event)
    logs, all_values = make_logs(event, count)
    decoded = LogDecoder([entry]).decode(logs, 5, 100)
    assert decoded.count == count
    rows = zip(*decoded.columns[entry.table.name], strict=True)
    for row, log, values in zip(rows, logs, all_values, strict=True):
        known = entry.values(row)
        assert known["block_number"] == int(log["blockNumber"], 16)
        assert known["log_index"] == int(log["logIndex"], 16)
        assert hexed(known["tx_hash"]) == log["transactionHash"]
        wanted = {
            **values,
            **({"note": keccak256(values["note"].encode())} if "note" in values else {}),
        }
        assert entry.args(known) == wanted
        slow = event.decode(
            [bytes.fromhex(t[2:]) for t in log["topics"]], bytes.fromhex(log["data"][2:])
        )
        assert entry.args(known) == slow
    assert decoded.timestamps == {number: 1000 + number for number in decoded.hashes}


def test_decode__two_events_and_no_timestamps__are_told_apart() -> None:
    wide, bare = table(WIDE), table(BARE)
    logs = make_logs(WIDE, 3)[0] + [make_log(BARE, {}, 50, index) for index in range(100, 104)]
    for log in logs:
        del log["blockTimestamp"]
    decoded = LogDecoder([wide, bare]).decode(logs, 0, 99)
    assert {name: len(columns[0]) for name, columns in decoded.columns.items()} == {
        "shop_all_kinds": 3,
        "shop_bare": 4,
    }
    assert decoded.timestamps == {}
    assert LogDecoder([wide]).decode([], 0, 9).count == 0


def spoil(**changes: Any) -> Any:
    return lambda log: log.update(changes)


def drop_topic(log: dict[str, Any]) -> None:
    log["topics"].pop()


def stray_address_bits(log: dict[str, Any]) -> None:
    log["topics"][2] = "0x1" + log["topics"][2][3:]


def large_uint8(log: dict[str, Any]) -> None:
    log["data"] = "0x" + f"{256:064x}" + log["data"][66:]


def bool_of_two(log: dict[str, Any]) -> None:
    place = 2 + 64 * STATIC.index("bool")
    log["data"] = log["data"][:place] + f"{2:064x}" + log["data"][place + 64 :]


@pytest.mark.parametrize(
    "damage",
    [
        spoil(address="0x" + "22" * 20),
        spoil(address=None),
        spoil(topics=[]),
        spoil(topics=None),
        spoil(data="0x"),
        spoil(data=7),
        spoil(data="0x" + "zz" * 32 * 14),
        spoil(blockNumber="0x4"),
        spoil(blockNumber="0x65"),
        spoil(blockNumber="-0x1"),
        spoil(blockNumber=5),
        spoil(blockHash="0x" + "00" * 32),
        spoil(blockHash="0x00"),
        spoil(logIndex="0x1"),
        spoil(logIndex=hex(2**63)),
        spoil(transactionHash="0x"),
        spoil(removed=True),
        spoil(blockTimestamp="soon"),
        spoil(blockTimestamp="0x1"),
        spoil(transactionHash="0x" + "00" * 31 + "  "),
        drop_topic,
        stray_address_bits,
        large_uint8,
        bool_of_two,
        dict.clear,
    ],
)
@pytest.mark.parametrize("count", [3, FEW + 1])
def test_decode__one_log_is_damaged__is_a_malformed_reply(damage: Any, count: int) -> None:
    logs, _ = make_logs(WIDE, count)
    decoder = LogDecoder([table(WIDE)])
    assert decoder.decode(logs, 5, 100).count == count
    damage(logs[0])
    with pytest.raises(MalformedReplyError):
        decoder.decode(logs, 5, 100)


@pytest.mark.parametrize("reply", [None, {}, 7, "logs", [None], [[]], ["0x"]])
def test_decode__no_list_of_logs__is_a_malformed_reply(reply: object) -> None:
    with pytest.raises(MalformedReplyError):
        LogDecoder([table(WIDE)]).decode(reply, 0, 9)


def test_checksum_addresses__random_and_repeated__equal_the_plain_function() -> None:
    chooser = random.Random(2)
    raw = [chooser.randbytes(20) for _ in range(500)] * 2
    assert checksum_addresses(raw) == [to_checksum_address("0x" + a.hex()) for a in raw]
