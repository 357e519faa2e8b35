# SPDX-License-Identifier: Apache-2.0
"""What a node fetches for its custodies, and what must not wait for what."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from truthmark.errors import UnableError
from truthmark.market.preview import Preview, PreviewState
from truthmark.node import holdings as holdings_module
from truthmark.node import samples as samples_module
from truthmark.node.holdings import Holdings
from truthmark.node.status import Metrics, Notifier

SELLER = "0x" + "11" * 20


@pytest.fixture
def holdings(tmp_path: Path) -> Iterator[Holdings]:
    session: Any = SimpleNamespace(
        home=tmp_path, storage=None, profile=SimpleNamespace(block_time=1)
    )
    found = Holdings(session, "0x", metrics=Metrics(), notifier=Notifier())
    yield found
    found.close()


def held_of(number: int) -> Any:
    """A custody of one version of the seller's."""
    version = SimpleNamespace(terms_id=bytes([number]), terms=SimpleNamespace(seller=SELLER))
    return SimpleNamespace(name=f"v{number}", title="t", version=version, is_accepted=True)


def until_done(ask: Any) -> Any:
    for _ in range(200):
        if found := ask():
            return found
        time.sleep(0.01)
    return None


def test_sample__another_version_of_the_seller_is_being_fetched__does_not_wait(
    holdings: Holdings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a seller of something large makes all miss the time to extend."""
    is_over = threading.Event()
    monkeypatch.setattr(holdings._pinned, "keep", lambda *_: is_over.wait(30))
    shown = Preview(PreviewState.SHOWN, "all are as declared")
    monkeypatch.setattr(samples_module, "look", lambda *_: shown)
    monkeypatch.setattr(samples_module, "published_of", lambda *_: (0, 0))
    try:
        manifest: Any = None
        assert not holdings.has_bytes(held_of(1), manifest)
        assert until_done(lambda: holdings.sample(held_of(2))) == shown
    finally:
        is_over.set()


def test_has_bytes__older_versions_cannot_be_had__are_promised_ones_there_all_the_same(
    holdings: Holdings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def fails(*_: Any, most: float) -> None:
        asked.append(most)
        raise UnableError("this computer cannot tell")

    kept: list[bytes] = []
    monkeypatch.setattr(holdings_module, "blocks_of_older", fails)
    monkeypatch.setattr(holdings_module, "version_bytes", lambda manifest: 70)
    monkeypatch.setattr(holdings._pinned, "keep", lambda storage, terms, *_: kept.append(terms))
    held, manifest = held_of(1), cast("Any", None)
    assert until_done(lambda: holdings.has_bytes(held, manifest, most=100))
    assert until_done(lambda: asked) == [30]  # what the offer leaves
    assert holdings.has_bytes(held, manifest, most=100)
    assert kept == [held.version.terms_id]
