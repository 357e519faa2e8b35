# SPDX-License-Identifier: Apache-2.0
"""Lines and tables for narrow terminals."""

import pytest

from truthmark.cli.layout import cells, fact_lines, table_lines, wrap

ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


@pytest.mark.parametrize("width", [40, 60, 80])
def test_wrap__words__fit_and_none_is_lost(width: int) -> None:
    text = "the quick brown fox " * 20
    lines = wrap(text.strip(), width, "  ", "    ")
    assert max(map(cells, lines)) <= width
    assert " ".join(line.strip() for line in lines) == text.strip()


def test_wrap__what_is_copied_from_here__stays_whole() -> None:
    path = "/home/someone/a/very/long/path/to/somewhere/that/does/not/fit/at/all"
    lines = wrap(f"id 0x{'ab' * 32} and {path}", 40)
    assert "0x" + "ab" * 32 in lines
    assert path in lines
    assert f'("{ADDRESS}").' in wrap(f'somebody ("{ADDRESS}"). else', 40)


def test_wrap__long_title_and_wide_letters__are_broken() -> None:
    for text in ("数据" * 60, "x" * 200):
        lines = wrap(text, 40)
        assert max(map(cells, lines)) <= 40
        assert "".join(lines) == text


def test_table_lines__room__gives_columns() -> None:
    lines = table_lines([("1@1", "数据", "x"), ("22@1", "ab", "")], ("id", "title", "you"), 60)
    assert lines == ["id    title  you", "1@1   数据   x", "22@1  ab"]


def test_table_lines__little_room__wraps_the_widest_cells() -> None:
    rows = [("1@1", "a long title of many words that goes on and on", "25 TUSD")]
    lines = table_lines(rows, ("data set", "title", "price"), 40)
    assert max(map(cells, lines)) <= 40
    assert len(lines) > 2
    words = " ".join(line for line in lines[1:]).split()
    assert sorted(words) == sorted(" ".join(rows[0]).split())


def test_table_lines__no_room__becomes_lists() -> None:
    lines = table_lines([(ADDRESS, "25 TUSD", "until 2026-11-30")], ("buyer", "price", "state"), 60)
    assert lines == [f"- buyer  {ADDRESS}", "  price  25 TUSD", "  state  until 2026-11-30"]


def test_table_lines__many_columns__become_lists_in_their_order() -> None:
    names = [f"column{i}" for i in range(30)]
    lines = table_lines([[str(i) for i in range(30)]], names, 60)
    assert [line.split()[-1] for line in lines] == [str(i) for i in range(30)]


def test_fact_lines__long_values__hang_behind_their_names() -> None:
    lines = fact_lines([("price", "25 TUSD"), ("next", "word " * 20)], 40, 2)
    assert lines[0] == "  price  25 TUSD"
    assert all(line.startswith(" " * 9) for line in lines[2:])
    assert max(map(cells, lines)) <= 40
