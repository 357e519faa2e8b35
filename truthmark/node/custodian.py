# SPDX-License-Identifier: Apache-2.0
"""The role `custodian`: accept by the offer, pin, deliver by turn, extend, leave.

Everything is decided again in each round from the chain. What is sent goes through the journal and
is not waited for: rounds stay short, so that no custody makes another one's delivery late. The disk
only saves work: a node that lost it derives its keys, opens its shares again and fetches what it
has to keep.
"""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from truthmark.errors import (
    ChainError,
    EndpointsDisagreeError,
    GasError,
    KeysError,
    RevertedError,
    TruthmarkError,
)
from truthmark.keys.encryption import find_encryption_keys
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import Custodian, is_due
from truthmark.market.entries import Purchase, ValidatorOffer
from truthmark.market.planned_call import MAX_BATCH, PlannedCall, named_purchases, short_id
from truthmark.market.preview import OnList, Preview
from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus, bits
from truthmark.market.settlement import Settlement, inspected, overdue, releasable
from truthmark.node.certainty import find_paid
from truthmark.node.job_pool import Job, JobPool
from truthmark.node.keeping import PinnedSet, fetch_manifest, take_share
from truthmark.node.policy import (
    Policy,
    place_in_line,
    refusal,
    settle_wait,
    still_suits,
    version_bytes,
    wants_extension,
)
from truthmark.node.rounds import resume
from truthmark.node.samples import Samples
from truthmark.node.status import Metrics, Notifier
from truthmark.node.view import CustodyView, View

if TYPE_CHECKING:
    from truthmark.chain.connection import Block
    from truthmark.codec import Manifest
    from truthmark.session import Session

log = logging.getLogger(__name__)

MAX_REPEATS = 8
"""How often the same is sent again after it took effect and a reorganisation undid its cause; and
how often it may be refused before the operator is told."""

_ENDED = (CustodyStatus.CLOSED, CustodyStatus.LAPSED)


