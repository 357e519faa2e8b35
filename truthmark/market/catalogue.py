# SPDX-License-Identifier: Apache-2.0
"""What is for sale and what was bought, read from the index of event logs.

Whatever depends on the moment (may this be bought now?) is asked of the chain by `standing`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from truthmark.errors import ConfigError, NotForSaleError
from truthmark.market.buying import Delivered
from truthmark.market.records import (
    Custody,
    CustodyStatus,
    PurchaseStatus,
    Receipt,
    Terms,
    VersionStatus,
    bits,
)
from truthmark.market.selling import Validator
from truthmark.types import Point

if TYPE_CHECKING:
    from truthmark.chain.connection import Chain
    from truthmark.index.follower import Follower

START = (-1, -1)
"""Block number and log index before the first event."""

_REF = re.compile(r"([0-9]{1,18})(?:@([0-9]{1,18}))?")


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a listing, as the logs have it."""

    listing_id: int
    number: int
    terms: Terms
    terms_id: bytes
    price: int
    """in the sale token's smallest unit"""
    status: VersionStatus
    listed_at: int
    """Unix time of its block"""

    @property
    def ref(self) -> str:
        """How people name it, such as `17@2`."""
        return f"{self.listing_id}@{self.number}"


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch of custody with its dealing, as the logs have it."""

    custody: Custody
    custody_id: bytes
    custodians: tuple[str, ...]
    share_keys: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class EpochState:
    """How an epoch stands on the chain; maps have bit j - 1 for custodian j."""

    status: CustodyStatus
    accepted: int
    active: int
    previous_active: int
    votes: int
    fined: int
    released: int
    end: int
    previous_end: int
    stopped_at: int
    inspection_seconds: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase, as the logs have it."""

    purchase_id: bytes
    custody_id: bytes
    terms_id: bytes
    receipt: Receipt
    status: PurchaseStatus
    deadline: int
    """of the delivery while PAID, of the inspection while DELIVERED"""
    bought_at: int
    block_number: int
    delivered: Mapping[int, Delivered]
    """by custodian's number, in the order of delivery"""


@dataclass(frozen=True, slots=True)
class Offer:
    """The custody that a validator's node accepts by itself; times in seconds."""

    validator: Validator
    fees: Mapping[str, tuple[int, int]]
    """by token's address: fee per sale and keeping fee per term, in its smallest unit"""
    max_bytes: int
    max_term_seconds: int
    min_delivery_seconds: int
    min_inspection_seconds: int
    max_lock: int
    is_available: bool
    free_stake: int


