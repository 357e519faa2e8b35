# SPDX-License-Identifier: Apache-2.0
"""The command line without a chain: help, settings, accounts, packing, what errors look like."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pandas as pd
import pytest

from tests.utils.cli import PROGRAM, Person
from tests.utils.keystores import FOUNDRY
from truthmark.cli import output, sales
from truthmark.cli.agent import agent
from truthmark.cli.bounty import bounty
from truthmark.cli.commands import AGENT, BOUNTY, TOPICS
from truthmark.cli.main import BUG, CLOSED_PIPE, INTERRUPTED, USAGE, cli
from truthmark.cli.output import info
from truthmark.cli.param_types import DURATION
from truthmark.errors import (
    ChainUnavailableError,
    ConfigError,
    GasError,
    KeysError,
    LateError,
    MalformedReplyError,
    MarketError,
    NodeError,
    StorageError,
    TruthmarkError,
)
from truthmark.market.flows import listing
from truthmark.market.records import CustodyStatus
from truthmark.text import clean, format_duration, format_time

ROOT = Path(__file__).resolve().parents[2]
KEY = "0x" + "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
PROFILE = {
    "name": "devnet",
    "chain_id": 31337,
    "genesis": "0x" + "11" * 32,
    "rpc": ["http://127.0.0.1:9"],
    "tokens": [{"symbol": "TUSD", "address": "0x" + "11" * 20, "decimals": 6}],
}


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "home")


@pytest.fixture
def on_devnet(person: Person, tmp_path: Path) -> Person:
    """Have a devnet's profile, though no chain: passphrases are not asked for."""
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(PROFILE))
    person("init", "--profile-file", file).ok()
    return person


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    pd.DataFrame({"x": range(500), "name": ["n"] * 500}).to_csv(path, index=False)
    return path


def walk(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    found = [path] if path else []
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        found += walk(below, (*path, name))
    return found


COMMANDS = walk(cli)
WIDE: dict[str, Any] = {"terminal_width": 96, "max_content_width": 96}


# --------------------------------------------------------------------- help and errors


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help__any_command__explains_itself_without_a_home(
    path: tuple[str, ...], tmp_path: Path
) -> None:
    shown = Person(tmp_path / "none")(*path, "--help").ok()
    assert f"Usage: cli {' '.join(path)}" in shown.out
    assert not (tmp_path / "none").exists()


def test_help__every_option__says_what_it_is_for() -> None:
    for path in COMMANDS:
        command: click.Command = cli
        for name in path:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), name)
            assert found is not None
            command = found
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                is_plain = parameter.name == "kind"  # its choices say it all
                assert parameter.help or is_plain, (path, parameter.name)


def test_help__first_line_of_a_command__is_not_cut() -> None:
    shown = Person(Path("none"))("--help").ok().out
    assert not re.search(r"\.\.\.$", shown.partition("Set up:")[2], re.M)
    for names in TOPICS.values():
        for name in names:
            assert re.search(rf"^  {name} ", shown, re.M), name


