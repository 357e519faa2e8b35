# SPDX-License-Identifier: Apache-2.0
"""The stable names of the package: which there are, what they cost, how they are called."""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import truthmark
from truthmark.codec import extract, open_container, read_manifest
from truthmark.config.profile import ChainProfile, TokenInfo
from truthmark.config.units import parse_duration
from truthmark.errors import ChainUnavailableError, ConfigError, NotForSaleError
from truthmark.market import surface
from truthmark.market.choosing import CustodyWish, choose_custody
from truthmark.market.flows import listing
from truthmark.market.records import CustodyStatus
from truthmark.market.seller_secret import seller_cek
from truthmark.session import open_session
from truthmark.testing.network import Devnet

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    *("Bounty", "card", "connect", "follow", "get", "list_dataset", "load", "pack", "preview"),
    *("search", "testing"),
]


def test_names__of_the_package__are_those_that_are_documented() -> None:
    assert sorted(truthmark.__all__) == NAMES
    table = re.findall(r"^\| `(\w+)", (ROOT / "docs" / "python.md").read_text(), re.M)
    assert sorted(table) == NAMES
    assert set(NAMES) <= set(dir(truthmark))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "testing"])
def test_names__each__is_a_documented_function(name: str) -> None:
    function = getattr(truthmark, name)
    assert callable(function)
    parameters = inspect.signature(function).parameters
    text = inspect.getdoc(function) or ""
    for parameter in parameters:
        if len(parameters) > 1 or parameter != "session":
            assert re.search(rf"^\s+{parameter}: ", text, re.M), f"{name} does not tell {parameter}"


def test_names__documented_calls__have_these_parameters() -> None:
    text = (ROOT / "docs" / "python.md").read_text()
    rows = re.findall(r"^\| `(\w+)\(([^`]*)\)`", text, re.M)
    assert len(rows) >= 8
    for name, arguments in rows:
        known = inspect.signature(getattr(truthmark, name)).parameters
        if any(p.kind is p.VAR_KEYWORD for p in known.values()):
            continue
        wanted = {a.split("=")[0].strip(" *") for a in arguments.split(",")} - {"", "..."}
        assert wanted <= set(known), name


def test_names__another__is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'sell'"):
        _ = truthmark.sell


def test_import__of_the_package__loads_nothing() -> None:
    code = "import sys, truthmark; print(len([m for m in sys.modules if 'truthmark' in m]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"


def test_paths__as_text__are_taken(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(10)})
    packed = str(tmp_path / "packed")
    with open_session(str(tmp_path / "home")) as session:
        made = truthmark.pack(frame, packed, licence="MIT", preview=False, session=session)
        cek = seller_cek(session.vault, read_manifest(packed).public_key)
    assert made.folder == Path(packed)
    with open_container(packed, cek=cek) as data:
        folder = extract(data, str(tmp_path / "files"), format="parquet")
    assert folder == tmp_path / "files"
    assert [path.suffix for path in folder.iterdir() if path.name != "README.md"] == [".parquet"]


def test_devnet__folder_as_text__is_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no devnet in"):
        Devnet.open(str(tmp_path))


def _session(**parts: Any) -> Any:
    profile = ChainProfile("paper", 31337, tokens=(TokenInfo("TUSD", "0x" + "d0" * 20, 6),))
    chain: Any = SimpleNamespace(profile=profile)
    follower: Any = None
    return SimpleNamespace(
        **{"profile": profile, "part": lambda kind, make: kind(chain, follower), **parts}
    )


def test_connect__home_that_is_not_there__is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no home folder"):
        truthmark.connect(tmp_path / "nowhere")


def test_connect__no_network_chosen__is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="profile"):
        truthmark.connect(tmp_path)


def test_connect__endpoint_where_nothing_listens__is_refused(tmp_path: Path) -> None:
    profile = ChainProfile("paper", 31337, rpc=("http://127.0.0.1:9",), genesis="0x" + "0" * 64)
    profile.save(tmp_path / "profiles")
    with pytest.raises(ChainUnavailableError, match=r"127\.0\.0\.1:9"):
        truthmark.connect(tmp_path, profile="paper")


