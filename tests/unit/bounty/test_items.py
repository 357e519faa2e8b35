# SPDX-License-Identifier: Apache-2.0
"""The file of items and its list: the published vectors, and what is not as it should be."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils import bounty_vectors
from truthmark.bounty.items import (
    DATA_NAME,
    MANIFEST_NAME,
    MAX_ITEM,
    Item,
    Items,
    ItemsWriter,
    Media,
    item_key,
)
from truthmark.errors import BountyError, IntegrityError, TruthmarkError, WrongKeyError

VECTORS: list[dict[str, Any]] = json.loads(bounty_vectors.PATH.read_text())["items"]
SECRET = b"\x07" * 32


def data(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def make_items(case: dict[str, Any], which: str) -> list[Item]:
    return [Item(Media(entry["media"]), data(entry["data"])) for entry in case[which]]


@pytest.mark.parametrize("case", VECTORS, ids=["public", "encrypted"])
def test_writer__vectors__agree(case: dict[str, Any], tmp_path: Path) -> None:
    secret = data(case["secret"]) if case["secret"] else None
    with ItemsWriter(tmp_path, secret) as writer:
        assert [writer.add(item) for item in make_items(case, "labeled")] == [0, 1, 2, 3]
        assert [writer.show(item) for item in make_items(case, "shown")] == [0]
        info = writer.finish()
    assert (tmp_path / MANIFEST_NAME).read_bytes() == data(case["manifest"])
    assert (tmp_path / DATA_NAME).read_bytes() == data(case["data"])
    assert (str(info.manifest), str(info.data)) == (case["manifest_cid"], case["data_cid"])
    assert (info.count, info.shown, info.encrypted) == (4, 1, secret is not None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [DATA_NAME, MANIFEST_NAME]


@pytest.mark.parametrize("case", VECTORS, ids=["public", "encrypted"])
def test_items__vectors__agree(case: dict[str, Any]) -> None:
    stored = data(case["data"])
    items = Items(data(case["manifest"]), lambda offset, length: stored[offset : offset + length])
    assert items.size == len(stored)
    for number, expected in enumerate(make_items(case, "labeled")):
        key = item_key(data(case["secret"]), number) if case["secret"] else None
        if key:
            assert key == data(case["keys"][number])
        assert items.item(number, key) == expected
    assert items.example(0) == make_items(case, "shown")[0]
    first, second = items.item(2, _key(case, 2)).pair
    assert (first.text, second.text) == ("a", "b")


def _key(case: dict[str, Any], number: int) -> bytes | None:
    return data(case["keys"][number]) if case["keys"] else None


def write(folder: Path, secret: bytes | None = SECRET) -> Items:
    with ItemsWriter(folder, secret) as writer:
        for number in range(5):
            writer.add(Item.of_text(f"item {number}"))
        writer.show(Item.of_text("an example"))
        info = writer.finish()
    items = Items.open(folder)
    items.require_fits(info)
    return items


def test_open__written_folder__reads_each_by_its_own_key(tmp_path: Path) -> None:
    with write(tmp_path) as items:
        assert items.item(3, item_key(SECRET, 3)).text == "item 3"
        with pytest.raises(WrongKeyError):
            items.item(3, item_key(SECRET, 4))
        with pytest.raises(WrongKeyError):
            items.item(3)
        for number in (-1, 6):
            with pytest.raises(BountyError):
                items.item(number)
        for place in (-1, 1):
            with pytest.raises(BountyError):
                items.example(place)


def test_open__byte_changed__refused_and_others_fine(tmp_path: Path) -> None:
    with write(tmp_path) as items:
        offset, _ = items.place(1)
    path = tmp_path / DATA_NAME
    damaged = bytearray(path.read_bytes())
    damaged[offset] ^= 1
    path.write_bytes(damaged)
    with Items.open(tmp_path) as items:
        with pytest.raises(IntegrityError):
            items.item(1, item_key(SECRET, 1))
        assert items.item(2, item_key(SECRET, 2)).text == "item 2"


def test_open__file_cut_off__refused(tmp_path: Path) -> None:
    write(tmp_path).close()
    path = tmp_path / DATA_NAME
    path.write_bytes(path.read_bytes()[:-1])
    with Items.open(tmp_path) as items, pytest.raises(IntegrityError):
        items.example(0)


def test_items__list_of_another_kind__refused(tmp_path: Path) -> None:
    write(tmp_path).close()
    good = (tmp_path / MANIFEST_NAME).read_bytes()
    none_at_all = good[:6] + bytes(8)
    too_long = good[:14] + bytes(8) + (MAX_ITEM + 17).to_bytes(4, "big") + good[26:]
    for bad in (b"", good[:-1], good + b"\0", b"X" + good[1:], none_at_all, too_long):
        with pytest.raises(BountyError):
            Items(bad, lambda _offset, _length: b"")
    with pytest.raises(BountyError):
        Items.open(tmp_path / "nowhere")


def test_require_fits__other_document__refused(tmp_path: Path) -> None:
    with ItemsWriter(tmp_path) as writer:
        writer.add(Item.of_text("a"))
        info = writer.finish()
    with Items.open(tmp_path) as items:
        for other in (
            replace(info, count=2),
            replace(info, shown=1),
            replace(info, encrypted=True),
        ):
            with pytest.raises(BountyError):
                items.require_fits(other)


def test_writer__interrupted__leaves_what_was_there(tmp_path: Path) -> None:
    write(tmp_path).close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt), ItemsWriter(tmp_path) as writer:
        writer.add(Item.of_text("other"))
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_writer__nothing_or_too_much__refused(tmp_path: Path) -> None:
    with ItemsWriter(tmp_path) as writer:
        with pytest.raises(BountyError, match="no item"):
            writer.finish()
        with pytest.raises(BountyError, match="smaller"):
            writer.add(Item(Media.JPEG, bytes(MAX_ITEM)))
        for _ in range(33):
            writer.show(Item.of_text("a"))
        with pytest.raises(BountyError, match="shown"):
            writer.show(Item.of_text("a"))


@pytest.mark.parametrize(
    "item",
    [Item(Media.PAIR, b""), Item(Media.PAIR, bytes(4)), Item(Media.PAIR, b"\0\0\0\xff\0a")],
)
def test_pair__malformed__refused(item: Item) -> None:
    with pytest.raises(TruthmarkError):
        _ = item.pair


def test_text__other_media_or_no_utf8__refused() -> None:
    for item in (Item(Media.JPEG, b"a"), Item(Media.TEXT, b"\xff")):
        with pytest.raises(BountyError):
            _ = item.text
    with pytest.raises(BountyError):
        Item.of_text("\ud800")
    for stored in (b"", b"\xff"):
        with pytest.raises(BountyError):
            Item.from_bytes(stored)
