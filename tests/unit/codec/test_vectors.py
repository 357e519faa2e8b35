# SPDX-License-Identifier: Apache-2.0
"""docs/format.md, the independent script and the package say the same."""

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.utils.containers import Draft
from truthmark.cid import CID, build_dag, cid_of_stream
from truthmark.codec import (
    Manifest,
    cek_from_point,
    open_container,
    read_index,
    read_manifest,
    verify,
)
from truthmark.codec.derive import shard_key, shard_leaf
from truthmark.codec.files_table import from_table
from truthmark.codec.files_table import schema as files_schema
from truthmark.codec.limits import DEFAULT_LIMITS
from truthmark.codec.names import check_paths
from truthmark.codec.shard_index import ShardIndex
from truthmark.codec.shard_index import schema as index_schema
from truthmark.codec.tree import root
from truthmark.errors import MalformedError
from truthmark.hashing import keccak256, sha256
from truthmark.types import Point

WHITE_SPACE = "U+0020, U+00A0, U+1680, U+2000 to U+200A, U+202F, U+205F, U+3000"
PROJECT = Path(__file__).parents[3]
PAGE = PROJECT / "docs" / "format.md"
SCRIPT = PROJECT / "tools" / "format_vectors"


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def point(value: dict[str, str]) -> Point:
    return Point(int(value["x"], 16), int(value["y"], 16))


@pytest.fixture(scope="module")
def vectors() -> Any:
    return json.loads(re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)[-1])


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("vectors")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--write", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    return folder, json.loads(done.stdout)


def test_page__vectors__are_those_of_the_script(vectors: Any, containers: tuple[Path, Any]) -> None:
    assert vectors == containers[1]


def test_script__imports__share_no_code_with_the_package() -> None:
    parts = list(SCRIPT.glob("*.py"))
    text = "\n".join(part.read_text() for part in parts)
    imports = set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE))
    own = {part.stem for part in parts}
    assert imports - own - sys.stdlib_module_names == {"pyarrow", "cryptography"}


def test_tree__vectors__agree(vectors: Any) -> None:
    leaves = [keccak256(b"\x01" + bytes([i])) for i in range(9)]
    for count, expected in vectors["tree_roots"].items():
        assert root(leaves[: int(count)]) == unhex(expected)


def test_cid__vectors__agree(vectors: Any) -> None:
    for size, expected in vectors["cids"]["of_bytes"].items():
        assert str(cid_of_stream(io.BytesIO(bytes(int(size))))) == expected
    leaf = sha256(b"leaf")
    for count, expected in vectors["cids"]["of_leaves"].items():
        assert str(build_dag((leaf, 4096) for _ in range(int(count))).root) == expected
    ((_, node),) = build_dag([(leaf, 4096)] * 2).nodes
    assert node == unhex(vectors["cids"]["node_of_2_leaves"])


def test_paths__vectors__are_accepted_and_refused_as_the_page_says(vectors: Any) -> None:
    paths = vectors["paths"]
    check_paths(paths["accepted"])
    for refused in [*([path] for path in paths["refused"]), *paths["refused_together"]]:
        with pytest.raises(MalformedError):
            check_paths(refused)
    for one_by_one in paths["refused_together"]:
        for path in one_by_one:
            check_paths([path])


def test_paths__white_space_before_a_devices_suffix__is_what_the_page_lists() -> None:
    ranges = re.findall(r"U\+([0-9A-F]{4})(?: to U\+([0-9A-F]{4}))?", WHITE_SPACE)
    listed = {c for a, b in ranges for c in range(int(a, 16), int(b or a, 16) + 1)}
    assert f"({WHITE_SPACE})" in PAGE.read_text().replace("\n", " ")
    found = set()
    for code in set(range(0x3100)) - {ord("."), ord("/")}:  # Unicode has no white space beyond
        try:
            check_paths([f"x{chr(code)}y"])  # else refused for another reason
        except MalformedError:
            continue
        try:
            check_paths([f"con{chr(code)}.txt"])
        except MalformedError:
            found.add(code)
    assert found == listed


