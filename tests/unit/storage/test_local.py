# SPDX-License-Identifier: Apache-2.0
"""The local store: space, several processes, damage, a full disk."""

import errno
import multiprocessing
import os
import random
from pathlib import Path

import pytest

from tests.utils.dags import MemoryStore
from truthmark.cid import CID, cid_of_file, raw_cid
from truthmark.errors import BlockMismatchError, BlockNotFoundError, StorageError
from truthmark.hashing import sha256
from truthmark.storage import LocalStore

MIB = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def container(tmp_path: Path) -> Path:
    path = tmp_path / "data.tmk"
    path.write_bytes(random.Random(1).randbytes(3 * MIB + 1))
    return path


def used(folder: Path) -> int:
    """Return bytes on disk below `folder`, every inode once."""
    states = {path.stat().st_ino: path.stat() for path in folder.rglob("*") if path.is_file()}
    return sum(state.st_blocks * 512 for state in states.values())


def test_put__container__takes_no_space_twice(
    store: LocalStore, container: Path, tmp_path: Path
) -> None:
    before = used(tmp_path)
    store.put(container, chunk=65536)
    assert used(tmp_path) - before < 256 << 10


def test_put__container_then_removed__still_served(store: LocalStore, container: Path) -> None:
    data = container.read_bytes()
    cid = store.put(container, chunk=65536)
    container.unlink()
    assert store.read_range(cid, 0, len(data)) == data


def test_put__edited_in_place_afterwards__noticed_and_mended(
    store: LocalStore, container: Path
) -> None:
    data = container.read_bytes()
    origin = MemoryStore()
    cid = origin.take(store, store.put(container, chunk=65536))
    with container.open("r+b") as stream:
        stream.seek(65536 + 5)
        stream.write(b"edited")
    leaf = raw_cid(sha256(data[65536:131072]))
    if container.stat().st_nlink > 1:  # else the filesystem made a clone, and nothing happened
        with pytest.raises(BlockMismatchError, match="damaged"):
            store.read_block(leaf)
        assert store.check(cid) == [leaf]
    store.pin(cid, source=origin)
    assert store.check(cid) == []
    assert store.read_block(leaf) == data[65536:131072]
    assert container.read_bytes() != data  # the edit itself is left alone


def test_put__edited_while_read__refused_or_a_snapshot(store: LocalStore, container: Path) -> None:
    data = container.read_bytes()

    def edit(done: int, total: int) -> None:
        if done == total:
            with container.open("r+b") as stream:
                stream.write(b"edited")

    try:
        cid = store.put(container, progress=edit)
    except StorageError as error:
        assert "changed while" in str(error)
        assert store.pins() == []
    else:  # the filesystem clones files: the edit could not reach the store
        assert store.read_range(cid, 0, len(data)) == data


