# SPDX-License-Identifier: Apache-2.0
"""Listings and purchases as calls take them, for tests and benches on any chain.

Nothing here reads or writes a chain. Keys and shares follow from small numbers, so that the same
test makes the same ids each time and what is slow to compute is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from truthmark.codec.derive import cek_from_point, fresh_key, shard_leaf, wrap_key
from truthmark.codec.tree import Tree
from truthmark.hashing import keccak256, sha256
from truthmark.keys.curve import N, base_of, multiply
from truthmark.keys.delivery import Derivation, derive_key, purchase_base
from truthmark.keys.proofs import (
    KnowledgeProof,
    Proof,
    prove_buyer_key,
    prove_dataset_key,
    prove_delivery,
)
from truthmark.market.drafts.order import statement
from truthmark.market.records import (
    ZERO_ADDRESS,
    Custody,
    Receipt,
    Terms,
    custodians_hash,
    share_keys_hash,
)
from truthmark.types import Point

ZERO_32 = bytes(32)

# Each figure stands once, so that an event with two of them swapped is noticed.
PRICE = 1_000_000
FEE = 7_000
KEEPING_FEE = 30_000
BOND = 500_001
FEE_BPS = 200
LOCK = 1_000
PENALTY = 300
DELIVERY = 600
INSPECTION = 700
WINDOWS = DELIVERY + INSPECTION
PERIOD = 9_000
ACCEPTANCE = 1_000


@dataclass(frozen=True, slots=True)
class Place:
    """The contracts that ids and proofs are bound to."""

    chain_id: int
    registry: str
    market: str


# ------------------------------------------------------------------ content


@dataclass(frozen=True, slots=True)
class Shard:
    """What a leaf commits to, and what it is the hash of."""

    ciphertext: bytes
    key: bytes
    wrap: bytes

    @property
    def ciphertext_hash(self) -> bytes:
        return sha256(self.ciphertext)

    @property
    def key_hash(self) -> bytes:
        return sha256(self.key)


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """A dataset: its secret and the tree over its shards."""

    secret: int
    key: Point
    base: Point
    counter: int
    shards: tuple[Shard, ...]
    tree: Tree


@lru_cache(maxsize=512)
def make_content(
    seed: int = 0,
    count: int = 3,
    wrong: frozenset[int] = frozenset(),
    unsealed: frozenset[int] = frozenset(),
    size: int = 4_096,
) -> Content:
    """Make a dataset; odd shards are wrapped.

    Args:
        seed: Another one is another dataset.
        count: Of shards.
        wrong: Those sealed and committed under another key than follows from the dataset's.
        unsealed: Those that are noise under any key.
        size: Bytes of a shard.
    """
    secret = scalar("content", seed)
    key = multiply(secret)
    base, counter = base_of(key)
    cek = cek_from_point(multiply(secret, base))
    shards = []
    for i in range(count):
        shard_key = fresh_key(cek, i)
        if i % 2:
            shard_key = word_of("older key", seed, i)
        due = shard_key
        if i in wrong:
            shard_key = word_of("another key")
        noise = word_of("noise", seed, i) * (size // 32)
        sealed = noise if i in unsealed else AESGCM(shard_key).encrypt(bytes(12), noise[:-16], None)
        wrap = wrap_key(due, cek, i, sha256(sealed)) if i % 2 else ZERO_32
        shards.append(Shard(sealed, shard_key, wrap))
    return Content(secret, key, base, counter, tuple(shards), tree_of(shards))


def tree_of(shards: Sequence[Shard]) -> Tree:
    """Return the tree over shards."""
    return Tree(
        [shard_leaf(i, it.ciphertext_hash, it.key_hash, it.wrap) for i, it in enumerate(shards)]
    )


def scalar(*name: object) -> int:
    """Return the scalar from 1 to N - 1 that goes with a name."""
    return 1 + int.from_bytes(keccak256(repr(name).encode()), "big") % (N - 1)


def word_of(*name: object) -> bytes:
    """Return the 32 bytes that go with a name."""
    return keccak256(repr(name).encode())


@lru_cache(maxsize=4096)
def deal_shares(seed: int, secret: int, threshold: int, count: int) -> tuple[int, ...]:
    """Return f(1) to f(n) of the polynomial that goes with a number."""
    coefficients = [secret, *(scalar("coefficient", seed, i) for i in range(1, threshold))]
    return tuple(sum(c * j**i for i, c in enumerate(coefficients)) % N for j in range(1, count + 1))


# ------------------------------------------------------------------ listing


@dataclass(frozen=True, slots=True)
class Listing:
    """A version with one of its epochs of custody."""

    place: Place
    content: Content
    terms: Terms
    custody: Custody
    custodians: tuple[str, ...]
    share_keys: tuple[Point, ...]
    shares: tuple[int, ...]
    price: int

    @property
    def terms_id(self) -> bytes:
        return self.terms.terms_id

    @property
    def custody_id(self) -> bytes:
        return self.custody.custody_id

    @property
    def cost(self) -> int:
        return self.price + self.custody.threshold * self.custody.fee

    def proof(self, **overrides: Any) -> tuple[int, int]:
        """Return the seller's proof of knowing the dataset key."""
        context: dict[str, Any] = {
            "chain_id": self.place.chain_id,
            "registry": self.place.registry,
            "seller": self.terms.seller,
            "terms_id": self.terms_id,
        }
        return tuple(prove_dataset_key(self.content.secret, **{**context, **overrides}))

    def list_arguments(self, previous: Terms | None = None, **overrides: Any) -> tuple[Any, ...]:
        """Return what `list_version` takes."""
        arguments: dict[str, Any] = {
            "terms": self.terms.astuple(),
            "price": self.price,
            "proof": None,
            "counter": self.content.counter,
            "custody": self.custody.astuple(),
            "custodians": list(self.custodians),
            "share_keys": tuples(self.share_keys),
        }
        if overrides.get("proof") is None:
            overrides["proof"] = self.proof()
        arguments |= overrides
        return (*arguments.values(), *(() if previous is None else (previous.astuple(),)))

    @property
    def opening(self) -> tuple[Any, ...]:
        """What `open_custody` takes."""
        return (*self.keeping, tuples(self.share_keys))

    @property
    def accepting(self) -> tuple[Any, ...]:
        """What `accept` begins with."""
        return self.opening[1:]

    @property
    def keeping(self) -> tuple[Any, ...]:
        """What `release` takes, and `extend`, `settle` and `confirm` begin with."""
        return (self.terms.astuple(), self.custody.astuple(), list(self.custodians))

    def with_custody(self, custody: Custody) -> "Listing":
        """Return the same with another custody record."""
        return replace(self, custody=custody)


