# SPDX-License-Identifier: Apache-2.0
"""What an account does about bad data: show it to everybody, have it judged, burn, rule.

Which of them is left depends on what is wrong, and on the terms; `verdicts` plans the calls.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from truthmark.errors import ChainError, ConfigError, MalformedError, MarketError, NotForSaleError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Purchase, Version
from truthmark.market.fetch import Fetcher
from truthmark.market.preview import exposing_keys
from truthmark.market.preview.opening import FetchedShards
from truthmark.market.preview.public import roots_of
from truthmark.market.preview.published import read_published
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.market.verdicts import (
    plan_confirm,
    plan_publish,
    plan_reject,
    plan_rule,
    plan_sealing_dispute,
)
from truthmark.session import Session
from truthmark.text import format_time

if TYPE_CHECKING:
    from truthmark.chain.connection import Chain
    from truthmark.chain.transactions import TransactionReceipt
    from truthmark.codec import ShardIndex
    from truthmark.codec.shards import Opener, ShardSource
    from truthmark.market.entries import Epoch
    from truthmark.market.planned_call import PlannedCall
    from truthmark.types import Progress

MAX_TRIED: Final = 64 << 20
"""Bytes of published shards that are fetched to find one that is not sealed."""

_DISPUTE_GAS, _DISPUTE_GAS_BYTE = 270_000, 80  # to prove a bad sealing, and for each of its bytes


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A shard that is not sealed under the key that the seller committed to.

    Attributes:
        shard: Its number.
        key: K_i, which opens nothing.
        ciphertext: All of it.
        index: Of the version, which leads to the root.
    """

    shard: int
    key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    index: "ShardIndex" = field(repr=False)


def find_unsealed(
    index: "ShardIndex",
    source: "ShardSource",
    keys: Mapping[int, bytes],
    shard_size: int,
    progress: "Progress | None" = None,
) -> Unsealed | None:
    """Return the first shard that does not open under its committed key.

    Args:
        index: Of the version.
        source: Gives ciphertext.
        keys: K_i by shard; only these are tried, in their order.
        shard_size: S.
        progress: Called with shards tried, and all.

    Raises:
        StorageError: A shard is nowhere to be had.
    """
    from truthmark.codec.shards import KeyedOpener

    opener = KeyedOpener(index, source, keys=keys, shard_size=shard_size)
    buffer = memoryview(bytearray(opener.payload))
    for done, i in enumerate(keys):
        try:
            opener.open_into(i, buffer)
        except MalformedError:
            return Unsealed(i, keys[i], opener.ciphertext(i), index)
        if progress is not None:
            progress(done + 1, len(keys))
    return None


def find_unsealed_in(folder: Path, shard: int, key: bytes) -> Unsealed:
    """Return a shard of a fetched version that was found not to open under its key.

    Raises:
        MarketError: It opens.
    """
    from truthmark.codec import FileShards, read_index, read_manifest
    from truthmark.codec.limits import DATA_NAME

    manifest = read_manifest(folder)
    index = read_index(folder, manifest)
    source = FileShards(folder / DATA_NAME, shard_size=manifest.shard_size, count=manifest.count)
    try:
        found = find_unsealed(index, source, {shard: key}, manifest.shard_size)
    finally:
        source.close()
    if found is None:
        raise MarketError(f"part {shard} opens after all; run the command again")
    return found


