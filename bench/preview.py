# SPDX-License-Identifier: Apache-2.0
"""Samples drawn by chance: `python -m bench.preview [--seeds 3000] [--megabytes 64]`.

Containers are packed as for sale, and then made bad: noise is sealed in place of good segments, and
index and manifest fit it again. A lie is found if a client, which opens and decodes what is drawn,
finds something wrong; of each segment that is asked once, and then 3,000 seeds are drawn. What is
found is held against 1 − (1 − f_s)^⌈m/2⌉·(1 − f_r)^⌊m/2⌋, f_s the bad share of shards and f_r of
rows, less four standard deviations. Last, how long a look takes at a listing whose bytes are there.
"""

import argparse
import hashlib
import io
import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.codec import pack
from bench.report import Report
from tests.utils.offline_market import OfflineMarket
from tests.utils.previews import PreviewMarket
from truthmark.cid import build_dag, cid_of_stream, raw_cid
from truthmark.codec.container import read_index, read_manifest
from truthmark.codec.derive import shard_key
from truthmark.codec.limits import CARD_NAME, DATA_NAME
from truthmark.codec.manifest import Manifest
from truthmark.codec.shard_index import Segment, ShardIndex
from truthmark.hashing import sha256
from truthmark.market.entries import Version
from truthmark.market.preview import PreviewState, wanted_keys
from truthmark.market.preview.bounds import detection
from truthmark.market.preview.draw import draw_all
from truthmark.market.preview.opening import EndError, Opening, OwnShards
from truthmark.market.preview.strata import Strata, Structure, find_strata
from truthmark.market.verdicts import cut_keys

MEGABYTE = 1 << 20
SEEDS = 3_000
SHARES = (0.02, 0.05, 0.1, 0.3)
ROW = 2_000
"""Bytes of a row of the listing that is looked at."""
SIGMAS = 4.0


class Packed:
    """A container with all its keys, whose segments can be made bad."""

    def __init__(self, folder: Path, source: object, **options: object) -> None:
        """Pack as for sale."""
        _, cek = pack(source, folder, preview=True, **options)
        self.manifest: Manifest = read_manifest(folder)
        self.index: ShardIndex = read_index(folder, self.manifest)
        size = self.manifest.shard_size
        data = (folder / DATA_NAME).read_bytes()
        self.card = (folder / CARD_NAME).read_bytes()
        self.shards = [data[at : at + size] for at in range(0, len(data), size)]
        self.keys = {
            i: shard_key(cek, i, self.index.sha256(i), self.index.wrap_word(i))
            for i in range(self.index.count)
        }

    def spoil(self, segments: list[Segment]) -> None:
        """Seal noise in place of segments, and make index and manifest fit."""
        payload = self.manifest.shard_size - 16
        for segment in segments:
            for i in range(segment.shard, segment.shard + segment.shards):
                noise = os.urandom(payload)
                self.shards[i] = AESGCM(self.keys[i]).encrypt(bytes(12), noise, None)
        old = self.index
        numbers = (old.segment, old.first_row, old.rows, old.decoded_bytes)
        hashes = b"".join(map(sha256, self.shards))
        key_hashes = b"".join(sha256(self.keys[i]) for i in range(old.count))
        self.index = ShardIndex(hashes, key_hashes, bytes(32 * old.count), numbers)
        data = self.index.to_bytes()
        size = self.manifest.shard_size
        self.manifest = replace(
            self.manifest,
            root=self.index.tree.root,
            container=build_dag((sha256(shard), size) for shard in self.shards).root,
            index=cid_of_stream(io.BytesIO(data)),
            index_size=len(data),
        )

    @property
    def opening(self) -> Opening:
        """What a client opens with all keys."""
        source = OwnShards(_InMemory(self.shards))  # type: ignore[arg-type]
        return Opening(self.manifest, self.index, source, self.keys)


class _InMemory:
    """Shards in memory, as the part of an opener that is needed."""

    def __init__(self, shards: list[bytes]) -> None:
        self._shards = shards

    def ciphertext(self, i: int) -> bytes:
        return self._shards[i]


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many draws of each container")
    parser.add_argument(
        "--megabytes", type=int, default=64, help="of the listing that is looked at"
    )
    given = parser.parse_args()
    report = Report("preview")
    with tempfile.TemporaryDirectory(dir=".") as name:
        measure_noise(report, Path(name), given.seeds)
        measure_lies(report, Path(name), given.seeds)
        measure_look(report, Path(name), given.megabytes)
    report.write()


def measure_noise(
    report: Report, folder: Path, seeds: int, rows: int = 150_000, shares: Sequence[float] = SHARES
) -> None:
    """Measure how often noise is found that is spread over everything."""
    for share in shares:
        packed = Packed(folder / f"even{share}", even_rows(rows))
        segments = packed.index.table_segments
        chance = random.Random(7)  # the same bad segments each time
        bad = chance.sample(segments, round(share * len(segments)))
        _measure(report, packed, bad, f"noise in {share:.0%} of the parts", seeds)


