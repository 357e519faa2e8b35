# SPDX-License-Identifier: Apache-2.0
"""The document of a bounty: strict, one block, and what the terms name."""

import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785

from tests.utils import bounty_vectors
from tests.utils.bounties import make_document, make_terms
from truthmark.bounty.document import (
    MAX_BYTES,
    Document,
    LabelClass,
    Practice,
    WatchNode,
)
from truthmark.errors import BountyError

VECTORS: dict[str, Any] = json.loads(bounty_vectors.PATH.read_text())["documents"]
PUBLISHED = bytes.fromhex(VECTORS["document"][2:])


def test_document__vector__reads_and_writes_the_same_bytes() -> None:
    document = Document.from_bytes(PUBLISHED)
    assert document.to_bytes() == PUBLISHED
    assert document.hash.hex() == VECTORS["hash"][2:]
    assert str(document.cid) == VECTORS["cid"]
    assert document.classes == (LabelClass("big", "b"), LabelClass("small"))
    assert document.watch == (WatchNode("https://watch.example/", "0x" + "ab" * 32),)
    assert document.seconds_per_item == 4


@pytest.mark.parametrize("seconds", [None, 4, 4.25])
def test_document__all_fields__come_back(seconds: float | None) -> None:
    document = make_document(
        seconds_per_item=seconds, wave_of=3, post_rows=7, max_labels_each=9, flags=("blood",)
    )
    assert Document.from_bytes(document.to_bytes()) == document


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"title": "two\nlines"},
        {"title": "x" * 201},
        {"title": 3},
        {"unknown": 1},
        {"format": "truthmark/bounty/2"},
        {"classes": [{"name": "big", "key": ""}]},
        {"classes": [{"name": "big", "key": ""}, {"name": "big", "key": ""}]},
        {"classes": [{"name": "big", "key": "b"}, {"name": "small", "key": "b"}]},
        {"classes": [{"name": "big", "key": "bb"}, {"name": "small", "key": ""}]},
        {"classes": [{"name": "big"}, {"name": "small"}]},
        {"kind": "smell"},
        {"examples": [1]},
        {"examples": [0, 0, 0, 0]},
        {"examples": "0"},
        {"practice": [{"item": 0, "answer": 2, "explanation": ""}]},
        {"licence": " "},
        {"relay_urls": ["javascript:alert(1)"]},
        {"watch": [{"url": "https://watch.example/", "key": "0x00"}]},
        {"post_rows": 0},
        {"post_seconds": True},
        {"seconds_per_item": -1},
        {"wave_of": -1},
        {"gold_against": 1},
        {"items": {}},
    ],
    ids=str,
)
def test_from_bytes__field_that_cannot_be_used__refused(change: dict[str, Any]) -> None:
    data = rfc8785.dumps(json.loads(PUBLISHED) | change)
    with pytest.raises(BountyError):
        Document.from_bytes(data)


def test_from_bytes__field_missing__refused() -> None:
    for name in json.loads(PUBLISHED):
        value = {key: entry for key, entry in json.loads(PUBLISHED).items() if key != name}
        with pytest.raises(BountyError):
            Document.from_bytes(rfc8785.dumps(value))


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", PUBLISHED[:-1], PUBLISHED + b" ", b"[" * 100_000, b"\xff" + PUBLISHED],
    ids=["empty", "no fields", "cut off", "space", "deep", "no UTF-8"],
)
def test_from_bytes__bytes_of_another_kind__refused(data: bytes) -> None:
    with pytest.raises(BountyError):
        Document.from_bytes(data)


def test_to_bytes__more_than_one_block__refused() -> None:
    long = make_document(guidelines="ü" * 200_000, licence="€" * 10_000)
    assert len(long.to_bytes()) < MAX_BYTES
    practice = tuple(Practice(1, 0, "€" * 10_000) for _ in range(30))
    with pytest.raises(BountyError, match="shorten"):
        replace(long, practice=practice).to_bytes()


def test_to_bytes__half_a_character__refused() -> None:
    with pytest.raises(BountyError):
        make_document(guidelines="\ud800").to_bytes()


def test_require_fits__other_terms__refused() -> None:
    document = make_document()
    terms = make_terms(document=document.hash)
    document.require_fits(terms)
    for other in (
        make_terms(),
        replace(terms, items=401),
        replace(terms, classes=3),
    ):
        with pytest.raises(BountyError):
            document.require_fits(other)


def test_rows_to_post__size_of_roster__as_the_page_says() -> None:
    document = make_document()
    assert [document.rows_to_post(workers) for workers in (1, 319, 320, 1001)] == [32, 32, 80, 251]
    assert make_document(post_rows=1).rows_to_post(1000) == 1
