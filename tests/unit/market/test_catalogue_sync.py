# SPDX-License-Identifier: Apache-2.0
"""When a catalogue looks at the chain by itself, and when it does not."""

from types import SimpleNamespace
from typing import Any

import pytest

from truthmark.errors import ConfigError, NotForSaleError
from truthmark.market.catalogue import Catalogue


@pytest.fixture
def looks() -> list[str]:
    return []


@pytest.fixture
def catalogue(looks: list[str], monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Provide one of an empty index, whose looks at the chain are counted."""
    monkeypatch.setattr("truthmark.market.catalogue.find_versions", lambda index, wanted: [])
    monkeypatch.setattr("truthmark.market.catalogue.find_tokens", lambda index: [])
    index = SimpleNamespace(events=lambda *_, **__: [])
    follower: Any = SimpleNamespace(index=index, sync=lambda: looks.append("sync"))
    chain: Any = SimpleNamespace(profile=SimpleNamespace(name="paper", contracts={}))
    return Catalogue(chain, follower)


def test_reads__of_a_new_catalogue__bring_the_index_up_to_date_once(
    catalogue: Catalogue, looks: list[str]
) -> None:
    assert looks == []
    assert catalogue.versions() == []
    assert catalogue.tokens() == []
    assert catalogue.purchases() == []
    assert looks == ["sync"]


def test_reads__after_sync_by_hand__do_not_look_again(
    catalogue: Catalogue, looks: list[str]
) -> None:
    catalogue.sync()
    assert catalogue.versions() == []
    assert looks == ["sync"]


def test_find__each_time__looks_at_the_chain_once(catalogue: Catalogue, looks: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(NotForSaleError, match="no dataset 17 here"):
            catalogue.find("17")
    assert looks == ["sync", "sync"]


def test_find__no_name__asks_the_chain_nothing(catalogue: Catalogue, looks: list[str]) -> None:
    with pytest.raises(ConfigError, match="names no dataset"):
        catalogue.find("seventeen")
    assert looks == []
