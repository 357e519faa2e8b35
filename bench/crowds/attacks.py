# SPDX-License-Identifier: Apache-2.0
"""What people do who want pay without work, or labels to be wrong, or others not to be paid.

Each attack takes a draw that it may change. Accounts are taken over in random order until they
hold the share of labels that the attack is about.
"""

import numpy as np

from truthmark.bounty.gold import Gold
from truthmark.labels.goldw import NONE
from truthmark.labels.scoring import ABSENT, NOBODY, least_gold
from truthmark.testing.crowds.draws import Draw, Generator, gold_of
from truthmark.testing.crowds.pays import Attack
from truthmark.testing.crowds.sets import Floats, Ints


def _say(draw: Draw, cells: "np.ndarray", said: Ints) -> None:
    """Let cells say a class for each item."""
    draw.labels[cells] = np.broadcast_to(said[:, None], draw.labels.shape)[cells]


def _guess(draw: Draw, cells: "np.ndarray", rng: Generator, shares: Floats | None = None) -> None:
    classes, count = draw.crowd.n_classes, int(cells.sum())
    draw.labels[cells] = rng.choice(classes, count, p=shares)


def constant(draw: Draw, rng: Generator) -> None:
    """Each account says one class of its own, always."""
    cells = draw.seize(0.2, rng)
    mine = rng.integers(0, draw.crowd.n_classes, draw.n_workers)
    draw.labels[cells] = mine[draw.workers[cells]]


def frequent(draw: Draw, rng: Generator) -> None:
    """All say the most frequent class, always."""
    draw.labels[draw.seize(0.2, rng)] = int(draw.crowd.shares().argmax())


def uniform(draw: Draw, rng: Generator) -> None:
    """Guesses, all classes alike."""
    _guess(draw, draw.seize(0.2, rng), rng)


def prior(draw: Draw, rng: Generator) -> None:
    """Guesses by how often each class is true."""
    _guess(draw, draw.seize(0.2, rng), rng, draw.crowd.shares())


def ring(share: float) -> Attack:
    """Return a ring whose accounts all answer hash(item)."""

    def attack(draw: Draw, rng: Generator) -> None:
        cells = draw.seize(share, rng)
        _say(draw, cells, rng.integers(0, draw.crowd.n_classes, len(draw.labels)))

    attack.__doc__ = f"A ring with {100 * share:.0f} % of the labels answers hash(item)."
    return attack


def newcomers(draw: Draw, rng: Generator) -> None:
    """Accounts by the hundred, each with the smallest run, guess."""
    cells = draw.seize(0.3, rng)
    _guess(draw, cells, rng)
    items, rounds = np.nonzero(cells)
    # The smallest run: so many labels that the least gold can be expected among them.
    density = len(draw.gold) / len(draw.labels)
    run = max(1, round(least_gold(draw.labels.shape[1]) / density))
    order = rng.permutation(len(items))
    accounts = draw.n_workers + np.arange(len(items)) // run
    draw.workers[items[order], rounds[order]] = accounts
    draw.n_workers = int(accounts[-1]) + 1
    draw.is_attacker = np.append(
        draw.is_attacker, np.ones(draw.n_workers - len(draw.is_attacker), bool)
    )


