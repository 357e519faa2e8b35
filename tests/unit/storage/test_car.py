# SPDX-License-Identifier: Apache-2.0
"""CAR archives, also those made to hurt."""

import io
from pathlib import Path

import pytest

from tests.utils.dags import MemoryStore, leaf_cid, node, node_cid, varint
from truthmark.cid import CID, EMPTY_CID
from truthmark.errors import (
    BlockMismatchError,
    BlockNotFoundError,
    ConfigError,
    LimitError,
    MalformedError,
    StorageError,
)
from truthmark.storage import LocalStore, export_car, import_car
from truthmark.storage.car import read_car, write_car

A, B = b"first leaf", b"other leaf"
NODE = node([(leaf_cid(A), 10), (leaf_cid(B), 10)])
ROOT = node_cid(NODE)


def header(*roots: CID, version: bytes = b"\x01") -> bytes:
    body = b"\xa2\x65roots" + bytes([0x80 + len(roots)])
    body += b"".join(b"\xd8\x2a\x58\x25\x00" + root.to_bytes() for root in roots)
    body += b"\x67version" + version
    return varint(len(body)) + body


def section(cid: CID, data: bytes) -> bytes:
    return varint(36 + len(data)) + cid.to_bytes() + data


NODE_SECTION = section(ROOT, NODE)
A_SECTION = section(leaf_cid(A), A)
B_SECTION = section(leaf_cid(B), B)
GOOD = header(ROOT) + NODE_SECTION + A_SECTION + B_SECTION


def read(data: bytes, **limits: int) -> list[tuple[CID, bytes]]:
    return list(read_car(io.BytesIO(data), **limits).blocks)


def test_write_car__tree__bytes_of_the_specification() -> None:
    store = MemoryStore()
    store.add(A)
    store.add(B)
    store.add(NODE, inner=True)
    stream = io.BytesIO()
    write_car(store, ROOT, stream)
    assert stream.getvalue() == GOOD


def test_read_car__whole__roots_and_blocks() -> None:
    car = read_car(io.BytesIO(GOOD))
    assert car.roots == [ROOT]
    assert list(car.blocks) == [(ROOT, NODE), (leaf_cid(A), A), (leaf_cid(B), B)]


def test_read_car__leaves_in_any_order_and_two_roots__read() -> None:
    assert len(read(header(ROOT) + NODE_SECTION + B_SECTION + A_SECTION)) == 3
    assert len(read(header(leaf_cid(B), leaf_cid(A)) + A_SECTION + B_SECTION)) == 2


def test_read_car__empty_file_with_or_without_its_block__read() -> None:
    assert read(header(EMPTY_CID)) == []
    assert read(header(EMPTY_CID) + section(EMPTY_CID, b"")) == []


HOSTILE = {
    "nothing": b"",
    "header cut off": header(ROOT)[:30],
    "header over 4 kB": varint(5000) + bytes(5000),
    "header of garbage": varint(60) + b"\xff" * 60,
    "version 2": header(ROOT, version=b"\x02") + NODE_SECTION + A_SECTION + B_SECTION,
    "pragma of CARv2": b"\x0a\xa1\x67version\x02" + bytes(40),
    "no roots": header() + NODE_SECTION,
    "seventeen roots": header(*[ROOT] * 17) + NODE_SECTION + A_SECTION + B_SECTION,
    "root of another tag": GOOD.replace(b"\xd8\x2a", b"\xd8\x2b"),
    "root with a zero less": GOOD.replace(b"\x58\x25\x00", b"\x58\x25\x01"),
    "header with a tail": varint(67) + header(ROOT)[1:] + b"\x00",
    "no blocks": header(ROOT),
    "leaf missing": header(ROOT) + NODE_SECTION + A_SECTION,
    "node missing": header(ROOT) + A_SECTION + B_SECTION,
    "leaf before its node": header(ROOT) + A_SECTION + NODE_SECTION + B_SECTION,
    "stranger at the end": GOOD + section(leaf_cid(b"junk"), b"junk"),
    "node twice": header(ROOT) + NODE_SECTION * 2 + A_SECTION + B_SECTION,
    "leaf twice": GOOD + B_SECTION,
    "empty block that nobody named": GOOD + section(EMPTY_CID, b""),
    "zero section": GOOD + b"\x00",
    "section shorter than a cid": GOOD + b"\x10" + bytes(16),
    "section over 2 MiB": header(ROOT) + varint(37 + (2 << 20)) + ROOT.to_bytes(),
    "section of 32 GiB": header(ROOT) + varint((1 << 35) - 1) + ROOT.to_bytes(),
    "length of 64 bits": header(ROOT) + b"\xff" * 9 + b"\x01",
    "padded length": header(ROOT) + b"\xd0\x80\x00" + ROOT.to_bytes(),
    "cut in a length": GOOD + b"\x80",
    "cut in a cid": GOOD[: len(header(ROOT)) + 20],
    "cut in a block": GOOD[:-1],
    "bit flipped in a leaf": GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
    "bit flipped in the node": GOOD.replace(NODE, NODE[:-1] + bytes([NODE[-1] ^ 1])),
    "cid of version 0": header(ROOT) + varint(34) + b"\x12\x20" + bytes(32),
    "identity block": header(ROOT) + varint(40) + b"\x01\x55\x00\x22" + bytes(36),
    "node that is no file": header(node_cid(A)) + section(node_cid(A), A),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_read_car__hostile__refused_in_one_line(name: str) -> None:
    with pytest.raises((MalformedError, LimitError, StorageError)) as refused:
        read(HOSTILE[name])
    assert "\n" not in str(refused.value)
    if "bit flipped" in name:
        assert isinstance(refused.value, BlockMismatchError)
    if "missing" in name and "leaf" in name:
        assert isinstance(refused.value, BlockNotFoundError)


def test_read_car__file_over_the_limit__refused() -> None:
    assert len(read(GOOD, max_size=20)) == 3
    with pytest.raises(LimitError, match="20 bytes where 19 are allowed"):
        read(GOOD, max_size=19)


@pytest.mark.parametrize("name", HOSTILE)
def test_import_car__hostile__nothing_pinned(name: str, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    with pytest.raises((MalformedError, LimitError, StorageError)):
        import_car(io.BytesIO(HOSTILE[name]), store)
    assert store.pins() == []
    store.gc()
    assert list((tmp_path / "store" / "blocks").glob("*/*")) == []


def test_import_car__no_such_file__refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        import_car(tmp_path / "none.car", LocalStore(tmp_path / "store"))


def test_export_car__block_missing__nothing_at_dest(tmp_path: Path) -> None:
    store = MemoryStore()
    store.add(A)
    store.add(NODE, inner=True)
    with pytest.raises(BlockNotFoundError):
        export_car(store, ROOT, tmp_path / "out" / "file.car")
    assert list((tmp_path / "out").iterdir()) == []
