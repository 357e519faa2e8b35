# SPDX-License-Identifier: Apache-2.0
"""Where a requester's own relay listens, and what a terminal shows."""

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
from truthmark.errors import BountyError, ConfigError
from truthmark.node.certificate import make_certificate
from truthmark.node.places import receiver_place, relay_place

OWN = make_terms().relay


def place(folder: Path, *urls: str, account: str = OWN) -> dict[str, Any]:
    workspace = Workspace(folder)
    workspace.save_terms(make_terms())
    workspace.save_document(make_document(relay_urls=urls))
    session: Any = SimpleNamespace(address=account, home=folder)
    return relay_place(session, [workspace])


@pytest.mark.parametrize(
    "url,expected",
    [
        ("http://127.0.0.1:8645", {"relay_port": 8645}),
        ("http://localhost:8645", {"relay_port": 8645}),
        ("http://192.168.1.7:8645", {"relay_port": 8645, "relay_host": "0.0.0.0"}),
        ("http://relay.example", {"relay_port": 80, "relay_host": "0.0.0.0"}),
        ("https://relay.example", {"relay_host": "0.0.0.0"}),
        ("https://relay.example:444/x", {"relay_host": "0.0.0.0", "relay_port": 444}),
    ],
)
def test_place__address_of_the_document__is_where_to_listen(
    tmp_path: Path, url: str, expected: dict[str, Any]
) -> None:
    found = place(tmp_path, url)
    assert found.pop("public_url") == url
    if url.startswith("https:"):
        # Something else listens there, and hands on to a port of its choice.
        expected.pop("relay_port", None)
    assert found == expected


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
        "certificate": str(tmp_path / "certificate.pem"),
        "certificate_key": str(tmp_path / "certificate.key"),
    }
    # For what is not by HTTPS it is not used.
    assert "certificate" not in place(tmp_path, "http://192.168.1.7:8645")
    with pytest.raises(ConfigError, match=r"another host than relay\.example; get one from"):
        place(tmp_path, "https://relay.example")


def test_place__somebody_elses_relay_or_no_address__is_left_to_the_settings(tmp_path: Path) -> None:
    assert place(tmp_path / "a", "http://127.0.0.1:1", account="0x" + "99" * 20) == {}
    assert place(tmp_path / "b") == {}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8646", {"receiver_port": 8646}),
        ("http://192.168.1.7:8646", {"receiver_port": 8646, "receiver_host": "0.0.0.0"}),
        ("https://me.example", {"receiver_port": 0, "receiver_host": "0.0.0.0"}),
    ],
)
def test_receiver_place__somebody_elses_relay__files_are_taken_where_the_document_says(
    tmp_path: Path, url: str, expected: dict[str, Any]
) -> None:
    workspace = Workspace(tmp_path)
    workspace.save_terms(make_terms())
    workspace.save_document(make_document(receiver_urls=(url,)))
    stranger: Any = SimpleNamespace(address="0x" + "99" * 20, home=tmp_path)
    assert receiver_place(stranger, [workspace]) == expected
    own: Any = SimpleNamespace(address=make_terms().relay)
    assert receiver_place(own, [workspace]) == {}


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
