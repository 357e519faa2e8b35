# SPDX-License-Identifier: Apache-2.0
"""A client of relays that lie, talk too much, or are none."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.utils.relays import make_papers, team_terms
from truthmark.bounty import relay_client
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_client import MAX_REPLY, RelayClient
from truthmark.bounty.relay_models import Invitation, Offer, code_hash
from truthmark.errors import BountyError, IntegrityError, RelayError, RelayUnavailableError

ACCOUNT = "0x" + "33" * 20
REF = BountyRef(31337, "0x" + "b0" * 20, 7)


def relay_that(answer: Callable[[httpx.Request], httpx.Response]) -> RelayClient:
    http = httpx.Client(transport=httpx.MockTransport(answer))
    return RelayClient("https://relay.example/under/", http=http)


def says(body: Any, status: int = 200) -> RelayClient:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return relay_that(lambda _: httpx.Response(status, content=data))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b"[" * 100_000, {"keys": {"-1": "0x00"}}, {"state": "posted"}],
)
def test_relay__answers_as_none__is_told(body: Any) -> None:
    relay = says(body)
    for ask in (relay.info, lambda: relay.commit_state(7, 0), lambda: relay.status(7)):
        with pytest.raises(RelayError, match="does not answer as a relay"):
            ask()


def test_relay__talks_too_much__is_cut_off() -> None:
    with pytest.raises(RelayError, match="more than was asked for"):
        says(b"x" * (MAX_REPLY + 1)).info()
    with pytest.raises(RelayError, match="more than was asked for"):
        says(b"x" * 11).read_data(7, 0, 10)
    assert says(b"x" * 10).read_data(7, 0, 10) == b"x" * 10
    assert says(b"").read_data(7, 5, 0) == b""


@pytest.mark.parametrize(
    "begins", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"], ids=["head", "body"]
)
def test_relay__answers_a_byte_now_and_then__is_cut_off(
    begins: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_client, "_PATIENCE", 0.3)
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(begins)
            while not over.wait(0.02):
                connection.sendall(b"H")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,), daemon=True)
        thread.start()
        # Each byte ends a silence: without a deadline for all of it this would not return.
        with (
            RelayClient(f"http://127.0.0.1:{listener.getsockname()[1]}") as relay,
            pytest.raises(RelayUnavailableError, match="does not answer"),
        ):
            relay.info()
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "expected", "kind"),
    [
        (409, {"error": "all seats\x1b[2J are taken"}, "all seats.* are taken", RelayError),
        (404, b"not json", "HTTP status 404", RelayError),
        (302, b"", "HTTP status 302", RelayError),
        (503, {"error": "later"}, "later", RelayUnavailableError),
        (429, b"x" * 100_000, "HTTP status 429", RelayUnavailableError),
    ],
)
def test_relay__refuses__is_said_harmlessly(
    status: int, body: Any, expected: str, kind: type[RelayError]
) -> None:
    with pytest.raises(kind, match=expected) as caught:
        says(body, status).info()
    assert caught.value.status == status and "\x1b" not in str(caught.value)
    assert type(caught.value) is kind


def test_relay__shows_other_papers__is_found_out(tmp_path: Path) -> None:
    papers = make_papers(tmp_path / "a")
    terms = team_terms(papers.document, requester=ACCOUNT, relay=ACCOUNT, token=ACCOUNT)
    good = papers.document.to_bytes()
    assert says(good).document(7, terms) == papers.document
    with pytest.raises(BountyError, match="another document"):
        says(replace(papers.document, title="Other").to_bytes()).document(7, terms)
    with pytest.raises(BountyError, match="number of items"):
        says(good).document(7, replace(terms, items=41))
    manifest = papers.manifest.read_bytes()
    with pytest.raises(BountyError, match="another list of items"):
        says(manifest[:-1] + b"x").items(7, papers.document)
    items = says(manifest).items(7, papers.document)
    _, length = items.place(3)
    with pytest.raises(IntegrityError, match="item 3"):
        says(bytes(length)).item(7, 3, items)
    with pytest.raises(RelayError, match="more than was asked for"):
        says(bytes(length + 1)).item(7, 3, items)


def test_offer__hash__is_of_all_its_fields() -> None:
    offer = Offer(
        number=1,
        items_secret=b"\x01" * 32,
        invitations=[Invitation(code_hash=code_hash("a-secret-code"), name="Zoë")],
    )
    hashes = {
        offer.hash,
        offer.model_copy(update={"number": 2}).hash,
        offer.model_copy(update={"items_secret": None}).hash,
        offer.model_copy(update={"invitations": []}).hash,
        offer.model_copy(update={"webhooks": ["https://x.example"]}).hash,
    }
    assert len(hashes) == 5
    assert Offer.model_validate_json(offer.model_dump_json()).hash == offer.hash


def test_put_data__progress__counts_all_bytes(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    got: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/data"):
            got.append(request.read())
            return httpx.Response(204)
        return httpx.Response(200, json={"upload_token": "t" * 32, "missing": ["data"]})

    relay = relay_that(answer)
    relay.offer(REF, bytes(32), Offer(number=1), lambda _: b"s" * 65)
    path = tmp_path / "data"
    path.write_bytes(b"y" * 600_000)
    relay.put_data(7, path, lambda done, total: seen.append((done, total)))
    assert got == [b"y" * 600_000] and seen[-1] == (600_000, 600_000)


def test_relay__many_clients__read_whom_they_trust_once(monkeypatch: pytest.MonkeyPatch) -> None:
    RelayClient("https://one.example").close()
    monkeypatch.setattr(httpx, "create_ssl_context", pytest.fail)
    for number in range(3):
        RelayClient(f"https://{number}.example").close()
