# SPDX-License-Identifier: Apache-2.0
"""Papers fetched by their names: whole and checked, within limits, and going on after a break."""

from pathlib import Path

import pytest

from tests.utils.relays import Papers as Brought
from tests.utils.relays import make_papers, team_terms
from truthmark.bounty.terms import Terms
from truthmark.errors import LimitError, StorageError
from truthmark.node.relay import fetching
from truthmark.node.relay.fetching import fetch_papers
from truthmark.node.relay.papers import KINDS, Papers
from truthmark.node.relay.refusals import RefusedError
from truthmark.storage.local import LocalStore


def no_check(done: int, total: int) -> None:
    """Stop nothing."""


def terms_of(brought: Brought) -> Terms:
    who = "0x" + "11" * 20
    return team_terms(brought.document, requester=who, token=who, relay=who)


@pytest.fixture
def brought(tmp_path: Path) -> Brought:
    return make_papers(tmp_path / "papers")


@pytest.fixture
def storage(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def fill(storage: LocalStore, brought: Brought) -> None:
    assert storage.put(brought.document.to_bytes()) == brought.document.cid
    assert storage.put(brought.manifest) == brought.document.items.manifest
    assert storage.put(brought.data) == brought.document.items.data


def test_fetch__all_in_storage__papers_are_there_and_right(
    brought: Brought, storage: LocalStore, tmp_path: Path
) -> None:
    terms, papers = terms_of(brought), Papers(tmp_path / "relay", 1 << 20)
    with pytest.raises(StorageError):
        fetch_papers(papers, storage, 7, terms, check=no_check)
    fill(storage, brought)
    fetch_papers(papers, storage, 7, terms, check=no_check)
    assert not papers.missing(7, terms)
    assert papers.document(7, terms) == brought.document
    for kind, path in (("manifest", brought.manifest), ("data", brought.data)):
        assert papers.path(7, terms, kind).read_bytes() == path.read_bytes()
    length, pieces = papers.item(7, terms, 3)
    assert len(b"".join(pieces)) == length
    kept = {path.name for path in papers.path(7, terms, "data").parent.iterdir()}
    assert kept == {papers.path(7, terms, kind).name for kind in KINDS}


def test_fetch__too_large_or_too_slow__refused_and_gone_on_with(
    brought: Brought, storage: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(storage, brought)
    terms = terms_of(brought)
    small = Papers(tmp_path / "small", brought.data.stat().st_size - 1)
    with pytest.raises(RefusedError, match="this relay takes"):
        fetch_papers(small, storage, 7, terms, check=no_check)
    assert small.missing(7, terms) == ["data"]
    papers = Papers(tmp_path / "relay", 1 << 20)
    monkeypatch.setattr(fetching, "FETCH_SECONDS", 0.0)
    with pytest.raises(StorageError, match="too slowly"):
        fetch_papers(papers, storage, 7, terms, check=no_check)
    monkeypatch.undo()
    fetch_papers(papers, storage, 7, terms, check=no_check)
    assert not papers.missing(7, terms)


def test_fetch__longer_than_its_list_says__refused(
    brought: Brought, storage: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(storage, brought)
    terms, papers = terms_of(brought), Papers(tmp_path / "relay", 1 << 20)
    monkeypatch.setattr(Papers, "limit", lambda self, bounty_id, terms, kind: 10)
    with pytest.raises(LimitError):
        fetch_papers(papers, storage, 7, terms, check=no_check)
    assert papers.missing(7, terms) == [*KINDS]
