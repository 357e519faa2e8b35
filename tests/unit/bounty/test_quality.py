# SPDX-License-Identifier: Apache-2.0
"""How good labels are, against gold and, where there is none, against the labels themselves."""

import random
from dataclasses import replace

import numpy as np

from tests.unit.bounty.test_verify import finished
from truthmark.bounty.payouts import Status
from truthmark.bounty.quality import quality_of
from truthmark.bounty.result_tables import answers_of, tables_of
from truthmark.bounty.verify import verify
from truthmark.labels.goldw import NONE

CLASSES = ("cat", "dog")


def test_quality__bounty_with_gold__counts_are_those_of_the_labels() -> None:
    _, result = finished(random.Random(3), classes=2, rounds=3)
    finding = verify(result)
    found = quality_of(result, finding, CLASSES)
    assert found is not None and found.is_gold
    answers = answers_of(result, finding)
    judged = answers.data[answers.data["task"].isin(answers.gold.index)]
    assert int(found.confusion.to_numpy().sum()) == len(judged)
    truth = answers.gold.reindex(judged["task"]).to_numpy()
    right = int((judged["label"].to_numpy() == truth).sum())
    assert int(np.trace(found.confusion.to_numpy())) == right == int(found.workers["right"].sum())
    assert list(found.confusion.index) == list(CLASSES) == list(found.confusion.columns)
    rows = tables_of(result, finding, classes=CLASSES).workers.to_pylist()
    assert {row["worker"]: row["gold_right"] for row in rows} == found.workers["right"].to_dict()
    assert (found.workers["low"] <= found.workers["high"]).all()
    assert found.alpha is not None and -1 <= found.alpha <= 1


def test_quality__no_gold_is_known__is_held_against_the_labels() -> None:
    _, result = finished(random.Random(3), classes=2, rounds=3)
    finding = verify(result)
    unscored = replace(result.record, score=None, status=Status.LABEL)
    bare = replace(result, record=unscored, gold=None)
    found = quality_of(bare, finding, CLASSES)
    assert found is not None and not found.is_gold
    labels = finding.labels
    assert labels is not None
    answered = answers_of(bare, finding).data["task"]
    labeled = np.flatnonzero(labels.labels != NONE)
    assert int(found.confusion.to_numpy().sum()) == int(answered.isin(labeled).sum())


def test_quality__no_labels_yet__is_none() -> None:
    _, result = finished(random.Random(3), classes=2, rounds=3)
    assert quality_of(result, replace(verify(result), labels=None), CLASSES) is None
