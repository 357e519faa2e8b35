# SPDX-License-Identifier: Apache-2.0
"""Tables of many segments: ranges, rows of any size, sources larger than what is looked at."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.utils.containers import S, pack, reopened
from truthmark.codec import Limits, open_container
from truthmark.codec import estimate as estimating
from truthmark.codec import tables as reading
from truthmark.errors import CodecError, ConfigError, LimitError


def tall_table(rows: int = 60_000) -> pa.Table:
    random = np.random.default_rng(3)
    return pa.table(
        {
            "row": np.arange(rows),
            "noise": random.integers(0, 2**62, rows),
            "text": [f"row {i % 977}" for i in range(rows)],
        }
    )


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bounds=st.tuples(st.integers(0, 60_000), st.integers(0, 60_000)).map(sorted))
def test_to_table__any_range__opens_only_the_shards_it_needs(
    bounds: list[int], tall: tuple[pa.Table, Any], tmp_path: Path
) -> None:
    table, container = tall
    low, high = bounds
    asked: list[int] = []
    opener = container.opener
    original = opener.open_into
    opener.open_into = lambda i, buffer: (asked.append(i), original(i, buffer))
    try:
        assert container.to_table(rows=range(low, high)).equals(table.slice(low, high - low))
    finally:
        opener.open_into = original
    needed = {
        shard
        for run in container.index.table_segments
        if run.first_row < high and run.first_row + run.rows > low and low < high
        for shard in range(run.shard, run.shard + run.shards)
    }
    assert set(asked) == needed


@pytest.fixture(scope="module")
def tall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[pa.Table, Any]]:
    folder = tmp_path_factory.mktemp("tall")
    table = tall_table()
    with reopened(table, folder) as container:
        assert len(container.index.table_segments) > 4
        yield table, container


@pytest.mark.parametrize("rows", [range(-1, 5), range(5, 3), range(0, 60_001), range(0, 9, 2)])
def test_to_table__impossible_range__is_refused(rows: range, tall: tuple[pa.Table, Any]) -> None:
    with pytest.raises(ConfigError, match="rows"):
        tall[1].to_table(rows=rows)


def test_iter_batches__two_processors__gives_the_same_order(tall: tuple[pa.Table, Any]) -> None:
    table, container = tall
    got = pa.Table.from_batches(container.iter_batches(processes=2))
    assert got.equals(table)


def test_segments__tall_table__are_filled(tall: tuple[pa.Table, Any]) -> None:
    container = tall[1]
    runs = container.index.table_segments
    assert all(1 <= run.shards <= 64 for run in runs)
    file_size = pa.MockOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(file_size, tall[0].schema, options=options) as writer:
        writer.write_table(tall[0])
    assert container.manifest.size <= 1.2 * file_size.size()


def test_pack__rows_of_wildly_different_size__come_back(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    sizes = random.choice([1, 10, 300, 9_000, 60_000], 300)
    table = pa.table({"x": [random.bytes(int(size)) for size in sizes]})
    with reopened(table, tmp_path) as container:
        assert container.to_table().equals(table)


def test_pack__row_larger_than_a_segment__says_what_to_do(tmp_path: Path) -> None:
    table = pa.table({"x": [np.random.default_rng(1).bytes(65 * S)]})
    with pytest.raises(CodecError, match="files of their own"):
        pack(table, tmp_path / "packed", shard_size=S)
    assert not (tmp_path / "packed").exists()


def test_pack__very_compressible_rows__stay_within_what_readers_grant(tmp_path: Path) -> None:
    table = pa.table({"x": np.zeros(20_000_000, dtype=np.int64)})
    with reopened(table, tmp_path) as container:
        assert max(run.decoded_bytes for run in container.index.table_segments) < 128 << 20
        assert container.to_table().equals(table)


def test_pack__stream_larger_than_the_sample__is_spooled_and_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimating, "_ENOUGH_DECODED", 1 << 16)
    table = tall_table(30_000)
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(1000))
    with reopened(reader, tmp_path) as container:
        assert container.to_table().equals(table)


def test_pack__large_csv_whose_types_change_late__is_read_with_wider_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_WHOLE_FILE_SIZE", 0)
    monkeypatch.setattr(reading, "_CSV_BLOCK_SIZE", 1 << 12)
    rows = [f"{i},,2024-01-01,{i}" for i in range(2000)]
    rows += ["1.5,7,2024-01-01T10:00:00,word"]
    (tmp_path / "x.csv").write_text("a,b,c,d\n" + "\n".join(rows) + "\n")
    with reopened(tmp_path / "x.csv", tmp_path) as container:
        table = container.to_table()
        # A day and a point in time are not written alike: only as texts both come back.
        kinds = [pa.float64(), pa.int64(), pa.string(), pa.string()]
        assert table.schema.types == kinds
        assert table.num_rows == 2001
        assert table.to_pylist()[-1]["d"] == "word"


def test_pack__large_json_lines_whose_fields_come_late__are_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_JSON_CHUNK_SIZE", 1 << 10)
    lines = [{"a": i} for i in range(500)] + [{"a": 0.5, "b": {"c": ["x"]}}]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with reopened(tmp_path / "x.jsonl", tmp_path) as container:
        table = container.to_table()
        assert table.num_rows == 501
        assert table.to_pylist()[-1] == lines[-1]
        assert table.to_pylist()[0] == {"a": 0.0, "b": None}


def test_pack__large_arrow_batches__are_read_in_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_MAPPED_SIZE", 1 << 16)
    table = tall_table(20_000)
    with pa.ipc.new_file(tmp_path / "x.arrow", table.schema) as writer:
        writer.write_table(table)
    with reopened(tmp_path / "x.arrow", tmp_path) as container:
        assert container.to_table().equals(table)


def test_pack__progress__rises_to_its_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    pack(tall_table(), tmp_path / "packed", progress=lambda *step: seen.append(step))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    assert all(done < total for done, total in seen[:-1])


def test_read_bytes__of_a_table__is_refused(tall: tuple[pa.Table, Any]) -> None:
    with pytest.raises(ConfigError, match="to_table"):
        tall[1].read_bytes("data.arrow")
    with pytest.raises(ConfigError, match="not in the container"):
        tall[1].read_bytes("nothing")


def test_to_table__limits_lower_than_a_segment__is_refused(tmp_path: Path) -> None:
    _, cek = pack(tall_table(), tmp_path / "packed")
    with (
        open_container(
            tmp_path / "packed", cek=cek, limits=Limits(segment_bytes=1000)
        ) as container,
        pytest.raises(LimitError, match="raise Limits"),
    ):
        container.to_table()
