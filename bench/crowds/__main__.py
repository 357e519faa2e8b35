# SPDX-License-Identifier: Apache-2.0
"""Replays real crowds through the pay rule: `python -m bench.crowds [--write] [SET ...]`.

Every set that the repository ships or that lies beside it (where TRUTHMARK_CROWDS names a folder,
every set in that) is dealt into bounties of 2, 3 and 5 rounds: answer k of an item in a seeded
shuffle is round k, and rounds that nobody answered are absent. Pay and labels are those of
`truthmark.labels`, on arrays.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.crowds.attacks import HOSTILE, KNOW_NOTHING, KNOW_SOMETHING, ring
from bench.crowds.measure import METHODS, accuracies
from bench.report import CROWDS, Figure, write
from truthmark.testing.crowds.draws import deal
from truthmark.testing.crowds.pays import MOST, Attack, Pays, pays
from truthmark.testing.crowds.sets import Crowd, find_set, known_sets, load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "bounties-crowds.md"
ROUNDS = (2, 3, 5)

HEAD = """# Bounties on real crowds

What `python -m bench.crowds --write` printed last. Sets of real answers are dealt into bounties:
answer k of an item in a seeded shuffle is round k, rounds that nobody answered are absent. Each
cell is the mean of {draws} draws. Gold is drawn evenly by class: a tenth of the items whose truth
is known or, up to half of them, as much as the typical worker needs to hold what the smallest run
must be expected to hold.

Pay is a part of the full price, over labels, of accounts that held enough gold to be scored. The
share of labels in other accounts, all of whom get half the price, is *unscored*: bounties
have none or few of those, as their terms make runs long enough. Draws that end HALF count for HALF
alone. In every draw the requester pays the full price of what was committed: what a worker is not
paid is burned, so bad gold saves nothing.
"""


MADE = """## Where the floor is close

Made-up crowds, everyone right equally often in each class, and what a ring with 30 or 40 % of the
labels earns for one of honest pay. Crowds whose people are right only just as often as *able* asks
(.75 of two classes, twice chance of more) are paid little themselves, and a ring that answers alike
excludes gold on which it is wrong: two of it do at two rounds, four at five. **There a ring of 40 %
can earn more than half of honest pay**; what it earns falls fast with what people know. Three
rounds are safest, as all three must agree there to exclude gold. Unless its terms say otherwise, an
account holds a fifth of a bounty's labels at most; so such a ring is two accounts or more, and a
gate can keep them out.
"""
MADE_OF = ((2, 0.75), (2, 0.78), (2, 0.8), (2, 0.85), (4, 0.5), (4, 0.6), (10, 0.2), (10, 0.3))
RINGS = tuple((rounds, share) for rounds in ROUNDS for share in (0.3, 0.4))


def main() -> int:
    """Print the tables; return 1 where attackers earn more than they may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/bounties-crowds.md too")
    parser.add_argument("--draws", type=int, default=10, help="of each cell")
    parser.add_argument("sets", nargs="*", help="their names or folders; all unless given")
    options = parser.parse_args()
    crowds = [load(find_set(name, CROWDS)) for name in options.sets or known_sets(CROWDS)]
    page = HEAD.format(draws=options.draws)
    print(page)
    figures: list[Figure] = []
    for part in (
        lambda: _crowds(crowds, options.draws),
        lambda: _attackers(crowds, options.draws, figures),
        lambda: made_crowds(2 * options.draws),
        lambda: _able(crowds, options.draws),
        lambda: _hostile(crowds, options.draws),
        lambda: _accuracy(crowds, options.draws),
    ):
        text = part()
        print(text, flush=True)
        page += "\n" + text
    if options.write:
        PAGE.write_text(page, "utf-8")
        write("crowds", figures)
    return 0 if all(figure.holds is not False for figure in figures) else 1


def made_crowds(draws: int) -> str:
    """Return what rings earn on crowds made to be just able, or better than that."""
    lines = [
        MADE,
        "| classes | right | " + " | ".join(f"K = {k}, {s:.0%}" for k, s in RINGS) + " |",
    ]
    lines.append("| -- " * (len(RINGS) + 2) + "|")
    for classes, skill in MADE_OF:
        crowd = _made(classes, skill)
        found = [_ratio(pays(crowd, rounds, ring(share), draws)) for rounds, share in RINGS]
        lines.append(f"| {classes} | {skill:.2f} | {' | '.join(found)} |")
    return "\n".join(lines) + "\n"


def _made(classes: int, skill: float) -> Crowd:
    """Return 60 people, each right so often in each class; errors are of any other class alike."""
    rng = np.random.default_rng(0)
    items = np.repeat(np.arange(1_500), max(ROUNDS))
    workers = (items * 7 + np.tile(np.arange(max(ROUNDS)), 1_500) * 11) % 60
    truth = rng.integers(0, classes, 1_500)
    right = rng.random(len(items)) < skill
    others = (truth[items] + rng.integers(1, classes, len(items))) % classes
    labels = np.where(right, truth[items], others)
    return Crowd("made", items, workers, labels, truth, 60, classes)


