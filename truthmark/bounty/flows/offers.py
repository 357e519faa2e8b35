# SPDX-License-Identifier: Apache-2.0
"""What a bounty offers to labelers: all that one should know of it before joining."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from truthmark.bounty import labeler
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import Document
from truthmark.bounty.flows.board import Past
from truthmark.bounty.headings import read_document
from truthmark.bounty.outlook import Outlook, outlook
from truthmark.bounty.record import Record
from truthmark.bounty.terms import NO_ACCOUNT, Terms
from truthmark.chain.replies import hex_bytes, hex_int
from truthmark.errors import BountyError, ChainError, StorageError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import word
from truthmark.session import Session, is_devnet

USUAL_SKILL: Final = 0.85
"""How often a careful labeler is right, where nothing better is known of them."""

_DRAWS: Final = 200  # where many are listed
_ADMITS: Final = keccak256(b"admits(uint256,address)")[:4]


def find_document(session: Session, terms: Terms) -> Document | None:
    """Return the document of terms from the configured storage, or None where it is not to be had.

    Args:
        session: Whose chain, storage and home are used.
        terms: The bounty's terms.

    Raises:
        BountyError: It is there, and contradicts the terms: do not label for them.
    """
    try:
        return read_document(session, terms)
    except StorageError:
        return None


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
            rule = (
                "Everybody whose labels arrive and open is paid the full price; nothing is judged."
            )
            return rule if terms.classes else f"{rule} Your texts go to the requester alone."
        return (
            f"Each of the {terms.classes} answers is worth the same, a skip is a wrong answer,"
            f" guessing pays nothing, {_QUARTERS[terms.full]} of the way from guessing to perfect"
            " pays the full price, and between them it is a straight line."
        )


_QUARTERS: Final = {2: "half", 3: "three quarters"}


def usual_pay(terms: Terms, seconds_per_item: float | None) -> int | None:
    """Return what an hour may bring a careful labeler, in the token's smallest unit.

    Args:
        terms: Of the bounty.
        seconds_per_item: What an answer takes; None where nobody measured it.

    Returns:
        None where nobody knows.
    """
    if not seconds_per_item:
        return None
    share = 1.0 if terms.is_team else outlook(terms, skill=USUAL_SKILL, draws=_DRAWS).mean
    return int(terms.price * share * 3_600 / seconds_per_item)


def doubts(session: Session, offer: Offer, *, seats: int, worth: float | None = None) -> list[str]:
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


def own_gas(session: Session, record: Record, seats: int) -> str:
    """Return in a sentence whether the account can pay for what a labeler may have to send.

    Usually nobody has to: relay, requester and watch nodes send it. Where they fail, who labels
    does it, or loses what it would have saved.

    Args:
        session: Whose account would pay.
        record: The bounty.
        seats: That are asked for.

    Raises:
        ChainError: The chain cannot be read.
    """
    gas, native = labeler.gas_to_cover(record, seats), session.profile.native
    proving = 0 if record.terms.is_team else gas.proving
    price = session.chain.rpc.parsed("eth_gasPrice", (), hex_int)
    needed = (gas.overriding + gas.posting + proving) * int(price)
    needed = round(needed, 2 - len(str(needed)))  # it is known no better
    account = session.known_address
    if account is None:
        return (
            f"joining and labeling cost no gas; should relay and requester fail, about "
            f"{native(needed)} of it would save your labels, and no account is chosen here"
        )
    held = session.chain.balance(account)
    what = (
        f"should relay and requester fail, saving your labels takes about {native(needed)} of gas"
    )
    if held < needed:
        return (
            f"{what}, and {account} has {native(held)}: put that much there before you join, or "
            "you rely on them"
        )
    return f"{what}, and {account} can pay that: it has {native(held)}"


def _unpriced(session: Session, record: Record, seats: int, gas_price: int) -> list[str]:
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

    Args:
        client: Reads the board.
        bounty_id: The bounty's number.
        terms: The bounty's terms.
        signer: Address of who wants to join.

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