def draft_listing(
    place: Place,
    *,
    seller: str,
    token: str,
    now: int,
    custodians: Sequence[str] = (),
    threshold: int = 2,
    content: Content | None = None,
    price: int = PRICE,
    terms: Terms | None = None,
    epoch: int = 0,
    dealing: int = 0,
    shares: Sequence[int] | None = None,
    share_keys: Sequence[Point] | None = None,
    **overrides: Any,
) -> Listing:
    """Write terms and custody as a seller would, then change the fields named in `overrides`.

    Args:
        place: The contracts.
        seller: Who sells.
        token: The sale token.
        now: Chain time.
        custodians: Ascending; none for direct mode.
        threshold: t; 1 in direct mode.
        content: What is sold.
        price: The list price.
        terms: Terms that exist already, for a further custody.
        epoch: The custody's number.
        dealing: Which polynomial.
        shares: Others than those of the polynomial.
        share_keys: Others than those of the shares.
        **overrides: Fields of Terms or Custody.
    """
    content = content or make_content()
    is_direct = not custodians
    if is_direct:
        custodians, threshold = (seller,), 1
    if terms is None:
        terms = Terms(
            seller=seller,
            payee=seller,
            token=token,
            manifest=word_of("manifest"),
            root=content.tree.root,
            shard_count=content.tree.count,
            public_key=content.key,
            base=content.base,
            licence=word_of("licence"),
            gate=ZERO_ADDRESS,
            bond=BOND,
            royalty_bps=0,
            bounty=0,
            fee_bps=FEE_BPS,
            delivery_seconds=DELIVERY,
            inspection_seconds=INSPECTION,
        )
        terms = replace(terms, **_of(Terms, overrides))
    if shares is None:
        shares = deal_shares(dealing, content.secret, threshold, len(custodians))
    if share_keys is None:
        share_keys = tuple(map(multiply, shares))
    end = now + ACCEPTANCE + PERIOD
    custody = Custody(
        terms_id=terms.terms_id,
        epoch=epoch,
        custodians=custodians_hash(custodians),
        share_keys=share_keys_hash(share_keys),
        count=len(custodians),
        threshold=threshold,
        fee=FEE,
        keeping_fee=0 if is_direct else KEEPING_FEE,
        lock=0 if is_direct else LOCK,
        penalty=0 if is_direct else PENALTY,
        period_seconds=PERIOD,
        accept_until=now + ACCEPTANCE,
        end=end,
        last_end=end + 3 * PERIOD,
        sealed_shares=word_of("sealed"),
    )
    custody = replace(custody, **_of(Custody, overrides))
    unknown = overrides.keys() - _of(Terms, overrides).keys() - _of(Custody, overrides).keys()
    assert not unknown, f"neither Terms nor Custody has {unknown}"
    return Listing(
        place, content, terms, custody, tuple(custodians), tuple(share_keys), tuple(shares), price
    )


