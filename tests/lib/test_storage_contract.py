# SPDX-License-Identifier: Apache-2.0
"""What every storage does alike: local folder, Kubo, gateways, and all of them joined.

A `Pair` is where a file is written and where it is read; for gateways these differ.
"""

import filecmp
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.utils.cars import blocks_of
from tests.utils.kubo_daemon import KuboProcess
from truthmark.cid import CID, EMPTY_CID, cid_of_file, raw_cid
from truthmark.errors import (
    BlockMismatchError,
    BlockNotFoundError,
    ConfigError,
    LimitError,
    StorageError,
    StorageUnavailableError,
)
from truthmark.storage import LocalStore, MultiStore, Storage, export_car
from truthmark.storage.gateway import GatewayStore
from truthmark.storage.kubo import KuboStore
from truthmark.storage.serve import GatewayServer

pytestmark = pytest.mark.filterwarnings("ignore:The 'strict' parameter is no longer")

MIB = 1 << 20
ABSENT = raw_cid(hashlib.sha256(b"nobody has stored this").digest())

FILES = [
    (0, MIB),
    (1, MIB),
    (10, MIB),
    (MIB - 1, MIB),
    (MIB, MIB),
    (MIB + 1, MIB),
    (5 * MIB, MIB),
    *((16 << power, 1 << power) for power in range(12, 20)),  # containers of 16 shards
]
EDGES = [
    (4096 * 1024, 4096),  # one full inner node
    (4096 * 1025, 4096),  # two of them below a root
    (4096 * 2999 + 1, 4096),  # 3,000 shards
]


class Pair(NamedTuple):
    writer: Storage
    reader: Storage


STORES = ["local", pytest.param("kubo", marks=pytest.mark.kubo)]
GATEWAYS = ["gateway over local", pytest.param("gateway of kubo", marks=pytest.mark.kubo)]
KINDS = [
    *STORES,
    *GATEWAYS,
    "local after gateway",
    pytest.param("local after kubo", marks=pytest.mark.kubo),
]


@pytest.fixture(scope="module", params=KINDS)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("stores")
    if "kubo" in request.param:
        daemon: KuboProcess = request.getfixturevalue("kubo")
        with KuboStore(daemon.api, timeout=5) as writer:
            if request.param == "kubo":
                yield Pair(writer, writer)
            elif request.param == "gateway of kubo":
                with GatewayStore([daemon.gateway], timeout=5) as reader:
                    yield Pair(writer, reader)
            else:
                yield Pair(writer, MultiStore([LocalStore(folder / "cache"), writer]))
        return
    local = LocalStore(folder / "local")
    if request.param == "local":
        yield Pair(local, local)
        return
    with (
        GatewayServer(local) as first,
        GatewayServer(local) as second,
        GatewayStore([first.url, second.url], timeout=10) as reader,
    ):
        if request.param == "gateway over local":
            yield Pair(local, reader)
        else:
            yield Pair(local, MultiStore([LocalStore(folder / "cache"), reader]))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def fill(path: Path, size: int, seed: int = 0) -> bytes:
    data = random.Random(f"{size} {seed}").randbytes(size)
    path.write_bytes(data)
    return data


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize(("size", "chunk"), FILES)
def test_put_get__any_size_and_shard__same_cid_and_bytes(
    pair: Pair, path: Path, tmp_path: Path, size: int, chunk: int
) -> None:
    data = fill(path, size)
    cid = pair.writer.put(path, chunk=chunk)
    assert cid == cid_of_file(path, chunk)
    pair.reader.get(cid, tmp_path / "out" / "copy")
    assert (tmp_path / "out" / "copy").read_bytes() == data
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["copy"]


@pytest.mark.parametrize(("size", "chunk"), EDGES)
@pytest.mark.parametrize("pair", STORES, indirect=True)
def test_put_get__edges_of_inner_nodes__same_cid_and_bytes(
    pair: Pair, path: Path, tmp_path: Path, size: int, chunk: int
) -> None:
    put_and_get(pair, path, tmp_path, size, chunk)


# Each shard is a request here: one edge in every run, all of them in a campaign.
@pytest.mark.parametrize(
    ("size", "chunk"),
    [EDGES[1], *(pytest.param(*edge, marks=pytest.mark.assure) for edge in EDGES)],
)
@pytest.mark.parametrize("pair", GATEWAYS, indirect=True)
def test_get__edges_of_inner_nodes_through_gateways__same_bytes(
    pair: Pair, path: Path, tmp_path: Path, size: int, chunk: int
) -> None:
    put_and_get(pair, path, tmp_path, size, chunk)


