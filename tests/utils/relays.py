# SPDX-License-Identifier: Apache-2.0
"""A relay over HTTP within the process, and a small team's bounty for it."""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from truthmark.bounty import messages
from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.document import Document, LabelClass
from truthmark.bounty.items import DATA_NAME, MANIFEST_NAME, Item, ItemsWriter
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.labeler import SignedCommit
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.relay_models import CommitRequest, JoinRequest, JoinState, Offer
from truthmark.bounty.roster import Roster, Row
from truthmark.bounty.sealing import seal
from truthmark.bounty.terms import Terms
from truthmark.config.units import to_checksum_address
from truthmark.errors import BountyError, RelayError
from truthmark.keys import typed
from truthmark.keys.curve import address_of, multiply
from truthmark.node.relay.api import create_app
from truthmark.node.relay.policy import RelayPolicy
from truthmark.node.relay.relay import Relay
from truthmark.node.relay.server import AppServer
from truthmark.node.relay.store import RelayStore
from truthmark.node.relay.views import View
from truthmark.web.rates import Rates

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


def commit_request(signed: SignedCommit) -> CommitRequest:
    """Return what a labeler tells the relay of their signed labels."""
    return CommitRequest(
        worker=signed.commit.worker,
        seats=signed.commit.seats,
        commitment=signed.commit.commitment,
        signature=signed.signature,
    )


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


class PaperChain:
    """A chain on which no account is a contract."""

    def code(self, account: str) -> bytes:
        return b""

    def balance(self, account: str) -> int:
        return 10**18


class PaperViews:
    """What a relay would see of a chain, as a test says it is."""

    def __init__(self, board: str) -> None:
        self.client = SimpleNamespace(board=SimpleNamespace(address=board))
        self.block = SimpleNamespace(timestamp=1_000, number=10)
        self.views: dict[int, View] = {}

    def refresh(self) -> Any:
        return self.block

    def get(self, bounty_id: int) -> View:
        if bounty_id not in self.views:
            raise BountyError(f"there is no bounty {bounty_id}; look for its number again")
        return self.views[bounty_id]


OWNER_KEY = b"\x0a" * 32
OWNER = to_checksum_address(address_of(multiply(int.from_bytes(OWNER_KEY, "big"))))
ACCOUNT = "0x" + "33" * 20
BOARD = to_checksum_address("0x" + "b0" * 20)
SEED = b"\x5d" * 32


class PaperDesk(Desk):
    """A relay without a chain, with one bounty; the test says how that stands.

    Args:
        folder: For everything.
        url: Of the database; SQLite in the folder if not given.
        policy: Of its operator, beside the usual.
        fixed: Terms.
    """

    def __init__(
        self,
        folder: Path,
        *,
        url: str | None = None,
        policy: dict[str, Any] | None = None,
        rates: Rates | None = None,
        **fixed: Any,
    ) -> None:
        self.papers = make_papers(folder / "papers")
        self.seed = SEED
        given = {"requester": OWNER, "relay": ACCOUNT, "receiver": OWNER, "token": ACCOUNT}
        terms = team_terms(self.papers.document, **(given | fixed))
        session: Any = SimpleNamespace(
            address=to_checksum_address(ACCOUNT),
            profile=SimpleNamespace(chain_id=31337),
            chain=PaperChain(),
        )
        known: dict[str, Any] = {"margin_seconds": 10, "requesters": frozenset({OWNER})}
        self.views = PaperViews(BOARD)
        relay = Relay(
            session,
            RelayStore(url or f"sqlite:///{folder}/relay.sqlite", "paper"),
            folder / "relay",
            RelayPolicy(**(known | (policy or {}))),
            cast(Any, self.views),
        )
        ref = BountyRef(31337, BOARD, 7)
        super().__init__(
            relay, client_of(relay, rates), ref, terms, lambda m: typed.sign(m, OWNER_KEY)
        )
        self.show(Status.OPEN)

    def show(
        self,
        status: Status,
        *,
        workers: int = 0,
        commits: Sequence[Sequence[Commit]] = (),
        overrides: Sequence[Commit] = (),
        is_final: bool = True,
    ) -> Record:
        """Say how the bounty stands: so many of the first signers with four seats, the last two."""
        rows = [Row(SIGNERS[n], PAYEES[n], 4 if n < 2 else 2) for n in range(workers)]
        record = Record(
            ref=self.ref,
            terms=self.terms,
            seed=self.seed if status >= Status.LABEL else bytes(32),
            roster=Roster([rows]),
            commits=Commits(commits, overrides),
            posted=frozenset(),
            status=status,
        )
        sent = tuple((f"0x{n:064x}", n) for n in range(len(commits)))
        final = record if is_final else None
        self.views.views[7] = View(record, final, 1_000, sent, 5)
        return record

    def sign_commit(self, worker: int, commitment: bytes, seats: int = 4) -> CommitRequest:
        """Return a worker's signed commit."""
        message = messages.commit(
            self.ref, self.terms.hash, self.seed, worker=worker, seats=seats, commitment=commitment
        )
        signature = typed.sign(message, KEYS[worker])
        return CommitRequest(worker=worker, seats=seats, commitment=commitment, signature=signature)

    def sealed(self, worker: int, seats: int = 4) -> LabelFile:
        """Return a worker's label file."""
        record = self.views.views[7].record
        codes = np.ones(seats * BATCH, np.uint8)
        secret = 77 + worker + self.seed[0]
        run = seal(record.scheme(worker), secret=secret, key=self.terms.key, codes=codes)
        return LabelFile(self.ref, worker, seats, run)


def refused(status: int, says: str) -> Any:
    """Expect a relay to refuse with a status and a reason."""
    return pytest.raises(RelayError, match=says, check=lambda error: error.status == status)
