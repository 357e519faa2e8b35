# SPDX-License-Identifier: Apache-2.0
"""Gateways: whom they are asked after, what is refused; and the small gateway of our own."""

import gzip
import http.client
from pathlib import Path

import httpx
import pytest

from tests.utils.cars import blocks_of
from tests.utils.dags import leaf_cid
from tests.utils.http_server import Reply, Request, ScriptedServer
from truthmark.cid import EMPTY_CID
from truthmark.errors import (
    BlockMismatchError,
    BlockNotFoundError,
    ConfigError,
    StorageError,
    StorageUnavailableError,
)
from truthmark.storage import LocalStore, gateway, open_storage
from truthmark.storage.gateway import GatewayStore, _seconds
from truthmark.storage.serve import GatewayServer

BLOCK = b"a block"
CID_ = leaf_cid(BLOCK)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "_PAUSE_SECONDS", 0.01)


def right(request: Request) -> Reply:
    return Reply(body=BLOCK)


def wrong(request: Request) -> Reply:
    return Reply(body=b"A block")


def absent(request: Request) -> Reply:
    return Reply(404, b"no")


def test_read_block__asks_as_the_specification_says() -> None:
    with ScriptedServer(right) as server, GatewayStore([server.url + "/ipfs/"]) as store:
        assert store.read_block(CID_) == BLOCK
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", f"/ipfs/{CID_}")
    assert request.query == {"format": ["raw"]}
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["accept"] == "application/vnd.ipld.raw"
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("bad", [wrong, absent, lambda _: Reply(500), lambda _: Reply(302)])
def test_read_block__first_gateway_bad__second_serves(bad) -> None:
    with (
        ScriptedServer(bad) as first,
        ScriptedServer(right) as second,
        GatewayStore([first.url, second.url]) as store,
    ):
        assert store.read_block(CID_) == BLOCK


def test_read_block__gateway_failed_before__asked_last() -> None:
    with (
        ScriptedServer(wrong) as first,
        ScriptedServer(right) as second,
        GatewayStore([first.url, second.url]) as store,
    ):
        for _ in range(5):
            store.read_block(CID_)
    assert (len(first.requests), len(second.requests)) == (1, 5)


def test_read_block__all_lack_it__not_found_at_once() -> None:
    with (
        ScriptedServer(absent) as first,
        ScriptedServer(absent) as second,
        GatewayStore([first.url, second.url]) as store,
        pytest.raises(BlockNotFoundError, match="none has block"),
    ):
        store.read_block(CID_)
    assert len(first.requests) == len(second.requests) == 1


def test_read_block__all_lie__mismatch() -> None:
    with (
        ScriptedServer(wrong) as server,
        GatewayStore([server.url]) as store,
        pytest.raises(BlockMismatchError, match="wrong bytes"),
    ):
        store.read_block(CID_)


def test_read_block__too_many_requests__waits_as_asked_and_repeats() -> None:
    def busy_twice(request: Request) -> Reply:
        return right(request) if len(server.requests) > 2 else Reply(429, b"", {"Retry-After": "0"})

    with ScriptedServer(busy_twice) as server, GatewayStore([server.url]) as store:
        assert store.read_block(CID_) == BLOCK
    assert len(server.requests) == 3


@pytest.mark.parametrize("location", ["/ipfs/moved?format=raw", "{url}/ipfs/moved?format=raw"])
def test_read_block__redirect_on_same_host__followed(location: str) -> None:
    def moved(request: Request) -> Reply:
        if request.path.endswith("moved"):
            return right(request)
        return Reply(301, b"", {"Location": location.format(url=server.url)})

    with ScriptedServer(moved) as server, GatewayStore([server.url]) as store:
        assert store.read_block(CID_) == BLOCK


def test_read_block__redirect_elsewhere__refused_unasked() -> None:
    with ScriptedServer(right) as elsewhere:
        script = lambda _: Reply(302, b"", {"Location": f"{elsewhere.url}/ipfs/{CID_}"})  # noqa: E731
        with (
            ScriptedServer(script) as server,
            GatewayStore([server.url]) as store,
            pytest.raises(StorageUnavailableError, match="another host"),
        ):
            store.read_block(CID_)
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "location", ["http://[", "file:///etc/passwd", "//127.0.0.1:1/", "?format=raw"]
)
def test_read_block__redirect_astray__refused(location: str) -> None:
    script = lambda _: Reply(302, b"", {"Location": location})  # noqa: E731
    with (
        ScriptedServer(script) as server,
        GatewayStore([server.url], timeout=2) as store,
        pytest.raises(StorageUnavailableError),
    ):
        store.read_block(CID_)


