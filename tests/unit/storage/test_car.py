# SPDX-License-Identifier: Apache-2.0
"""CAR archives that others can read."""

import io
from pathlib import Path

import pytest

from tests.utils.cars import header, section
from tests.utils.dags import MemoryStore, leaf_cid, node, node_cid
from truthmark.cid import EMPTY_CID
from truthmark.errors import BlockNotFoundError
from truthmark.storage import export_car
from truthmark.storage.car import write_car

A, B = b"first leaf", b"other leaf"
NODE = node([(leaf_cid(A), 10), (leaf_cid(B), 10)])
ROOT = node_cid(NODE)


def test_write_car__tree__bytes_of_the_specification() -> None:
    store = MemoryStore()
    store.add(A)
    store.add(B)
    store.add(NODE, inner=True)
    stream = io.BytesIO()
    write_car(store, ROOT, stream)
    sections = section(ROOT, NODE) + section(leaf_cid(A), A) + section(leaf_cid(B), B)
    assert stream.getvalue() == header(ROOT) + sections


def test_write_car__empty_file__has_its_block() -> None:
    stream = io.BytesIO()
    write_car(MemoryStore(), EMPTY_CID, stream)
    assert stream.getvalue() == header(EMPTY_CID) + section(EMPTY_CID, b"")


def test_export_car__block_missing__nothing_at_dest(tmp_path: Path) -> None:
    store = MemoryStore()
    store.add(A)
    store.add(NODE, inner=True)
    with pytest.raises(BlockNotFoundError):
        export_car(store, ROOT, tmp_path / "out" / "file.car")
    assert list((tmp_path / "out").iterdir()) == []