class Remedies:
    """What an account does about bad data.

    Args:
        session: Whose account acts, and is seen to.
    """

    def __init__(self, session: Session) -> None:
        """Use a session."""
        self.session = session

    def find_published(
        self, version: Version, progress: "Progress | None" = None
    ) -> Unsealed | None:
        """Return a shard that does not open, among those whose keys are public.

        No purchase is needed: who sees a sample has these keys.

        Raises:
            StorageError: Something cannot be fetched.
            CodecError: What the seller committed to contradicts itself.
        """
        session, fetcher = self.session, Fetcher(self.session)
        manifest = fetcher.manifest(version)
        size, index = manifest.shard_size, fetcher.index(version, manifest)
        roots = roots_of(session, version)
        keys = read_published(Catalogue.of(session).index, roots, index).keys
        # The newest first: what somebody has just exposed is what this is about.
        newest = dict(list(reversed(keys.items()))[: MAX_TRIED // size])
        source = FetchedShards(fetcher, version, index, size)
        return find_unsealed(index, source, newest, size, progress)

    def keys_to_expose(
        self, version: Version, opener: "Opener", shards: Sequence[int]
    ) -> tuple[bytes, ...]:
        """Return the keys by which everybody sees that shards, or their segment, are rotten."""
        return exposing_keys(self.session, version, opener, shards)

    def expose(self, version: Version, keys: Sequence[bytes]) -> "list[TransactionReceipt]":
        """Publish keys of a version's shards, under this account's address, for good.

        Repeated, the same keys are not sent again.
        """
        session = self.session
        sent = [session.send(*it) for it in plan_publish(session.chain, version.terms.root, keys)]
        Catalogue.of(session).sync()
        return sent

    def dispute_cost(self, found: Unsealed) -> int | None:
        """Return about what `dispute_sealing` costs for gas, in wei; None where nobody says it."""
        from truthmark.chain.replies import hex_int

        gas = _DISPUTE_GAS + len(found.ciphertext) * _DISPUTE_GAS_BYTE
        try:
            return gas * int(self.session.chain.rpc.parsed("eth_gasPrice", (), hex_int, attempts=1))
        except ChainError:
            return None

    def dispute_sealing(self, version: Version, found: Unsealed) -> "TransactionReceipt":
        """Let the contract judge a shard that is not sealed under its committed key.

        Ends the version for everybody; half the bond is credited to this account.

        Raises:
            MarketError: The shard is too large for a contract.
            NotForSaleError: The version has ended before.
            ChainError: The market refuses.
        """
        session = self.session
        planned = plan_sealing_dispute(
            session.chain, version, found.index, found.shard, found.key, found.ciphertext
        )
        self._require_alive(version)
        receipt = session.send(*planned)
        Catalogue.of(session).sync()
        return receipt

    def require_confirmable(self, version: Version, purchase: Purchase) -> None:
        """Refuse what the contract would refuse, in better words.

        Raises:
            MarketError: The key has not come, or where the money goes is decided.
        """
        if purchase.status is PurchaseStatus.PAID:
            raise MarketError(
                f"the key of {version.ref} has not come yet; there is nothing to confirm"
            )
        if purchase.status is not PurchaseStatus.DELIVERED:
            raise MarketError(
                f"this purchase of {version.ref} is {purchase.status.name.lower()} already; there "
                "is nothing to confirm"
            )
        self._require_not_revoked(version)

    def confirm(self, version: Version, purchase: Purchase) -> "TransactionReceipt":
        """Have a purchase settled at once: the seller is paid, and it is never disputed again.

        Raises:
            MarketError: It cannot be confirmed now.
            ChainError: The market refuses.
        """
        self.require_confirmable(version, purchase)
        return self._send_of_purchase(plan_confirm, version, purchase)

    def require_rejectable(self, version: Version, purchase: Purchase) -> None:
        """Refuse what the contract would refuse, in better words.

        Raises:
            MarketError: The key has not come, or the time to check it is over.
        """
        now = self.session.chain.time()
        if purchase.status is PurchaseStatus.PAID:
            raise MarketError(
                f"the key of {version.ref} has not come yet; there is nothing to reject"
            )
        if purchase.status is not PurchaseStatus.DELIVERED or now > purchase.deadline:
            raise MarketError(
                f"{version.ref} can be rejected once, until {format_time(purchase.deadline, now)}; "
                f"this purchase is {purchase.status.name.lower()}"
            )
        self._require_not_revoked(version)

    def reject(self, version: Version, purchase: Purchase) -> "TransactionReceipt":
        """Have the guaranteed share of a price burned; final, and nobody gets it.

        Raises:
            MarketError: It cannot be rejected now.
            ChainError: The market refuses.
        """
        self.require_rejectable(version, purchase)
        return self._send_of_purchase(plan_reject, version, purchase)

    def rule(self, version: Version, rewarded: str) -> "TransactionReceipt":
        """End a version as its arbiter; half the bond goes to who is rewarded.

        Raises:
            ConfigError: This account is not its arbiter.
            MarketError: It has none.
            NotForSaleError: The version has ended before.
            ChainError: The market refuses.
        """
        session, arbiter = self.session, version.terms.arbiter
        planned = plan_rule(session.chain, version, rewarded)
        if arbiter.lower() != session.address.lower():
            raise ConfigError(f"the arbiter of {version.ref} is {arbiter}; use that account")
        self._require_alive(version)
        receipt = session.send(*planned)
        Catalogue.of(session).sync()
        return receipt

    def _send_of_purchase(
        self,
        plan: "Callable[[Chain, Version, Epoch, Purchase], PlannedCall]",
        version: Version,
        purchase: Purchase,
    ) -> "TransactionReceipt":
        session = self.session
        epoch = Catalogue.of(session).epoch(purchase.custody_id)
        receipt = session.send(*plan(session.chain, version, epoch, purchase))
        Catalogue.of(session).sync()
        return receipt

    def _require_not_revoked(self, version: Version) -> None:
        if Catalogue.of(self.session).status(version)[0] is VersionStatus.REVOKED:
            raise MarketError(
                f"{version.ref} was revoked: `truthmark refund {version.ref}` brings all of your "
                "money back instead"
            )

    def _require_alive(self, version: Version) -> None:
        status, _ = Catalogue.of(self.session).status(version)
        if status is VersionStatus.REVOKED:
            raise NotForSaleError(
                f"{version.ref} was revoked before; `truthmark refund` brings the money of open "
                "purchases back"
            )
        if status is VersionStatus.CLOSED:
            raise NotForSaleError(
                f"{version.ref} is closed and its bond paid back; only `truthmark expose` is left"
            )
