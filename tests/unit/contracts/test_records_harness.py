# SPDX-License-Identifier: Apache-2.0
"""Ids, words and maps: Python against Vyper on random values."""

from dataclasses import fields
from random import Random
from typing import Any

import boa
import pytest

from tests.utils.contracts import plain
from tests.utils.tokens import deployer
from truthmark.keys.abi_hash import hash_words
from truthmark.keys.curve import G, multiply
from truthmark.keys.purchase import purchase_id
from truthmark.market.records import (
    Custody,
    Receipt,
    Terms,
    bits,
    custodians_hash,
    obligation_id,
    share_keys_hash,
)
from truthmark.types import Point

CASES = [2_000, pytest.param(40_000, marks=pytest.mark.assure)]

# What docs/protocol.md says of the words: fields and widths from the low bits up.
VERSION = {
    "status": 8,
    "price": 128,
    "listing_id": 40,
    "version": 16,
    "epochs": 16,
    "stopped_at": 40,
    "is_superseded": 8,
}
CUSTODY = {
    "status": 8,
    "accepted": 16,
    "active": 16,
    "previous_active": 16,
    "votes": 16,
    "fined": 16,
    "released": 16,
    "end": 40,
    "previous_end": 40,
    "stopped_at": 40,
    "inspection_seconds": 32,
}


PURCHASE = {"status": 7, "is_by_voucher": 1, "delivered": 16, "deadline": 40, "parts": 192}
FLAGS = {"is_superseded", "is_by_voucher"}
LAYOUTS = {"version": VERSION, "custody": CUSTODY, "purchase": PURCHASE}


@pytest.fixture(scope="module")
def harness() -> Any:
    return deployer("test/RecordsHarness").deploy()


def number(random: Random) -> int:
    """Return a word, often one of the extremes."""
    if random.random() < 0.1:
        return random.choice([0, 1, 2**255, 2**256 - 1])
    return random.getrandbits(random.choice([8, 64, 128, 256]))


def address(random: Random) -> str:
    return "0x" + random.randbytes(20).hex()


def point(random: Random) -> Point:
    # The words are hashed as they are, so any will do.
    return Point(number(random), number(random))


def record(random: Random, kind: Any) -> Any:
    """Return a record with random fields."""
    makers = {
        "str": address,
        "bytes": lambda r: r.randbytes(32),
        "int": number,
        "Point": point,
    }
    values = {}
    for field in fields(kind):
        name = field.type if isinstance(field.type, str) else field.type.__name__
        values[field.name] = makers[name](random)
    return kind(**values)


@pytest.mark.parametrize("count", CASES)
def test_terms_id__random_terms__agree(harness: Any, count: int) -> None:
    random = Random(f"terms {count}")
    for _ in range(count):
        terms = record(random, Terms)
        assert bytes(harness.terms_id(terms.astuple())) == terms.terms_id


@pytest.mark.parametrize("count", CASES)
def test_custody_id__random_custodies__agree(harness: Any, count: int) -> None:
    random = Random(f"custody {count}")
    for _ in range(count):
        custody = record(random, Custody)
        assert bytes(harness.custody_id(custody.astuple())) == custody.custody_id


@pytest.mark.parametrize("count", CASES)
def test_purchase_id__random_purchases__agree(harness: Any, count: int) -> None:
    random = Random(f"purchase {count}")
    for _ in range(count):
        custody_id = random.randbytes(32)
        receipt = record(random, Receipt)
        expected = receipt.purchase_id(custody_id)
        assert purchase_id(custody_id, receipt.base, receipt.digest) == expected
        found = harness.purchase_id(custody_id, tuple(receipt.base), receipt.digest)
        assert bytes(found) == expected


@pytest.mark.parametrize("count", CASES)
def test_lists__random_custodians_and_share_keys__hash_alike(harness: Any, count: int) -> None:
    random = Random(f"lists {count}")
    for i in range(count):
        n = i % 17
        addresses = [address(random) for _ in range(n)]
        keys = [point(random) for _ in range(n)]
        assert bytes(harness.custodians_hash(addresses)) == custodians_hash(addresses)
        found = harness.share_keys_hash([tuple(key) for key in keys])
        assert bytes(found) == share_keys_hash(keys)


