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
from typing import TYPE_CHECKING

from truthmark.errors import (
    ChainError,
    EndpointsDisagreeError,
    GasError,
    TruthmarkError,
)
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import Custodian, CustodySlot, accept_key, is_due
from truthmark.market.entries import Purchase, ValidatorOffer
from truthmark.market.planned_call import MAX_BATCH, named_purchases, short_id
from truthmark.market.preview import RULES, OnList, Preview, remembered_states
from truthmark.market.records import CustodyStatus, VersionStatus, bits
from truthmark.market.settlement import Settlement, inspected, overdue, releasable
from truthmark.node.certainty import find_paid
from truthmark.node.holdings import Holdings
from truthmark.node.policy import (
    Policy,
    place_in_line,
    refusal,
    settle_wait,
    still_suits,
    version_bytes,
    wants_extension,
)
from truthmark.node.rounds import reason_of
from truthmark.node.sending import Sender
from truthmark.node.status import Metrics, Notifier
from truthmark.node.view import CustodyView, View
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.connection import Block

log = logging.getLogger(__name__)

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
        session: Session,
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
        self._holdings = Holdings(session, validator, metrics=metrics, notifier=notifier)
        self._sender = Sender(session, metrics=metrics, notifier=notifier, dry_run=dry_run)
        self._missed: set[bytes] = set()
        self._refused: dict[bytes, str] = {}
        self._seen: dict[bytes, CustodyView] = {}
        self._certain: set[bytes] = set()
        """ids of purchases whose part is due in this round and may be posted"""
        self._obliged = 0

    def close(self) -> None:
        """End the work beside the rounds."""
        self._holdings.close()

    def health(self) -> Mapping[str, int]:
        """Return how many custodies it answers for, and transactions that are not confirmed yet."""
        return {"custodies": self._obliged, "sent": len(self._sender.pending)}

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
            self._sender.resume()
        view.refresh()
        self._sender.tip = view.tip
        self._update_metrics()
        self._holdings.drop(view.custodies)
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
                self.notifier.resolve("problem", held.name)
            except GasError as error:
                self._problem("gas", f"{held.title}: {error}")
                self.notifier.notify("problem", str(error), about="gas")
            except ChainError as error:
                self._problem("chain", f"{held.title}: {error}")
            except Exception as error:  # no custody may keep the others from being served
                if not isinstance(error, TruthmarkError):
                    log.exception("%s", held.title)
                self.metrics.problems.labels("custody").inc()
                text = f"{held.title}: {reason_of(error)}"
                self.notifier.notify("problem", text, about=held.name)
        self._obliged = obliged
        self.metrics.custodies.set(obliged)
        self.metrics.sent.set(len(self._sender.pending))
        return view.block

    def _update_metrics(self) -> None:
        view, account = self.view, self.session.address
        self.metrics.gas.set(view.gas)
        self.metrics.free_stake.set(view.free_stake)
        self.metrics.purchases.set(
            sum(len(held.waiting) for held in view.custodies if held.is_accepted)
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
        self._keep(held, offer)
        return True

    def _is_outdated(self, held: CustodyView) -> bool:
        """Whether what the chain says of a custody is worth nothing; tells the operator once.

        Letting go of an obligation cannot be undone and costs stake, so it never follows from such
        an answer.
        """
        matter = f"outdated {held.name}"
        if not held.is_outdated:
            self.notifier.resolve("problem", matter)
            return False
        self.metrics.problems.labels("outdated").inc()
        text = (
            f"{held.title}: a chain endpoint knows less of it than its own logs say; nothing is "
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
            self.notifier.notify("fined", f"{held.title}: silent about a purchase")
        if before is None:
            return
        if fined and held.slot.index not in bits(before.state.fined):
            self._count_missed(held)  # somebody else refunded before we saw it
        if held.is_accepted and not before.is_accepted:
            self.notifier.notify("accepted", f"{held.title} as custodian {held.slot.index}")
        was_obliged = held.slot.index in bits(before.state.active)
        is_obliged = held.slot.index in bits(now.active)
        was_live = before.state.status is CustodyStatus.LIVE
        if was_live and is_obliged and (now.end > before.state.end or not was_obliged):
            self.notifier.notify("extended", f"{held.title} until {now.end}")
        if was_obliged and not is_obliged:
            self.notifier.notify("leaving", f"{held.title} at {now.previous_end}")
        if now.status in _ENDED and before.state.status not in _ENDED and held.is_accepted:
            self.notifier.notify("ended", f"{held.title} is {now.status.name.lower()}")
        if held.is_released and not before.is_released:
            self.notifier.notify("released", f"{held.title}; its stake is free")

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
            log.info("would fetch, check and accept %s", held.title)
            return False
        manifest = self._holdings.manifest(held) if reason is None else None
        sample: Preview | None = None
        if manifest is not None:
            reason = why_not(version_bytes(manifest))
            # Seen before stake is locked for it; custodians of rubbish earn nothing.
            sample = self._holdings.sample(held) if reason is None else None
            if sample is not None:
                reason = why_not(version_bytes(manifest), sample)
        if reason is not None and self._refused.get(epoch.custody_id) != reason:
            self._refused[epoch.custody_id] = reason
            log.info("%s is not accepted: %s", held.title, reason)
        if reason is not None or manifest is None or sample is None:
            return False
        waiting[version.terms.seller] += 1  # also those whose bytes are still coming
        # Both are asked for, so that they come at the same time.
        has_share = self._holdings.has_share(held)
        most = None if offer is None else offer.max_bytes
        has_bytes = self._holdings.has_bytes(held, manifest, most=most)
        if not has_share or not has_bytes:
            return False
        # Whatever was looked at follows from the index, and stake is locked for it.
        known = self.session.follower.index.tip().generation
        self.session.follower.require_agreed()
        if self.session.follower.index.tip().generation == known:
            self._sender.submit("accept", self._custodian.plan_accept(version, held.slot))
        return False

    def _sell(self, held: CustodyView) -> None:
        """Deliver what is due, refund what is overdue, settle what was inspected."""
        now, index = self.view.block.timestamp, held.slot.index
        version, slot, state = held.version, held.slot, held.state
        purchases = list(held.purchases.values())
        due = [p for p in self._due(held) if p.purchase_id in self._certain]
        if due and self._holdings.has_share(held):
            self._sender.submit_all("deliver", self._custodian.plan_deliver(version, slot, due))

        late = overdue(purchases, now)
        for purchase in late:
            self._note_missed(held, purchase)
        # Those obliged answer for it, in turn: it closes the custody, and the buyer is repaid.
        mine = self._in_turn(late, "refund", bits(state.active), held)
        if mine:
            self._sender.submit_all(
                "refund", self._settlement.plan_refund(version, slot.epoch, mine)
            )

        ready = [p for p in inspected(purchases, now) if index in p.delivered]
        if len(ready) < MAX_BATCH:
            wait = settle_wait(self.policy, version.terms)
            if all(now <= p.deadline + wait for p in ready):
                return
        mine = self._in_turn(ready, "settle", None, held)
        if mine:
            self._sender.submit_all(
                "settle", self._settlement.plan_settle(version, slot.epoch, mine)
            )

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
        busy = named_purchases(kind, self._sender.pending)
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
        busy = named_purchases(f"deliver:{slot.index}", self._sender.pending)
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
        if not self.dry_run and self._is_held_back(held):
            return
        plan = self._custodian.plan_extend
        if slot.index not in bits(state.active):
            plan = self._custodian.plan_join
            # Who joins answers for the unfinished purchases, too: deliver or refund them first.
            soon = now + 2 * self.policy.margin_seconds
            overdue_now = overdue(held.waiting, now)
            if overdue_now:
                busy = named_purchases("refund", self._sender.pending)
                left = [p for p in overdue_now if short_id(p) not in busy]
                if left:
                    refunds = self._settlement.plan_refund(version, slot.epoch, left)
                    self._sender.submit_all("refund", refunds)
                return
            if any(p.deadline <= soon for p in held.waiting):
                return
        self._sender.submit("extend", plan(version, slot, state.end))

    def _is_held_back(self, held: CustodyView) -> bool:
        """Whether data is rotten, or there is time to look whether it is."""
        sample = self._holdings.sample(held)
        if sample is not None:
            return sample.rule.on_list is OnList.STOP
        slot, state, policy = held.slot, held.state, self.policy
        end = state.end if slot.index in bits(state.active) else state.previous_end
        third = slot.epoch.custody.period_seconds // 3
        # For half of the time in which it may extend.
        if self.view.block.timestamp < end - (third + policy.margin_seconds) // 2:
            return True
        # Then what keeps this computer from looking, of which nobody is guilty, ends no custody.
        terms_id = held.version.terms_id
        known = remembered_states(self.session, [terms_id]).get(terms_id)
        return known is not None and RULES[known[0]].on_list is OnList.STOP

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
                self._sender.submit("release", self._settlement.plan_lapse(held.version, epoch))
            else:
                self._sender.submit(
                    "release", self._settlement.plan_release(held.version, epoch, free)
                )

    def _keep(self, held: CustodyView, offer: ValidatorOffer | None) -> None:
        """See to it that what we promised to keep is kept, also after a disk was lost."""
        if self.dry_run:
            return
        self._holdings.has_share(held)
        manifest = self._holdings.manifest(held)
        if manifest is not None:
            most = None if offer is None else offer.max_bytes
            self._holdings.has_bytes(held, manifest, most=most)

    def _stop_tracking(self, held: CustodyView) -> None:
        """Look at a custody no more, and drop its bytes unless another one needs them.

        Two endpoints, where there are two, have to say so: what is dropped may be nowhere else.

        Raises:
            ChainError: They do not agree, or do not answer.
        """
        chain, slot = self.session.chain, held.slot
        final = chain.final_block()
        state = chain.agreed_call(chain.registry.functions.custodies(slot.epoch.custody_id), final)
        # What is not so there is not so for good, or by one endpoint's word only.
        if slot.index not in bits(state.accepted):
            is_over = (
                CustodyStatus(state.status) in _ENDED
                or final.timestamp > slot.epoch.custody.accept_until
            )
            if not is_over or self._has_sent_accept(slot):
                return  # ours may stand in a newer block
        elif slot.index not in bits(state.released):
            return
        self.view.forget(held)
        custody_id = held.slot.epoch.custody_id
        self._refused.pop(custody_id, None)
        self._seen.pop(custody_id, None)
        if not self.dry_run:
            self._holdings.let_go(held)
            self._holdings.drop(self.view.custodies)

    def _has_sent_accept(self, slot: CustodySlot) -> bool:
        """Whether it is not known yet what became of an acceptance."""
        key = accept_key(slot)
        return any(pending.partition("#")[0] == key for pending in self._sender.pending)

    def _problem(self, kind: str, text: str) -> None:
        self.metrics.problems.labels(kind).inc()
        log.info("%s", text)


def _urgency(held: CustodyView) -> tuple[bool, float]:
    """Sort obligations before what may become one, and the nearest delivery first."""
    return not held.is_accepted, min((p.deadline for p in held.waiting), default=math.inf)


def _short(purchase: Purchase) -> str:
    return f"0x{purchase.purchase_id.hex()[:16]}"