def _of(record: Any, overrides: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(record)}
    return {name: value for name, value in overrides.items() if name in names}


# ----------------------------------------------------------------- purchase


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a buyer sends, keeps and gets."""

    listing: Listing
    secret: int
    receipt: Receipt
    order: tuple[Any, ...]

    @property
    def id(self) -> bytes:
        return self.receipt.purchase_id(self.listing.custody_id)

    @property
    def cost(self) -> int:
        custody = self.listing.custody
        return self.receipt.price + custody.threshold * custody.fee

    def arguments(self, *more: Any) -> tuple[Any, ...]:
        """Return what `buy` takes."""
        listing = self.listing
        return (self.order, listing.terms.astuple(), listing.custody.astuple(), *more)


def draft_purchase(
    listing: Listing,
    buyer: str,
    number: int = 0,
    *,
    price: int | None = None,
    secret: int | None = None,
    proof: KnowledgeProof | None = None,
) -> Purchase:
    """Write the order of a buyer's purchase with a number."""
    price = listing.price if price is None else price
    secret = secret or scalar("buyer", number)
    salt = word_of("salt", number)
    key = multiply(secret)
    base, slope = purchase_base(listing.terms.public_key, key)
    proof = proof or prove_buyer_key(
        secret,
        chain_id=listing.place.chain_id,
        market=listing.place.market,
        custody_id=listing.custody_id,
        buyer=buyer,
        salt=salt,
    )
    order = (price, salt, tuple(key), proof.challenge, proof.response, slope)
    return Purchase(listing, secret, Receipt(buyer, price, salt, base), order)


# ----------------------------------------------------------------- delivery


@dataclass(frozen=True, slots=True)
class Part:
    """A custodian's part of the key for one purchase."""

    receipt: Receipt
    point: Point
    proof: Proof

    def astuple(self) -> tuple[Any, ...]:
        """Return the contract's `struct Delivery`."""
        return (
            self.receipt.digest,
            tuple(self.receipt.base),
            tuple(self.point),
            proof_tuple(self.proof),
        )


