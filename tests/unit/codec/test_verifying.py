# SPDX-License-Identifier: Apache-2.0
"""Checks without a key, and who is to blame when a key does not fit."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.utils.containers import Draft, P, S, forge, pack
from truthmark.codec import (
    find_unreadable,
    find_wrong_key,
    open_container,
    read_index,
    verify,
)
from truthmark.codec.container import Container
from truthmark.codec.derive import shard_leaf
from truthmark.codec.shard_index import ShardIndex
from truthmark.codec.tree import verify as verify_path
from truthmark.errors import (
    CodecError,
    IntegrityError,
    MalformedError,
    UnableError,
    WrongKeyError,
)
from truthmark.hashing import sha256


@pytest.fixture
def packed(tmp_path: Path) -> Any:
    (tmp_path / "x").write_bytes(os.urandom(20 * P))
    return pack(tmp_path / "x", tmp_path / "packed", shard_size=S)


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("processes", [1, 3])
def test_verify__untouched__holds(processes: int, packed: Any) -> None:
    seen: list[tuple[int, int]] = []
    report = verify(
        packed[0].folder,
        digest=packed[0].manifest.digest,
        root=packed[0].root,
        processes=processes,
        progress=lambda *step: seen.append(step),
    )
    assert report.holds and report.require() is report
    assert report.container == packed[0].manifest.container
    assert seen[-1] == (packed[0].manifest.size, packed[0].manifest.size)


@pytest.mark.parametrize("processes", [1, 3])
def test_verify__changed_shards__are_named(processes: int, packed: Any) -> None:
    flip(packed[0].folder / "data.tmk", 3 * S + 17)
    flip(packed[0].folder / "data.tmk", 20 * S + S - 1)
    report = verify(packed[0].folder, processes=processes)
    assert report.bad_shards == (3, 20)
    with pytest.raises(IntegrityError, match="2 of 21 shards"):
        report.require()


@pytest.mark.parametrize("name", ["index.arrow", "card.json", "manifest.json"])
def test_verify__small_file_changed__is_refused(name: str, packed: Any) -> None:
    path = packed[0].folder / name
    for offset in range(0, path.stat().st_size, 97):
        flip(path, offset)
        with pytest.raises(CodecError):
            verify(packed[0].folder, digest=packed[0].manifest.digest)
        flip(path, offset)
    assert verify(packed[0].folder).holds


@pytest.mark.parametrize("name", ["index.arrow", "card.json", "manifest.json", "data.tmk"])
@pytest.mark.parametrize("change", ["missing", "longer", "shorter", "empty"])
def test_verify__file_of_another_size__is_refused(name: str, change: str, packed: Any) -> None:
    path = packed[0].folder / name
    data = path.read_bytes()
    path.unlink()
    if change != "missing":
        path.write_bytes({"longer": data + b"\0", "shorter": data[:-1], "empty": b""}[change])
    with pytest.raises((CodecError, FileNotFoundError)):
        verify(packed[0].folder)


def test_verify__another_digest_or_root_on_chain__is_refused(packed: Any) -> None:
    with pytest.raises(IntegrityError, match="manifest is not the one on chain"):
        verify(packed[0].folder, digest=bytes(32))
    with pytest.raises(IntegrityError, match="root is not the one on chain"):
        verify(packed[0].folder, root=bytes(32))


def test_verify__container_cid_that_does_not_follow__is_refused(tmp_path: Path) -> None:
    forged = Draft().forge()
    forged.manifest = replace(forged.manifest, container=forged.manifest.card)
    with pytest.raises(IntegrityError, match="CID"):
        verify(forged.write(tmp_path / "x"))


def test_open__facts_that_the_tree_does_not_cover_changed__is_refused(tmp_path: Path) -> None:
    forged = Draft().forge()
    old, rows = forged.index, forged.index.rows.copy()
    rows[-1] -= 1
    changed = ShardIndex(
        *(
            b"".join(column(i) for i in range(old.count))
            for column in (old.sha256, old.key_hash, old.wrap_word)
        ),
        (old.segment, old.first_row, rows, old.decoded_bytes),
    )
    assert changed.tree.root == forged.manifest.root
    folder = forged.write(tmp_path / "x")
    open_container(folder, cek=forged.cek).close()
    (folder / "index.arrow").write_bytes(changed.to_bytes())
    with pytest.raises(IntegrityError, match=r"index\.arrow: is not the file"):
        open_container(folder, cek=forged.cek)


def test_open__card_of_something_else__is_refused_and_none_is_not(packed: Any) -> None:
    card = packed[0].folder / "card.json"
    card.write_bytes(card.read_bytes().replace(b'"files":1', b'"files":2'))
    with pytest.raises(IntegrityError, match=r"card\.json: "):
        open_container(packed[0].folder, cek=packed[1])
    card.unlink()
    with open_container(packed[0].folder, cek=packed[1]) as container:
        assert container.card is None


def lying_index(forged: Any, i: int) -> ShardIndex:
    """Commit to the hash of another key for shard `i`."""
    hashes = b"".join(
        bytes(32) if k == i else forged.index.key_hash(k) for k in range(forged.index.count)
    )
    index = forged.index
    return ShardIndex(
        b"".join(index.sha256(k) for k in range(index.count)),
        hashes,
        bytes(32) * index.count,
        (index.segment, index.first_row, index.rows, index.decoded_bytes),
    )


@pytest.mark.parametrize("i", [0, 1, 2])
def test_find_wrong_key__lying_seller__proves_the_shard(i: int) -> None:
    forged = Draft().forge()
    index = lying_index(forged, i)
    found = find_wrong_key(index, forged.cek)
    assert found is not None and found.i == i
    leaf = shard_leaf(i, found.ciphertext_sha256, found.key_hash, found.wrap_word)
    assert verify_path(index.tree.root, index.count, i, leaf, found.path)


def test_find_wrong_key__honest_seller__finds_nothing(packed: Any) -> None:
    with open_container(packed[0].folder, cek=packed[1]) as container:
        assert find_wrong_key(container.index, packed[1]) is None


def test_find_wrong_key__key_of_odd_length__is_refused(packed: Any) -> None:
    index = read_index(packed[0].folder, packed[0].manifest)
    with pytest.raises(WrongKeyError, match="32"):
        find_wrong_key(index, b"short")


def test_open__key_hash_holds_but_cipher_does_not__blames_the_packing() -> None:
    # The seller committed to this very ciphertext, which no key opens.
    forged = forge(Draft().parts(), random={0})
    assert find_wrong_key(forged.index, forged.cek) is None
    with pytest.raises(MalformedError, match="encrypted something else"):
        open_container(forged.source, cek=forged.cek, manifest=forged.manifest)


@pytest.mark.parametrize("i", [0, 1, 2])
def test_find_unreadable__random_bytes_under_right_key_hashes__names_the_shard_and_its_key(
    tmp_path: Path, i: int
) -> None:
    forged = forge(Draft().parts(), random={i})
    folder = forged.write(tmp_path / "random")
    assert verify(folder).holds
    assert find_wrong_key(forged.index, forged.cek) is None
    found = find_unreadable(folder, forged.cek)
    assert found is not None and found.shard == i
    assert found.key is not None and sha256(found.key) == forged.index.key_hash(i)
    assert found.key not in str(found).encode() and found.key.hex() not in repr(found)
    # Anyone who is shown that key sees it fail, and learns no other.
    with pytest.raises(InvalidTag):
        AESGCM(found.key).decrypt(bytes(12), forged.shards[i], None)


def test_find_unreadable__opens_and_does_not_parse__says_so_without_a_key(tmp_path: Path) -> None:
    parts = Draft().parts()
    for junk in (
        [replace(parts[0], plaintext=b"no files table"), *parts[1:]],
        [*parts[:2], replace(parts[2], plaintext=b"no table of Arrow")],
    ):
        forged = forge(junk)
        found = find_unreadable(forged.write(tmp_path / forged.cek.hex()), forged.cek)
        assert found is not None and found.text
        assert (found.shard, found.key) == (None, None)


def test_find_unreadable__fails_once__looks_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs money, and data, what is said then."""
    forged = forge(Draft().parts())
    folder, cek = forged.write(tmp_path / "c"), forged.cek
    true, seen = Container.decode_segment, list[float]()

    def fails_once(self: Container, *args: Any) -> Any:
        seen.append(self.limits.seconds)
        if len(seen) == 1:
            raise MalformedError("as on a bad day")
        return true(self, *args)

    monkeypatch.setattr(Container, "decode_segment", fails_once)
    assert find_unreadable(folder, cek) is None
    assert len(seen) > 1 and min(seen) >= 60  # with patience


def test_find_unreadable__computer_is_too_slow__says_nothing_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = forge(Draft().parts())

    def slow(*_: object, **__: object) -> None:
        raise UnableError("too slow")

    monkeypatch.setattr(Container, "decode_segment", slow)
    with pytest.raises(UnableError):
        find_unreadable(forged.write(tmp_path / "c"), forged.cek)


def test_find_unreadable__honest_container__finds_nothing(packed: Any) -> None:
    told: list[int] = []
    folder, cek = packed[0].folder, packed[1]
    assert find_unreadable(folder, cek, progress=lambda done, size: told.append(done)) is None
    assert told == sorted(told) and told[-1] == packed[0].manifest.size


def test_find_unreadable__wrong_key__is_for_the_contract(tmp_path: Path) -> None:
    forged = forge(Draft().parts())
    with pytest.raises(WrongKeyError):
        find_unreadable(forged.write(tmp_path / "c"), bytes(32))
