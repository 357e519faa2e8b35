# SPDX-License-Identifier: Apache-2.0
"""Labels that waves save: `python -m bench.waves [--write] [--draws N] [SET ...]`.

Real crowds are asked in waves of 2, 2 and 3 rounds, the later ones of items that are still unsure
alone, and at five rounds at once. Each wave is a bounty with its own gold, drawn evenly by class
from its own items, as `truthmark.bounty.waves` joins them.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.crowds.attacks import ring
from bench.report import CROWDS, Figure, write
from truthmark.bounty.waves import BELOW, WAVES, Joined, Wave, join_waves
from truthmark.errors import BountyError
from truthmark.labels.goldw import NONE, Votes
from truthmark.labels.scoring import ABSENT, NOBODY, judge, least_gold
from truthmark.testing.crowds.draws import Draw, Generator, Mask, deal, gold_of
from truthmark.testing.crowds.sets import Crowd, Ints, find_set, known_sets, load

PAGE = Path(__file__).resolve().parents[1] / "docs" / "waves.md"
AT_ONCE = 5
"""Rounds of the bounty that waves are held against."""
THRESHOLDS = tuple(range(1000, 2001, 50))
FLOORS = {0.0: 25.0, 0.3: 18.0}
"""Per cent of labels that waves save on the mean of the sets, by the share of a ring."""
SAME = 0.1
"""Points by which waves may be less often right and still count as good as asking at once: what 20
draws cannot tell from nothing."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one way of asking led to.

    Attributes:
        joined: The labels.
        gold: Which items were gold in any wave.
        bought: Labels paid for, those of gold included.
        own: Gold answers that the requester gave.
    """

    joined: Joined
    gold: Mask
    bought: int
    own: int


@dataclass(frozen=True, slots=True)
class Saved:
    """Waves against asking at once, in per cent; means over draws.

    Attributes:
        right: Of items that were gold in neither, how many more are labeled right; points.
        at_once: How many of those are right at once.
        labels: How many labels fewer.
        with_own: The same where each of the requester's gold answers counts as a label too.
    """

    right: float
    at_once: float
    labels: float
    with_own: float


def main() -> int:
    """Print the tables; return 1 where waves save less than they must."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/waves.md too")
    parser.add_argument("--draws", type=int, default=20, help="of each set")
    parser.add_argument("sets", nargs="*", help="their names or folders; all unless given")
    options = parser.parse_args()
    crowds = [load(find_set(name, CROWDS)) for name in options.sets or known_sets(CROWDS)]
    found: dict[float, dict[str, dict[int, Saved]]] = {share: {} for share in FLOORS}
    for share, by_set in found.items():
        for crowd in crowds:
            print(f"{crowd.name}, ring of {share:.0%} …", file=sys.stderr, flush=True)
            by_set[crowd.name] = measure(crowd, share, options.draws)
    figures: list[Figure] = []
    page = page_of(found, options.draws, figures)
    print(page)
    if options.write:
        PAGE.write_text(page, "utf-8")
        write("waves", figures)
    return 0 if all(figure.holds is not False for figure in figures) else 1


# ------------------------------------------------------------------------------ asking


def measure(crowd: Crowd, share: float, draws: int) -> dict[int, Saved]:
    """Return what waves save by each threshold."""
    found: dict[int, list[tuple[float, ...]]] = {below: [] for below in THRESHOLDS}
    for seed in range(draws):
        rng = np.random.default_rng([seed, 11])
        draw = deal(crowd, sum(WAVES), rng)
        if share:
            ring(share)(draw, rng)
        at_once = ask(draw, (AT_ONCE,), 0, seed)
        for below in THRESHOLDS:
            waves = ask(draw, WAVES, below, seed)
            judged = (crowd.truth != NONE) & ~waves.gold & ~at_once.gold
            before = _accuracy(at_once.joined, crowd.truth, judged)
            found[below].append(
                (
                    _accuracy(waves.joined, crowd.truth, judged) - before,
                    before,
                    100 * (1 - waves.bought / at_once.bought),
                    100 * (1 - (waves.bought + waves.own) / (at_once.bought + at_once.own)),
                )
            )
    return {below: Saved(*np.mean(rows, 0).tolist()) for below, rows in found.items()}


