# SPDX-License-Identifier: Apache-2.0
"""How good the labels of a bounty are: how far people agree, what passes for what, who is right."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from truthmark.bounty.result import Result
from truthmark.bounty.result_tables import answers_of
from truthmark.bounty.verify import Finding
from truthmark.labels.goldw import NONE

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of the labels that are here.

    Attributes:
        alpha: Krippendorff's, 1 where all agree and 0 where they do as by chance; None where it
            has no meaning yet.
        is_gold: Whether the others are held against gold; else against the labels that were made.
        confusion: Counts; a row a class as it is, a column a class as it was answered.
        workers: By number: `answers`, `agreement` with others, and of what is known `gold`,
            `right`, `share`, with its interval `low` and `high`.
    """

    alpha: float | None
    is_gold: bool
    confusion: "pd.DataFrame"
    workers: "pd.DataFrame"


def quality_of(result: Result, finding: Finding, classes: Sequence[str]) -> Quality | None:
    """Return how good the labels are; None where there are none yet.

    Args:
        result: The bounty.
        finding: What checking it found.
        classes: Their names, by number.

    Raises:
        BountyError: Codes are hashes.
    """
    import pandas as pd

    from truthmark.labels.agreement import confusion, krippendorff_alpha, worker_table

    if finding.labels is None:
        return None
    answers = answers_of(result, finding)
    data, truth = answers.data, answers.gold
    if data.empty:
        return None
    is_gold = bool(truth.index.isin(data["task"]).any())
    if not is_gold:
        labels = finding.labels.labels
        known = np.flatnonzero(labels != NONE)
        truth = pd.Series(labels[known], index=known)
    truth = truth[truth.index.isin(data["task"])]
    alpha = krippendorff_alpha(data)
    counts = confusion(data, truth).reindex(
        index=range(len(classes)), columns=range(len(classes)), fill_value=0
    )
    counts.index, counts.columns = pd.Index(classes), pd.Index(classes)
    return Quality(None if math.isnan(alpha) else alpha, is_gold, counts, worker_table(data, truth))
