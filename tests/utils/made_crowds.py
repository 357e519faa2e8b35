# SPDX-License-Identifier: Apache-2.0
"""Answers made by chance, with what is right."""

import numpy as np
import pandas as pd


def make_crowd(
    n_tasks=60, n_workers=12, n_classes=3, per_task=5, skill=(0.5, 0.95), seed=0
) -> tuple[pd.DataFrame, pd.Series]:
    """Return answers of workers whose skill lies between two bounds, and the truth by task."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_tasks)
    skills = rng.uniform(*skill, n_workers)
    rows = []
    for task in range(n_tasks):
        for worker in rng.choice(n_workers, per_task, replace=False):
            is_right = rng.random() < skills[worker]
            label = truth[task] if is_right else rng.integers(n_classes)
            rows.append((f"t{task:03}", f"w{worker:02}", "abcdefgh"[label]))
    index = pd.Index([f"t{task:03}" for task in range(n_tasks)], name="task")
    return (
        pd.DataFrame(rows, columns=["task", "worker", "label"]),
        pd.Series(["abcdefgh"[c] for c in truth], index=index, name="label"),
    )


def accuracy(found: pd.Series, truth: pd.Series) -> float:
    return float((found == truth.loc[found.index]).mean())
