# SPDX-License-Identifier: Apache-2.0
"""What a relay refuses of those who lie to it, or ask too much; without a chain."""

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.utils.relays import (
    KEYS,
    PAYEES,
    SECRET,
    SIGNERS,
    PaperDesk,
    join_request,
    refused,
)
from tests.utils.waiting import wait_for
from truthmark.bounty.payouts import Status
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.relay_models import (
    Invitation,
    Invited,
    Offer,
    code_hash,
)
from truthmark.bounty.terms import Terms
from truthmark.errors import (
    BountyError,
    ConfigError,
    IntegrityError,
    RelayUnavailableError,
)
from truthmark.keys import typed
from truthmark.node.relay import limits
from truthmark.web.rates import Rates

# ------------------------------------------------------------------------------ offers


def test_offer__not_the_requester_or_another_relay__is_refused(tmp_path: Path) -> None:
    desk = PaperDesk(tmp_path)
    with refused(403, "requester of the terms has not signed"):
        desk.client.offer(
            desk.ref, desk.terms.hash, Offer(number=1), lambda m: typed.sign(m, KEYS[0])
        )
    with refused(404, "there is no bounty 8"):
        desk.client.offer(
            replace(desk.ref, bounty_id=8), desk.terms.hash, Offer(number=1), desk.sign
        )
    with refused(409, "other terms"):
        desk.client.offer(desk.ref, bytes(32), Offer(number=1), desk.sign)
    desk.terms = replace(desk.terms, relay=PAYEES[0])
    desk.show(Status.OPEN)
    with refused(403, "name another relay"):
        desk.offer()
    with refused(404, "not served here"):
        desk.client.status(7)
    assert desk.client.bounties() == []


def test_relay__not_offered_yet__others_wait_and_the_requester_is_to_offer(tmp_path: Path) -> None:
    desk = PaperDesk(tmp_path)
    asks: list[Callable[[], Any]] = [
        lambda: desk.client.status(7),
        lambda: desk.join(0),
        lambda: desk.client.document(7, desk.terms),
        lambda: desk.client.acknowledgement(7, 0),
    ]
    for ask in asks:
        with refused(503, "not offered to this relay yet") as caught:
            ask()
        assert isinstance(caught.value, RelayUnavailableError)
    with refused(404, "not served here; its requester offers it"):
        desk.client.files(7)
    with refused(404, "there is no bounty 8"):
        desk.client.status(8)
    desk.offer()
    assert desk.join(0).state == "waiting" and desk.client.files(7) == []


def test_relay__never_offered_and_never_will_be__is_not_waited_for(tmp_path: Path) -> None:
    ended = PaperDesk(tmp_path / "ended")
    ended.show(Status.REFUNDED)
    watcher = PaperDesk(tmp_path / "watcher", policy={"relays": False, "watches": True})
    for desk in (ended, watcher):
        with refused(404, "not served here; look for its relay"):
            desk.client.status(7)


def test_offer__stranger__pays_the_least_fee_in_a_token_that_is_taken(tmp_path: Path) -> None:
    desk = PaperDesk(tmp_path, policy={"requesters": frozenset()})
    with refused(403, "strangers who pay in this token"):
        desk.offer()
    desk = PaperDesk(
        tmp_path / "b", policy={"requesters": frozenset(), "min_fees": {desk.terms.token: 11}}
    )
    with refused(403, "fee of 11 a worker"):
        desk.offer()
    assert not desk.client.info(desk.terms.requester).knows_requester
    assert desk.client.info(desk.relay.account).knows_requester
    assert not desk.client.info().knows_requester
    desk.relay.policy.min_fees[desk.terms.token] = 10
    desk.offer()
    assert desk.client.status(7).phase == "joining"


def test_offer__earlier_number__does_not_take_back_a_later_one(desk: PaperDesk) -> None:
    first = Offer(number=1, items_secret=SECRET)
    desk.offer(webhooks=["https://one.example/hook"])
    with refused(409, "a later offer"):
        desk.client.offer(desk.ref, desk.terms.hash, first, desk.sign)
    with refused(409, "another offer has this number"):
        desk.client.offer(desk.ref, desk.terms.hash, replace_offer(number=2), desk.sign)
    assert desk.relay.store.served(7).offer.number == 2  # type: ignore[union-attr]


