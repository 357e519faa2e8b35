# SPDX-License-Identifier: Apache-2.0
"""What a seller does: publish, list, deal custody, reprice, retire."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from truthmark.cid import raw_cid
from truthmark.config.profile import TokenInfo, Windows
from truthmark.errors import (
    ConfigError,
    EndpointsDisagreeError,
    MarketError,
    NotForSaleError,
    PriceError,
)
from truthmark.hashing import sha256
from truthmark.keys.typed import voucher
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.custody import CustodyRequest, Dealing, Validator, deal_custody
from truthmark.market.drafts.terms import (
    NO_ASSURANCE,
    NO_ROYALTY,
    Assurance,
    Royalty,
    draft_terms,
    prove_terms,
)
from truthmark.market.endings import REVOKED_TEXT
from truthmark.market.entries import Epoch, EpochState, Version
from truthmark.market.records import ZERO_ADDRESS, CustodyStatus, Terms, VersionStatus, bits
from truthmark.session import Session
from truthmark.types import Progress

if TYPE_CHECKING:
    from truthmark.chain.transactions import TransactionReceipt
    from truthmark.codec import Manifest


@dataclass(frozen=True, slots=True)
class Listed:
    """What `list_dataset` put on the chain."""

    terms: Terms
    epoch: Epoch
    receipts: tuple["TransactionReceipt", ...] = field(repr=False)


class Seller:
    """A seller's side of a session; the session's account is the seller.

    Args:
        session: Whose account, vault and storage are used.
    """

    def __init__(self, session: Session) -> None:
        """Use a session."""
        self.session = session

    # ------------------------------------------------------------- publishing

    def publish(self, folder: Path, progress: Progress | None = None) -> "Manifest":
        """Put a packed version into the storage and pin it.

        Raises:
            CodecError: The folder is not what `pack` made.
            StorageError: The storage refuses.
        """
        from truthmark.codec import read_manifest
        from truthmark.codec.limits import CARD_NAME, DATA_NAME, INDEX_NAME

        manifest = read_manifest(folder)
        storage = self.session.storage
        parts = (
            (DATA_NAME, manifest.shard_size, manifest.container),
            (INDEX_NAME, 1 << 20, manifest.index),
            (CARD_NAME, 1 << 20, manifest.card),
        )
        for name, chunk, cid in parts:
            report = progress if name == DATA_NAME else None
            if storage.put(folder / name, chunk=chunk, progress=report) != cid:
                raise MarketError(f"{folder / name} is not what was packed; pack it again")
        storage.put_block(manifest.cid, manifest.to_bytes())
        storage.pin(manifest.cid)
        return manifest

    # ---------------------------------------------------------------- listing

    def list_dataset(
        self,
        folder: Path,
        *,
        price: int,
        token: TokenInfo,
        windows: Windows,
        offer: CustodyRequest,
        validators: Sequence[Validator] = (),
        bond: int = 0,
        gate: str = ZERO_ADDRESS,
        payee: str | None = None,
        royalty: Royalty = NO_ROYALTY,
        assurance: Assurance = NO_ASSURANCE,
        previous: Version | None = None,
        progress: Progress | None = None,
    ) -> Listed:
        """Publish a packed version and put it up for sale.

        If it was listed before under the same terms, nothing is sent and what stands is returned.

        Args:
            folder: What `pack_dataset` made, with a secret of the session's vault.
            price: In the token's smallest unit.
            token: The sale token.
            windows: Delivery, inspection and acceptance.
            offer: What custodians are paid and risk; `DIRECT` to keep the key oneself.
            validators: The custodians; none for direct mode.
            bond: In the token's smallest unit; lost if the key is proven wrong.
            gate: Who admits buyers; the zero address lets everybody in.
            payee: Who is paid; the seller if not given.
            royalty: What each sale owes the labelers of a bounty that cites the seller.
            assurance: The guarantee and the arbiter.
            previous: The listing's newest version, if this is its next one.
            progress: Called with bytes stored and to be stored.

        Raises:
            MarketError: The version cannot be listed.
            ChainError: The registry refuses, or is not reached.
        """
        session = self.session
        registry = session.chain.registry
        manifest = self.publish(folder, progress)
        secret = session.vault.seller_secret(manifest.public_key)
        terms = self._draft(manifest, secret, token, windows, bond, gate, payee, royalty, assurance)
        with session.exclusive(f"list-{terms.public_key.x:064x}"):
            session.journal.resume()
            Catalogue.of(session).sync()
            if epochs := self._listed_epochs(terms):
                return Listed(terms, epochs[-1], ())
            Catalogue.of(session).require_unpaused()
            dealing = self._deal(terms, secret, validators, offer, 0, windows.acceptance)
            proof, counter = prove_terms(
                terms, secret, chain_id=session.profile.chain_id, registry=registry.address
            )
            upfront = bond + len(validators) * dealing.custody.keeping_fee
            session.allow(token.address, registry.address, upfront)
            more = (previous.terms.astuple(),) if previous is not None else ()
            receipt = session.send(
                registry.functions.list_version(
                    terms.astuple(), price, tuple(proof), counter, *dealing.arguments(), *more
                ),
                f"list:{dealing.custody.custody_id.hex()}",
                "list a dataset",
            )
            Catalogue.of(session).sync()
        return Listed(terms, _epoch(dealing), (receipt,))

    def find_listed(
        self,
        manifest: "Manifest",
        *,
        token: TokenInfo,
        windows: Windows,
        bond: int = 0,
        gate: str = ZERO_ADDRESS,
        payee: str | None = None,
        royalty: Royalty = NO_ROYALTY,
        assurance: Assurance = NO_ASSURANCE,
    ) -> Listed | None:
        """Return what `list_dataset` listed before under these terms, with its newest custody.

        What an earlier process sent is waited for first. Arguments are those of `list_dataset`.

        Raises:
            KeysError: The vault does not have the version's secret.
            MarketError: It was listed under other terms.
        """
        session = self.session
        secret = session.vault.seller_secret(manifest.public_key)
        terms = self._draft(manifest, secret, token, windows, bond, gate, payee, royalty, assurance)
        session.journal.resume()
        Catalogue.of(session).sync()
        epochs = self._listed_epochs(terms)
        return Listed(terms, epochs[-1], ()) if epochs else None

    def _draft(
        self,
        manifest: "Manifest",
        secret: int,
        token: TokenInfo,
        windows: Windows,
        bond: int,
        gate: str,
        payee: str | None,
        royalty: Royalty,
        assurance: Assurance,
    ) -> Terms:
        address = self.session.address
        return draft_terms(
            manifest,
            secret,
            seller=address,
            payee=payee or address,
            token=token.address,
            windows=windows,
            bond=bond,
            fee_bps=self.session.chain.registry.functions.fee_bps().call(),
            gate=gate,
            royalty=royalty,
            assurance=assurance,
        )

    def _listed_epochs(self, terms: Terms) -> list[Epoch]:
        """Return the epochs of terms that were listed before, or none if their key was not."""
        catalogue = Catalogue.of(self.session)
        if epochs := catalogue.epochs(terms.terms_id):
            return epochs
        for other in catalogue.with_key(terms.public_key):
            # Custodians refuse a key that they have seen in another version.
            raise MarketError(
                f"this was listed as {other.ref} under other terms; reprice that, or pack the "
                "data again to sell it otherwise"
            )
        return []

    def require_funds(self, token: str, amount: int, purpose: str) -> None:
        """Refuse to pay what the account does not have.

        Args:
            token: In which is paid.
            amount: In its smallest unit.
            purpose: What for, in a few words.

        Raises:
            PriceError: It has less; tokens themselves say so in words that help nobody.
        """
        if not amount:
            return
        session = self.session
        held = session.held(token)
        if held < amount:
            show = session.profile.amount
            raise PriceError(
                f"this takes {show(amount, token)} at once ({purpose}), but {session.address} has "
                f"{show(held, token)}, which is not enough; send it more, or choose less"
            )

    def open_custody(
        self,
        version: Version,
        *,
        offer: CustodyRequest,
        validators: Sequence[Validator],
        acceptance_seconds: int,
    ) -> Listed:
        """Deal a version's key again, to the same or other custodians.

        If just this was dealt a moment ago, nothing is sent and what stands is returned: keeping
        fees are paid once, however often the command is repeated while custodians accept.

        Raises:
            KeysError: The vault does not have the version's secret.
            ChainError: The registry refuses, or is not reached.
        """
        session = self.session
        secret = session.vault.seller_secret(version.terms.public_key)
        registry = session.chain.registry
        name = f"custody:{version.terms_id.hex()}"
        with session.exclusive(f"custody-{version.terms_id.hex()}"):
            begun = [i.key for i in session.journal.pending() if i.key.startswith(name)]
            session.journal.resume()
            Catalogue.of(session).sync()
            epochs = Catalogue.of(session).epochs(version.terms_id)
            for key in begun:
                # Anyone who repeats a command that was killed means the same epoch.
                sent = session.journal.result(key)
                if sent is not None and sent.succeeded:
                    return Listed(version.terms, epochs[-1], (sent,))
            fresh = self.fresh_custody(version)
            if fresh is not None and is_dealt(fresh, validators, offer):
                return Listed(version.terms, fresh, ())
            self.require_running(version)
            Catalogue.of(session).require_unpaused()
            dealing = self._deal(
                version.terms, secret, validators, offer, len(epochs), acceptance_seconds
            )
            session.allow(
                version.terms.token,
                registry.address,
                dealing.custody.count * dealing.custody.keeping_fee,
            )
            receipt = session.send(
                registry.functions.open_custody(version.terms.astuple(), *dealing.arguments()),
                f"{name}:{dealing.custody.custody_id.hex()}",
                f"deal the key of {version.ref}",
            )
            Catalogue.of(session).sync()
        return Listed(version.terms, _epoch(dealing), (receipt,))

    def _deal(
        self,
        terms: Terms,
        secret: int,
        validators: Sequence[Validator],
        offer: CustodyRequest,
        epoch: int,
        acceptance_seconds: int,
    ) -> Dealing:
        session = self.session
        self._require_keys(validators)
        dealing = deal_custody(
            terms,
            secret,
            validators,
            offer,
            epoch=epoch,
            now=session.chain.next_time(),
            acceptance_seconds=acceptance_seconds,
            chain_id=session.profile.chain_id,
            registry=session.chain.registry.address,
        )
        if dealing.bundle:
            cid = raw_cid(sha256(dealing.bundle))
            session.storage.put_block(cid, dealing.bundle)
            session.storage.pin(cid)
        return dealing

    def _require_keys(self, validators: Sequence[Validator]) -> None:
        """Check at two endpoints, where there are two, to whose keys the shares are sealed.

        One endpoint that makes keys of its own up for enough custodians could read the data.

        Raises:
            EndpointsDisagreeError: They do not agree, or have other keys.
            ChainUnavailableError: Fewer than two answer.
        """
        chain = self.session.chain
        if not validators or not chain.rpc.others():
            return
        final = chain.final_block()
        for validator in validators:
            call = chain.staking.functions.validator(validator.address)
            if chain.agreed_call(call, final).encryption_key != validator.encryption_key:
                raise EndpointsDisagreeError(
                    f"validator {validator.address} has another encryption key than a chain "
                    "endpoint tells of, or had until a moment ago; try again in a minute, and if "
                    "it stays so use other endpoints"
                )

    def fresh_custody(self, version: Version) -> Epoch | None:
        """Return the version's newest custody while its time to be accepted runs, else None.

        In direct mode there is none: nobody has to accept, and dealing again costs no fee.
        """
        session = self.session
        for epoch in Catalogue.of(session).epochs(version.terms_id)[-1:]:
            if epoch.custody.is_direct:
                return None
            status = int(Catalogue.of(session).states([epoch])[0].status)
            if not _is_fresh(epoch, status, session.chain.time()):
                # Keeping fees would be paid once more; a block that two endpoints have must say so.
                final = session.chain.final_block()
                call = session.chain.registry.functions.custodies(epoch.custody_id)
                status = session.chain.agreed_call(call, final)[0]
                if not _is_fresh(epoch, status, final.timestamp):
                    return None
            return epoch
        return None

    def is_live(self, epoch: Epoch) -> bool:
        """Whether all custodians have accepted; raises as `custody_state` does."""
        return self.custody_state(epoch).status is CustodyStatus.LIVE

    def custody_state(self, epoch: Epoch) -> EpochState:
        """Return the state of a custody that is live, or waits for custodians to accept.

        Raises:
            NotForSaleError: The epoch has ended, or lapsed because not all accepted.
        """
        state = Catalogue.of(self.session).states([epoch])[0]
        if state.status in (CustodyStatus.CLOSED, CustodyStatus.LAPSED) or (
            state.status is CustodyStatus.OPENED
            and self.session.chain.time() > epoch.custody.accept_until
        ):
            left = [a for j, a in enumerate(epoch.custodians, 1) if j not in bits(state.accepted)]
            if state.status is CustodyStatus.CLOSED or not left:
                raise NotForSaleError(
                    "its custodians failed a buyer; deal the key to others with "
                    "`truthmark renew DATASET`"
                )
            raise NotForSaleError(
                f"not all custodians accepted in time ({', '.join(left)} did not); deal the key to "
                "others with `truthmark renew DATASET`, which also takes back what was paid for "
                "keeping"
            )
        return state

    # --------------------------------------------------------------- managing

    def reprice(self, version: Version, price: int) -> "TransactionReceipt":
        """Set the price of later purchases."""
        return self._manage(version, "reprice", price, purpose=f"set the price of {version.ref}")

    def set_paused(self, version: Version, is_paused: bool) -> "TransactionReceipt":
        """Stop sales for a while, or sell again."""
        word = "pause" if is_paused else "resume"
        return self._manage(
            version, "set_version_paused", is_paused, purpose=f"{word} {version.ref}"
        )

    def retire(self, version: Version) -> "TransactionReceipt":
        """Stop sales for good; bond and keeping balance come back by `close` after both windows."""
        return self._manage(version, "retire", purpose=f"retire {version.ref}")

    def close(self, version: Version) -> "TransactionReceipt":
        """Credit bond and keeping balance of an ended version to its payee.

        It may be done again, where a late custody has paid into the keeping balance.
        """
        return self._manage(version, "close_version", purpose=f"close {version.ref}")

    def keeping_balance(self, version: Version) -> int:
        """Return what is in the keeping balance, in the sale token's smallest unit."""
        return int(self.session.chain.registry.functions.keeping_balances(version.terms_id).call())

    def require_running(self, version: Version) -> None:
        """Refuse a version that has ended.

        Raises:
            NotForSaleError: It was retired or revoked.
        """
        status, _ = Catalogue.of(self.session).status(version)
        if status is VersionStatus.REVOKED:
            raise NotForSaleError(
                f"{version.ref} is revoked: {REVOKED_TEXT}; nothing can be changed any more, "
                "pack the data into another folder and list that to sell it"
            )
        if status not in (VersionStatus.OPEN, VersionStatus.PAUSED):
            raise NotForSaleError(
                f"{version.ref} was retired; nothing can be changed any more, pack the data into "
                "another folder and list that to sell it again"
            )

    def top_up(self, version: Version, amount: int) -> "TransactionReceipt":
        """Pay into the keeping balance, which pays custodians for staying another period."""
        self.require_running(version)
        registry = self.session.chain.registry
        self.session.allow(version.terms.token, registry.address, amount)
        return self._manage(
            version, "top_up", amount, purpose=f"top up the keeping balance of {version.ref}"
        )

    def _manage(
        self, version: Version, function: str, *args: object, purpose: str
    ) -> "TransactionReceipt":
        session = self.session
        if function not in ("top_up", "close_version"):  # which anyone may do
            if version.terms.seller.lower() != session.address.lower():
                raise ConfigError(
                    f"{version.ref} is sold by {version.terms.seller}; use that account"
                )
            self.require_running(version)
        call = getattr(session.chain.registry.functions, function)(version.terms.astuple(), *args)
        receipt = session.send_repeatable(call, purpose, pays=function == "top_up")
        Catalogue.of(session).sync()
        return receipt

    def write_voucher(
        self, version: Version, account: str, price: int, expiry: int, nonce: bytes
    ) -> tuple[int, int, bytes, bytes]:
        """Sign a price for one account; what `buy` takes as `struct Voucher`.

        Args:
            version: What may be bought.
            account: Who may buy.
            price: At most the listed one, in the token's smallest unit; also 0.
            expiry: The last second in which it counts, Unix time.
            nonce: 32 random bytes.
        """
        session = self.session
        message = voucher(
            chain_id=session.profile.chain_id,
            market=session.chain.market.address,
            terms_id=version.terms_id,
            account=account,
            price=price,
            expiry=expiry,
            nonce=nonce,
        )
        return price, expiry, nonce, session.signer.sign_typed(message)