def put_and_get(pair: Pair, path: Path, tmp_path: Path, size: int, chunk: int) -> None:
    data = fill(path, size)
    cid = pair.writer.put(path, chunk=chunk)
    assert cid == cid_of_file(path, chunk)
    pair.reader.get(cid, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data


def test_put__text_of_the_specification__known_cid(pair: Pair) -> None:
    assert str(pair.writer.put(b"")) == str(EMPTY_CID)
    known = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
    assert str(pair.writer.put(b"hello world")) == known
    assert pair.reader.read_block(CID.parse(known)) == b"hello world"


def test_put__bytes__same_as_file(pair: Pair, path: Path) -> None:
    data = fill(path, 3 * MIB + 5)
    assert pair.writer.put(data) == pair.writer.put(path)


def test_put__no_such_file__refused(pair: Pair, path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        pair.writer.put(path)


@pytest.mark.parametrize("chunk", [0, -1, (2 << 20) + 1])
def test_put__chunk_out_of_bounds__refused(pair: Pair, chunk: int) -> None:
    with pytest.raises(ConfigError, match="chunk"):
        pair.writer.put(b"data", chunk=chunk)


def test_put_get__progress__rises_to_the_size(pair: Pair, path: Path, tmp_path: Path) -> None:
    fill(path, 40 * 65536 + 7)
    stored: list = []
    cid = pair.writer.put(path, chunk=65536, progress=report(stored))
    fetched: list = []
    pair.reader.get(cid, tmp_path / "out", progress=report(fetched))
    for seen in (stored, fetched):
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        assert seen[-1] == (40 * 65536 + 7, 40 * 65536 + 7)


def report(seen: list):
    return lambda done, total: seen.append((done, total))


def test_get__file_larger_than_allowed__refused_with_nothing_written(
    pair: Pair, path: Path, tmp_path: Path
) -> None:
    fill(path, 3 * 65536)
    cid = pair.writer.put(path, chunk=65536)
    with pytest.raises(LimitError, match="196608 bytes where 196607 are allowed"):
        pair.reader.get(cid, tmp_path / "out" / "copy", max_size=3 * 65536 - 1)
    assert list((tmp_path / "out").iterdir()) == []


def test_get__absent__says_so_and_leaves_nothing(pair: Pair, tmp_path: Path) -> None:
    # Kubo's gateway searches its network for longer than we wait.
    with pytest.raises((BlockNotFoundError, StorageUnavailableError), match=str(ABSENT)):
        pair.reader.get(ABSENT, tmp_path / "out" / "copy")
    assert list((tmp_path / "out").iterdir()) == []


def test_get__other_file_at_dest__replaced(pair: Pair, path: Path, tmp_path: Path) -> None:
    data = fill(path, 300_000)
    cid = pair.writer.put(path, chunk=65536)
    (tmp_path / "out").write_bytes(bytes(300_000))
    pair.reader.get(cid, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == data


def test_get__folder_at_dest__refused(pair: Pair, tmp_path: Path) -> None:
    cid = pair.writer.put(b"data")
    with pytest.raises(StorageError, match="is a folder"):
        pair.reader.get(cid, tmp_path)


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, 0),
        (0, 1),
        (0, 250_000),
        (4095, 2),
        (4096, 4096),
        (100_000, 70_001),
        (249_999, 9),
        (250_000, 1),
        (9**9, 1),
    ],
)
def test_read_range__any__slice(pair: Pair, path: Path, offset: int, length: int) -> None:
    data = fill(path, 250_000)
    cid = pair.writer.put(path, chunk=4096)
    assert pair.reader.read_range(cid, offset, length) == data[offset : offset + length]


def test_read_range__negative__refused(pair: Pair) -> None:
    cid = pair.writer.put(b"data")
    with pytest.raises(ConfigError, match="positive"):
        pair.reader.read_range(cid, -1, 1)


# ---------------------------------------------------------------------- blocks


def test_blocks__tree_of_two_levels__each_once_parents_first(pair: Pair, path: Path) -> None:
    path.write_bytes(fill(path, 4096 * 1030) + bytes(4096 * 3))
    cid = pair.writer.put(path, chunk=4096)
    blocks = list(pair.reader.blocks(cid))
    assert blocks[0][0] == cid
    assert len({block for block, _ in blocks}) == len(blocks) == 1 + 2 + 1030 + 1
    assert all(hashlib.sha256(data).digest() == block.digest for block, data in blocks)


