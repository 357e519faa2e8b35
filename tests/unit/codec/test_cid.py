# SPDX-License-Identifier: Apache-2.0
"""CIDs; that Kubo makes the same ones is shown by the tests of storage."""

import hashlib
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthmark.cid import CID, EMPTY_CID, build_dag, cid_of_file, cid_of_stream, raw_cid
from truthmark.errors import MalformedError

HELLO = raw_cid(hashlib.sha256(b"hello world").digest())


def test_str__known_blocks__give_their_published_cids() -> None:
    assert str(EMPTY_CID) == "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    assert str(HELLO) == "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"


@given(st.sampled_from([0x55, 0x70]), st.binary(min_size=32, max_size=32))
def test_parse__what_str_wrote__is_the_same(codec: int, digest: bytes) -> None:
    cid = CID(codec, digest)
    assert CID.parse(str(cid)) == cid
    assert CID.from_bytes(cid.to_bytes()) == cid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
        str(HELLO).upper(),
        str(HELLO)[:-1],
        str(HELLO) + "a",
        "z" + str(HELLO)[1:],
        str(HELLO)[:-1] + "f",
        str(HELLO)[:-1] + "1",
        str(HELLO).replace("bafk", "bafy", 1)[:-2] + "é=",
        "bafkqabtimvwgy3yk" + "a" * 42,
    ],
)
def test_parse__anything_else__is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="cid"):
        CID.parse(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x12\x20" + bytes(32),
        b"\x00\x55\x12\x20" + bytes(32),
        b"\x01\x71\x12\x20" + bytes(32),
        b"\x01\x55\x13\x20" + bytes(32),
        b"\x01\x55\x12\x20" + bytes(33),
    ],
)
def test_from_bytes__another_kind__is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match="cid"):
        CID.from_bytes(data)


@pytest.mark.parametrize("count", [0, 1, 2, 1023, 1024, 1025, 2048, 2049, 4097])
def test_build_dag__any_count__has_the_layers_and_links_of_a_balanced_tree(count: int) -> None:
    dag = build_dag((hashlib.sha256(bytes([i % 256])).digest(), 7) for i in range(count))
    layers = 0
    expected = 0
    width = count
    while width > 1:
        width = -(-width // 1024)
        expected += width
        layers += 1
    assert len(dag.nodes) == expected
    assert dag.size == 7 * count
    if dag.nodes:
        assert dag.nodes[-1][0] == dag.root
        assert all(cid == CID(0x70, hashlib.sha256(data).digest()) for cid, data in dag.nodes)
    named = [cid for cid, _ in dag.nodes]
    for position, (_, data) in enumerate(dag.nodes):
        # Children stand before their parents, and every node but the root is linked.
        for child in named[position:]:
            assert child.to_bytes() not in data


@pytest.mark.parametrize("links", [2, 3, 4])
@pytest.mark.parametrize("count", range(1, 70))
def test_build_dag__deep_trees__group_level_by_level(
    links: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With 1,024 links a third level begins at a million leaves: the same shapes with fewer.
    monkeypatch.setattr("truthmark.cid.MAX_LINKS", links)
    leaves = [(hashlib.sha256(bytes([i])).digest(), i) for i in range(count)]
    dag = build_dag(leaves)
    level = [raw_cid(digest).to_bytes() for digest, _ in leaves]
    blocks = {cid.to_bytes(): data for cid, data in dag.nodes}
    while len(level) > 1:
        groups = [level[start : start + links] for start in range(0, len(level), links)]
        found = []
        for group in groups:
            fitting = [
                cid
                for cid, data in blocks.items()
                if re.findall(rb"\x0a\x24(.{36})\x12\x00\x18", data, re.DOTALL) == group
            ]
            found.append(fitting[0])
        level = found
    assert dag.root.to_bytes() == level[0]
    assert dag.size == sum(range(count))


@given(st.binary(max_size=200), st.integers(1, 64))
def test_cid_of_stream__short_reads__give_the_same(data: bytes, chunk: int) -> None:
    class Slow(io.BytesIO):
        def readinto(self, buffer) -> int:
            return super().readinto(memoryview(buffer)[:3])

    pieces = [data[i : i + chunk] for i in range(0, len(data), chunk)]
    whole = build_dag((hashlib.sha256(piece).digest(), len(piece)) for piece in pieces).root
    assert cid_of_stream(Slow(data), chunk) == whole == cid_of_stream(io.BytesIO(data), chunk)


def test_cid_of_file__small__is_its_raw_block(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello world")
    assert cid_of_file(tmp_path / "x") == HELLO
