# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass, replace
from typing import Any

import eth_abi
import pytest
from eth_abi.abi import encode
from eth_abi.tools import get_abi_strategy
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.utils.token_chain import compile_vyper
from truthmark.chain.abi import Artifact, decode_values, encode_values, load_artifact
from truthmark.chain.abi_decoding import decode
from truthmark.chain.parameters import Parameter
from truthmark.errors import ConfigError, MalformedReplyError
from truthmark.types import Point

SOURCE = """
# pragma version 0.4.3

struct Point:
    x: uint256
    y: uint256

struct Order:
    owner: address
    key: Point
    tags: DynArray[bytes4, 3]
    note: String[40]

event Ordered:
    id: indexed(uint256)
    order: Order

@external
@view
def price(id: uint256, at: uint256 = 7, from_: address = empty(address)) -> uint256:
    return id + at

@external
@pure
def echo(order: Order) -> Order:
    return order

@external
@pure
def pair() -> (uint256, address):
    return 1, empty(address)

@external
@pure
def nothing():
    pass
"""
OWNER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    return compile_vyper("Shop", SOURCE)


@dataclass(frozen=True)
class Order:
    owner: str
    key: Point
    tags: list[bytes]
    note: str


ORDER = Order(OWNER, Point(1, 2**256 - 1), [b"abcd", b"efgh"], "hällo")


@pytest.mark.parametrize(
    "value",
    [
        ORDER,
        {"owner": OWNER.lower(), "key": {"x": 1, "y": 2**256 - 1}}
        | {"tags": ["0x61626364", b"efgh"], "note": "hällo", "unknown": 1},
        (OWNER, (1, 2**256 - 1), [b"abcd", b"efgh"], "hällo"),
    ],
    ids=["dataclass", "mapping", "sequence"],
)
def test_encode__struct_in_any_shape__comes_back_the_same(
    artifact: Artifact, value: object
) -> None:
    function = artifact.function("echo", [value], {})
    data = function.encode([value])
    assert data[:4] == function.selector
    back = function.decode(data[4:])
    assert back == (OWNER, (1, 2**256 - 1), [b"abcd", b"efgh"], "hällo")
    assert back.owner == OWNER
    assert back.key.y == 2**256 - 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"owner": "0x12"}, "not an address"),
        ({"owner": OWNER.replace("f", "F")}, "mistyped"),
        ({"key": (1,)}, "fields x, y"),
        ({"key": {"x": 1}}, "lacks its field y"),
        ({"key": (1, -1)}, "echo"),
        ({"key": (1, 2**256)}, "echo"),
        ({"key": (1, True)}, "must be uint256"),
        ({"key": (1, "2")}, "echo"),
        ({"tags": [b"abc"]}, "not 3 bytes"),
        ({"tags": ["0xzz"]}, "must be bytes4"),
        ({"tags": b"abcd"}, "must be a list"),
        ({"note": 5}, "echo"),
    ],
)
def test_encode__value_of_another_type__is_refused(
    artifact: Artifact, change: dict[str, object], reason: str
) -> None:
    value = {**vars(ORDER), **change}
    with pytest.raises(ConfigError, match=reason):
        artifact.function("echo", [value], {}).encode([value])


def test_function__default_arguments__overload_is_chosen_by_what_is_given(
    artifact: Artifact,
) -> None:
    assert artifact.function("price", [1], {}).signature == "price(uint256)"
    assert artifact.function("price", [1, 2], {}).signature == "price(uint256,uint256)"
    assert artifact.function("price", [1], {"at": 2}).signature == "price(uint256,uint256)"


def test_function__no_such_overload_or_name__what_there_is_is_told(artifact: Artifact) -> None:
    with pytest.raises(ConfigError, match=r"takes \(id\) or \(id, at\) or \(id, at, from_\)"):
        artifact.function("price", [1], {"from_": OWNER})
    with pytest.raises(ConfigError, match="has no function cost"):
        artifact.function("cost", [], {})


