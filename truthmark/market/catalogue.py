# SPDX-License-Identifier: Apache-2.0
"""What is for sale and what was bought, read from the index of event logs.

Whatever depends on the moment (may this be bought now?) is asked of the chain by `status`.
"""

import logging
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self, TypeVar

from truthmark.config.units import to_checksum_address
from truthmark.errors import (
    ConfigError,
    DeliveryError,
    EndpointsDisagreeError,
    MalformedReplyError,
    NotForSaleError,
)
from truthmark.index.sql import Sql, all_of, is_one_of
from truthmark.market.drafts.custody import Validator
from truthmark.market.drafts.order import Delivered
from truthmark.market.entries import Epoch, EpochState, Purchase, ValidatorOffer, Version
from truthmark.market.listings import VersionFilter, find_terms_ids, find_tokens, find_versions
from truthmark.market.names import NUMBERS, TERMS_ID, local_name
from truthmark.market.records import (
    Custody,
    CustodyStatus,
    PurchaseStatus,
    Receipt,
    Terms,
    VersionStatus,
    parts_hash,
)
from truthmark.session import Session
from truthmark.types import Point

if TYPE_CHECKING:
    from truthmark.chain.connection import Chain
    from truthmark.index.database import EventIndex
    from truthmark.index.follower import Follower

log = logging.getLogger(__name__)

_S = TypeVar("_S", bound=IntEnum)

BUYING_SECONDS = 15
"""A block may take its time: a custody must last this much longer than the contract asks."""

_ENDS = (
    ("Refunded", PurchaseStatus.REFUNDED),
    ("Rejected", PurchaseStatus.REJECTED),
    ("Settled", PurchaseStatus.SETTLED),
)
"""What ends a purchase, and how; a log that an endpoint invents does not undo a payment."""