def ask(draw: Draw, rounds: Sequence[int], below: int, seed: int) -> Job:
    """Ask in waves, until nothing is unsure or what is left has no truth to draw gold from.

    Args:
        draw: Of as many rounds as all waves have.
        rounds: Of each wave.
        below: Items with a smaller margin are asked again.
        seed: Draws the same gold again.
    """
    rng = np.random.default_rng([seed, 13])
    items: Ints = np.arange(len(draw.labels))
    is_gold = np.zeros(len(items), np.bool_)
    waves: list[Wave] = []
    first = 0
    for count in rounds:
        try:
            wave = _wave(draw, items, slice(first, first + count), is_gold, rng)
        except BountyError:  # too few items are left to be a bounty
            break
        waves.append(wave)
        is_gold[items[wave.gold.items]] = True
        joined = join_waves(waves, len(draw.labels))
        items, first = joined.unsure(below), first + count
    return Job(
        joined,
        is_gold,
        sum(len(wave.votes.items) for wave in waves),
        sum(len(wave.gold) for wave in waves),
    )


def _wave(draw: Draw, items: Ints, rounds: slice, was_gold: Mask, rng: Generator) -> Wave:
    """Return the wave of some items: a tenth of them gold, and what a smallest run must hold."""
    workers, labels = draw.workers[items, rounds], draw.labels[items, rounds]
    truth = np.where(was_gold, NONE, draw.crowd.truth)[items]
    known = int((truth != NONE).sum())
    count = min(max(known // 10, least_gold(labels.shape[1])), known // 2)
    gold = gold_of(replace(draw.crowd, truth=truth), count, rng)
    said, columns = np.nonzero((workers != NOBODY) & (labels != ABSENT))
    votes = Votes(
        said,
        workers[said, columns],
        labels[said, columns],
        len(items),
        draw.n_workers,
        draw.crowd.n_classes,
    )
    verdict = judge(labels[gold.items], gold.answers, draw.crowd.n_classes)
    return Wave(items, votes, range(draw.n_workers), gold, verdict)


def _accuracy(joined: Joined, truth: Ints, judged: Mask) -> float:
    """Return the share of judged items that are right, ties split, in per cent."""
    sums = joined.labels.sums[judged]
    best = sums == sums.max(1, keepdims=True)
    right = best[np.arange(len(best)), truth[judged]] / best.sum(1)
    return 100 * float(right.mean())


# ------------------------------------------------------------------------------ choosing


def choose(found: Mapping[float, Mapping[str, Mapping[int, Saved]]], without: str = "") -> int:
    """Return the least threshold at which waves are as good as asking at once, on the mean.

    With and without a ring alike; the largest where none is.

    Args:
        found: By the ring's share, by set, by threshold.
        without: A set that is left out, as it is the one to be judged.
    """
    for below in THRESHOLDS:
        means = [
            np.mean([saved[below].right for name, saved in by_set.items() if name != without])
            for by_set in found.values()
        ]
        if min(means) >= -SAME:
            return below
    return THRESHOLDS[-1]


# ------------------------------------------------------------------------------ page


def page_of(
    found: Mapping[float, Mapping[str, Mapping[int, Saved]]], draws: int, figures: list[Figure]
) -> str:
    """Return the page; adds what it holds to `figures`."""
    return "\n".join(
        [HEAD.format(draws=draws, below=BELOW), *_tables(found, figures), *_thresholds(found)]
    )


def _tables(
    found: Mapping[float, Mapping[str, Mapping[int, Saved]]], figures: list[Figure]
) -> Iterator[str]:
    for share, by_set in found.items():
        kind = f"with a ring of {share:.0%}" if share else "as they are"
        yield f"## Crowds {kind}\n"
        yield (
            "| crowd | threshold of the others | right at once, % | in waves, points more"
            " | labels fewer, % | with the requester's own, % |"
        )
        yield "| -- " * 6 + "|"
        others = len(by_set) > 1
        rows = {
            name: (choose(found, name if others else ""), saved) for name, saved in by_set.items()
        }
        for name, (below, saved) in rows.items():
            at = saved[below]
            yield (
                f"| {name} | {below} | {at.at_once:.1f} | {at.right:+.1f}"
                f" | {at.labels:.0f} | {at.with_own:.0f} |"
            )
            where = f"{name}{f', ring of {share:.0%}' if share else ''}"
            figures.append(Figure(f"{where}: labels fewer", round(at.labels, 2), "%"))
            figures.append(Figure(f"{where}: right more", round(at.right, 2), "points"))
        chosen = [saved[below] for below, saved in rows.values()]
        mean = Saved(
            *(
                float(np.mean([getattr(at, name) for at in chosen]))
                for name in Saved.__dataclass_fields__
            )
        )
        yield (
            f"| **mean** |  | {mean.at_once:.1f} | {mean.right:+.2f}"
            f" | {mean.labels:.1f} | {mean.with_own:.1f} |\n"
        )
        where = f"mean of {len(rows)} sets{f', ring of {share:.0%}' if share else ''}"
        floor = FLOORS[share]
        figures += [
            Figure(
                f"{where}: labels fewer",
                round(mean.labels, 2),
                "%",
                floor,
                holds=mean.labels >= floor,
            ),
            Figure(f"{where}: fewer, own gold counted", round(mean.with_own, 2), "%"),
            Figure(
                f"{where}: right more",
                round(mean.right, 2),
                "points",
                -SAME,
                holds=mean.right >= -SAME,
            ),
        ]


def _thresholds(found: Mapping[float, Mapping[str, Mapping[int, Saved]]]) -> Iterator[str]:
    yield "## What each threshold costs and saves\n"
    yield "Means of the sets.\n"
    columns = [f"{what}, {kind}" for kind in ("clean", "ring") for what in ("points", "fewer, %")]
    yield f"| threshold | {' | '.join(columns)} |"
    yield "| -- " * (1 + len(columns)) + "|"
    for below in THRESHOLDS:
        cells = []
        for by_set in found.values():
            right = np.mean([saved[below].right for saved in by_set.values()])
            labels = np.mean([saved[below].labels for saved in by_set.values()])
            cells += [f"{right:+.2f}", f"{labels:.1f}"]
        yield f"| {below} | {' | '.join(cells)} |"
    yield ""


HEAD = """# Asking in waves

What `python -m bench.waves --write` printed last: bounties of 2, 2 and 3 rounds on recorded
crowds, against one of 5 rounds. `truthmark bounty create --waves 2+2+3` asks so: after each wave,
only items whose margin is below a threshold are asked again. `--below` sets that, {below} unless
given, in thousandths of a nat; the margin of an item is the sum of weights of its label less that
of the second ([labels](labels.md)).

- Answer k of an item in a seeded shuffle is round k; what nobody answered is absent. Means of
  {draws} draws.
- Each wave is a bounty of its own: a tenth of its items is gold, and at least as many as the
  smallest run must hold, drawn evenly by class. **Labels on gold are counted**, in each wave. The
  last column counts also each gold answer that the requester gave, as if it were a label.
- Items that were gold in either way of asking are not judged. Ties are split.
- A threshold is chosen on the **other** sets: the least at which their mean, with a ring and
  without, is as good as five rounds at once, to a tenth of a point. So no set chooses its own.
- After the second wave an item is unsure below three quarters of the threshold. That share was
  chosen on these same sets; the threshold alone was not.
- The tenth of a point is needed: where no loss at all is allowed, thresholds of the others are
  higher, and waves save 17.6 % under the ring, below the 18 % that they should.
- The labels of all waves are `goldw` over all their answers. People keep the key they sign with
  over the waves of a job; with another key in each wave they would begin as newcomers each time,
  and waves would save less.
- A ring is accounts with 30 % of the labels that answer by a hash of the item.
"""


if __name__ == "__main__":
    sys.exit(main())
