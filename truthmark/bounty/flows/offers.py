# SPDX-License-Identifier: Apache-2.0
"""What bounties offer to labelers: which are open, and all that one should know of each."""

import contextlib
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from truthmark.bounty import labeler, reader
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import Document
from truthmark.bounty.outlook import Outlook, outlook
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.terms import NO_ACCOUNT, Terms
from truthmark.chain.rpc import hex_bytes, hex_int
from truthmark.cid import raw_cid
from truthmark.errors import BountyError, ChainError, StorageError, TruthmarkError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import word
from truthmark.session import is_devnet
from truthmark.waiting import Deadline

if TYPE_CHECKING:
    from truthmark.session import Session

USUAL_SKILL: Final = 0.85
"""How often a careful labeler is right, where nothing better is known of them."""

_READERS: Final = 8
_ADMITS: Final = keccak256(b"admits(uint256,address)")[:4]


@dataclass(frozen=True, slots=True)
class Brief:
    """A bounty, by its terms and the board's few numbers.

    Attributes:
        bounty_id: Its number.
        terms: What was agreed.
        status: How it stands.
        mark: When that began, chain time.
        taken: Seats on the roster.
    """

    bounty_id: int
    terms: Terms
    status: Status
    mark: int
    taken: int

    @property
    def join_until(self) -> int:
        """Last second to be enrolled."""
        return self.mark + self.terms.join_seconds


@dataclass(frozen=True, slots=True)
class Past:
    """What became of a requester's earlier bounties.

    Attributes:
        ended: How many have ended with work done.
        flat: Those of them that ended by silence or by a lie that was proven.
        refunded: How many did not take place.
        paid: To workers, in parts of what they would have got at the full price, over all that
            were paid out; None where none was.
    """

    ended: int
    flat: int
    refunded: int
    paid: float | None


def briefs(client: BountyClient, bounty_ids: Sequence[int] | None = None) -> list[Brief]:
    """Return bounties, the newest first.

    Args:
        client: Who asks.
        bounty_ids: Which; all if not given.

    Raises:
        ChainError: The chain cannot be read.
    """
    follower = client.session.follower
    follower.sync()
    created = {
        int(row.args["bounty_id"]): Terms.from_struct(row.args["terms"]._asdict())
        for row in follower.index.events(reader.BOARD, "BountyCreated")
    }
    wanted = sorted(created if bounty_ids is None else set(bounty_ids) & set(created), reverse=True)
    states = client.session.chain.batch([client.board.functions.state(n) for n in wanted])
    return [
        Brief(number, created[number], Status(state.status), int(state.mark), int(state.seats))
        for number, state in zip(wanted, states, strict=True)
    ]


def open_briefs(client: BountyClient) -> list[Brief]:
    """Return the bounties that can still be joined, those that close first in front.

    Raises:
        ChainError: The chain cannot be read.
    """
    now = client.session.chain.time()
    found = [
        brief
        for brief in briefs(client)
        if brief.status is Status.OPEN
        and now <= brief.join_until
        and brief.taken + brief.terms.min_run <= brief.terms.seats
    ]
    return sorted(found, key=lambda brief: brief.join_until)


def past_of(client: BountyClient, requester: str) -> Past:
    """Return what became of a requester's bounties, by the chain's events."""
    index = client.session.follower.index
    mine = {
        int(row.args["bounty_id"])
        for row in index.events(reader.BOARD, "BountyCreated", requester=requester)
    }
    ends = {
        int(row.args["bounty_id"]): Status(row.args["status"])
        for row in index.events(reader.BOARD, "BountyEnded")
        if int(row.args["bounty_id"]) in mine
    }
    paid = burned = 0
    for row in index.events(reader.BOARD, "PaidOut"):
        if int(row.args["bounty_id"]) in ends:
            paid += int(row.args["paid"])
            burned += int(row.args["burned"])
    refunded = sum(status is Status.REFUNDED for status in ends.values())
    return Past(
        ended=len(ends) - refunded,
        flat=sum(status in (Status.FLAT, Status.PROVEN) for status in ends.values()),
        refunded=refunded,
        # Of FLAT ends, what is paid holds shares of the bond; nothing is burned there.
        paid=paid / (paid + burned) if paid + burned else None,
    )


def find_document(session: "Session", terms: Terms) -> Document | None:
    """Return the document of terms from the configured storage, or None where it is not to be had.

    Raises:
        BountyError: It is there, and contradicts the terms: do not label for them.
    """
    try:
        data = session.storage.read_block(raw_cid(terms.document))
    except StorageError:
        return None
    document = Document.from_bytes(data)
    document.require_fits(terms)
    return document


