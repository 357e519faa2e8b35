# SPDX-License-Identifier: Apache-2.0
"""`goldw-v3` on arrays, held against the rule written out answer by answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthmark.errors import ConfigError
from truthmark.labels.goldw import NONE, Votes, goldw
from truthmark.labels.integers import ln_milli


def plain(votes, gold, excluded, scored, shares):
    """The rule as docs/labels.md has it, with dictionaries and loops."""
    c_all = votes.n_classes
    answers = list(zip(votes.items, votes.workers, votes.labels, strict=True))

    def weight(right, wrong, start=4):
        return max(0, ln_milli(right * (c_all - 1) + start) - ln_milli(wrong + 2))

    def tally(verdicts):
        right, wrong = [0] * votes.n_workers, [0] * votes.n_workers
        for worker, is_right in verdicts:
            (right if is_right else wrong)[worker] += 1
        return right, wrong

    right, wrong = tally(
        (w, label == gold[i])
        for i, w, label in answers
        if gold[i] != NONE and not excluded[i] and scored[i]
    )
    start = 6 if sum(right) and 2 * sum(right) >= 5 * sum(wrong) else 4
    by_gold = [weight(c, x, start) for c, x in zip(right, wrong, strict=True)]
    weights = by_gold
    for _ in range(2):
        verdicts = []
        for n, (i, w, label) in enumerate(answers):
            if gold[i] != NONE or label == c_all:
                continue
            sums = [0] * c_all
            for m, (j, other, said) in enumerate(answers):
                if j == i and m != n and said < c_all:
                    sums[said] += weights[other]
            if max(sums) > 0:
                verdicts.append((w, sums.index(max(sums)) == label))
        right, wrong = tally(verdicts)
        weights = [
            min(g, weight(c, x)) if c + x >= 5 else g
            for g, c, x in zip(by_gold, right, wrong, strict=True)
        ]
    labels, margins = [], []
    for item in range(votes.n_items):
        sums = [0] * c_all
        said = [(w, label) for i, w, label in answers if i == item]
        for w, label in said:
            if label < c_all:
                sums[label] += weights[w]
        if shares is not None:
            sums = [
                s + ln_milli(int(p)) - ln_milli(int(min(shares)))
                for s, p in zip(sums, shares, strict=True)
            ]
        order = sorted(sums, reverse=True)
        margins.append(order[0] - (order[1] if c_all > 1 else 0))
        if gold[item] != NONE and not excluded[item]:
            labels.append(gold[item])
        else:
            labels.append(sums.index(order[0]) if said else NONE)
    return labels, margins, weights


@st.composite
def bounties(draw):
    n_items, n_workers = draw(st.integers(1, 12)), draw(st.integers(1, 8))
    n_classes = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    given_ = rng.random((n_items, n_workers)) < draw(st.floats(0, 1))
    items, workers = np.nonzero(given_)
    truth = rng.integers(0, n_classes, n_items)
    is_right = rng.random(len(items)) < draw(st.floats(0, 1))
    labels = np.where(is_right, truth[items], rng.integers(0, n_classes + 1, len(items)))
    gold = np.where(rng.random(n_items) < draw(st.floats(0, 1)), truth, NONE)
    excluded, scored = rng.random((2, n_items)) < np.array([[0.2], [0.8]])
    shares = rng.integers(1, 1000, n_classes) if draw(st.booleans()) else None
    votes = Votes(items, workers, labels, n_items, n_workers, n_classes)
    return votes, gold, excluded, scored, shares


@given(bounties())
def test_goldw__any_answers__follow_the_rule(bounty) -> None:
    votes, gold, excluded, scored, shares = bounty
    found = goldw(votes, gold, scored=scored, excluded=excluded, shares=shares)
    labels, margins, weights = plain(*bounty)
    assert found.labels.tolist() == labels
    assert found.margins.tolist() == margins
    assert found.weights.tolist() == weights


def small(labels, n_classes=2):
    """Five items, a row a worker; None is no answer."""
    rows = [
        (i, w, label)
        for w, row in enumerate(labels)
        for i, label in enumerate(row)
        if label is not None
    ]
    items, workers, said = np.array(rows).T
    return Votes(items, workers, said, len(labels[0]), len(labels), n_classes)


def test_goldw__vector__has_these_weights() -> None:
    """Worked by hand in docs/labels.md: 3 right and 0 wrong, 2 and 1, 1 and 2."""
    votes = small([[0, 1, 0, 0, 1], [0, 1, 1, 0, 0], [0, 0, 1, 1, 1]])
    found = goldw(votes, np.array([0, 1, 0, NONE, NONE]))
    # LN(7) - LN(2) = 1945 - 693, LN(6) - LN(3) = 1791 - 1098, LN(5) - LN(4) = 1609 - 1386
    assert found.weights.tolist() == [1252, 693, 223]
    assert found.labels.tolist() == [0, 1, 0, 0, 1]
    assert found.margins[3:].tolist() == [1252 + 693 - 223, 1252 + 223 - 693]


def test_goldw__crowd_right_five_times_of_seven__begins_with_more() -> None:
    gold = np.array([0, 1, 0, 1, NONE])
    able = small([[0, 1, 0, 1, 0], [0, 1, 1, 0, 0], [0, 1, 0, None, 1], [0, 1, None, None, 1]])
    # 11 right of 13: LN(10) - LN(2), LN(8) - LN(4), LN(9) - LN(2), LN(8) - LN(2).
    assert goldw(able, gold).weights.tolist() == [1609, 693, 1504, 1386]
    worse = small([[0, 1, 0, 1, 0], [0, 1, 1, 0, 0], [0, 1, 1, None, 1], [1, 1, None, None, 1]])
    # 9 right of 13, below five sevenths: LN(8) - LN(2), LN(6) - LN(4), LN(6) - LN(3), ...
    assert goldw(worse, gold).weights.tolist() == [1386, 405, 693, 511]


def test_goldw__all_weights_zero__takes_the_lowest_class() -> None:
    votes = small([[1, 1, 1, 1, 1, 1]])
    found = goldw(votes, np.array([0, 0, 0, 0, 0, NONE]))
    assert found.weights.tolist() == [0]
    assert found.labels[5] == 0
    assert found.margins[5] == 0


def test_goldw__item_nobody_answered__has_no_label() -> None:
    votes = small([[0, None, None], [0, 1, None]])
    assert goldw(votes, np.array([NONE, NONE, NONE])).labels.tolist() == [0, 1, NONE]
    assert goldw(votes, np.array([NONE, NONE, 1])).labels.tolist() == [0, 1, 1]


def test_goldw__excluded_gold__is_labelled_by_votes() -> None:
    votes = small([[0, 1], [0, 1]])
    gold = np.array([0, 0])
    found = goldw(votes, gold, excluded=np.array([False, True]))
    assert found.labels.tolist() == [0, 1]
    assert found.weights.tolist() == [ln_milli(7) - ln_milli(2)] * 2  # all are right


def test_goldw__account_that_knows_the_gold__weighs_by_agreement() -> None:
    """Right on all gold, random elsewhere: the smaller weight counts."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 200)
    rows = [np.where(rng.random(200) < 0.9, truth, 1 - truth).tolist() for _ in range(4)]
    knows = np.where(np.arange(200) < 40, truth, rng.integers(0, 2, 200)).tolist()
    gold = np.where(np.arange(200) < 40, truth, NONE)
    weights = goldw(small([*rows, knows]), gold).weights
    assert weights[4] < 500 < weights[:4].min()