@pytest.mark.parametrize("ref", [2, None, b"2", 2.0, True, ["2"]])
@pytest.mark.parametrize(
    "call",
    [
        lambda ref, session: truthmark.card(ref, session=session),
        lambda ref, session: truthmark.preview(ref, session=session),
        lambda ref, session: truthmark.load(ref, session=session),
        lambda ref, session: truthmark.get(ref, max_price="1 TUSD", blind=True, session=session),
    ],
    ids=["card", "preview", "load", "get"],
)
def test_names_of_data_sets__not_a_text__are_told_how_to_be_written(
    call: Callable[..., object], ref: object
) -> None:
    with pytest.raises(ConfigError, match=r"write its name as a text: \"(2|17@2)\""):
        call(ref, _session())


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda s: truthmark.search(5, session=s), "not a text to search for"),
        (lambda s: truthmark.search(limit="20", session=s), "how many at most"),
        (lambda s: truthmark.pack({}, 5, licence="MIT", session=s), "names no folder"),
        (lambda s: truthmark.list_dataset(5, price="5 TUSD", session=s), "names no folder"),
    ],
)
def test_arguments__of_another_type__say_what_to_write(
    call: Callable[..., object], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        call(_session(vault=None))


@pytest.mark.parametrize("custodians", ["3", True, -1, "0x" + "ab" * 20])
def test_choose_custody__neither_number_nor_list__says_what_to_write(custodians: Any) -> None:
    with pytest.raises(ConfigError, match="write how many, such as 3, or a list"):
        choose_custody(_session(), Any, Any, 0, CustodyWish(custodians=custodians))


@pytest.mark.parametrize("period", [90, "90 days", "0d", "-1d", None])
def test_list_dataset__period_that_is_no_duration__says_what_to_write(period: Any) -> None:
    with pytest.raises(ConfigError, match=r"90d|36500d"):
        parse_duration(period)


def test_hit__shown__reads_well() -> None:
    version: Any = SimpleNamespace(ref="17@2", price=25_000_000)
    hit = surface.Hit(version, {"title": "Film reviews"}, "25 TUSD")
    assert repr(hit) == "<Hit 17@2 at 25 TUSD: 'Film reviews'>"
    assert hit.ref == "17@2"


@pytest.mark.parametrize("amount", [5, 5.0, 0, b"5 TUSD"])
@pytest.mark.parametrize(
    "call",
    [
        lambda amount, session: truthmark.search(max_price=amount, session=session),
        lambda amount, session: truthmark.list_dataset("x", price=amount, session=session),
        lambda amount, session: truthmark.get("1", max_price=amount, blind=True, session=session),
        lambda amount, session: truthmark.load("1", max_price=amount, session=session),
    ],
    ids=["search", "list_dataset", "get", "load"],
)
def test_amounts__not_a_text__are_told_how_to_be_written(
    monkeypatch: pytest.MonkeyPatch, call: Callable[..., object], amount: object
) -> None:
    version = SimpleNamespace(ref="1@1", terms=SimpleNamespace(token="0x" + "d0" * 20))
    monkeypatch.setattr(surface.Catalogue, "find", lambda self, ref: version)
    monkeypatch.setattr(surface.Buyer, "find_purchase", lambda self, version: None)
    with pytest.raises(ConfigError, match=r'is not an amount; write .* "25 USDC"'):
        call(amount, _session())


@pytest.mark.parametrize("is_accepted", [True, False])
def test_wait_until_live__accepted_or_lapsed__asks_until_then(
    monkeypatch: pytest.MonkeyPatch, is_accepted: bool
) -> None:
    asked: list[Any] = []

    def custody_state(self: object, epoch: Any) -> Any:
        asked.append(epoch)
        if len(asked) == 3 and not is_accepted:
            raise NotForSaleError("not all custodians accepted in time")
        status = CustodyStatus.LIVE if len(asked) == 3 else CustodyStatus.OPENED
        return SimpleNamespace(status=status, accepted=0)

    monkeypatch.setattr(listing.Seller, "custody_state", custody_state)
    monkeypatch.setattr(listing.time, "sleep", lambda seconds: None)
    session = _session(chain=SimpleNamespace(time=lambda: 0))
    version: Any = SimpleNamespace(ref="1@1")
    custody = SimpleNamespace(count=1, accept_until=60)
    epoch: Any = SimpleNamespace(custody=custody, custodians=("0xA",))
    if is_accepted:
        listing.wait_until_live(session, version, epoch)
    else:
        with pytest.raises(NotForSaleError):
            listing.wait_until_live(session, version, epoch)
    assert asked == [epoch] * 3


def test_find_listed__dealt_again_since__is_with_the_newest_custody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing.Seller, "_draft", lambda self, *_: "terms")
    monkeypatch.setattr(listing.Seller, "_listed_epochs", lambda self, terms: ["old", "new"])
    session = _session(
        vault=SimpleNamespace(seller_secret=lambda key: 7),
        journal=SimpleNamespace(resume=lambda: None),
        part=lambda *_: SimpleNamespace(sync=lambda: None),
    )
    manifest: Any = SimpleNamespace(public_key=None)
    found = listing.Seller(session).find_listed(manifest, token=Any, windows=Any)  # type: ignore[arg-type]
    assert found is not None
    assert found.epoch == "new"


def test_testing__of_the_package__is_a_module_that_starts_networks() -> None:
    assert callable(truthmark.testing.devnet)
