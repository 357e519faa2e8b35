# SPDX-License-Identifier: Apache-2.0
"""What is packed for a sample: small segments, little overhead, and a card that says so."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.utils.containers import PUBLIC_KEY, pack
from truthmark.cid import raw_cid
from truthmark.codec import CardPolicy, Previous, open_container, packer, verify
from truthmark.codec.files_table import BYTES, TABLE, Entry
from truthmark.codec.fine_cuts import FineCutter
from truthmark.codec.outlook import foresee
from truthmark.codec.packer import Packed
from truthmark.codec.sampling import PreviewAsked, preview_asked
from truthmark.codec.shard_index import ShardIndex
from truthmark.errors import CodecError, ConfigError

MIB = 1 << 20
ROOT = Path(__file__).parents[3]


def integers(rows: int, columns: int) -> pa.Table:
    random = np.random.default_rng(9)
    return pa.table(
        {f"c{k}": random.integers(0, 200, rows, dtype=np.int16) for k in range(columns)}
    )


def values(sizes: "np.ndarray[Any, Any]") -> pa.Table:
    return pa.table({"image": [os.urandom(size) for size in sizes], "label": np.arange(len(sizes))})


def plain_size(table: pa.Table) -> int:
    sink = pa.MockOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return int(sink.size())


def segments_of(packed: Packed, cek: bytes) -> list[int]:
    """Return how many shards each table segment has, after every row was read back."""
    with open_container(packed.folder, cek=cek) as container:
        return [run.shards for run in container.index.table_segments]


@pytest.mark.parametrize(
    ("columns", "rows", "shard_size", "least"),
    [
        (1, 4_200_000, 8 << 10, 500),
        (8, 520_000, 8 << 10, 500),
        (20, 210_000, 8 << 10, 500),
        (65, 66_000, 16 << 10, 250),  # what stands around 65 columns needs its room
        (65, 160_000, 16 << 10, 600),
    ],
)
@pytest.mark.untraced
def test_pack__with_a_sample__is_cut_small_and_stays_within_a_tenth_of_zstd(
    tmp_path: Path, columns: int, rows: int, shard_size: int, least: int
) -> None:
    table = integers(rows, columns)
    plain = plain_size(table)
    assert plain >= 4 * MIB
    packed, cek = pack(table, tmp_path / "packed", preview=True)
    assert verify(tmp_path / "packed").holds
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert container.to_table().equals(table)
    found = segments_of(packed, cek)
    assert packed.shard_size == shard_size
    assert set(found[:-1]) == {1}
    assert packed.manifest.size <= 1.10 * plain
    assert packed.outlook is not None
    assert packed.outlook.segments == len(found) >= least
    assert not packed.outlook.is_small


def test_pack__many_columns_of_small_values__encodes_hardly_a_segment_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    write = FineCutter._write
    monkeypatch.setattr(
        FineCutter, "_write", lambda self, *given: (tried.append(0), write(self, *given))[1]
    )
    packed, _ = pack(integers(30_000, 30), tmp_path / "packed", preview=True)
    assert packed.outlook is not None
    assert 100 < packed.outlook.segments <= len(tried) <= 1.05 * packed.outlook.segments


def test_pack__many_columns_with_nulls__stay_within_a_tenth_of_zstd(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    table = pa.table(
        {
            f"c{k}": pa.array(random.integers(0, 200, 52_000), mask=random.random(52_000) < 0.5)
            for k in range(65)
        }
    )
    packed, cek = pack(table, tmp_path / "packed", preview=True)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert container.to_table().equals(table)
    assert packed.manifest.size <= 1.10 * plain_size(table)


def test_pack__rows_that_are_large_for_a_shard__fill_a_few_shards_together(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    table = values(random.integers(2000, 60_000, 300))
    packed, cek = pack(table, tmp_path / "packed", preview=True)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert container.to_table().equals(table)
    assert packed.manifest.size <= 1.10 * plain_size(table)
    found = segments_of(packed, cek)
    assert len(found) >= 60
    assert max(found) <= 16


def test_pack__rows_of_very_different_sizes__come_back_in_segments_of_at_most_64_shards(
    tmp_path: Path,
) -> None:
    sizes = np.array([10, 400_000, 3, 3, 3, 250_000, 1, 0, 511_000, 7] * 6)
    table = values(sizes)
    packed, cek = pack(table, tmp_path / "packed", preview=True)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert container.to_table().equals(table)
    assert max(segments_of(packed, cek)) <= 64


def test_pack__rows_that_turn_incompressible_halfway__come_back(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    column = np.concatenate([np.zeros(300_000), random.random(100_000), np.zeros(300_000)])
    table = pa.table({"x": column, "text": ["a" * (k % 50) for k in range(len(column))]})
    _, cek = pack(table, tmp_path / "packed", preview=True)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert container.to_table().equals(table)


def test_pack__a_row_larger_than_64_parts__is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    table = values(np.array([100] * 200 + [MIB] + [100] * 200))
    with pytest.raises(CodecError, match=r"one row is larger than 64 parts.*--blind"):
        pack(table, tmp_path / "packed", preview=True, shard_size=8192)
    assert not (tmp_path / "packed").exists()


def test_pack__rows_of_megabytes__takes_shards_that_hold_them(tmp_path: Path) -> None:
    table = values(np.full(4, 5 * MIB))
    packed, cek = pack(table, tmp_path / "packed", preview=True)
    assert packed.shard_size == 256 << 10
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert container.to_table().equals(table)
    assert packed.outlook is not None
    assert any("too large for a contract" in line for line in packed.outlook.lines())


def pack_the_same(folder: Path, processes: int) -> bytes:
    """Pack three columns with a key that is always the same; return the manifest."""
    packer._used.clear()  # the same key on purpose: only the bytes are compared
    packed = packer.pack(
        integers(100_000, 3),
        folder,
        cek=bytes(range(32)),
        public_key=PUBLIC_KEY,
        licence="CC0-1.0",
        preview=True,
        processes=processes,
    )
    return packed.manifest_bytes


def test_pack__the_same_key_and_rows__makes_the_same_container(tmp_path: Path) -> None:
    made = [pack_the_same(tmp_path / str(processes), processes) for processes in (1, 2)]
    assert made[0] == made[1]
    program = (
        "import sys; from pathlib import Path; from tests.unit.codec import test_sampled_packing\n"
        "made = test_sampled_packing.pack_the_same(Path(sys.argv[1]), 1)\n"
        "sys.stdout.buffer.write(made)"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "elsewhere")],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert elsewhere.stdout == made[0]


def test_pack__with_a_sample__asks_for_it_in_the_card(tmp_path: Path) -> None:
    seen: list[Any] = []
    packed, _ = pack(
        integers(600_000, 1),
        tmp_path / "packed",
        preview=True,
        card=CardPolicy(extra={"colour": "green"}),
        review=lambda *shown: seen.extend(shown),
    )
    assert packed.outlook is not None
    assert preview_asked(packed.card) == PreviewAsked(packed.outlook.draws)
    assert packed.card["extra"]["colour"] == "green"
    assert seen[0] == packed.card
    assert seen[2] == packed.outlook


def test_pack__draws_given__are_those_of_the_card(tmp_path: Path) -> None:
    packed, _ = pack(integers(1000, 1), tmp_path / "packed", preview=True, draws=200)
    assert preview_asked(packed.card) == PreviewAsked(200)


def test_pack__blind__asks_for_nothing(tmp_path: Path) -> None:
    packed, _ = pack(integers(1000, 1), tmp_path / "packed")
    assert preview_asked(packed.card) is None
    assert packed.outlook is None


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"preview": True, "draws": 0}, "choose 1 to 512"),
        ({"preview": True, "draws": 513}, "choose 1 to 512"),
        ({"draws": 16}, "for data that has a sample"),
        ({"card": CardPolicy(extra={"preview": {"rule": "preview-v1", "draws": 1}})}, "leave it"),
        ({"preview": True, "card": CardPolicy(schema=False)}, "--blind"),
        ({"preview": True, "card": CardPolicy(counts=False)}, "--blind"),
    ],
)
def test_pack__a_sample_that_cannot_be__is_refused_in_one_line(
    tmp_path: Path, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(ConfigError, match=match) as refused:
        pack(integers(10, 1), tmp_path / "packed", **options)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "packed").exists()


def test_pack__updates_of_what_was_sampled__name_the_versions_before(tmp_path: Path) -> None:
    table = integers(400_000, 1)
    first, key = pack(table, tmp_path / "v1", preview=True)
    longer = pa.concat_tables([table, integers(40_000, 1)])
    second, key2 = pack(
        longer, tmp_path / "v2", preview=True, previous=Previous(tmp_path / "v1", key)
    )
    third, _ = pack(longer, tmp_path / "v3", preview=True, previous=Previous(tmp_path / "v2", key2))
    one, two = raw_cid(first.manifest.digest), raw_cid(second.manifest.digest)
    asked = [preview_asked(packed.card) for packed in (second, third)]
    assert [found.previous for found in asked if found is not None] == [(one,), (two, one)]
    # What was taken over is not drawn again: only new rows are counted.
    assert first.outlook is not None
    assert second.outlook is not None
    assert second.inherited == first.count - 1
    assert 0 < second.outlook.segments < first.outlook.segments / 5


def test_pack__update_of_a_blind_version__draws_from_all_of_it(tmp_path: Path) -> None:
    table = integers(400_000, 1)
    first, key = pack(table, tmp_path / "v1")
    second, _ = pack(table, tmp_path / "v2", preview=True, previous=Previous(tmp_path / "v1", key))
    assert second.inherited == first.count - 1
    assert any("which was packed blind" in note for note in second.notes)
    assert preview_asked(second.card) == PreviewAsked(16)
    assert second.outlook is not None
    assert second.outlook.segments > 0


def index_of(segments: "list[tuple[int, int, int]]") -> ShardIndex:
    """Make an index of (segment, shards, rows)."""
    rows, first = [], 0
    for number, shards, count in segments:
        rows += [
            (number, first, 0 if k else count, 0 if k else 4080 * shards) for k in range(shards)
        ]
        first += count
    numbers = np.array(rows, dtype=np.uint64)
    blank = bytes(32 * len(rows))
    columns = tuple(np.ascontiguousarray(numbers[:, k]) for k in range(4))
    return ShardIndex(blank, blank, blank, columns)


def table_of(offset: int, rows: int) -> Entry:
    return Entry(f"t{offset}", TABLE, None, offset, rows, b"")


def test_foresee__one_table__counts_what_chance_opens_on_average() -> None:
    index = index_of([(0, 1, 0), *((2 + k, 1, 100) for k in range(1024))])
    found = foresee(index, [table_of(0, 102_400)], shard_size=8192)
    assert (found.draws, found.segments, found.rows) == (64, 1024, 102_400)
    # 64 draws with replacement from 1,024 equal segments open a little less than 64.
    expected = 1024 * (1 - (1 - 1 / 1024) ** 64)
    assert found.opened == pytest.approx(expected)
    assert found.open_rows == pytest.approx(100 * expected)
    assert found.bound == pytest.approx(0.0894, abs=1e-3)
    assert not found.is_small


def test_foresee__tables_too_small_to_draw_from__are_left_out_or_pooled() -> None:
    big = [(2 + k, 1, 10) for k in range(200)]
    few = foresee(
        index_of([(0, 1, 0), *big, *((300 + k, 1, 10) for k in range(10))]),
        [table_of(0, 2000), table_of(2000, 100)],
        shard_size=8192,
    )
    assert few.segments == 210
    assert few.rows == 2000
    assert few.left_out == pytest.approx(10 / 210)
    pooled = foresee(
        index_of([(0, 1, 0), *big, *((300 + k, 1, 10) for k in range(20))]),
        [table_of(0, 2000), table_of(2000, 100), table_of(2100, 100)],
        shard_size=8192,
    )
    assert pooled.left_out == 0
    assert pooled.rows == 2200


def test_foresee__a_byte_stream__is_drawn_by_shards_and_by_files() -> None:
    index = index_of([(0, 1, 0), (1, 200, 0)])
    files = [Entry(f"f{k}", BYTES, None, 4080 * 2 * k, 4080 * 2) for k in range(100)]
    found = foresee(index, files, shard_size=4096, draws=16)
    assert found.segments == 200
    # A drawn shard brings the file that it is of, and so the other shard of that.
    assert found.open_share == pytest.approx(1 - (1 - 1 / 100) ** 16)
    assert found.rows == 0
    assert "rows" not in found.lines()[1]


def test_foresee__a_large_file__is_not_opened_whole_by_one_draw() -> None:
    index = index_of([(0, 1, 0), (1, 1000, 0)])
    whole = [Entry("f", BYTES, None, 0, 4080 * 1000)]
    found = foresee(index, whole, shard_size=4096, draws=16)
    by_shard = 1 - (1 - 1 / 1000) ** 8  # behind its first 64, which any draw opens
    assert found.open_share == pytest.approx((64 + 936 * by_shard) / 1000)


def test_foresee__a_stream_of_which_some_is_new__is_drawn_from_whole() -> None:
    index = index_of([(0, 1, 0), (1, 200, 0)])
    files = [Entry(f"f{k}", BYTES, None, 4080 * 2 * k, 4080 * 2) for k in range(100)]
    some = foresee(index, files, shard_size=4096, kept=range(1, 151))
    assert (some.segments, some.units) == (200, 200)
    nothing_new = foresee(index, files, shard_size=4096, kept=range(1, 201))
    assert (nothing_new.segments, nothing_new.units) == (0, 200)


def test_foresee__little_data__says_what_it_gives_away_and_what_it_is_worth() -> None:
    index = index_of([(0, 1, 0), *((2 + k, 1, 10) for k in range(40))])
    found = foresee(index, [table_of(0, 400)], shard_size=8192)
    assert found.is_small
    assert any("little data" in line for line in found.lines())
    assert any("about 33 % of the data" in line for line in found.lines())
    tiny = foresee(index_of([(0, 1, 0), (2, 1, 5)]), [table_of(0, 5)], shard_size=8192)
    assert tiny.opened == 0
    assert any("too little data to draw from (1 part)" in line for line in tiny.lines())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.untraced
def test_pack__rows_whose_sizes_change_all_the_time__come_back_in_order(
    tmp_path: Path, seed: int
) -> None:
    random = np.random.default_rng(seed)
    runs = [
        np.full(random.integers(1, 400), random.choice([0, 5, 300, 4000, 30_000]))
        for _ in range(12)
    ]
    kinds = [random.random() < 0.5 for _ in runs]
    cells = [
        bytes(random.bytes(int(size))) if rough else bytes(int(size))
        for run, rough in zip(runs, kinds, strict=True)
        for size in run
    ]
    table = pa.table({"row": np.arange(len(cells)), "cell": cells})
    packed, cek = pack(
        pa.Table.from_batches(table.to_batches(max_chunksize=int(random.integers(1, 300)))),
        tmp_path / "packed",
        preview=True,
    )
    assert verify(packed.folder).holds
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert container.to_table().equals(table)
        assert sum(run.rows for run in container.index.table_segments) == len(cells)


def test_pack__a_constant_column__has_segments_of_a_million_rows_at_most(tmp_path: Path) -> None:
    table = pa.table({"x": np.zeros(5_000_000, np.int8)})
    packed, cek = pack(table, tmp_path / "packed", preview=True)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert container.to_table().equals(table)
    assert segments_of(packed, cek) == [1] * 5
