# SPDX-License-Identifier: Apache-2.0
"""A bounty after its creation, for the requester: acknowledgements, score, payouts.

Everything is decided again at each look from the chain and the workspace, so it may be killed and
started again. What is sent has a name in the journal under which it happens once. The score rests
on two endpoints' word and is searched for lies before it is posted: a lie costs the full price and
the bond, and so does a score that comes too late.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from truthmark.bounty import reader
from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.collecting import (
    Collector,
    Tell,
    receiver_of,
    signed_for,
)
from truthmark.bounty.flows.offering import has_to_offer, offer_to
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import phase_of
from truthmark.bounty.receiving import true_score
from truthmark.bounty.record import Record
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.secrets import find_secrets
from truthmark.bounty.view import BountyView, Seen
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError, RevertedError
from truthmark.keys.abi_hash import address_bytes
from truthmark.session import Session
from truthmark.text import format_time, plural

log = logging.getLogger(__name__)

HEAD_START_BLOCKS: Final = 2
"""How long the draw, which anyone may do, is left to the relay."""

MAX_REFUSALS: Final = 8
"""How often the same may be refused before the operator is told: mostly somebody was faster."""

_OVER: Final = "is_over"
_FOLLOWED: Final = "is_followed"


def is_done(workspace: Workspace) -> bool:
    """Return whether nothing of a bounty is left to do."""
    progress = workspace.progress
    return bool(progress.get(_OVER) and progress.get(_FOLLOWED))


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a bounty is, for who watches.

    Attributes:
        joined: Workers on the roster.
        committed: Workers whose commit is on chain.
        received: Of them, whose labels are here.
        acknowledged: Of them, who have the receiver's signature.
        posted: Workers whose labels are on chain.
    """

    joined: int
    committed: int
    received: int
    acknowledged: int
    posted: int


