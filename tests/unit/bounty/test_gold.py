# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from truthmark.bounty.gold import Gold, draw_gold
from truthmark.errors import BountyError


def known(rng: np.random.Generator, classes: int, count: int = 1000) -> np.ndarray:
    answers = rng.integers(0, classes, count)
    answers[rng.random(count) < 0.3] = -1
    return answers


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_draw_gold__enough_known__is_even_by_class(classes: int) -> None:
    answers = known(np.random.default_rng(1), classes)
    gold = draw_gold(answers, classes=classes, count=100, seed=4)
    assert len(gold) == 100 and (np.diff(gold.items) > 0).all()
    assert (answers[gold.items] == gold.answers).all()
    counts = np.bincount(gold.answers, minlength=classes)
    assert counts.max() - counts.min() <= 1
    again = draw_gold(answers, classes=classes, count=100, seed=4)
    assert (again.items == gold.items).all()
    other = draw_gold(answers, classes=classes, count=100)
    assert (other.items != gold.items).any()


def test_draw_gold__rare_class__gives_all_it_has() -> None:
    answers = np.array([0] * 500 + [1] * 500 + [2] * 7)
    gold = draw_gold(answers, classes=3, count=100, seed=1)
    assert np.bincount(gold.answers).tolist() in ([47, 46, 7], [46, 47, 7])


@pytest.mark.parametrize("classes", [2, 4])
def test_draw_gold__against_a_model__it_is_at_chance_in_each_class(classes: int) -> None:
    rng = np.random.default_rng(2)
    answers = known(rng, classes, 2000)
    wrong = (answers + rng.integers(1, classes, 2000)) % classes
    model = np.where(rng.random(2000) < 0.7, answers, wrong)
    gold = draw_gold(answers, classes=classes, count=40 * classes, against=model, seed=3)
    for c in range(classes):
        mine = gold.answers == c
        assert mine.sum() == 40
        assert (model[gold.items[mine]] == c).sum() == 40 // classes
    # A model that is always wrong gains nobody anything either.
    gold = draw_gold(answers, classes=classes, count=40, against=(answers + 1) % classes, seed=3)
    assert len(gold) == 40


def test_draw_gold__not_enough__is_refused_with_what_there_is() -> None:
    answers = np.array([0, 1] * 10 + [-1] * 10)
    with pytest.raises(BountyError, match="there are 20"):
        draw_gold(answers, classes=2, count=21)
    with pytest.raises(BountyError, match="no better than chance; there are 0"):
        draw_gold(answers, classes=2, count=2, against=answers)
    with pytest.raises(BountyError, match="differ in number"):
        draw_gold(answers, classes=2, count=2, against=answers[1:])
    with pytest.raises(BountyError, match="is no class"):
        draw_gold(answers + 1, classes=2, count=2)
    with pytest.raises(BountyError, match="two classes"):
        draw_gold(np.zeros(10, np.int64), classes=2, count=5)
    with pytest.raises(BountyError, match="4 bytes"):
        Gold.parse(b"\0" * 5)