@pytest.mark.parametrize("count", CASES)
def test_acceptance_and_obligation__random_values__agree(harness: Any, count: int) -> None:
    random = Random(f"acceptance {count}")
    for _ in range(count):
        key, threshold, seconds = point(random), number(random), number(random)
        found = harness.acceptance(tuple(key), threshold, seconds)
        assert bytes(found) == hash_words(key, threshold, seconds)
        custody_id, index = random.randbytes(32), number(random)
        assert bytes(harness.obligation(custody_id, index)) == obligation_id(custody_id, index)


def pack(layout: dict[str, int], state: dict[str, int]) -> int:
    word = offset = 0
    for name, width in layout.items():
        assert state[name] < 1 << width
        word |= int(state[name]) << offset
        offset += width
    return word


def random_state(random: Random, layout: dict[str, int]) -> dict[str, Any]:
    """Return a state whose fields are often at their limits."""
    state: dict[str, Any] = {}
    for name, width in layout.items():
        most = (1 << width) - 1
        state[name] = random.choice([0, 1, most, random.getrandbits(width)])
    for flag in FLAGS & state.keys():
        state[flag] = state[flag] % 2 == 1
    return state


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize("count", CASES)
def test_words__random_states__pack_as_documented_and_back(
    harness: Any, kind: str, count: int
) -> None:
    layout = LAYOUTS[kind]
    assert sum(layout.values()) == 256
    random = Random(f"words {count}")
    pack_there, unpack_there = (getattr(harness, f"{verb}_{kind}") for verb in ("pack", "unpack"))
    for _ in range(count):
        state = random_state(random, layout)
        word = pack_there(tuple(state.values()))
        assert word == pack(layout, state)
        assert plain(unpack_there(word)) == state


@pytest.mark.parametrize(
    ("kind", "field"),
    [(kind, field) for kind, layout in LAYOUTS.items() for field in layout if field not in FLAGS],
)
def test_words__field_too_wide__is_refused(harness: Any, kind: str, field: str) -> None:
    layout = LAYOUTS[kind]
    state: dict[str, Any] = dict.fromkeys(layout, 0)
    state |= dict.fromkeys(FLAGS & state.keys(), False)
    pack_there = getattr(harness, f"pack_{kind}")
    pack_there(tuple((state | {field: (1 << layout[field]) - 1}).values()))
    with boa.reverts():
        pack_there(tuple((state | {field: 1 << layout[field]}).values()))


def test_count__every_map_of_two_halves__is_the_number_of_bits(harness: Any) -> None:
    # The sums never mix halves until the last step, so the low byte, the high byte, and pairs of
    # equal bytes cover every case of the earlier ones.
    for byte in range(256):
        for it in (byte, byte << 8, byte << 8 | byte, byte << 8 | byte ^ 0xFF):
            assert harness.count(it) == it.bit_count()


@pytest.mark.parametrize("count", CASES)
def test_count__random_maps__agree(harness: Any, count: int) -> None:
    random = Random(f"maps {count}")
    for _ in range(count):
        it = random.getrandbits(16)
        assert harness.count(it) == it.bit_count() == len(bits(it))


def test_bit__every_custodian__has_one_of_its_own(harness: Any) -> None:
    found = [harness.bit(index) for index in range(1, 17)]
    assert found == [1 << index - 1 for index in range(1, 17)]
    assert [bits(bit) for bit in found] == [[index] for index in range(1, 17)]


def test_ids__one_field_changed__are_others() -> None:
    random = Random("one field")
    for kind, name in ((Terms, "terms_id"), (Custody, "custody_id")):
        first = record(random, kind)
        ids = {getattr(first, name)}
        for field in fields(kind):
            other = record(random, kind)
            values = {it.name: getattr(first, it.name) for it in fields(kind)}
            values[field.name] = getattr(other, field.name)
            ids.add(getattr(kind(**values), name))
        assert len(ids) == 1 + len(fields(kind))
    assert share_keys_hash([G, multiply(2)]) != share_keys_hash([multiply(2), G])
