# SPDX-License-Identifier: Apache-2.0
"""What a buyer does: pay, receive the key, open, dispute, take the money back."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truthmark.errors import (
    ChainError,
    DeliveryError,
    KeysError,
    MarketError,
    PriceError,
    UnrepeatableSignatureError,
)
from truthmark.keys.delivery import purchase_base
from truthmark.keys.purchase import PurchaseKey, derive_key, new_salt, random_key
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.evidence import draft_evidence
from truthmark.market.drafts.order import (
    content_key,
    draft_order,
    key_point,
    verified_parts,
)
from truthmark.market.endings import why_revoked
from truthmark.market.entries import Epoch, Purchase, Version
from truthmark.market.fetch import Fetcher, require_of
from truthmark.market.permits import sign_permit
from truthmark.market.preview import require_still
from truthmark.market.quote import NO_VOUCHER, Quote, Quoter
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.market.seller import require_open
from truthmark.market.settlement import Settlement
from truthmark.session import Session
from truthmark.types import Point, Progress

if TYPE_CHECKING:
    from truthmark.chain.transactions import TransactionReceipt
    from truthmark.codec import WrongKey

NO_PERMIT = (0, 0, bytes(32), bytes(32))
NO_ADMISSION = (0, b"")

_DISPUTE_GAS = 200_000
_DISPUTE_GAS_PART = 50_000
"""Units of gas for a dispute with refund and withdrawals, and for each part of the key in it."""

Say = Callable[[str], None]
"""Told what happens, a line at a time."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A bought version with the key that opens it."""

    version: Version
    purchase: Purchase
    epoch: Epoch
    folder: Path
    """with container, index, manifest and card, all verified"""
    cek: bytes = field(repr=False)


class WrongKeyDispute(DeliveryError):
    """The delivered key does not open a shard that the seller committed to.

    Attributes:
        opened: The purchase, with the key that is wrong.
        wrong: The shard that shows it.
        reward: What the dispute brings the buyer beside their money, in the token's smallest unit.
    """

    def __init__(self, opened: Opened, wrong: "WrongKey", reward: int, text: str) -> None:
        """Hold all that `Buyer.dispute` needs."""
        super().__init__(text)
        self.opened = opened
        self.wrong = wrong
        self.reward = reward


