# SPDX-License-Identifier: Apache-2.0
"""Real Kubo daemons: two that exchange blocks, one that dies, one that reads our archives."""

import random
from pathlib import Path

import pytest

from tests.utils.kubo_daemon import KuboProcess, start_kubo
from truthmark.cid import EMPTY_CID, cid_of_file
from truthmark.errors import BlockNotFoundError, StorageUnavailableError
from truthmark.storage import LocalStore, export_car
from truthmark.storage.gateway import GatewayStore
from truthmark.storage.kubo import KuboStore

pytestmark = [
    pytest.mark.kubo,
    pytest.mark.filterwarnings("ignore:The 'strict' parameter is no longer"),
]

DATA = random.Random(11).randbytes(2_000_001)


def test_put__same_bytes_by_the_ipfs_program__same_cid(kubo: KuboProcess, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    options = ["--cid-version=1", "--raw-leaves", "--max-file-links=1024", "--chunker=size-65536"]
    printed = kubo.run("add", "-Q", "--only-hash", *options, str(path)).strip()
    assert printed == str(cid_of_file(path, 65536))
    # With 1 MiB the profile unixfs-v1-2025 says all of it.
    assert kubo.run("add", "-Q", "--only-hash", str(path)).strip() == str(cid_of_file(path))


def test_pin__file_of_the_other_node__fetched_and_kept(
    kubo_pair: tuple[KuboProcess, KuboProcess], tmp_path: Path
) -> None:
    first, second = kubo_pair
    seen: list[tuple[int, int]] = []
    with KuboStore(first.api) as seller, KuboStore(second.api) as custodian:
        cid = seller.put(DATA, chunk=65536)
        assert not custodian.has(cid)
        custodian.pin(cid, progress=lambda *state: seen.append(state))
        assert seen[-1] == (len(DATA), len(DATA))
        stat = custodian.stat(cid)
        assert (stat.complete, stat.pinned, stat.size) == (True, True, len(DATA))
        custodian.get(cid, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA
    with GatewayStore([second.gateway]) as gateway:
        assert gateway.has(cid)


def test_get_pin__empty_file_of_the_other_node__does_not_hang(
    kubo_pair: tuple[KuboProcess, KuboProcess], tmp_path: Path
) -> None:
    first, second = kubo_pair
    with KuboStore(first.api) as seller, KuboStore(second.api, timeout=5) as custodian:
        assert seller.put(b"") == EMPTY_CID
        custodian.get(EMPTY_CID, tmp_path / "empty")
        custodian.pin(EMPTY_CID)
        assert EMPTY_CID in custodian.pins()
    assert (tmp_path / "empty").read_bytes() == b""


def test_pin__nobody_has_it__given_up_in_time(kubo: KuboProcess, tmp_path: Path) -> None:
    cid = LocalStore(tmp_path).put(b"held by nobody else")
    with KuboStore(kubo.api, timeout=2) as store, pytest.raises(BlockNotFoundError):
        store.pin(cid)


def test_export_car__the_ipfs_program__imports_it(kubo: KuboProcess, tmp_path: Path) -> None:
    data = random.Random(12).randbytes(500_000)
    local = LocalStore(tmp_path / "store")
    cid = local.put(data, chunk=4096)
    export_car(local, cid, tmp_path / "file.car")
    kubo.run("dag", "import", "--pin-roots", str(tmp_path / "file.car"))
    with KuboStore(kubo.api, timeout=5) as daemon:
        assert daemon.has(cid)
        assert cid in daemon.pins()
        assert daemon.read_range(cid, 0, len(data)) == data


def test_daemon__killed_and_started_again__keeps_what_was_pinned(
    kubo: KuboProcess, tmp_path: Path
) -> None:
    with start_kubo(tmp_path / "repo", binary=kubo.binary) as daemon:
        store = KuboStore(daemon.api, timeout=5)
        cid = store.put(DATA, chunk=65536)
        assert store.read_block(cid)
        daemon.stop(kill=True)
        with pytest.raises(StorageUnavailableError, match="start it"):
            store.read_block(cid)
    with (
        start_kubo(tmp_path / "repo", binary=kubo.binary) as daemon,
        KuboStore(daemon.api, timeout=5) as store,
    ):
        assert store.pins() == [cid]
        store.get(cid, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA
