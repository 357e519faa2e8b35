# SPDX-License-Identifier: Apache-2.0
"""A bounty given to its relay: who may join, and what it lacks."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.utils.bounties import REF, make_document, make_terms
from truthmark.bounty.flows import offering
from truthmark.bounty.flows.offering import has_to_offer, offer_of, offer_to
from truthmark.bounty.items import DATA_NAME, MANIFEST_NAME
from truthmark.bounty.relay_models import code_hash
from truthmark.bounty.secrets import RequesterSecrets
from truthmark.bounty.workspace import Guest, Workspace
from truthmark.errors import BountyError

SECRETS = RequesterSecrets(b"\x11" * 32)


class Relay:
    url = "http://relay"

    def __init__(self, missing: list[str]) -> None:
        self.account, self.missing = make_terms().relay, missing
        self.offers: list[Any] = []
        self.brought: list[Any] = []

    def info(self) -> Any:
        return SimpleNamespace(account=self.account)

    def offer(self, ref: Any, terms_hash: bytes, offer: Any, sign_typed: Any) -> Any:
        self.offers.append(offer)
        return SimpleNamespace(missing=self.missing)

    def put_document(self, bounty_id: int, document: Any) -> None:
        self.brought.append(document)

    def put_manifest(self, bounty_id: int, path: Path) -> None:
        self.brought.append(path.name)

    def put_data(self, bounty_id: int, path: Path, progress: Any) -> None:
        self.brought.append(path.name)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(offering, "find_secrets", lambda vault, key: SECRETS)
    made = Workspace(tmp_path)
    made.save_document(make_document())
    made.save_terms(make_terms())
    made.save_ref(REF)
    return made


def offer(mine: Workspace, relay: Relay) -> None:
    signer = SimpleNamespace(sign_typed=None)
    session: Any = SimpleNamespace(vault=None, signer=signer)
    offer_to(relay, session, mine)  # type: ignore[arg-type]


def test_offer_to__relay_lacks_all__gets_it_and_is_told_who_may_join(mine: Workspace) -> None:
    mine.save_guests(
        [Guest("Ann", account="0x" + "aa" * 20), Guest("Bo", code="abcdefgh")], ["https://x.y"]
    )
    relay = Relay(["document", "manifest", "data"])
    assert has_to_offer(mine, SECRETS, relay.url)
    offer(mine, relay)
    assert relay.brought == [mine.document, MANIFEST_NAME, DATA_NAME]
    (told,) = relay.offers
    assert told.items_secret == SECRETS.items_secret
    assert [(guest.name, guest.account.lower()) for guest in told.invited] == [
        ("Ann", "0x" + "aa" * 20)
    ]
    assert [(i.name, i.code_hash) for i in told.invitations] == [("Bo", code_hash("abcdefgh"))]
    assert (told.webhooks, told.number > 0) == (["https://x.y"], True)
    assert not has_to_offer(mine, SECRETS, relay.url)
    assert has_to_offer(mine, SECRETS, "http://another")


def test_offer_to__has_all__nothing_is_brought(mine: Workspace) -> None:
    relay = Relay([])
    offer(mine, relay)
    assert (relay.brought, len(relay.offers)) == ([], 1)


def test_has_to_offer__guests_changed__again(mine: Workspace) -> None:
    offer(mine, Relay([]))
    mine.save_guests([Guest("Cy", code="12345678")])
    assert has_to_offer(mine, SECRETS, "http://relay")


def test_offer_of__public_items__no_secret_is_told(mine: Workspace) -> None:
    document = make_document()
    mine.save_document(replace(document, items=replace(document.items, encrypted=False)))
    assert offer_of(mine, SECRETS).items_secret is None


def test_offer_to__another_relay_or_not_on_chain__refused(mine: Workspace) -> None:
    relay = Relay([])
    relay.account = "0x" + "99" * 20
    with pytest.raises(BountyError, match="the terms name"):
        offer(mine, relay)
    (mine.folder / "bounty.json").unlink()
    with pytest.raises(BountyError, match="no bounty on chain"):
        offer(mine, Relay([]))
    assert not relay.offers