def _crowds(crowds: Sequence[Crowd], draws: int) -> str:
    def cells(crowd: Crowd, rounds: int) -> list[str]:
        clean = pays(crowd, rounds, None, draws)
        gold = len(deal(crowd, rounds, np.random.default_rng([0, rounds])).gold)
        recalls = " ".join(f"{rate:.2f}" for rate in crowd.recalls())
        return [
            str(crowd.n_classes),
            recalls,
            "yes" if crowd.is_able else "no",
            str(gold),
            f"{clean.honest:.2f}",
            f"{clean.unscored:.2f}",
            f"{clean.half:.2f}",
        ]

    return _table(
        "Crowds without attackers",
        "*Able*: the median labeler is right in ≥ .75 of each class (two classes), or twice chance"
        " (more).",
        ["classes", "median right, by class", "able", "gold", "honest pay", "unscored", "HALF"],
        crowds,
        cells,
    )


def _attackers(crowds: Sequence[Crowd], draws: int, figures: list[Figure]) -> str:
    def cells(crowd: Crowd, rounds: int) -> list[str]:
        found = {name: pays(crowd, rounds, attack, draws) for name, attack in KNOW_NOTHING.items()}
        worst = max((pay.ratio for pay in found.values() if pay.ratio == pay.ratio), default=0.0)
        half = max(pay.half for pay in found.values())
        figures.append(
            Figure(
                f"{crowd.name}, {rounds} rounds: best of attackers who know nothing",
                round(worst, 4),
                "of honest pay",
                MOST if crowd.is_able else None,
                holds=worst <= MOST if crowd.is_able else None,
            )
        )
        return [
            "yes" if crowd.is_able else "no",
            *(_ratio(pay) for pay in found.values()),
            f"{worst:.2f}",
            f"{half:.2f}",
        ]

    return _table(
        "Attackers who know nothing",
        f"What they earn for one of honest pay with the same gold. On able crowds: {MOST} at most."
        + _explained(KNOW_NOTHING),
        ["able", *KNOW_NOTHING, "most", "HALF at most"],
        crowds,
        cells,
    )


def _able(crowds: Sequence[Crowd], draws: int) -> str:
    def cells(crowd: Crowd, rounds: int) -> list[str]:
        return [_ratio(pays(crowd, rounds, attack, draws)) for attack in KNOW_SOMETHING.values()]

    return _table(
        "Accounts that know something",
        "What they earn for one of honest pay." + _explained(KNOW_SOMETHING),
        list(KNOW_SOMETHING),
        crowds,
        cells,
    )


def _hostile(crowds: Sequence[Crowd], draws: int) -> str:
    def cells(crowd: Crowd, rounds: int) -> list[str]:
        found = [pays(crowd, rounds, attack, draws) for attack in (None, *HOSTILE.values())]
        return [f"{_number(pay.honest)} ({pay.half:.1f})" for pay in found]

    return _table(
        "Bad gold and empty seats",
        "What the honest earn, and in brackets the share of draws that end HALF, where they get"
        " half the price." + _explained(HOSTILE),
        ["clean", *HOSTILE],
        crowds,
        cells,
    )


def _accuracy(crowds: Sequence[Crowd], draws: int) -> str:
    attacks: dict[str, Attack | None] = {"clean": None, "ring 30 %": ring(0.3)}
    names = [*METHODS, "goldw"]

    def cells(crowd: Crowd, rounds: int) -> list[str]:
        return [
            f"{100 * value:.1f}"
            for attack in attacks.values()
            for value in accuracies(crowd, rounds, attack, -(-draws // 2)).values()
        ]

    return _table(
        "Labels",
        "Items that are no gold and were labeled right, in per cent, ties split; of half the draws."
        " `goldw` is how a bounty labels; the others know no gold, and rings sway them.",
        [f"{name}, {kind}" for kind in attacks for name in names],
        crowds,
        cells,
    )


def _table(
    title: str,
    text: str,
    columns: Sequence[str],
    crowds: Sequence[Crowd],
    cells: Callable[[Crowd, int], list[str]],
) -> str:
    lines = [f"## {title}", "", text, ""]
    lines.append(f"| crowd | K | {' | '.join(columns)} |")
    lines.append("| -- " * (len(columns) + 2) + "|")
    for crowd in crowds:
        for rounds in ROUNDS:
            lines.append(f"| {crowd.name} | {rounds} | {' | '.join(cells(crowd, rounds))} |")
    return "\n".join(lines) + "\n"


def _explained(attacks: Mapping[str, Attack]) -> str:
    return "\n" + "".join(f"\n- *{name}*: {attack.__doc__}" for name, attack in attacks.items())


def _ratio(pay: Pays) -> str:
    return _number(pay.ratio)


def _number(value: float) -> str:
    return f"{value:.2f}" if value == value else "–"


if __name__ == "__main__":
    sys.exit(main())
