# SPDX-License-Identifier: Apache-2.0
"""The vectorised pay rule against the plain one, in every branch."""

import json
import random
from typing import Any

import numpy as np
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounty_vectors import PATH
from truthmark.errors import ConfigError
from truthmark.labels import scoring
from truthmark.labels.scoring import ABSENT, NOBODY, SKIP, judge, millionths, pay, why_malformed

VECTORS = json.loads(PATH.read_text())


def agree(found: scoring.Verdict, expected: dict[str, Any]) -> None:
    assert found.half == expected["half"]
    assert found.counted.tolist() == expected["counted"]
    assert found.excluded.tolist() == expected["excluded"]
    assert found.kept.tolist() == expected["kept"]
    assert found.classes == expected["classes"]
    assert found.weights.tolist() == expected["weights"]


@pytest.mark.parametrize("case", VECTORS["verdicts"], ids=lambda case: case["name"])
def test_judge__vectors__agree(case: dict[str, Any]) -> None:
    agree(
        judge(np.array(case["entries"]), np.array(case["answers"]), case["classes"]),
        case["verdict"],
    )


def test_millionths__vectors__agree() -> None:
    for case in VECTORS["pays"]:
        answers = np.array(case["answers"])
        verdict = judge(np.repeat(answers[:, None], 3, 1), answers, case["classes"])
        assert verdict.weights.tolist() == case["weights"]
        entries = np.full((len(answers), 1), ABSENT)
        entries[case["held"], 0] = case["given"]
        holders = np.full_like(entries, NOBODY)
        holders[case["held"]] = 0
        earned = millionths(verdict, entries, answers, holders, workers=1, full=case["full"])
        assert earned.tolist() == [case["millionths"]]


@pytest.mark.parametrize("case", VECTORS["golds"], ids=lambda case: case["name"])
def test_why_malformed__vectors__agree(case: dict[str, Any]) -> None:
    items, answers = np.array(case["gold"]).T
    why = why_malformed(items, answers, items=case["items"], classes=case["classes"])
    assert bool(why) != case["is_well_formed"]


def test_why_malformed__no_or_too_much_gold__is_told() -> None:
    none = np.array([], np.int64)
    assert "1 to 2048" in why_malformed(none, none, items=5, classes=2)
    many = np.arange(2049)
    assert "1 to 2048" in why_malformed(many, many % 2, items=5000, classes=2)
    assert "1 to 2048" in why_malformed(many[:4], many[:3] % 2, items=5000, classes=2)


def draw(rng: random.Random) -> tuple[list[list[int]], list[int], int]:
    """Return entries, answers and classes; few or many absent, wrong, skipped or one-sided."""
    classes = rng.choice([2, 2, 3, 5, 254])
    rounds = rng.randint(2, 9)
    count = rng.choice([1, 3, 12, 40])
    absent, skip, wrong = rng.choice([0, 0.3, 0.8]), rng.choice([0, 0.2]), rng.choice([0.1, 0.6, 1])
    skew = rng.choice([1, 1, 8])
    answers = [rng.choice([0] * skew + list(range(min(classes, 4)))) for _ in range(count)]
    entries = []
    for answer in answers:
        favourite = rng.randrange(classes)
        row = []
        for _ in range(rounds):
            chance = rng.random()
            if chance < absent:
                row.append(ABSENT)
            elif chance < absent + skip:
                row.append(rng.choice([SKIP, SKIP, 253]))
            elif rng.random() < wrong:
                row.append(rng.choice([favourite, favourite, rng.randrange(classes)]))
            else:
                row.append(answer)
        entries.append(row)
    return entries, answers, classes


