# SPDX-License-Identifier: Apache-2.0
"""Where a requester's own relay listens, and what a terminal shows."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from tests.unit.bounty.test_phases import MARK, make_record
from tests.utils.bounties import make_document, make_terms
from truthmark.bounty.flows.own_bounties import in_home
from truthmark.bounty.flows.running import Counts
from truthmark.bounty.payouts import Status
from truthmark.bounty.view import Seen
from truthmark.bounty.workspace import Workspace
from truthmark.cli import bounty_run
from truthmark.errors import BountyError
from truthmark.node.certificate import make_certificate
from truthmark.node.places import not_served, place_of
from truthmark.node.settings import certificate_of, load_node_settings

OWN = make_terms().relay


def workspace_at(folder: Path, **documents: tuple[str, ...]) -> Workspace:
    workspace = Workspace(folder)
    workspace.save_terms(make_terms())
    workspace.save_document(make_document(**documents))
    return workspace


def place(folder: Path, *urls: str, account: str = OWN) -> dict[str, Any]:
    session: Any = SimpleNamespace(address=account, home=folder)
    return place_of(session, [workspace_at(folder, relay_urls=urls)])


PLAIN = {"https": [], "certificate": "", "certificate_key": ""}


@pytest.mark.parametrize(
    "url,expected",
    [
        ("http://127.0.0.1:8645", {"relay_port": 8645}),
        ("http://localhost:8645", {"relay_port": 8645}),
        ("http://192.168.1.7:8645", {"relay_port": 8645, "relay_host": "0.0.0.0"}),
        ("http://relay.example", {"relay_port": 80, "relay_host": "0.0.0.0"}),
        # Something else listens there, and hands on to a port of its choice.
        ("https://relay.example", {"relay_host": "0.0.0.0"}),
        ("https://relay.example:444/x", {"relay_host": "0.0.0.0"}),
    ],
)
def test_place__address_of_the_document__is_where_to_listen(
    tmp_path: Path, url: str, expected: dict[str, Any]
) -> None:
    assert place(tmp_path, url) == {"public_url": url, **PLAIN, **expected}


@pytest.mark.parametrize(
    ("url", "port"), [("https://192.168.1.7:8645", 8645), ("https://192.168.1.7", 443)]
)
def test_place__certificate_for_the_host__it_answers_there_itself(
    tmp_path: Path, url: str, port: int
) -> None:
    make_certificate(tmp_path, "192.168.1.7")
    assert place(tmp_path, url) == {
        "public_url": url,
        "relay_host": "0.0.0.0",
        "relay_port": port,
        "https": ["relay"],
        "certificate": str(tmp_path / "certificate.pem"),
        "certificate_key": str(tmp_path / "certificate.key"),
    }
    # For what is not by HTTPS, or is somebody else's to answer, it is not used.
    for other in ("http://192.168.1.7:8645", "https://relay.example"):
        assert place(tmp_path, other)["https"] == []


def test_place__receiver_by_https_beside_a_plain_relay__only_one_uses_the_certificate(
    tmp_path: Path,
) -> None:
    make_certificate(tmp_path, "192.168.1.7")
    own = workspace_at(tmp_path / "a", relay_urls=("http://192.168.1.7:8645",))
    other = workspace_at(tmp_path / "b", receiver_urls=("https://192.168.1.7:8646",))
    other.save_terms(replace(make_terms(), relay="0x" + "99" * 20))
    session: Any = SimpleNamespace(address=OWN, home=tmp_path)
    found = place_of(session, [own, other])
    assert (found["relay_port"], found["receiver_port"]) == (8645, 8646)
    profile: Any = SimpleNamespace(block_time=1.0)
    settings = load_node_settings(tmp_path, profile, roles=("relay", "receiver"), **found)
    assert certificate_of(settings, "relay") is None
    assert certificate_of(settings, "receiver") == (
        str(tmp_path / "certificate.pem"),
        str(tmp_path / "certificate.key"),
    )
    # What a file says for a node of another kind is not for these addresses.
    (tmp_path / "node.toml").write_text('certificate = "x"\ncertificate_key = "y"\n')
    plain = place_of(session, [own])
    settings = load_node_settings(tmp_path, profile, roles=("relay",), **plain)
    assert certificate_of(settings, "relay") is None


def test_not_served__other_addresses_of_own_documents__are_told(tmp_path: Path) -> None:
    urls = ("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:1")
    all_of_them = [workspace_at(tmp_path / str(n), relay_urls=(url,)) for n, url in enumerate(urls)]
    session: Any = SimpleNamespace(address=OWN)
    assert not_served(session, all_of_them, urls[0]) == [urls[1]]


def test_place__somebody_elses_relay_or_no_address__is_left_to_the_settings(tmp_path: Path) -> None:
    assert place(tmp_path / "a", "http://127.0.0.1:1", account="0x" + "99" * 20) == PLAIN
    assert place(tmp_path / "b") == PLAIN


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8646", {"receiver_port": 8646}),
        ("http://192.168.1.7:8646", {"receiver_port": 8646, "receiver_host": "0.0.0.0"}),
        ("https://me.example", {"receiver_port": 0, "receiver_host": "0.0.0.0"}),
    ],
)
def test_place__somebody_elses_relay__files_are_taken_where_the_document_says(
    tmp_path: Path, url: str, expected: dict[str, Any]
) -> None:
    workspace = workspace_at(tmp_path, receiver_urls=(url,))
    stranger: Any = SimpleNamespace(address="0x" + "99" * 20, home=tmp_path)
    assert place_of(stranger, [workspace]) == PLAIN | expected
    own: Any = SimpleNamespace(address=make_terms().relay)
    assert place_of(own, [workspace]) == PLAIN


def test_in_home__folder_of_another_home_or_none__refused(tmp_path: Path) -> None:
    session: Any = SimpleNamespace(home=tmp_path / "home")
    mine = Workspace(tmp_path / "home" / "bounties" / "x")
    mine.save_terms(make_terms())
    assert in_home(session, mine) is mine
    other = Workspace(tmp_path / "other" / "bounties" / "x")
    with pytest.raises(BountyError, match="no folder of a bounty"):
        in_home(session, other)
    other.save_terms(make_terms())
    with pytest.raises(BountyError, match="not in this home"):
        in_home(session, other)


def test_table__bounties__phase_and_how_far_they_are() -> None:
    block: Any = SimpleNamespace(timestamp=MARK, number=1, hash=b"")
    seen = Seen(make_record(Status.OPEN), MARK, block, MARK, 1)
    run = SimpleNamespace(counts=lambda record: Counts(6, 4, 3, 2, 1))
    receiver: Any = SimpleNamespace(runs={12: run, 13: run}, seen={12: seen})
    console = Console(width=120, record=True)
    console.print(bounty_run._table(receiver))
    text = console.export_text()
    assert "12      6       4          3            2" in text
    assert "labelers join through the relay" in text
    assert "in 1 min" in text
    assert "13" not in text  # not looked at yet


def test_display__no_terminal__shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with bounty_run._display() as show:
        show(SimpleNamespace())  # type: ignore[arg-type]
    assert capsys.readouterr() == ("", "")
