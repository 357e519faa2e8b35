# SPDX-License-Identifier: Apache-2.0
"""The modules scoring and permutation against docs/bounties.md: plain form, numpy, vectors.

Cases go to the chain by the thousand: a call each would cost minutes.
"""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.contracts import reasons
from tests.utils.tokens import deployer
from truthmark.labels.permutation import places_of, round_key

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "bounties.json").read_text())
TOO_FEW, EXCLUDED, KEPT = 0, 1, 2


@pytest.fixture(scope="module")
def harness() -> Any:
    return deployer("test/ScoringHarness").deploy()


def packed(row: list[int]) -> int:
    return int.from_bytes(bytes(row), "big")


# ------------------------------------------------------------------ permutation


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100, 1_023])
def test_places__all_items__are_a_permutation_as_in_numpy(harness: Any, count: int) -> None:
    seed = ref.keccak(b"seed", ref.word(count))
    found = harness.places(seed, 3, count, list(range(count)))
    assert sorted(found) == list(range(count))
    assert found == places_of(round_key(seed, 3), count).tolist()


def test_places__random_items_of_random_sizes__are_those_of_the_plain_form(harness: Any) -> None:
    rng = random.Random(1)
    cases = 0
    for count in [
        2**24 - 1,
        2**24 - 2,
        *(rng.randrange(1, 2 ** rng.randint(1, 24)) for _ in range(22)),
    ]:
        seed, round_ = rng.randbytes(32), rng.randrange(9)
        items = [rng.randrange(count) for _ in range(100)]
        found = harness.places(seed, round_, count, items)
        key = ref.round_key(seed, round_)
        assert found == [ref.place_of(key, count, item) for item in items]
        cases += len(items)
    assert cases >= 2_000


def test_places__published_vectors__hold(harness: Any) -> None:
    seed = bytes.fromhex(VECTORS["seed"].removeprefix("0x"))
    for vector in VECTORS["permutations"]:
        items = (vector.get("items") or list(range(vector["count"])))[:1024]
        found = harness.places(seed, vector["round"], vector["count"], items)
        assert found == vector["places"][:1024], vector["count"]


# ------------------------------------------------------------------------- gold


def random_row(rng: random.Random, classes: int, rounds: int, right: int) -> list[int]:
    """Entries of all sorts, with many that agree."""
    favourite = rng.randrange(classes)
    choices = [right, favourite, rng.randrange(classes), ref.ABSENT, ref.SKIP, rng.randrange(256)]
    weights = [rng.random() ** 3 for _ in choices]
    return rng.choices(choices, weights, k=rounds)


@pytest.mark.parametrize("rounds", range(1, 10))
def test_judge__random_answers__is_as_in_the_plain_form(harness: Any, rounds: int) -> None:
    rng = random.Random(rounds)
    seen = set()
    for classes in (2, 3, 9, 254):
        rights = [rng.randrange(classes) for _ in range(500)]
        rows = [random_row(rng, classes, rounds, right) for right in rights]
        verdict = ref.judge(rows, rights, classes)
        expected = [
            EXCLUDED if e else KEPT if c else TOO_FEW
            for c, e in zip(verdict["counted"], verdict["excluded"], strict=True)
        ]
        assert harness.judge([packed(row) for row in rows], rights, classes, rounds) == expected
        seen |= set(expected)
    # A single round can be outvoted too, by one answer.
    assert seen == {TOO_FEW, EXCLUDED, KEPT}


@pytest.mark.parametrize("rounds", [2, 3])
def test_judge__every_row_of_few_rounds__is_as_in_the_plain_form(harness: Any, rounds: int) -> None:
    entries = [0, 1, 2, 3, 200, ref.ABSENT, ref.SKIP]
    grid = np.array(np.meshgrid(*[entries] * rounds)).reshape(rounds, -1).T
    rows = [[int(entry) for entry in row] for row in grid]
    for right in range(3):
        rights = [right] * len(rows)
        verdict = ref.judge(rows, rights, 3)
        expected = [
            EXCLUDED if e else KEPT if c else TOO_FEW
            for c, e in zip(verdict["counted"], verdict["excluded"], strict=True)
        ]
        assert harness.judge([packed(row) for row in rows], rights, 3, rounds) == expected


def random_gold(rng: random.Random) -> tuple[int, list[int], list[list[int]]]:
    """Classes, answers and rows of gold that comes to every kind of verdict."""
    classes = rng.choice([2, 2, 3, 5, 254])
    rounds = rng.choice([2, 3, 5, 9])
    present = rng.sample(range(classes), rng.randint(1, min(classes, 4)))
    shares = [rng.random() ** 2 for _ in present]
    answers = rng.choices(present, shares, k=rng.choice([4, 12, 40]))
    skill, absent = rng.random(), rng.choice([0, 0, 0.2, 0.9, 1])
    rows = []
    for answer in answers:
        wrong = rng.randrange(classes)
        row = [answer if rng.random() < skill else wrong for _ in range(rounds)]
        rows.append([ref.ABSENT if rng.random() < absent else entry for entry in row])
    return classes, answers, rows


