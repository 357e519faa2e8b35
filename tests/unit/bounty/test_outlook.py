# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.utils.bounties import make_terms
from truthmark.bounty.outlook import outlook
from truthmark.errors import BountyError

BIG = {"items": 10_000, "batch": 50, "gold_count": 1000, "min_run": 4, "min_seats": 540}


@pytest.mark.parametrize("classes", [2, 5, 200])
def test_outlook__skill__pays_the_able_and_not_the_guessers(classes: int) -> None:
    terms = make_terms(**BIG, classes=classes)
    guesser, able = outlook(terms, skill=None), outlook(terms, skill=0.85)
    perfect = outlook(terms, skill=1.0)
    assert guesser.mean < 0.25 * able.mean and guesser.low == 0
    assert able.low < able.mean < able.high <= 1
    assert perfect.mean > 0.99
    assert outlook(terms, skill=0.0).mean == 0
    assert outlook(terms, skill=0.85) == able


def test_outlook__more_gold_a_run__narrows_what_the_able_get() -> None:
    few, many = (outlook(make_terms(**BIG | {"min_run": run}), skill=0.8) for run in (2, 10))
    assert many.high - many.low < few.high - few.low


def test_outlook__team_mode__has_none() -> None:
    with pytest.raises(BountyError, match="paid in full"):
        outlook(make_terms(gold_count=0), skill=0.9)
