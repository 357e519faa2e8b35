# SPDX-License-Identifier: Apache-2.0
"""What shows a contract, and everybody, that a shard is rotten."""

import hashlib
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.utils.containers import Draft, Forged, Part, forge
from truthmark import codec
from truthmark.codec import FileShards
from truthmark.codec.derive import fresh_key
from truthmark.codec.limits import DATA_NAME
from truthmark.codec.tree import verify as verify_path
from truthmark.hashing import keccak256, sha256
from truthmark.market.remedies import Unsealed, find_unsealed, find_unsealed_in
from truthmark.market.verdicts import open_shard


def keys_of(forged: Forged) -> dict[int, bytes]:
    return {i: fresh_key(forged.cek, i) for i in range(forged.index.count)}


def search(forged: Forged, folder: Path, keys: dict[int, bytes]) -> Unsealed | None:
    place = forged.write(folder)
    manifest = codec.read_manifest(place)
    source = FileShards(place / DATA_NAME, shard_size=manifest.shard_size, count=manifest.count)
    try:
        return find_unsealed(forged.index, source, keys, manifest.shard_size)
    finally:
        source.close()


def test_find_unsealed__shard_of_random_bytes__is_checked_by_anyone(tmp_path: Path) -> None:
    forged = forge(Draft().parts(), random={1})
    found = search(forged, tmp_path / "c", keys_of(forged))
    assert found is not None and found.shard == 1
    leaf = keccak256(
        b"\x01" + bytes([0, 0, 0, 1]) + hashlib.sha256(found.ciphertext).digest()
        + sha256(found.key) + forged.index.wrap_word(1)
    )  # fmt: skip
    _, key, _, path = open_shard(found.index, found.shard, found.key)
    assert key == found.key
    assert verify_path(forged.index.tree.root, forged.index.count, 1, leaf, path)
    assert found.ciphertext == bytes(forged.shards[1])
    with pytest.raises(InvalidTag):
        AESGCM(found.key).decrypt(bytes(12), found.ciphertext, None)
    assert find_unsealed_in(tmp_path / "c", 1, found.key).ciphertext == found.ciphertext


def test_find_unsealed__all_sealed_or_the_rotten_one_not_public__none(tmp_path: Path) -> None:
    good = forge(Draft().parts())
    assert search(good, tmp_path / "good", keys_of(good)) is None
    forged = forge(Draft().parts(), random={1})
    public = {i: key for i, key in keys_of(forged).items() if i != 1}
    assert search(forged, tmp_path / "bad", public) is None


def test_find_unreadable__segment_does_not_parse__names_its_shards(
    tmp_path: Path,
) -> None:
    parts = Draft().parts()
    parts[-1] = Part(2, b"no table of Arrow", rows=3)
    forged = forge(parts)
    found = codec.find_unreadable(forged.write(tmp_path / "c"), forged.cek)
    assert found is not None and found.shard is None
    segment = forged.index.segments[2]
    assert found.shards == tuple(range(segment.shard, segment.shard + segment.shards))