def test_weigh__random_gold__is_as_in_the_plain_form(harness: Any) -> None:
    rng = random.Random(5)
    causes = set()
    for _ in range(200):
        classes, answers, rows = random_gold(rng)
        verdict = ref.judge(rows, answers, classes)
        tallies = [0] * classes
        for answer, is_kept in zip(answers, verdict["kept"], strict=True):
            tallies[answer] += (1 << 128) + is_kept
        balanced, found = harness.weigh(
            tallies, len(answers), sum(verdict["counted"]), sum(verdict["excluded"])
        )
        gold = list(enumerate(answers))
        assert balanced == ref.is_well_formed(gold, len(gold), classes)
        weights = [] if verdict["half"] else verdict["weights"]
        assert (found.is_half, found.classes) == (bool(verdict["half"]), verdict["classes"])
        assert list(found.weights) == weights and not any(found.kept)
        causes.add(verdict["half"])
    assert causes == {"", "nothing counts", "excluded", "classes"}


@pytest.mark.parametrize("excluded", [3, 4])
def test_weigh__three_in_ten_excluded__is_the_most(harness: Any, excluded: int) -> None:
    tallies = [(6 << 128) + 6 - excluded, (4 << 128) + 4]
    assert harness.weigh(tallies, 10, 10, excluded)[1].is_half == (excluded == 4)


# -------------------------------------------------------------------------- pay


def plain_millionths(classes: int, scored: int, right: int, answered: int, full: int) -> int:
    # The formula of the page, on sums.
    q = 10**6 + answered
    x, d = 4 * (classes * right - q), full * (classes - 1) * q
    earned = 0 if x <= 0 else 10**6 if x >= d else 10**6 * x // d
    return 500_000 if scored < 4 else earned


def test_millionths__random_sums__are_as_in_the_plain_form(harness: Any) -> None:
    rng = random.Random(6)
    cases = []
    for _ in range(2_040):
        classes = rng.choice([2, 3, 5, 254])
        answered = rng.randrange(10 ** rng.randint(6, 12))
        right = min(answered, rng.randrange(answered + 1) + rng.randrange(2) * answered // 2)
        cases.append([classes, rng.choice([3, 4, 5, 100]), right, answered, rng.choice([2, 3])])
    found = harness.millionths(cases[:1020]) + harness.millionths(cases[1020:])
    assert found == [plain_millionths(*case) for case in cases]
    assert {0, 500_000, 10**6} < set(found)


def test_millionths__at_the_edges__are_exact(harness: Any) -> None:
    # C right = Q pays nothing, a millionth more a little; x = D pays all, less not.
    cases, expected = [], []
    for classes, full, answered in ((2, 3, 7_000_000), (2, 2, 8_999_998), (254, 3, 10**9)):
        q = 10**6 + answered
        zero = q // classes
        whole = -(-(full * (classes - 1) * q + 4 * q) // (4 * classes))
        for right in (zero - 1, zero, zero + 1, whole - 1, whole, whole + 1):
            cases.append([classes, 4, right, answered, full])
            expected.append(plain_millionths(*cases[-1]))
    assert harness.millionths(cases) == expected
    assert expected[1] == 0 and expected[3] == 10**6 - 1 and expected[4] == 10**6


def test_millionths__published_vectors__hold(harness: Any) -> None:
    cases = []
    for vector in VECTORS["pays"]:
        weights, answers = vector["weights"], vector["answers"]
        held = dict(zip(vector["held"], vector["given"], strict=True))
        mine = {g: entry for g, entry in held.items() if weights[answers[g]]}
        right = sum(weights[answers[g]] for g, entry in mine.items() if entry == answers[g])
        answered = sum(weights[answers[g]] for g, entry in mine.items() if entry != ref.ABSENT)
        cases.append([sum(w > 0 for w in weights), len(mine), right, answered, vector["full"]])
    assert harness.millionths(cases) == [vector["millionths"] for vector in VECTORS["pays"]]


def test_judge__published_vectors__hold(harness: Any) -> None:
    for vector in VECTORS["verdicts"]:
        rows, answers, verdict = vector["entries"], vector["answers"], vector["verdict"]
        expected = [
            EXCLUDED if e else KEPT if c else TOO_FEW
            for c, e in zip(verdict["counted"], verdict["excluded"], strict=True)
        ]
        packed_rows = [packed(row) for row in rows]
        found = harness.judge(packed_rows, answers, vector["classes"], len(rows[0]))
        assert found == expected, vector["name"]


def test_reasons__of_the_modules__are_none() -> None:
    for module in ("scoring", "permutation", "bounties"):
        assert reasons(f"modules/{module}.vy") == set()
