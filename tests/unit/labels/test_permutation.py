# SPDX-License-Identifier: Apache-2.0
import json
import random

import numpy as np
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounty_vectors import PATH, SEED
from truthmark.errors import ConfigError
from truthmark.labels.permutation import MAX_ITEMS, order_of, places_of, round_key


def test_places_of__vectors__agree() -> None:
    for case in json.loads(PATH.read_text())["permutations"]:
        key = round_key(SEED, case["round"])
        assert f"0x{key:064x}" == case["key"]
        items = np.array(case["items"]) if "items" in case else None
        assert places_of(key, case["count"], items).tolist() == case["places"]


def test_places_of__random_keys_and_counts__agree_with_the_plain_form() -> None:
    rng = random.Random(1)
    for _ in range(2000):
        key, count = (
            rng.getrandbits(256),
            rng.choice([rng.randint(1, 40), rng.randint(1, MAX_ITEMS)]),
        )
        item = rng.randrange(count)
        (place,) = places_of(key, count, np.array([item])).tolist()
        assert place == ref.place_of(key, count, item)


@pytest.mark.parametrize("count", [*range(1, 70), 1000, 4097, 65_537])
def test_order_of__any_count__is_the_inverse_permutation(count: int) -> None:
    key = round_key(SEED, count % 9)
    places, order = places_of(key, count), order_of(key, count)
    assert sorted(places.tolist()) == list(range(count))
    assert (order[places] == np.arange(count)).all()


def test_places_of__many_seeds__spread_every_item_evenly() -> None:
    # Chi-squared over 50 batches for each of 20 items: 980 degrees of freedom in all.
    count, seats = 1000, 50
    items = np.arange(0, count, 50)
    hits = np.zeros((len(items), seats))
    for seed in range(2000):
        key = round_key(ref.keccak(ref.word(seed)), 0)
        hits[np.arange(len(items)), places_of(key, count, items) // (count // seats)] += 1
    expected = 2000 / seats
    chi = ((hits - expected) ** 2 / expected).sum()
    assert 980 - 5 * 45 < chi < 980 + 5 * 45  # five standard deviations
    # Neighbours share a batch as often as any two items do: 19 of 999.
    together = 0
    for seed in range(4000):
        key = round_key(ref.keccak(ref.word(seed)), 1)
        first, second = places_of(key, count, np.array([500, 501])) // 20
        together += int(first == second)
    assert 40 < together < 120  # 76 are expected


def test_places_of__out_of_range__is_refused() -> None:
    for count, items in ((0, None), (2**24, None), (5, np.array([5])), (5, np.array([-1]))):
        with pytest.raises(ConfigError):
            places_of(1, count, items)
    assert places_of(1, 5, np.array([], np.int64)).tolist() == []
