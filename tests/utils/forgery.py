# SPDX-License-Identifier: Apache-2.0
"""Deliveries that nobody may take: mutations of true ones, and forgeries that are nearly right."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from truthmark.keys import curve
from truthmark.keys.abi_hash import hash_words
from truthmark.keys.curve import N, P
from truthmark.keys.proofs import DeliveryStatement, Proof
from truthmark.types import Point

MARKET = "0x" + "4d" * 20
MAX_WORD = 2**256 - 1

Delivery = tuple[DeliveryStatement, Point, Proof]


def mutate_delivery(
    random: Random, deliveries: Sequence[Delivery]
) -> tuple[str, DeliveryStatement, Point, Proof]:
    """Change one thing about one of several true deliveries; returns what, and the result."""
    while True:
        original, other = random.sample(list(deliveries), 2)
        kind, mutated = _mutate(random, original, other)
        if mutated != original:
            return kind, *mutated


def _mutate(random: Random, original: Delivery, other: Delivery) -> tuple[str, Delivery]:
    statement, part, proof = original
    field = random.choice(
        [
            *("chain_id", "market", "purchase_id", "custodian", "share_key", "base"),
            "part",
            *proof._fields,
        ]
    )
    if field == "part":
        how, value = _mutate_value(random, part, other[1])
        return f"part {how}", (statement, value, proof)
    if field in proof._fields:
        how, value = _mutate_value(random, getattr(proof, field), getattr(other[2], field))
        return f"{field} {how}", (statement, part, proof._replace(**{field: value}))
    how, value = _mutate_value(random, getattr(statement, field), getattr(other[0], field))
    return f"{field} {how}", (replace(statement, **{field: value}), part, proof)


def _mutate_value(random: Random, value, other):
    if random.random() < 0.2:
        return "of another delivery", other
    if isinstance(value, Point):
        how = random.choice(["negated", "doubled", "plus G", "x", "y", "swapped", "random"])
        if how == "negated":
            return how, curve.negate(value)
        if how == "doubled":
            return how, curve.multiply(2, value)
        if how == "plus G":
            return how, curve.add(value, curve.G)
        if how == "x":
            return how, Point(_flip(random, value.x), value.y)
        if how == "y":
            return how, Point(value.x, _flip(random, value.y))
        if how == "swapped":
            return how, Point(value.y, value.x)
        return how, curve.multiply(random.randrange(1, N))
    if isinstance(value, int):
        how = random.choice(["flipped", "plus one", "negated", "zero", "largest", "random"])
        changed = {
            "flipped": _flip(random, value),
            "plus one": value + 1 & MAX_WORD,
            "negated": N - value if value < N else value,
            "zero": 0,
            "largest": MAX_WORD,
            "random": random.randrange(2**256),
        }
        return how, changed[how]
    raw = bytearray(value if isinstance(value, bytes) else bytes.fromhex(value[2:]))
    raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
    return "flipped", bytes(raw) if isinstance(value, bytes) else "0x" + raw.hex()


def _flip(random: Random, value: int) -> int:
    return value ^ 1 << random.randrange(256)


def wrong_y(q: Point) -> Point:
    """Return a pair with x and parity of `q` that is not on the curve."""
    return Point(q.x, q.y + 2 if q.y + 2 < P else q.y - 2)


def forge_with_wrong_y(
    statement: DeliveryStatement, share: int, random: Random
) -> tuple[Point, Proof]:
    """Make a delivery that fails in nothing but the y of its part, which is off the curve."""
    part = curve.multiply(share, statement.base)
    shown = wrong_y(part)
    nonce = random.randrange(1, N)
    first, second = curve.multiply(nonce), curve.multiply(nonce, statement.base)
    digest = hash_words(*statement.words(), shown, curve.address_of(first), second)
    challenge = int.from_bytes(digest, "big") % N
    response = (nonce + challenge * share) % N
    scaled_base = curve.multiply(response, statement.base)
    scaled_part = curve.multiply(challenge, part)
    slope = curve.slope(scaled_base, curve.negate(scaled_part))
    return shown, Proof(challenge, response, scaled_base, scaled_part, slope)


def forge_without_commitment(statement: DeliveryStatement, random: Random) -> tuple[Point, Proof]:
    """Prove a part of the forger's choice, with the zero address for the first commitment."""
    chosen, nonce = random.randrange(1, N), random.randrange(1, N)
    part = curve.multiply(chosen, statement.base)
    second = curve.multiply(nonce, statement.base)
    digest = hash_words(*statement.words(), part, "0x" + "00" * 20, second)
    challenge = int.from_bytes(digest, "big") % N
    response = (nonce + challenge * chosen) % N
    scaled_base = curve.multiply(response, statement.base)
    scaled_part = curve.multiply(challenge, part)
    slope = curve.slope(scaled_base, curve.negate(scaled_part))
    return part, Proof(challenge, response, scaled_base, scaled_part, slope)


def forge_with_free_witness(
    statement: DeliveryStatement, share: int, random: Random, free: str
) -> tuple[Point, Proof]:
    """Prove a wrong part by choosing the witness `free` so that the sum comes out right."""
    part = curve.multiply(random.randrange(1, N))
    nonce = random.randrange(1, N)
    first, second = curve.multiply(nonce), curve.multiply(random.randrange(1, N))
    digest = hash_words(*statement.words(), part, curve.address_of(first), second)
    challenge = int.from_bytes(digest, "big") % N
    response = (nonce + challenge * share) % N
    scaled_base = curve.multiply(response, statement.base)
    scaled_part = curve.multiply(challenge, part)
    if free == "scaled_base":
        scaled_base = curve.add(second, scaled_part)
    else:
        scaled_part = curve.subtract(scaled_base, second)
    slope = curve.slope(scaled_base, curve.negate(scaled_part))
    return part, Proof(challenge, response, scaled_base, scaled_part, slope)
