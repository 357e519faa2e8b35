# SPDX-License-Identifier: Apache-2.0
"""The library, a second implementation written from the page, and the vectors say the same."""

import json
from typing import Any

import numpy as np
import pytest

from tests.utils.preview_vectors import VECTORS, digests, make_vectors
from truthmark.codec.files_table import Entry
from truthmark.codec.sampling import PreviewAsked
from truthmark.codec.shard_index import ShardIndex
from truthmark.hashing import sha256
from truthmark.market.preview.bounds import Bounds, bound, detection
from truthmark.market.preview.draw import draw_all, seed_of, shards_of
from truthmark.market.preview.sampling import Sample
from truthmark.market.preview.strata import Structure, column_text, files_shards, find_strata

VECTORS_READ: dict[str, Any] = json.loads(VECTORS.read_text())


def structure_of(case: dict[str, Any]) -> Structure:
    rows: list[tuple[int, int, int, int]] = []
    row = 0
    for number, pair in enumerate(case["segments"]):
        if pair is None:
            continue
        for i in range(pair[0]):
            rows.append((number, row, 0 if i else pair[1], 0 if i else 100 + number))
        row += pair[1]
    numbers = np.array(rows, dtype=np.uint64)
    hashes = [digests(i) for i in range(len(rows))]
    index = ShardIndex(
        b"".join(ciphertext for ciphertext, _ in hashes),
        b"".join(key for _, key in hashes),
        bytes(32 * len(rows)),
        tuple(np.ascontiguousarray(numbers[:, column]) for column in range(4)),
    )
    entries = [
        Entry(
            entry["path"],
            entry["kind"],
            None,
            entry["offset"],
            entry["length"],
            bytes.fromhex(entry["columns"]) if "columns" in entry else None,
        )
        for entry in case["files"]
    ]
    return Structure(index, entries, case["payload"] + 16, lambda entry: entry.schema or b"")


def test_vectors__file__is_what_the_page_makes() -> None:
    assert json.loads(json.dumps(make_vectors())) == VECTORS_READ


@pytest.mark.parametrize("case", VECTORS_READ["seeds"])
def test_seed_of__vectors__are_met(case: dict[str, Any]) -> None:
    manifest, word = bytes.fromhex(case["manifest"]), bytes.fromhex(case["word"])
    assert seed_of(case["chain_id"], case["registry"], manifest, word).hex() == case["seed"]


@pytest.mark.parametrize("case", VECTORS_READ["draws"])
def test_draw_all__vectors__are_met(case: dict[str, Any]) -> None:
    structure = structure_of(case)
    strata = find_strata(structure, case["m"], {bytes.fromhex(name) for name in case["taken"]})
    picks = draw_all(structure, strata, bytes.fromhex(case["seed"]))
    found = [
        {
            "name": stratum.name,
            "units": stratum.units,
            "draws": draws,
            "picks": [list(pick.shards) for pick in picks if pick.stratum == k],
        }
        for k, (stratum, draws) in enumerate(zip(strata.drawn, strata.draws, strict=True))
    ]
    assert found == case["result"]["strata"]
    opened = sorted({*files_shards(structure.index), *shards_of(picks)})
    assert opened == case["result"]["open"]
    sample = Sample(PreviewAsked(case["m"]), b"", structure, strata, picks)
    assert sample.draws == case["result"]["m"]


@pytest.mark.parametrize("case", VECTORS_READ["schemas"])
def test_column_text__vectors__are_met(case: dict[str, Any]) -> None:
    text = column_text(Entry("t", "table", None, 0, 1, bytes.fromhex(case["schema"])))
    assert sha256(text).hex() == case["columns"]


@pytest.mark.parametrize("case", VECTORS_READ["bounds"])
def test_bound__vectors__are_met(case: dict[str, Any]) -> None:
    assert bound(case["m"], case["tries"]) == pytest.approx(case["share"])


def test_bounds__in_words__name_both() -> None:
    lines = Bounds.of(64).lines
    assert "8.9 % of the bytes" in lines[0]
    assert "32 %" in lines[1]


def test_detection__bad_share_at_the_bound_in_one_half__is_missed_once_in_twenty() -> None:
    assert detection(64, bound(64), 0.0) == pytest.approx(0.95)
    assert detection(64, 0.0, bound(64)) == pytest.approx(0.95)
    assert detection(64, 1.0, 0.0) == 1.0
