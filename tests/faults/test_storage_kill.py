# SPDX-License-Identifier: Apache-2.0
"""kill -9 while a file is fetched or stored: the next attempt ends with the same bytes.

The process under test is a real one; it is killed at random points, and what it had checked is not
asked for again.
"""

import multiprocessing
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from truthmark.cid import CID, cid_of_file
from truthmark.hashing import sha256
from truthmark.storage import LocalStore, open_storage
from truthmark.storage.serve import GatewayServer

SHARD = 4096
SHARDS = 160
KILLS = pytest.mark.parametrize(
    "kills", [20, pytest.param(200, marks=[pytest.mark.assure, pytest.mark.timeout(1800)])]
)

# Children come from a server that has imported everything: what is killed is the work, not imports.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["truthmark.storage.gateway", "truthmark.storage"])


def fetch(ready: Connection, url: str, cid: str, dest: str) -> None:
    ready.send(None)
    with open_storage(url) as store:
        store.get(CID.parse(cid), Path(dest))


def keep(ready: Connection, url: str, cid: str, folder: str) -> None:
    ready.send(None)
    with open_storage([f"local:{folder}", url]) as store:
        store.pin(CID.parse(cid))


def store_file(ready: Connection, source: str, folder: str) -> None:
    ready.send(None)
    LocalStore(Path(folder)).put(Path(source), chunk=SHARD)


class CountingStore(LocalStore):
    """Counts the blocks that it was asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: Counter[CID] = Counter()

    def read_block(self, cid: CID) -> bytes:
        self.asked[cid] += 1
        return super().read_block(cid)


@pytest.fixture
def data() -> bytes:
    return random.Random(1).randbytes(SHARD * SHARDS - 9)


@pytest.fixture
def origin(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path / "origin")


def run_until(seconds: float | None, work: Callable[..., None], *arguments: str) -> bool:
    """Run `work` in a process; kill it `seconds` after it began. Return whether it had ended."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=work, args=(theirs, *arguments))
    process.start()
    theirs.close()
    ours.recv()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
    ours.close()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == 0


def duration(work: Callable[..., None], *arguments: str, dest: Path) -> float:
    """Return the seconds that `work` takes undisturbed, less what the first start costs."""
    taken = []
    for number in range(2):
        started = time.monotonic()
        assert run_until(None, work, *arguments, f"{dest}{number}")
        taken.append(time.monotonic() - started)
    return min(taken)


def leaves(data: bytes) -> list[bytes]:
    return [sha256(data[start : start + SHARD]) for start in range(0, len(data), SHARD)]


@KILLS
def test_get__killed_at_random_points__checked_blocks_never_asked_again(
    origin: CountingStore, data: bytes, tmp_path: Path, kills: int
) -> None:
    cid = origin.put(data, chunk=SHARD)
    digests = leaves(data)
    rng = random.Random(kills)
    with GatewayServer(origin) as server:
        url = f"gateway:{server.url}"
        whole = duration(fetch, url, str(cid), dest=tmp_path / "timed")
        done, attempt, in_the_middle = 0, 0, 0
        while done < kills:
            dest = tmp_path / f"fetched{attempt}"
            part = dest.with_name(dest.name + ".part")
            attempt += 1
            ended = False
            while not ended and done < kills:
                held = {
                    digest
                    for start, digest in zip(range(0, len(data), SHARD), digests, strict=True)
                    if part.exists() and _slice(part, start) == data[start : start + SHARD]
                }
                in_the_middle += 0 < len(held) < SHARDS
                origin.asked.clear()
                ended = run_until(rng.random() * whole, fetch, url, str(cid), str(dest))
                done += not ended
                assert held.isdisjoint(asked.digest for asked in origin.asked)
                assert dest.exists() >= ended
            if not ended:
                assert run_until(None, fetch, url, str(cid), str(dest))
            assert dest.read_bytes() == data
            assert not part.exists()
    assert in_the_middle >= kills // 10  # else the kills came too early or too late to mean much


def _slice(path: Path, start: int) -> bytes:
    with path.open("rb") as stream:
        stream.seek(start)
        return stream.read(SHARD)


@KILLS
def test_pin__killed_at_random_points__whole_or_not_pinned(
    origin: CountingStore, data: bytes, tmp_path: Path, kills: int
) -> None:
    cid = origin.put(data, chunk=SHARD)
    rng = random.Random(kills + 1)
    with GatewayServer(origin) as server:
        url = f"gateway:{server.url}"
        whole = duration(keep, url, str(cid), dest=tmp_path / "timed")
        done, attempt = 0, 0
        while done < kills:
            folder = tmp_path / f"store{attempt}"
            attempt += 1
            ended = False
            while not ended and done < kills:
                ended = run_until(rng.random() * whole, keep, url, str(cid), str(folder))
                done += not ended
                store = LocalStore(folder)
                assert store.pins() in ([], [cid])
                if store.pins():
                    assert store.check(cid) == []
            if not ended:
                assert run_until(None, keep, url, str(cid), str(folder))
            assert LocalStore(folder).check(cid) == []


@KILLS
def test_put__killed_at_random_points__whole_or_not_there(
    data: bytes, tmp_path: Path, kills: int
) -> None:
    source = tmp_path / "data.tmk"
    source.write_bytes(data)
    cid = cid_of_file(source, SHARD)
    rng = random.Random(kills + 2)
    whole = duration(store_file, str(source), dest=tmp_path / "timed")
    for number in range(kills):
        folder = tmp_path / "store" if number % 5 else tmp_path / f"store{number}"
        run_until(rng.random() * whole, store_file, str(source), str(folder))
        store = LocalStore(folder)
        assert store.pins() in ([], [cid])
        if store.pins():
            assert store.check(cid) == []
        if number % 7 == 0:
            store.gc()
            assert list((folder / "tmp").iterdir()) == []
    store.put(source, chunk=SHARD)
    assert store.check(cid) == []
    assert source.read_bytes() == data