def find_documents(
    session: "Session", terms: Sequence[Terms], deadline: Deadline
) -> dict[bytes, Document]:
    """Return the documents of many bounties by their hash, those that can be had in time.

    Args:
        session: Whose storage.
        terms: Which documents.
        deadline: When to go on without the rest: requesters may name what nobody has.
    """
    todo: queue.SimpleQueue[Terms] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[bytes, Document | None]] = queue.SimpleQueue()
    for each in terms:
        todo.put(each)

    def work() -> None:
        with contextlib.suppress(queue.Empty):
            while not deadline.is_over:
                wanted = todo.get_nowait()
                found = None
                with contextlib.suppress(TruthmarkError):
                    found = find_document(session, wanted)
                done.put((wanted.document, found))

    # Not a pool: its threads would be waited for at the end of the process.
    for _ in range(min(_READERS, len(terms))):
        threading.Thread(target=work, name="documents", daemon=True).start()
    documents: dict[bytes, Document] = {}
    for _ in terms:
        try:
            digest, document = done.get(timeout=deadline.left)
        except queue.Empty:
            break
        if document is not None:
            documents[digest] = document
    return documents


@dataclass(frozen=True)
class Offer:
    """All that a labeler should know of a bounty.

    Attributes:
        record: What the chain says.
        mark: When its status began, chain time.
        now: Chain time.
        document: What is asked, in words.
        past: What became of the requester's earlier bounties.
        skill: How often the labeler is right, as far as is known.
    """

    record: Record
    mark: int
    now: int
    document: Document
    past: Past
    skill: float = USUAL_SKILL

    @property
    def terms(self) -> Terms:
        """What was agreed."""
        return self.record.terms

    @cached_property
    def outlook(self) -> Outlook:
        """Parts of the full price that the labeler may expect with the smallest run."""
        if self.terms.is_team:
            return Outlook(1.0, 1.0, 1.0)
        return outlook(self.terms, skill=self.skill)

    def hourly(self, seconds_per_item: float | None = None) -> int | None:
        """Return what an hour may bring, in the token's smallest unit; None where nobody knows.

        Args:
            seconds_per_item: What an answer takes; as the document says if not given.
        """
        seconds = seconds_per_item or self.document.seconds_per_item
        if not seconds:
            return None
        return int(self.terms.price * self.outlook.mean * 3_600 / seconds)

    @property
    def doubled(self) -> list[str]:
        """Signers who stand on the roster more than once; nobody should label then."""
        return self.record.roster.doubled_signers()

    @property
    def pay_rule(self) -> str:
        """How one is paid, in a sentence."""
        terms = self.terms
        if terms.is_team:
            return (
                "Everybody whose labels arrive and open is paid the full price; nothing is judged."
            )
        return (
            f"Each of the {terms.classes} answers is worth the same, a skip is a wrong answer,"
            f" guessing pays nothing, {_QUARTERS[terms.full]} of the way from guessing to perfect"
            " pays the full price, and between them it is a straight line."
        )


_QUARTERS: Final = {2: "half", 3: "three quarters"}


def doubts(
    session: "Session", offer: Offer, *, seats: int, worth: float | None = None
) -> list[str]:
    """Return what speaks against labeling, a line each; who is not told otherwise does not label.

    Args:
        session: Whose chain and profile.
        offer: The bounty.
        seats: That are asked for.
        worth: What the token's smallest unit is worth in wei; None where nobody said.

    Raises:
        ChainError: The chain cannot be read.
    """
    terms, profile = offer.terms, session.profile
    found = []
    if terms.token.lower() not in {token.address.lower() for token in profile.tokens}:
        found.append(
            f"it pays in {terms.token}, a token that profile {profile.name} does not list and that"
            " may be worth nothing"
        )
    gas_price = session.chain.rpc.parsed("eth_gasPrice", (), hex_int)
    if worth is not None:
        found += labeler.uncovered(offer.record, seats=seats, gas_price=gas_price, unit_price=worth)
    elif not is_devnet(session.settings):
        found += _unpriced(session, offer.record, seats, gas_price)
    if offer.past.flat:
        found.append(
            f"{offer.past.flat} of the requester's {offer.past.ended} bounties ended by silence or"
            " a proven lie"
        )
    return found


def _unpriced(session: "Session", record: Record, seats: int, gas_price: int) -> list[str]:
    """Say what gas costs and what is paid for it, where nobody said what the token is worth."""
    show, native = session.profile.amount, session.profile.native
    terms = record.terms
    costs = labeler.gas_to_cover(record, seats)
    covers = [("posting your labels on chain", costs.posting, terms.post_fee(seats))]
    if not terms.is_team:
        covers.append(("proving a lie", costs.proving, terms.reward))
    return [
        f"{what}, should that be needed, costs about {native(gas * gas_price)} of gas, and the"
        f" terms pay {show(paid, terms.token)} for it: say what the token is worth"
        for what, gas, paid in covers
    ]


def require_admitted(client: BountyClient, bounty_id: int, terms: Terms, signer: str) -> None:
    """Refuse to join where the gate that terms name would not admit a signer.

    Raises:
        BountyError: It would not, or does not answer.
    """
    if terms.gate == NO_ACCOUNT:
        return
    request: dict[str, Any] = {
        "to": terms.gate,
        "data": "0x" + (_ADMITS + word(bounty_id) + word(signer)).hex(),
    }
    try:
        reply = client.session.chain.rpc.parsed("eth_call", (request, "latest"), hex_bytes)
    except ChainError as error:
        raise BountyError(f"the gate {terms.gate} does not answer ({error})") from error
    if len(reply) != 32 or not int.from_bytes(reply, "big"):
        raise BountyError(
            f"the gate {terms.gate} does not admit {signer}; label as an account that it admits"
        )
