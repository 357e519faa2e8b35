# SPDX-License-Identifier: Apache-2.0
"""Pictures, sound and the like are rows of a table where a sample is drawn, and files again."""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.utils.containers import Draft, pack
from truthmark.codec import Limits, Previous, extract, file_rows, open_container, verify
from truthmark.errors import CodecError, LimitError, MalformedError


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def pictures(folder: Path, count: int = 40) -> Path:
    for k in range(count):
        path = folder / ("train" if k % 4 else "test") / ("cat" if k % 2 else "dog") / f"{k}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(100 * k))
    (folder / "LICENSE").write_text("Ours.")
    return folder


def test_pack__a_folder_of_pictures_with_a_sample__names_none_of_them_in_segment_0(
    tmp_path: Path,
) -> None:
    source = pictures(tmp_path / "in")
    packed, cek = pack(source, tmp_path / "packed", preview=True)
    assert verify(tmp_path / "packed").holds
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert [file.path for file in container.files] == [
            "LICENSE",
            "test-files.arrow",
            "train-files.arrow",
        ]
        rows = container.to_table(split="train").to_pylist()
        # Twice: Arrow and Parquet write the table, everything else the files.
        extract(container, tmp_path / "out")
        extract(container, tmp_path / "original", "original")
        extract(container, tmp_path / "arrow", "arrow")
    assert len(rows) == 30
    for row in rows:
        assert row["bytes"] == (source / row["path"]).read_bytes()
        assert row["label"] == row["path"].split("/")[1]
    for name in ("out", "original"):
        found = tree(tmp_path / name)
        found.pop("README.md", None)
        assert found == tree(source)
    assert {"test-files.arrow", "train-files.arrow"} <= set(tree(tmp_path / "arrow"))
    assert any("40 files are packed as rows" in note for note in packed.notes)
    assert any("1 other files stay files, such as LICENSE" in note for note in packed.notes)