def test_goldw__shares__move_what_is_balanced() -> None:
    votes = small([[0], [1]])
    gold = np.array([NONE])
    assert goldw(votes, gold).labels.tolist() == [0]
    assert goldw(votes, gold, shares=np.array([5, 95])).labels.tolist() == [1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": np.array([0, 2])}, "an item is not in 0 to 1"),
        ({"workers": np.array([0, -1])}, "a worker is not in 0 to 1"),
        ({"labels": np.array([0, 3])}, "a label is not in 0 to 2"),
        ({"labels": np.array([0])}, "differ in length"),
        ({"n_classes": 0}, "no classes"),
    ],
)
def test_votes__what_would_be_counted_wrongly__is_refused(change, message) -> None:
    two = np.array([0, 1])
    good = {"items": two, "workers": two, "labels": two}
    with pytest.raises(ConfigError, match=message):
        Votes(**{**good, "n_items": 2, "n_workers": 2, "n_classes": 2, **change})


@pytest.mark.parametrize(
    ("gold", "more", "message"),
    [
        ([0], {}, "one class an item"),
        ([0, 2], {}, "not a class"),
        ([0, -2], {}, "not a class"),
        ([0, 1], {"shares": np.array([0, 5])}, "share of at least 1"),
        ([0, 1], {"shares": np.array([5])}, "share of at least 1"),
        ([0, 1], {"scored": np.array([True])}, "yes or no"),
        ([0, 1], {"excluded": np.array([0, 1])}, "yes or no"),
    ],
)
def test_goldw__arrays_of_another_shape__are_refused(gold, more, message) -> None:
    with pytest.raises(ConfigError, match=message):
        goldw(small([[0, 1]]), np.array(gold), **more)