def require_open(version: Version, status: VersionStatus) -> None:
    """Refuse a version that sells nothing now.

    Raises:
        NotForSaleError: It is paused or retired, or was revoked.
    """
    if status is VersionStatus.REVOKED:
        raise NotForSaleError(f"{version.ref} is revoked: {REVOKED_TEXT}; do not buy it")
    if status is not VersionStatus.OPEN:
        raise NotForSaleError(f"{version.ref} is {status.name.lower()}; nothing is sold there now")


def _is_fresh(epoch: Epoch, status: int, now: int) -> bool:
    """Whether custodians may still accept; one that is not there yet was dealt a moment ago."""
    is_open = status in (CustodyStatus.NONE, CustodyStatus.OPENED, CustodyStatus.LIVE)
    return is_open and now <= epoch.custody.accept_until


def is_dealt(epoch: Epoch, validators: Sequence[Validator], offer: CustodyRequest) -> bool:
    """Whether these validators have just this offer in an epoch."""
    addresses = {validator.address for validator in validators}
    return set(epoch.custodians) == addresses and CustodyRequest.of(epoch.custody) == offer


def _epoch(dealing: Dealing) -> Epoch:
    return Epoch(
        dealing.custody, dealing.custody.custody_id, dealing.custodians, dealing.share_keys
    )