class CustodianRole:
    """A validator's custodies.

    Attributes:
        name: Of the role.

    Args:
        session: Its account is the validator's operator (or owner).
        validator: The validator's address.
        policy: The node's limits.
        metrics: Counts what is done.
        notifier: Tells the operator.
        dry_run: Decide and log, but keep and send nothing.
    """

    name = "custodian"

    def __init__(
        self,
        session: "Session",
        validator: str,
        policy: Policy,
        *,
        metrics: Metrics,
        notifier: Notifier,
        dry_run: bool = False,
    ) -> None:
        """Take the role; nothing is done before the first round."""
        self.session = session
        self.policy = policy
        self.metrics = metrics
        self.notifier = notifier
        self.dry_run = dry_run
        self.view = View(session, validator)
        self._custodian = Custodian(session)
        self._settlement = Settlement(session)
        # Shares are small and needed at once, bytes may take hours: they must not wait for these.
        self._shares = JobPool(2, "shares")
        self._bytes = JobPool(2, "bytes")
        self._samples = Samples(session, self._bytes)
        self._pinned = PinnedSet(session.home / "node" / "kept")
        self._keys: tuple[tuple[bytes, ...], list[bytes]] = (), []
        self._told_errors: dict[str, Exception] = {}
        self._refusals: Counter[str] = Counter()
        self._missed: set[bytes] = set()
        self._pending: set[str] = set()
        """keys of what is sent and not confirmed; in a dry run, of what was said"""
        self._refused: dict[bytes, str] = {}
        self._seen: dict[bytes, CustodyView] = {}
        self._leaving: dict[bytes, bytes] = {}
        """custodies whose bytes are to be dropped, and their versions"""
        self._certain: set[bytes] = set()
        """ids of purchases whose part is due in this round and may be posted"""
        self._obliged = 0

    def close(self) -> None:
        """End the work beside the rounds."""
        self._shares.close()
        self._bytes.close()

    def health(self) -> Mapping[str, int]:
        """Return how many custodies it answers for, and transactions that are not confirmed yet."""
        return {"custodies": self._obliged, "sent": len(self._pending)}

    def tick(self) -> "Block":
        """Look at everything once, do what is due, and return the block that was looked at.

        Trouble with one custody does not keep the others waiting: it is logged and met again in
        the next round.

        Raises:
            ChainError: The chain cannot be read.
            ConfigError: Index or journal cannot be used.
        """
        view = self.view
        if not self.dry_run:
            self._resume()
        view.refresh()
        self._update_metrics()
        self._drop()
        custodies = sorted(view.custodies, key=_urgency)
        self._certain = self._find_certain(custodies)
        waiting = Counter(
            held.version.terms.seller
            for held in custodies
            if held.state.status is CustodyStatus.OPENED and held.is_accepted
        )
        offer: ValidatorOffer | None = None
        if any(
            not held.is_accepted or held.state.status is CustodyStatus.LIVE for held in custodies
        ):
            offer = next(iter(Catalogue.of(self.session).offers(view.validator)), None)
        obliged = 0
        for held in custodies:
            try:
                obliged += self._process(held, offer, waiting)
                self.notifier.resolve("problem", _name(held))
            except GasError as error:
                self._problem("gas", f"{_title(held)}: {error}")
                self.notifier.notify("problem", str(error), about="gas")
            except ChainError as error:
                self._problem("chain", f"{_title(held)}: {error}")
            except Exception as error:  # no custody may keep the others from being served
                if not isinstance(error, TruthmarkError):
                    log.exception("%s", _title(held))
                self.metrics.problems.labels("custody").inc()
                text = f"{_title(held)}: {_reason(error)}"
                self.notifier.notify("problem", text, about=_name(held))
        self._obliged = obliged
        self.metrics.custodies.set(obliged)
        self.metrics.sent.set(len(self._pending))
        return view.block

    def _resume(self) -> None:
        """Bring along what was sent before, and note what is not confirmed yet."""
        resume(self.session)
        self._pending = {intent.key for intent in self.session.journal.pending()}

    def _update_metrics(self) -> None:
        view, account = self.view, self.session.address
        self.metrics.gas.set(view.gas)
        self.metrics.free_stake.set(view.free_stake)
        self.metrics.purchases.set(
            sum(
                p.status is PurchaseStatus.PAID and held.slot.index not in p.delivered
                for held in view.custodies
                if held.is_accepted
                for p in held.purchases.values()
            )
        )
        self._state(
            "low-gas",
            view.gas < self.policy.gas_reserve,
            f"account {account} holds {self.session.profile.native(view.gas)}, less than "
            "the gas reserve; no new obligation is taken until it is filled up",
        )
        self._state(
            "operator",
            not view.is_actor,
            f"account {account} acts no more for validator {view.validator}; start the node with "
            "the new operator's account",
        )

    def _state(self, kind: str, is_so: bool, text: str) -> None:
        """Tell once that something is so, and again only after it was not."""
        if is_so:
            self.notifier.notify(kind, text, about=kind)
        else:
            self.notifier.resolve(kind, kind)

    # -------------------------------------------------------------- one custody

    def _process(
        self, held: CustodyView, offer: ValidatorOffer | None, waiting: Counter[str]
    ) -> bool:
        """Do what one custody needs, and tell whether we answer for it."""
        if self._is_outdated(held):
            return False
        self._tell_changes(held)
        if not held.is_accepted:
            return self._maybe_accept(held, offer, waiting)
        is_revoked = held.version.status is VersionStatus.REVOKED
        if held.state.status in (CustodyStatus.LIVE, CustodyStatus.CLOSED) and not is_revoked:
            self._sell(held)
        if held.is_released:
            if is_revoked or not any(
                held.slot.index in p.delivered for p in held.purchases.values()
            ):
                self._stop_tracking(held)
            return False
        if held.state.status is CustodyStatus.LIVE:
            self._extend(held, offer)
        self._release(held)
        self._keep(held)
        return True

    def _is_outdated(self, held: CustodyView) -> bool:
        """Whether what the chain says of a custody is worth nothing; tells the operator once.

        Letting go of an obligation cannot be undone and costs stake, so it never follows from such
        an answer.
        """
        matter = f"outdated {_name(held)}"
        if not held.is_outdated:
            self.notifier.resolve("problem", matter)
            return False
        self.metrics.problems.labels("outdated").inc()
        text = (
            f"{_title(held)}: a chain endpoint knows less of it than its own logs say; nothing is "
            "done about it now; if it stays so use another endpoint"
        )
        self.notifier.notify("problem", text, about=matter)
        return True

    def _tell_changes(self, held: CustodyView) -> None:
        """Tell the operator what has happened to a custody since the last round."""
        now = held.state
        before = self._seen.get(held.slot.epoch.custody_id)
        self._seen[held.slot.epoch.custody_id] = CustodyView(held.slot, held.version, now)
        fined = held.slot.index in bits(now.fined)
        if fined and not held.is_released:
            self.notifier.notify("fined", f"{_title(held)}: silent about a purchase")
        if before is None:
            return
        if fined and held.slot.index not in bits(before.state.fined):
            self._count_missed(held)  # somebody else refunded before we saw it
        if held.is_accepted and not before.is_accepted:
            self.notifier.notify("accepted", f"{_title(held)} as custodian {held.slot.index}")
        was_obliged = held.slot.index in bits(before.state.active)
        is_obliged = held.slot.index in bits(now.active)
        was_live = before.state.status is CustodyStatus.LIVE
        if was_live and is_obliged and (now.end > before.state.end or not was_obliged):
            self.notifier.notify("extended", f"{_title(held)} until {now.end}")
        if was_obliged and not is_obliged:
            self.notifier.notify("leaving", f"{_title(held)} at {now.previous_end}")
        if now.status in _ENDED and before.state.status not in _ENDED and held.is_accepted:
            self.notifier.notify("ended", f"{_title(held)} is {now.status.name.lower()}")
        if held.is_released and not before.is_released:
            self.notifier.notify("released", f"{_title(held)}; its stake is free")

    def _maybe_accept(
        self, held: CustodyView, offer: ValidatorOffer | None, waiting: Counter[str]
    ) -> bool:
        """Accept a custody that suits the offer; checked and pinned first."""
        view, version, epoch = self.view, held.version, held.slot.epoch
        now = view.block.timestamp
        if held.state.status in _ENDED or now > epoch.custody.accept_until:
            self._stop_tracking(held)
            return False
        if view.gas < self.policy.gas_reserve or not view.is_actor:
            return False
        profile = self.session.profile
        blocks = self.policy.most_confirmations(version.terms.token, profile.confirmations)

        def why_not(size: int | None, sample: Preview | None = None) -> str | None:
            return refusal(
                self.policy,
                offer,
                version,
                epoch,
                now=now,
                waiting=waiting[version.terms.seller],
                is_listed_elsewhere=view.is_listed_elsewhere(version),
                confirming_seconds=int(blocks * profile.block_time),
                size=size,
                sample=sample,
            )

        # What needs nothing fetched first: strangers' storages are asked for suitable ones only.
        reason = why_not(None)
        if reason is None and self.dry_run:
            log.info("would fetch, check and accept %s", _title(held))
            return False
        manifest = self._manifest(held) if reason is None else None
        sample: Preview | None = None
        if manifest is not None:
            reason = why_not(version_bytes(manifest))
            # Seen before stake is locked for it; custodians of rubbish earn nothing.
            sample = self._sample(held) if reason is None else None
            if sample is not None:
                reason = why_not(version_bytes(manifest), sample)
        if reason is not None and self._refused.get(epoch.custody_id) != reason:
            self._refused[epoch.custody_id] = reason
            log.info("%s is not accepted: %s", _title(held), reason)
        if reason is not None or manifest is None or sample is None:
            return False
        waiting[version.terms.seller] += 1  # also those whose bytes are still coming
        # Both are asked for, so that they come at the same time.
        has_share, has_bytes = self._has_share(held), self._has_bytes(held, manifest)
        if not has_share or not has_bytes:
            return False
        self._submit("accept", self._custodian.plan_accept(version, held.slot))
        return False

    def _sell(self, held: CustodyView) -> None:
        """Deliver what is due, refund what is overdue, settle what was inspected."""
        now, index = self.view.block.timestamp, held.slot.index
        version, slot, state = held.version, held.slot, held.state
        purchases = list(held.purchases.values())
        due = [p for p in self._due(held) if p.purchase_id in self._certain]
        if due and self._has_share(held):
            self._submit_all("deliver", self._custodian.plan_deliver(version, slot, due))

        late = overdue(purchases, now)
        for purchase in late:
            self._note_missed(held, purchase)
        # Those obliged answer for it, in turn: it closes the custody, and the buyer is repaid.
        mine = self._in_turn(late, "refund", bits(state.active), held)
        if mine:
            self._submit_all("refund", self._settlement.plan_refund(version, slot.epoch, mine))

        ready = [p for p in inspected(purchases, now) if index in p.delivered]
        if len(ready) < MAX_BATCH:
            wait = settle_wait(self.policy, version.terms)
            if all(now <= p.deadline + wait for p in ready):
                return
        mine = self._in_turn(ready, "settle", None, held)
        if mine:
            self._submit_all("settle", self._settlement.plan_settle(version, slot.epoch, mine))

    def _in_turn(
        self,
        purchases: Sequence[Purchase],
        kind: str,
        members: Sequence[int] | None,
        held: CustodyView,
    ) -> list[Purchase]:
        """Return the purchases for which it is our turn to do what anyone could.

        The first in line acts at once, each other one when all before it let a margin pass.
        `members` None: those who delivered.
        """
        now, margin = self.view.block.timestamp, self.policy.margin_seconds
        busy = named_purchases(kind, self._pending)
        waits = settle_wait(self.policy, held.version.terms) if kind == "settle" else 0
        found = []
        for purchase in purchases:
            line = sorted(purchase.delivered) if members is None else members
            place = place_in_line(purchase.purchase_id, line, held.slot.index)
            if short_id(purchase) not in busy and (
                place == 0 or now > purchase.deadline + waits + place * margin
            ):
                found.append(purchase)
        return found

    def _note_missed(self, held: CustodyView, purchase: Purchase) -> None:
        if held.slot.index in purchase.delivered or not held.is_obliged(purchase):
            return
        name = purchase.purchase_id.hex()
        if not self.notifier.is_open("missed", name):
            self.metrics.missed.inc()
            self._missed.add(held.slot.epoch.custody_id)
        self.notifier.notify(
            "missed",
            f"purchase {_short(purchase)} of {held.version.ref} was not delivered",
            about=name,
        )

    def _count_missed(self, held: CustodyView) -> None:
        """Count what a fine stands for, unless the purchase itself was counted."""
        if held.slot.epoch.custody_id not in self._missed:
            self._missed.add(held.slot.epoch.custody_id)
            self.metrics.missed.inc()

    def _due(self, held: CustodyView) -> list[Purchase]:
        """Return the purchases whose part is ours to post now, if they are certain."""
        if held.is_released or held.version.status is VersionStatus.REVOKED:
            return []
        slot, state, now = held.slot, held.state, self.view.block.timestamp
        window, margin = held.version.terms.delivery_seconds, self.policy.margin_seconds
        busy = named_purchases(f"deliver:{slot.index}", self._pending)
        return [
            p
            for p in held.purchases.values()
            if short_id(p) not in busy and is_due(p, slot, state, now, window, margin)
        ]

    def _find_certain(self, custodies: Iterable[CustodyView]) -> set[bytes]:
        """Return the ids of due purchases that are deep enough, and paid on a second word too.

        The catalogue leaves out purchases whose ids are not those of their buyers' keys, so an
        endpoint cannot make us multiply our share by a point of its choice.
        """
        chain, height = self.session.chain, self.view.block.number
        by_depth: dict[int, list[Purchase]] = {}
        for held in custodies:
            token = held.version.terms.token
            for purchase in self._due(held):
                price, default = purchase.receipt.price, chain.profile.confirmations
                needed = self.policy.confirmations_for(token, price, default)
                if purchase.block_number <= height - needed + 1:
                    by_depth.setdefault(needed, []).append(purchase)
        certain: set[bytes] = set()
        for needed, purchases in by_depth.items():
            try:
                paid, disputed = find_paid(chain, purchases, needed)
            except ChainError as error:  # what is not a delivery goes on
                is_dispute = isinstance(error, EndpointsDisagreeError)
                kind = "disagreement" if is_dispute else "chain"
                self._problem(kind, f"{len(purchases)} purchases are not certain: {error}")
                continue
            certain |= paid
            for purchase in disputed:
                self._problem(
                    "disagreement",
                    f"chain endpoints say different things about purchase {_short(purchase)}; "
                    "wait, and if it stays so replace one",
                )
        return certain

    def _extend(self, held: CustodyView, offer: ValidatorOffer | None) -> None:
        """Stay for another period where that is wanted and safe."""
        version, slot, state = held.version, held.slot, held.state
        now = self.view.block.timestamp
        if (
            self.view.gas < self.policy.gas_reserve
            or not self.view.is_actor
            or not still_suits(offer, version.terms, slot.epoch.custody)
            or not wants_extension(
                self.policy, version, slot.epoch, state, slot.index, now, held.keeping_balance
            )
        ):
            return
        # What is bought is delivered, or that costs stake; what is rotten is not kept for longer.
        if not self.dry_run:
            sample = self._sample(held)
            if sample is None or sample.rule.on_list is OnList.STOP:
                return
        plan = self._custodian.plan_extend
        if slot.index not in bits(state.active):
            plan = self._custodian.plan_join
            # Who joins answers for the unfinished purchases, too: deliver or refund them first.
            soon = now + 2 * self.policy.margin_seconds
            inherited = [
                p
                for p in held.purchases.values()
                if p.status is PurchaseStatus.PAID and slot.index not in p.delivered
            ]
            overdue_now = overdue(inherited, now)
            if overdue_now:
                busy = named_purchases("refund", self._pending)
                left = [p for p in overdue_now if short_id(p) not in busy]
                if left:
                    refunds = self._settlement.plan_refund(version, slot.epoch, left)
                    self._submit_all("refund", refunds)
                return
            if any(p.deadline <= soon for p in inherited):
                return
        self._submit("extend", plan(version, slot, state.end))

    def _release(self, held: CustodyView) -> None:
        """Free stakes whose obligation has ended, ours among them, in turn."""
        epoch, now = held.slot.epoch, self.view.block.timestamp
        stopped_at = held.version_stopped_at
        free = releasable(held.version, epoch, held.state, now, version_stopped_at=stopped_at)
        if held.slot.index not in free:
            return
        # Everybody's wait differs by a margin; since when it was due does not matter much.
        margin = self.policy.margin_seconds
        place = place_in_line(epoch.custody_id, free, held.slot.index)
        early = releasable(
            held.version, epoch, held.state, now - place * margin, version_stopped_at=stopped_at
        )
        if held.slot.index in early:
            if held.state.status is CustodyStatus.OPENED:
                self._submit("release", self._settlement.plan_lapse(held.version, epoch))
            else:
                self._submit("release", self._settlement.plan_release(held.version, epoch, free))

    # ------------------------------------------------------------ keys and bytes

    def _keep(self, held: CustodyView) -> None:
        """See to it that what we promised to keep is kept, also after a disk was lost."""
        if self.dry_run:
            return
        self._has_share(held)
        manifest = self._manifest(held)
        if manifest is not None:
            self._has_bytes(held, manifest)

    def _manifest(self, held: CustodyView) -> "Manifest | None":
        """Return a version's manifest once it was fetched."""
        storage, version = self.session.storage, held.version
        # One at a time for each seller, here and with shares: what one of them does not give out
        # must not hold all threads, each time for as long as a storage is waited for.
        job = self._shares.ask(
            ("manifest", version.terms_id),
            lambda: fetch_manifest(storage, version),
            group=version.terms.seller,
        )
        return cast("Manifest", job.result) if self._is_done(job, held, "manifest") else None

    def _sample(self, held: CustodyView) -> Preview | None:
        """Return how a version's sample stands now; None until it was looked at."""
        job = self._samples.ask(held.version)
        if not self._is_done(job, held, "sample"):
            return None
        return self._samples.current(held.version, job)

    def _has_bytes(self, held: CustodyView, manifest: "Manifest") -> bool:
        storage, terms = self.session.storage, held.version.terms_id
        work = partial(self._pinned.keep, storage, terms, manifest, self._bytes.check)
        job = self._bytes.ask(("bytes", terms), work, group=held.version.terms.seller)
        return self._is_done(job, held, "bytes")

    def _has_share(self, held: CustodyView) -> bool:
        session, version, slot = self.session, held.version, held.slot
        custody_id, share_key = slot.epoch.custody_id, slot.epoch.share_keys[slot.index - 1]
        if session.vault.find_share(custody_id, slot.index, share_key) is not None:
            return True
        work = partial(take_share, session, version, slot, self._encryption_keys)
        job = self._shares.ask(("share", custody_id), work, group=version.terms.seller)
        if job.is_done:  # and gone from the disk since
            self._shares.forget(("share", custody_id))
            return False
        return self._is_done(job, held, "share")

    def _is_done(self, job: "Job[object]", held: CustodyView, what: str) -> bool:
        """Whether a job is done; tells the operator where it fails."""
        matter = f"{what} {_name(held)}"
        if job.is_done:
            self.notifier.resolve("problem", matter)
            return True
        if job.error is not None and self._told_errors.get(matter) is not job.error:
            self._told_errors[matter] = job.error
            self.metrics.problems.labels(what).inc()
            text = f"{_title(held)}: {_reason(job.error)}"
            if held.is_accepted:
                self.notifier.notify("problem", text, about=matter)
            elif isinstance(job.error, KeysError):
                self.notifier.notify("refused", text, about=matter)
            else:  # a stranger's data that cannot be had is the stranger's problem
                log.info("%s", text)
        return False

    def _encryption_keys(self) -> list[bytes]:
        """Return the private keys of all keys that the validator has registered, newest first."""
        session = self.session
        registered = tuple(Catalogue.of(session).encryption_keys(self.view.validator))
        if self._keys[0] != registered:
            found = find_encryption_keys(
                session.signer.sign_typed,
                registered,
                chain_id=session.profile.chain_id,
                market=session.chain.market.address,
                validator=self.view.validator,
            )
            # The newest first: almost every share is sealed to it.
            keys = [found[key] for key in reversed(registered) if key in found]
            self._keys = registered, keys
            if registered[-1] not in found:
                self.notifier.notify(
                    "problem",
                    "the newest registered encryption key is not this operator's, so no new share "
                    "can be opened; register one with `truthmark stake rotate-key`",
                )
        return self._keys[1]

    def _stop_tracking(self, held: CustodyView) -> None:
        """Look at a custody no more, and drop its bytes unless another one needs them."""
        self.view.forget(held)
        custody_id, terms_id = held.slot.epoch.custody_id, held.version.terms_id
        self._refused.pop(custody_id, None)
        self._seen.pop(custody_id, None)
        if not self.dry_run:
            self._samples.forget(held.version)
            self._leaving[custody_id] = terms_id
            self._drop()

    def _drop(self) -> None:
        """Free what was let go; a store that is being written to is asked again."""
        needed = {held.version.terms_id for held in self.view.custodies}
        for custody_id, terms_id in list(self._leaving.items()):
            name = "drop", custody_id
            if terms_id not in needed:
                self._bytes.forget(("bytes", terms_id))
                work = partial(self._pinned.drop, self.session.storage, terms_id)
                if not self._bytes.ask(name, work).is_done:
                    continue
            self._bytes.forget(name)
            del self._leaving[custody_id]

    # ------------------------------------------------------------------ sending

    def _submit_all(self, kind: str, calls: Iterable[PlannedCall]) -> None:
        for planned in calls:
            self._submit(kind, planned)

    def _submit(self, kind: str, planned: PlannedCall) -> None:
        """Send a transaction, once, without waiting for it.

        What took effect and is due all the same (a reorganisation put it before its cause) is sent
        again under another name, but not for ever. What a contract refuses is mostly what somebody
        else was faster with; what stays due is met again in the next round.

        Raises:
            ChainError: It cannot be sent now.
        """
        if self.dry_run:
            if planned.key not in self._pending:  # say it once
                self._pending.add(planned.key)
                log.info("would %s: %s", kind, planned.purpose)
            return
        journal = self.session.journal
        for number in range(1, MAX_REPEATS + 1):
            key = planned.key if number == 1 else f"{planned.key}#{number}"
            if key in self._pending:
                return
            done = journal.result(key)
            if done is None or not done.succeeded:
                try:
                    journal.submit(
                        planned.call.intent(key, planned.purpose, not_after=planned.not_after)
                    )
                except RevertedError as error:
                    self._note_refusal(planned, error)
                    return
                self._pending.add(key)
                self._refusals.pop(planned.key, None)
                self.metrics.actions.labels(kind).inc()
                log.info("%s (%s)", planned.purpose, key, extra={"kind": kind})
                return
            if done.block_number > self.view.tip:
                return  # it is so new that what we know does not show it yet
        raise ChainError(f"{planned.purpose} took effect {MAX_REPEATS} times and is due again")

    def _note_refusal(self, planned: PlannedCall, error: RevertedError) -> None:
        self._problem("refused", f"{planned.purpose}: {error}")
        self._refusals[planned.key] += 1
        if self._refusals[planned.key] == MAX_REPEATS:
            self.notifier.notify(
                "problem", f"{planned.purpose} is refused again and again: {error}"
            )

    def _problem(self, kind: str, text: str) -> None:
        self.metrics.problems.labels(kind).inc()
        log.info("%s", text)


def _urgency(held: CustodyView) -> tuple[bool, float]:
    """Sort obligations before what may become one, and the nearest delivery first."""
    waiting = [
        p.deadline
        for p in held.purchases.values()
        if p.status is PurchaseStatus.PAID and held.slot.index not in p.delivered
    ]
    return not held.is_accepted, min(waiting, default=math.inf)


def _name(held: CustodyView) -> str:
    return f"0x{held.slot.epoch.custody_id.hex()[:16]}"


def _short(purchase: Purchase) -> str:
    return f"0x{purchase.purchase_id.hex()[:16]}"


def _title(held: CustodyView) -> str:
    return f"custody {_name(held)} of {held.version.ref}"


def _reason(error: Exception) -> str:
    """Say an error in a line; one that nobody foresaw with its kind."""
    return str(error) if isinstance(error, TruthmarkError) else f"{type(error).__name__}: {error}"
