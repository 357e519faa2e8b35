# SPDX-License-Identifier: Apache-2.0
"""Several storages as one."""

import random
from pathlib import Path

import pytest

from tests.utils.dags import MemoryStore, leaf_cid
from truthmark.cid import CID, raw_cid
from truthmark.errors import (
    BlockMismatchError,
    BlockNotFoundError,
    ConfigError,
    StorageError,
    StorageUnavailableError,
)
from truthmark.storage import LocalStore, MultiStore, open_storage, replicate
from truthmark.storage import multi as multi_module

DATA = random.Random(5).randbytes((1 << 20) + 5)


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "local")


@pytest.fixture
def far(tmp_path: Path) -> MemoryStore:
    return MemoryStore(workers=4)


@pytest.fixture
def cid(far: MemoryStore, tmp_path: Path) -> CID:
    origin = LocalStore(tmp_path / "origin")
    return far.take(origin, origin.put(DATA, chunk=65536))


class Failing(MemoryStore):
    def __init__(self, error: StorageError) -> None:
        super().__init__()
        self.error = error

    def _fetch(self, cid: CID) -> bytes:
        self.asked[cid] += 1
        raise self.error


def test_read_block__only_far_has_it__cached_near(
    local: LocalStore, far: MemoryStore, cid: CID
) -> None:
    joined = MultiStore([local, far])
    assert joined.read_block(cid) == far.held[cid]
    joined.read_block(cid)
    assert far.asked[cid] == 1


def test_get__far_file__linked_near_not_copied(
    local: LocalStore, far: MemoryStore, cid: CID, tmp_path: Path
) -> None:
    joined = MultiStore([local, far])
    joined.get(cid, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == DATA
    assert local.check(cid) == []
    assert cid not in local.pins()
    far.asked.clear()
    joined.get(cid, tmp_path / "again")
    assert not far.asked


def test_get__cache_cannot_be_written__fetched_all_the_same(
    local: LocalStore, far: MemoryStore, cid: CID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("full; free some space")

    monkeypatch.setattr(local, "put_block", full)
    monkeypatch.setattr(local, "link", full)
    MultiStore([local, far]).get(cid, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == DATA


def test_get__near_block_damaged__taken_from_far(
    local: LocalStore, far: MemoryStore, cid: CID, tmp_path: Path
) -> None:
    joined = MultiStore([local, far])
    joined.pin(cid)
    file = local.root / "files" / str(cid)
    with file.open("r+b") as stream:
        stream.write(b"damaged")
    joined.get(cid, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == DATA


def test_put_pin_unpin__first_that_writes(local: LocalStore, far: MemoryStore, cid: CID) -> None:
    joined = MultiStore([far, local])
    mine = joined.put(b"mine")
    joined.pin(cid)
    assert joined.pins() == local.pins() == sorted([mine, cid], key=str)
    joined.unpin(cid)
    assert local.pins() == [mine]
    assert joined.has(mine)


def test_put__none_writes__refused(far: MemoryStore) -> None:
    with pytest.raises(StorageError, match="add a local or kubo"):
        MultiStore([far]).put(b"data")


def test_read_block__all_fail__most_hopeful_kind_and_all_reasons(far: MemoryStore) -> None:
    cid = raw_cid(bytes(32))
    gone = Failing(StorageUnavailableError("gone: does not answer; start it"))
    lying_store = Failing(BlockMismatchError("lying store: other bytes; use another"))
    with pytest.raises(StorageUnavailableError, match=r"no block.*other bytes.*does not answer"):
        MultiStore([far, lying_store, gone]).read_block(cid)
    with pytest.raises(BlockMismatchError):
        MultiStore([far, lying_store]).read_block(cid)
    with pytest.raises(BlockNotFoundError):
        MultiStore([far, MemoryStore()]).read_block(cid)


def test_read_block__store_that_kept_waiting__asked_last_then(
    far: MemoryStore, cid: CID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multi_module, "_SLOW_SECONDS", -1.0)  # any failure counts as slow
    slow = Failing(BlockNotFoundError("slow: not found; wait"))
    slow.name = "slow"
    monkeypatch.setattr(multi_module, "_REST_FACTOR", 1e9)
    joined = MultiStore([slow, far])
    for _ in range(4):
        joined.read_block(cid)
    assert slow.asked[cid] == 1


def test_replicate__target_without_file__block_by_block(
    far: MemoryStore, cid: CID, local: LocalStore
) -> None:
    class Remote(MemoryStore):
        """Writable, but no LocalStore: what a Kubo daemon is."""

        def put_block(self, cid: CID, data: bytes) -> None:
            self.held[cid] = data

        def pin(self, cid: CID, *, progress: object = None) -> None:
            self.kept = cid

    remote, seen = Remote(), []
    replicate(far, remote, cid, progress=lambda *state: seen.append(state))
    assert remote.has(cid)
    assert remote.kept == cid
    assert seen[-1] == (len(DATA), len(DATA))
    far.asked.clear()
    replicate(far, remote, cid)
    assert not far.asked


def test_open_storage__each_kind__in_the_order_given(tmp_path: Path) -> None:
    with open_storage(
        ["local", "kubo:/ip4/127.0.0.1/tcp/5001", "gateway:http://127.0.0.1:8080"], home=tmp_path
    ) as joined:
        assert isinstance(joined, MultiStore)
        assert [store.name for store in joined.stores] == [
            f"local:{tmp_path / 'store'}",
            "kubo:/ip4/127.0.0.1/tcp/5001",
            "gateway:http://127.0.0.1:8080",
        ]
    with open_storage(f"local:{tmp_path}/elsewhere") as single:
        assert isinstance(single, LocalStore)


@pytest.mark.parametrize(
    "url", ["", "local", "local:", "kubo:", "gateway:", "ftp://x", "/a/folder"]
)
def test_open_storage__cannot_be_understood__refused(url: str) -> None:
    with pytest.raises(ConfigError, match="storage"):
        open_storage([url])


def test_open_storage__none__refused() -> None:
    with pytest.raises(ConfigError, match="none configured"):
        open_storage([])


def test_has__only_far__not_ours(local: LocalStore, far: MemoryStore, cid: CID) -> None:
    joined = MultiStore([local, far])
    assert not joined.has(cid)
    assert not joined.has_block(leaf_cid(b"nothing"))
    joined.pin(cid)
    assert joined.has(cid)
