# SPDX-License-Identifier: Apache-2.0
"""Reading trees, the right ones and those that a stranger made to hurt."""

import pytest

from tests.utils.dags import (
    FILE,
    MemoryStore,
    field,
    leaf_cid,
    link,
    node,
    node_cid,
    unixfs,
    varint,
)
from truthmark.cid import build_dag
from truthmark.errors import LimitError, MalformedError, TruthmarkError
from truthmark.hashing import sha256
from truthmark.storage import dag
from truthmark.storage.dag import leaf_bytes, parse_node, read_varint, visit, walk

LEAF = b"leaf"
CID_ = leaf_cid(LEAF)
RAW = CID_.to_bytes()
GOOD = node([(CID_, 4), (CID_, 4)])
IDENTITY_CID = b"\x01\x55\x00\x04leaf"


def test_parse_node__codec_made_it__links_and_sizes() -> None:
    tree = build_dag([(sha256(bytes([number])), 1) for number in range(5)])
    parsed = parse_node(tree.nodes[0][1])
    assert parsed.size == 5
    assert [(link.cid.digest, link.size) for link in parsed.links] == [
        (sha256(bytes([number])), 1) for number in range(5)
    ]


def test_parse_node__links_without_name_or_size__read() -> None:
    data = field(2, field(1, RAW)) + unixfs([4])
    assert parse_node(data).links == [(CID_, 4)]


