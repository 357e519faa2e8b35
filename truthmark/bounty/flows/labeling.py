# SPDX-License-Identifier: Apache-2.0
"""One labeler's way through one bounty, from a look at it to the money.

Join → wait for the row on chain → get the items → answer → seal and sign, once → give the commit to
the relay → wait until exactly that row is confirmed → hand out the file → acknowledgement, or post
the sealed labels → watch the score, prove what is wrong in it → paid.

`Labeling.advance` does whatever can be done now and never waits; so a person's command, a program
with many bounties and a page share it. Whatever must not be lost is on disk, or in the vault,
before anything depends on it: after a kill at any point the next `advance` goes on.
"""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from truthmark.bounty import labeler, messages
from truthmark.bounty.answer_log import AnswerLog
from truthmark.bounty.assignment import NO_ITEM
from truthmark.bounty.document import Document
from truthmark.bounty.flows import board, offers
from truthmark.bounty.flows.desk import Desk, is_early
from truthmark.bounty.flows.handing_out import HandingOut, WatchNode
from truthmark.bounty.flows.item_shelf import ItemShelf, item_keys
from truthmark.bounty.flows.offers import Offer
from truthmark.bounty.labeler import Place, SignedCommit, Step
from truthmark.bounty.labeling_folder import Entry
from truthmark.bounty.lies import Knowledge
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import Phase, phase_of
from truthmark.bounty.record import Record
from truthmark.bounty.relays import relay_models
from truthmark.bounty.terms import Terms
from truthmark.bounty.view import Seen
from truthmark.config.units import to_checksum_address
from truthmark.errors import (
    BountyError,
    ChainUnavailableError,
    EndpointsDisagreeError,
    RelayError,
    RelayUnavailableError,
)
from truthmark.keys.abi_hash import address_bytes
from truthmark.keys.typed import sign
from truthmark.session import Session
from truthmark.text import clean, format_time
from truthmark.types import Bar, Say, no_bar, quiet

_RESERVE_SECONDS: Final = 30
_RESERVE_BLOCKS: Final = 10
_RESERVE_PART: Final = 3

Agree = Callable[[list[str]], bool]
"""Asked whether to go on in spite of doubts, a line each."""


class Stage(StrEnum):
    """How far a labeler is."""

    OUTSIDE = "not joined"
    WAITING = "joined, waiting for a place on chain"
    LABELING = "ready to be labeled"
    COMMITTED = "signed, waiting for the commit on chain"
    RELEASING = "on chain, handing out the labels"
    DELIVERED = "delivered, waiting for the score"
    SCORED = "scored; a wrong entry can still be proven"
    ENDED = "ended"
    MISSED = "over without your labels"


_STAGES: Final = {
    Step.WAIT: Stage.COMMITTED,
    Step.OVERRIDE: Stage.COMMITTED,
    Step.HAND_OUT: Stage.RELEASING,
    Step.POST: Stage.RELEASING,
    Step.PROVE: Stage.SCORED,
    Step.LOST: Stage.MISSED,
    Step.DONE: Stage.ENDED,
}


@dataclass(frozen=True, slots=True)
class Earned:
    """What a labeler gets.

    Attributes:
        token: In which.
        units: In its smallest unit.
        share: Of the full price of what was accepted.
        is_final: Whether the bounty has ended.
    """

    token: str
    units: int
    share: float
    is_final: bool