def test_read_block__compressed_although_forbidden__not_unpacked() -> None:
    body = gzip.compress(bytes(1 << 20))
    script = lambda _: Reply(200, body, {"Content-Encoding": "gzip"})  # noqa: E731
    with (
        ScriptedServer(script) as server,
        GatewayStore([server.url], timeout=2) as store,
        pytest.raises(BlockMismatchError),
    ):
        store.read_block(leaf_cid(bytes(1 << 20)))


def test_read_block__over_two_mib__refused() -> None:
    body = bytes((2 << 20) + 1)
    with (
        ScriptedServer(lambda _: Reply(200, body)) as server,
        GatewayStore([server.url]) as store,
        pytest.raises(StorageError, match="announces 2097153 bytes"),
    ):
        store.read_block(leaf_cid(body))


@pytest.mark.parametrize("url", ["", "ftp://host", "host:8080", "http://", "http://host/?x=1"])
def test_gateway_store__no_http_url__refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is not a gateway"):
        GatewayStore([url])


def test_gateway_store__closed__says_so() -> None:
    store = GatewayStore(["http://127.0.0.1:9"])
    store.close()
    store.close()
    with pytest.raises(StorageUnavailableError, match="was closed"):
        store.read_block(CID_)


@pytest.mark.parametrize("call", ["put", "put_block", "pin", "unpin"])
def test_gateway_store__writing__refused(call: str) -> None:
    arguments = {"put": (BLOCK,), "put_block": (CID_, BLOCK)}.get(call, (CID_,))
    with (
        GatewayStore(["http://127.0.0.1:9"]) as store,
        pytest.raises(StorageError, match="only reads; add a local"),
    ):
        getattr(store, call)(*arguments)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("", 0), ("7", 7), ("soon", 0), ("-3", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_seconds__any_header__never_negative(header: str | None, seconds: float) -> None:
    assert _seconds(header) == seconds


# ---------------------------------------------------------------------- our own gateway


def test_gateway_server__raw_and_car__served_with_what_the_specification_wants(
    tmp_path: Path,
) -> None:
    local = LocalStore(tmp_path / "store")
    cid = local.put(bytes(range(256)) * 64, chunk=4096)
    with GatewayServer(local) as server, httpx.Client(base_url=server.url) as client:
        by_query = client.get(f"/ipfs/{cid}?format=raw")
        by_header = client.get(f"/ipfs/{cid}", headers={"Accept": "application/vnd.ipld.raw"})
        head = client.head(f"/ipfs/{cid}?format=raw")
        car = client.get(f"/ipfs/{cid}?format=car")
    assert by_query.content == by_header.content == local.read_block(cid)
    assert head.headers["Content-Length"] == str(len(by_query.content))
    assert by_query.headers["Etag"] == f'"{cid}.raw"'
    assert by_query.headers["X-Content-Type-Options"] == "nosniff"
    assert blocks_of(car.content, cid) == list(local.blocks(cid))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/ipfs/{CID_}?format=raw", 404),
        (f"/ipfs/{CID_}?format=car", 404),
        (f"/ipfs/{EMPTY_CID}", 406),
        (f"/ipfs/{EMPTY_CID}?format=html", 406),
        (f"/ipns/{EMPTY_CID}?format=raw", 406),
        ("/ipfs/../../etc/passwd?format=raw", 400),
        ("/ipfs/QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n?format=raw", 400),
        ("/?format=raw", 400),
        ("/ipfs/%00?format=raw", 400),
    ],
)
def test_gateway_server__what_it_lacks_or_does_not_do__refused(
    tmp_path: Path, path: str, status: int
) -> None:
    with GatewayServer(LocalStore(tmp_path / "store")) as server:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=120)
        connection.request("GET", path)
        assert connection.getresponse().status == status
        connection.close()


def test_gateway_server__block_damaged__not_served(tmp_path: Path) -> None:
    local = LocalStore(tmp_path / "store")
    cid = local.put(BLOCK)
    (tmp_path / "store" / "blocks" / str(cid)[-3:-1] / str(cid)).write_bytes(b"A block")
    with GatewayServer(local) as server:
        assert httpx.get(f"{server.url}/ipfs/{cid}?format=raw").status_code == 500


def test_gateway_server__port_taken__says_so(tmp_path: Path) -> None:
    local = LocalStore(tmp_path / "store")
    with GatewayServer(local) as server, pytest.raises(StorageError, match="another port"):
        GatewayServer(local, port=int(server.url.rsplit(":", 1)[1]))


def test_open_storage__gateways__joined_into_one() -> None:
    with open_storage(["gateway:http://127.0.0.1:1", "gateway:http://127.0.0.1:2"]) as store:
        assert store.name == "gateway:http://127.0.0.1:1,http://127.0.0.1:2"
