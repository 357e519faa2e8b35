# SPDX-License-Identifier: Apache-2.0
"""The role `custodian`: accept by the offer, pin, deliver by turn, extend, leave.

Everything is decided anew in each round from the chain and the storage. The disk only saves work:
a node that lost it derives its keys, opens its shares again and fetches what it has to keep.
"""

import logging
from collections import Counter
from typing import TYPE_CHECKING

from truthmark.cid import raw_cid
from truthmark.codec import Manifest, check_index, container_cid
from truthmark.codec.index import Index
from truthmark.errors import (
    ChainError,
    CodecError,
    IntegrityError,
    KeysError,
    StorageError,
    TruthmarkError,
)
from truthmark.keys.encryption import find_encryption_keys
from truthmark.market.catalogue import EpochState, Offer, Purchase, Version
from truthmark.market.custodian import Custodian, Seat, is_due, seats
from truthmark.market.records import CustodyStatus, PurchaseStatus, bits
from truthmark.market.selling import licence_hash
from truthmark.market.upkeep import Upkeep, inspected, overdue, releasable
from truthmark.node.policy import Policy, refusal, version_bytes, wants_extension
from truthmark.node.status import Health, Metrics, Notifier

if TYPE_CHECKING:
    from truthmark.market.session import Session

log = logging.getLogger(__name__)


