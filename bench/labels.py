# SPDX-License-Identifier: Apache-2.0
"""Labels of crowds: `python -m bench.labels` against crowd-kit, and against what is known.

Speed and memory: the same arrays of whole numbers through both libraries, each in a process of its
own, in processor time, compiling apart. A word behind makes one part: speed, accuracy, confidence.

Accuracy: on sets of real answers whose truth is known, a tenth of that as gold, at least ten tasks,
drawn three times; judged on the rest, ties split. A ring is workers drawn by chance until they have
30 % of the answers, who answer by a hash of the task. Confidence: twenty draws; how well it ranks
right before wrong (AUROC, per draw), and how far it is from the share that is right, in ten parts
of all draws together. How confidence is computed was chosen on five sets and on other draws; their
mean, and that of the sets it had not seen, stand apart.
"""

import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.report import CROWDS, ROOT, Report
from truthmark import labels
from truthmark.labels.methods import aggregate

PEERS = ROOT / ".venv" / "peers" / "bin" / "python"
RUN = ROOT / "bench" / "label_run.py"

# Class, answers, classes, options, at least so many times faster.
RACES: tuple[tuple[str, int, int, dict[str, Any], float], ...] = (
    ("MajorityVote", 1_000_000, 4, {}, 30),
    ("DawidSkene", 1_000_000, 4, {"n_iter": 5, "tol": -1.0}, 10),
    ("OneCoinDawidSkene", 100_000, 4, {"n_iter": 10, "tol": -1.0}, 60),
    ("GLAD", 20_000, 4, {"n_iter": 2}, 100),
    ("MACE", 20_000, 4, {"n_iter": 10, "n_restarts": 1}, 30),
)
MEMORY = 1 / 5
LEAST_FOR_MEMORY = 500_000  # below, what the import took is more
LARGE = (10_000_000, 10)
LARGE_MIB = 1024

# The best published method of each set.
BEST = {
    "cf": "bwa",
    "cf_amt": "bwa",
    "ms": "goldw",
    "sp": "bwa",
    "sp_amt": "bwa",
    "zencrowd_in": "ebcc",
    "zencrowd_us": "ebcc",
}
SETS = (*BEST, "adult2", "barzan")
SHOWN = ("majority", "dawid-skene", "one-coin", "ibcc", "ebcc", "bwa", "goldw", "auto")
UNDER_RING = ("majority", "dawid-skene", "ebcc", "bwa", "goldw", "auto")
DRAWS = 3
CONFIDENCE_DRAWS = 20
# How confidence is computed was chosen on these, in draws 100 to 107.
CHOSEN_ON = ("cf", "cf_amt", "zencrowd_in", "zencrowd_us", "barzan")
RING = 0.3
PARTS = 10


def main() -> int:
    """Measure, write the table, and return 1 if a figure does not hold."""
    warnings.simplefilter("ignore")
    parts: dict[str, Callable[[Report], None]] = {
        "speed": race,
        "accuracy": judge,
        "confidence": calibrate,
    }
    chosen = sys.argv[1:] or list(parts)
    report = Report("labels")
    for name in chosen:
        parts[name](report)
    if chosen == list(parts):
        report.write()
    return int(any(figure.holds is False for figure in report.figures))


# ------------------------------------------------------------------------------ speed