def test_decode__several_values_or_none__are_a_tuple_or_none(artifact: Artifact) -> None:
    assert artifact.function("pair", [], {}).decode(bytes(64)) == (1 - 1, "0x" + "0" * 40)
    assert artifact.function("nothing", [], {}).decode(b"") is None


def test_decode__answer_too_short__is_malformed(artifact: Artifact) -> None:
    with pytest.raises(MalformedReplyError, match="cannot be decoded"):
        artifact.function("pair", [], {}).decode(bytes(63))


def test_decode__string_is_not_utf8__is_replaced_not_refused(artifact: Artifact) -> None:
    function = artifact.function("echo", [ORDER], {})
    kinds = ["(address,(uint256,uint256),bytes4[],bytes)"]
    data = encode(kinds, [(OWNER, (1, 2), [], b"a\xffb")])
    assert function.decode(data).note == "a\N{REPLACEMENT CHARACTER}b"


def test_event_decode__log__gives_values_by_name(artifact: Artifact) -> None:
    (event,) = artifact.events.values()
    data = artifact.function("echo", [ORDER], {}).encode([ORDER])[4:]
    values = event.decode([event.topic, (5).to_bytes(32, "big")], data)
    assert values["id"] == 5
    assert values["order"].note == "hällo"
    with pytest.raises(MalformedReplyError, match="not of event Ordered"):
        event.decode([event.topic], data)


def test_load_artifact__shipped__is_whole_and_once_only() -> None:
    token = load_artifact("ProtocolToken")
    assert token.bytecode and token.compiler
    assert "transfer" in token.functions
    assert load_artifact("ProtocolToken") is token


def test_load_artifact__unknown_or_damaged__is_told() -> None:
    with pytest.raises(ConfigError, match="no compiled contract Nothing"):
        load_artifact("Nothing")
    with pytest.raises(ConfigError, match="artifact X is damaged"):
        Artifact.from_dict("X", {"abi": [{"type": "function"}], "bytecode": "0x"})


TYPES = ("uint8", "int16", "bool", "address", "bytes4", "bytes", "string", "uint256[]", "bytes[2]")


@given(st.data())
@settings(max_examples=50)
@pytest.mark.untraced
def test_decode_values__what_eth_abi_encodes__comes_back_and_cut_short_never(data: Any) -> None:
    kinds = data.draw(st.lists(st.sampled_from(TYPES), max_size=5))
    struct = Parameter("s", "(bytes,uint8[])", (Parameter("a", "bytes"), Parameter("b", "uint8[]")))
    parameters = [
        *(Parameter("", kind) for kind in kinds),
        replace(struct, type=struct.type + "[]"),
    ]
    types = [parameter.type for parameter in parameters]
    values = [data.draw(get_abi_strategy(kind)) for kind in types]
    raw = encode(types, values)
    plain = eth_abi.decode([kind.replace("string", "bytes") for kind in types], raw)
    assert _plain(decode(parameters, raw)) == _plain(plain)
    with pytest.raises(MalformedReplyError):
        decode_values(parameters, raw[:-32])


def _plain(value: Any) -> Any:
    """Give arrays as tuples, as eth-abi does."""
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("bool", [2]),
        ("uint8", [256]),
        ("int8", [128]),
        ("address", [1 << 160]),
        ("bytes4", [1]),
        ("bytes", [0x40, 0, 0]),  # not where an encoder puts it
        ("bytes", [0x20, 1, 1]),  # stray bits behind it
        ("bytes", [0x20, 33, 0]),
        ("uint256[]", [0x20, 2**255]),
        ("bytes[]", [0x20, 2, 0x40, 0x40, 0]),  # twice the same bytes
    ],
)
def test_decode_values__no_encoder_writes_it__is_refused(kind: str, words: list[int]) -> None:
    data = b"".join(word.to_bytes(32, "big") for word in words)
    with pytest.raises(MalformedReplyError, match="cannot be decoded"):
        decode_values([Parameter("", kind)], data)


@pytest.mark.parametrize("value", [1.5, "1", None, -1, 2**256])
def test_encode_values__no_number_of_the_type__is_refused(value: Any) -> None:
    with pytest.raises(ConfigError):
        encode_values("f", [Parameter("a", "uint256")], [value])
