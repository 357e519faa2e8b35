# SPDX-License-Identifier: Apache-2.0
"""An update takes over what did not change, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.utils.containers import P, S, pack
from truthmark.codec import Previous, extract, find_wrong_key, open_container, verify
from truthmark.codec.derive import NO_WRAP
from truthmark.errors import ConfigError, WrongKeyError


def table_of(rows: int, seed: int = 1) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table({"row": np.arange(rows), "x": random.random(rows)})


def digests(container: Any) -> set[bytes]:
    return {container.index.sha256(i) for i in range(container.index.count)}


def folder_of(path: Path, files: dict[str, bytes]) -> Path:
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def test_pack__rows_appended__inherits_every_old_segment(tmp_path: Path) -> None:
    table = table_of(20_000)
    first, old_cek = pack(table, tmp_path / "v1")
    longer = pa.concat_tables([table, table_of(500, 2)])
    second, cek = pack(longer, tmp_path / "v2", previous=Previous(tmp_path / "v1", old_cek))
    assert second.shard_size == first.shard_size
    assert second.inherited == first.count - 1  # all but the files table
    assert verify(tmp_path / "v2").holds
    with (
        open_container(tmp_path / "v2", cek=cek) as new,
        open_container(tmp_path / "v1", cek=old_cek) as old,
    ):
        assert new.to_table().equals(longer)
        assert len(digests(new) - digests(old)) == second.count - second.inherited
        wrapped = [i for i in range(new.index.count) if new.index.wrap_word(i) != NO_WRAP]
        assert len(wrapped) == second.inherited


def test_pack__blind_then_with_a_sample_then_blind__segments_of_both_kinds_stand_together(
    tmp_path: Path,
) -> None:
    whole = table_of(22_000)
    previous, taken = None, 0
    for name, rows, options in (
        ("v1", 10_000, {}),
        ("v2", 20_000, {"preview": True}),
        ("v3", 22_000, {}),
    ):
        packed, cek = pack(whole.slice(0, rows), tmp_path / name, previous=previous, **options)
        assert packed.inherited >= taken
        previous, taken = Previous(tmp_path / name, cek), packed.count - 1
        with open_container(tmp_path / name, cek=cek) as container:
            assert container.to_table().equals(whole.slice(0, rows))
            runs = container.index.table_segments
            kinds = [container.opener.open(run.shard)[:4] == b"\xff" * 4 for run in runs]
    first, last = kinds.index(False), len(kinds) - 1 - kinds[::-1].index(False)
    assert 0 < first < last < len(kinds) - 1 and not any(kinds[first : last + 1])


def test_pack__rows_changed_in_place__seals_only_their_segment(tmp_path: Path) -> None:
    table = table_of(20_000)
    first, old_cek = pack(table, tmp_path / "v1")
    values = table["x"].to_numpy().copy()
    values[7000] = -1
    changed = table.set_column(1, "x", pa.array(values))
    second, cek = pack(changed, tmp_path / "v2", previous=Previous(tmp_path / "v1", old_cek))
    with open_container(tmp_path / "v2", cek=cek) as new:
        assert new.to_table().equals(changed)
    assert first.count - second.inherited <= 1 + 5
    assert second.inherited > 0


def inserted(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 3000), table_of(123, 9), table.slice(3000)])


def in_front(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table_of(9000, 9), table])


def taken_out(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 3000), table.slice(9000)])


def both(table: pa.Table) -> pa.Table:
    return taken_out(inserted(table))


def numbers(table: pa.Table) -> pa.Table:
    return table


def words(table: pa.Table) -> pa.Table:
    return pa.table({"x": table["x"], "word": [f"row {i}" for i in table["row"].to_pylist()]})


def lists(table: pa.Table) -> pa.Table:
    return pa.table({"list": [[value] for value in table["x"].to_pylist()]})


@pytest.mark.parametrize("change", [inserted, in_front, taken_out, both])
@pytest.mark.parametrize("shape", [numbers, words, lists])
def test_pack__rows_moved__inherits_every_segment_whose_rows_are_equal(
    shape: Any, change: Any, tmp_path: Path
) -> None:
    old_table, new_table = shape(table_of(40_000)), shape(change(table_of(40_000)))
    _, old_cek = pack(old_table, tmp_path / "v1")
    second, cek = pack(new_table, tmp_path / "v2", previous=Previous(tmp_path / "v1", old_cek))
    assert verify(tmp_path / "v2").holds
    with (
        open_container(tmp_path / "v2", cek=cek) as new,
        open_container(tmp_path / "v1", cek=old_cek) as old,
    ):
        assert new.to_table().equals(new_table)
        runs = old.index.table_segments
        if shape is not lists:  # there, no column tells rows apart cheaply: places count
            # Segments that the change touches are sealed again, all others are taken over.
            low = 0 if change is in_front else 3000
            high = {inserted: 3001, in_front: 0, taken_out: 9000, both: 9000}[change]
            kept = [run for run in runs if run.first_row + run.rows <= low or run.first_row >= high]
            assert len(kept) >= 3
            assert second.inherited == sum(run.shards for run in kept)


def test_pack__nan_rows_unchanged__are_inherited(tmp_path: Path) -> None:
    table = pa.table({"x": [float("nan"), 1.0, None] * 500})
    first, old_cek = pack(table, tmp_path / "v1")
    second, cek = pack(table, tmp_path / "v2", previous=Previous(tmp_path / "v1", old_cek))
    assert second.inherited == first.count - 1
    with open_container(tmp_path / "v2", cek=cek) as new:
        assert np.isnan(new.to_table()["x"][0].as_py())


def test_pack__columns_changed__inherits_nothing(tmp_path: Path) -> None:
    _, old_cek = pack(table_of(1000), tmp_path / "v1")
    other = table_of(1000).rename_columns(["row", "y"])
    second, _ = pack(other, tmp_path / "v2", previous=Previous(tmp_path / "v1", old_cek))
    assert second.inherited == 0


def test_pack__table_shortened__inherits_what_is_left(tmp_path: Path) -> None:
    table = table_of(20_000)
    _, old_cek = pack(table, tmp_path / "v1")
    shorter = table.slice(0, 15_000)
    second, cek = pack(shorter, tmp_path / "v2", previous=Previous(tmp_path / "v1", old_cek))
    assert second.inherited > 0
    with open_container(tmp_path / "v2", cek=cek) as new:
        assert new.to_table().equals(shorter)


def test_pack__file_added__keeps_the_old_stream_in_front(tmp_path: Path) -> None:
    files = {"a": b"a" * 3 * P, "b": b"b" * 10}
    _, old_cek = pack(folder_of(tmp_path / "1", files), tmp_path / "v1", shard_size=S)
    more = {**files, "aa": b"n" * P}
    second, cek = pack(
        folder_of(tmp_path / "2", more),
        tmp_path / "v2",
        previous=Previous(tmp_path / "v1", old_cek),
    )
    assert second.inherited == 4
    assert second.count == 1 + 4 + 1
    with open_container(tmp_path / "v2", cek=cek) as new:
        assert {name: new.read_bytes(name) for name in more} == more
        assert new.file("aa").offset == 4 * P
        extract(new, tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in more} == more


def test_pack__file_changed_and_one_removed__reads_the_new_ones(tmp_path: Path) -> None:
    files = {"a": b"a" * P, "b": b"b" * P, "gone": b"g" * P}
    _, old_cek = pack(folder_of(tmp_path / "1", files), tmp_path / "v1", shard_size=S)
    new_files = {"a": b"a" * P, "b": b"B" * P}
    previous = Previous(tmp_path / "v1", old_cek)
    second, cek = pack(folder_of(tmp_path / "2", new_files), tmp_path / "v2", previous=previous)
    assert second.inherited == 3
    with open_container(tmp_path / "v2", cek=cek) as new:
        assert [file.path for file in new.files] == ["a", "b"]
        assert new.read_bytes("b") == b"B" * P


def test_pack__purge__takes_nothing_over(tmp_path: Path) -> None:
    files = {"a": b"a" * P, "gone": b"g" * P}
    _, old_cek = pack(folder_of(tmp_path / "1", files), tmp_path / "v1", shard_size=S)
    previous = Previous(tmp_path / "v1", old_cek)
    second, cek = pack(
        folder_of(tmp_path / "2", {"a": b"a" * P}),
        tmp_path / "v2",
        previous=previous,
        purge=True,
        shard_size=S,
    )
    assert second.inherited == 0 and second.count == 2
    with open_container(tmp_path / "v2", cek=cek) as new:
        everything = b"".join(new.opener.open(i) for i in range(new.index.count))
        assert b"gggg" not in everything


def test_pack__update_of_an_update__still_opens(tmp_path: Path) -> None:
    table = table_of(5000)
    previous = None
    for version in range(3):
        table = pa.concat_tables([table, table_of(200, version + 7)])
        packed, cek = pack(table, tmp_path / f"v{version}", previous=previous)
        previous = Previous(tmp_path / f"v{version}", cek)
        with open_container(tmp_path / f"v{version}", cek=cek) as container:
            assert container.to_table().equals(table)
            assert find_wrong_key(container.index, cek) is None
    assert packed.inherited > 0


def test_open__older_key__opens_no_new_shard(tmp_path: Path) -> None:
    _, old_cek = pack(table_of(2000), tmp_path / "v1")
    _, cek = pack(table_of(2500), tmp_path / "v2", previous=Previous(tmp_path / "v1", old_cek))
    with pytest.raises(WrongKeyError):
        open_container(tmp_path / "v2", cek=old_cek)
    with open_container(tmp_path / "v2", cek=cek) as new:
        found = find_wrong_key(new.index, old_cek)
        assert found is not None and found.i == 0


def test_pack__another_shard_size__is_refused(tmp_path: Path) -> None:
    _, old_cek = pack(table_of(2000), tmp_path / "v1", shard_size=S)
    with pytest.raises(ConfigError, match="keeps 4096"):
        pack(
            table_of(2000),
            tmp_path / "v2",
            shard_size=2 * S,
            previous=Previous(tmp_path / "v1", old_cek),
        )


def test_pack__wrong_key_of_the_older_version__is_refused(tmp_path: Path) -> None:
    pack(table_of(2000), tmp_path / "v1")
    with pytest.raises(WrongKeyError):
        pack(table_of(2000), tmp_path / "v2", previous=Previous(tmp_path / "v1", bytes(32)))
    assert not (tmp_path / "v2").exists()