class RequesterRun:
    """The requester's side of one bounty.

    `collect` fetches and may take its time; `step` decides and sends, and waits for nothing. They
    may run in two threads.

    Args:
        session: Of the requester.
        workspace: Of a bounty that is on chain.
        relays: Where labelers hand out their files; those of the document if not given.
        open_relay: Makes a client of such an address.
        tell: Tells the operator.
        withdraws: Whether what comes back is paid out to the requester at the end.

    Attributes:
        ref: The bounty.
        workspace: Where everything of it is.
        is_over: Whether everybody is paid.
        is_followed: Whether what comes after that, such as another wave, was begun.
    """

    def __init__(
        self,
        session: Session,
        workspace: Workspace,
        *,
        relays: Sequence[str] | None = None,
        open_relay: Callable[[str], RelayClient] = RelayClient,
        tell: Tell,
        withdraws: bool = True,
    ) -> None:
        """Take a bounty; nothing is fetched or sent yet.

        Raises:
            BountyError: The workspace is not of a bounty on chain, or damaged.
            KeysError: The vault does not have its secrets.
        """
        ref = workspace.ref
        if ref is None:
            raise BountyError(
                f"{workspace.folder} is of no bounty on chain yet; finish `truthmark bounty create`"
            )
        self.ref, self.workspace = ref, workspace
        self._session, self._tell, self._withdraws = session, tell, withdraws
        self._client = BountyClient(session, waits=False)
        self._terms = workspace.terms
        self._secrets = find_secrets(session.vault, self._terms.key)
        urls = workspace.document.relay_urls if relays is None else relays
        self._relays = [open_relay(url) for url in urls]
        sign = receiver_of(session, self._secrets, self._terms.receiver)
        self._has_receiver = sign is not None
        self._collector = Collector(
            session, workspace, self._secrets, self._relays, sign=sign, tell=tell
        )
        self._refusals: Counter[str] = Counter()
        self._retold: set[str] = set()
        self._lacking: list[RelayClient] = []
        self._asked_at: tuple[int, frozenset[str]] | None = None
        self._enrolled = self._named = 0
        self.is_over = bool(workspace.progress.get(_OVER))
        self.is_followed = bool(workspace.progress.get(_FOLLOWED))

    def close(self) -> None:
        """Close the connections to relays."""
        for relay in self._relays:
            relay.close()

    def has_to_offer(self, seen: Seen) -> bool:
        """Whether a relay was not told of the bounty or who may join, or has to say who joined."""
        is_requester = address_bytes(self._session.address) == address_bytes(self._terms.requester)
        if not is_requester or seen.record.status > Status.LABEL:
            return False
        self._enrolled = len(seen.record.roster.rows)
        is_unnamed = self._enrolled > self._named and self.workspace.guests_changed_at > 0
        return is_unnamed or bool(self._untold())

    def offer(self) -> None:
        """Give the bounty to the relays that lack it; may take its time.

        Raises:
            BountyError: One is not that of the terms, or refuses.
            ConfigError: The way there is open for all to read.
        """
        for relay in list(self._untold()):
            offer_to(relay, self._session, self.workspace)
            self._retold.add(relay.url)
        self._asked_at = None
        self._learn_names()

    def _learn_names(self) -> None:
        """Note whom each invitation brought: on chain there are addresses alone."""
        enrolled, guests = self._enrolled, self.workspace.guests
        names = {guest.account: guest.name for guest in guests if guest.account}
        if enrolled and any(guest.code for guest in guests):
            for relay in self._relays:
                if not relay.is_told(self.ref.bounty_id):  # by another process, before
                    offer_to(relay, self._session, self.workspace)
                joined = relay.joined(self.ref.bounty_id)
                names |= {
                    one.account: one.name
                    for one in joined
                    if one.account and one.name and one.state == "enrolled"
                }
        if names:
            self.workspace.save_people(names)
        self._named = enrolled

    def _untold(self) -> list[RelayClient]:
        lost = self._collector.last.unserved - self._retold
        moment = self.workspace.guests_changed_at, lost
        if moment != self._asked_at:  # else it would be read from disk in every round
            self._asked_at = moment
            self._lacking = [
                relay
                for relay in self._relays
                if relay.url in lost or has_to_offer(self.workspace, self._secrets, relay.url)
            ]
        return self._lacking

    def collect(self, seen: Seen) -> None:
        """Fetch, open and acknowledge what can be had of the labels that stand on chain.

        Raises:
            StorageError: The workspace cannot be written.
        """
        self._collector.collect(seen.record, seen.now)

    def take_file(self, record: Record, worker: int, data: bytes) -> None:
        """Keep and sign for a label file that its labeler brought; beside all other work.

        Args:
            record: The bounty, as the chain has it.
            worker: Row of the roster, from 0.
            data: The file.

        Raises:
            BountyError: It is not what stands on chain for the worker, or does not open.
            StorageError: The workspace cannot be written.
        """
        self._collector.take(record, worker, data)

    def has_to_collect(self, seen: Seen) -> bool:
        """Whether there may be labels, or somebody waits for a signature."""
        if seen.record.status is not Status.LABEL or not seen.record.commits.standing:
            return False
        last, post = self._collector.last, self._terms.deadlines(seen.mark).post
        is_last_look = last.now <= post < seen.now
        return (
            last.record is not seen.record
            or is_last_look
            or bool(last.missing)
            or self._collector.owes_signatures
        )

    def note_followed(self) -> None:
        """Note that nothing of this bounty is left to do."""
        self.workspace.save_progress(self.workspace.progress | {_FOLLOWED: True})
        self.is_followed = True

    def counts(self, record: Record) -> Counts:
        """Return how far the bounty is."""
        standing = record.commits.standing
        return Counts(
            joined=int((record.roster.runs > 0).sum()),
            committed=len(standing),
            received=len(self._collector.last.received),
            acknowledged=sum(worker in standing for worker in self.workspace.acknowledged()),
            posted=len(record.posted),
        )

    def step(self, view: BountyView, seen: Seen) -> None:
        """Do what is due now.

        Args:
            view: Reads the chain.
            seen: What it says now.

        Raises:
            BountyError: The score cannot be made.
            ChainError: The chain cannot be read or written.
        """
        record, number = seen.record, self.ref.bounty_id
        if record.terms.hash != self._terms.hash:
            raise BountyError(f"{self._title} has other terms than {self.workspace.folder} says")
        phase = phase_of(record, seen.mark, seen.now)
        match phase.name:
            case "joining" if phase.until is None:
                self._send(lambda: self._client.close_joining(number, self._terms))
            case "drawing":
                self._draw(seen)
            case "undrawn" | "unlabeled":
                self._send(lambda: self._client.end(number, self._terms))
            case "labeling" | "correcting" | "handing-in":
                self._announce(seen)
            case "scoring":
                self._announce(seen)
                self._score(view, seen)
            case "over" | "silent" | "ended":
                self._finish(seen)

    # ------------------------------------------------------------------- labels

    def _draw(self, seen: Seen) -> None:
        index, number = self._session.follower.index, self.ref.bounty_id
        closed = index.events(reader.BOARD, "JoiningClosed", bounty_id=number)
        if closed and seen.head > closed[-1].args["seed_block"] + HEAD_START_BLOCKS:
            self._send(lambda: self._client.fix_seed(number))

    def _announce(self, seen: Seen) -> None:
        times = self._terms.deadlines(seen.mark)
        self._tell(
            "due",
            f"{self._title}: this computer must be on at some time between"
            f" {format_time(times.post)} and {format_time(times.score)}, or everybody is paid in"
            " full without a score; labels that it does not sign for before are posted on chain,"
            " which you pay for",
            about=f"{self._title} due",
        )
        if not self._has_receiver:
            self._tell(
                "problem",
                f"{self._title}: the key of its receiver {self._terms.receiver} is not here, so no"
                " labels are acknowledged; run this with the home folder that has it",
                about=f"{self._title} receiver",
            )

    # -------------------------------------------------------------------- score

    def _score(self, view: BountyView, seen: Seen) -> None:
        times, have = self._terms.deadlines(seen.mark), self._collector.last
        if seen.block.timestamp <= times.post:
            return  # what is posted on chain may still come into a final block
        prefix = f"bounty:{self.ref.bounty_id}:score:"
        if any(intent.key.startswith(prefix) for intent in self._session.journal.pending()):
            return
        if have.record is not seen.record or have.now <= times.post:
            return  # what is here was not collected at the end yet
        patience = times.post + self._terms.score_seconds // 2
        if have.missing and have.silent and seen.now < patience:
            self._tell(
                "waiting",
                f"{self._title}: labels of {plural(len(have.missing), 'worker')} are missing, and"
                f" {' and '.join(have.silent.values())}; the score waits for them until"
                f" {format_time(patience)}",
                about=f"{self._title} waiting",
            )
            return
        if address_bytes(self._session.address) != address_bytes(self._terms.requester):
            raise BountyError(
                f"only {self._terms.requester} can score {self._title}; run it as that account"
            )
        record = view.certain(seen)
        score = true_score(
            record,
            gold=self.workspace.gold,
            salt=self._secrets.gold_salt,
            received=have.received,
            unreadable=have.unreadable,
            acknowledgements=signed_for(record, self.workspace),
        )
        self._send(lambda: self._client.score(record, score))
        says = "; the gold is not agreed with, so all get half" if score.is_half else ""
        self._tell("scored", f"{self._title}: the score is sent{says}", about=self._title)

    # ---------------------------------------------------------------------- end

    def _finish(self, seen: Seen) -> None:
        record, board = seen.record, self._client.board
        if record.status is not Status.REFUNDED and not self._is_paid(seen):
            self._send(lambda: self._client.payout(record))
            return
        if not record.status.has_ended:
            return  # paid in a block that is not final
        requester, token = self._terms.requester, self._terms.token
        if self._withdraws and board.functions.balances(token, requester).call(
            block=seen.block.hash
        ):
            self._send(lambda: self._client.withdraw(token, requester))
        elif not self.is_over:
            ended = {_OVER: True, "ended": record.status.name}
            self.workspace.save_progress(self.workspace.progress | ended)
            self.is_over = True
            self._collector.forget()
            says = phase_of(record, seen.mark, seen.now).says
            self._tell("ended", f"{self._title}: {says}", about=f"{self._title} ended")

    def _is_paid(self, seen: Seen) -> bool:
        rows = self._session.follower.index.events(
            reader.BOARD, "PaidOut", until_block=seen.block.number, bounty_id=self.ref.bounty_id
        )
        paid: int = sum(row.args["workers"] for row in rows)
        return paid >= len(seen.record.commits.standing)

    # ---------------------------------------------------------------- internals

    def _send(self, send: Callable[[], None]) -> None:
        try:
            send()
        except RevertedError as error:
            log.info("%s: %s", self._title, error)
            self._refusals[str(error)] += 1
            if self._refusals[str(error)] == MAX_REFUSALS:
                text = f"{self._title}: {error}, again and again; look at `truthmark bounty status`"
                self._tell("problem", text)

    @property
    def _title(self) -> str:
        return f"bounty {self.ref.bounty_id}"
