# SPDX-License-Identifier: Apache-2.0
"""The label page's own modules agree with the library where both say or count the same."""

import json
from dataclasses import replace
from typing import Any

from tests.utils.bounties import make_terms
from tests.utils.node_js import TESTS, run_node
from truthmark.bounty.document import LabelClass
from truthmark.bounty.flows.offers import Offer
from truthmark.bounty.outlook import outlook
from truthmark.cli.labeling_screen import keys_of
from truthmark.text import clean, format_duration

NAMES = (
    [("cat", ""), ("dog", "d")],
    [(str(digit), "") for digit in range(10)],
    [(f"tree {number}", "") for number in range(40)],
    [("s", ""), ("1", ""), ("x", "2"), ("y", ""), ("é", "")],
)
TEXTS = (
    "plain",
    "two\nlines\tand a tab",
    "\x1b[31mred\x07 \u202egnp.exe\u2066 \u200bhidden\x00end",
    "long " * 20,
    "\U0001f9d1\u200d\U0001f33e and \u0646\u200c\u0645",
)


def test_label_page__same_questions__are_answered_as_by_the_library(tmp_path: Any) -> None:
    numbers = ("classes", "items", "batch", "min_run", "gold_count", "full")
    shapes = [
        make_terms(),
        replace(make_terms(), classes=7, full=2),
        replace(make_terms(), classes=2, min_run=make_terms().max_run),
    ]
    team = replace(make_terms(), gold_count=0, full=0)
    cases: dict[str, Any] = {
        "keys": [
            {
                "classes": [{"name": name, "key": key} for name, key in names],
                "keys": keys_of([LabelClass(name, key) for name, key in names]),
            }
            for names in NAMES
        ],
        "outlooks": [
            {
                "terms": {name: getattr(terms, name) for name in numbers},
                "skill": skill,
                "mean": look.mean,
                "low": look.low,
                "high": look.high,
            }
            for terms in shapes
            for skill in (0.6, 0.85, 1.0)
            for look in [outlook(terms, skill=skill)]
        ],
        "rules": [
            {
                "terms": {name: getattr(terms, name) for name in numbers},
                "rule": Offer.pay_rule.fget(_Offered(terms)),  # type: ignore[attr-defined]
            }
            for terms in (*shapes, team)
        ],
        "texts": [{"text": text, "shown": clean(text, 40)} for text in TEXTS],
        "durations": [
            {"seconds": seconds, "shown": format_duration(seconds)}
            for seconds in (0, 1, 59, 60, 3_599, 5_400, 86_400, 90_061)
        ],
    }
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(cases))
    shown = run_node("--test", str(TESTS / "label.test.mjs"), more={"TRUTHMARK_CASES": str(path)})
    assert "fail 0" in shown
    assert "skipped 0" in shown


def test_score_words__every_end_and_lie__say_only_what_holds() -> None:
    shown = run_node("--test", str(TESTS / "words.test.mjs"))
    assert "fail 0" in shown
    assert "skipped 0" in shown


class _Offered:
    """What the sentence about pay needs of an offer."""

    def __init__(self, terms: Any) -> None:
        self.terms = terms
