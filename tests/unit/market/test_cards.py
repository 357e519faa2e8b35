# SPDX-License-Identifier: Apache-2.0
"""Cards: read once, kept, and never waited for longer than somebody has patience."""

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.utils.offline_market import OfflineMarket
from tests.utils.waiting import wait_for
from truthmark.errors import BlockNotFoundError, ConfigError, MalformedError
from truthmark.market.cards import Card, Cards
from truthmark.market.entries import Version
from truthmark.storage import read_once
from truthmark.waiting import Deadline

LATER = 3_600.0
SIZE = 2_048
CARD = {"description": "Words", "licence": "CC0-1.0"}


class Shelf:
    """Where cards are read, and how often they were."""

    def __init__(self, path: Path, offline: OfflineMarket, count: int) -> None:
        for listing in range(1, count + 1):
            offline.list_version(listing)
        self.versions = offline.catalogue.versions()[::-1]
        self.ids = [v.terms_id for v in self.versions]
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {}
        self.cards = Cards(path, self.look)

    def look(self, version: Version) -> Card:
        self.asked.append(version.ref)
        answer = self.answers.get(version.ref, {})
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, threading.Event):
            answer.wait(30)
            raise BlockNotFoundError("too late")
        return Card.from_content({**CARD, "title": f"Title {version.ref}", **answer}, SIZE)

    def fetch(self) -> dict[bytes, Any]:
        return self.cards.fetch(self.versions, Deadline(LATER))


@pytest.fixture
def shelf(tmp_path: Path, offline: OfflineMarket) -> Shelf:
    return Shelf(tmp_path / "cards.sqlite", offline, 3)


def test_fetch__cards_are_there__are_kept_for_the_next_time(shelf: Shelf) -> None:
    assert shelf.cards.known(shelf.ids) == {}
    found = shelf.fetch()
    assert found[shelf.ids[0]].searched == "title 1@1 words"
    assert found[shelf.ids[0]].content == {"title": "Title 1@1", **CARD}
    assert found[shelf.ids[0]].size == SIZE
    assert sorted(shelf.asked) == ["1@1", "2@1", "3@1"]
    assert shelf.cards.known(shelf.ids) == found
    assert shelf.cards.known(shelf.ids[1:2]) == {shelf.ids[1]: found[shelf.ids[1]]}


def test_fetch__wrong_card__is_never_looked_for_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.answers["2@1"] = MalformedError("no card")
    assert shelf.fetch()[shelf.ids[1]] is None
    monkeypatch.setattr(read_once.time, "time", lambda: time.monotonic() + 10**12)
    assert shelf.cards.known(shelf.ids)[shelf.ids[1]] is None


def test_fetch__card_nowhere_to_be_had__is_looked_for_again_after_a_while(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.answers["2@1"] = BlockNotFoundError("nobody has it")
    assert shelf.fetch()[shelf.ids[1]] is None
    now = time.time()
    monkeypatch.setattr(read_once.time, "time", lambda: now + read_once.RETRY_SECONDS - 5)
    assert shelf.cards.known(shelf.ids)[shelf.ids[1]] is None
    monkeypatch.setattr(read_once.time, "time", lambda: now + read_once.RETRY_SECONDS + 5)
    assert shelf.ids[1] not in shelf.cards.known(shelf.ids)
    del shelf.answers["2@1"]
    assert shelf.fetch()[shelf.ids[1]].searched == "title 2@1 words"


def test_fetch__a_storage_that_hangs__goes_on_without_its_card(shelf: Shelf) -> None:
    release = shelf.answers["2@1"] = threading.Event()
    try:
        found = shelf.cards.fetch(shelf.versions, Deadline(1.0))
    finally:
        release.set()
    assert set(found) == {shelf.ids[0], shelf.ids[2]}


def test_fetch__did_not_come_in_time__goes_on_and_is_there_later(shelf: Shelf) -> None:
    release = shelf.answers["2@1"] = threading.Event()
    assert shelf.ids[1] not in shelf.cards.fetch(shelf.versions, Deadline(0.2))
    shelf.answers["2@1"] = {}
    release.set()
    found = shelf.cards.fetch(shelf.versions[1:2], Deadline(LATER))  # as it is read, not again
    assert found == {shelf.ids[1]: None}
    assert shelf.asked.count("2@1") == 1


def test_fetch__asked_for_later__is_read_before_what_still_waits(
    tmp_path: Path, offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_once, "_READERS", 1)
    shelf = Shelf(tmp_path / "cards.sqlite", offline, 4)
    release = shelf.answers["1@1"] = threading.Event()
    shelf.cards.fetch(shelf.versions[:3], Deadline(0))
    wait_for(lambda: shelf.asked, "the first card to be asked for")
    shelf.cards.fetch(shelf.versions[3:], Deadline(0))
    release.set()
    assert len(shelf.cards.fetch(shelf.versions, Deadline(LATER))) == 4
    assert shelf.asked == ["1@1", "4@1", "2@1", "3@1"]


def test_fetch__session_was_closed__ends_without_a_card(shelf: Shelf) -> None:
    shelf.answers["2@1"] = RuntimeError("the client has been closed")
    assert shelf.fetch()[shelf.ids[1]] is None


def test_fetch__counts_that_sellers_made_up__are_left_out(shelf: Shelf) -> None:
    shelf.answers |= {
        "1@1": {"counts": [{"rows": 3, "files": True}, {"rows": -1, "files": 2}, "x"]},
        "2@1": {"counts": "many"},
        "3@1": {"counts": [{"rows": 2**63 - 1}, {"rows": 2**63 - 1}]},
    }
    found = [shelf.fetch()[terms_id] for terms_id in shelf.ids]
    assert [(card.rows, card.files) for card in found if card] == [(3, 2), (None, None), (None, 0)]


def test_fetch__no_patience_left__asks_nobody_twice(shelf: Shelf) -> None:
    found = shelf.cards.fetch(shelf.versions, Deadline(-1))
    assert set(found) <= set(shelf.ids)
    assert len(shelf.asked) <= 3


def test_fetch__large_card__is_searched_but_not_kept(shelf: Shelf) -> None:
    shelf.answers["2@1"] = {"extra": "x" * 70_000}
    shelf.fetch()
    card = shelf.cards.known(shelf.ids)[shelf.ids[1]]
    assert card is not None
    assert (card.searched, card.content) == ("title 2@1 words", None)


def test_fetch__nothing_to_fetch__is_nothing(shelf: Shelf) -> None:
    assert shelf.cards.fetch([], Deadline(0)) == {}


def test_read__some_are_known__reads_only_the_others(shelf: Shelf) -> None:
    shelf.cards.fetch(shelf.versions[:2], Deadline(LATER))
    found = shelf.cards.read(shelf.versions, Deadline(LATER))
    assert sorted(shelf.asked) == ["1@1", "2@1", "3@1"]
    assert [card.title for card in map(found.get, shelf.ids) if card] == [
        "Title 1@1",
        "Title 2@1",
        "Title 3@1",
    ]


def test_known__file_is_something_else__says_what_to_do(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "cards.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(ConfigError, match="remove it"):
        shelf.cards.known(shelf.ids)


def test_fetch__others_write_too__waits_for_its_turn(shelf: Shelf, tmp_path: Path) -> None:
    shelf.fetch()
    other = sqlite3.connect(tmp_path / "cards.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(shelf.fetch()))
    thread.start()
    time.sleep(0.2)
    assert not done
    other.execute("COMMIT")
    other.close()
    thread.join(30)
    assert len(done[0]) == 3