class Catalogue:
    """Reads of one market.

    Args:
        chain: For what depends on the moment.
        follower: The index, which `sync` brings up to date.
    """

    def __init__(self, chain: "Chain", follower: "Follower") -> None:
        """Read from an index."""
        self.chain = chain
        self.follower = follower

    def sync(self) -> None:
        """Bring the index up to the chain's newest block.

        Raises:
            ChainError: The chain cannot be read.
        """
        self.follower.sync()

    # ---------------------------------------------------------------- versions

    def versions(self, *, after: tuple[int, int] = START) -> list[Version]:
        """Return every version, the newest listing first; `after` as `Index.events` has it."""
        rows = self._rows("registry", "VersionListed", after=after)
        if not rows:
            return []
        prices = self._last("registry", "VersionRepriced", "price")
        status = self._statuses()
        found = []
        for row in rows:
            terms_id = bytes(row["terms_id"])
            found.append(
                Version(
                    listing_id=row["listing_id"],
                    number=row["version"],
                    terms=Terms.from_chain(row["terms"]),
                    terms_id=terms_id,
                    price=prices.get(terms_id, row["price"]),
                    status=status.get(terms_id, VersionStatus.OPEN),
                    listed_at=row["timestamp"],
                )
            )
        return sorted(found, key=lambda v: (-v.listing_id, -v.number))

    def version(self, ref: str) -> Version:
        """Return the version that `ref` names: `17` (its newest), `17@2`, or a terms id in hex.

        Raises:
            ConfigError: It is no such name.
            NotForSaleError: There is no such version.
        """
        versions = self.versions()
        if match := _REF.fullmatch(ref):
            listing, number = int(match[1]), match[2]
            found = [
                v
                for v in versions
                if v.listing_id == listing and (number is None or v.number == int(number))
            ]
        elif re.fullmatch(r"0x[0-9a-fA-F]{64}", ref):
            found = [v for v in versions if v.terms_id == bytes.fromhex(ref[2:])]
        else:
            raise ConfigError(f"{ref!r} names no dataset; write a number such as 17, or 17@2")
        if not found:
            raise NotForSaleError(f"there is no dataset {ref} here; `truthmark search` lists them")
        return found[0]

    def siblings(self, version: Version) -> list[Version]:
        """Return all versions of a version's listing, the newest first."""
        return [v for v in self.versions() if v.listing_id == version.listing_id]

    def _statuses(self) -> dict[bytes, VersionStatus]:
        """Return the status that the logs leave each version in; OPEN ones may be missing."""
        moments: list[tuple[tuple[int, int], bytes, VersionStatus]] = []
        for event, status in (
            ("VersionRetired", VersionStatus.RETIRED),
            ("VersionKilled", VersionStatus.DEAD),
        ):
            for row in self._rows("registry", event):
                moments.append((_place(row), bytes(row["terms_id"]), status))
        for row in self._rows("registry", "VersionPaused"):
            status = VersionStatus.PAUSED if row["is_paused"] else VersionStatus.OPEN
            moments.append((_place(row), bytes(row["terms_id"]), status))
        found = {terms_id: status for _, terms_id, status in sorted(moments)}
        for row in self._rows("registry", "VersionWoundUp"):
            terms_id = bytes(row["terms_id"])
            if found.get(terms_id) is VersionStatus.RETIRED:
                found[terms_id] = VersionStatus.CLOSED
        return found

    # ----------------------------------------------------------------- custody

    def epochs(
        self, terms_id: bytes | None = None, *, after: tuple[int, int] = START
    ) -> list[Epoch]:
        """Return the epochs of custody of a version, or of all, the oldest first."""
        return [
            Epoch(
                custody=Custody.from_chain(row["custody"]),
                custody_id=bytes(row["custody_id"]),
                custodians=tuple(row["custodians"]),
                share_keys=tuple(Point(*key) for key in row["share_keys"]),
            )
            for row in self._rows("registry", "CustodyOpened", after=after, terms_id=terms_id)
        ]

    def epoch(self, custody_id: bytes) -> Epoch:
        """Return one epoch of custody.

        Raises:
            NotForSaleError: There is none.
        """
        for row in self._rows("registry", "CustodyOpened", custody_id=custody_id):
            return Epoch(
                custody=Custody.from_chain(row["custody"]),
                custody_id=custody_id,
                custodians=tuple(row["custodians"]),
                share_keys=tuple(Point(*key) for key in row["share_keys"]),
            )
        raise NotForSaleError(f"there is no custody 0x{custody_id.hex()} here; sync and try again")

    def states(self, epochs: Sequence[Epoch], *, block: int | str = "latest") -> list[EpochState]:
        """Ask the chain how epochs stand."""
        calls = [self.chain.registry.functions.custodies(e.custody_id) for e in epochs]
        return [
            EpochState(CustodyStatus(state[0]), *state[1:])
            for state in self.chain.batch(calls, block=block)
        ]

    def standing(self, version: Version) -> tuple[VersionStatus, int]:
        """Ask the chain for a version's status and price now."""
        state = self.chain.registry.functions.versions(version.terms_id).call()
        return VersionStatus(state[0]), int(state[1])

    # --------------------------------------------------------------- purchases

    def purchases(
        self,
        *,
        buyer: str | None = None,
        terms_id: bytes | None = None,
        custody_id: bytes | None = None,
        purchase_id: bytes | None = None,
        after: tuple[int, int] = START,
    ) -> list[Purchase]:
        """Return purchases, the oldest first; filters that are None let everything pass."""
        rows = self._rows(
            "market",
            "Purchased",
            after=after,
            buyer=buyer,
            terms_id=terms_id,
            custody_id=custody_id,
            purchase_id=purchase_id,
        )
        if not rows:
            return []
        one = rows[0]["purchase_id"] if len(rows) == 1 else None
        parts: dict[bytes, dict[int, Delivered]] = {}
        until: dict[bytes, int] = {}
        for row in self._rows(
            "market", "Delivered", after=after, purchase_id=one, custody_id=custody_id
        ):
            key = bytes(row["purchase_id"])
            parts.setdefault(key, {})[row["index"]] = Delivered(
                row["index"], Point(*row["share"]), row["challenge"], row["response"]
            )
            if row["inspection_until"]:
                until[key] = row["inspection_until"]
        settled, refunded = (
            {
                bytes(row["purchase_id"])
                for row in self._rows("market", event, after=after, purchase_id=one)
            }
            for event in ("Settled", "Refunded")
        )
        found = []
        for row in rows:
            key = bytes(row["purchase_id"])
            status = PurchaseStatus.DELIVERED if key in until else PurchaseStatus.PAID
            if key in settled:
                status = PurchaseStatus.SETTLED
            elif key in refunded:
                status = PurchaseStatus.REFUNDED
            found.append(
                Purchase(
                    purchase_id=key,
                    custody_id=bytes(row["custody_id"]),
                    terms_id=bytes(row["terms_id"]),
                    receipt=Receipt(
                        row["buyer"], row["price"], bytes(row["salt"]), Point(*row["base"])
                    ),
                    status=status,
                    deadline=until.get(key, row["deadline"]),
                    bought_at=row["timestamp"],
                    block_number=row["block_number"],
                    delivered=parts.get(key, {}),
                )
            )
        return found

    # -------------------------------------------------------------- validators

    def validators(self) -> list[Validator]:
        """Return all validators with the encryption keys that they have registered last."""
        keys: dict[str, bytes] = {}
        for event in ("ValidatorRegistered", "EncryptionKeyChanged"):
            for row in self._rows("staking", event):
                keys[row["validator"]] = bytes(row["encryption_key"])
        return [Validator(address, key) for address, key in keys.items()]

    def encryption_keys(self, validator: str) -> list[bytes]:
        """Return the encryption keys that a validator has ever registered, the oldest first."""
        rows = [
            row
            for event in ("ValidatorRegistered", "EncryptionKeyChanged")
            for row in self._rows("staking", event, validator=validator)
        ]
        return [bytes(row["encryption_key"]) for row in sorted(rows, key=_place)]

    def offers(self, validator: str | None = None) -> list[Offer]:
        """Return the newest offers, of all validators or one; withdrawn ones are left out."""
        latest = {
            row["validator"]: row["offer"]
            for row in self._rows("staking", "OfferPublished", validator=validator)
        }
        known = {v.address: v for v in self.validators()}
        wanted = [address for address, offer in latest.items() if offer.fees]
        functions = self.chain.staking.functions
        answers = self.chain.batch(
            [call(address) for address in wanted for call in (functions.validator, functions.free)]
        )
        found = []
        for address, state, free in zip(wanted, answers[::2], answers[1::2], strict=True):
            offer = latest[address]
            found.append(
                Offer(
                    validator=known[address],
                    fees={f.token: (f.fee_per_sale, f.keeping_fee) for f in offer.fees},
                    max_bytes=offer.max_bytes,
                    max_term_seconds=offer.max_term_seconds,
                    min_delivery_seconds=offer.min_delivery_seconds,
                    min_inspection_seconds=offer.min_inspection_seconds,
                    max_lock=offer.max_lock,
                    is_available=state.is_available,
                    free_stake=free,
                )
            )
        return found

    # --------------------------------------------------------------- internals

    def _rows(
        self, role: str, event: str, *, after: tuple[int, int] = START, **equal: Any
    ) -> list[Mapping[str, Any]]:
        """Return an event's logs in order, as dicts of its arguments, with place and time."""
        wanted = {name: value for name, value in equal.items() if value is not None}
        return [
            {
                **row.args,
                "block_number": row.block_number,
                "log_index": row.log_index,
                "timestamp": row.timestamp,
            }
            for row in self.follower.index.events(role, event, after=after, **wanted)
        ]

    def _last(self, role: str, event: str, field: str) -> dict[bytes, Any]:
        return {bytes(row["terms_id"]): row[field] for row in self._rows(role, event)}


def _place(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["block_number"], row["log_index"]


def on_duty(state: EpochState) -> Iterable[int]:
    """Return the numbers of the custodians that are on duty for new purchases."""
    return bits(state.active)
