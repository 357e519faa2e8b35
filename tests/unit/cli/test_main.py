# SPDX-License-Identifier: Apache-2.0
"""The command line without a chain: what errors look like, whatever the command."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.utils.cli import PROGRAM, Person
from truthmark.cli.main import BUG, CLOSED_PIPE, INTERRUPTED, USAGE

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


def test_main__unknown_command_or_option__is_a_usage_error_in_one_line(on_devnet: Person) -> None:
    on_devnet("nothing").refused(USAGE, "No such command")
    on_devnet("wallet", "nothing").refused(USAGE, "No such command")
    on_devnet("search", "--nothing").refused(USAGE, "No such option")
    on_devnet("reprice", "1").refused(USAGE, "Missing argument")
    on_devnet("list", ROOT).refused(USAGE, "Missing option '--price'")


@pytest.mark.parametrize(
    ("arguments", "code", "meant"),
    [
        (("serch",), USAGE, "search"),
        (("wallet", "lst"), USAGE, "list"),
        (("new",), USAGE, "wallet new"),
        (("search", "--max-prise", "1 TUSD"), USAGE, "--max-price"),
        (("dataset", "open", "a", "b", "--format", "parket"), USAGE, "parquet"),
        (("search", "--max-price", "1 TUDS"), 3, "TUSD"),
        (("search", "--token", "TUS"), 3, "TUSD"),
        (("search", "--seller", "miia"), 3, "mia"),
        (("list", ".", "--price", "1 TUSD", "--windows", "carefull"), 3, "careful"),
        (("init", "--profile", "devnett"), 3, "devnet"),
        (("wallet", "address", "mai"), 7, "mia"),
    ],
    ids=str,
)
def test_main__typo__is_told_what_was_meant_before_connecting(
    on_devnet: Person, arguments: tuple[str, ...], code: int, meant: str
) -> None:
    on_devnet("wallet", "new", "mia").ok()
    on_devnet(*arguments).refused(code, f"did you mean {meant}?")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("review", "1", "good"), "'good' is not a whole number;"),
        (("bounty", "estimate", "--full", "half"), "'half' is not a whole number;"),
        (("bounty", "estimate", "--gas-price", "low"), "'low' is not a number;"),
    ],
    ids=["argument", "option", "float"],
)
def test_main__words_for_a_number__are_refused_in_words(
    on_devnet: Person, arguments: tuple[str, ...], says: str
) -> None:
    on_devnet(*arguments).refused(2, says)


def test_main__home_folder_in_quotes__is_found(
    on_devnet: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my table.csv").write_text("a\n1\n")
    packing = ("dataset", "pack", "~/my table.csv", "~/packed", "--licence", "CC0-1.0", "--yes")
    on_devnet(*packing).ok()
    assert (tmp_path / "packed").is_dir()
    on_devnet("dataset", "pack", "~/none.csv", "~/other").refused(2, f"'{tmp_path}/none.csv' does")


AMOUNTS = {
    "25": 'say in which token, in quotes: "25 TUSD"',
    "1,5 TUSD": "write a point for parts",
    "1,000 TUSD": "nothing between thousands",
    "1e3 TUSD": 'write all digits: "1000 TUSD"',
    ".5 TUSD": 'write the 0 before the point: "0.5 TUSD"',
    "-5 TUSD": "cannot be below 0",
    "1.0000001 TUSD": "6 decimal places; write 1.000000 or another number",
    "5 NOPE": "does not list a token NOPE (known: TUSD)",
    "TUSD 25": 'write it like "25 TUSD"',
    "9" * 80 + " TUSD": "write a smaller one",
}


@pytest.mark.parametrize(
    "before",
    [
        ("search", "--max-price"),
        ("list", ".", "--licence", "MIT", "--price"),
        ("list", ".", "--licence", "MIT", "--price", "1 TUSD", "--bond"),
        ("get", "1", "out", "--max-price"),
        ("voucher", "1", ADDRESS, "--price"),
    ],
    ids=lambda before: " ".join(before),
)
def test_main__amount_that_is_none__is_told_what_to_write_before_connecting(
    on_devnet: Person, before: tuple[str, ...]
) -> None:
    # No chain answers here: what is told after connecting would be that.
    for amount, told in AMOUNTS.items():
        on_devnet(*before, amount).refused(3, told)


def test_main__nothing_to_pay__is_told_before_connecting(on_devnet: Person) -> None:
    on_devnet("top-up", "1", "0 TUSD").refused(3, "0 TUSD is nothing")
    on_devnet("reprice", "1", "-5 TUSD").refused(USAGE, "amounts cannot be below 0")
    on_devnet("list", ".", "--price", "0 TUSD", "--lock", "0 TUSD").refused(3, "is nothing")


def test_main__what_is_missing__is_told_before_connecting(on_devnet: Person) -> None:
    priced = ("list", ".", "--price", "1 TUSD")
    on_devnet(*priced, "--licence", "MIT").refused(3, "no account is chosen")
    on_devnet("buy", "1").refused(3, "no account is chosen")
    on_devnet("buy", "1", "--account", "mia").refused(7, "there is no account mia")
    on_devnet("wallet", "new", "mia").ok()
    on_devnet(*priced).refused(3, "--licence")
    on_devnet(*priced, "--licence", "MIT", "--count", "2").refused(3, "a threshold of 2 needs")
    on_devnet("show", "1@2@3").refused(3, "names no dataset")
    on_devnet("show", f"truthmark://1/{ADDRESS}/1").refused(3, "is not on the market")


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("search", "--max-price", "1"), 3, "ConfigError"),
        (("search",), 6, "ChainUnavailableError"),
        (("search", "--nothing"), USAGE, "UsageError"),
        (("serch",), USAGE, "UsageError"),
        (("wallet", "import", "mia", "--from", "none"), 7, "KeysError"),
        (("dataset", "pack", "none", "x"), USAGE, "UsageError"),
    ],
    ids=str,
)
def test_main__error__is_a_line_on_stderr_or_json_on_stdout_and_never_both(
    on_devnet: Person, arguments: tuple[str, ...], code: int, kind: str
) -> None:
    plain = on_devnet(*arguments).refused(code)
    assert plain.out == ""
    error = on_devnet(*arguments, "--json").refused_json(code)
    message = plain.err.splitlines()[-1][7:]
    assert error == {"kind": kind, "message": message, "exit_code": code}


def test_main__unforeseen_error_with_json__is_json_too(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("on\npurpose")

    monkeypatch.setattr("truthmark.cli.wallet._wallet", fail)
    assert person("wallet", "list", "--json").json["error"]["kind"] == "Bug"


@pytest.mark.parametrize(
    ("arguments", "pipes"), [("--help", ""), ("wallet list --json", "2>&1"), ("nothing", "2>&1")]
)
def test_main__nobody_reads_the_output__ends_quietly(
    person: Person, arguments: str, pipes: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    program = " ".join(map(shlex.quote, PROGRAM))
    # The pipe is closed before anything is written into it.
    script = f"({{ sleep 0.1; {program} {arguments} {pipes}; echo $? >code; }} | true) 2>{log}"
    env = {**os.environ, **person.env, "PYTHONPATH": str(ROOT)}
    subprocess.run(["bash", "-c", script], check=True, cwd=tmp_path, env=env)
    told = log.read_text()
    assert "Traceback" not in told
    assert "Exception ignored" not in told
    code = int((tmp_path / "code").read_text())
    assert code == (USAGE if arguments == "nothing" else CLOSED_PIPE)


def test_main__no_profile__says_how_to_get_one(person: Person) -> None:
    shown = person("search").refused(3, "truthmark devnet up")
    assert "a home folder that has one with TRUTHMARK_HOME or --home" in shown.err


def test_main__local_chain_is_down__says_how_to_start_it(on_devnet: Person) -> None:
    on_devnet("search").refused(6, "start it with `truthmark devnet up FOLDER`")
    far = on_devnet("search", "--rpc", "http://truthmark.invalid").refused(6)
    assert "devnet up" not in far.err


def test_main__unforeseen_error__is_one_line_and_a_traceback_with_debug(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("on\npurpose")

    monkeypatch.setattr("truthmark.cli.wallet._wallet", fail)
    shown = person("wallet", "list").refused(BUG, "on purpose")
    assert len(shown.err.splitlines()) == 1
    assert "Traceback" in person("wallet", "list", "--debug").err


def test_main__interrupted__ends_with_130(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("truthmark.cli.wallet._wallet", interrupt)
    shown = person("wallet", "list")
    assert shown.code == INTERRUPTED
    assert shown.err.splitlines()[-1].startswith("stopped")


def test_common_options__behind_the_command__count_too(person: Person, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert person("init", "--home", other, "--json").ok().json["home"] == str(other)
    assert person("--home", other, "init", "--json").ok().json["home"] == str(other)