def replace_offer(**fixed: Any) -> Offer:
    return Offer(**({"number": 1} | fixed))


def test_upload__no_token_or_other_bytes__is_refused_and_nothing_kept(tmp_path: Path) -> None:
    desk = PaperDesk(tmp_path)
    desk.offer()
    with refused(409, "the document comes first"):
        desk.client.put_manifest(7, desk.papers.manifest)
    stranger = RelayClient(desk.client.url)
    stranger._tokens[7] = "x" * 32
    with refused(403, "only with the token"):
        stranger.put_document(7, desk.papers.document)
    reply = httpx.put(f"{desk.client.url}/v1/bounties/7/document", content=b"{}")
    assert reply.status_code == 403
    with refused(400, "not the document that the terms name"):
        desk.client.put_document(7, replace(desk.papers.document, title="Another one"))
    desk.client.put_document(7, desk.papers.document)
    wrong = tmp_path / "wrong"
    wrong.write_bytes(bytes(len(desk.papers.manifest.read_bytes())))
    with refused(400, "not the manifest that the document names"):
        desk.client.put_manifest(7, wrong)
    desk.client.put_manifest(7, desk.papers.manifest)
    data = desk.papers.data.read_bytes()
    for body, status, says in (
        (data[:-1], 400, "not the data"),
        (data + b"\0", 413, "has at most"),
        (b"", 400, "not the data"),
    ):
        wrong.write_bytes(body)
        with refused(status, says):
            desk.client.put_data(7, wrong)
    with refused(404, "the data is not here yet"):
        desk.client.read_data(7, 0, 4)
    with refused(404, "not brought the items yet"):
        desk.client.item(7, 0, desk.client.items(7, desk.papers.document))
    desk.client.put_data(7, desk.papers.data)
    names = {path.name for path in (tmp_path / "relay").rglob("*") if path.is_file()}
    assert names == {"document.json", "manifest.tmki", "items.tmkd"}


