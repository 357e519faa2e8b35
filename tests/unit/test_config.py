# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthmark.config.files import write_atomically
from truthmark.config.profile import (
    STANDARD_WINDOWS,
    ChainProfile,
    ContractInfo,
    TokenInfo,
    home_folder,
    load_profile,
    profile_names,
)
from truthmark.config.settings import load_settings
from truthmark.config.units import format_units, parse_units, to_checksum_address
from truthmark.errors import ConfigError, PriceError

USDC = TokenInfo("USDC", "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238", 6)
OTHER = TokenInfo("TMK", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", 18)
CONTRACT = ContractInfo(OTHER.address, "DatasetMarket", "0x" + "ab" * 32, 7)
PROFILE = ChainProfile(
    "here", 5, ("http://x",), {"market": CONTRACT}, (USDC, OTHER), confirmations=2
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "PROFILE", "RPC", "STORAGE", "ACCOUNT", "CONFIRMATIONS", "INDEX_URL"):
        monkeypatch.delenv(f"TRUTHMARK_{name}", raising=False)


# ---------------------------------------------------------------------- settings


def test_load_settings__nothing_set__has_defaults(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert (settings.profile, settings.storage, settings.rpc) == ("devnet", ("local",), ())
    assert settings.keystore == tmp_path / "accounts"


def test_load_settings__file_environment_arguments__later_ones_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text(
        'profile = "sepolia"\nrpc = ["http://a", "http://b"]\naccount = "me"\nkeystore = "/keys"\n'
    )
    assert load_settings(tmp_path).rpc == ("http://a", "http://b")
    monkeypatch.setenv("TRUTHMARK_RPC", "http://c, http://d")
    monkeypatch.setenv("TRUTHMARK_ACCOUNT", "env")
    monkeypatch.setenv("TRUTHMARK_CONFIRMATIONS", "7")
    monkeypatch.setenv("TRUTHMARK_RPC_TIMEOUT", "2.5")
    settings = load_settings(tmp_path, account="argument", profile=None)
    assert settings.rpc == ("http://c", "http://d")
    assert settings.account == "argument"
    assert settings.profile == "sepolia"
    assert settings.keystore == Path("/keys")
    assert (settings.confirmations, settings.rpc_timeout) == (7, 2.5)
    assert settings.named == {
        *("profile", "rpc", "account", "keystore", "confirmations", "rpc_timeout")
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('profil = "x"', "profil"),
        ("profile = 5", "profile: 5 is not a text"),
        ('acount = "me"', "did you mean account"),
        ("rpc = [5]", "rpc: .* is not a list of addresses"),
        ('rpc_timeout = "nan"', "rpc_timeout"),
        ("rpc_timeout = true", "rpc_timeout: True is not a number"),
        ("confirmations = 1.5", "confirmations: 1.5 is not a whole number"),
        ('confirmations = "many"', "confirmations"),
        ("= 1", "cannot read"),
    ],
)
def test_load_settings__file_is_wrong__says_where(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_settings(tmp_path)
    assert "config.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_load_settings__unknown_argument__is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no setting 'colour'"):
        load_settings(tmp_path, colour="red")


def test_home_folder__named_in_the_environment__is_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home_folder().name == "truthmark"
    monkeypatch.setenv("TRUTHMARK_HOME", str(tmp_path))
    assert home_folder() == tmp_path
    assert load_settings().home == tmp_path


def test_chain_profile__settings_name_endpoints__stand_above_the_profiles(tmp_path: Path) -> None:
    PROFILE.save(tmp_path / "profiles")
    plain = load_settings(tmp_path, profile="here").chain_profile()
    assert plain == PROFILE
    mine = load_settings(tmp_path, profile="here", rpc=("http://z",), confirmations=9)
    assert mine.chain_profile() == replace(PROFILE, rpc=("http://z",), confirmations=9)


# ---------------------------------------------------------------------- profiles


def test_load_profile__saved__is_the_same_and_listed(tmp_path: Path) -> None:
    path = PROFILE.save(tmp_path / "profiles")
    assert path.name == "here.json"
    assert load_profile("here", tmp_path) == PROFILE
    assert profile_names(tmp_path) == ["here", "sepolia"]


def test_load_profile__shipped__can_be_read_and_is_overruled_by_mine(tmp_path: Path) -> None:
    shipped = load_profile("sepolia", tmp_path)
    assert shipped.chain_id == 11155111
    assert shipped.windows == STANDARD_WINDOWS
    replace(shipped, confirmations=3).save(tmp_path / "profiles")
    assert load_profile("sepolia", tmp_path).confirmations == 3


@pytest.mark.parametrize("name", ["nowhere", "../config", "", "a b"])
def test_load_profile__no_such_name__is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        load_profile(name, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": "five"},
        {"chain_id": 0},
        {"confirmations": 0},
        {"block_time": 0},
        {"contracts": {"market": {"address": "0x1"}}},
        {"contracts": {"market": {**vars(CONTRACT), "code_hash": "0x12"}}},
        {"contracts": {"market": {**vars(CONTRACT), "address": OTHER.address.replace("f", "F")}}},
        {"contracts": []},
        {"tokens": [{"symbol": "X", "address": OTHER.address, "decimals": 78}]},
        {"tokens": 5},
        {"windows": {"small": {"delivery": 1}}},
    ],
)
def test_from_dict__value_is_wrong__is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ChainProfile.from_dict({**PROFILE.to_dict(), **change})


