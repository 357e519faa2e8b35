# SPDX-License-Identifier: Apache-2.0
"""Makes tests/unit/labels/vectors.json: what crowd-kit finds, for tests that run without it.

    python3 tools/bootstrap.py peers
    .venv/peers/bin/python tools/label_vectors.py

Needs tools/peers.lock and nothing of this project. Answers: a small set made by chance, and the
shipped datasets/cf_amt. MACE of crowd-kit mixes two orders of workers and labels, so the answers
are sorted by worker and label, and the first worker gives every label: then both are the same.
"""

import json
import warnings
from pathlib import Path

import crowdkit.aggregation as peers
import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "tests" / "unit" / "labels" / "vectors.json"
METHODS = {
    "MajorityVote": {},
    "Wawa": {},
    "ZeroBasedSkill": {},
    "DawidSkene": {},
    "OneCoinDawidSkene": {},
    "GLAD": {},
    "MACE": {"n_restarts": 1},
}
KEPT = ("skills_", "errors_", "priors_", "alphas_", "betas_", "spamming_", "thetas_")


def main():
    """Write the file."""
    warnings.filterwarnings("ignore")
    made, gold = make()
    real = pd.read_csv(ROOT / "datasets" / "cf_amt" / "answer.csv", dtype=str)
    real = real.rename(columns={"item": "task"})
    vectors = {"made": entry(made, gold, is_small=True), "cf_amt": entry(real, None)}
    vectors["made"]["answers"] = made.to_dict("list")
    vectors["made"]["gold"] = gold.to_dict()
    text = json.dumps(vectors, indent=1)
    TARGET.write_text(text + "\n", "utf-8")


def make():
    """Return 160 answers of twelve workers to forty tasks, and gold of ten tasks."""
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 3, 40)
    rows = []
    for worker in range(12):
        skill = rng.uniform(0.3, 0.95)
        tasks = rng.permutation(40)[:14] if worker else np.arange(14)
        for task in tasks:
            is_right = rng.random() < skill
            rows.append(
                (
                    f"t{task:02}",
                    f"w{worker:02}",
                    "abc"[truth[task] if is_right else rng.integers(3)],
                )
            )
    answers = pd.DataFrame(rows, columns=["task", "worker", "label"])
    gold = pd.Series([*map("abc".__getitem__, truth)], index=[f"t{t:02}" for t in range(40)])
    return answers, gold[gold.index.isin(answers.task)].iloc[:10]


def entry(answers, gold, is_small=False):
    """Return what each method finds."""
    answers = answers.sort_values(["worker", "label"], kind="stable")
    first = answers[answers.worker == answers.worker.iloc[0]]
    assert first.label.nunique() == answers.label.nunique()
    found = {}
    for name, options in METHODS.items():
        found[name] = describe(getattr(peers, name)(**options).fit(answers), answers, is_small)
    if gold is not None:
        model = peers.DawidSkene().fit(answers, gold)
        found["DawidSkene with gold"] = describe(model, answers, is_small)
    return {"found": found}


def describe(model, answers, is_small):
    """Return labels; of small sets all else too, in the order of tasks, workers and labels."""
    if hasattr(model, "predict"):
        model.predict(answers)
    kept = {"labels_": model.labels_.sort_index().to_list()}
    if is_small:
        kept["probas_"] = model.probas_.sort_index().sort_index(axis=1).to_numpy().tolist()
    for name in KEPT:
        value = getattr(model, name, None)
        if value is not None and (is_small or name == "skills_"):
            if not isinstance(value, np.ndarray):
                value = value.sort_index().to_numpy()
            kept[name] = value.tolist()
    return kept


if __name__ == "__main__":
    main()
