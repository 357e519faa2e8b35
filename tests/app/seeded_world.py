# SPDX-License-Identifier: Apache-2.0
"""A seeded network with a stranger who means harm, as fixtures: `net`, `world`, …"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.app.conftest import Start, opener
from tests.app.serving import serve
from tests.app.windows import open_context, open_window
from tests.utils.bounties import make_document
from tests.utils.devnets import open_devnet
from tests.utils.injections import HOSTILE
from tests.utils.posting import post_team
from truthmark.bounty.document import Document, LabelClass
from truthmark.bounty.flows.labeling import Labeling
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.workspace import Workspace
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Purchase
from truthmark.session import Session, open_session
from truthmark.testing.network import Devnet, role_address
from truthmark.testing.seeding import Seeded


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with open_devnet(tmp_path_factory.mktemp("seeded") / "net", block_time=1) as started:
        yield started


@pytest.fixture(scope="module")
def steps() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def seeded(net: Devnet, steps: list[tuple[int, int]]) -> Seeded:
    return net.seed(lambda done, total: steps.append((done, total)))


@pytest.fixture(scope="module")
def observer(net: Devnet, seeded: Seeded) -> Iterator[Session]:
    # One that begins with an empty index.
    with net.session("watch") as session:
        Catalogue.of(session).sync()
        yield session


def purchase_of(observer: Session, seeded: Seeded, name: str) -> Purchase:
    """Return the purchase that the seed calls so."""
    role, ref = seeded.purchases[name]
    catalogue = Catalogue.of(observer)
    bought = catalogue.purchases(terms_id=catalogue.version(ref).terms_id)
    (found,) = (purchase for purchase in bought if purchase.receipt.buyer == role_address(role))
    return found


# As the label page keeps it, in the origin's own storage.
_PRACTICED = """
([board, number]) => new Promise((done) => {
  const asked = indexedDB.open('truthmark-label', 1);
  asked.onupgradeneeded = () => asked.result.createObjectStore('values');
  asked.onsuccess = () => {
    const kept = asked.result.transaction('values', 'readwrite');
    const name = `31337/${board.toLowerCase()}/${number}/page/practice`;
    kept.objectStore('values').put({right: 9, of: 10, seconds: 2.5}, name);
    kept.oncomplete = () => { asked.result.close(); done(); };
  };
})
"""


@dataclass
class World:
    """A seeded network, with bounties of a stranger who means harm."""

    net: Devnet
    seeded: Seeded
    hostile: list[int]

    def __getitem__(self, name: str) -> str:
        return str(self.seeded.bounties[name])

    def labeler_home(self, number: object) -> Path:
        """Return the home of the program that labels a bounty for `labeler`."""
        (home,) = (self.net.folder / "seeds" / "labelers").glob(f"{number}-reader-0")
        return home

    def bring_labeling(self, name: str) -> None:
        """Put into the home of `labeler` what that program has of its labeling."""
        home = self.labeler_home(self[name])
        for folder in ("labeling", "vault"):
            there = self.net.home("labeler") / folder
            shutil.copytree(home / folder, there, dirs_exist_ok=True)

    def workspace(self, name: str) -> Workspace:
        """Return what the requester keeps of a bounty."""
        board = self.net.profile.contracts["bounty_board"].address
        return Workspace.find(self.net.home("requester"), BountyRef(31337, board, int(self[name])))

    def keep_practice(self, window: Page, name: str) -> None:
        """Leave in a browser what its label page keeps of a practice."""
        window.evaluate(
            _PRACTICED, [self.net.profile.contracts["bounty_board"].address, self[name]]
        )

    def recovery(self, number: int) -> dict[str, Any]:
        """Return the recovery file of who labels a bounty in that home, as a browser saves it."""
        with open_session(self.labeler_home(number)) as session:
            desk = Labeling(session, number)._desk
            entry, key, ref = desk.entry, desk.key(""), desk.ref
        assert entry is not None
        return {
            "format": "truthmark/sitting/1",
            "ref": {"chainId": ref.chain_id, "board": ref.board.lower(), "bountyId": number},
            "entries": {
                "device": {"privateKey": f"0x{key.hex()}", "address": entry.signer.lower()},
                "page/wish": {"payee": entry.payee.lower(), "seats": entry.seats},
            },
        }


@pytest.fixture(scope="module")
def world(net: Devnet, seeded: Seeded) -> World:
    net.start_relay()
    with net.session("stranger") as stranger:
        hostile = [post_team(stranger, document) for document in hostile_documents()]
    return World(net, seeded, hostile)


def hostile_documents() -> Iterator[Document]:
    """Yield documents in which each of the texts stands in each field that a stranger fills."""
    lines = [text for text in HOSTILE if text.isprintable() and len(text) <= 100]
    assert len(lines) >= 40
    for start in range(0, len(lines), 12):
        part = lines[start : start + 12]
        yield make_document(
            title=" ".join(part)[:200],
            guidelines="\n\n".join([*part, *HOSTILE]),
            classes=tuple(LabelClass(text) for text in part),
            flags=tuple(part[:10]),
            licence=" ".join(part),
            examples=(),
            practice=(),
            # Where something would be asked, if a page did.
            relay_urls=("https://evil.example/'onclick='alert(1)",),
        )


@pytest.fixture
def start(world: World, monkeypatch: pytest.MonkeyPatch) -> Start:
    return opener(world.net, monkeypatch, page="bounties", role="labeler")


@pytest.fixture(scope="module")
def url(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("app") / "app.log"
    with serve(world.net.home("labeler"), log) as here:
        yield here


@pytest.fixture(scope="module")
def phone(browser: Browser) -> Iterator[BrowserContext]:
    with open_context(browser, 390, 844) as context:
        yield context


@pytest.fixture
def window(phone: BrowserContext, url: str) -> Iterator[Page]:
    with open_window(phone, url) as opened:
        yield opened


@pytest.fixture
def undone(world: World) -> Iterator[None]:
    """Take back what a test does to the chain: a draw is for all labelers beside each other."""
    rpc = world.net.chain.rpc
    before = rpc("evm_snapshot")
    yield
    assert rpc("evm_revert", before)