def test_manifest__vectors__are_refused_and_the_one_they_come_from_is_not(vectors: Any) -> None:
    manifest = vectors["first_version"]["manifest"]
    assert Manifest.from_bytes(manifest.encode()).to_bytes() == manifest.encode()
    for old, new in vectors["refused_manifests"]:
        assert manifest.count(old) == 1
        with pytest.raises(MalformedError):
            Manifest.from_bytes(manifest.replace(old, new).encode())


@pytest.mark.parametrize("name", ["first", "second"])
def test_keys__vectors__agree(name: str, vectors: Any) -> None:
    version = vectors[f"{name}_version"]
    cek = cek_from_point(point(version["key_point"]))
    assert cek == unhex(version["cek"])
    leaves = []
    for i, shard in enumerate(version["shards"]):
        digest, wrap = unhex(shard["sha256"]), unhex(shard["wrap_word"])
        key = shard_key(cek, i, digest, wrap)
        assert key == unhex(shard["key"])
        assert sha256(key) == unhex(shard["key_hash"])
        leaves.append(shard_leaf(i, digest, sha256(key), wrap))
        assert leaves[-1] == unhex(shard["leaf"])
    assert root(leaves) == unhex(version["root"])


@pytest.mark.parametrize("name", ["first", "second"])
def test_containers__of_the_script__verify_and_open(
    name: str, containers: tuple[Path, Any]
) -> None:
    folder, vectors = containers
    version = vectors[f"{name}_version"]
    report = verify(
        folder / name, digest=unhex(version["manifest_sha256"]), root=unhex(version["root"])
    )
    assert report.holds
    assert_public_files(folder / name, version)
    manifest = read_manifest(folder / name)
    assert manifest.cid == CID.parse(version["manifest_cid"])
    assert manifest.public_key == point(version["public_key"])
    index = read_index(folder / name, manifest)
    assert [node.hex() for node in index.tree.path(2)] == [
        node.removeprefix("0x") for node in version["path_of_shard_2"]
    ]
    with open_container(folder / name, cek=unhex(version["cek"])) as container:
        assert container.read_bytes("hello.txt") == b"Hello, buyer.\n"
        assert container.to_table(split="train").to_pylist() == [
            {"item": 1, "label": "cat"},
            {"item": 2, "label": None},
            {"item": 3, "label": "dog"},
        ]
        if name == "second":
            assert container.read_bytes("more.txt") == b"One more file.\n"
        for i, shard in enumerate(version["shards"]):
            payload = container.opener.open(i)
            assert payload.rstrip(b"\0") == unhex(shard["payload_but_trailing_zeros"])


def test_container__of_a_table_alone__verifies_and_opens(containers: tuple[Path, Any]) -> None:
    folder, vectors = containers
    version = vectors["other_dataset"]
    assert verify(folder / "other", digest=unhex(version["manifest_sha256"])).holds
    assert_public_files(folder / "other", version)
    with open_container(folder / "other", cek=unhex(version["cek"])) as container:
        index = container.index
        assert 1 not in index.segments and index.segments[2].shards == 2
        assert container.read_bytes("empty.txt") == b""
        table = container.to_table("numbers.arrow")
        assert table.num_rows == 1800 and table.schema.field("word").type.value_type == "string"
        for row, (number, word) in version["table_rows"].items():
            assert table.slice(int(row), 1).to_pylist() == [{"number": number, "word": word}]


def test_container__of_grown_dictionaries__verifies_and_opens(
    containers: tuple[Path, Any],
) -> None:
    folder, vectors = containers
    version = vectors["grown_dictionaries"]
    assert verify(folder / "grown", digest=unhex(version["manifest_sha256"])).holds
    assert_public_files(folder / "grown", version)
    with open_container(folder / "grown", cek=unhex(version["cek"])) as container:
        words = container.to_table("grown.arrow")["word"].to_pylist()
    assert len(words) == 400
    for row, word in version["table_rows"].items():
        assert words[int(row)] == word


