# SPDX-License-Identifier: Apache-2.0
"""Alpha, kappa, intervals, confidence and accounts: textbook values, and crowds made by chance."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.utils.made_crowds import make_crowd
from truthmark.errors import ConfigError
from truthmark.labels import (
    GoldWeighted,
    better_on_gold,
    calibrated_confidence,
    class_table,
    cohen_kappa,
    coinciding_errors,
    confusion,
    krippendorff_alpha,
    vote_margins,
    wilson,
    worker_table,
)
from truthmark.labels.confidence import fit_curve

CROWD, TRUTH = make_crowd()
# The example of Krippendorff, "Computing Krippendorff's alpha-reliability", 2011.
KNOWN = ["1233214 12...", "1233224 125.3", ".333234 2251.", "1233244 1251."]


def krippendorff() -> pd.DataFrame:
    rows = [
        (unit, coder, int(value))
        for coder, line in enumerate(KNOWN)
        for unit, value in enumerate(line.replace(" ", ""))
        if value != "."
    ]
    return pd.DataFrame(rows, columns=["task", "worker", "label"])


def pairs(*counts: tuple[str, str, int]) -> pd.DataFrame:
    """Return answers of two workers: so often one says this and the other that."""
    said = [(x, y) for x, y, count in counts for _ in range(count)]
    rows = [
        (t, w, label) for t, both in enumerate(said) for w, label in zip("xy", both, strict=True)
    ]
    return pd.DataFrame(rows, columns=["task", "worker", "label"])


def test_alpha__published_example__is_what_was_published() -> None:
    assert krippendorff_alpha(krippendorff()) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(krippendorff(), "ordinal") == pytest.approx(0.815, abs=5e-4)


def test_alpha__words__have_an_order_only_if_it_is_named() -> None:
    words = dict(enumerate("edcba", 1))
    data = krippendorff().assign(label=lambda d: d.label.map(words))
    with pytest.raises(ConfigError, match="order of labels"):
        krippendorff_alpha(data, "ordinal")
    data["label"] = pd.Categorical(data["label"], list("edcba"))
    assert krippendorff_alpha(data, "ordinal") == pytest.approx(0.815, abs=5e-4)
    data["label"] = data["label"].cat.reorder_categories(list("aebdc"))
    assert krippendorff_alpha(data, "ordinal") != pytest.approx(0.815, abs=5e-4)
    with pytest.raises(ConfigError, match="nominal or ordinal"):
        krippendorff_alpha(data, "interval")


def test_alpha__nothing_to_compare__is_not_a_number() -> None:
    assert math.isnan(krippendorff_alpha(CROWD.drop_duplicates("task")))
    assert math.isnan(krippendorff_alpha(CROWD.assign(label="a")))


def test_kappa__textbook_example__is_two_fifths() -> None:
    data = pairs(("yes", "yes", 20), ("yes", "no", 5), ("no", "yes", 10), ("no", "no", 15))
    (row,) = cohen_kappa(data).to_dict("records")
    assert row == {
        "worker": "x",
        "other": "y",
        "tasks": 50,
        "agreement": pytest.approx(0.7),
        "kappa": pytest.approx(0.4),
    }


def test_kappa__one_class_alone__is_not_a_number() -> None:
    assert cohen_kappa(pairs(("a", "a", 5)))["kappa"].isna().all()
    assert cohen_kappa(pairs(("a", "a", 1))).empty


def test_wilson__published_values__are_these() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("bad", [(-1, 5), (6, 5), (1, 5, 0.0), (1, 5, 1.0)])
def test_wilson__no_share__is_refused(bad) -> None:
    with pytest.raises(ConfigError):
        wilson(*bad)


def test_confusion__answers_to_gold__are_counted() -> None:
    gold = TRUTH.iloc[:30]
    counts = confusion(CROWD, gold)
    joined = CROWD.assign(gold=CROWD.task.map(gold)).dropna()
    for truth in "abc":
        for label in "abc":
            expected = ((joined.gold == truth) & (joined.label == label)).sum()
            assert counts.loc[truth, label] == expected
    table = class_table(counts)
    assert table["answers"].sum() == len(joined)
    assert (table["low"] < table["share"]).all()
    assert (table["share"] < table["high"]).all()


def test_workers__with_and_without_gold__are_counted() -> None:
    plain = worker_table(CROWD)
    assert list(plain.columns) == ["answers", "agreement"]
    table = worker_table(CROWD, TRUTH.iloc[:30])
    mine = CROWD[CROWD.worker == "w03"]
    gold = mine[mine.task < "t030"]
    assert table.loc["w03", "answers"] == len(mine)
    assert table.loc["w03", "gold"] == len(gold)
    assert table.loc["w03", "right"] == (gold.label == gold.task.map(TRUTH)).sum()
    others = CROWD[CROWD.worker != "w03"].merge(mine, on="task")
    assert table.loc["w03", "agreement"] == pytest.approx((others.label_x == others.label_y).mean())


def test_margins__votes__are_shares_of_the_lead() -> None:
    data = pd.DataFrame(
        {"task": [1, 1, 1, 2, 2, 3], "worker": [1, 2, 3, 1, 2, 1], "label": list("aabaab")}
    )
    assert vote_margins(data).to_list() == pytest.approx([1 / 3, 1.0, 1.0])
    assert vote_margins(data.assign(label="a")).to_list() == [1.0, 1.0, 1.0]


# ------------------------------------------------------------------------------ confidence


def test_confidence__made_crowds__says_how_many_are_right() -> None:
    said, right = [], []
    for seed in range(6):
        crowd, truth = make_crowd(400, 25, 3, 3, (0.4, 0.9), seed=seed)
        gold = truth.sample(60, random_state=seed)
        chance = calibrated_confidence(crowd, gold)
        found = GoldWeighted().fit(crowd, gold).labels_
        assert (chance[gold.index] == 1).all()
        rest = truth.index.difference(gold.index)
        said.append(chance[rest].to_numpy())
        right.append((found[rest] == truth[rest]).to_numpy())
    said, right = np.concatenate(said), np.concatenate(right)
    assert said.mean() == pytest.approx(right.mean(), abs=0.03)
    for part in np.array_split(np.argsort(said), 4):
        assert said[part].mean() == pytest.approx(right[part].mean(), abs=0.06)


def test_confidence__little_gold__is_refused() -> None:
    with pytest.raises(ConfigError, match="9 gold tasks are too few"):
        calibrated_confidence(CROWD, TRUTH.iloc[:9])


def test_fit_curve__all_right__stays_below_certain() -> None:
    rising = np.linspace(0, 3, 20)
    features = np.column_stack([np.ones(20), rising, rising, np.ones((20, 2))])
    curve = fit_curve(features, np.ones(20))
    chance = 1 / (1 + np.exp(-features @ curve))
    assert chance[0] < chance[-1] < 1


def test_fit_curve__margins_that_say_nothing__finds_the_share_that_is_right() -> None:
    # Whole steps of Newton's leap away here, and would end at a hundredth or at one.
    for seed in range(20):
        rng = np.random.default_rng(seed)
        kinds = np.eye(2)[rng.integers(0, 2, 30)]
        margins, leads = rng.normal(4, 2, 30), rng.normal(4, 3, 30)
        features = np.column_stack([np.ones(30), margins, leads, np.full(30, 3.5), kinds])
        right = rng.permutation(np.arange(30) < 18)
        chance = 1 / (1 + np.exp(-features @ fit_curve(features, right)))
        assert chance.mean() == pytest.approx(0.6, abs=0.12)


# ------------------------------------------------------------------------------ accounts


@pytest.mark.untraced
def test_coinciding_errors__ring__is_named_and_nobody_else() -> None:
    crowd, truth = make_crowd(300, 20, 3, 6, (0.6, 0.9), seed=4)
    ring = {"w00", "w01", "w02"}
    wrong = pd.Series(np.random.default_rng(1).choice(list("abc"), 300), index=truth.index)
    mine = crowd.worker.isin(ring)
    crowd.loc[mine, "label"] = crowd.task[mine].map(wrong)
    gold = truth.iloc[:60]
    named = coinciding_errors(crowd, GoldWeighted().fit(crowd, gold).labels_)
    assert set(named["worker"]) | set(named["other"]) == ring
    assert set(named["group"]) == {1}
    assert (named["same_errors"] > named["expected"]).all()


def test_coinciding_errors__honest_crowds__names_nobody() -> None:
    for seed in range(5):
        crowd, truth = make_crowd(200, 15, 2, 6, (0.5, 0.9), seed=seed)
        assert coinciding_errors(crowd, truth).empty
    perfect = CROWD.assign(label=CROWD.task.map(TRUTH))
    assert coinciding_errors(perfect, TRUTH).empty


def test_better_on_gold__who_knows_it__is_named_and_nobody_else() -> None:
    crowd, truth = make_crowd(400, 20, 2, 6, (0.7, 0.9), seed=4)
    gold = truth.iloc[:80]
    rng = np.random.default_rng(2)
    mine = crowd.worker == "w05"
    guess = pd.Series(rng.choice(list("ab"), int(mine.sum())), index=crowd.index[mine])
    known = crowd.task[mine].map(gold)
    crowd.loc[mine, "label"] = known.where(known.notna(), guess)
    named = better_on_gold(crowd, gold)
    assert list(named.index) == ["w05"]
    assert named.loc["w05", "right"] == 1.0
    assert named.loc["w05", "agreed"] < 0.65


def test_better_on_gold__honest_crowds__names_nobody() -> None:
    for seed in range(5):
        crowd, truth = make_crowd(200, 15, 2, 6, (0.5, 0.9), seed=seed)
        assert better_on_gold(crowd, truth.iloc[:40]).empty
    with pytest.raises(ConfigError, match="no gold"):
        better_on_gold(CROWD, TRUTH.iloc[:0])