START = (-1, -1)
"""Block number and log index before the first event."""


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
        self._was_synced = False

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return the one of a session; its first read brings the index up to date."""
        return session.part(cls, lambda: cls(session.chain, session.follower))

    def sync(self) -> None:
        """Bring the index up to the chain's newest block.

        Raises:
            ChainError: The chain cannot be read.
        """
        self.follower.sync()
        self._was_synced = True

    def sync_agreed(self) -> None:
        """Do as `sync`, and have two endpoints, where there are two, tell of the same events.

        For what money, stake or a state of a sample follows from.

        Raises:
            EndpointsDisagreeError: No two of them do.
            ChainError: The chain cannot be read, or fewer endpoints answer than are needed.
        """
        self.sync()
        self.follower.require_agreed()

    @property
    def index(self) -> "EventIndex":
        """The index, up to date with the chain's head at least once.

        Later only `sync` and `find` look again, so that what one flow reads fits together.

        Raises:
            ChainError: The chain cannot be read.
        """
        if not self._was_synced:
            self.sync()
        return self.follower.index

    # ---------------------------------------------------------------- versions

    def versions(
        self,
        *,
        after: tuple[int, int] | None = None,
        seller: str | None = None,
        terms_ids: Sequence[bytes] | None = None,
    ) -> list[Version]:
        """Return versions, the newest listing and version first; what is None leaves none out.

        Args:
            after: Block number and log index behind which a version was listed.
            seller: Address of the seller, in any capitals.
            terms_ids: These only.
        """
        checked = None if seller is None else to_checksum_address(seller)
        return self._versions(VersionFilter(after=after, seller=checked, terms_ids=terms_ids))

    def offered(
        self,
        *,
        seller: str | None = None,
        token: str | None = None,
        max_price: int | None = None,
        older_than: int | None = None,
        terms_ids: Sequence[bytes] | None = None,
    ) -> list[bytes]:
        """Return the terms ids of what is for sale: the newest open version of each listing.

        What cannot be bought now is not: no custody is live and outlasts both windows of a
        purchase, as `Buyer.quote` asks too. Judged by the index's newest block, nothing is asked
        of the chain.

        Args:
            seller: Address of the seller, in any capitals.
            token: Address of the sale token, in any capitals.
            max_price: In the token's smallest unit.
            older_than: Only listings with a lower number.
            terms_ids: These only.
        """
        wanted = VersionFilter(
            seller=None if seller is None else to_checksum_address(seller),
            token=None if token is None else to_checksum_address(token),
            max_price=max_price,
            older_than=older_than,
            terms_ids=terms_ids,
            is_offered=True,
            buyable_at=self._buying_time(),
        )
        return find_terms_ids(self.index, wanted)

    def buyable(self, terms_ids: Sequence[bytes]) -> set[bytes]:
        """Return which of these versions can be bought now, older ones of a listing too.

        They are open, and a custody is live and outlasts both windows; judged by the index.
        """
        kept = VersionFilter(terms_ids=terms_ids, buyable_at=self._buying_time())
        return {
            bytes(row["terms_id"])
            for row in find_versions(self.index, kept)
            if row["status"] is VersionStatus.OPEN
        }

    def sold(self, terms_ids: Sequence[bytes]) -> dict[bytes, int]:
        """Return how often versions were sold and not refunded; those that never were are left out.

        Args:
            terms_ids: Which versions.
        """
        index = self.index
        wanted = is_one_of("terms_id", terms_ids)
        query = (
            f"SELECT terms_id, count(*) FROM {index.table('market', 'Purchased')} "  # noqa: S608
            f"WHERE {wanted.text} AND purchase_id NOT IN "
            f"(SELECT purchase_id FROM {index.table('market', 'Refunded')}) GROUP BY terms_id"
        )
        with index.read() as connection:
            rows = connection.execute(query, wanted.values)
        return {bytes(terms_id): count for terms_id, count in rows}

    def _buying_time(self) -> int:
        """Return the chain time of a purchase that is made now, by the index."""
        return self.index.tip().timestamp + BUYING_SECONDS

    def tokens(self) -> list[str]:
        """Return the addresses of all tokens in which anything was ever listed."""
        return find_tokens(self.index)

    def version(self, ref: str) -> Version:
        """Return the version that `ref` names: `17` (its newest), `17@2`, or a terms id in hex.

        Raises:
            ConfigError: It is no such name.
            NotForSaleError: There is no such version.
        """
        if match := NUMBERS.fullmatch(ref):
            number = None if match[2] is None else int(match[2])
            wanted = VersionFilter(listing_id=int(match[1]), number=number)
        elif TERMS_ID.fullmatch(ref):
            wanted = VersionFilter(terms_ids=[bytes.fromhex(ref[2:])])
        else:
            raise ConfigError(f"{ref!r} names no dataset; write a number such as 17, or 17@2")
        found = self._versions(wanted)
        if not found:
            raise NotForSaleError(f"there is no dataset {ref} here; `truthmark search` lists them")
        return found[0]

    def find(self, ref: object) -> Version:
        """Bring the index up to date, and return the version that a name or URI means.

        Raises:
            ConfigError: It is no name, or of another market.
            NotForSaleError: There is no such version.
        """
        name = local_name(ref, self.chain.profile)
        self.sync()
        return self.version(name)

    def with_terms(self, terms_id: bytes) -> Version:
        """Return the version of these terms, such as a purchase's.

        Raises:
            NotForSaleError: There is none.
        """
        return self.version(f"0x{terms_id.hex()}")

    def siblings(self, version: Version) -> list[Version]:
        """Return all versions of a version's listing, the newest first."""
        return self._versions(VersionFilter(listing_id=version.listing_id))

    def with_key(self, public_key: Point) -> list[Version]:
        """Return the versions that were listed with a dataset key."""
        return [
            version
            for version in self._versions(VersionFilter(public_key=public_key.x))
            if version.terms.public_key == public_key
        ]

    def made_by(self, bounty_id: int) -> list[Version]:
        """Return the versions whose sales owe the labelers of a bounty a royalty."""
        return self._versions(VersionFilter(bounty=bounty_id))

    def _versions(self, wanted: VersionFilter) -> list[Version]:
        found = [
            Version(
                listing_id=row["listing_id"],
                number=row["version"],
                terms=Terms.from_chain(row["terms"]),
                terms_id=bytes(row["terms_id"]),
                price=row["price"],
                status=row["status"],
                listed_at=row["listed_at"],
            )
            for row in find_versions(self.index, wanted)
        ]
        return [v for v in found if _holds(v.terms.terms_id == v.terms_id, "version")]

    # ----------------------------------------------------------------- custody

    def epochs(
        self, terms_id: bytes | None = None, *, after: tuple[int, int] = START
    ) -> list[Epoch]:
        """Return the epochs of custody of a version, or of all, the oldest first."""
        return self._epochs(after=after, terms_id=terms_id)

    def epoch(self, custody_id: bytes) -> Epoch:
        """Return one epoch of custody.

        Raises:
            NotForSaleError: There is none.
        """
        for epoch in self._epochs(custody_id=custody_id):
            return epoch
        raise NotForSaleError(f"there is no custody 0x{custody_id.hex()} here; sync and try again")

    def _epochs(self, **wanted: Any) -> list[Epoch]:
        found = [
            Epoch(
                custody=Custody.from_chain(row["custody"]),
                custody_id=bytes(row["custody_id"]),
                custodians=tuple(row["custodians"]),
                share_keys=tuple(Point(*key) for key in row["share_keys"]),
            )
            for row in self._rows("registry", "CustodyOpened", **wanted)
        ]
        return [e for e in found if _holds(e.custody.custody_id == e.custody_id, "custody")]

    def states(self, epochs: Sequence[Epoch], *, block: int | str = "latest") -> list[EpochState]:
        """Ask the chain how epochs stand.

        Raises:
            MalformedReplyError: An endpoint gives a status that there is not.
        """
        calls = [self.chain.registry.functions.custodies(e.custody_id) for e in epochs]
        return [
            EpochState(_status(CustodyStatus, state[0]), *state[1:])
            for state in self.chain.batch(calls, block=block)
        ]

    def status(self, version: Version) -> tuple[VersionStatus, int]:
        """Ask the chain for a version's status and price now.

        Raises:
            EndpointsDisagreeError: It has these terms under another name than the logs say.
            MalformedReplyError: An endpoint gives a status that there is not.
        """
        call = self.chain.registry.functions.versions(version.terms_id)
        state = call.call()
        self._require_named(version, state)
        return _status(VersionStatus, state.status), int(state.price)

    def require_unpaused(self) -> None:
        """Refuse where the registry's owner has stopped new listings and purchases.

        Raises:
            NotForSaleError: They are stopped.
        """
        if self.chain.registry.functions.paused().call():
            raise NotForSaleError(
                "the owner of the registry has paused new listings and purchases (what was bought "
                "before goes on as always); try again later"
            )

    def require_agreed(self, version: Version) -> None:
        """Check at two endpoints, where there are two, that a name stands for these terms.

        Who buys `17@2` must not be sold something else under that name.

        Raises:
            EndpointsDisagreeError: They do not agree.
            NotForSaleError: It was listed so lately that it may yet be undone.
            ChainUnavailableError: Fewer than two answer.
        """
        if len(self.chain.rpc.endpoints) < 2:
            return
        call = self.chain.registry.functions.versions(version.terms_id)
        state = self.chain.agreed_call(call, self.chain.final_block())
        if state.status == VersionStatus.NONE:
            raise NotForSaleError(f"{version.ref} was listed a moment ago; try again in a minute")
        self._require_named(version, state)

    def _require_named(self, version: Version, state: Any) -> None:
        if state.status != VersionStatus.NONE and (state.listing_id, state.version) != (
            version.listing_id,
            version.number,
        ):
            raise EndpointsDisagreeError(
                f"the chain does not know these terms as {version.ref}; use another endpoint, "
                "then run `truthmark index rebuild`"
            )

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
        of: Any = self._ids_of_purchases(
            buyer=buyer, terms_id=terms_id, custody_id=custody_id, purchase_id=purchase_id
        )
        parts: dict[bytes, dict[int, Delivered]] = {}
        until: dict[bytes, int] = {}
        for row in self._rows("market", "Delivered", after=after, purchase_id=of):
            key = bytes(row["purchase_id"])
            parts.setdefault(key, {})[row["index"]] = Delivered(
                row["index"], Point(*row["part"]), row["challenge"], row["response"]
            )
            if row["inspection_until"]:
                until[key] = row["inspection_until"]
        ended = {
            bytes(row["purchase_id"]): status
            for event, status in _ENDS
            for row in self._rows("market", event, after=after, purchase_id=of)
        }
        found = []
        for row in rows:
            key = bytes(row["purchase_id"])
            status = PurchaseStatus.DELIVERED if key in until else PurchaseStatus.PAID
            status = ended.get(key, status)
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
        return [
            p
            for p in found
            if _holds(p.receipt.purchase_id(p.custody_id) == p.purchase_id, "purchase")
        ]

    def require_parts_recorded(self, purchase: Purchase, parts: Mapping[int, Point]) -> None:
        """Check at two endpoints, where there are two, that the market noted these parts of a key.

        Before a seller is blamed for what they give, and a secret is sent to prove it.

        Args:
            purchase: Whose key it is.
            parts: D_j by j, in the order of delivery.

        Raises:
            EndpointsDisagreeError: They do not agree, or the market noted other parts.
            DeliveryError: They came so lately that it may yet be undone.
            ChainUnavailableError: Fewer than two answer.
        """
        call = self.chain.market.functions.purchases(purchase.purchase_id)
        state = self.chain.agreed_call(call, self.chain.final_block())
        if state.status in (PurchaseStatus.NONE, PurchaseStatus.PAID):
            raise DeliveryError(
                "a key that does not open the data came a moment ago; try again in a minute, and "
                "if it stays so use another endpoint"
            )
        if state.parts != parts_hash(parts):
            raise EndpointsDisagreeError(
                "the market has noted other parts of the key than the chain endpoint tells of; use "
                "another endpoint, then run `truthmark index rebuild`"
            )

    def _ids_of_purchases(self, **wanted: bytes | str | None) -> Sql | None:
        """Return a query of the purchases that filters let pass; None where there are none."""
        given = [Sql(f"{name} = ?", (v,)) for name, v in wanted.items() if v is not None]
        if not given:
            return None
        table, where = self.index.table("market", "Purchased"), all_of(given)
        return Sql(f"SELECT purchase_id FROM {table}{where.text}", where.values)  # noqa: S608

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

    def offers(self, validator: str | None = None) -> list[ValidatorOffer]:
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
                ValidatorOffer(
                    validator=known[address],
                    fees={f.token: (f.fee_per_sale, f.keeping_fee) for f in offer.fees},
                    max_bytes=offer.max_bytes,
                    max_period_seconds=offer.max_period_seconds,
                    min_delivery_seconds=offer.min_delivery_seconds,
                    min_inspection_seconds=offer.min_inspection_seconds,
                    max_lock=offer.max_lock,
                    takes_unsampled=offer.takes_unsampled,
                    is_available=state.is_available,
                    free_stake=free,
                    operator=state.operator,
                    url=offer.url,
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
            for row in self.index.events(role, event, after=after, **wanted)
        ]


def _status(kind: type[_S], value: int) -> _S:
    try:
        return kind(value)
    except ValueError as error:
        raise MalformedReplyError(
            f"a chain endpoint gives the unknown status {value}; try another one"
        ) from error


def _place(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["block_number"], row["log_index"]


def _holds(is_so: bool, what: str) -> bool:
    """Say whether what an endpoint told of something is what its id commits to."""
    if not is_so:
        log.warning("a %s in the index is not what its id says; it is left out", what)
    return is_so