@pytest.mark.parametrize("then", ["goes", "waits"])
def test_upload__breaks_off_or_stalls__leaves_nothing_and_may_come_again(
    then: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_BODY_SECONDS", 0.3)
    desk = PaperDesk(tmp_path)
    desk.offer()
    desk.client.put_document(7, desk.papers.document)
    path = desk.relay.papers.path(7, desk.terms, "manifest")
    size = desk.papers.manifest.stat().st_size
    head = (
        "PUT /v1/bounties/7/manifest HTTP/1.1\r\nHost: x\r\n"
        f"Content-Length: {size}\r\nAuthorization: Bearer {desk.client._tokens[7]}\r\n\r\n"
    )
    host, port = desk.client.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as stranger:
        stranger.sendall(head.encode() + b"half")
        wait_for(lambda: list(path.parent.glob(".*.partial")), "the upload's begin")
        with refused(409, "being brought already"):
            desk.client.put_manifest(7, desk.papers.manifest)
        if then == "waits":
            assert stranger.recv(12) == b"HTTP/1.1 408"
    wait_for(lambda: not list(path.parent.glob(".*.partial")), "the upload's end")
    wait_for(lambda: not desk.relay.papers._busy, "the upload's end")
    desk.client.put_manifest(7, desk.papers.manifest)
    assert path.read_bytes() == desk.papers.manifest.read_bytes()


def test_upload__more_than_the_operator_allows__is_refused(tmp_path: Path) -> None:
    desk = PaperDesk(tmp_path, policy={"max_bytes": 100})
    desk.offer()
    desk.client.put_document(7, desk.papers.document)
    desk.client.put_manifest(7, desk.papers.manifest)
    with refused(400, "this relay takes 100"):
        desk.client.put_data(7, desk.papers.data)


def test_items__by_number_and_by_range__are_those_of_the_requester(
    desk: PaperDesk, tmp_path: Path
) -> None:
    client, document = desk.client, desk.papers.document
    items = client.items(7, document)
    assert items.example(0).text == "an example"
    stored = client.item(7, 5, items)
    assert stored == items.stored(5)
    with refused(404, "there is no item 41"):
        client._bytes("/bounties/7/items/41", 100)
    data = desk.papers.data.read_bytes()
    assert client.read_data(7, 0, len(data)) == data
    assert client.document(7, desk.terms) == document
    path = desk.relay.papers.path(7, desk.terms, "data")
    path.write_bytes(bytes(path.stat().st_size))  # a relay that lies
    with pytest.raises(IntegrityError):
        client.item(7, 5, items)


# ------------------------------------------------------------------------------ joining


def test_terms__asked_for_by_a_page__are_those_whose_hash_the_board_keeps(desk: PaperDesk) -> None:
    reply = httpx.get(f"{desk.client.url}/v1/bounties/7/terms")
    assert Terms.from_texts(reply.json()) == desk.terms
    assert httpx.get(f"{desk.client.url}/v1/bounties/8/terms").status_code == 404


def test_page__served_by_a_relay__may_be_asked_by_pages_of_other_servers(desk: PaperDesk) -> None:
    url, asker = desk.client.url, {"Origin": "https://page.example"}
    assert httpx.get(f"{url}/label/7").headers["content-type"].startswith("text/html")
    preflight = asker | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    allowed = httpx.options(f"{url}/v1/bounties/7/joins", headers=preflight).headers
    assert allowed["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in allowed
    for name, value in (("Method", "DELETE"), ("Headers", "authorization")):
        refused_one = preflight | {f"Access-Control-Request-{name}": value}
        assert httpx.options(f"{url}/rpc", headers=refused_one).status_code == 400


def test_join__forged_or_below_the_terms__is_refused(desk: PaperDesk) -> None:
    good = join_request(desk.ref, desk.terms, 0)
    for change, status, says in (
        ({"payee": PAYEES[1]}, 403, "not signed by its signer"),
        ({"signer": SIGNERS[1]}, 403, "not signed by its signer"),
        ({"seats": 3}, 403, "not signed by its signer"),
        ({"seats": 1}, 400, "at least 2 seats"),
        ({"payee": "0x" + "00" * 20}, 400, "not zero"),
        ({"signer": "0x" + "00" * 20}, 400, "not zero"),
    ):
        with refused(status, says):
            desk.client.join(7, good.model_copy(update=change))
    assert desk.client.status(7).waiting == 0
    desk.views.block.timestamp = 1_000 + 3_600
    with refused(409, "joining is over"):
        desk.client.join(7, good)


def test_join__many_times_by_one__is_one_row(desk: PaperDesk) -> None:
    wishes = {n: join_request(desk.ref, desk.terms, 0, seats=n) for n in (2, 3, 4)}
    for seats in (4, 4, 3, 2) * 50:
        if seats == 4:
            assert desk.relay.join(7, wishes[seats]).state == "waiting"
        else:
            with pytest.raises(BountyError, match="asked for other seats before"):
                desk.relay.join(7, wishes[seats])
    assert desk.client.status(7).waiting == 1


def test_join__short_window__waits_an_eighth_of_it_at_most(tmp_path: Path) -> None:
    desk = PaperDesk(tmp_path, join_seconds=80, label_seconds=4)
    desk.offer()
    assert desk.join(0).enrolls_by == 1_010
    desk.papers.bring(desk.client, 7)  # whose document says a minute
    assert desk.join(1).enrolls_by == 1_010
    desk.show(Status.LABEL, workers=3)
    assert desk.client.commit(7, desk.sign_commit(0, b"\x01" * 32)).posts_by == 1_001


def test_join__more_than_there_are_seats__is_refused(desk: PaperDesk) -> None:
    for who, seats in enumerate((4, 4, 4)):
        desk.join(who, seats=seats)
    assert desk.client.status(7).taken == 10
    with refused(409, "all seats are taken"):
        desk.join(3)


def test_join__invitations__first_key_keeps_a_code_until_it_is_taken_back(desk: PaperDesk) -> None:
    invitation = Invitation(code_hash=code_hash("a-secret-code"), name="Ann")
    desk.offer(invitations=[invitation], invited=[Invited(account=SIGNERS[5], name="Bob")])
    with refused(403, "whom the requester invited"):
        desk.join(0)
    with refused(403, "not known here"):
        desk.join(0, code="a-secret-cod")
    assert desk.join(0, code="a-secret-code").state == "waiting"
    with refused(403, "used by another key"):
        desk.join(1, code="a-secret-code")
    desk.join(5)
    assert desk.client.status(7).is_invited_only
    with refused(403, "only with the token"):
        stranger = RelayClient(desk.client.url)
        stranger._tokens[7] = "x"
        stranger.joined(7)
    desk.offer(invitations=[Invitation(code_hash=code_hash("another-code"))])
    assert desk.client.join_state(7, SIGNERS[0]).state == "removed"
    assert desk.join(0, code="another-code").state == "waiting"


# ------------------------------------------------------------------------------ limits, client


def test_relay__bad_requests__are_refused_with_a_reason(desk: PaperDesk) -> None:
    url = f"{desk.client.url}/v1"
    for method, path, body, status in (
        ("GET", "/nothing", b"", 404),
        ("DELETE", "/bounties/7", b"", 405),
        ("POST", "/bounties/7/joins", b"{", 422),
        ("POST", "/bounties/7/joins", b"[]", 422),
        ("POST", "/bounties/7/joins", b"\xff\xfe", 422),
        ("POST", "/bounties/7/joins", b"[" * 60_000, 422),
        ("POST", "/bounties/7/joins", b'"' + b"x" * 70_000 + b'"', 413),
        ("PUT", "/bounties/7", b"x" * (6 << 20), 413),
        ("GET", "/bounties/0", b"", 422),
        ("GET", f"/bounties/{2**63}", b"", 422),
        ("GET", "/bounties/x", b"", 422),
        ("GET", "/bounties/7/joins/0x1", b"", 422),
        ("GET", "/bounties/7/files/5000", b"", 422),
    ):
        reply = httpx.request(method, url + path, content=body)
        assert (reply.status_code, path) == (status, path)
        assert reply.json()["error"]


def test_relay__asked_too_often__refuses_that_address_alone() -> None:
    now = [0.0]
    rates = Rates(10, 1, lambda: now[0])
    assert all(rates.spend("1.2.3.4", 1) for _ in range(10))
    assert not rates.spend("1.2.3.4", 1)
    assert rates.spend("1.2.3.5", 1)
    now[0] = 3.0
    assert [rates.spend("1.2.3.4", 1) for _ in range(4)] == [True, True, True, False]
    assert all(rates.spend(f"2001:db8::{n}", 1) for n in range(10))
    assert not rates.spend("2001:db8::ffff", 1)  # of the same network
    assert rates.spend("2001:db8:0:1::1", 1)
    assert not rates.spend("not an address", 11)


def test_relay__burst_over_http__says_so(tmp_path: Path) -> None:
    desk = PaperDesk(tmp_path, rates=Rates(3, 0.001))
    for _ in range(3):
        desk.client.bounties()
    with pytest.raises(RelayUnavailableError, match="asked too often"):
        desk.client.bounties()


def test_relay_client__no_relay_or_an_open_way__is_told(desk: PaperDesk) -> None:
    for url in ("ftp://x", "http://", "nothing", "http://[::1", "http://x/?a=1"):
        with pytest.raises(ConfigError, match="no address of a relay"):
            RelayClient(url)
    with pytest.raises(RelayUnavailableError, match="does not answer"):
        RelayClient("http://127.0.0.1:9").info()
    with pytest.raises(ConfigError, match="use its https"):
        RelayClient("http://relay.example").offer(
            desk.ref, desk.terms.hash, Offer(number=1), desk.sign
        )
    with pytest.raises(BountyError, match="offer the bounty to the relay first"):
        RelayClient(desk.client.url).joined(7)
    assert desk.client.info().roles == ["relay"]