def test_from_dict__unknown_keys_of_newer_versions__are_ignored() -> None:
    data = json.loads(json.dumps({**PROFILE.to_dict(), "colour": "red"}))
    assert ChainProfile.from_dict(data) == PROFILE


def test_load_profile__file_is_no_json__is_told(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "here.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot read chain profile"):
        load_profile("here", tmp_path)


# ---------------------------------------------------------------------- amounts


@pytest.mark.parametrize(
    ("text", "token", "units"),
    [
        ("25 USDC", USDC, 25_000_000),
        ("25usdc", USDC, 25_000_000),
        (" 0.000001 USDC ", USDC, 1),
        ("1.50000000 USDC", USDC, 1_500_000),
        ("0 USDC", USDC, 0),
        ("2 TMK", OTHER, 2 * 10**18),
        (f"1 {USDC.address.lower()}", USDC, 1_000_000),
    ],
)
def test_parse_amount__well_formed__is_exact(text: str, token: TokenInfo, units: int) -> None:
    assert PROFILE.parse_amount(text) == (token, units)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("25", "not an amount"),
        ("USDC", "not an amount"),
        ("-1 USDC", "not an amount"),
        ("1,5 USDC", "not an amount"),
        ("1e3 USDC", "not an amount"),
        (".5 USDC", "not an amount"),
        ("٣ USDC", "not an amount"),
        ("0.0000001 USDC", "6 decimal places"),
        ("1 DAI", "known: USDC, TMK"),
        (f"1 {'0x' + '11' * 20}", "add it to the profile"),
        (f"{2**256} USDC", "more than any token"),
    ],
)
def test_parse_amount__ill_formed__says_why(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        PROFILE.parse_amount(text)


def test_token__two_of_one_symbol__wants_the_address() -> None:
    twins = replace(PROFILE, tokens=(USDC, replace(OTHER, symbol="usdc")))
    with pytest.raises(ConfigError, match="use the address"):
        twins.token("USDC")
    assert twins.token(USDC.address) == USDC


def test_amount__known_and_unknown_token__prints_which_it_is() -> None:
    assert str(PROFILE.amount(25_500_000, USDC.address)) == "25.5 USDC"
    unknown = "0x" + "ab" * 20
    assert str(PROFILE.amount(3, unknown)) == (
        f"3 base units of unknown token {to_checksum_address(unknown)}"
    )
    assert str(PROFILE.native(10**15)) == "0.001 ETH"


@given(st.integers(0, 2**256 - 1), st.integers(0, 77))
def test_parse_units__what_format_units_wrote__comes_back(units: int, decimals: int) -> None:
    assert parse_units(format_units(units, decimals), decimals) == units


# ---------------------------------------------------------------------- the rest


@pytest.mark.parametrize(
    "address",
    [  # of ERC-55 itself
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_to_checksum_address__published_vectors__are_met(address: str) -> None:
    assert to_checksum_address(address.lower()) == address
    assert to_checksum_address(address) == address
    with pytest.raises(ConfigError, match="mistyped"):
        to_checksum_address("0x" + address[2:].swapcase())


@pytest.mark.parametrize("text", ["", "0x", "0x12", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"])
def test_to_checksum_address__no_address__is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not an address"):
        to_checksum_address(text)


def test_write_atomically__fails_in_the_middle__old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("block_time", "seconds"), [(12.0, 3.0), (0.01, 0.05), (60.0, 4.0)])
def test_poll_seconds__of_a_chain__is_a_quarter_of_a_block_within_reason(
    block_time: float, seconds: float
) -> None:
    assert ChainProfile("paper", 1, block_time=block_time).poll_seconds == seconds


def test_read_amount__of_a_token__is_in_its_units_or_refused() -> None:
    token = PROFILE.tokens[0]
    assert PROFILE.read_amount(f"2 {token.symbol}", token.address.lower()) == 2 * 10**token.decimals
    assert PROFILE.read_amount(None, token.address) == 0
    other = PROFILE.tokens[1]
    with pytest.raises(PriceError, match=f"write the amount in {token.symbol}"):
        PROFILE.read_amount(f"2 {other.symbol}", token.address)
