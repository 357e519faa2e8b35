# SPDX-License-Identifier: Apache-2.0
"""The contract that decides disputes, by itself: Python against Vyper on random disputes."""

from dataclasses import replace
from random import Random
from typing import Any

import boa
import pytest

from tests.utils.contracts import reverts
from tests.utils.drafts import (
    Evidence,
    Shard,
    draft_listing,
    evidence_of,
    make_content,
    scalar,
    word_of,
)
from tests.utils.market import MarketContracts, contracts, deployed_contracts
from truthmark.codec.derive import cek_from_point, shard_key, shard_leaf
from truthmark.codec.tree import Tree
from truthmark.hashing import keccak256, sha256
from truthmark.keys.abi_hash import word
from truthmark.keys.curve import INFINITY, N, base_of, multiply, total
from truthmark.keys.delivery import derive_key, purchase_base
from truthmark.keys.sharing import lagrange
from truthmark.types import Point

__all__ = ["contracts", "deployed_contracts"]

CASES = [2_000, pytest.param(40_000, marks=pytest.mark.assure)]
FEW = [150, pytest.param(3_000, marks=pytest.mark.assure)]


def parts_hash(parts: dict[int, Point]) -> int:
    noted = 0
    for index, part in parts.items():
        noted = int.from_bytes(keccak256(word(noted) + word(index) + word(part))[:24], "big")
    return noted


def as_parts(indices: list[int], weights: list[int]) -> list[Any]:
    return [(j, (0, 0), weight, (0, 0), 0) for j, weight in zip(indices, weights, strict=True)]


@pytest.mark.parametrize("count", CASES)
def test_is_weight__random_subsets__is_the_lagrange_coefficient(
    contracts: MarketContracts, count: int
) -> None:
    random = Random(f"weights {count}")
    is_weight = contracts.proofs.internal._is_weight
    done = 0
    while done < count:
        indices = random.sample(range(1, 17), random.randint(1, 8))
        weights = lagrange(indices)
        parts = as_parts(indices, weights)
        index, weight = random.choice(list(zip(indices, weights, strict=True)))
        assert is_weight(weight, index, parts)
        wrong = random.choice([0, weight ^ 1 << random.randrange(256), N - weight, weight + 1])
        assert is_weight(wrong, index, parts) == (wrong == weight)
        if weight + N < 2**256:
            assert not is_weight(weight + N, index, parts)
        done += 2


@pytest.mark.parametrize("count", CASES)
def test_shard_key_hash__random_shards__agrees_with_the_codec(
    contracts: MarketContracts, count: int
) -> None:
    random = Random(f"shard keys {count}")
    shard_key_hash = contracts.proofs.internal._shard_key_hash
    for i in range(count):
        key = Point(random.getrandbits(256), random.getrandbits(256))
        index = random.choice([0, 1, 2**32 - 1, random.getrandbits(32)])
        ciphertext_hash = random.randbytes(32)
        wrap = random.randbytes(32) if i % 2 else bytes(32)
        expected = sha256(shard_key(cek_from_point(key), index, ciphertext_hash, wrap))
        found = shard_key_hash(tuple(key), (index, ciphertext_hash, bytes(32), wrap, []))
        assert bytes(found) == expected


def dispute(random: Random) -> tuple[Any, Evidence, int, dict[int, Point], bool]:
    """Return terms, evidence, the parts' hash, the parts, and whether the shard is wrong."""
    t = random.randint(1, 8)
    secret, y = random.randrange(1, N), random.randrange(1, N)
    coefficients = [secret, *(random.randrange(1, N) for _ in range(t - 1))]
    indices = random.sample(range(1, 17), t)
    public_key = multiply(secret)
    base, _ = base_of(public_key)
    buyer_key = multiply(y)
    U, _ = purchase_base(public_key, buyer_key)
    parts = {j: multiply(sum(c * j**i for i, c in enumerate(coefficients)), U) for j in indices}
    cek = cek_from_point(multiply(secret, base))
    count = random.randint(1, 40)
    place = random.randrange(count)
    is_wrong = random.random() < 0.5
    leaves, chosen = [], None
    for i in range(count):
        ciphertext = random.randbytes(32)
        ciphertext_hash = sha256(ciphertext)
        wrap = random.choice([bytes(32), random.randbytes(32)])
        key = shard_key(cek, i, ciphertext_hash, wrap)
        if i == place:
            key = random.randbytes(32) if is_wrong else key
            chosen = Shard(ciphertext, key, wrap)
        leaves.append(shard_leaf(i, ciphertext_hash, sha256(key), wrap))
    tree = Tree(leaves)
    assert chosen is not None
    steps = derive_key(parts, y, public_key)
    evidence = evidence_of(steps, place, chosen, tree.path(place))
    content = replace(make_content(), key=public_key, base=base, tree=tree)
    return content, evidence, parts_hash(parts), {0: U}, is_wrong


