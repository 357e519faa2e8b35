# SPDX-License-Identifier: Apache-2.0
"""A recorded crowd through the real contracts: `make replay SET=sp_amt`.

A set is named, or given as a folder with answer.csv (item, worker, label) and truth.csv (item,
truth). LABELERS and LABELS make the bounty larger or smaller than the crowd, ROUNDS is K, 5 unless
given. Where a worker really answered an item, that is their answer; any other is drawn from how
often they say each class where another is true, so the more is drawn, the less any figure here is
the crowd's own.
"""

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.report import CROWDS
from truthmark.bounty.verify import votes_of
from truthmark.errors import TruthmarkError
from truthmark.labels.goldw import NONE
from truthmark.labels.methods import aggregate
from truthmark.testing.crowds.plan import make_plan
from truthmark.testing.crowds.replay import Outcome, Replay
from truthmark.testing.crowds.sets import find_set, load
from truthmark.testing.network import Devnet
from truthmark.text import plural

METHODS = ("majority", "wawa", "dawid-skene", "one-coin", "ibcc", "ebcc", "bwa", "goldw", "auto")
BANDS = 4
"""Of labelers, by how often they are right."""


def main(arguments: list[str] | None = None) -> int:
    """Replay, and print what came of it."""
    parser = argparse.ArgumentParser(prog="bench.replay", description=__doc__.splitlines()[0])
    parser.add_argument("set", help="its name, or a folder with answer.csv and truth.csv")
    parser.add_argument("--labelers", type=int, help="accounts, about")
    parser.add_argument("--labels", type=int, help="of each, about")
    parser.add_argument("--rounds", type=int, default=5, help="labels of each item, 2 to 9")
    parser.add_argument("--seed", type=int, default=0, help="draws others")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    try:
        begun = time.monotonic()
        found = replay(options)
        report(found, time.monotonic() - begun)
    except TruthmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def replay(options: argparse.Namespace) -> Outcome:
    """Replay on a chain of its own, with progress.

    Raises:
        TruthmarkError: There is no such set, or no such bounty.
    """
    crowd = load(find_set(options.set, CROWDS))
    plan = make_plan(
        crowd,
        np.random.default_rng(options.seed),
        rounds=options.rounds,
        labelers=options.labelers,
        labels=options.labels,
    )
    columns = (TextColumn("{task.description:<36}"), BarColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, console=Console(stderr=True)) as bar,
        tempfile.TemporaryDirectory() as folder,
    ):
        tasks: dict[str, Any] = {}

        def watch(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bar.update(task, completed=bar.tasks[task].total)
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total)

        with Devnet.start(
            Path(folder),
            block_time=None,
            progress=lambda done, total: watch("starting a chain", done, total),
        ) as net:
            found = Replay(net, crowd, plan, seed=options.seed, watch=watch).run()
            watch("done", 1, 1)
    return found


def report(found: Outcome, seconds: float) -> None:
    """Print the tables."""
    console = Console(width=min(100, Console().width))
    terms, plan = found.result.record.terms, found.plan
    console.print(
        f"{found.crowd.name}: {plural(plan.labelers, 'labeler')} ×"
        f" {plan.run * plan.batch} labels, {found.labels:,} of {terms.items:,} items in"
        f" {plural(terms.rounds, 'round')}; {terms.gold_count} gold;"
        f" {found.result.record.status.name} and verified against the chain in {seconds:.0f} s"
    )
    console.print(
        f"[bold]{found.drawn.mean():.1%} of the answers were drawn[/bold] from the workers'"
        " confusion; the rest are real. What follows is of this replay, not of the crowd."
    )
    console.print(_accuracy(found))
    console.print(_pay(found))
    console.print(_gas(found))


def _accuracy(found: Outcome) -> Table:
    table = Table("method", "right, %", title="Labels of items that are no gold")
    record, opened = found.result.record, found.finding.opened
    votes = votes_of(record, opened)
    assert votes is not None and found.finding.labels is not None  # such a bounty has classes
    data = pd.DataFrame({"task": votes.items, "worker": votes.workers, "label": votes.labels})
    gold = pd.Series(record.require_score().gold.answers, record.require_score().gold.items)
    truth = pd.Series(found.truth)
    rest = truth[(truth != NONE) & truth.index.isin(votes.items) & ~truth.index.isin(gold.index)]
    for name in METHODS:
        if name == "goldw":  # as the bounty labels
            labels = pd.Series(found.finding.labels.labels)
        else:
            labels = aggregate(name, data, gold if name == "auto" else None).labels_
        table.add_row(name, f"{100 * float((labels[rest.index] == rest).mean()):.1f}")
    return table


def _pay(found: Outcome) -> Table:
    table = Table("labelers", "right, %", "pay, %", "least", "most", title="Pay by skill")
    record = found.result.record
    votes = votes_of(record, found.finding.opened)
    assert votes is not None
    known = found.truth[votes.items] != NONE
    asked = np.bincount(votes.workers[known], minlength=len(record.roster))
    is_right = known & (votes.labels == found.truth[votes.items])
    right = np.bincount(votes.workers[is_right], minlength=len(record.roster))
    skill = 100 * right / np.maximum(asked, 1)
    part = np.zeros(len(record.roster))
    for payment in found.finding.payments:
        part[payment.worker] = 100 * payment.price / (payment.price + payment.withheld)
    workers = np.array([payment.worker for payment in found.finding.payments])
    ordered = workers[np.argsort(skill[workers], kind="stable")]
    for band in np.array_split(ordered, min(BANDS, len(ordered))):
        table.add_row(
            str(len(band)),
            f"{skill[band].mean():.1f}",
            f"{part[band].mean():.1f}",
            f"{part[band].min():.1f}",
            f"{part[band].max():.1f}",
        )
    return table


def _gas(found: Outcome) -> Table:
    table = Table("call", "calls", "gas", "gas a label", title="Gas")
    for name, gas in sorted(found.gas.items(), key=lambda row: -row[1]):
        table.add_row(name, str(found.calls[name]), f"{gas:,}", f"{gas / found.labels:.1f}")
    total = sum(found.gas.values())
    table.add_row("all", str(sum(found.calls.values())), f"{total:,}", f"{found.gas_a_label:.1f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
