# SPDX-License-Identifier: Apache-2.0
"""`truthmark init` and `doctor`."""

import tomllib
from pathlib import Path

import pytest

from tests.utils.cli import Person
from truthmark.cli.main import BUG
from truthmark.config.settings import load_settings


def test_init__options__are_kept_and_the_rest_stays(on_devnet: Person) -> None:
    on_devnet("init", "--account", "mia", "--storage", "local,gateway:http://127.0.0.1:1").ok()
    shown = on_devnet("init", "--rpc", "http://127.0.0.1:8545", "--json").ok().json
    assert shown == {
        "home": str(on_devnet.home),
        "profile": "devnet",
        "account": "mia",
        "storage": ["local", "gateway:http://127.0.0.1:1"],
        "rpc": ["http://127.0.0.1:8545"],
        "private_hosts": [],
    }


def test_init__private_host__is_allowed_from_then_on_or_refused(on_devnet: Person) -> None:
    named = ("--private-host", "192.168.1.0/24", "--private-host", "fd00::7")
    on_devnet("init", *named).ok()
    assert load_settings(on_devnet.home).private_hosts == ("192.168.1.0/24", "fd00::7")
    for bad in ("my-relay.local", "192.168.1.7:8645", "192.168.1.0/33"):
        on_devnet("init", "--private-host", bad).refused(3, "not a list of IP addresses")
    assert load_settings(on_devnet.home).private_hosts == ("192.168.1.0/24", "fd00::7")


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

    monkeypatch.setattr("truthmark.cli.doctor.write_atomically", refuse)
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
    monkeypatch.setattr("truthmark.cli.doctor.uncovered", fail)
    shown = on_devnet("doctor", "--json")
    checks = {check["name"]: check for check in shown.json}
    assert list(checks) == CHECKS
    assert shown.code == BUG
    assert "on purpose" in checks["backup"]["text"]
