# SPDX-License-Identifier: Apache-2.0
"""The key file that lets another reader open a data set: its own, and one that shares no code."""

import hashlib
import io
import json
import stat
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.utils.cli import Person
from truthmark.errors import KeysError
from truthmark.keys.curve import base_of, multiply
from truthmark.keys.handing import HandedKey, read_handed_key
from truthmark.keys.vault import Vault
from truthmark.market.seller_secret import pack_dataset

TABLE = pa.table({"number": list(range(1_000)), "word": ["w"] * 1_000})


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    return pack_dataset(TABLE, tmp_path / "packed", Vault(tmp_path / "vault"), licence="MIT").folder


@pytest.fixture
def key(packed: Path, tmp_path: Path) -> HandedKey:
    """Give the key as a buyer has it."""
    from truthmark.codec import read_manifest

    public_key = read_manifest(packed).public_key
    secret = Vault(tmp_path / "vault").seller_secret(public_key)
    return HandedKey(public_key, multiply(secret, base_of(public_key)[0]), dataset="7@1")


def read_independently(folder: Path, key_file: Path) -> pa.Table:
    """Open a container by docs/format.md alone: no code of the package."""
    key = json.loads(key_file.read_text())
    manifest = json.loads((folder / "manifest.json").read_text())
    assert key["format"] == "truthmark/key/1"
    assert key["public_key"] == manifest["public_key"]
    x, y = (bytes.fromhex(key["key_point"][name][2:]) for name in "xy")
    cek = hashlib.sha256(b"tmk1/cek" + x + y).digest()
    index = pa.ipc.open_file(folder / "index.arrow").read_all().to_pylist()
    data = (folder / "data.tmk").read_bytes()
    size = manifest["shard_size"]
    segments: dict[int, bytes] = {}
    for i, row in enumerate(index):
        assert row["wrap_word"] == bytes(32)
        shard_key = hashlib.sha256(b"tmk1/shard" + cek + i.to_bytes(4, "big")).digest()
        assert hashlib.sha256(shard_key).digest() == row["key_hash"]
        plain = AESGCM(shard_key).decrypt(bytes(12), data[i * size : (i + 1) * size], None)
        segments[row["segment"]] = segments.get(row["segment"], b"") + plain
    files = pa.ipc.open_stream(io.BytesIO(segments.pop(0))).read_all().to_pylist()
    schema = next(file["schema"] for file in files if file["kind"] == "table")
    decoded = {row["segment"]: row["decoded_bytes"] for row in reversed(index)}
    tables = [
        pa.ipc.open_stream(io.BytesIO(schema + messages(segments[n], decoded[n]))).read_all()
        for n in sorted(segments)
    ]
    return pa.concat_tables(tables)


def messages(segment: bytes, decoded: int) -> bytes:
    """Return the messages of a table segment, which may stand in frames behind their length."""
    length = int.from_bytes(segment[:4], "little")
    if length == 0xFFFFFFFF:
        return segment
    frames = segment[4 : 4 + length]
    return bytes(pa.Codec("zstd").decompress(frames, decompressed_size=decoded, asbytes=True))


def test_save__key__lets_an_independent_reader_open_it(
    packed: Path, key: HandedKey, tmp_path: Path
) -> None:
    file = tmp_path / "7.key"
    key.save(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_handed_key(file) == key
    assert read_independently(packed, file).to_pylist() == TABLE.to_pylist()
    with pytest.raises(KeysError, match="exists"):
        key.save(file)


def test_dataset_open__key_of_somebody_else__opens_without_any_secret_of_ones_own(
    packed: Path, key: HandedKey, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    file = tmp_path / "7.key"
    key.save(file)
    reader = Person(tmp_path / "home")
    reader("dataset", "open", packed, tmp_path / "none").refused(7, "restore a backup")
    reader("dataset", "open", packed, tmp_path / "data", "--key", file).ok()
    found = pq.read_table(next((tmp_path / "data").glob("*.parquet")))
    assert found.to_pylist() == TABLE.to_pylist()
    other = HandedKey(multiply(5), multiply(6), dataset="9@1")
    other.save(tmp_path / "9.key")
    refused = reader("dataset", "open", packed, tmp_path / "x", "--key", tmp_path / "9.key")
    refused.refused(7, "the key of another data set (9@1)")
    HandedKey(key.public_key, multiply(6)).save(tmp_path / "wrong.key")
    wrong = reader("dataset", "open", packed, tmp_path / "x", "--key", tmp_path / "wrong.key")
    wrong.refused(4)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": "truthmark/key/2"}',
        '{"format": "truthmark/key/1"}',
        '{"format": "truthmark/key/1", "public_key": {"x": "0x01", "y": "0x01"}}',
        '{"format": "truthmark/key/1", "public_key": 5, "key_point": null}',
        "[" * 10_000,
    ],
)
def test_read__what_is_no_key_file__is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(KeysError):
        read_handed_key(file)
    with pytest.raises(KeysError, match="there is no"):
        read_handed_key(tmp_path / "none")