class Labeling:
    """One labeler, one bounty.

    Args:
        session: Whose chain, storage, vault and home; its account is needed only to spend gas.
        bounty_id: The bounty's number.
        relay: Address of the relay, where it is not one of the bounty's document.
        say: Told what happens.
        bar: Shows how far something is.
    """

    def __init__(
        self,
        session: Session,
        bounty_id: int,
        *,
        relay: str | None = None,
        say: Say = quiet,
        bar: Bar = no_bar,
    ) -> None:
        """Take the bounty; nothing is read yet."""
        self.session, self.bounty_id = session, bounty_id
        self._desk = Desk(session, bounty_id, relay=relay, say=say, bar=bar)
        self._handing_out = HandingOut(self._desk)
        self.folder = self._desk.folder
        self._has_asked = False

    def close(self) -> None:
        """Close connections."""
        self._desk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -------------------------------------------------------------------- looking

    def offer(self) -> Offer:
        """Return all that one should know before joining, by the newest block.

        Raises:
            BountyError: It cannot be read as the board holds it, or its papers do not fit.
            ChainError: The chain cannot be read.
        """
        desk = self._desk
        record = desk.client.read(self.bounty_id)
        record.terms.require_sound()
        practiced = self.folder.practice
        return Offer(
            record=record,
            mark=desk.client.mark(self.bounty_id),
            now=self.session.chain.time(),
            document=desk.document(record.terms),
            past=board.past_of(desk.client, record.terms.requester),
            skill=offers.USUAL_SKILL if practiced is None else practiced,
        )

    def shown_items(self, document: Document) -> ItemShelf:
        """Return the items that everyone may read: examples, and those to practice on."""
        desk = self._desk
        urls = [desk.wanted_relay] if desk.wanted_relay is not None else []
        return ItemShelf(desk, document, [desk.relay(u) for u in (*urls, *document.relay_urls)])

    # -------------------------------------------------------------------- joining

    def join(
        self,
        *,
        payee: str,
        seats: int | None = None,
        code: str = "",
        account: str = "",
        worth: float | None = None,
        agree: Agree,
    ) -> None:
        """Ask the relay for a place; the same again asks how that stands.

        Args:
            payee: Who is to be paid; any address.
            seats: How many at most; as many as the terms allow if not given.
            code: The invitation's, where the relay wants one.
            account: Labels as this account of the home, as where a gate wants it; with a fresh key
                that the vault keeps if not given.
            worth: What the token's smallest unit is worth in wei.
            agree: Asked where something speaks against it.

        Raises:
            BountyError: It cannot be joined, or was not agreed to.
            RelayError: The relay refuses.
            ChainError: The chain cannot be read.
        """
        payee = to_checksum_address(payee)
        if code and not relay_models.is_code(code):
            raise BountyError(
                f"{clean(code, 80)!r} is no invitation code; give the whole of it, as it was sent"
            )
        desk, offer, kept = self._desk, self.offer(), self.folder.entry
        terms = offer.terms
        if kept is not None and offer.record.status is not Status.OPEN:
            raise BountyError(
                f"you have joined bounty {self.bounty_id} before; go on: truthmark bounty label"
                f" {self.bounty_id}"
            )
        seats = terms.max_run if seats is None else seats
        _require_joinable(self.bounty_id, offer, seats)
        relay = desk.find_relay(terms, offer.document)
        signer = desk.signer(account)
        wanted = desk.wanted_relay
        is_named = wanted is not None and wanted.rstrip("/") == relay.url.rstrip("/")
        entry = Entry(signer, account, payee, seats, relay.url, code, is_named)
        asked = None if kept is None else (kept.signer, kept.account, kept.payee, kept.seats)
        if kept is not None and asked != (signer, account, payee, seats):
            self._require_unknown(kept)
        offers.require_admitted(desk.client, self.bounty_id, terms, signer)
        found = offers.doubts(self.session, offer, seats=seats, worth=worth)
        if found and not agree(found):
            raise BountyError(f"not joined: {'; '.join(found)}")
        self.folder.keep_entry(entry)
        try:
            self._ask_to_join(terms, entry)
        except RelayError as error:
            self._forget_refused(entry, error)
            raise

    def _require_unknown(self, kept: Entry) -> None:
        """Refuse to ask for something else than what the relay may have noted already."""
        if self._is_noted(kept):
            raise BountyError(
                f"you asked for {kept.seats} seats for {kept.payee} before, and the relay has"
                " noted that; ask for the same, or use another home folder"
            )

    def _is_noted(self, entry: Entry) -> bool:
        try:
            self._desk.relay(entry.relay).join_state(self.bounty_id, entry.signer)
        except RelayError as error:
            if error.status == 404:
                return False
            raise
        return True

    def _forget_refused(self, entry: Entry, error: RelayError) -> None:
        """Forget a refused wish, unless the relay noted one before; another code may do."""
        if not error.status or isinstance(error, RelayUnavailableError):
            return
        with suppress(RelayError):
            if not self._is_noted(entry):
                self.folder.forget_entry()

    def _ask_to_join(self, terms: Terms, entry: Entry) -> None:
        desk = self._desk
        message = messages.join(
            desk.ref, terms.hash, signer=entry.signer, payee=entry.payee, seats=entry.seats
        )
        request = relay_models.JoinRequest(
            signer=entry.signer,
            payee=entry.payee,
            seats=entry.seats,
            signature=sign(message, desk.key(entry.account)),
            code=entry.code or None,
        )
        state = desk.relay(entry.relay).join(self.bounty_id, request)
        self._has_asked = True
        if state.state == "removed":
            raise BountyError(f"the relay did not take you in: {state.reason or 'it says not why'}")
        if address_bytes(state.payee) != address_bytes(entry.payee):
            raise BountyError(f"the relay would have {state.payee} paid, not {entry.payee}")
        if state.state == "waiting":
            at = f", at the latest {format_time(state.enrolls_by)}" if state.enrolls_by else ""
            desk.tell(f"joined; the relay puts you on the roster{at}", once="joined")

    # ------------------------------------------------------------------- one step

    def advance(self) -> Stage:
        """Do all that can be done now, without waiting; again after a kill.

        Returns:
            How far that led. At LABELING somebody has to answer, and `commit`.

        Raises:
            BountyError: Something is wrong: do not label, or do what the message says.
            ChainError: The chain cannot be read.
        """
        entry = self.folder.entry
        if entry is None:
            return Stage.OUTSIDE
        seen = self._desk.look()
        record = seen.record
        signed = self._desk.find_signed(record)
        if signed is not None:
            step = self._handing_out.step(seen, signed)
            if step is Step.WATCH:
                is_scored = record.status in (Status.SCORED, Status.SCORED_HALF)
                return Stage.SCORED if is_scored else Stage.DELIVERED
            return _STAGES[step]
        match record.status:
            case Status.OPEN:
                self._keep_asking(record.terms, entry)
                if any(row.signer.lower() == entry.signer.lower() for row in record.roster.rows):
                    until = format_time(seen.mark + record.terms.join_seconds)
                    self._desk.tell(
                        "you have your place; labeling begins when all have come, or joining ends:"
                        f" {until}",
                        once="placed",
                    )
                return Stage.WAITING
            case Status.DRAWN:
                return Stage.WAITING
            case Status.LABEL if seen.now <= self._last_call(seen):
                return self._open_run(seen)
        return Stage.MISSED

    def _open_run(self, seen: Seen) -> Stage:
        """See to it that all is there to label; the relay may be a moment behind the chain."""
        run = self._run(seen)
        if run.document.items.encrypted:
            try:
                item_keys(self._desk, seen.record, run.place.worker, run.items)
            except RelayError as error:
                if not is_early(error) and error.status:
                    raise
                self._desk.trouble("the relay does not give the keys of your items", error)
                return Stage.WAITING
        return Stage.LABELING

    def _keep_asking(self, terms: Terms, entry: Entry) -> None:
        """Ask once more, in case a kill came before the first time."""
        if not self._has_asked:
            try:
                self._ask_to_join(terms, entry)
            except RelayError as error:
                if not is_early(error) and not isinstance(error, RelayUnavailableError):
                    self._forget_refused(entry, error)
                    raise
                self._desk.trouble("the relay does not take the wish to join yet", error)

    def wait(
        self,
        until: Collection[Stage],
        *,
        pause: float | None = None,
        told: Callable[[Stage], None] = lambda _: None,
    ) -> Stage:
        """Advance until one of some stages is reached.

        Args:
            until: Where to stop; LABELING, ENDED and MISSED stop it always.
            pause: Seconds between two looks; as the profile has it if not given.
            told: Told of every new stage.

        Raises:
            BountyError: Something is wrong; see `advance`.
        """
        ends: set[Stage] = {*until, Stage.OUTSIDE, Stage.LABELING, Stage.ENDED, Stage.MISSED}
        stage: Stage | None = None
        last: Stage | None = None
        while True:
            try:
                stage = self.advance()
            except (ChainUnavailableError, EndpointsDisagreeError, RelayUnavailableError) as error:
                self._desk.tell(f"{error}; going on")
                stage = last
            if stage is not None and stage is not last:
                told(stage)
                last = stage
            if stage is not None and stage in ends:
                return stage
            time.sleep(self.session.profile.poll_seconds if pause is None else pause)

    # -------------------------------------------------------------------- labeling

    def place(self) -> "Run":
        """Return what is to be labeled, after all checks on which the pay depends.

        Raises:
            BountyError: Something is not as it must be: do not label.
        """
        return self._run(self._desk.look())

    def _run(self, seen: Seen) -> "Run":
        place = self._place(seen)
        document = self._desk.document(seen.record.terms)
        items = tuple(item for item in place.items.tolist() if item != NO_ITEM)
        return Run(
            place, items, document, seen.record.terms, seen.record.seed, self._last_call(seen)
        )

    def open_items(self, run: "Run") -> ItemShelf:
        """Return the items of a run, to be read by number; all are kept on this disk.

        Raises:
            BountyError: The list of items is not that of the document.
            RelayError: Nobody has it, or the relay gives no keys.
        """
        desk, document = self._desk, run.document
        keys = {}
        if document.items.encrypted:
            keys = item_keys(desk, desk.look().record, run.place.worker, run.items)
        urls = dict.fromkeys([desk.entry.relay, *document.relay_urls])
        return ItemShelf(desk, document, [desk.relay(url) for url in urls], keys)

    def answers(self) -> AnswerLog:
        """Open the answers given so far; one program at a time.

        Raises:
            BountyError: Another program has them, or they are damaged.
        """
        return self.folder.answers()

    def commit(self, answers: AnswerLog) -> SignedCommit:
        """Seal and sign what is answered, for good: whole seats from the first of the run.

        Raises:
            BountyError: No seat is complete, or other labels were signed before.
            KeysError: The vault cannot keep what is to be signed.
        """
        seen = self._desk.look()
        self._desk.certain(seen)
        place, terms = self._place(seen), seen.record.terms
        if terms.classes:
            codes = labeler.codes_of(place, answers.codes, terms.classes, terms.batch)
        else:
            texts = {item: answers.texts.get(item, "") for item in answers.codes}
            codes = labeler.hashes_of(place, texts, terms.batch)
        key = self._desk.key(self._desk.entry.account)
        return labeler.sign_once(self.session.vault, seen.record, place.worker, codes, key)

    def leave_with(self, nodes: Sequence[WatchNode]) -> list[str]:
        """Leave the signed commit and the sealed file with nodes that act for who goes.

        Args:
            nodes: Which; those that get a key could also prove a lie, and read.

        Returns:
            The addresses of those that took it.

        Raises:
            BountyError: Nothing is signed yet.
        """
        seen = self._desk.look()
        signed = self._desk.find_signed(seen.record)
        if signed is None:
            raise BountyError("nothing is signed yet; label first")
        return self._handing_out.leave_with(nodes, seen, signed)

    def _place(self, seen: Seen, needed: int = 0) -> Place:
        entry = self._desk.entry
        contract = self._desk.client.board.functions
        return labeler.find_place(
            seen.record,
            bytes(contract.terms_hashes(self.bounty_id).call()),
            signer=entry.signer,
            payee=entry.payee,
            now=seen.now,
            needed=needed,
            mark=seen.mark,
        )

    def _last_call(self, seen: Seen) -> int:
        """Return until when all must be answered, chain time.

        A relay takes no commit so close to its deadline that a transaction could miss it, and who
        has no gas cannot override: so labelers are ready well before that.
        """
        terms, profile = seen.record.terms, self.session.profile
        reserve = _RESERVE_SECONDS + round(_RESERVE_BLOCKS * profile.block_time)
        return terms.deadlines(seen.mark).label - min(reserve, terms.label_seconds // _RESERVE_PART)

    # -------------------------------------------------------------------------- after

    def phase(self) -> Phase:
        """Return what goes on in the bounty, until when, and what comes then."""
        seen = self._desk.look()
        return phase_of(seen.record, seen.mark, seen.now)

    def knowledge(self, record: Record) -> Knowledge:
        """Return what is known here beside the chain: one's labels, e, and the acknowledgement.

        Args:
            record: The bounty, as read.

        Raises:
            KeysError: The account that labeled is locked, or its key is not here.
        """
        signed = self._desk.find_signed(record)
        return Knowledge() if signed is None else self._handing_out.knowledge(record, signed)

    def earned(self) -> Earned | None:
        """Return what the labeler gets, or would get by the score; None before that is posted.

        Raises:
            BountyError: They are not on the roster.
        """
        record, entry = self._desk.look().record, self._desk.entry
        is_final, status = record.status.has_ended, record.status.unchallenged
        if not status.has_ended:
            return None
        worker = record.roster.worker_of(entry.signer)
        for payment in record.payments(status):
            if payment.worker == worker:
                full = payment.price + payment.withheld
                share = payment.price / full if full else 0.0
                return Earned(record.terms.token, payment.total, share, is_final)
        return Earned(record.terms.token, 0, 0.0, is_final)


@dataclass(frozen=True, slots=True)
class Run:
    """What a labeler is to label.

    Attributes:
        place: On the roster.
        items: Their numbers, in the order in which they stand.
        document: What is asked.
        terms: What was agreed.
        seed: The bounty's.
        last_call: Until when all must be answered, chain time.
    """

    place: Place
    items: tuple[int, ...]
    document: Document
    terms: Terms
    seed: bytes
    last_call: int


def _require_joinable(bounty_id: int, offer: Offer, seats: int) -> None:
    terms, record = offer.terms, offer.record
    if record.status is not Status.OPEN or offer.now > offer.mark + terms.join_seconds:
        raise BountyError(
            f"bounty {bounty_id} takes no more labelers; `truthmark bounty list` has others"
        )
    if not terms.min_run <= seats <= terms.max_run:
        raise BountyError(
            f"bounty {bounty_id} gives {terms.min_run} to {terms.max_run} seats of"
            f" {terms.batch} items to each; ask for so many"
        )
    if offer.doubled:
        raise BountyError(
            f"{offer.doubled[0]} stands on the roster more than once; do not label here"
        )