class Buyer(Fetcher, Quoter):
    """A buyer's side of a session; the session's account is the buyer.

    Args:
        session: Whose account, vault and storage are used.
        say: Told what happens.
    """

    def __init__(self, session: Session, say: Say | None = None) -> None:
        """Use a session."""
        super().__init__(session)
        self.say = say or (lambda text: None)

    # ----------------------------------------------------------------- buying

    def find_purchase(self, version: Version) -> Purchase | None:
        """Return the account's newest purchase of a version that was not refunded, if any."""
        found = [
            p
            for p in Catalogue.of(self.session).purchases(
                buyer=self.session.address, terms_id=version.terms_id
            )
            if p.status is not PurchaseStatus.REFUNDED
        ]
        return found[-1] if found else None

    def require_purchase(self, version: Version) -> Purchase:
        """Return what `find_purchase` does.

        Raises:
            MarketError: The account has not bought it.
        """
        purchase = self.find_purchase(version)
        if purchase is None:
            raise MarketError(f"this account has not bought {version.ref}; choose another one")
        return purchase

    def find_earlier(self, version: Version) -> Purchase | None:
        """Return the purchase to go on with; None where a first payment is due.

        Whatever an earlier run of this home began comes first, or it could be paid for twice.

        Raises:
            BoughtBeforeError: It was bought before, and it is not sure that the money came back.
            ChainError: Too few endpoints answer, or they say different things.
        """
        # With it comes all that asks endpoints, which who only looks at a quote does not need.
        from truthmark.market.paid import require_unpaid

        self.session.journal.resume()
        Catalogue.of(self.session).sync()
        purchase = self.find_purchase(version)
        if purchase is None:
            require_unpaid(self.session, version)
        return purchase

    def purchase_key(self) -> PurchaseKey:
        """Make the key of a new purchase; it is on disk when this returns.

        The first time, the wallet is asked twice. Where its signatures differ, the key is random
        and a recovery file is written to the folder `recovery` of the home first.
        """
        session = self.session
        place: dict[str, Any] = {
            "chain_id": session.profile.chain_id,
            "market": session.chain.market.address,
            "account": session.address,
            "salt": new_salt(),
        }
        try:
            key = derive_key(
                session.signer.sign_typed,
                is_known=session.vault.is_repeatable(session.address),
                **place,
            )
            session.vault.mark_repeatable(session.address)
        except UnrepeatableSignatureError:
            folder = session.home / "recovery"
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"purchase-{place['salt'].hex()[:16]}.json"
            key = random_key(path, **place)
            self.say(f"this wallet cannot repeat signatures; keep {path}, it opens the data")
        session.vault.put_purchase_key(key)
        return key

    def buy(
        self,
        quote: Quote,
        *,
        max_total: int,
        voucher: Sequence[Any] = NO_VOUCHER,
        admission: Sequence[Any] = NO_ADMISSION,
        again: bool = False,
    ) -> Purchase:
        """Pay. The purchase's key is on disk before the transaction is sent.

        Args:
            quote: What to buy.
            max_total: The most to pay, fees included, in the token's smallest unit.
            voucher: A `struct Voucher` that the seller signed.
            admission: A `struct Admission` that the gate signed.
            again: Pay also where the version was bought before; each such call pays.

        Raises:
            PriceError: It costs more than `max_total`.
            BoughtBeforeError: It was bought before, and it is not sure that the money came back.
            NotForSaleError: Something of it was opened since this computer looked, and is rotten.
            ChainError: The market refuses, or is not reached; nothing is paid twice by repeating.
        """
        session = self.session
        self._require_within(quote, max_total)
        # Two processes could both find that nothing was bought yet, and both pay.
        with session.exclusive(f"buy-{session.address}-{quote.version.terms_id.hex()}"):
            if not again and (earlier := self.find_earlier(quote.version)):
                return earlier
            self._require_unchanged(quote, voucher)
            require_still(session, quote.version, quote.agreed)
            permit = self._permit(quote)
            nonce = None
            if not again:
                # If the account buys on another machine as well, before it is looked at once more,
                # that is seen; if later, that takes this nonce, and this one is never mined.
                nonce = session.journal.next_nonce()
                if earlier := self.find_earlier(quote.version):
                    return earlier
            return self._pay(quote, permit, voucher, admission, nonce)

    def _require_unchanged(self, quote: Quote, voucher: Sequence[Any]) -> None:
        """Refuse what is not for sale any more as it was quoted; the market would, too."""
        version, session = quote.version, self.session
        status, listed = Catalogue.of(session).status(version)
        require_open(version, status)
        if not voucher[1] and listed != quote.price:
            show, token = session.profile.amount, version.terms.token
            raise PriceError(
                f"{version.ref} costs {show(listed, token)} now instead of "
                f"{show(quote.price, token)}; nothing was paid, look again before you buy"
            )

    def _permit(self, quote: Quote) -> Sequence[Any]:
        """Return what lets the market take what a purchase costs; it may be allowed already."""
        session, token = self.session, quote.version.terms.token
        market, contract = session.chain.market.address, session.token(token)
        if contract.functions.allowance(session.address, market).call() >= quote.total:
            return NO_PERMIT
        signed = sign_permit(session, contract, market, quote.total)
        if signed is None:
            session.allow(token, market, quote.total)
        return signed or NO_PERMIT

    def _pay(
        self,
        quote: Quote,
        permit: Sequence[Any],
        voucher: Sequence[Any],
        admission: Sequence[Any],
        nonce: int | None,
    ) -> Purchase:
        session = self.session
        key = self.purchase_key()
        terms, epoch = quote.version.terms, quote.epoch
        order = draft_order(terms, epoch.custody, key, quote.price)
        market = session.chain.market
        purchase_id = order.receipt.purchase_id(epoch.custody_id)
        extras = [tuple(permit), tuple(voucher), tuple(admission)]
        while extras and extras[-1] in (NO_PERMIT, NO_VOUCHER, NO_ADMISSION):
            extras.pop()
        session.send(
            market.functions.buy(
                order.astuple(), terms.astuple(), epoch.custody.astuple(), *extras
            ),
            f"buy:{purchase_id.hex()}",
            f"buy {quote.version.ref}",
            nonce=nonce,
        )
        Catalogue.of(session).sync()
        return self._purchase(purchase_id)

    def _purchase(self, purchase_id: bytes) -> Purchase:
        session = self.session
        found = Catalogue.of(session).purchases(purchase_id=purchase_id)
        if not found:
            # A reorganisation may have taken it off the chain; what this home sent goes out again.
            session.journal.resume()
            Catalogue.of(session).sync()
            found = Catalogue.of(session).purchases(purchase_id=purchase_id)
        if not found:
            raise MarketError("the purchase is not on the chain any more; run the command again")
        return found[0]

    # -------------------------------------------------------------- receiving

    def wait(
        self, purchase: Purchase, progress: Progress | None = None, poll: float | None = None
    ) -> Purchase:
        """Wait until enough custodians have delivered.

        Args:
            purchase: The purchase.
            progress: Called with parts delivered and needed.
            poll: Seconds between looks; from the profile's block time if not given.

        Raises:
            DeliveryError: The window has passed, or the money came back already.
        """
        session = self.session
        Catalogue.of(session).sync()
        needed = Catalogue.of(session).epoch(purchase.custody_id).custody.threshold
        pause = session.profile.poll_seconds if poll is None else poll
        while True:
            Catalogue.of(session).sync()
            purchase = self._purchase(purchase.purchase_id)
            if progress is not None:
                progress(min(len(purchase.delivered), needed), needed)
            if purchase.status.has_key:
                return purchase
            if purchase.status is PurchaseStatus.REFUNDED:
                raise DeliveryError("this purchase was refunded; buy again")
            version = Catalogue.of(session).with_terms(purchase.terms_id)
            if version.status is VersionStatus.REVOKED:
                raise DeliveryError(
                    f"the sale was ended, as {why_revoked(session, version)}; take your money back "
                    "with `truthmark refund`"
                )
            if session.chain.time() > purchase.deadline:
                raise DeliveryError(
                    f"{len(purchase.delivered)} of {needed} parts came in time; take your money "
                    "back with `truthmark refund`"
                )
            time.sleep(pause)

    def receive(self, version: Version, purchase: Purchase, folder: Path) -> Opened:
        """Combine the delivered parts and check that the key opens every shard.

        Raises:
            WrongKeyDispute: It does not; `dispute` with it.
            ProofError: An endpoint lies about a delivery.
            EndpointsDisagreeError: It does not, and the chain knows of other parts.
            DeliveryError: It does not, and came so lately that it may yet be undone.
            KeysError: The purchase's own key is nowhere.
            MarketError: The folder has other data.
        """
        from truthmark.codec import find_wrong_key, read_index, read_manifest

        session, manifest = self.session, read_manifest(folder)
        require_of(version, manifest, folder)  # or its seller would look guilty
        epoch = Catalogue.of(session).epoch(purchase.custody_id)
        key = self._own_key(version, purchase)
        parts = self._parts(purchase, epoch)
        cek = content_key(parts, key.secret, version.terms)
        opened = Opened(version, purchase, epoch, folder, cek)
        wrong = find_wrong_key(read_index(folder, manifest), cek)
        if wrong is not None:
            # A key that opens everything needs no witness; one that does not accuses the seller.
            Catalogue.of(session).require_parts_recorded(purchase, parts)
            reward = version.terms.bond // 2
            shown = session.profile.amount(reward, version.terms.token)
            raise WrongKeyDispute(
                opened,
                wrong,
                reward,
                f"the key of {version.ref} does not open shard {wrong.i}: the seller committed "
                f"to another one; dispute to get your money back and {shown}",
            )
        return opened

    def key_point(self, version: Version, purchase: Purchase) -> Point:
        """Return K of what was bought, to hand to another reader; `receive` checks it.

        Raises:
            DeliveryError: It was not delivered.
            KeysError: The purchase's own key is nowhere.
        """
        epoch = Catalogue.of(self.session).epoch(purchase.custody_id)
        secret = self._own_key(version, purchase).secret
        return key_point(self._parts(purchase, epoch), secret, version.terms)

    def _parts(self, purchase: Purchase, epoch: Epoch) -> dict[int, Point]:
        # In the order of delivery, of which the market has noted a hash.
        return verified_parts(
            purchase.delivered,
            epoch.share_keys,
            purchase.receipt,
            epoch.custody_id,
            threshold=epoch.custody.threshold,
            chain_id=self.session.profile.chain_id,
            market=self.session.chain.market.address,
        )

    def _own_key(self, version: Version, purchase: Purchase) -> PurchaseKey:
        """Return the purchase's key from the vault, or derived by the wallet again.

        Raises:
            KeysError: Neither has it.
        """
        session = self.session
        place: dict[str, Any] = {
            "chain_id": session.profile.chain_id,
            "market": session.chain.market.address,
        }
        salt = purchase.receipt.salt
        found = session.vault.find_purchase_key(place["chain_id"], place["market"], salt)
        if found is None:
            found = derive_key(
                session.signer.sign_typed,
                account=purchase.receipt.buyer,
                salt=salt,
                is_known=True,
                **place,
            )
            # A wallet that signs differently each time would else make the seller look guilty.
            if purchase_base(version.terms.public_key, found.point)[0] != purchase.receipt.base:
                raise KeysError(
                    f"this wallet does not give the key of {version.ref} again; restore the "
                    "recovery file or the vault's backup with `truthmark wallet restore`"
                )
            session.vault.put_purchase_key(found)
        return found

    # ------------------------------------------------------------- disputing

    def dispute_cost(self, dispute: WrongKeyDispute) -> int | None:
        """Return about what a dispute costs for gas, in wei; None where no endpoint says it."""
        from truthmark.chain.replies import hex_int

        parts = dispute.opened.epoch.custody.threshold
        gas = _DISPUTE_GAS + parts * _DISPUTE_GAS_PART
        try:
            return gas * int(self.session.chain.rpc.parsed("eth_gasPrice", (), hex_int, attempts=1))
        except ChainError:
            return None

    def dispute(self, dispute: WrongKeyDispute) -> "list[TransactionReceipt]":
        """Prove on the chain that the key is wrong, and take the purchase's money back.

        Makes the version's key public, and ends the version for everybody.
        """
        session, opened = self.session, dispute.opened
        epoch, purchase = opened.epoch, opened.purchase
        if Catalogue.of(session).status(opened.version)[0] is VersionStatus.REVOKED:
            return Settlement(session).refund([purchase])  # somebody was faster
        evidence = draft_evidence(
            self._parts(purchase, epoch),
            self._own_key(opened.version, purchase).secret,
            opened.version.terms,
            dispute.wrong,
        )
        sent = session.send(
            session.chain.market.functions.dispute_key(
                opened.version.terms.astuple(),
                epoch.custody.astuple(),
                purchase.receipt.astuple(),
                evidence,
            ),
            f"dispute:{purchase.purchase_id.hex()}",
            f"dispute {opened.version.ref}",
        )
        Catalogue.of(session).sync()
        return [sent, *Settlement(session).refund([purchase])]


def new_nonce() -> bytes:
    """Return 32 random bytes for a voucher."""
    return secrets.token_bytes(32)
