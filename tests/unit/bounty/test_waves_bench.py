# SPDX-License-Identifier: Apache-2.0
"""What waves save, on a made-up crowd: the simulation that docs/waves.md is printed by."""

import numpy as np
import pytest

from bench import waves
from bench.report import Figure
from bench.waves import Saved, ask, choose, measure, page_of
from truthmark.labels.goldw import NONE
from truthmark.testing.crowds.draws import deal
from truthmark.testing.crowds.sets import Crowd


def made_up() -> Crowd:
    """Return 30 people who are right on easy items, and two times of three on a third of them."""
    rng = np.random.default_rng(3)
    items = np.repeat(np.arange(300), 7)
    workers = (items * 3 + np.tile(np.arange(7), 300) * 4) % 30
    truth = rng.integers(0, 2, 300)
    right = rng.random(len(items)) < np.where(items % 3 == 0, 0.67, 0.97)
    labels = np.where(right, truth[items], 1 - truth[items])
    return Crowd("made up", items, workers, labels, truth, 30, 2)


CROWD = made_up()


def test_ask__waves__ask_hard_items_again_and_count_each_waves_gold() -> None:
    draw = deal(CROWD, 7, np.random.default_rng(1))
    at_once, found = ask(draw, (5,), 0, 1), ask(draw, (2, 2, 3), 1_600, 1)
    assert (at_once.bought, at_once.own) == (1_500, 30)
    assert 600 < found.bought < at_once.bought and found.joined.waves == 3
    assert found.own == found.gold.sum() > at_once.own  # no gold is used twice
    again = draw.copy()
    once = ask(again, (2,), 1_600, 1)
    unsure = once.joined.unsure(1_600)
    assert (unsure % 3 == 0).mean() > 0.5 and not once.gold[unsure].any()


def test_ask__nothing_is_unsure__ends_after_the_first_wave() -> None:
    draw = deal(CROWD, 7, np.random.default_rng(1))
    found = ask(draw, (2, 2, 3), 0, 1)
    assert found.joined.waves == 1 and found.bought == 600


def test_measure__higher_thresholds__save_less_and_label_better(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waves, "THRESHOLDS", (0, 1_600, 10**6))
    found = measure(CROWD, 0.0, 4)
    saved = [found[below].labels for below in (0, 1_600, 10**6)]
    assert saved == sorted(saved, reverse=True) and saved[0] == pytest.approx(60, abs=1)
    assert found[0].right < found[1_600].right
    assert found[1_600].with_own < found[1_600].labels


def test_choose__one_set_left_out__is_the_least_that_suits_the_others() -> None:
    def of(*rights: float) -> dict[int, Saved]:
        return {
            below: Saved(rights[min(n, len(rights) - 1)], 90, 40 - n, 35)
            for n, below in enumerate(waves.THRESHOLDS)
        }

    found = {
        0.0: {"one": of(-1, 0, 1), "other": of(-1, -1, 0)},
        0.3: {"one": of(0), "other": of(0)},
    }
    assert choose(found, "other") == waves.THRESHOLDS[1]
    assert choose(found, "one") == waves.THRESHOLDS[2]
    assert choose(found) == waves.THRESHOLDS[2]
    never = {0.0: {"one": of(-1)}, 0.3: {"one": of(-1)}}
    assert choose(never) == waves.THRESHOLDS[-1]
    figures: list[Figure] = []
    page = page_of(found, 4, figures)
    assert "| one | " in page and "Means of\n  4 draws" in page
    assert [figure.holds for figure in figures if "fewer" in figure.name and figure.floor] == [
        True,
        True,
    ]


def test_ask__items_without_truth__give_no_gold() -> None:
    truth = CROWD.truth.copy()
    truth[100:] = NONE
    few = Crowd("few", CROWD.items, CROWD.workers, CROWD.labels, truth, 30, 2)
    found = ask(deal(few, 7, np.random.default_rng(1)), (2, 2, 3), 1_600, 1)
    assert not found.gold[100:].any() and found.own >= 14
