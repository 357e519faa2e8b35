# SPDX-License-Identifier: Apache-2.0
"""Methods that no vector is of, held against their formulas; and what all methods refuse."""

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import digamma

from tests.utils.made_crowds import accuracy, make_crowd
from truthmark import labels
from truthmark.cli.labels import _METHODS
from truthmark.errors import ConfigError
from truthmark.labels import kernels
from truthmark.labels.answers import Answers, LabelsWarning
from truthmark.labels.methods import METHODS, aggregate

CROWD, TRUTH = make_crowd()
GOLD = TRUTH.iloc[:20]
REST = TRUTH.iloc[20:]
SMALL = make_crowd(15, 6, 2, 3)
UNIFORM = pd.DataFrame(1 / 3, index=TRUTH.index, columns=list("abc"))


def fit(name: str, data: pd.DataFrame = CROWD, gold: Any = GOLD) -> Any:
    method = METHODS[name]
    return aggregate(
        name,
        data,
        gold if method.takes_gold else None,
        predictions=UNIFORM if name == "crowdlab" else None,
    )


# ------------------------------------------------------------------------------ all of them


def test_names__of_the_package__are_all_there() -> None:
    assert set(labels.__all__) <= set(dir(labels))
    for name in labels.__all__:
        assert getattr(labels, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = labels.Nothing
    assert tuple(METHODS) == _METHODS


@pytest.mark.parametrize("name", METHODS)
def test_fit__any_method__labels_every_task_and_mostly_rightly(name: str) -> None:
    model = fit(name)
    assert model.labels_.name == "agg_label"
    assert model.labels_.index.equals(TRUTH.index)
    assert model.probas_.index.equals(TRUTH.index)
    assert list(model.probas_.columns) == ["a", "b", "c"]
    assert model.probas_.sum(axis=1).to_numpy() == pytest.approx(np.ones(60), abs=1e-6)
    assert accuracy(model.labels_.loc[REST.index], REST) >= 0.8
    if METHODS[name].takes_gold:
        assert accuracy(model.labels_.loc[GOLD.index], GOLD) == 1.0


@pytest.mark.parametrize("name", [name for name in METHODS if name != "auto"])
def test_fit__compiled_or_not__finds_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels are plain Python as well; so they are covered, and compiled rightly."""
    data = SMALL[0].assign(task=SMALL[0].task.str[1:].astype(int))
    gold = SMALL[1].iloc[:4].set_axis(range(4))
    model = pd.DataFrame(0.5, index=data.task.unique(), columns=["a", "b"])

    def run() -> Any:
        given = gold if METHODS[name].takes_gold else None
        predictions = model if name == "crowdlab" else None
        return aggregate(name, data.iloc[::-1], given, predictions=predictions)

    compiled = run()
    for module in [m for n, m in sys.modules.items() if n.startswith("truthmark.labels.")]:
        for attribute, value in list(vars(module).items()):
            if hasattr(value, "py_func"):
                monkeypatch.setattr(module, attribute, value.py_func)
    plain = run()
    assert plain.labels_.equals(compiled.labels_)
    assert plain.probas_.to_numpy() == pytest.approx(compiled.probas_.to_numpy(), abs=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_fit__item_instead_of_task__is_the_same_by_another_name(name: str) -> None:
    model = fit(name, CROWD.rename(columns={"task": "item"}))
    assert model.labels_.index.name == "item"
    assert model.labels_.tolist() == fit(name).labels_.tolist()


@pytest.mark.parametrize("name", METHODS)
def test_fit__numbers_and_categories_as_ids__are_kept(name: str) -> None:
    data = CROWD.assign(
        task=CROWD.task.str[1:].astype(int) * 10**9,
        worker=CROWD.worker.astype("category"),
        label=CROWD.label.map({"a": 7, "b": 8, "c": 9}),
    )
    gold = GOLD.map({"a": 7, "b": 8, "c": 9}).set_axis(GOLD.index.str[1:].astype(int) * 10**9)
    predictions = UNIFORM.set_axis([7, 8, 9], axis=1)
    predictions.index = predictions.index.str[1:].astype(int) * 10**9
    method = METHODS[name]
    model = aggregate(
        name,
        data,
        gold if method.takes_gold else None,
        predictions=predictions if name == "crowdlab" else None,
    )
    assert model.labels_.tolist() == fit(name).labels_.map({"a": 7, "b": 8, "c": 9}).tolist()
    assert model.labels_.index[1] == 10**9


@pytest.mark.parametrize("name", METHODS)
def test_fit__one_class__is_exact_or_refused(name: str) -> None:
    data = CROWD.assign(label="a")
    predictions = pd.DataFrame(1.0, index=TRUTH.index, columns=["a"])
    gold = pd.Series("a", index=GOLD.index[:9])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = aggregate(
                name,
                data,
                gold if METHODS[name].takes_gold else None,
                predictions=predictions if name == "crowdlab" else None,
            )
    except ConfigError as error:
        assert "needs two classes" in str(error)
    else:
        assert set(model.labels_) == {"a"}


@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if m.takes_gold])
@pytest.mark.parametrize(
    ("gold", "message"),
    [
        (pd.Series(["a"], index=["nowhere"]), "1 task of the gold has no answers"),
        (pd.Series(["a", "a"], index=["x", "y"]), "2 tasks of the gold have no answers"),
        (pd.Series(["z"], index=["t000"]), "says 'z', which nobody answered"),
        (pd.Series(["a", "b"], index=["t000", "t000"]), "names 't000' twice"),
        (pd.Series(["a", None], index=["t000", "t001"]), "missing value"),
        (pd.DataFrame({"label": ["a"]}), "is a pandas Series"),
    ],
)
def test_fit__gold_that_says_nothing__is_refused(name: str, gold: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        METHODS[name].make().fit(CROWD, gold)


@pytest.mark.parametrize("name", ["goldw", "auto"])
def test_fit__no_gold_where_it_is_needed__is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="gold: the right label"):
        METHODS[name].make().fit(CROWD)
    with pytest.raises(ConfigError, match="add --gold"):
        aggregate(name, CROWD)


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("majority", {"gold": GOLD}, "uses no gold"),
        ("goldw", {"gold": GOLD, "predictions": UNIFORM}, "uses no predictions"),
        ("bwa", {"shares": pd.Series({"a": 1.0})}, "uses no shares"),
        ("goldwv", {}, "did you mean goldw"),
        ("crowdlab", {}, "needs a model's predictions"),
    ],
)
def test_aggregate__what_a_method_does_not_use__is_refused(name, more, message) -> None:
    with pytest.raises(ConfigError, match=message):
        aggregate(name, CROWD, **more)


# ------------------------------------------------------------------------------ answers


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (CROWD.drop(columns="task"), "no column 'task'"),
        (CROWD.assign(item=1), "both columns"),
        (CROWD.drop(columns="worker"), "no column 'worker'"),
        (CROWD.drop(columns="label"), "no column 'label'"),
        (CROWD.iloc[:0], "no answers"),
        (CROWD.to_numpy(), "pandas DataFrame, not ndarray"),
        (CROWD.assign(label=CROWD.label.where(CROWD.index != 3)), "row 3 has no label"),
        (CROWD.assign(task=[None, *CROWD.task[1:]]), "row 0 has no task"),
        (CROWD.assign(label=[1, *CROWD.label[1:]]), None),
        (CROWD.assign(label=[[1], *CROWD.label[1:]]), "mixes kinds"),
        (pd.concat([CROWD, CROWD[["label"]]], axis=1), "two columns 'label'"),
    ],
)
def test_answers__table_that_is_none__is_refused_in_one_line(data: Any, message: str) -> None:
    if message is None:  # a number among words sorts before them
        assert Answers.of(data).classes.tolist() == [1, "a", "b", "c"]
        return
    with pytest.raises(ConfigError, match=message) as refused:
        Answers.of(data)
    assert "\n" not in str(refused.value)


def test_answers__twice_by_one_worker__count_and_are_warned_of() -> None:
    with pytest.warns(LabelsWarning, match="1 answers .* 'w0. on|1 answers"):
        answers = Answers.of(pd.concat([CROWD, CROWD.iloc[:1]]))
    assert answers.repeats == 1
    assert len(answers.labels) == len(CROWD) + 1


def test_answers__categorical_label__names_all_classes_and_their_order() -> None:
    data = CROWD.assign(label=pd.Categorical(CROWD.label, ["c", "z", "b", "a"]))
    assert Answers.of(data).classes.tolist() == ["c", "z", "b", "a"]
    gold = pd.Series(["z"], index=["t000"])
    assert labels.GoldWeighted().fit(data, gold).labels_["t000"] == "z"
    tie = pd.DataFrame({"task": [1, 1], "worker": [1, 2], "label": ["a", "b"]})
    assert labels.MajorityVote().fit_predict(tie)[1] == "a"
    tie["label"] = pd.Categorical(tie["label"], ["b", "a"])
    assert labels.MajorityVote().fit_predict(tie)[1] == "b"


# ------------------------------------------------------------------------------ predict


def test_predict__fitted_tasks__are_known_and_others_refused() -> None:
    model = labels.DawidSkene()
    with pytest.raises(ConfigError, match="was not fitted"):
        model.predict(CROWD)
    assert model.fit_predict(CROWD).equals(model.predict())
    assert model.fit_predict_proba(CROWD).equals(model.predict_proba(CROWD))
    part = CROWD[CROWD.task < "t010"]
    assert model.predict(part).equals(model.labels_.iloc[:10])
    with pytest.raises(ConfigError, match="fit on these too"):
        model.predict(part.assign(task="new"))


@pytest.mark.parametrize("kind", [labels.Wawa, labels.ZeroBasedSkill])
def test_predict__other_tasks_of_known_workers__are_voted_on(kind: Any) -> None:
    with pytest.raises(ConfigError, match="was not fitted"):
        kind().predict(CROWD)
    half = CROWD.task < "t030"
    model = kind().fit(CROWD[half])
    found = model.predict(CROWD[~half])
    assert found.index.equals(TRUTH.index[30:])
    assert found.equals(labels.MajorityVote().fit(CROWD[~half], model.skills_).labels_)
    assert model.predict_proba(CROWD[~half]).index.equals(found.index)
    assert model.predict().equals(found)
    with pytest.raises(ConfigError, match="workers have no skill"):
        model.predict(CROWD.assign(worker=CROWD.worker + "?"))


def test_majority__missing_skills__are_filled_or_left_out() -> None:
    skills = pd.Series({f"w{w:02}": 1.0 for w in range(1, 12)})
    filled = labels.MajorityVote(on_missing_skill="value", default_skill=1.0).fit(CROWD, skills)
    assert filled.labels_.equals(labels.MajorityVote().fit(CROWD).labels_)
    left = labels.MajorityVote(on_missing_skill="ignore").fit(CROWD, skills)
    assert left.labels_.equals(labels.MajorityVote().fit(CROWD[CROWD.worker != "w00"]).labels_)
    alone = CROWD[CROWD.worker == "w00"]
    with pytest.raises(ConfigError, match="no worker with a known skill"):
        labels.MajorityVote(on_missing_skill="ignore").fit(alone, skills)


# ------------------------------------------------------------------------------ by formula


def test_ibcc__dense_formulas__find_the_same() -> None:
    answers = Answers.of(CROWD)
    said = np.zeros((answers.n_items, answers.n_workers, 3))
    said[answers.items, answers.workers, answers.labels] = 1
    posterior = said.sum(1) / said.sum((1, 2))[:, None]
    for _ in range(500):
        tables = 1 + 3 * np.eye(3) + np.einsum("ic,iwl->wcl", posterior, said)
        shares = 1 + posterior.sum(0)
        logs = digamma(tables) - digamma(tables.sum(2, keepdims=True))
        found = digamma(shares) - digamma(shares.sum()) + np.einsum("iwl,wcl->ic", said, logs)
        found = np.exp(found - found.max(1, keepdims=True))
        found /= found.sum(1, keepdims=True)
        is_settled = np.abs(found - posterior).max() < 1e-3
        posterior = found
        if is_settled:
            break
    model = labels.IBCC().fit(CROWD)
    assert model.probas_.to_numpy() == pytest.approx(posterior, abs=1e-9)
    assert labels.EBCC(n_groups=1).fit_predict_proba(CROWD).to_numpy() == pytest.approx(
        posterior, abs=1e-9
    )


def test_ebcc__more_steps__raise_the_bound() -> None:
    bounds = [labels.EBCC(n_iter=n, n_groups=3).fit(CROWD).bound_ for n in (1, 2, 4, 8, 30)]
    assert bounds == sorted(bounds)


def test_ebcc__restarts__keep_the_best_bound() -> None:
    alone = [labels.EBCC(random_state=0).fit(CROWD).bound_]
    several = labels.EBCC(random_state=0, n_restarts=4).fit(CROWD).bound_
    assert several >= alone[0]


@pytest.mark.parametrize("gold", [None, GOLD])
def test_bwa__plain_formulas__find_the_same(gold: Any) -> None:
    answers = Answers.of(CROWD)
    i, w, n = answers.items, answers.workers, len(answers.labels)
    codes = answers.gold(gold)
    scores = np.zeros((answers.n_items, 3))
    for c in range(3):
        y = (answers.labels == c).astype(float)
        z = np.bincount(i, y) / np.bincount(i)
        b = 15 * (np.bincount(i) * z * (1 - z)).sum() / n * 4 * (1 - 1 / 3)
        for _ in range(500):
            z = np.where(codes >= 0, codes == c, z)
            last, mean = z, z.mean()
            v = (15 + np.bincount(w)) / (b + np.bincount(w, (z[i] - y) ** 2))
            z = (mean + np.bincount(i, y * v[w])) / (1 + np.bincount(i, v[w]))
            if np.allclose(last, z, rtol=1e-3):
                break
        scores[:, c] = z
    model = labels.BWA().fit(CROWD, gold)
    free = codes < 0
    assert model.probas_.to_numpy()[free] == pytest.approx(
        (scores / scores.sum(1, keepdims=True))[free], abs=1e-9
    )


def test_crowdlab__its_formulas__find_the_same() -> None:
    rng = np.random.default_rng(5)
    model = pd.DataFrame(rng.dirichlet([1, 1, 1], 60), index=TRUTH.index, columns=list("abc"))
    found = labels.CROWDLAB().fit(CROWD, model)
    counts = CROWD.groupby(["task", "label"]).size().unstack(fill_value=0)
    consensus = (counts + model / 2).idxmax(axis=1)
    agrees = (CROWD.label == CROWD.task.map(consensus)).groupby(CROWD.task).mean()
    trust = agrees.mean()
    baseline = 1 - consensus.value_counts(normalize=True).max()
    expected = {}
    for worker, mine in CROWD.groupby("worker"):
        others = CROWD[CROWD.worker != worker].merge(mine, on="task")
        expected[worker] = max(1 - (1 - (others.label_x == others.label_y).mean()) / baseline, 1e-6)
    assert found.skills_.to_dict() == pytest.approx(expected)
    miss = 1 - (model.idxmax(axis=1) == consensus).mean()
    assert found.model_weight_ == pytest.approx(max(1 - miss / baseline, 1e-6) * np.sqrt(5))
    task = CROWD[CROWD.task == "t007"]
    score = found.model_weight_ * model.loc["t007"]
    for _, row in task.iterrows():
        likely = pd.Series((1 - trust) / 2, index=list("abc"))
        likely[row.label] = trust
        score += expected[row.worker] * likely
    assert found.probas_.loc["t007"].to_dict() == pytest.approx((score / score.sum()).to_dict())


def test_crowdlab__one_answer_a_task__mixes_both_alike() -> None:
    alone = CROWD.drop_duplicates("task")
    sure = pd.DataFrame(0.05, index=TRUTH.index, columns=list("abc"))
    sure["b"] = 0.9
    assert set(labels.CROWDLAB().fit_predict(alone, sure)) == {"b"}
    found = labels.CROWDLAB().fit_predict(alone, UNIFORM)
    assert found.to_list() == alone.sort_values("task").label.to_list()


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        (UNIFORM.iloc[1:], "no task 't000'"),
        (UNIFORM.drop(columns="c"), "no class 'c'"),
        (UNIFORM.assign(d=0.0), "class 'd', which nobody"),
        (UNIFORM * 2, "no probabilities"),
        (UNIFORM.assign(a=-1 / 3, b=1.0), "no probabilities"),
        (pd.concat([UNIFORM, UNIFORM]), "twice"),
        (UNIFORM["a"], "DataFrame of tasks"),
    ],
)
def test_crowdlab__predictions_that_are_none__are_refused(predictions, message) -> None:
    with pytest.raises(ConfigError, match=message):
        labels.CROWDLAB().fit(CROWD, predictions)


def test_mace__em__finds_labels_too() -> None:
    model = labels.MACE(method="em", n_restarts=2).fit(CROWD)
    assert accuracy(model.labels_, TRUTH) >= 0.8
    with pytest.raises(ConfigError, match="at least 1"):
        labels.MACE(n_restarts=0).fit(CROWD)


def test_glad__priors__are_used_or_refused() -> None:
    certain = pd.Series({"a": 1.0, "b": 0.0, "c": 0.0})
    assert set(labels.GLAD(labels_priors=certain, n_iter=1).fit_predict(CROWD)) == {"a"}
    with pytest.raises(ConfigError, match="alphas_priors_mean says nothing of 'w00'"):
        labels.GLAD(alphas_priors_mean=pd.Series({"w01": 1.0})).fit(CROWD)


@pytest.mark.parametrize("how", ["assign", "addition"])
def test_dawid_skene__initial_error__is_where_it_begins(how: Any) -> None:
    errors = labels.DawidSkene().fit(CROWD).errors_
    begun = labels.DawidSkene(initial_error_strategy=how).fit(CROWD, initial_error=errors)
    assert accuracy(begun.labels_, TRUTH) >= 0.8
    assert len(begun.loss_history_) >= 1


def test_dawid_skene__initial_error_that_is_none__is_refused() -> None:
    errors = labels.DawidSkene().fit(CROWD).errors_
    with pytest.raises(ConfigError, match="'assign' or 'addition'"):
        labels.DawidSkene(initial_error_strategy="add").fit(CROWD, initial_error=errors)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="index of initial_error"):
        labels.DawidSkene(initial_error_strategy="assign").fit(
            CROWD, initial_error=errors.reset_index()
        )
    with pytest.raises(ConfigError, match="no rows of 'w00'"):
        labels.DawidSkene(initial_error_strategy="assign").fit(
            CROWD, initial_error=errors.drop(index="w00")
        )


# ------------------------------------------------------------------------------ goldw and auto


def test_goldw__shares__are_millionths() -> None:
    shares = pd.Series({"a": 0.98, "b": 0.01, "c": 0.01})
    plain = labels.GoldWeighted().fit(CROWD, GOLD)
    shared = labels.GoldWeighted().fit(CROWD, GOLD, shares)
    assert (shared.labels_ == "a").sum() > (plain.labels_ == "a").sum()
    assert plain.margins_.dtype == np.int64
    assert plain.skills_.dtype == np.int64
    for wrong in ({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 0.0, "c": 1.0}):
        with pytest.raises(ConfigError, match="share of"):
            labels.GoldWeighted().fit(CROWD, GOLD, pd.Series(wrong))
    with pytest.raises(ConfigError, match="each class once"):
        labels.GoldWeighted().fit(CROWD, GOLD, pd.Series({"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}))


def test_auto__ring__is_not_followed() -> None:
    """Two fifths of the answers are a ring's, which says one thing of a task."""
    crowd, truth = make_crowd(300, 30, 3, 5, (0.6, 0.9), seed=2)
    ring = crowd.worker < "w12"
    said = pd.Series(np.random.default_rng(1).choice(list("abc"), 300), index=truth.index)
    crowd.loc[ring, "label"] = crowd.task[ring].map(said)
    gold = truth.iloc[:60]
    rest = truth.iloc[60:]
    found = labels.Auto().fit(crowd, gold)
    assert accuracy(found.labels_.loc[rest.index], rest) >= 0.75
    assert accuracy(labels.DawidSkene().fit_predict(crowd), truth) < 0.7
    assert found.labels_.equals(found.model_.labels_)
    assert set(found.scores_.index) == set(labels.METHODS) & set(found.scores_.index)
    assert found.scores_[found.method_] == found.scores_.max() or found.method_ == "ebcc"


def test_auto__little_gold__uses_what_no_ring_sways() -> None:
    found = labels.Auto().fit(CROWD, GOLD.iloc[:9])
    assert found.method_ == "goldw"
    assert found.labels_.equals(labels.GoldWeighted().fit(CROWD, GOLD.iloc[:9]).labels_)


def test_kernels__each__is_compiled() -> None:
    assert sum(hasattr(value, "py_func") for value in vars(kernels).values()) >= 10
