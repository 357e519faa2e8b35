# SPDX-License-Identifier: Apache-2.0
"""What a posted score says of one labeler: each of their answers on gold, and what follows."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from truthmark.bounty.record import Record
from truthmark.bounty.score import is_fine, seats_of_gold
from truthmark.bounty.sealing import OpenedRun
from truthmark.labels.scoring import ABSENT, SKIP, millionths


class Outcome(Enum):
    """What an answer on gold counts for."""

    RIGHT = "right"
    WRONG = "wrong"
    SKIPPED = "skipped"
    ABSENT = "absent"
    """The score says that there is no answer."""
    UNCOUNTED = "uncounted"
    """Too few answered the item for it to count."""
    EXCLUDED = "excluded"
    """So many agree against the gold that it is not used."""


@dataclass(frozen=True, slots=True)
class GoldLine:
    """One answer on gold.

    Attributes:
        gold: The place of the item among the gold.
        item: Its number.
        seat: The seat of the run in which it stands, from 0.
        index: Its place in that seat, from 0.
        answer: The class that gold says.
        said: The class that the score says was given; None where it says that there is none.
        own: The code that was really given; None where the labels are not here.
        outcome: What it counts for.
    """

    gold: int
    item: int
    seat: int
    index: int
    answer: int
    said: int | None
    own: int | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a score says of one labeler.

    Attributes:
        worker: The row of the roster.
        lines: Their answers on gold, in the order in which they stood in the run.
        posted: The millionths of the full price, as posted; None where the score has a mark.
        computed: The millionths that follow from gold and answers as posted; None where none do:
            for a team, for a mark, and where the gold was not agreed with.
    """

    worker: int
    lines: tuple[GoldLine, ...]
    posted: int | None
    computed: int | None


def judgement_of(record: Record, worker: int, opened: OpenedRun | None = None) -> Judgement:
    """Return what the score of a bounty says of a worker.

    Args:
        record: With a score.
        worker: The row of the roster.
        opened: Their labels, to hold the score against; None where they are not here.

    Raises:
        BountyError: There is no score.
    """
    score, terms = record.require_score(), record.terms
    line = int(score.lines[worker])
    posted = line if bool(is_fine(score.lines)[worker]) else None
    if terms.is_team:
        return Judgement(worker, (), None, None)
    seats = seats_of_gold(record.assignment, record.roster, score.gold)
    committed = int(record.committed[worker])
    verdict = score.verdict
    found = []
    for g, k in np.argwhere(seats.holders == worker).tolist():
        seat, index = int(seats.offsets[g, k]), int(seats.indices[g, k])
        if seat >= committed:
            continue
        entry, answer = int(score.entries[g, k]), int(score.gold.answers[g])
        outcome = _outcome(entry, answer)
        if outcome is not Outcome.ABSENT and not verdict.half:
            if not verdict.counted[g]:
                outcome = Outcome.UNCOUNTED
            elif verdict.excluded[g]:
                outcome = Outcome.EXCLUDED
        found.append(
            GoldLine(
                gold=g,
                item=int(score.gold.items[g]),
                seat=seat,
                index=index,
                answer=answer,
                said=entry if entry < terms.classes else None,
                own=None if opened is None else opened.code(seat, index),
                outcome=outcome,
            )
        )
    computed = None
    if not score.is_half and posted is not None:
        earned = millionths(
            verdict,
            score.entries,
            score.gold.answers,
            seats.holders,
            workers=len(record.roster),
            full=terms.full,
        )
        computed = int(earned[worker])
    found.sort(key=lambda one: (one.seat, one.index))
    return Judgement(worker, tuple(found), posted, computed)


def _outcome(entry: int, answer: int) -> Outcome:
    if entry == ABSENT:
        return Outcome.ABSENT
    if entry == SKIP:
        return Outcome.SKIPPED
    return Outcome.RIGHT if entry == answer else Outcome.WRONG
