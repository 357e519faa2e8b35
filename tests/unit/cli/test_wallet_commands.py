# SPDX-License-Identifier: Apache-2.0
"""`truthmark wallet` and `account`: keys come, are kept, and go nowhere."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.utils.cli import Person
from tests.utils.keystores import FOUNDRY

KEY = "0x" + "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


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
