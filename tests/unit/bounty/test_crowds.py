# SPDX-License-Identifier: Apache-2.0
"""Pay and labels of crowds, real ones where they are to be had, against the plain form."""

import numpy as np
import pytest

from bench.crowds.attacks import HOSTILE, KNOW_NOTHING, KNOW_SOMETHING
from bench.crowds.measure import accuracies
from bench.report import CROWDS
from tests.utils import bounty_reference as ref
from truthmark.labels.scoring import ABSENT, NOBODY, judge, millionths
from truthmark.testing.crowds.draws import Draw, deal
from truthmark.testing.crowds.pays import Attack, pay_of, pays
from truthmark.testing.crowds.sets import Crowd, known_sets, load

SETS = known_sets(CROWDS)
ATTACKS = {"clean": None} | KNOW_NOTHING | KNOW_SOMETHING | HOSTILE


def made_up(seed: int = 0) -> Crowd:
    """Return a crowd of 40 who are right four times of five, on 600 items of two classes."""
    rng = np.random.default_rng(seed)
    items = np.repeat(np.arange(600), 6)
    workers = (items * 7 + np.tile(np.arange(6), 600) * 11) % 40
    truth = rng.integers(0, 2, 600)
    right = rng.random(len(items)) < 0.8
    return Crowd(
        "made up", items, workers, np.where(right, truth[items], 1 - truth[items]), truth, 40, 2
    )


def agree(draw: Draw) -> None:
    """Hold every line of a draw against the plain form."""
    gold, classes = draw.gold, draw.crowd.n_classes
    entries, holders = draw.labels[gold.items], draw.workers[gold.items]
    answers = gold.answers.tolist()
    plain = ref.judge(entries.tolist(), answers, classes)
    verdict = judge(entries, gold.answers, classes)
    assert (verdict.half, verdict.weights.tolist()) == (plain["half"], plain["weights"])
    assert verdict.kept.tolist() == plain["kept"]
    # The plain form knows workers of one round; an account of a real crowd is in several.
    kept = {g for g, is_kept in enumerate(plain["kept"]) if is_kept}
    earned = millionths(verdict, entries, gold.answers, holders, workers=draw.n_workers, full=3)
    for worker in range(0, draw.n_workers, max(1, draw.n_workers // 40)):
        mine = [tuple(place) for place in np.argwhere(holders == worker).tolist()]
        given = dict(enumerate(int(entries[place]) for place in mine))
        alone = {
            **plain,
            "kept": {n: g in kept for n, (g, _) in enumerate(mine)},
        }
        of_mine = {n: answers[g] for n, (g, _) in enumerate(mine)}
        assert earned[worker] == ref.millionths(alone, of_mine, given, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*SETS, "made up"])
@pytest.mark.parametrize("rounds", [2, 3, 5])
def test_lines__crowds_and_attackers__agree_with_the_plain_form(name: str, rounds: int) -> None:
    crowd = load(SETS[name]) if name in SETS else made_up()
    rng = np.random.default_rng(rounds)
    agree(deal(crowd, rounds, rng))
    names = sorted(ATTACKS)
    for chosen in (names[int(rng.integers(len(names)))], "prefix"):
        draw, attack = deal(crowd, rounds, rng), ATTACKS[chosen]
        if attack is not None:
            attack(draw, rng)
        agree(draw)


@pytest.mark.parametrize("name", list(ATTACKS))
def test_pays__attack_on_a_made_up_crowd__does_what_it_is_for(name: str) -> None:
    crowd, attack = made_up(), ATTACKS[name]
    rng = np.random.default_rng(3)
    draw = deal(crowd, 3, rng)
    assert ((draw.workers == NOBODY) == (draw.labels == ABSENT)).all()
    before = draw.labels.copy()
    if attack is not None:
        attack(draw, rng)
    agree(draw)
    found = pays(crowd, 3, attack, 2)
    assert crowd.is_able and not found.unscored > 0.3
    if name in KNOW_NOTHING:
        assert draw.is_attacker.any() and (before != draw.labels).any()
        assert found.ratio < 0.5
    if name == "70 % model, gold against it":
        assert found.ratio < 0.6
    if name.endswith("never commit"):
        assert not (draw.labels[draw.is_attacker[draw.workers]] != ABSENT).any()
    if name == "all gold false":
        assert found.half == 1.0 and np.isnan(found.honest)


def test_pay_of__prefix_at_two_and_three_rounds__is_scored_on_what_was_committed() -> None:
    # Before, who committed a tenth took their own gold out of the counts and got half the price.
    for rounds in (2, 3):
        rng = np.random.default_rng(rounds)
        draw = deal(made_up(), rounds, rng)
        KNOW_NOTHING["prefix"](draw, rng)
        pay = pay_of(draw)
        assert not pay.half and pay.attackers < 0.4


def test_accuracies__made_up_crowd_and_ring__gold_helps() -> None:
    attack: Attack = KNOW_NOTHING["ring 30 %"]
    found = accuracies(made_up(), 5, attack, 2)
    assert found["goldw"] > found["majority"] > 0.5
