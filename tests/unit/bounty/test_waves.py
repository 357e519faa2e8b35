# SPDX-License-Identifier: Apache-2.0
"""Jobs in waves: which items are asked again, and what all waves together say."""

import random
from dataclasses import replace

import numpy as np
import pytest

from tests.utils.bounties import make_case
from truthmark.bounty.gold import Gold
from truthmark.bounty.result import Result
from truthmark.bounty.verify import labels_of
from truthmark.bounty.waves import Wave, join_waves, wave_of
from truthmark.errors import BountyError
from truthmark.labels.goldw import Votes
from truthmark.labels.scoring import Verdict, judge

TORN = 5
"""Of six items, all three workers agree on the first five."""


def wave(items: list[int], labels: list[list[int]], signers: list[str], gold: dict[int, int]):  # type: ignore[no-untyped-def]
    """Return a wave in which each worker says something of each item; labels by worker."""
    count = len(items)
    of_gold = Gold(np.array(sorted(gold)), np.array([gold[i] for i in sorted(gold)]))
    verdict = judge(np.array(labels).T[of_gold.items], of_gold.answers, 2) if gold else None
    votes = Votes(
        np.tile(np.arange(count), len(labels)),
        np.repeat(np.arange(len(labels)), count),
        np.concatenate(labels),
        count,
        len(labels),
        2,
    )
    return Wave(np.array(items), votes, signers, of_gold, verdict)


FIRST = wave(
    [0, 1, 2, 3, 4, 5],
    [[0, 1, 0, 1, 0, 0], [0, 1, 0, 1, 0, 1]],
    ["ann", "bob"],
    {0: 0, 1: 1},
)


def test_join_waves__one_wave__is_goldw_and_names_what_is_unsure() -> None:
    joined = join_waves([FIRST], 6)
    assert joined.labels.labels.tolist() == [0, 1, 0, 1, 0, 0]
    assert joined.trusted.tolist() == [True, True, False, False, False, False]
    assert joined.unsure().tolist() == [TORN]
    assert joined.unsure(0).tolist() == []
    assert joined.unsure(10**6).tolist() == [2, 3, 4, 5]  # gold is never asked again
    assert (joined.labels.margins[[2, 3, 4]] == 2 * joined.labels.weights[0]).all()


def test_join_waves__second_wave__adds_its_answers_and_weighs_who_came_back_by_both() -> None:
    second = wave([4, TORN], [[0, 1], [0, 1]], ["bob", "eve"], {0: 0})
    joined = join_waves([FIRST, second], 6)
    assert joined.labels.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert joined.unsure().tolist() == []
    ann, bob, eve = joined.labels.weights.tolist()
    assert bob > ann > eve  # bob was right on three gold items, eve on one


def test_unsure__from_the_second_wave_on__asks_below_three_quarters() -> None:
    second = wave([4, TORN], [[0, 1], [0, 1]], ["bob", "eve"], {0: 0})
    once, twice = join_waves([FIRST], 6), join_waves([FIRST, second], 6)
    below = int(once.labels.margins[3])
    assert 3 in once.unsure(below + 1) and 3 not in once.unsure(below)
    later = int(twice.labels.margins[TORN])
    assert TORN in twice.unsure(4 * (later + 2) // 3) and TORN not in twice.unsure(4 * later // 3)


def test_join_waves__gold_that_two_of_two_contradict__is_no_answer_and_is_asked_again() -> None:
    false = wave([0, 1, 2, 3], [[0, 1, 0, 1], [0, 1, 0, 0]], ["ann", "bob"], {0: 1, 1: 1, 2: 0})
    assert isinstance(false.verdict, Verdict) and false.verdict.excluded.tolist() == [
        True,
        False,
        False,
    ]
    joined = join_waves([false], 4)
    assert joined.trusted.tolist() == [False, True, True, False]
    assert joined.labels.labels[0] == 0 and 0 in joined.unsure(10**6)


def test_join_waves__what_does_not_fit__is_refused() -> None:
    with pytest.raises(BountyError, match="there is no wave"):
        join_waves([], 6)
    with pytest.raises(BountyError, match="not among the job's 5"):
        join_waves([FIRST], 5)
    with pytest.raises(BountyError, match="must ascend"):
        join_waves([replace(FIRST, items=np.array([0, 2, 1, 3, 4, 5]))], 6)
    with pytest.raises(BountyError, match="are not those of its bounty"):
        join_waves([replace(FIRST, signers=["ann"])], 6)
    with pytest.raises(BountyError, match="the same classes"):
        join_waves([FIRST, replace(FIRST, votes=replace(FIRST.votes, n_classes=3))], 6)


def test_wave_of__a_bounty__gives_the_labels_that_its_result_gives() -> None:
    rng = random.Random(4)
    case = make_case(rng)
    while case.true_score.is_half or not case.opened:
        case = make_case(rng)
    score = case.true_score
    result = Result(case.posted(score), case.runs)
    items = np.arange(case.record.terms.items)
    joined = join_waves([wave_of(result, case.opened, items)], len(items))
    found = labels_of(result, case.opened)
    assert found is not None
    assert joined.labels.labels.tolist() == found.labels.tolist()
    assert joined.labels.margins.tolist() == found.margins.tolist()