def make_part(purchase: Purchase, index: int, place: Place | None = None) -> Part:
    """Make custodian `index`'s part for a purchase."""
    listing = purchase.listing
    place = place or listing.place
    about = statement(
        purchase.receipt,
        listing.custody_id,
        index,
        listing.share_keys,
        chain_id=place.chain_id,
        market=place.market,
    )
    return Part(purchase.receipt, *prove_delivery(about, listing.shares[index - 1]))


def deliver_arguments(
    listing: Listing, index: int, parts: Sequence[Part], /, **overrides: Any
) -> tuple[Any, ...]:
    """Return what `deliver` takes."""
    arguments: dict[str, Any] = {
        "custody_id": listing.custody_id,
        "index": index,
        "share_key": tuple(listing.share_keys[index - 1]),
        "threshold": listing.custody.threshold,
        "inspection_seconds": listing.terms.inspection_seconds,
        "deliveries": [part.astuple() for part in parts],
    }
    return tuple((arguments | overrides).values())


# ---------------------------------------------------------------- dispute


@dataclass(slots=True)
class Evidence:
    """The contracts' `struct Evidence`, with fields that a test may spoil."""

    secret: int
    buyer_key: Point
    buyer_slope: int
    blinding: Point
    parts: list[list[Any]]
    """index, part, weight, weighted, slope"""
    key_slope: int
    shard: list[Any]
    """index, ciphertext hash, key hash, wrap, path"""

    def astuple(self) -> tuple[Any, ...]:
        return (
            self.secret,
            tuple(self.buyer_key),
            self.buyer_slope,
            tuple(self.blinding),
            [
                (i, tuple(part), weight, tuple(weighted), slope)
                for i, part, weight, weighted, slope in self.parts
            ],
            self.key_slope,
            tuple(self.shard),
        )


def draft_evidence(purchase: Purchase, parts: dict[int, Part], shard: int) -> Evidence:
    """Write the evidence that the key made of `parts` misses a shard."""
    content = purchase.listing.content
    steps = derive_key({j: part.point for j, part in parts.items()}, purchase.secret, content.key)
    return evidence_of(steps, shard, content.shards[shard], content.tree.path(shard))


def evidence_of(steps: Derivation, index: int, shard: Shard, path: list[bytes]) -> Evidence:
    """Write the evidence that the key so computed misses a shard."""
    return Evidence(
        steps.secret,
        steps.buyer_key,
        steps.buyer_slope,
        steps.blinding,
        [list(part) for part in steps.parts],
        steps.key_slope,
        [index, shard.ciphertext_hash, shard.key_hash, shard.wrap, path],
    )


def dispute_arguments(purchase: Purchase, evidence: Evidence) -> tuple[Any, ...]:
    """Return what `dispute_key` takes."""
    listing = purchase.listing
    return (
        listing.terms.astuple(),
        listing.custody.astuple(),
        purchase.receipt.astuple(),
        evidence.astuple(),
    )


def sealing_arguments(listing: Listing, shard: int) -> tuple[Any, ...]:
    """Return what `dispute_sealing` takes, about a shard of a listing."""
    return (listing.terms.astuple(), *opened_shard(listing.content, shard))


def opened_shard(content: Content, shard: int) -> tuple[Any, bytes]:
    """Return a `struct OpenedShard`, and the shard's ciphertext."""
    it = content.shards[shard]
    return (shard, it.key, it.wrap, content.tree.path(shard)), it.ciphertext


# ------------------------------------------------------------------- tuples


def proof_tuple(proof: Proof) -> tuple[Any, ...]:
    """Return the contract's `struct Proof`."""
    return (
        proof.challenge,
        proof.response,
        tuple(proof.scaled_base),
        tuple(proof.scaled_part),
        proof.slope,
    )


def tuples(points: Sequence[Point]) -> list[tuple[int, int]]:
    return [tuple(point) for point in points]