def measure_lies(report: Report, folder: Path, seeds: int, rows: int = 150_000) -> None:
    """Measure the same where the rows are in few of the shards, or the shards have few rows."""
    good, poor = rows // 60, rows
    packed = Packed(folder / "rowpoor", fat_and_thin(good, poor))
    _measure(
        report,
        packed,
        _with_rows(packed, lambda first, _: first >= good)[::4],
        "thin bad rows, in few of the shards",
        seeds,
        draws=(8, 16, 32),
    )
    packed = Packed(folder / "shardpoor", fat_and_thin(good, poor))
    _measure(
        report,
        packed,
        _with_rows(packed, lambda _, end: end <= good)[: len(packed.index.table_segments) // 5],
        "fat bad rows, few of the rows",
        seeds,
        draws=(8, 16, 32),
    )


def even_rows(count: int) -> pd.DataFrame:
    """Return rows that are all alike large."""
    chance = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "id": np.arange(count),
            "x": chance.normal(size=count).round(4),
            "y": chance.integers(0, 5, count),
            "text": [f"row {i} {chance.bytes(12).hex()}" for i in range(count)],
        }
    )


def large_rows(count: int) -> pd.DataFrame:
    """Return rows of `ROW` bytes that no compression makes smaller."""
    chance = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "id": np.arange(count),
            "label": chance.integers(0, 10, count),
            "data": [chance.bytes(ROW) for _ in range(count)],
        }
    )


def fat_and_thin(fat: int, thin: int) -> pd.DataFrame:
    """Return a few rows that fill most of the shards, and many that fill hardly any."""
    chance = np.random.default_rng(1)
    return pd.concat(
        [
            pd.DataFrame(
                {"v": np.zeros(fat, "i8"), "pad": [os.urandom(3_000) for _ in range(fat)]}
            ),
            pd.DataFrame(
                {"v": chance.integers(0, 2**40, thin), "pad": [os.urandom(2) for _ in range(thin)]}
            ),
        ],
        ignore_index=True,
    )


def _with_rows(packed: Packed, is_bad: Callable[[int, int], bool]) -> list[Segment]:
    return [s for s in packed.index.table_segments if is_bad(s.first_row, s.first_row + s.rows)]


def _measure(
    report: Report,
    packed: Packed,
    bad: list[Segment],
    what: str,
    seeds: int,
    draws: tuple[int, ...] = (16, 64),
) -> None:
    """Spoil segments, ask a client of each, and draw."""
    packed.spoil(bad)
    opening = packed.opening
    structure = opening.read_files()
    found = _found_bad(opening, structure)
    if found != {segment.number for segment in bad}:
        raise RuntimeError("a client does not find exactly the segments that are bad")
    for m in draws:
        strata = find_strata(structure, m)
        met = sum(_is_met(structure, strata, n, found) for n in range(seeds))
        (stratum,) = strata.drawn
        by_shard = sum(segment.shards for segment in bad) / stratum.shard_count
        by_row = sum(segment.rows for segment in bad) / stratum.rows
        expected = detection(strata.draws[0], by_shard, by_row)
        spread = math.sqrt(expected * (1 - expected) / seeds)
        report.add(
            f"{what} ({by_shard:.1%} of shards, {by_row:.1%} of rows), m = {m}",
            100 * met / seeds,
            "% found",
            peer="by the formula",
            peer_value=100 * expected,
            at_least=math.floor(1e4 * (1 - SIGMAS * spread / expected)) / 1e4,
        )


def _found_bad(opening: Opening, structure: Structure) -> set[int]:
    found = set()
    for position, segments in structure.tables:
        for segment in segments:
            try:
                opening.segment(segment, structure.entries[position].path)
            except EndError as end:
                if end.state is PreviewState.BAD:
                    found.add(segment.number)
            opening.source.drop()
    return found


def _is_met(structure: Structure, strata: Strata, number: int, bad: set[int]) -> bool:
    seed = hashlib.sha256(b"seed %d" % number).digest()
    return any(pick.segment in bad for pick in draw_all(structure, strata, seed))


def measure_look(report: Report, folder: Path, megabytes: int) -> None:
    """Measure a look at an honest listing, and a second one."""
    packed = Packed(folder / "large", large_rows(megabytes * MEGABYTE // ROW))
    place = folder / "market"
    place.mkdir()
    offline = OfflineMarket(place)
    try:
        market = PreviewMarket(offline)
        version = _list(market, packed, folder)
        opening = packed.opening
        opening.read_files()
        assert opening.container is not None
        wanted = wanted_keys(market.session, version, opening.container)
        for keys in cut_keys(wanted.keys):
            offline.log(
                "openings",
                "KeysPublished",
                root=packed.manifest.root,
                publisher=version.terms.seller,
                keys=keys,
            )
        for what in ("look", "look again"):
            start = time.perf_counter()
            found = market.look(version)
            seconds = time.perf_counter() - start
            if found.state is not PreviewState.SHOWN:
                raise RuntimeError(f"an honest listing is {found.state.value}: {found.why}")
            size = packed.manifest.size
            report.add(
                f"{what} at {size // MEGABYTE:,} MiB, {found.segments} parts of "
                f"{found.parts[0].segments:,}, bytes at hand",
                seconds,
                "s",
                at_most=5,
            )
    finally:
        offline.close()


def _list(market: PreviewMarket, packed: Packed, folder: Path) -> Version:
    """List a container whose shards lie on the shelf."""
    shelf, manifest = market.shelf, packed.manifest
    shelf.blocks[manifest.cid] = manifest.to_bytes()
    shelf.add((folder / "large" / "index.arrow").read_bytes())
    shelf.add(packed.card)
    for i, shard in enumerate(packed.shards):
        shelf.blocks[raw_cid(packed.index.sha256(i))] = shard
    terms = market.offline.list_version(
        1,
        1,
        manifest=manifest.digest,
        root=manifest.root,
        shard_count=manifest.count,
        public_key=manifest.public_key,
        licence=market.licence_of(manifest),
    )
    return market.offline.catalogue.with_terms(terms.terms_id)


if __name__ == "__main__":
    main()