@pytest.mark.untraced
def test_judge_and_millionths__random_input__agree_with_the_plain_form_in_every_branch() -> None:
    rng = random.Random(7)
    causes: dict[str, int] = {}
    lines = {"half": 0, "none": 0, "full": 0, "between": 0}
    for _ in range(1500):
        entries, answers, classes = draw(rng)
        found = judge(np.array(entries), np.array(answers), classes)
        expected = ref.judge(entries, answers, classes)
        agree(found, expected)
        causes[found.half] = causes.get(found.half, 0) + 1
        workers, full = rng.randint(1, 5), rng.choice([2, 3])
        holders = [[rng.randrange(-1, workers) for _ in row] for row in entries]
        # A worker is in one round alone: so is the plain form's.
        holders = [[w if w % len(row) == k else -1 for k, w in enumerate(row)] for row in holders]
        earned = millionths(
            found,
            np.array(entries),
            np.array(answers),
            np.array(holders),
            workers=workers,
            full=full,
        )
        for worker, line in enumerate(earned.tolist()):
            given = {
                g: entries[g][k]
                for g, row in enumerate(holders)
                for k, holder in enumerate(row)
                if holder == worker
            }
            assert line == ref.millionths(expected, answers, given, full)
            if not found.half:
                kind = {0: "none", 500_000: "half", 1_000_000: "full"}.get(line, "between")
                lines[kind] += 1
    assert min(causes.get(cause, 0) for cause in ("", "nothing counts", "excluded", "classes")) > 30
    assert min(lines.values()) > 30, lines


@pytest.mark.parametrize("rounds", [2, 3])
def test_millionths__a_prefix_of_the_run__never_leads_to_the_half(rounds: int) -> None:
    # Worker 0 holds all gold of round 0 and answers two of twenty. Where all rounds must answer,
    # what they leave out counts for nobody, yet it could have scored them.
    answers = np.arange(20) % 2
    entries = np.repeat(answers[:, None], rounds, 1)
    entries[2:, 0] = ABSENT
    holders = np.repeat(np.arange(rounds)[None], 20, 0)
    verdict = judge(entries, answers, 2)
    assert verdict.kept.sum() == 2 and not verdict.half
    earned = millionths(verdict, entries, answers, holders, workers=rounds, full=3)
    assert earned.tolist() == [444_444] + [500_000] * (rounds - 1)
    held = scoring.held_gold(verdict, entries, answers, holders, rounds)
    assert held.tolist() == [20] + [2] * (rounds - 1)
    entries[:2, 0] = 1 - answers[:2]
    earned = millionths(verdict, entries, answers, holders, workers=rounds, full=3)
    assert earned[0] == 0


@pytest.mark.untraced
def test_millionths__the_most_gold_and_classes__stays_exact() -> None:
    # 2,048 gold items of two classes among 254, held by one worker: the largest sums there are.
    answers = np.array([0] * 1024 + [253] * 1024)
    entries = np.repeat(answers[:, None], 2, 1)
    verdict = judge(entries, answers, 254)
    holders = np.zeros_like(entries)
    holders[:, 1] = NOBODY
    for wrong in (0, 1, 200, 700, 1024):
        entries[:wrong, 0] = SKIP
        earned = millionths(verdict, entries, answers, holders, workers=1, full=3)
        given = dict(enumerate(entries[:, 0].tolist()))
        plain = ref.judge(np.repeat(answers[:, None], 2, 1).tolist(), answers.tolist(), 254)
        assert earned[0] == ref.millionths(plain, answers.tolist(), given, 3)


def test_pay__largest_amounts__does_not_wrap() -> None:
    assert pay(2**128 - 1, 63 * 64, 999_999) == (2**128 - 1) * 4032 * 999_999 // 10**6


@pytest.mark.parametrize("rounds,least", [(2, 14), (3, 20), (4, 10), (9, 10)])
def test_least_gold__rounds__is_as_published(rounds: int, least: int) -> None:
    assert scoring.least_gold(rounds) == least


def test_judge__what_is_no_entry__is_refused() -> None:
    two = np.array([0, 1])
    for entries, answers, classes in (
        ([[0, 1], [256, 1]], two, 2),
        ([[0, -1], [1, 1]], two, 2),
        ([[0, 1], [1, 1]], np.array([0, 2]), 2),
        ([[0, 1], [1, 1]], np.array([0]), 2),
        ([0, 1], two, 2),
        ([[0, 1], [1, 1]], two, 1),
        ([[0, 1], [1, 1]], two, 255),
        (np.zeros((0, 3)), np.array([], np.int64), 2),
    ):
        with pytest.raises(ConfigError):
            judge(np.array(entries), answers, classes)


def test_millionths__what_is_no_holder__is_refused() -> None:
    entries, answers = np.array([[0, 0], [1, 1]]), np.array([0, 1])
    verdict = judge(entries, answers, 2)
    for holders, full in ((np.zeros((2, 1)), 3), (entries + 1, 3), (entries - 2, 3), (entries, 4)):
        with pytest.raises(ConfigError):
            millionths(verdict, entries, answers, holders, workers=2, full=full)
