# SPDX-License-Identifier: Apache-2.0
"""A relay over HTTP within the process, and a small team's bounty for it."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from truthmark.bounty import messages
from truthmark.bounty.document import Document, LabelClass
from truthmark.bounty.items import DATA_NAME, MANIFEST_NAME, Item, ItemsWriter
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.relay_models import JoinRequest, JoinState, Offer
from truthmark.bounty.terms import Terms
from truthmark.config.units import to_checksum_address
from truthmark.keys import typed
from truthmark.keys.curve import address_of, multiply
from truthmark.node.relay.api import create_app
from truthmark.node.relay.limits import Rates
from truthmark.node.relay.relay import Relay
from truthmark.node.relay.server import AppServer

ITEMS = 40
BATCH = 4
SECRET = b"\x5e" * 32
KEYS = [bytes([n]) * 32 for n in range(1, 12)]
SIGNERS = [to_checksum_address(address_of(multiply(int.from_bytes(key, "big")))) for key in KEYS]
PAYEES = [f"0x{0xF0 + n:02X}" + "11" * 19 for n in range(11)]


def client_of(relay: Relay, rates: Rates | None = None) -> RelayClient:
    """Serve a relay at a free port, until nobody holds its client any more."""
    server = AppServer(create_app(relay, rates), host="127.0.0.1", port=0)
    client = RelayClient(server.url)
    weakref.finalize(client, server.close)
    return client


@dataclass
class Papers:
    """What a requester brings to a relay."""

    folder: Path
    document: Document
    secret: bytes | None = SECRET

    @property
    def manifest(self) -> Path:
        return self.folder / MANIFEST_NAME

    @property
    def data(self) -> Path:
        return self.folder / DATA_NAME

    def bring(self, relay: RelayClient, bounty_id: int) -> None:
        relay.put_document(bounty_id, self.document)
        relay.put_manifest(bounty_id, self.manifest)
        relay.put_data(bounty_id, self.data)


def make_papers(folder: Path, *, secret: bytes | None = SECRET, **fixed: Any) -> Papers:
    """Write texts, and a document that names them."""
    with ItemsWriter(folder, secret) as writer:
        for number in range(ITEMS):
            writer.add(Item.of_text(f"text {number}"))
        writer.show(Item.of_text("an example"))
        info = writer.finish()
    given: dict[str, Any] = {
        "title": "Is it a cat?",
        "guidelines": "Say what you see.",
        "classes": (LabelClass("cat"), LabelClass("dog")),
        "kind": "text",
        "items": info,
        "licence": "CC0-1.0",
        "post_rows": 32,
        "post_seconds": 60,
    }
    return Papers(folder, Document(**(given | fixed)), secret)


def team_terms(document: Document, **fixed: Any) -> Terms:
    """Return terms of a team's bounty: ten seats of four items, in runs of two to four."""
    key = multiply(0xB0B)
    given: dict[str, Any] = {
        "document": document.hash,
        "salt": b"\x07" * 32,
        "key_x": key.x,
        "key_y": key.y,
        "items": ITEMS,
        "classes": 2,
        "rounds": 1,
        "batch": BATCH,
        "full": 0,
        "min_seats": 4,
        "min_run": 2,
        "max_run": 4,
        "price": 100,
        "relay_fee": 10,
        "post_call_fee": 20,
        "post_worker_fee": 4,
        "post_seat_fee": 3,
        "join_seconds": 3600,
        "label_seconds": 3600,
        "grace_seconds": 600,
        "release_seconds": 600,
        "score_seconds": 3600,
        "challenge_seconds": 3600,
    }
    return Terms(**(given | fixed))


def join_request(
    ref: BountyRef, terms: Terms, who: int, *, seats: int = 4, code: str | None = None
) -> JoinRequest:
    """Return a labeler's signed wish."""
    signer, payee = SIGNERS[who], PAYEES[who]
    message = messages.join(ref, terms.hash, signer=signer, payee=payee, seats=seats)
    signature = typed.sign(message, KEYS[who])
    return JoinRequest(signer=signer, payee=payee, seats=seats, signature=signature, code=code)


@dataclass
class Desk:
    """A bounty that is served, and those who ask for it."""

    relay: Relay
    client: RelayClient
    ref: BountyRef
    terms: Terms
    sign: Callable[[typed.TypedData], bytes]
    numbers: list[int] = field(default_factory=lambda: [0])

    def offer(self, **fixed: Any) -> None:
        self.numbers[0] += 1
        given: dict[str, Any] = {"number": self.numbers[0], "items_secret": SECRET}
        self.client.offer(self.ref, self.terms.hash, Offer(**(given | fixed)), self.sign)

    def join(self, who: int, *, seats: int = 4, code: str | None = None) -> JoinState:
        request = join_request(self.ref, self.terms, who, seats=seats, code=code)
        return self.client.join(self.ref.bounty_id, request)
