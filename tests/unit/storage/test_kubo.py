# SPDX-License-Identifier: Apache-2.0
"""What is sent to a Kubo daemon, and what is made of bad answers. No daemon is needed here."""

import json
import random

import pytest

from tests.utils.dags import leaf_cid, node_cid
from tests.utils.http_server import Reply, Request, ScriptedServer
from truthmark.cid import CID
from truthmark.errors import (
    BlockMismatchError,
    BlockNotFoundError,
    ConfigError,
    LimitError,
    StorageError,
    StorageUnavailableError,
)
from truthmark.hashing import sha256
from truthmark.storage import kubo
from truthmark.storage.kubo import KuboStore

pytestmark = pytest.mark.filterwarnings("ignore:The 'strict' parameter is no longer")

BLOCK = b"a block"
CID_ = leaf_cid(BLOCK)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubo, "_PAUSE_SECONDS", 0.01)


def store_at(server: ScriptedServer, timeout: float = 2.0) -> KuboStore:
    return KuboStore(f"/ip4/127.0.0.1/tcp/{server.port}", timeout=timeout)


def says(value: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def disputes(message: str) -> Reply:
    return says({"Message": message, "Code": 0, "Type": "error"}, status=500)


def test_put__options_on_the_wire__those_that_give_our_cids() -> None:
    data = random.Random(1).randbytes(9000)
    cid = leaf_cid(data)
    with ScriptedServer(lambda _: says({"Hash": str(cid)})) as server, store_at(server) as store:
        assert store.put(data, chunk=65536, pin=False) == cid
    (request,) = server.requests
    assert request.path == "/api/v0/add"
    options = {name: values[0] for name, values in request.query.items()}
    wanted = {
        "cid-version": "1",
        "raw-leaves": "true",
        "chunker": "size-65536",
        "max-file-links": "1024",
        "pin": "false",
    }
    assert options.items() >= wanted.items()
    assert data in request.body


def test_put__daemon_gives_another_cid__refused() -> None:
    with (
        ScriptedServer(lambda _: says({"Hash": str(CID_)})) as server,
        store_at(server) as store,
        pytest.raises(BlockMismatchError, match=r"use Kubo 0\.40"),
    ):
        store.put(b"something else")


def test_read_block__wrong_bytes__refused() -> None:
    with (
        ScriptedServer(lambda _: Reply(body=b"A block")) as server,
        store_at(server) as store,
        pytest.raises(BlockMismatchError),
    ):
        store.read_block(CID_)


def test_read_block__more_than_two_mib__cut_off() -> None:
    with (
        ScriptedServer(lambda _: Reply(body=bytes(8 << 20))) as server,
        store_at(server) as store,
        pytest.raises(LimitError, match="more than 2097152 bytes"),
    ):
        store.read_block(CID_)


@pytest.mark.parametrize(
    "message",
    [
        "block was not found locally (offline): ipld: could not find bafk",
        "merkledag: not found",
        "context deadline exceeded",
    ],
)
def test_read_block__daemon_lacks_it__not_found(message: str) -> None:
    with (
        ScriptedServer(lambda _: disputes(message)) as server,
        store_at(server) as store,
        pytest.raises(BlockNotFoundError, match=str(CID_)),
    ):
        store.read_block(CID_)
    assert len(server.requests) == 1


def test_read_block__daemon_stumbles__asked_again() -> None:
    def third_time(request: Request) -> Reply:
        return Reply(body=BLOCK) if len(server.requests) == 3 else Reply(502, b"<html>bad gateway")

    with ScriptedServer(third_time) as server, store_at(server) as store:
        assert store.read_block(CID_) == BLOCK


def test_read_block__no_daemon__one_line_that_says_what_to_do() -> None:
    with (
        KuboStore("/ip4/127.0.0.1/tcp/9", timeout=2) as store,
        pytest.raises(StorageUnavailableError, match=r"refused.*start it with `ipfs daemon`") as e,
    ):
        store.read_block(CID_)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "addr", ["", "127.0.0.1:5001", "/ip4/127.0.0.1", "http://x", "/ip4/1/tcp/5"]
)
def test_kubo_store__no_multiaddress__refused(addr: str) -> None:
    with pytest.raises(ConfigError, match="is not an address of a Kubo API"):
        KuboStore(addr)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b'{"Hash":', b"\xff\xfe"])
@pytest.mark.parametrize("call", ["pins", "put"])
def test_any__answer_is_no_kubo_answer__said_so(call: str, body: bytes) -> None:
    with ScriptedServer(lambda _: Reply(body=body)) as server, store_at(server, 0.2) as store:
        with pytest.raises(StorageError) as refused:
            getattr(store, call)(*([b"data"] if call == "put" else []))
        assert "\n" not in str(refused.value)


def test_pin__nothing_new_arrives__given_up() -> None:
    lines = b'{"Progress":3}\n' * 3

    def stuck(request: Request) -> Reply:
        return Reply(body=lines)

    with (
        ScriptedServer(stuck) as server,
        store_at(server) as store,
        pytest.raises(StorageUnavailableError, match="stopped before"),
    ):
        store.pin(CID_)


def test_pin__error_in_the_stream__raised() -> None:
    line = json.dumps({"Message": "pin: out of space", "Type": "error"}).encode()
    with (
        ScriptedServer(lambda _: Reply(body=b'{"Progress":1}\n' + line)) as server,
        store_at(server) as store,
        pytest.raises(StorageError, match="out of space"),
    ):
        store.pin(CID_)


def test_unpin__not_pinned__harmless_but_other_errors_raised() -> None:
    with ScriptedServer(lambda _: disputes("not pinned or pinned indirectly")) as server:
        store_at(server).unpin(CID_)
    with (
        ScriptedServer(lambda _: disputes("disk on fire")) as server,
        pytest.raises(StorageError, match="disk on fire"),
    ):
        store_at(server).unpin(CID_)


def test_pins__other_kinds_of_trees__left_out() -> None:
    mine = sorted([str(CID_), str(node_cid(b"x"))])
    keys = {text: {"Type": "recursive"} for text in [*mine, "QmOld", "bafyreigh2akiscaildcqabsyg3"]}
    with ScriptedServer(lambda _: says({"Keys": keys})) as server, store_at(server) as store:
        assert [str(cid) for cid in store.pins()] == mine
    with ScriptedServer(lambda _: says({"Keys": None})) as server, store_at(server) as store:
        assert store.pins() == []


def test_put_block__daemon_gives_another_key__refused() -> None:
    with (
        ScriptedServer(lambda _: says({"Key": str(CID(0x70, sha256(BLOCK)))})) as server,
        store_at(server) as store,
        pytest.raises(BlockMismatchError),
    ):
        store.put_block(CID_, BLOCK)
