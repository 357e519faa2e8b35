# SPDX-License-Identifier: Apache-2.0
"""What a score says of one labeler: each answer on gold, and whether the pay follows from them."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.utils.labeling import World, world
from truthmark.bounty.flows.judging import Outcome, judgement_of
from truthmark.bounty.flows.labeling import Labeling
from truthmark.bounty.score import seats_of_gold
from truthmark.errors import BountyError
from truthmark.labels.scoring import ABSENT, ONE, SKIP

__all__ = ["world"]


@pytest.fixture
def labeling(world: World, tmp_path: Path) -> Labeling:
    """Provide a labeler who answered all as the truth is, and was scored."""
    labeling = world.delivered(tmp_path / "home")
    world.score()
    return labeling


def test_judgement__true_score__each_answer_is_theirs_and_the_pay_follows(
    world: World, labeling: Labeling
) -> None:
    known = labeling.knowledge(world.record)
    ((worker, opened),) = known.opened.items()
    found = judgement_of(world.record, worker, opened)
    assert found.posted == found.computed == ONE
    assert len(found.lines) > 10
    for line in found.lines:
        assert line.outcome in (Outcome.RIGHT, Outcome.UNCOUNTED)
        assert line.said == line.own == line.answer == world.truth[line.item]
    places = [(line.seat, line.index) for line in found.lines]
    assert places == sorted(places)


def test_judgement__score_claims_other_answers__own_ones_stand_beside(
    world: World, labeling: Labeling
) -> None:
    known = labeling.knowledge(world.record)
    ((worker, opened),) = known.opened.items()
    truth = judgement_of(world.record, worker, opened)
    first, second, third = (line.gold for line in truth.lines[:3])
    score = world.record.require_score()
    entries = score.entries.copy()
    seats = seats_of_gold(world.record.assignment, world.record.roster, score.gold)
    for gold, claim in ((first, None), (second, SKIP), (third, ABSENT)):
        (round_,) = np.flatnonzero(seats.holders[gold] == worker)
        entries[gold, round_] = 1 - entries[gold, round_] if claim is None else claim
    record = replace(world.record, score=replace(score, entries=entries))
    by_gold = {line.gold: line for line in judgement_of(record, worker, opened).lines}
    assert by_gold[first].said == 1 - by_gold[first].own
    assert (by_gold[second].said, by_gold[third].said) == (None, None)
    assert by_gold[third].outcome is Outcome.ABSENT
    assert by_gold[second].own == by_gold[second].answer
    unknown = Counter(line.own for line in judgement_of(record, worker).lines)
    assert set(unknown) == {None}


def test_judgement__no_score_yet__is_refused(world: World) -> None:
    with pytest.raises(BountyError, match="no score"):
        judgement_of(world.record, 0)