def race(report: Report) -> None:
    """Run both libraries on the same answers."""
    subprocess.run([sys.executable, ROOT / "tools" / "bootstrap.py", "peers"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.npz"
        for name, count, classes, options, floor in RACES:
            np.savez(path, **make(count, classes))
            peer = run(PEERS, "crowdkit", name, path, options)
            own = run(Path(sys.executable), "truthmark", name, path, options)
            what = f"{name}, {count:,} answers"
            report.add(
                what,
                1 / own["seconds"],
                "runs/s",
                peer="crowd-kit",
                peer_value=1 / peer["seconds"],
                at_least=floor,
            )
            if count >= LEAST_FOR_MEMORY:
                report.add(
                    f"{what}: memory of the fit",
                    own["grown"],
                    "MiB",
                    peer="crowd-kit",
                    peer_value=peer["grown"],
                    at_most=MEMORY,
                )
            differ = sum(a != b for a, b in zip(own["labels"], peer["labels"], strict=True))
            # crowd-kit's MACE mixes two orders of workers and classes (see truthmark.labels.mace).
            if own["labels"] and name != "MACE":
                report.add(f"{what}: labels that differ", differ, "labels", at_most=0)
        np.savez(path, **make(*LARGE))
        options = {"n_iter": 5, "tol": -1.0}
        own = run(Path(sys.executable), "truthmark", "DawidSkene", path, options)
        what = f"DawidSkene, {LARGE[0]:,} answers, {LARGE[1]} classes: whole process"
        report.add(what, own["peak"], "MiB", at_most=LARGE_MIB)


def make(count: int, classes: int, per_task: int = 5) -> dict[str, Any]:
    """Return answers made by chance: workers of different skill, each with a favourite error."""
    rng = np.random.default_rng(0)
    tasks, workers = count // per_task, max(10, count // 500)
    truth = rng.integers(0, classes, tasks)
    skill = rng.beta(6, 2.5, workers)
    task = np.repeat(np.arange(tasks), per_task)
    first = rng.integers(0, workers, tasks)
    worker = (
        (first[:, None] + np.arange(per_task) * max(1, workers // per_task)) % workers
    ).ravel()
    favourite = rng.integers(0, classes, workers)[worker]
    wrong = np.where(rng.random(count) < 0.5, favourite, rng.integers(0, classes, count))
    label = np.where(rng.random(count) < skill[worker], truth[task], wrong)
    return {"task": task, "worker": worker, "label": label}


def run(python: Path, library: str, name: str, path: Path, options: Any) -> dict[str, Any]:
    """Return what one run in a process of its own found."""
    command = [str(python), str(RUN), library, name, str(path), json.dumps(options)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# ------------------------------------------------------------------------------ accuracy


def judge(report: Report) -> None:
    """Judge methods on real answers, with and without a ring."""
    for ring, methods in ((0.0, SHOWN), (RING, UNDER_RING)):
        means: dict[str, list[float]] = {name: [] for name in methods}
        for name, answers, truth in sets():
            shares = {method: [] for method in methods}
            for draw in range(DRAWS):
                data, gold, rest = drawn(answers, truth, draw, ring)
                for method in methods:
                    shares[method].append(_right(fit(method, data, gold), rest))
            found = {method: 100 * float(np.mean(values)) for method, values in shares.items()}
            for method in methods:
                means[method].append(found[method])
            _add_set(report, name, found, ring, len(truth))
        mean = {method: float(np.mean(values)) for method, values in means.items()}
        where = f"mean of {len(means['goldw'])} sets{_with(ring)}"
        for method in methods:
            if method != "goldw":
                report.add(f"{where}: {method}", mean[method], "%")
        lead = mean["goldw"] - mean["majority"]
        report.add(f"{where}: goldw", mean["goldw"], "%")
        report.add(f"{where}: goldw less majority", lead, "points", at_least=0)


def _add_set(report: Report, name: str, found: dict[str, float], ring: float, tasks: int) -> None:
    """Add one set's figures."""
    where = f"{name}{_with(ring)}"
    for method, share in found.items():
        report.add(f"{where}: {method}", share, "%")
    lead = found["goldw"] - found["majority"]
    report.add(f"{where}: goldw less majority", lead, "points", at_least=0 if ring else -1.5)
    if not ring and name in BEST:
        best = BEST[name]
        short = found["auto"] - found[best]
        report.add(
            f"{where}: auto less {best}", short, "points", at_least=-1.5 if tasks < 500 else -1.0
        )


def _with(ring: float) -> str:
    return f", ring of {ring:.0%}" if ring else ""


def fit(method: str, data: pd.DataFrame, gold: "pd.Series[Any]") -> pd.DataFrame:
    """Return what a method thinks of each class; only goldw and auto see gold."""
    known = gold if method in ("goldw", "auto") else None
    return aggregate(method, data, known).probas_


def _right(probas: pd.DataFrame, truth: "pd.Series[Any]") -> float:
    """Return the share of tasks that are right; of equals, each is a part of it."""
    values = probas.loc[truth.index].to_numpy()
    tied = values >= values.max(1, keepdims=True) - 1e-9
    place = probas.columns.get_indexer(pd.Index(truth.to_numpy()))
    return float((tied[np.arange(len(truth)), place] / tied.sum(1)).mean())


def sets() -> Iterator[tuple[str, pd.DataFrame, "pd.Series[Any]"]]:
    """Yield each set that is here: its name, answers, and truth of tasks that have answers."""
    for name in SETS:
        folders = (ROOT / "datasets" / name, CROWDS / name)
        folder = next((path for path in folders if (path / "answer.csv").is_file()), None)
        if folder is None:
            print(f"{name}: not on this machine", flush=True)
            continue
        answers = labels.read_answers(folder / "answer.csv", duplicates="all")
        truth = labels.read_gold(folder / "truth.csv")
        yield name, answers, truth[truth.index.isin(answers["item"])]


def drawn(
    answers: pd.DataFrame, truth: "pd.Series[Any]", draw: int, ring: float
) -> tuple[pd.DataFrame, "pd.Series[Any]", "pd.Series[Any]"]:
    """Return answers, with a ring among them, gold, and the truth that is judged."""
    rng = np.random.default_rng(draw)
    gold = truth.sample(max(10, len(truth) // 10), random_state=draw)
    rest = truth.drop(gold.index)
    if not ring:
        return answers, gold, rest
    counts = answers["worker"].value_counts().sort_index()
    order = counts.iloc[rng.permutation(len(counts))]
    members = order.index[: int(np.searchsorted(order.cumsum(), ring * len(answers))) + 1]
    classes = np.sort(answers["label"].unique())
    tasks = np.sort(answers["item"].unique())
    said = pd.Series(rng.choice(classes, len(tasks)), index=tasks)
    answers = answers.copy()
    chosen = answers["worker"].isin(members)
    answers.loc[chosen, "label"] = answers["item"][chosen].map(said)
    return answers, gold, rest


# ------------------------------------------------------------------------------ confidence


def calibrate(report: Report) -> None:
    """Hold the confidence of goldw's labels against how many are right."""
    for ring in (0.0, RING):
        ranks: dict[str, float] = {}
        errors: dict[str, float] = {}
        for name, answers, truth in sets():
            said, right, areas = [], [], []
            for draw in range(CONFIDENCE_DRAWS):
                data, gold, rest = drawn(answers, truth, draw, ring)
                found = labels.GoldWeighted().fit(data, gold).labels_[rest.index]
                chance = labels.calibrated_confidence(data, gold)[rest.index].to_numpy()
                is_right = (found == rest).to_numpy()
                said.append(chance)
                right.append(is_right)
                areas.append(_area(chance, is_right))
            ranks[name] = float(np.mean(areas))
            errors[name] = _error(np.concatenate(said), np.concatenate(right))
            report.add(f"{name}{_with(ring)}: AUROC of the confidence", ranks[name], "")
            report.add(f"{name}{_with(ring)}: error of the confidence", errors[name], "")
        for kind, is_seen in (("it was chosen on", True), ("it had not seen", False)):
            some = [name for name in ranks if (name in CHOSEN_ON) is is_seen]
            where = f"mean of {len(some)} sets that {kind}{_with(ring)}"
            report.add(f"{where}: AUROC", float(np.mean([ranks[name] for name in some])), "")
        where = f"mean of {len(ranks)} sets{_with(ring)}"
        report.add(f"{where}: AUROC", float(np.mean([*ranks.values()])), "", at_least=0.80)
        error = float(np.mean([*errors.values()]))
        report.add(f"{where}: calibration error", error, "", at_most=0.03)


def _area(chance: Any, right: Any) -> float:
    """Return how likely a right label has more confidence than a wrong one."""
    rank = pd.Series(chance).rank().to_numpy()
    good, bad = int(right.sum()), int((~right).sum())
    return float((rank[right].sum() - good * (good + 1) / 2) / (good * bad)) if good * bad else 0.5


def _error(chance: Any, right: Any) -> float:
    """Return how far confidence is from the share that is right, in parts of equal size."""
    order = np.argsort(chance, kind="stable")
    return sum(
        len(part) * abs(float(right[part].mean()) - float(chance[part].mean()))
        for part in np.array_split(order, PARTS)
    ) / len(chance)


if __name__ == "__main__":
    sys.exit(main())