def test_help__line_of_the_table__is_what_the_command_says() -> None:
    context = click.Context(cli)
    for names in TOPICS.values():
        for name, entry in names.items():
            command = cli.get_command(context, name)
            assert command is not None
            assert command.get_short_help_str(200) == entry.help, name
    for group, entries in ((bounty, BOUNTY), (agent, AGENT)):
        for name, entry in entries.items():
            command = group.get_command(context, name)
            assert command is not None
            assert command.get_short_help_str(200) == entry.help, name


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "Put data up for sale."),
        (["bounty", "--help"], BOUNTY["payout"].help),
        (["agent", "--help"], AGENT["run"].help),
    ],
    ids=["all", "bounty", "agent"],
)
def test_help__of_a_lazy_group__loads_no_command(arguments: list[str], shown: str) -> None:
    code = (
        "import contextlib, sys\n"
        "from truthmark.cli.main import cli\n"
        "with contextlib.suppress(SystemExit):\n"
        f"    cli.main({arguments})\n"
        "print(sorted(m for m in sys.modules if m.startswith('truthmark.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown in done.stdout
    entries = [entry for names in (*TOPICS.values(), BOUNTY, AGENT) for entry in names.values()]
    modules = {entry.module for entry in entries} - {arguments[0]}
    assert "'truthmark.cli.main'" in done.stderr
    assert modules.isdisjoint(re.findall(r"'truthmark\.cli\.(\w+)", done.stderr))
    packages = set(re.findall(r"'truthmark\.(\w+)", done.stderr))
    assert packages.isdisjoint({"market", "index", "chain", "codec", "storage", "testing"})


def test_help__words__are_those_of_the_reader() -> None:
    for path in COMMANDS:
        shown = Person(Path("none"))(*path, "--help").ok().out
        assert not re.search(r"\b(CEK|leaf|leaves|root|basis points?|bps)\b", shown, re.I), path


def test_help__60_columns__is_not_wider() -> None:
    for path in COMMANDS:
        shown = reference(path, terminal_width=60)
        for line in shown.splitlines()[1:]:
            assert len(line) <= 60, (path, line)


def test_reference__docs__is_what_help_says() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for path in COMMANDS:
        name = " ".join(("truthmark", *path))
        assert reference(path) in text, f"docs/cli.md is not up to date about `{name}`"


def reference(path: tuple[str, ...], **width: Any) -> str:
    """Return the part of docs/cli.md about a command; see `python -m tests.lib.test_cli`."""
    wide = {**WIDE, **width}
    context = click.Context(cli, info_name="truthmark", **{**cli.context_settings, **wide})
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(context, name)
        assert found is not None
        command = found
        context = click.Context(command, parent=context, info_name=name, **wide)
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    shown = "\n".join(lines)
    return f"### truthmark {' '.join(path)}\n\n```text\n{shown}\n```\n"


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


# ------------------------------------------------------------------------- settings


def test_init__options__are_kept_and_the_rest_stays(on_devnet: Person) -> None:
    on_devnet("init", "--account", "mia", "--storage", "local,gateway:http://127.0.0.1:1").ok()
    shown = on_devnet("init", "--rpc", "http://127.0.0.1:8545", "--json").ok().json
    assert shown == {
        "home": str(on_devnet.home),
        "profile": "devnet",
        "account": "mia",
        "storage": ["local", "gateway:http://127.0.0.1:1"],
        "rpc": ["http://127.0.0.1:8545"],
    }


def test_init__what_cannot_be_used__changes_nothing(on_devnet: Person, tmp_path: Path) -> None:
    before = (on_devnet.home / "config.toml").read_bytes()
    on_devnet("init", "--profile", "mars").refused(3, "no chain profile")
    on_devnet("init", "--profile-file", tmp_path / "none").refused(3, "cannot read")
    on_devnet("init", "--devnet", tmp_path / "none").refused(3, "no devnet")
    assert (on_devnet.home / "config.toml").read_bytes() == before


def test_init__profile_that_is_not_there__is_refused_wherever_it_is_named(
    person: Person, on_devnet: Person
) -> None:
    fresh = Person(person.home.with_name("fresh"), TRUTHMARK_PROFILE="mars")
    fresh("init").refused(3, "no chain profile 'mars' (known: sepolia)")
    assert not (fresh.home / "config.toml").exists()
    del fresh.env["TRUTHMARK_PROFILE"]
    assert "choose a network: one of sepolia" in fresh("init", "--account", "mia").ok().err
    (on_devnet.home / "config.toml").write_text('profile = "venus"')
    on_devnet("init", "--account", "mia").refused(3, "no chain profile 'venus'")
    on_devnet("init", "--account", "mia", "--profile", "devnet").ok()


def test_init__any_text__is_read_back(person: Person) -> None:
    store = 'local:/tmp/\U0001f4c1 "a\\b" \x7f\x01\té数'
    person("init", "--storage", store, "--account", "mia").ok()
    read = tomllib.loads((person.home / "config.toml").read_text(encoding="utf-8"))
    assert read == {"storage": [store], "account": "mia"}
    person("init", "--account", "leo").ok()
    assert person("init", "--json").ok().json["storage"] == [store]


def test_init__path_that_is_no_text__is_refused_and_changes_nothing(person: Person) -> None:
    person("init", "--account", "mia").ok()
    before = (person.home / "config.toml").read_bytes()
    person("init", "--storage", "local:/tmp/\udc80").refused(3, "setting storage")
    assert (person.home / "config.toml").read_bytes() == before


def test_init__damaged_settings__are_not_overwritten(person: Person) -> None:
    person.home.mkdir()
    (person.home / "config.toml").write_text("profile = [")
    person("init").refused(3, "config.toml")
    assert (person.home / "config.toml").read_text() == "profile = ["


CHECKS = ["settings", "home", "account", "backup", "storage", "chain", "contracts", "clock"]
CHECKS += ["gas", "index", "transactions"]


def test_doctor__no_chain_answers__fails_and_looks_at_all_else(on_devnet: Person) -> None:
    shown = on_devnet("doctor", "--json")
    assert shown.code == 3  # of the first failure: there is no account
    checks = {check["name"]: check for check in shown.json}
    assert list(checks) == CHECKS
    assert checks["settings"]["result"] == checks["storage"]["result"] == "ok"
    assert checks["chain"]["result"] == checks["account"]["result"] == "FAIL"
    assert checks["account"]["advice"]
    assert checks["clock"]["text"] == "not looked at, as it needs the contracts"


@pytest.mark.parametrize("problem", ["no profile", "damaged", "unknown setting"])
def test_doctor__settings_that_cannot_be_used__are_told_with_all_checks(
    person: Person, problem: str
) -> None:
    if problem != "no profile":
        person.home.mkdir()
        text = "profile = [" if problem == "damaged" else "colour = 5\n"
        (person.home / "config.toml").write_text(text)
    shown = person("doctor", "--json")
    assert shown.code == 3
    assert [check["name"] for check in shown.json] == CHECKS
    assert shown.json[0]["result"] == "FAIL"
    assert "Traceback" not in shown.err


def test_doctor__home_that_cannot_be_written__is_told_with_all_checks(
    on_devnet: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("truthmark.cli.checks.write_atomically", refuse)
    shown = on_devnet("doctor", "--json")
    checks = {check["name"]: check for check in shown.json}
    assert list(checks) == CHECKS
    assert checks["home"]["result"] == "FAIL"
    assert "Read-only" in checks["home"]["text"]


def test_doctor__check_that_breaks__does_not_keep_the_others(
    on_devnet: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    on_devnet("wallet", "new", "mia").ok()
    monkeypatch.setattr("truthmark.cli.checks.uncovered", fail)
    shown = on_devnet("doctor", "--json")
    checks = {check["name"]: check for check in shown.json}
    assert list(checks) == CHECKS
    assert shown.code == BUG
    assert "on purpose" in checks["backup"]["text"]


# ------------------------------------------------------------------------- accounts


def test_wallet_new__first_account__is_chosen(on_devnet: Person) -> None:
    made = on_devnet("wallet", "new", "mia", "--json").ok().json
    assert made["is_chosen"]
    assert not on_devnet("wallet", "new", "leo", "--json").ok().json["is_chosen"]
    assert on_devnet("wallet", "address").ok().out.strip() == made["address"]
    listed = on_devnet("wallet", "list", "--json").ok().json
    assert [(a["name"], a["is_chosen"]) for a in listed] == [("leo", False), ("mia", True)]


def test_wallet_new__name_taken_or_unusable__is_refused(on_devnet: Person) -> None:
    on_devnet("wallet", "new", "mia").ok()
    on_devnet("wallet", "new", "mia").refused(7, "exists")
    on_devnet("wallet", "new", "../mia").refused(7, "not an account name")
    on_devnet("wallet", "address", "leo").refused(7, "wallet list")


def test_wallet_new__no_terminal_and_no_devnet__needs_a_passphrase(person: Person) -> None:
    person("wallet", "new", "mia").refused(3, "TRUTHMARK_PASSPHRASE")
    assert not (person.home / "accounts").exists()


def test_wallet_import__from_places__gives_the_account(
    on_devnet: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_devnet.env["MIAS_KEY"] = KEY
    made = on_devnet("wallet", "import", "mia", "--from", "env:MIAS_KEY", "--json").ok()
    assert made.json["address"] == ADDRESS
    again = on_devnet("wallet", "import", "leo", "--from", "stdin", stdin=KEY + "\n").ok()
    assert again.out.strip() == ADDRESS
    assert KEY[2:] not in made.out + made.err + again.out + again.err


def test_wallet_import__key_on_the_command_line__is_refused_unrepeated(on_devnet: Person) -> None:
    for key in (KEY, KEY[2:]):
        shown = on_devnet("wallet", "import", "mia", "--from", key).refused(7, "never put a key")
        assert key not in shown.err
        shown = on_devnet("--account", key, "sales")
        assert shown.code != 0
        assert key not in shown.err
    on_devnet("wallet", "import", "mia").refused(3, "--from")


@pytest.fixture
def carol(tmp_path: Path) -> Path:
    """Write a keystore file without an address, as Foundry does."""
    path = tmp_path / "carol.json"
    path.write_text(json.dumps(FOUNDRY))
    return path


def test_account__keystore_without_address__is_listed_and_signs(
    on_devnet: Person, carol: Path
) -> None:
    folder = on_devnet.home / "accounts"
    folder.mkdir()
    carol.rename(folder / "carol.json")
    (folder / "torn.json").write_text("{")
    listed = on_devnet("wallet", "list", "--json").ok()
    assert [(a["name"], a["address"]) for a in listed.json] == [("carol", None)]
    assert "torn.json is not a keystore file" in listed.err
    assert "unknown" in on_devnet("wallet", "list").ok().out
    own = on_devnet("wallet", "address", "--account", "carol").ok().out
    assert own == on_devnet("wallet", "address", "carol").ok().out
    on_devnet.env["TRUTHMARK_PASSPHRASE"] = "wrong"
    on_devnet("wallet", "address", "carol").refused(7, "passphrase of account carol")


def test_wallet_import__keystore_file__keeps_key_and_passphrase(
    on_devnet: Person, carol: Path
) -> None:
    made = on_devnet("wallet", "import", "mine", "--from", carol, "--json").ok().json
    assert made["address"] == on_devnet("wallet", "address", "mine").ok().out.strip()
    assert made["address"].lower()[2:] in Path(made["file"]).read_text().lower()
    on_devnet.env["TRUTHMARK_PASSPHRASE"] = "wrong"
    on_devnet("wallet", "import", "again", "--from", carol).refused(7, "does not open")
    carol.write_text("[]")
    on_devnet("wallet", "import", "again", "--from", carol).refused(7, "not a keystore file")
    carol.unlink()
    on_devnet("wallet", "import", "again", "--from", carol).refused(7, "no such file")
    assert [a["name"] for a in on_devnet("wallet", "list", "--json").ok().json] == ["mine"]


def test_wallet_backup__restored_elsewhere__opens_what_was_packed(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    packed = tmp_path / "packed"
    on_devnet("dataset", "pack", source, packed, "--licence", "MIT", "--yes").ok()
    on_devnet("wallet", "backup", tmp_path / "b").ok()
    other = Person(tmp_path / "other", TRUTHMARK_PASSPHRASE="devnet")
    other("dataset", "open", packed, tmp_path / "none").refused(7, "restore a backup")
    other("wallet", "restore", tmp_path / "b").ok()
    other("dataset", "open", packed, tmp_path / "data").ok()
    assert len(pd.read_parquet(tmp_path / "data" / "points.parquet")) == 500


def test_wallet_backup__nothing_or_something_there__is_refused(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    on_devnet("wallet", "backup", tmp_path / "b").refused(3, "nothing secret")
    on_devnet("dataset", "pack", source, tmp_path / "p", "--licence", "MIT", "--yes").ok()
    (tmp_path / "b").write_text("mine")
    on_devnet("wallet", "backup", tmp_path / "b").refused(3, "exists")
    assert (tmp_path / "b").read_text() == "mine"


def test_wallet_restore__wrong_file_or_passphrase__is_refused(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    on_devnet("wallet", "restore", tmp_path / "none").refused(7, "cannot be read")
    on_devnet("wallet", "restore", source).refused(7, "not a backup")
    on_devnet("dataset", "pack", source, tmp_path / "p", "--licence", "MIT", "--yes").ok()
    on_devnet("wallet", "backup", tmp_path / "b").ok()
    other = Person(tmp_path / "other", TRUTHMARK_PASSPHRASE="wrong")
    other("wallet", "restore", tmp_path / "b").refused(7, "passphrase")


# -------------------------------------------------------------------------- packing


def test_dataset__pack_inspect_verify_open__gives_the_rows_back(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    packed, opened = tmp_path / "packed", tmp_path / "opened"
    shown = on_devnet(
        *("dataset", "pack", source, packed, "--licence", "CC-BY-4.0", "--examples", 2, "--json"),
        "--yes",
    ).ok()
    assert shown.json["parts"] >= 1
    inspected = on_devnet("dataset", "inspect", packed, "--json").ok().json
    assert inspected["card"]["title"] == "points"
    assert inspected["licence"] == "CC-BY-4.0"
    assert len(inspected["card"]["examples"][0]) == 2
    assert on_devnet("dataset", "verify", packed, "--json").ok().json["holds"] is True
    done = on_devnet("dataset", "open", packed, opened, "--format", "original", "--json").ok()
    assert done.json["files"][0]["rows"] == 500
    assert pd.read_csv(opened / "points.csv").equals(pd.read_csv(source))


def test_dataset_pack__asked__shows_what_becomes_public_and_takes_no_for_an_answer(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    packed = tmp_path / "packed"
    arguments = ("dataset", "pack", source, packed, "--licence", "MIT")
    shown = on_devnet(*arguments, stdin="n\n").refused(8, "nothing was written")
    assert "columns: x (int64), name (" in shown.err
    assert not packed.exists()
    on_devnet(*arguments).refused(3, "no terminal to answer")
    assert not packed.exists()
    on_devnet(*arguments, stdin="y\n").ok()
    assert packed.is_dir()


def test_dataset_pack__what_cannot_be_packed__leaves_nothing(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    packed = tmp_path / "packed"
    on_devnet("dataset", "pack", source, packed, "--yes").refused(3, "--licence")
    on_devnet("dataset", "pack", tmp_path / "no", packed, "--yes").refused(USAGE, "does not exist")
    assert not packed.exists()


def test_dataset_verify__changed_byte__is_found(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    packed = tmp_path / "packed"
    on_devnet("dataset", "pack", source, packed, "--licence", "MIT", "--yes").ok()
    data = bytearray((packed / "data.tmk").read_bytes())
    data[-1] ^= 1
    (packed / "data.tmk").write_bytes(data)
    on_devnet("dataset", "verify", packed).refused(4, "fetch them again")
    shown = on_devnet("dataset", "verify", packed, "--json").refused(4)
    assert shown.json["bad_parts"] == [shown.json["parts"] - 1]


def test_dataset__folder_that_is_none__is_refused(on_devnet: Person, tmp_path: Path) -> None:
    for name in ("inspect", "verify"):
        on_devnet("dataset", name, tmp_path).refused(3, "not a packed folder")
    on_devnet("dataset", "open", tmp_path, tmp_path / "x").refused(3, "not a packed folder")


# --------------------------------------------------------------------------- output


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
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1h", "1w", "1.5h", "9" * 20, "h", "999999d", "١h"])
def test_duration_type__garbage__is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        DURATION.convert(text, None, None)


def test_ask__nobody_there__says_what_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("Yes\nno\n"))
    assert output.ask("sure?", yes=False)
    assert not output.ask("sure?", yes=False)
    with pytest.raises(ConfigError, match="--yes"):
        output.ask("sure?", yes=False)
    assert output.ask("sure?", yes=True)


# ------------------------------------------------------------------------- watching


@pytest.mark.parametrize(
    "error",
    [ChainUnavailableError, NodeError, GasError, LateError, StorageError, KeysError, MarketError],
)
def test_deliver_watch__one_version_fails__is_said_once_and_the_others_go_on(
    error: type[TruthmarkError],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad, good = (SimpleNamespace(ref=ref) for ref in ("1@1", "2@1"))
    texts = iter(["a", "a", "b", "", "b", "b"])
    done: list[tuple[str, str]] = []

    def deliver(session: Any, version: Any) -> tuple[int, int]:
        done.append(("deliver", version.ref))
        if version is bad and (text := next(texts)):
            raise error(text)
        return 1, 0

    def sleep(seconds: float) -> None:
        if len(done) >= 4 * 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(sales, "_own_versions", lambda *_: [bad, good])
    monkeypatch.setattr(sales, "_deliver_due", deliver)
    monkeypatch.setattr(
        sales, "_settle_due", lambda _, versions, now: done.append(("settle", versions[0].ref))
    )
    monkeypatch.setattr(sales.time, "sleep", sleep)
    session: Any = SimpleNamespace(
        profile=SimpleNamespace(poll_seconds=1.0),
        part=lambda *_: SimpleNamespace(sync=lambda: None),
        chain=SimpleNamespace(time=lambda: 0),
    )
    with pytest.raises(KeyboardInterrupt):
        sales._follow(session, None)
    steps = [("deliver", "1@1"), ("settle", "1@1"), ("deliver", "2@1"), ("settle", "2@1")]
    assert done == 6 * steps
    said = capsys.readouterr().err.splitlines()[1:]
    assert said == [f"1@1 is not delivered: {text}; going on" for text in ("a", "b", "b")]


def test_deliver_watch__market_cannot_be_read__goes_on_when_it_can(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = iter([MalformedReplyError("x"), MalformedReplyError("x"), None, KeyboardInterrupt()])

    def sync() -> None:
        if (error := next(turns)) is not None:
            raise error

    looked: list[int] = []
    monkeypatch.setattr(sales, "_own_versions", lambda *_: looked.append(1) or [])
    monkeypatch.setattr(sales.time, "sleep", lambda _: None)
    session: Any = SimpleNamespace(
        profile=SimpleNamespace(poll_seconds=1.0),
        part=lambda *_: SimpleNamespace(sync=sync),
        chain=SimpleNamespace(time=lambda: 0),
    )
    with pytest.raises(KeyboardInterrupt):
        sales._follow(session, None)
    assert looked == [1]
    assert capsys.readouterr().err.splitlines()[1:] == ["x; going on"]


def see_custody(monkeypatch: pytest.MonkeyPatch, accepted: list[int]) -> None:
    """Let a custody be seen with who has accepted, once each, and then live."""
    seen = [SimpleNamespace(status=CustodyStatus.OPENED, accepted=map_) for map_ in accepted]
    looks = iter([*seen, SimpleNamespace(status=CustodyStatus.LIVE)])
    monkeypatch.setattr("truthmark.market.seller.Seller.custody_state", lambda *_: next(looks))


def test_list__waiting__says_who_is_missing_whenever_it_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("truthmark.market.flows.listing.time.sleep", lambda _: None)
    see_custody(monkeypatch, [0, 0, 0b010, 0b010, 0b110])
    session: Any = SimpleNamespace(
        chain=SimpleNamespace(time=lambda: 1_000_000),
        profile=SimpleNamespace(poll_seconds=1.0),
    )
    opened = SimpleNamespace(count=3, accept_until=1_003_600)
    epoch: Any = SimpleNamespace(custody=opened, custodians=("0xA", "0xB", "0xC"))
    version: Any = SimpleNamespace(ref="3@1")
    listing.wait_until_live(session, version, epoch, info)
    begun, *told, ended = capsys.readouterr().err.splitlines()
    assert begun.startswith("waiting for 3 custodians to accept, which may take until 1970-01-12")
    assert "(in 1 h); Ctrl-C stops only the waiting, and `truthmark show 3@1` tells" in begun
    assert told == [
        "1 of 3 have accepted; not yet: 0xA, 0xC",
        "2 of 3 have accepted; not yet: 0xA",
    ]
    assert ended == "all 3 custodians accepted"


def test_renew__no_custodian_accepts__names_all_after_a_while(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 600, 10))
    monkeypatch.setattr("truthmark.market.flows.listing.time.sleep", lambda _: None)
    ticking = SimpleNamespace(monotonic=lambda: float(next(clock)))
    monkeypatch.setattr("truthmark.waiting.time", ticking)
    see_custody(monkeypatch, [0] * 7)
    session: Any = SimpleNamespace(
        chain=SimpleNamespace(time=lambda: 1_000_000),
        profile=SimpleNamespace(poll_seconds=1.0),
    )
    opened = SimpleNamespace(count=2, accept_until=1_003_600)
    epoch: Any = SimpleNamespace(custody=opened, custodians=("0xA", "0xB"))
    listing.wait_until_live(session, SimpleNamespace(ref="3@1"), epoch, info)  # type: ignore[arg-type]
    _, told, _ = capsys.readouterr().err.splitlines()
    assert told == "0 of 2 have accepted; not yet: 0xA, 0xB"


if __name__ == "__main__":
    # Writes the reference part of docs/cli.md again.
    page = ROOT / "docs" / "cli.md"
    head = page.read_text(encoding="utf-8").partition("## Reference\n")[0]
    page.write_text(head + "## Reference\n\n" + "\n".join(map(reference, COMMANDS)), "utf-8")
