# SPDX-License-Identifier: Apache-2.0
"""Fetching: what is kept, what is never left behind, what happens on a full disk."""

import errno
import fcntl
import os
import random
import threading
from pathlib import Path

import pytest

from tests.utils.dags import MemoryStore
from truthmark.cid import CID
from truthmark.errors import BlockNotFoundError, StorageError
from truthmark.hashing import sha256
from truthmark.storage import LocalStore
from truthmark.storage.fetch import fetch_file, read_ahead

SHARDS = 40
SIZE = SHARDS * 4096 - 17


@pytest.fixture
def data() -> bytes:
    return random.Random(40).randbytes(SIZE)


@pytest.fixture(params=[1, 8], ids=["alone", "eight at once"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    return MemoryStore(workers=request.param)


@pytest.fixture
def cid(store: MemoryStore, data: bytes, tmp_path: Path) -> CID:
    local = LocalStore(tmp_path / "origin")
    return store.take(local, local.put(data, chunk=4096))


def held_leaves(part: Path, data: bytes) -> set[bytes]:
    """Return the digests of the leaves that a part file holds already."""
    found = part.read_bytes() if part.exists() else b""
    starts = range(0, SIZE, 4096)
    return {
        sha256(data[start : start + 4096])
        for start in starts
        if found[start : start + 4096] == data[start : start + 4096]
    }


@pytest.mark.parametrize("after", [0, 1, 2, 17, SHARDS])
def test_fetch_file__broken_off__goes_on_without_asking_again(
    store: MemoryStore, cid: CID, data: bytes, tmp_path: Path, after: int
) -> None:
    dest = tmp_path / "out" / "file"
    store.fail_after = after
    with pytest.raises(BlockNotFoundError):
        fetch_file(store, cid, dest)
    assert not dest.exists()
    kept = held_leaves(dest.with_name("file.part"), data)
    # All that was answered, but for the root where no leaf had come.
    assert len(kept) >= after - 1
    store.fail_after = None
    store.asked.clear()
    fetch_file(store, cid, dest)
    assert dest.read_bytes() == data
    assert kept.isdisjoint(asked.digest for asked in store.asked)
    assert (cid in store.asked) == (not kept)
    assert [path.name for path in dest.parent.iterdir()] == ["file"]


def test_fetch_file__part_of_another_file__only_right_blocks_kept(
    store: MemoryStore, cid: CID, data: bytes, tmp_path: Path
) -> None:
    dest = tmp_path / "file"
    part = bytearray(random.Random(41).randbytes(SIZE + 999))
    part[4096:8192] = data[4096:8192]
    dest.with_name("file.part").write_bytes(part)
    dest.with_name("file.part.nodes").write_bytes(random.Random(42).randbytes(5000))
    fetch_file(store, cid, dest)
    assert dest.read_bytes() == data
    assert sum(store.asked.values()) == 1 + SHARDS - 1


def test_fetch_file__whole_already__nothing_asked_but_the_root(
    store: MemoryStore, cid: CID, tmp_path: Path
) -> None:
    fetch_file(store, cid, tmp_path / "file")
    store.asked.clear()
    seen: list[tuple[int, int]] = []
    fetch_file(store, cid, tmp_path / "file", progress=lambda *state: seen.append(state))
    assert dict(store.asked) == {cid: 1}
    assert seen == [(SIZE, SIZE)]


def test_fetch_file__one_byte_changed_since__fetched_again(
    store: MemoryStore, cid: CID, data: bytes, tmp_path: Path
) -> None:
    changed = bytearray(data)
    changed[-1] ^= 1
    (tmp_path / "file").write_bytes(changed)
    fetch_file(store, cid, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data


def test_fetch_file__small_file_whole_already__nothing_asked(tmp_path: Path) -> None:
    store = MemoryStore()
    cid = store.add(b"small")
    fetch_file(store, cid, tmp_path / "file")
    fetch_file(store, cid, tmp_path / "file")
    assert store.asked[cid] == 1


def test_fetch_file__no_resume__starts_over(store: MemoryStore, cid: CID, tmp_path: Path) -> None:
    store.fail_after = 20
    with pytest.raises(BlockNotFoundError):
        fetch_file(store, cid, tmp_path / "file")
    store.fail_after = None
    store.asked.clear()
    fetch_file(store, cid, tmp_path / "file", resume=False)
    assert sum(store.asked.values()) == 1 + SHARDS


def test_fetch_file__another_process_fetches__refused_or_waits(
    store: MemoryStore, cid: CID, data: bytes, tmp_path: Path
) -> None:
    dest = tmp_path / "file"
    with dest.with_name("file.part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StorageError, match="another process is fetching"):
            fetch_file(store, cid, dest)
        waiting = threading.Thread(
            target=fetch_file, args=(store, cid, dest), kwargs={"wait": True}
        )
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join(30)
    assert dest.read_bytes() == data


def test_fetch_file__part_is_a_link_elsewhere__not_followed(
    store: MemoryStore, cid: CID, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "file.part").symlink_to(victim)
    with pytest.raises(StorageError):
        fetch_file(store, cid, tmp_path / "file")
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize("call", ["pwrite", "ftruncate", "fsync"])
def test_fetch_file__disk_full_at_any_write__nothing_at_dest_and_goes_on(
    store: MemoryStore,
    cid: CID,
    data: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    real = getattr(os, call)
    points = 0
    while True:
        dest = tmp_path / f"{points}" / "file"
        left = points

        def full(*arguments: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        monkeypatch.setattr(os, call, full)
        try:
            fetch_file(store, cid, dest)
        except StorageError as error:
            assert "free some space" in str(error)
            assert "\n" not in str(error)
            # Full once the rename is done is no failure of the file: it is whole.
            assert not dest.exists() or dest.read_bytes() == data
        else:
            break
        monkeypatch.setattr(os, call, real)
        fetch_file(store, cid, dest)
        assert dest.read_bytes() == data
        points += 1
    assert points >= {"pwrite": 41, "ftruncate": 2, "fsync": 2}[call]


def test_read_ahead__fewer_than_asked_for__all_in_order() -> None:
    assert [data for _, data in read_ahead(range(100), lambda n: b"%d" % n, 8)] == [
        b"%d" % number for number in range(100)
    ]


def test_read_ahead__ended_early__gives_what_was_read() -> None:
    left: list[int] = []
    reading = read_ahead(range(100), lambda n: b"", 4, on_left=lambda n, _: left.append(n))
    next(reading)
    reading.close()
    assert set(left) <= set(range(8))