HOSTILE = {
    "empty": b"",
    "a leaf": LEAF,
    "no data": link(CID_, 4),
    "no links": unixfs([]),
    "bytes inside the node": field(1, FILE + field(2, b"inline") + field(3, 6)),
    "links after data": unixfs([4]) + link(CID_, 4),
    "two data": link(CID_, 4) + unixfs([4]) + unixfs([4]),
    "unknown field": GOOD + field(5, 1),
    "fixed width field": GOOD + varint(3 << 3 | 1) + bytes(8),
    "group": GOOD + varint(3 << 3 | 3),
    "cut off": GOOD[:-1],
    "tail": GOOD + b"\x00",
    "field longer than block": varint(2 << 3 | 2) + varint(1 << 40) + RAW,
    "huge varint": varint(2 << 3 | 2) + b"\xff" * 10 + b"\x01",
    "padded varint": varint(2 << 3 | 2) + b"\x80\x00",
    "a directory": link(CID_, 4) + field(1, b"\x08\x01" + field(3, 4) + field(4, 4)),
    "a symlink": link(CID_, 4) + field(1, b"\x08\x04" + field(3, 4) + field(4, 4)),
    "a sharded directory": link(CID_, 4) + field(1, b"\x08\x05" + field(3, 4) + field(4, 4)),
    "no type": link(CID_, 4) + field(1, field(3, 4) + field(4, 4)),
    "no size": link(CID_, 4) + field(1, FILE + field(4, 4)),
    "two types": link(CID_, 4) + field(1, FILE + FILE + field(3, 4) + field(4, 4)),
    "two sizes": link(CID_, 4) + field(1, FILE + field(3, 4) + field(3, 4) + field(4, 4)),
    "packed sizes": link(CID_, 4) + field(1, FILE + field(3, 4) + field(4, b"\x04")),
    "mode": link(CID_, 4) + field(1, FILE + field(3, 4) + field(4, 4) + field(7, 0o777)),
    "fewer sizes": link(CID_, 4) + link(CID_, 4) + unixfs([4]),
    "more sizes": link(CID_, 4) + unixfs([4, 4]),
    "sizes do not add up": link(CID_, 4) + unixfs([4], total=5),
    "a leaf of no bytes": link(CID_, 0) + link(CID_, 4) + unixfs([0, 4]),
    "named link": link(CID_, 4, b"passwd") + unixfs([4]),
    "link without cid": field(2, field(2, b"") + field(3, 4)) + unixfs([4]),
    "link with two cids": field(2, field(1, RAW) + field(1, RAW)) + unixfs([4]),
    "link fields out of order": field(2, field(3, 4) + field(1, RAW)) + unixfs([4]),
    "identity cid": field(2, field(1, IDENTITY_CID)) + unixfs([4]),
    "cid of version 0": field(2, field(1, b"\x12\x20" + RAW[4:])) + unixfs([4]),
    "cid with sha-512": field(2, field(1, b"\x01\x55\x13\x40" + bytes(64))) + unixfs([4]),
    "cid of dag-cbor": field(2, field(1, b"\x01\x71" + RAW[2:])) + unixfs([4]),
    "cid cut off": field(2, field(1, RAW[:-1])) + unixfs([4]),
    "too many links": node([(CID_, 4)] * 1025),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_parse_node__hostile__refused_in_one_line(name: str) -> None:
    with pytest.raises(LimitError if "many" in name else MalformedError) as refused:
        parse_node(HOSTILE[name])
    assert "\n" not in str(refused.value)


def test_walk__two_levels__leaves_in_order_with_offsets() -> None:
    store = MemoryStore()
    parts = [bytes([number]) * (number + 1) for number in range(6)]
    leaves = [(store.add(part), len(part)) for part in parts]
    low = store.add(node(leaves[:2]), inner=True)
    high = store.add(node(leaves[2:]), inner=True)
    root = store.add(node([(low, 3), (high, 18)]), inner=True)
    tree = walk(store.read_block, root)
    found = list(tree.leaves)
    assert tree.size == 21
    assert b"".join(leaf_bytes(store.read_block, leaf) for leaf in found) == b"".join(parts)
    assert [leaf.offset for leaf in found] == [0, 1, 3, 6, 10, 15]
    assert [leaf.offset for leaf in walk(store.read_block, root, start=3, stop=7).leaves] == [3, 6]
    store.asked.clear()
    assert list(walk(store.read_block, root, start=5, stop=6).leaves)
    assert store.asked[low] == 0  # not entered for what is not wanted


def test_visit__subtree_twice__entered_once() -> None:
    store = MemoryStore()
    low = store.add(node([(store.add(LEAF), 4)]), inner=True)
    root = store.add(node([(low, 4), (low, 4)]), inner=True)
    assert [cid for cid, _ in visit(store.read_block, root)] == [root, low, CID_]


def test_walk__leaf_shorter_than_declared__refused() -> None:
    store = MemoryStore()
    root = store.add(node([(store.add(LEAF), 5)]), inner=True)
    (leaf,) = walk(store.read_block, root).leaves
    with pytest.raises(MalformedError, match="4 bytes where 5 were declared"):
        leaf_bytes(store.read_block, leaf)


@pytest.mark.parametrize("declared", [3, 5])
def test_walk_visit__subtree_of_other_size__refused(declared: int) -> None:
    store = MemoryStore()
    low = store.add(node([(store.add(LEAF), 4)]), inner=True)
    root = store.add(node([(low, 4), (low, declared)]), inner=True)
    with pytest.raises(MalformedError, match=f"4 bytes where {declared} were declared"):
        list(walk(store.read_block, root).leaves)
    with pytest.raises(MalformedError, match=f"4 bytes where {declared} were declared"):
        list(visit(store.read_block, root))


def test_walk_visit__nine_levels__refused() -> None:
    store = MemoryStore()
    top, size = store.add(LEAF), 4
    for _ in range(9):
        top = store.add(node([(top, size)]), inner=True)
    for read in (walk(store.read_block, top).leaves, visit(store.read_block, top)):
        with pytest.raises(LimitError, match="more than 8 levels"):
            list(read)


def test_walk__bomb_of_one_shared_node__refused_at_its_root() -> None:
    # 1,024 links to the same node, five times over: 60 kB of blocks that declare 4 EB.
    store = MemoryStore()
    top, size = store.add(bytes(4096)), 4096
    for _ in range(5):
        top, size = store.add(node([(top, size)] * 1024), inner=True), size * 1024
    with pytest.raises(LimitError, match="are allowed"):
        walk(store.read_block, top)
    with pytest.raises(LimitError, match="are allowed"):
        list(visit(store.read_block, top))


def test_walk__bomb_of_tiny_leaves__refused_by_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag, "MAX_BLOCKS", 5000)
    store = MemoryStore()
    low = store.add(node([(store.add(b"x"), 1)] * 1024), inner=True)
    root = store.add(node([(low, 1024)] * 1024), inner=True)
    with pytest.raises(LimitError, match="more than 5000 blocks"):
        list(walk(store.read_block, root).leaves)


def test_walk__leaf_over_two_mib__refused_before_it_is_read() -> None:
    store = MemoryStore()
    root = store.add(node([(CID_, (2 << 20) + 1)]), inner=True)
    with pytest.raises(LimitError, match="blocks are at most"):
        list(walk(store.read_block, root).leaves)


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"\x00", 0), (b"\x7f", 127), (b"\x80\x01", 128), (b"\xff" * 8 + b"\x7f", 2**63 - 1)],
)
def test_read_varint__shortest_form__read(data: bytes, value: int) -> None:
    assert read_varint(data + b"rest", 0) == (value, len(data))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x00", b"\xff" * 9 + b"\x01"])
def test_read_varint__cut_off_padded_or_long__refused(data: bytes) -> None:
    with pytest.raises(TruthmarkError):
        read_varint(data, 0)


def test_node_cid__same_as_codec() -> None:
    tree = build_dag([(CID_.digest, 4), (CID_.digest, 4)])
    assert tree.nodes == [(node_cid(GOOD), GOOD)]