def test_put_block__its_bytes__can_be_read(pair: Pair) -> None:
    data = random.Random(1).randbytes(1000)
    cid = raw_cid(hashlib.sha256(data).digest())
    pair.writer.put_block(cid, data)
    assert pair.writer.has_block(cid)
    assert pair.reader.read_block(cid) == data


def test_put_block__other_bytes__refused(pair: Pair) -> None:
    with pytest.raises(BlockMismatchError):
        pair.writer.put_block(ABSENT, b"something else")
    assert not pair.writer.has_block(ABSENT)


def test_put_block__over_two_mib__refused(pair: Pair) -> None:
    data = bytes((2 << 20) + 1)
    with pytest.raises(LimitError):
        pair.writer.put_block(raw_cid(hashlib.sha256(data).digest()), data)


def test_read_block__empty__without_asking(pair: Pair) -> None:
    assert pair.reader.read_block(EMPTY_CID) == b""
    assert pair.reader.has_block(EMPTY_CID)


# ---------------------------------------------------------------------- keeping


def test_pin_unpin__stored_unpinned__listed_while_pinned(pair: Pair, path: Path) -> None:
    fill(path, 100_000, seed=7)
    store = pair.writer
    cid = store.put(path, chunk=4096, pin=False)
    assert cid not in store.pins()
    store.pin(cid)
    assert cid in store.pins()
    assert store.stat(cid).pinned
    store.unpin(cid)
    assert cid not in store.pins()
    store.unpin(cid)  # harmless


def test_stat_has__whole_file__complete(pair: Pair, path: Path) -> None:
    fill(path, 4096 * 1030 + 1, seed=8)
    cid = pair.writer.put(path, chunk=4096)
    stat = pair.writer.stat(cid)
    assert (stat.cid, stat.size, stat.blocks, stat.local_blocks) == (
        cid,
        4096 * 1030 + 1,
        1 + 2 + 1031,
        1 + 2 + 1031,
    )
    assert stat.complete
    assert stat.pinned
    assert pair.writer.has(cid)


def test_has__leaf_missing__no(pair: Pair, tmp_path: Path) -> None:
    data = random.Random(9).randbytes(3 * 4096)
    source = LocalStore(tmp_path / "other")
    cid = source.put(data, chunk=4096)
    for block, content in list(source.blocks(cid))[:-1]:
        pair.writer.put_block(block, content)
    assert not pair.writer.has(cid)
    assert not pair.writer.has(ABSENT)


# ---------------------------------------------------------------------- archives


@pytest.mark.parametrize(
    ("pair", "shards"),
    [
        ("local", 1030),  # below two inner nodes
        *((kind, 30) for kind in ("gateway over local", "local after gateway")),
        *(
            pytest.param(kind, 30, marks=pytest.mark.kubo)
            for kind in ("kubo", "gateway of kubo", "local after kubo")
        ),
    ],
    indirect=["pair"],
)
def test_export_car__blocks_put_elsewhere__same_file(
    pair: Pair, path: Path, tmp_path: Path, shards: int
) -> None:
    data = fill(path, 4096 * shards + 5)
    cid = pair.writer.put(path, chunk=4096)
    seen: list = []
    export_car(pair.reader, cid, tmp_path / "file.car", progress=report(seen))
    assert seen[-1] == (len(data), len(data))
    other = LocalStore(tmp_path / "other")
    for block, content in blocks_of((tmp_path / "file.car").read_bytes(), cid):
        other.put_block(block, content)
    assert other.read_range(cid, 0, len(data)) == data


# ---------------------------------------------------------------------- large


@pytest.mark.parametrize("kind", STORES)
def test_put_get__300_mib__same_cid_and_bytes(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "large"
    block = random.Random(300).randbytes(MIB)
    with path.open("wb") as stream:
        for number in range(300):
            stream.write(number.to_bytes(8, "big") + block[8:])
    if kind == "local":
        writer: Storage = LocalStore(tmp_path / "store")
        reader = writer
    else:
        a, b = request.getfixturevalue("kubo_pair")
        writer, reader = KuboStore(a.api), KuboStore(b.api)
    cid = writer.put(path)
    assert cid == cid_of_file(path)
    reader.get(cid, tmp_path / "copy")
    assert filecmp.cmp(tmp_path / "copy", path, shallow=False)
    writer.unpin(cid)