def test_put__small_file__copied(store: LocalStore, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_bytes(b"{}")
    cid = store.put(path)
    path.write_bytes(b"[]")
    assert store.read_block(cid) == b"{}"


def test_free__unpinned_roots__leaves_pins_and_strangers_alone(
    store: LocalStore, container: Path
) -> None:
    data = container.read_bytes()
    kept = store.put(container, chunk=65536)
    # Shares most blocks with what is kept; a third is nobody's business here.
    gone = store.put(data + bytes(100_000), chunk=65536, pin=False)
    other = store.put(bytes(200_000), chunk=65536, pin=False)
    assert store.free([kept]) == 0
    assert store.free([gone]) > 0
    assert not store.has(gone)
    assert store.paths(gone) == []
    assert store.read_range(kept, 0, len(data)) == data
    assert store.check(kept) == []
    assert store.has(other)
    assert store.free([gone]) == 0


def test_free__somebody_writes__is_refused_and_frees_nothing(
    store: LocalStore, container: Path
) -> None:
    gone = store.put(container, chunk=65536, pin=False)
    with store._lock(), pytest.raises(StorageError, match="try again later"):
        store.free([gone])
    assert store.has(gone)


def test_gc__pinned_and_not__keeps_what_pins_need(store: LocalStore, container: Path) -> None:
    kept = store.put(container, chunk=65536)
    leaf = CID.parse(str(next(cid for cid, _ in store.blocks(kept) if cid != kept)))
    small = store.put(b"kept small file")
    gone = [store.put(random.Random(n).randbytes(100_000), chunk=4096, pin=False) for n in range(3)]
    loose = store.put(b"loose", pin=False)
    store.put_block(leaf, store.read_block(leaf))  # a leaf that stands in the file as well
    (store.root / "tmp" / "left by a kill").write_bytes(bytes(5000))
    (store.root / "files" / f"{gone[0]}.part").write_bytes(bytes(5000))
    assert store.gc() > 300_000
    assert store.check(kept) == store.check(small) == []
    assert not any(store.has(cid) for cid in [*gone, loose])
    assert not (store.root / "blocks" / str(leaf)[-3:-1] / str(leaf)).exists()
    assert sorted(path.name for path in (store.root / "files").iterdir()) == [str(kept)]
    assert list((store.root / "tmp").iterdir()) == []
    assert store.gc() == 0


def test_gc__pinned_file_without_its_node__refuses_rather_than_guess(
    store: LocalStore, container: Path
) -> None:
    cid = store.put(container, chunk=65536)
    (store.root / "blocks" / str(cid)[-3:-1] / str(cid)).unlink()
    with pytest.raises(StorageError, match="pin it again"):
        store.gc()
    assert (store.root / "files" / str(cid)).exists()


@pytest.mark.parametrize("damage", ["lost", "garbage", "torn", "middle"])
def test_index__lost_or_damaged__made_again(
    store: LocalStore, container: Path, damage: str
) -> None:
    cid = store.put(container, chunk=4096)
    index = store.root / "index.sqlite"
    content = bytearray(index.read_bytes())
    if damage == "lost":
        index.unlink()
    elif damage == "garbage":
        index.write_bytes(random.Random(2).randbytes(len(content)))
    elif damage == "torn":
        index.write_bytes(content[: len(content) // 2])
    else:
        content[4096:] = bytes(len(content) - 4096)
        index.write_bytes(content)
    again = LocalStore(store.root)
    assert again.check(cid) == []


def test_index__lost_and_a_node_as_well__other_files_still_served(
    store: LocalStore, container: Path
) -> None:
    broken = store.put(container, chunk=65536)
    sound = store.put(random.Random(9).randbytes(100_000), chunk=4096)
    (store.root / "blocks" / str(broken)[-3:-1] / str(broken)).unlink()
    (store.root / "index.sqlite").unlink()
    assert store.check(sound) == []
    assert store.check(broken) == [broken]
    store.put(container, chunk=65536)
    assert store.check(broken) == []


def test_pin__fetches_what_is_missing__and_only_that(
    store: LocalStore, container: Path, tmp_path: Path
) -> None:
    # Version 2 keeps the shards of version 1 and adds one behind them.
    first = store.put(container.read_bytes()[: 3 * MIB], chunk=65536)
    seller = LocalStore(tmp_path / "seller")
    source = MemoryStore(workers=4)
    second = source.take(seller, seller.put(container, chunk=65536))
    new_leaf = raw_cid(sha256(container.read_bytes()[3 * MIB :]))
    store.pin(second, source=source)
    assert set(source.asked) == {second, new_leaf}
    assert store.check(second) == store.check(first) == []


def test_pin__source_fails_half_way__resumes(store: LocalStore, container: Path) -> None:
    origin = LocalStore(store.root.with_name("origin"))
    source = MemoryStore(workers=4)
    cid = source.take(origin, origin.put(container, chunk=65536))
    source.fail_after = 20
    with pytest.raises(BlockNotFoundError):
        store.pin(cid, source=source)
    assert cid not in store.pins()
    source.fail_after = None
    source.asked.clear()
    store.pin(cid, source=source)
    assert sum(source.asked.values()) <= 49 - 19
    assert store.check(cid) == []


def test_pin__nowhere_to_be_found__refused(store: LocalStore) -> None:
    with pytest.raises(BlockNotFoundError):
        store.pin(raw_cid(bytes(32)))
    assert store.pins() == []


def test_read_block__damaged_on_disk__never_served_and_mended_by_put(store: LocalStore) -> None:
    cid = store.put(b"a small file")
    path = store.root / "blocks" / str(cid)[-3:-1] / str(cid)
    path.write_bytes(b"A small file")
    with pytest.raises(BlockMismatchError):
        store.read_block(cid)
    store.put_block(cid, b"a small file")
    assert store.read_block(cid) == b"a small file"


def test_link__wrong_bytes__refused(store: LocalStore, container: Path, tmp_path: Path) -> None:
    other = LocalStore(tmp_path / "other")
    cid = other.put(container, chunk=65536)
    store.put_block(cid, other.read_block(cid))
    wrong = tmp_path / "wrong"
    wrong.write_bytes(container.read_bytes()[:-1] + b"!")
    assert not store.link(cid, wrong)
    assert not store.has(cid)
    assert store.link(cid, container)
    assert store.has(cid)


def _churn(root: Path, seed: int, rounds: int, failures: "multiprocessing.Queue[str]") -> None:
    store = LocalStore(root)
    rng = random.Random(seed)
    try:
        for number in range(rounds):
            # The same few files in all processes, so that they meet.
            data = random.Random(rng.randrange(6)).randbytes(70_000)
            cid = store.put(data, chunk=4096)
            if store.read_range(cid, 0, len(data)) != data:
                failures.put(f"round {number}: other bytes")
            if number % 5 == 4:
                store.gc()
    except Exception as error:
        failures.put(repr(error))


def test_put_gc__four_processes_at_once__nothing_lost(store: LocalStore) -> None:
    context = multiprocessing.get_context("spawn")
    failures = context.Queue()
    workers = [
        context.Process(target=_churn, args=(store.root, seed, 15, failures)) for seed in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(90)
        assert worker.exitcode == 0
    assert failures.empty(), failures.get()
    assert all(store.check(cid) == [] for cid in store.pins())


def test_put__disk_full_at_any_step__nothing_half_made(
    tmp_path: Path, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cid = cid_of_file(container, 65536)
    real_fsync, write_bytes, replace = os.fsync, Path.write_bytes, Path.replace
    points = 0
    while True:
        store = LocalStore(tmp_path / f"store{points}")
        left = points

        def count() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def fsync(handle: int) -> None:
            count()
            real_fsync(handle)

        def write(path: Path, data: bytes) -> int:
            with path.open("wb") as stream:
                stream.write(data[: len(data) // 2])
            count()
            return write_bytes(path, data)

        def rename(path: Path, target: Path) -> Path:
            count()
            return replace(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            patch.setattr(Path, "write_bytes", write)
            patch.setattr(Path, "replace", rename)
            try:
                store.put(container, chunk=65536)
                done = True
            except StorageError as error:
                assert "free some space" in str(error)
                done = False
        assert list((store.root / "tmp").iterdir()) == []
        if done:
            break
        assert store.pins() in ([], [cid])
        if store.pins():
            assert store.check(cid) == []
        store.put(container, chunk=65536)
        assert store.check(cid) == []
        points += 1
    assert points >= 7


def test_local_store__folder_cannot_be_made__says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="check the folder"):
        LocalStore(tmp_path / "file" / "store")
