# SPDX-License-Identifier: Apache-2.0
"""What the command line prints, and what it reads: text of others, times, answers."""

import io
import json
import unicodedata

import click
import pytest

from truthmark.cli import output
from truthmark.cli.param_types import DURATION
from truthmark.errors import ConfigError
from truthmark.text import clean, format_duration, format_time

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("\x1b[31mred\x07", "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}"),
        ("a\u202eb", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\nb\tc", "a b c"),
        ("a\udc80", "a\N{REPLACEMENT CHARACTER}"),
        ("x" * 3000, "x" * 1999 + "…"),
        ("Grüße, 数据 🙂", "Grüße, 数据 🙂"),
    ],
)
def test_clean__somebody_elses_text__cannot_act_on_the_terminal(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_echo_json__somebody_elses_text__is_escaped_where_it_could_act_on_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    acting = "\x9b31m\x7f\u202eb\u200d\ue000\U000e0041\U0010ffff\u2028\n\x1b"
    value = {acting: [acting, "Grüße, 数据 🙂"], "half": "\udc80"}
    output.echo_json(value)
    shown = capsys.readouterr().out
    assert {unicodedata.category(char) for char in shown.replace("\n", "")} & HIDDEN == set()
    assert "\\u202e" in shown
    assert "\\udb40\\udc41" in shown
    assert "Grüße, 数据 🙂" in shown
    assert json.loads(shown) == value


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59, "59 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (-120, "2 min")],
)
def test_duration__seconds__are_two_units_at_most(seconds: int, shown: str) -> None:
    assert format_duration(seconds) == shown


def test_format_time__beyond_all_calendars__is_never() -> None:
    assert format_time(0) == "1970-01-01 00:00:00 UTC"
    assert format_time(60, 0) == "1970-01-01 00:01:00 UTC (in 1 min)"
    assert format_time(2**60) == "never"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90d", 7_776_000), ("12h", 43_200), ("30min", 1_800), ("20", 20)]
)
def test_duration_type__text__gives_seconds(text: str, seconds: int) -> None:
    assert DURATION.convert(text, None, click.Context(click.Command("any"))) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1h", "1w", "1.5h", "9" * 20, "h", "999999d", "١h"])
def test_duration_type__garbage__is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        DURATION.convert(text, None, click.Context(click.Command("any")))


def test_ask__nobody_there__says_what_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Yes\nno\n"))
    assert output.ask("sure?", yes=False)
    assert not output.ask("sure?", yes=False)
    with pytest.raises(ConfigError, match="--yes"):
        output.ask("sure?", yes=False)
    assert output.ask("sure?", yes=True)