def terms_of(w: MarketContracts, content: Any) -> Any:
    listing = draft_listing(
        w.place,
        seller=w.seller,
        token=str(w.token.address),
        now=w.now,
        content=content,
    )
    return listing.terms.astuple()


@pytest.mark.parametrize("count", FEW)
def test_wrong_key__random_disputes__follow_from_the_numbers(
    contracts: MarketContracts, count: int
) -> None:
    random = Random(f"disputes {count}")
    for _ in range(count):
        content, evidence, noted, base, is_wrong = dispute(random)
        arguments = (terms_of(contracts, content), tuple(base[0]), noted, evidence.astuple())
        if is_wrong:
            key = contracts.proofs.wrong_key(*arguments)
            assert cek_from_point(Point(*key))
        else:
            with reverts(contracts.proofs, "proofs: key opens the shard"):
                contracts.proofs.wrong_key(*arguments)


@pytest.mark.parametrize("count", FEW)
def test_wrong_key__one_number_changed__is_refused(contracts: MarketContracts, count: int) -> None:
    random = Random(f"spoiled disputes {count}")
    for _ in range(count):
        content, evidence, noted, base, _ = dispute(random)
        terms = terms_of(contracts, content)
        spoil(random, evidence)
        with pytest.raises(boa.BoaError):
            contracts.proofs.wrong_key(terms, tuple(base[0]), noted, evidence.astuple())


def spoil(random: Random, evidence: Evidence) -> None:
    """Change one number that is looked at."""
    flip = 1 << random.randrange(256)
    part = random.choice(evidence.parts)
    kind = random.randrange(8)
    if kind == 0:
        evidence.secret ^= flip
    elif kind == 1:
        evidence.buyer_key = Point(evidence.buyer_key.x ^ flip, evidence.buyer_key.y)
    elif kind == 2:
        evidence.blinding = Point(evidence.blinding.x, evidence.blinding.y ^ flip)
    elif kind == 3:
        part[1] = Point(part[1].x ^ flip, part[1].y)
    elif kind == 4:
        part[2] ^= flip
    elif kind == 5:
        part[3] = Point(part[3].x, part[3].y ^ flip)
    elif kind == 6:
        evidence.buyer_slope ^= flip
    else:
        evidence.shard[2] = random.randbytes(32)


def test_wrong_key__degenerate_sums__are_followed(contracts: MarketContracts) -> None:
    # A seller can deal so that weighted parts are equal (the sum is a doubling) or opposite (the
    # sum is infinity on the way). Parts are chosen so, in spite of any polynomial.
    content = make_content(5, 3, frozenset({0}))
    y = scalar("y")
    base, _ = purchase_base(content.key, multiply(y))
    indices = [1, 2, 3]
    weights = lagrange(indices)
    for signs in ((1, 1, 1), (1, -1, 1), (1, 1, -2), (1, 2, -3), (2, -1, -1)):
        parts = {
            j: multiply(sign * pow(weight, -1, N) % N, base)
            for j, sign, weight in zip(indices, signs, weights, strict=True)
        }
        steps = derive_key(parts, y, content.key)
        evidence = evidence_of(steps, 0, content.shards[0], content.tree.path(0))
        key = contracts.proofs.wrong_key(
            terms_of(contracts, content), tuple(base), parts_hash(parts), evidence.astuple()
        )
        expected = total(
            [
                multiply(sum(signs), base) if sum(signs) else INFINITY,
                multiply(N - y, content.key),
            ]
        )
        assert Point(*key) == expected == steps.key


def test_wrong_key__key_at_infinity__is_a_key_like_any_other(contracts: MarketContracts) -> None:
    # Parts whose sum is y*PK give infinity; its hash opens nothing, so the dispute holds.
    content = make_content(5, 3, frozenset({0}))
    y = scalar("y")
    base, _ = purchase_base(content.key, multiply(y))
    parts = {1: multiply(y, content.key)}
    steps = derive_key(parts, y, content.key)
    assert steps.key == INFINITY
    evidence = evidence_of(steps, 0, content.shards[0], content.tree.path(0))
    key = contracts.proofs.wrong_key(
        terms_of(contracts, content), tuple(base), parts_hash(parts), evidence.astuple()
    )
    assert tuple(key) == (0, 0)


def test_wrong_key__wrong_tangent__is_refused(contracts: MarketContracts) -> None:
    content = make_content(5, 3, frozenset({0}))
    y = scalar("y")
    base, _ = purchase_base(content.key, multiply(y))
    weights = lagrange([1, 2])
    parts = {
        j: multiply(pow(weight, -1, N), base) for j, weight in zip((1, 2), weights, strict=True)
    }
    steps = derive_key(parts, y, content.key)
    evidence = evidence_of(steps, 0, Shard(word_of("c"), word_of("k"), bytes(32)), [])
    evidence.parts[1][4] ^= 1
    with reverts(contracts.proofs, "curve: wrong tangent"):
        contracts.proofs.wrong_key(
            terms_of(contracts, content), tuple(base), parts_hash(parts), evidence.astuple()
        )
