# SPDX-License-Identifier: Apache-2.0
"""Recorded crowds through the contracts of a local chain, and what is refused before one starts."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench import replay as command
from tests.utils.devnets import open_devnet
from truthmark.bounty.payouts import Status
from truthmark.errors import ConfigError
from truthmark.labels.goldw import NONE
from truthmark.labels.scoring import least_gold
from truthmark.testing.crowds.answering import Answering
from truthmark.testing.crowds.plan import make_plan
from truthmark.testing.crowds.replay import Outcome, Replay
from truthmark.testing.crowds.sets import Crowd, find_set, load

ITEMS, WORKERS = 40, 10
"""Each worker answered half of the items; the last two always say the first class."""


def write_set(folder: Path) -> Path:
    rng = np.random.default_rng(2)
    truth = rng.permutation(np.arange(ITEMS) % 2)
    answers = ["seconds,item,worker,label"]
    for worker in range(WORKERS):
        for item in rng.permutation(ITEMS)[: ITEMS // 2].tolist():
            label = "ab"[0 if worker >= WORKERS - 2 else truth[item]]
            answers.append(f"3,{item},person {worker},{label}")
    folder.mkdir()
    (folder / "answer.csv").write_text("\n".join(answers) + "\n")
    lines = ["item,truth", *(f"{i},{'ab'[t]}" for i, t in enumerate(truth)), "not answered,a"]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    return load(write_set(tmp_path_factory.mktemp("sets") / "small"))


@pytest.fixture(scope="module")
def outcome(crowd: Crowd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    rng = np.random.default_rng(0)
    plan = make_plan(crowd, rng, rounds=4, labelers=8, labels=20)
    with open_devnet(tmp_path_factory.mktemp("replay")) as net:
        yield Replay(net, crowd, plan, seed=0).run()


@pytest.mark.chain
def test_replay__small_crowd__settles_and_pays_by_skill(outcome: Outcome) -> None:
    record, finding = outcome.result.record, outcome.finding
    assert record.status is Status.SETTLED and not finding.problems
    assert (outcome.labels, len(finding.payments)) == (160, 8)
    assert 0.2 < outcome.drawn.mean() < 0.8  # each worker knows half of the items
    part = {
        payment.worker: payment.price / (payment.price + payment.withheld)
        for payment in finding.payments
    }
    lazy = [part[w] for w in part if outcome.people[w] >= WORKERS - 2]
    able = [part[w] for w in part if outcome.people[w] < WORKERS - 2]
    assert max(lazy, default=0.0) < 0.3 < np.mean(able)
    assert {"create", "enroll", "fix_seed", "commit", "score", "payout"} <= set(outcome.gas)
    assert outcome.calls["commit"] == 1 and outcome.gas_a_label > 100


@pytest.mark.chain
def test_report__what_came_of_it__names_share_drawn_accuracy_pay_and_gas(
    outcome: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    command.report(outcome, 1.0)
    shown = capsys.readouterr().out
    assert f"{outcome.drawn.mean():.1%} of the answers were drawn" in shown
    for words in ("SETTLED", "goldw", "auto", "Pay by skill", "payout", "gas a label"):
        assert words in shown


def test_ask__real_answers__stand_and_all_others_are_drawn_from_confusion(crowd: Crowd) -> None:
    answering, rng = Answering(crowd), np.random.default_rng(1)
    everything = np.arange(ITEMS)
    mine = crowd.workers == 0
    said = answering.ask(0, everything, remembers=np.ones(ITEMS, bool), rng=rng)
    assert set(np.flatnonzero(~said.drawn)) == set(crowd.items[mine])
    assert (said.labels[crowd.items[mine]] == crowd.labels[mine]).all()
    # The lazy say the first class, and smoothing lets them seldom say the other.
    many = np.resize(everything, 4_000)
    lazy = answering.ask(WORKERS - 1, many, remembers=np.zeros(4_000, bool), rng=rng)
    assert lazy.drawn.all() and 0.75 < (lazy.labels == 0).mean() < 1
    expected = answering.confusion[WORKERS - 1, answering.likely[many], 0].mean()
    assert abs((lazy.labels == 0).mean() - expected) < 0.03
    assert np.allclose(answering.confusion.sum(2), 1)


@pytest.mark.parametrize("rounds", [2, 3, 5])
@pytest.mark.parametrize("labelers,labels", [(None, None), (20, None), (200, 500), (None, 60)])
def test_make_plan__any_size__has_whole_runs_that_hold_enough_gold(
    rounds: int, labelers: int | None, labels: int | None
) -> None:
    crowd = load(find_set("sp_amt"))
    plan = make_plan(
        crowd, np.random.default_rng(0), rounds=rounds, labelers=labelers, labels=labels
    )
    assert plan.per_round % plan.run <= plan.per_round / 10
    assert plan.run * plan.gold >= least_gold(rounds) * plan.per_round
    if labelers and labels:
        assert abs(plan.labelers - labelers) <= rounds and plan.run * plan.batch == labels
        assert plan.items * rounds >= labelers * labels
    first = np.unique(plan.sources[plan.is_first])
    assert len(first) == plan.is_first.sum()


def test_make_plan__what_cannot_be__is_refused_with_what_to_do(crowd: Crowd) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ConfigError, match="rounds take 3 to 2048 labelers"):
        make_plan(crowd, rng, rounds=3, labelers=2, labels=None)
    with pytest.raises(ConfigError, match="give 20 labels or more"):
        make_plan(crowd, rng, rounds=5, labelers=None, labels=5)
    with pytest.raises(ConfigError, match="has 16777215 at most"):
        make_plan(crowd, rng, rounds=2, labelers=2048, labels=10**6)
    with pytest.raises(ConfigError, match="at most 3150 items in a run"):
        make_plan(crowd, rng, rounds=2, labelers=2, labels=4_000)
    few = Crowd("few", crowd.items, crowd.workers, crowd.labels, crowd.truth.copy(), WORKERS, 2)
    few.truth[10:] = NONE
    with pytest.raises(ConfigError, match="the truth of 10 items is known"):
        make_plan(few, rng, rounds=3, labelers=None, labels=None)


def test_load__files_that_are_no_set__are_refused_in_one_line(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set")
    answers, truth = folder / "answer.csv", folder / "truth.csv"
    whole, known = answers.read_text(), truth.read_text()
    for text, why in (
        (whole.replace("item,", "thing,", 1), "has no column 'item'"),
        (whole + "3,9,,a\n", "row 201 of .* lacks a value"),
        (whole.replace(",b\n", ",a\n"), "of answered items is not of two classes|1 classes"),
    ):
        answers.write_text(text)
        if "classes" in why:
            truth.write_text("item,truth\n1,a\n")
        with pytest.raises(ConfigError, match=why):
            load(folder)
        truth.write_text(known)
    answers.write_text(whole)
    truth.write_text(known + "1,a\n1,b\n")
    with pytest.raises(ConfigError, match="says two things of item '1'"):
        load(folder)
    truth.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(folder)
    assert find_set(str(folder)) == folder
    with pytest.raises(ConfigError, match="there is no set 'nope'"):
        find_set("nope")


def test_main__no_such_set__says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["nope"]) == 1
    assert capsys.readouterr().err.startswith("error: there is no set 'nope'")