def test_extract__a_folder_of_pictures__loads_as_it_did_before(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in")
    written = {}
    for preview in (False, True):
        _, cek = pack(source, tmp_path / f"packed-{preview}", preview=preview, title="Cats")
        with open_container(tmp_path / f"packed-{preview}", cek=cek) as container:
            found = tree(extract(container, tmp_path / f"out-{preview}"))
        readme = found.pop("README.md", b"").decode()
        # The last line names the container.
        written[preview] = found, readme.partition("Opened from")[0]
    assert written[True] == written[False]


@pytest.mark.parametrize("options", [{}, {"preview": True, "raw": True}], ids=["blind", "raw"])
def test_pack__blind_or_raw__leaves_pictures_files(tmp_path: Path, options: dict[str, Any]) -> None:
    _, cek = pack(pictures(tmp_path / "in"), tmp_path / "packed", **options)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert not container.tables


def test_pack__few_pictures__stay_files(tmp_path: Path) -> None:
    _, cek = pack(pictures(tmp_path / "in", 15), tmp_path / "packed", preview=True)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert not container.tables


def test_pack__pictures_larger_than_a_segment__stay_files_and_come_back(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", 20)
    (source / "train" / "large.jpg").write_bytes(os.urandom(file_rows.LARGEST + 1))
    (source / "train" / "largest.jpg").write_bytes(os.urandom(file_rows.LARGEST))
    packed, cek = pack(source, tmp_path / "packed", preview=True)
    assert packed.shard_size == 64 << 10
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert [file.path for file in container.files if not file.is_table] == [
            "LICENSE",
            "train/large.jpg",
        ]
        found = tree(extract(container, tmp_path / "out"))
    found.pop("README.md", None)
    assert found == tree(source)
    assert any("such as train/large.jpg" in note for note in packed.notes)


def test_pack__files_of_that_name_already__takes_a_free_one(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in")
    for path in list(source.glob("t*/*/*.jpg")):
        path.rename(source / path.name)  # no split any more
    (source / "Files.arrow").mkdir()
    (source / "Files.arrow" / "x.bin").write_bytes(b"1")
    _, cek = pack(source, tmp_path / "packed", preview=True)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert [table.path for table in container.tables] == ["files1.arrow"]
        assert set(container.to_table()["label"].to_pylist()) == {None}


def test_pack__a_picture_that_changes_meanwhile__is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pictures(tmp_path / "in")
    made = file_rows.media_tables

    def late(*arguments: Any) -> Any:
        tables = made(*arguments)
        (source / "train" / "cat" / "1.jpg").write_bytes(b"other")
        return tables

    monkeypatch.setattr("truthmark.codec.sources.media_tables", late)
    with pytest.raises(CodecError, match=r"1\.jpg changed while it was packed"):
        pack(source, tmp_path / "packed", preview=True)
    assert not (tmp_path / "packed").exists()


def test_pack__pictures_added__takes_over_the_others(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", 200)
    first, key = pack(source, tmp_path / "v1", preview=True)
    (source / "train" / "zebra").mkdir()
    (source / "train" / "zebra" / "new.jpg").write_bytes(os.urandom(3000))
    second, cek = pack(source, tmp_path / "v2", preview=True, previous=Previous(first.folder, key))
    assert second.inherited >= first.count - 3  # the files table, LICENSE, and nothing else
    with open_container(tmp_path / "v2", cek=cek) as container:
        found = tree(extract(container, tmp_path / "out"))
    found.pop("README.md", None)
    assert found == tree(source)


def rows_of(*paths: "str | None", **fields: Any) -> Draft:
    columns = [
        pa.array(paths, pa.string()),
        pa.array([None] * len(paths), pa.string()),
        pa.array([b"x"] * len(paths), pa.binary()),
    ]
    table = pa.Table.from_arrays(columns, schema=file_rows.schema())
    return Draft(table=table, **fields)


@pytest.mark.parametrize(
    ("paths", "match"),
    [
        (("../up.jpg",), "climbs to a parent"),
        (("/etc/passwd",), "is absolute"),
        (("a.jpg", "A.JPG"), "would be the same file"),
        (("a", "a/b.jpg"), "is a file, and a folder"),
        (("a/b.jpg", "a"), "is a file, and a folder"),
        (("hello.txt",), "would be the same file"),
        (("hello.txt/a.jpg",), "is a file, and a folder"),
        (("con.jpg",), "name of a device"),
        (("a\x00.jpg",), "control characters"),
        (("",), "has 0 bytes"),
        ((None,), "has no path"),
    ],
)
def test_extract__rows_with_hostile_paths__are_refused_and_leave_nothing(
    tmp_path: Path, paths: "tuple[str | None, ...]", match: str
) -> None:
    forged = rows_of(*paths).forge()
    with (
        open_container(forged.write(tmp_path / "packed"), cek=forged.cek) as container,
        pytest.raises(MalformedError, match=match) as refused,
    ):
        extract(container, tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith("write them as a table, in the format arrow")
    assert not (tmp_path / "out").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"packed"}
    with open_container(tmp_path / "packed", cek=forged.cek) as container:
        (rows,) = extract(container, tmp_path / "out", format="arrow").glob("*.arrow")
    assert pa.ipc.open_file(rows).read_all().num_rows == len(paths)


def test_extract__more_rows_than_files_allowed__is_refused(tmp_path: Path) -> None:
    forged = rows_of(*(f"{k}.jpg" for k in range(9))).forge()
    folder = forged.write(tmp_path / "packed")
    with (
        open_container(folder, cek=forged.cek, limits=Limits(files=8)) as container,
        pytest.raises(LimitError, match="more rows are files"),
    ):
        extract(container, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_extract__a_table_that_only_looks_like_files__stays_a_table(tmp_path: Path) -> None:
    plain = rows_of("../x").table.replace_schema_metadata(None)
    _, cek = pack(plain, tmp_path / "packed")
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert set(tree(extract(container, tmp_path / "out"))) == {"data.parquet"}
