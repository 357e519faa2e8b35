# SPDX-License-Identifier: Apache-2.0
"""Descriptions are read as Markdown and shown as text."""

import pytest

from app.services.markdown import plain
from tests.utils.app_market import HOSTILE


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Two columns.\n\nNothing else.", "Two columns.\n\nNothing else."),
        ("# Reviews\n\nof **10,000** _films_", "Reviews\n\nof 10,000 films"),
        ("Title\n=====\ntext", "Title\n\ntext"),
        ("* a\n* b\n  more\n\nend", "- a\n- b\n  more\n\nend"),
        ("3. a\n4. b\n   * c", "3. a\n4. b\n   - c"),
        ("* a\n\n  second\n* b", "- a\n\n  second\n\n- b"),
        ("[films](https://example.org) <https://a.b>", "films (https://example.org) https://a.b"),
        ("![pixel](http://evil.example/x.png)", "pixel (http://evil.example/x.png)"),
        ("run `a *b*` now\n\n    code *b*", "run a *b* now\n\ncode *b*"),
        ("```py\nx = 1\n\ny\n```", "x = 1\n\ny"),
        ("| a | b |\n|--|--|\n| 1 | *2* |\n\nend", "a | b\n1 | 2\n\nend"),
        ("2 * 3 * 4, a_b_c, 5 < 6 & 7", "2 * 3 * 4, a_b_c, 5 < 6 & 7"),
        ("> said\n\n---\n\n\\*end\\*", "said\n\n*end*"),
        ("", ""),
    ],
)
def test_plain__markdown__is_what_it_says(written: str, shown: str) -> None:
    assert plain(written) == shown


def test_plain__html__stays_text() -> None:
    for text in (HOSTILE[0], HOSTILE[1]):
        assert plain(text) == text
    assert plain("<div>\n\n**a**\n\n</div>") == "<div>\n\na\n\n</div>"