def prefix(draw: Draw, rng: Generator) -> None:
    """Guessers commit the first tenth of their run alone."""
    cells = draw.seize(0.2, rng)
    _guess(draw, cells, rng)
    for worker in np.flatnonzero(draw.is_attacker):
        mine = np.argwhere((draw.workers == worker) & (draw.labels != ABSENT))
        rng.shuffle(mine)
        gone = mine[-(-len(mine) // 10) :]
        draw.labels[gone[:, 0], gone[:, 1]] = ABSENT


def half_guessers(draw: Draw, rng: Generator) -> None:
    """Able people guess half of their items."""
    cells = draw.seize(0.2, rng) & (rng.random(draw.labels.shape) < 0.5)
    _guess(draw, cells, rng)


def _model(draw: Draw, rng: Generator) -> Ints:
    """Return the answers of a model that is right on 70 % of each class."""
    truth = np.where(draw.crowd.truth == NONE, 0, draw.crowd.truth)
    wrong = (truth + rng.integers(1, draw.crowd.n_classes, len(truth))) % draw.crowd.n_classes
    return np.where(rng.random(len(truth)) < 0.7, truth, wrong)


def model(draw: Draw, rng: Generator) -> None:
    """Accounts with 30 % of the labels share one model that is right on 70 % of each class."""
    _say(draw, draw.seize(0.3, rng), _model(draw, rng))


def model_against(draw: Draw, rng: Generator) -> None:
    """The same, with gold on which that model is no better than chance."""
    said = _model(draw, rng)
    known = np.where(draw.crowd.truth == NONE, NONE, said)
    draw.gold = gold_of(draw.crowd, len(draw.gold), rng, known)
    _say(draw, draw.seize(0.3, rng), said)


def leaked(draw: Draw, rng: Generator) -> None:
    """Accounts with 20 % of the labels know a fifth of the gold and guess the rest."""
    cells = draw.seize(0.2, rng)
    _guess(draw, cells, rng)
    known = rng.choice(len(draw.gold), len(draw.gold) // 5, replace=False)
    said = np.full(len(draw.labels), NONE)
    said[draw.gold.items[known]] = draw.gold.answers[known]
    _say(draw, cells & (said != NONE)[:, None], said)


def echo(draw: Draw, rng: Generator) -> None:
    """Accounts with 30 % of the labels repeat what one labeler says, where they said something."""
    cells = draw.seize(0.3, rng)
    counts = np.bincount(draw.workers[draw.workers != NOBODY], minlength=draw.n_workers)
    counts[draw.is_attacker] = 0
    leader = int(counts.argmax())
    _guess(draw, cells, rng)
    said = np.full(len(draw.labels), NONE)
    mine = draw.crowd.workers == leader
    said[draw.crowd.items[mine]] = draw.crowd.labels[mine]
    _say(draw, cells & (said != NONE)[:, None], said)


def no_shows(share: float) -> Attack:
    """Return a share of seats that never commit."""

    def attack(draw: Draw, rng: Generator) -> None:
        draw.labels[draw.seize(share, rng)] = ABSENT

    attack.__doc__ = f"{100 * share:.0f} % of the seats never commit."
    return attack


def false_gold(share: float) -> Attack:
    """Return a requester with 40 % of the seats, and false gold; those agree."""

    def attack(draw: Draw, rng: Generator) -> None:
        cells = draw.seize(0.4, rng)
        is_false = rng.random(len(draw.gold)) < share
        classes = draw.crowd.n_classes
        answers = (draw.gold.answers + is_false * rng.integers(1, classes, len(is_false))) % classes
        draw.gold = Gold(draw.gold.items, answers)
        said = np.full(len(draw.labels), NONE)
        said[draw.gold.items] = answers
        _say(draw, cells & (said != NONE)[:, None], said)

    attack.__doc__ = (
        f"A requester with 40 % of the seats has {100 * share:.0f} % false gold; those agree."
    )
    return attack


def lone_false_gold(share: float) -> Attack:
    """Return a requester with false gold and no seats."""

    def attack(draw: Draw, rng: Generator) -> None:
        is_false = rng.random(len(draw.gold)) < share
        classes = draw.crowd.n_classes
        answers = (draw.gold.answers + is_false * rng.integers(1, classes, len(is_false))) % classes
        draw.gold = Gold(draw.gold.items, answers)

    attack.__doc__ = f"A requester without seats has {100 * share:.0f} % false gold."
    return attack


def hard_gold(draw: Draw, rng: Generator) -> None:
    """A requester with 40 % of the seats takes the gold that the crowd is most often wrong on."""
    cells = draw.seize(0.4, rng)
    crowd = draw.crowd
    wrong = np.bincount(
        crowd.items, crowd.labels != crowd.truth[crowd.items], minlength=len(crowd.truth)
    ) / np.maximum(1, np.bincount(crowd.items, minlength=len(crowd.truth)))
    chosen = []
    for c in range(crowd.n_classes):
        pool = np.flatnonzero(crowd.truth == c)
        wanted = int((draw.gold.answers == c).sum())
        chosen.append(pool[np.argsort(-wrong[pool], kind="stable")[:wanted]])
    items = np.sort(np.concatenate(chosen))
    draw.gold = Gold(items, crowd.truth[items])
    _say(draw, cells & (crowd.truth != NONE)[:, None], crowd.truth)


def undecidable_gold(draw: Draw, rng: Generator) -> None:
    """A requester with 40 % of the seats has gold whose answers were drawn by lot."""
    cells = draw.seize(0.4, rng)
    answers = rng.permutation(draw.gold.answers)
    draw.gold = Gold(draw.gold.items, answers)
    said = np.full(len(draw.labels), NONE)
    said[draw.gold.items] = answers
    _say(draw, cells & (said != NONE)[:, None], said)


KNOW_NOTHING: dict[str, Attack] = {
    "constant": constant,
    "most frequent": frequent,
    "random": uniform,
    "prior": prior,
    "ring 10 %": ring(0.1),
    "ring 20 %": ring(0.2),
    "ring 30 %": ring(0.3),
    "ring 40 %": ring(0.4),
    "newcomers": newcomers,
    "prefix": prefix,
}
"""Attackers who know nothing: they should earn at most half of what the honest do."""

KNOW_SOMETHING: dict[str, Attack] = {
    "half-guessers": half_guessers,
    "70 % model": model,
    "70 % model, gold against it": model_against,
    "20 % of gold known": leaked,
    "echo": echo,
}

HOSTILE: dict[str, Attack] = {
    "half the gold false": lone_false_gold(0.5),
    "all gold false": lone_false_gold(1.0),
    "sybils, half the gold false": false_gold(0.5),
    "sybils, all gold false": false_gold(1.0),
    "sybils, hard gold": hard_gold,
    "sybils, undecidable gold": undecidable_gold,
    "30 % never commit": no_shows(0.3),
    "40 % never commit": no_shows(0.4),
}
"""Where nobody tries to earn more: what it does to the honest."""