class CustodianRole:
    """A validator's custodies.

    Args:
        session: Its account is the validator's operator (or owner).
        validator: The validator's address.
        policy: The node's limits.
        metrics: Counts what is done.
        notifier: Tells the operator.
        dry_run: Decide and log, but send nothing.
    """

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
        self.validator = validator
        self.policy = policy
        self.metrics = metrics
        self.notifier = notifier
        self.dry_run = dry_run
        self._custodian = Custodian(session)
        self._upkeep = Upkeep(session)
        self._keys: dict[bytes, bytes] = {}
        self._refused: set[bytes] = set()
        self._missed: set[bytes] = set()

    def round(self, health: Health) -> None:
        """Look at everything once, and do what is due.

        Trouble with one custody does not keep the others waiting: it is logged and met again in
        the next round.

        Raises:
            ChainError: The chain cannot be read.
        """
        session = self.session
        session.catalogue.sync()
        head = session.chain.block()
        mine = seats(session.catalogue.epochs(), self.validator)
        states = session.catalogue.states([seat.epoch for seat in mine])
        versions = {v.terms_id: v for v in session.catalogue.versions()}
        waiting = Counter(
            versions[seat.epoch.custody.terms_id].terms.seller
            for seat, state in zip(mine, states, strict=True)
            if state.status is CustodyStatus.OPENED and seat.index in bits(state.accepted)
        )
        gas = session.chain.balance(session.address)
        self.metrics.gas.set(gas)
        if gas < self.policy.gas_reserve:
            self.notifier.tell(
                "low-gas",
                f"account {session.address} is below the gas reserve; no new duty is taken",
            )
        on_duty = 0
        # Deliveries first: they have deadlines that cost stake.
        order = sorted(
            zip(mine, states, strict=True),
            key=lambda pair: pair[1].status is not CustodyStatus.LIVE,
        )
        for seat, state in order:
            version = versions[seat.epoch.custody.terms_id]
            try:
                waiting_here = waiting[version.terms.seller]
                if self._tend(version, seat, state, head.timestamp, gas, waiting_here):
                    on_duty += 1
            except (KeysError, StorageError, CodecError) as error:
                self.notifier.tell("problem", f"custody of {version.ref}: {error}")
            except ChainError as error:
                log.warning("custody of %s: %s", version.ref, error)
                self.metrics.problems.inc()
        health.block, health.chain_time, health.custodies = head.number, head.timestamp, on_duty
        self.metrics.block.set(head.number)
        self.metrics.custodies.set(on_duty)

    # -------------------------------------------------------------- one custody

    def _tend(
        self,
        version: Version,
        seat: Seat,
        state: EpochState,
        now: int,
        gas: int,
        waiting: int,
    ) -> bool:
        """Do what one custody needs, and tell whether it is a duty of ours."""
        index = seat.index
        if index not in bits(state.accepted):
            if state.status is CustodyStatus.OPENED and gas >= self.policy.gas_reserve:
                return self._consider(version, seat, now, waiting)
            return False
        if index in bits(state.released):
            self._unpin(version)
            return False
        if state.status in (CustodyStatus.LIVE, CustodyStatus.CLOSED):
            self._sell(version, seat, state, now)
        if state.status is CustodyStatus.LIVE:
            self._extend(version, seat, state, now)
        if index in releasable(version, seat.epoch, state, now) and self._act("release"):
            self._upkeep.release(version, seat.epoch, releasable(version, seat.epoch, state, now))
        return True

    def _consider(self, version: Version, seat: Seat, now: int, waiting: int) -> bool:
        """Accept a custody that suits the offer; checked and pinned first."""
        epoch = seat.epoch
        if epoch.custody_id in self._refused:
            return False
        manifest = self._manifest(version)
        known = [(v.terms.public_key, v.terms_id) for v in self.session.catalogue.versions()]
        reason = refusal(
            self.policy,
            self._offer(),
            version,
            epoch,
            now=now,
            size=version_bytes(manifest),
            waiting=waiting,
            known_keys=known,
        )
        if reason is not None:
            log.info("custody of %s is not accepted: %s", version.ref, reason)
            if now > epoch.custody.accept_until:
                self._refused.add(epoch.custody_id)
            return False
        try:
            self._take_share(version, seat)
        except KeysError as error:
            self._refused.add(epoch.custody_id)
            self.notifier.tell("refused", f"custody of {version.ref}: {error}")
            return False
        self._pin(version, manifest)
        if not self._act("accept"):
            return False
        self._custodian.accept(version, seat)
        self.notifier.tell(
            "accepted",
            f"custody of {version.ref} (0x{epoch.custody_id.hex()[:16]}) as custodian {seat.index}",
        )
        return True

    def _sell(self, version: Version, seat: Seat, state: EpochState, now: int) -> None:
        """Deliver what is due, refund what is overdue, settle what was inspected."""
        session, policy = self.session, self.policy
        purchases = session.catalogue.purchases(custody_id=seat.epoch.custody_id)
        # What is overdue first: it closes the custody, and whoever joins must not inherit it.
        late = overdue(purchases, now)
        for purchase in late:
            if seat.index not in purchase.delivered and purchase.purchase_id not in self._missed:
                self._missed.add(purchase.purchase_id)
                self.metrics.missed.inc()
                self.notifier.tell(
                    "missed", f"purchase 0x{purchase.purchase_id.hex()[:16]} of {version.ref}"
                )
        if late and self._act("refund"):
            self._upkeep.refund(late)
        due = [
            p
            for p in purchases
            if is_due(p, seat, state, now, version.terms.delivery_seconds, policy.margin_seconds)
            and self._is_certain(p)
        ]
        if due:
            self._take_share(version, seat)
            if self._act("deliver"):
                self._custodian.deliver(version, seat, due)
        done = [p for p in inspected(purchases, now) if seat.index in p.delivered]
        if done and self._act("settle"):
            self._upkeep.settle(done)

    def _is_certain(self, purchase: Purchase) -> bool:
        """Whether a purchase is deep enough, and paid on a second endpoint's word too."""
        chain = self.session.chain
        needed = self.policy.confirmations_for(purchase.receipt.price, chain.profile.confirmations)
        block = chain.final_block(needed)
        if purchase.block_number > block.number:
            return False
        state = chain.agreed_call(chain.market.functions.purchases(purchase.purchase_id), block)
        return bool(state[0] == PurchaseStatus.PAID)

    def _extend(self, version: Version, seat: Seat, state: EpochState, now: int) -> None:
        pot = self.session.chain.registry.functions.pots(version.terms_id).call()
        if wants_extension(
            self.policy,
            version,
            seat.epoch,
            end=state.end,
            active=state.active,
            votes=state.votes,
            previous_active=state.previous_active,
            previous_end=state.previous_end,
            index=seat.index,
            now=now,
            pot=pot,
        ) and self._act("extend"):
            self._custodian.extend(version, seat, state.end)
            self.notifier.tell("extended", f"custody of {version.ref} beyond {state.end}")

    # ------------------------------------------------------------ keys and bytes

    def _take_share(self, version: Version, seat: Seat) -> None:
        """Make sure that the vault has the share, opening it from the sealed ones if need be."""
        vault, epoch = self.session.vault, seat.epoch
        share_key = epoch.share_keys[seat.index - 1]
        if vault.find_share(epoch.custody_id, seat.index, share_key) is not None:
            return
        failure: KeysError | None = None
        for private_key in self._encryption_keys().values():
            try:
                self._custodian.take_share(version, seat, private_key)
                return
            except KeysError as error:
                failure = error
        raise failure or KeysError("the validator has registered no encryption key; register one")

    def _encryption_keys(self) -> dict[bytes, bytes]:
        """Return the private keys of all keys that the validator has registered."""
        session = self.session
        registered = session.catalogue.encryption_keys(self.validator)
        if not set(registered) <= set(self._keys):
            self._keys = find_encryption_keys(
                session.signer.sign_typed,
                registered,
                chain_id=session.profile.chain_id,
                market=session.chain.market.address,
                validator=self.validator,
            )
        # The newest first: almost every share is sealed to it.
        return {key: self._keys[key] for key in reversed(registered) if key in self._keys}

    def _manifest(self, version: Version) -> Manifest:
        """Fetch a version's manifest and check it against the terms."""
        data = self.session.storage.read_block(raw_cid(version.terms.manifest))
        manifest, terms = Manifest.from_bytes(data), version.terms
        if (
            manifest.root != terms.root
            or manifest.count != terms.shard_count
            or manifest.public_key != terms.public_key
            or licence_hash(manifest.licence) != terms.licence
        ):
            raise IntegrityError(f"the manifest of {version.ref} contradicts its terms")
        return manifest

    def _pin(self, version: Version, manifest: Manifest) -> None:
        """Keep container, index, manifest and card, checked against what is on the chain."""
        storage = self.session.storage
        index = Index.from_bytes(
            storage.read_range(manifest.index, 0, manifest.index_size), manifest.count
        )
        # The root commits to the shards' hashes, and these to the container's CID, so what is
        # pinned under that CID is what buyers check; none of its bytes need be read for it.
        check_index(index, manifest)
        container_cid(index, manifest)
        for cid in (manifest.container, manifest.index, manifest.card, manifest.cid):
            storage.pin(cid)

    def _unpin(self, version: Version) -> None:
        """Let go of a version's bytes when no other duty needs them."""
        session = self.session
        mine = seats(session.catalogue.epochs(version.terms_id), self.validator)
        for seat, state in zip(
            mine, session.catalogue.states([s.epoch for s in mine]), strict=True
        ):
            if seat.index in bits(state.accepted) and seat.index not in bits(state.released):
                return
        try:
            manifest = self._manifest(version)
        except TruthmarkError:
            return  # nothing of it is here any more
        pinned = set(session.storage.pins())
        for cid in (manifest.container, manifest.index, manifest.card, manifest.cid):
            if cid in pinned:
                session.storage.unpin(cid)

    def _offer(self) -> Offer | None:
        for offer in self.session.catalogue.offers():
            if offer.validator.address == self.validator:
                self.metrics.free_stake.set(offer.free_stake)
                return offer
        return None

    def _act(self, kind: str) -> bool:
        """Count an action, and tell whether it may be done."""
        if self.dry_run:
            log.info("would %s", kind)
            return False
        self.metrics.actions.labels(kind).inc()
        return True
