# SPDX-License-Identifier: Apache-2.0
"""What the packer makes for a sample can be sampled."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.utils.containers import pack
from tests.utils.previews import PreviewMarket
from truthmark.codec import open_container, read_index, read_manifest
from truthmark.codec.previous import Previous
from truthmark.market.entries import Version
from truthmark.market.preview import PreviewState, wanted_keys
from truthmark.market.verdicts import cut_keys


def listed(
    market: PreviewMarket, folder: Path, source: object, number: int = 1, **options: object
) -> Version:
    """Pack, list and open what chance wants."""
    _, cek = pack(source, folder, preview=True, **options)
    (folder / "key").write_bytes(cek)
    manifest = read_manifest(folder)
    index = read_index(folder, manifest)
    data, size = (folder / "data.tmk").read_bytes(), manifest.shard_size
    market.shelf.add(data, size)
    market.shelf.add((folder / "index.arrow").read_bytes())
    market.shelf.add((folder / "card.json").read_bytes())
    market.shelf.blocks[manifest.cid] = manifest.to_bytes()
    terms = market.offline.list_version(
        1,
        number,
        manifest=manifest.digest,
        root=manifest.root,
        shard_count=index.count,
        public_key=manifest.public_key,
        licence=market.licence_of(manifest),
    )
    version = market.offline.catalogue.with_terms(terms.terms_id)
    with open_container(folder, cek=cek) as container:
        for keys in cut_keys(wanted_keys(market.session, version, container).keys):
            market.offline.log(
                "openings",
                "KeysPublished",
                root=manifest.root,
                publisher=terms.seller,
                keys=keys,
            )
    return version


def test_look__packed_table__is_shown_and_its_card_is_true(
    market: PreviewMarket, tmp_path: Path
) -> None:
    rows = 60_000
    chance = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"x": chance.normal(size=rows), "t": [f"{i} {os.urandom(6).hex()}" for i in range(rows)]}
    )
    found = market.look(listed(market, tmp_path / "packed", frame))
    assert found.state is PreviewState.SHOWN, found.why
    assert found.contradictions == ()
    assert found.unsampled == 0.0


def test_look__packed_folder_of_pictures__opens_them(market: PreviewMarket, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for i in range(700):
        place = tmp_path / "in" / ("cat" if i % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        image.frombytes("RGB", (40, 40), os.urandom(4_800)).save(place / f"{i}.png")
    found = market.look(listed(market, tmp_path / "packed", tmp_path / "in"))
    assert found.state in (PreviewState.SHOWN, PreviewState.SMALL), found.why
    (said,) = [line for line in found.findings if "were opened as what their names say" in line]
    assert said.endswith("0 do not open")


def test_look__packed_folder_of_noise_named_png__asks(
    market: PreviewMarket, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for i in range(700):
        (tmp_path / "in" / f"{i}.png").write_bytes(os.urandom(4_800))
    found = market.look(listed(market, tmp_path / "packed", tmp_path / "in"))
    assert found.state is PreviewState.PARTIAL
    assert "do not open as what their names say" in found.why


def test_look__packed_update__is_drawn_from_what_is_new(
    market: PreviewMarket, tmp_path: Path
) -> None:
    rows = 60_000
    frame = pd.DataFrame({"t": [f"{i} {os.urandom(24).hex()}" for i in range(rows)]})
    first, second = tmp_path / "first", tmp_path / "second"
    assert market.look(listed(market, first, frame[:45_000])).state is PreviewState.SHOWN
    before = Previous(first, (first / "key").read_bytes())
    (first / "key").rename(tmp_path / "key")
    version = listed(market, second, frame, 2, previous=before)
    found = market.look(version)
    assert found.state is PreviewState.SHOWN, found.why
    assert found.taken_over > 0.5
    assert all(part.segments < 0.5 * found.segments + 200 for part in found.parts)
    for known in market.session.index_folder.glob("previews.sqlite*"):
        known.unlink()
    again = market.look(version)  # as somebody sees it who has not looked at the first version
    assert (again.state, again.taken_over) == (found.state, found.taken_over)
