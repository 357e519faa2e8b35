# SPDX-License-Identifier: Apache-2.0
"""What cannot be packed is refused in one line, and leaves nothing."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.utils.containers import pack, reopened
from truthmark.codec import CardPolicy, packer
from truthmark.errors import CodecError, ConfigError, MalformedError

TABLE = pa.table({"item": [1, 2, 3], "label": ["cat", None, "dog"], "score": [0.5, 1.5, None]})


def test_pack__dataframe_with_mixed_column__is_refused(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="cannot hold"):
        pack(pd.DataFrame({"x": [1, "a", object()]}), tmp_path / "packed")


def test_pack__folder_with_a_link__is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "secret").write_text("key")
    (tmp_path / "f" / "x").symlink_to(tmp_path / "secret")
    with pytest.raises(CodecError, match="link"):
        pack(tmp_path / "f", tmp_path / "packed")


def test_pack__folder_of_links_to_folders__is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "x").symlink_to(tmp_path)
    with pytest.raises(CodecError, match="link"):
        pack(tmp_path / "f", tmp_path / "packed")


@pytest.mark.parametrize("source", ["empty folder", "nowhere", 7, {}])
def test_pack__nothing_to_pack__is_refused(source: Any, tmp_path: Path) -> None:
    (tmp_path / "empty folder").mkdir()
    with pytest.raises(ConfigError):
        pack(tmp_path / source if isinstance(source, str) else source, tmp_path / "packed")


def test_pack__table_without_columns__is_refused(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="no columns"):
        pack(pa.table({}), tmp_path / "packed")


def test_pack__same_key_twice__is_refused(tmp_path: Path) -> None:
    _, cek = pack(TABLE, tmp_path / "one")
    with pytest.raises(ConfigError, match="fresh secret"):
        pack(TABLE, tmp_path / "two", cek=cek)


@pytest.mark.parametrize(
    "options",
    [
        {"shard_size": 4095},
        {"shard_size": 2048},
        {"shard_size": 1 << 21},
        {"processes": 0},
        {"cek": b"short"},
        {"licence": ""},
        {"licence": "a\nb"},
        {"title": "x" * 201},
        {"provenance": {"x": float("nan")}},
        {"card": CardPolicy(extra={"x": {1, 2}})},
    ],
    ids=str,
)
def test_pack__argument_that_cannot_be__is_refused(options: Any, tmp_path: Path) -> None:
    with pytest.raises((CodecError, ConfigError)) as caught:
        pack(TABLE, tmp_path / "packed", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "packed").exists()


def test_pack__target_in_use__is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "mine").write_text("precious")
    with pytest.raises(ConfigError, match="exists"):
        pack(TABLE, tmp_path / "packed")
    assert (tmp_path / "packed" / "mine").read_text() == "precious"


def test_pack__review_says_no__leaves_nothing(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def review(card: dict[str, Any], *_: Any) -> None:
        seen.append(card)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(TABLE, tmp_path / "packed", title="Cats", review=review)
    assert seen[0]["title"] == "Cats"
    assert list(tmp_path.iterdir()) == []


def test_pack__file_that_shrinks_meanwhile__is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(100_000))
    original = packer.choose_shard_size

    def shrink(plan: Any) -> Any:
        path.write_bytes(b"short")
        return original(plan)

    monkeypatch.setattr(packer, "choose_shard_size", shrink)
    with pytest.raises(CodecError, match="shorter"):
        pack(path, tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def test_pack__text_that_is_no_utf8__is_refused_before_it_is_sold(tmp_path: Path) -> None:
    broken = pa.array([b"fine", b"\xff\xfe"]).view(pa.string())
    with pytest.raises(MalformedError, match="repair"):
        pack(pa.table({"x": broken}), tmp_path / "packed")
    pq.write_table(pa.table({"x": broken}), tmp_path / "x.parquet")
    with pytest.raises(MalformedError, match="repair"):
        pack(tmp_path / "x.parquet", tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def test_pack__arrow_stream_with_another_behind_it__is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    one = path.read_bytes()
    path.write_bytes(one + bytes(64))
    with reopened(path, tmp_path) as container:
        assert container.to_table().num_rows == TABLE.num_rows
    path.write_bytes(one + one)
    with pytest.raises(CodecError, match="something follows the end of the stream"):
        pack(path, tmp_path / "other")