def test_container__of_segments_in_frames__verifies_and_opens(containers: tuple[Path, Any]) -> None:
    folder, vectors = containers
    version = vectors["in_frames"]
    assert verify(folder / "framed", digest=unhex(version["manifest_sha256"])).holds
    assert_public_files(folder / "framed", version)
    with open_container(folder / "framed", cek=unhex(version["cek"])) as container:
        begins = [container.opener.open(run.shard)[:4] for run in container.index.table_segments]
        assert [text == b"\xff" * 4 for text in begins] == [False, False, True]
        table = container.to_table("framed.arrow")
    assert table.num_rows == 600
    for row, (number, word) in version["table_rows"].items():
        assert table.slice(int(row), 1).to_pylist() == [{"number": number, "word": word}]


def test_segment__vectors__is_accepted_and_refused_as_the_page_says(vectors: Any) -> None:
    draft = Draft()
    shard = vectors["first_version"]["shards"][2]
    draft.table = pa.table({"item": pa.array([1, 2, 3], pa.int32()), "label": ["cat", None, "dog"]})
    draft.change(1, schema=draft.table.schema.serialize().to_pybytes())

    def read(segment: str) -> pa.Table:
        draft.segment = unhex(segment)
        forged = draft.forge(decoded=shard["index_row"][3])
        with open_container(forged.source, cek=forged.cek, manifest=forged.manifest) as container:
            return container.to_table()

    whole = vectors["segment_in_frames"]
    assert read(whole).equals(draft.table)
    for old, new in vectors["refused_segments"]:
        assert whole.count(old) == 1
        with pytest.raises(MalformedError):
            read(whole.replace(old, new))


def _index_of(rows: list[list[int]]) -> bytes:
    """Return an index with these last columns; its digests are zeros."""
    columns = [[bytes(32)] * len(rows)] * 3 + [list(column) for column in zip(*rows, strict=True)]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, index_schema(), strict=True)]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, index_schema()) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=index_schema()))
    return bytes(sink.getvalue().to_pybytes())


def test_index__vectors__are_accepted_and_refused_as_the_page_says(vectors: Any) -> None:
    for rows in vectors["index_rows"]["accepted"]:
        assert ShardIndex.from_bytes(_index_of(rows), len(rows)).count == len(rows)
    for rows in vectors["index_rows"]["refused"]:
        with pytest.raises(MalformedError):
            ShardIndex.from_bytes(_index_of(rows), len(rows))


def test_files_table__vectors__are_accepted_and_refused_as_the_page_says(vectors: Any) -> None:
    one = pa.schema([("item", pa.int32()), ("label", pa.string())]).serialize().to_pybytes()
    schemas = {"S": one, "SS": one + one, None: None}

    def read(entries: list[list[Any]]) -> int:
        rows = [[*entry[:5], schemas[entry[5]]] for entry in entries]
        columns = [
            pa.array(column, f.type)
            for column, f in zip(zip(*rows, strict=True), files_schema(), strict=True)
        ]
        table = pa.Table.from_arrays(columns, schema=files_schema())
        return len(from_table(table, 4080, 3, DEFAULT_LIMITS))

    for entries in vectors["files_tables"]["accepted"]:
        assert read(entries) == len(entries)
    for entries in vectors["files_tables"]["refused"]:
        with pytest.raises(MalformedError):
            read(entries)


def assert_public_files(folder: Path, version: Any) -> None:
    assert (folder / "index.arrow").read_bytes() == base64.b64decode(version["index_base64"])
    assert (folder / "card.json").read_text() == version["card"]
    assert (folder / "manifest.json").read_text() == version["manifest"]
