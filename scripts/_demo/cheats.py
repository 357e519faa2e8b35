# SPDX-License-Identifier: Apache-2.0
"""Those who cheat in the demonstration: a labeler who copies, and a requester who lies."""

from dataclasses import replace

import numpy as np

from truthmark.bounty import messages
from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.asks import Posted
from truthmark.bounty.flows.collecting import Collector, receiver_of, signed_for
from truthmark.bounty.receiving import true_score
from truthmark.bounty.record import Record
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.relay_models import CommitRequest, JoinRequest
from truthmark.bounty.score import is_fine, seats_of_gold
from truthmark.bounty.secrets import find_secrets
from truthmark.keys.curve import address_of, multiply, random_scalar
from truthmark.keys.typed import sign
from truthmark.labels.scoring import judge, millionths
from truthmark.session import Session


class Copier:
    """A labeler who gives another's labels as their own, sealed as they are.

    They speak the protocol by hand: no client of ours would do that.

    Args:
        url: Of the relay.
        observer: Reads the chain.
        posted: The bounty.
    """

    def __init__(self, url: str, observer: BountyClient, posted: Posted) -> None:
        """Take part in a bounty; nothing is asked yet."""
        self._relay, self._observer, self._posted = RelayClient(url), observer, posted
        secret = random_scalar()
        self._key = secret.to_bytes(32, "big")
        self._signer = address_of(multiply(secret))

    @property
    def worker(self) -> int:
        """The row on the roster."""
        return self._record().roster.worker_of(self._signer)

    def _record(self) -> Record:
        return self._observer.read(self._posted.bounty_id)

    def join(self) -> None:
        """Ask the relay for a place."""
        terms, ref = self._posted.terms, self._record().ref
        message = messages.join(
            ref, terms.hash, signer=self._signer, payee=self._signer, seats=terms.min_run
        )
        self._relay.join(
            ref.bounty_id,
            JoinRequest(
                signer=self._signer,
                payee=self._signer,
                seats=terms.min_run,
                signature=sign(message, self._key),
            ),
        )

    def copy(self, victim: int) -> None:
        """Commit to what another has committed to."""
        record, worker = self._record(), self.worker
        theirs = record.commits.standing[victim]
        message = messages.commit(
            record.ref,
            record.terms.hash,
            record.seed,
            worker=worker,
            seats=theirs.seats,
            commitment=theirs.commitment,
        )
        self._relay.commit(
            record.ref.bounty_id,
            CommitRequest(
                worker=worker,
                seats=theirs.seats,
                commitment=theirs.commitment,
                signature=sign(message, self._key),
            ),
        )

    def hand_out(self, victim: int) -> None:
        """Hand out the other's file under this name, once it is there."""
        record = self._record()
        commitment = record.commits.standing[victim].commitment
        file = self._relay.file(record.ref, victim, commitment)
        self._relay.put_file(record.ref.bounty_id, replace(file, worker=self.worker))


class Liar:
    """A requester who opens all labels as they must, and then says something else of one.

    Args:
        session: The requester's.
        observer: Reads the chain.
        posted: The bounty.
        url: Of the relay.
    """

    def __init__(self, session: Session, observer: BountyClient, posted: Posted, url: str) -> None:
        """Take a bounty."""
        self._session, self._observer, self._posted = session, observer, posted
        self._secrets = find_secrets(session.vault, posted.terms.key)
        self._collector = Collector(
            session,
            posted.workspace,
            self._secrets,
            [RelayClient(url)],
            sign=receiver_of(session, self._secrets, posted.terms.receiver),
            tell=lambda kind, text, about=None: None,
        )

    def collect(self) -> None:
        """Fetch labels, and sign for them."""
        now = self._session.chain.time()
        self._collector.collect(self._observer.read(self._posted.bounty_id), now)

    def score(self, victim: int) -> str:
        """Post a score in which one answer of a worker is another, and all else fits; say it."""
        record = self._observer.read(self._posted.bounty_id)
        workspace = self._posted.workspace
        true = true_score(
            record,
            gold=workspace.gold,
            salt=self._secrets.gold_salt,
            received=self._collector.last.received,
            acknowledgements=signed_for(record, workspace),
        )
        seats = seats_of_gold(record.assignment, record.roster, true.gold)
        right = (seats.holders == victim) & (true.entries == true.gold.answers[:, None])
        item, round_ = np.argwhere(right)[0]
        entries = true.entries.copy()
        entries[item, round_] = (entries[item, round_] + 1) % record.terms.classes
        verdict = judge(entries, true.gold.answers, record.terms.classes)
        earned = millionths(
            verdict,
            entries,
            true.gold.answers,
            seats.holders,
            workers=len(record.roster),
            full=record.terms.full,
        )
        lines = np.where(is_fine(true.lines) & (record.committed > 0), earned, true.lines)
        BountyClient(self._session).score(record, replace(true, entries=entries, lines=lines))
        return (
            f"to say that worker {victim} called image {true.gold.items[item]} a"
            f" {entries[item, round_]}, and not a {true.entries[item, round_]}"
        )
