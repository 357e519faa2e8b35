# SPDX-License-Identifier: Apache-2.0
"""What packing foretells of a sample is what the draws then show, on average."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.utils.containers import pack
from truthmark.codec import open_container
from truthmark.hashing import keccak256
from truthmark.market.preview.draw import draw_all
from truthmark.market.preview.strata import Structure, find_strata

SEEDS = 400


def folder_of_files(folder: Path) -> Path:
    folder.mkdir()
    for k in range(60):
        (folder / f"{k}.bin").write_bytes(os.urandom(500 * k))
    (folder / "large.bin").write_bytes(os.urandom(900_000))
    pa.ipc.new_file(folder / "t.arrow", pa.schema([("x", pa.int64())])).close()
    return folder


@pytest.mark.parametrize("kind", ["uneven rows", "files"])
def test_outlook__over_many_seeds__is_what_draws_open(kind: str, tmp_path: Path) -> None:
    source: Any = folder_of_files(tmp_path / "in")
    if kind == "uneven rows":
        poor = pa.table({"x": np.zeros(400_000), "text": [""] * 400_000})
        rich = pa.table({"x": np.random.default_rng(1).random(900), "text": ["q" * 900] * 900})
        noise = [os.urandom(500).hex() for _ in range(900)]
        rich = rich.set_column(1, "text", pa.array(noise))
        source = {"poor": poor, "rich": rich, "both": pa.concat_tables([rich, poor])}
    packed, cek = pack(source, tmp_path / "packed", preview=True, shard_size=8192)
    outlook = packed.outlook
    assert outlook is not None
    with open_container(tmp_path / "packed", cek=cek) as container:
        entries = [file.entry for file in container.files]
        structure = Structure(container.index, entries, packed.shard_size)
        rows = {run.number: run.rows for run in container.index.table_segments}
    strata = find_strata(structure, outlook.draws)
    drawn_from = sum(stratum.shard_count for stratum in strata.drawn)
    opened, open_rows = 0, 0
    for k in range(SEEDS):
        picks = draw_all(structure, strata, keccak256(k.to_bytes(32, "big")))
        opened += len({shard for pick in picks for shard in pick.shards})
        open_rows += sum(rows.get(number, 0) for number in {pick.segment for pick in picks})
    assert structure.units == outlook.units
    assert opened / SEEDS / drawn_from == pytest.approx(outlook.open_share, rel=0.1)
    assert open_rows / SEEDS == pytest.approx(outlook.open_rows, rel=0.1)
