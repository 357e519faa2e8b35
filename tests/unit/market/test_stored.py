# SPDX-License-Identifier: Apache-2.0
"""What may be freed: no older version on which the sample of one that is sold builds."""

from pathlib import Path
from typing import Any

import pytest

from tests.utils.offline_market import OfflineMarket
from tests.utils.previews import PreviewMarket, make
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.records import VersionStatus
from truthmark.market.stored import _Finder


@pytest.mark.parametrize("newest", [VersionStatus.OPEN, VersionStatus.CLOSED])
@pytest.mark.parametrize("is_named", [True, False])
def test_judge__older_version_that_is_sold_no_more__stays_while_a_newer_one_builds_on_it(
    offline: OfflineMarket,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    newest: VersionStatus,
    is_named: bool,
) -> None:
    market = PreviewMarket(offline)
    first = make({"a.parquet": 20})
    older = market.list_version(first, 1, 1)
    previous = [first.forged.manifest.cid] if is_named else []
    newer = market.list_version(make({"a.parquet": 20}, previous=previous, after=50), 1, 2)
    stands = {older.terms_id: VersionStatus.CLOSED, newer.terms_id: newest}
    finder = finder_of(market, monkeypatch, tmp_path, stands, [older, newer])
    kind, why, is_needed = finder._judge(older)
    assert kind == "listing"
    assert is_needed == (is_named and newest is VersionStatus.OPEN)
    assert ("a newer version takes over from it" in why) == is_needed


def test_judge__ended_listing_whose_versions_name_all_older_ones__reads_each_card_once(
    offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    market = PreviewMarket(offline)
    versions, cids = [], []
    for number in range(1, 9):
        made = make({"a.parquet": 20}, previous=cids[::-1], after=50 * number)
        versions.append(market.list_version(made, 1, number))
        cids.append(made.forged.manifest.cid)
    stands = {version.terms_id: VersionStatus.CLOSED for version in versions}
    finder = finder_of(market, monkeypatch, tmp_path, stands, versions)
    before = len(market.shelf.read)
    assert not any(finder._judge(version)[2] for version in versions)
    assert len(market.shelf.read) - before <= 2 * len(versions)  # of each manifest and card


def finder_of(
    market: PreviewMarket,
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    stands: dict[bytes, VersionStatus],
    versions: list[Version],
) -> Any:
    """Return what the seller's machine finds out with."""
    monkeypatch.setattr(Catalogue, "status", lambda self, version: (stands[version.terms_id], 0))
    monkeypatch.setattr(Catalogue, "states", lambda self, epochs: [])
    finder: Any = object.__new__(_Finder)
    finder._session, finder._store, finder._home = market.session, market.shelf, home
    finder._kept, finder._accounts = set(), {versions[0].terms.seller.lower()}
    finder._all = {version.terms_id: version for version in versions}
    finder._judged, finder._named = {}, {}
    return finder
