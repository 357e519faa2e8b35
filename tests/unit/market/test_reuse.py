# SPDX-License-Identifier: Apache-2.0
"""Shards that another listing had first are flagged; an own older version's are not."""

from typing import Any

import pytest

from tests.utils.offline_market import OfflineMarket, address
from truthmark.hashing import sha256
from truthmark.market import reuse
from truthmark.market.reuse import Hashes, ShardHashes, find_reuse
from truthmark.waiting import Deadline

HONEST, COPYCAT = address(0xA0), address(0xA1)


class FakeIndex:
    """Shards by name: the same name, the same ciphertext and key."""

    def __init__(self, ciphertexts: str, keys: str) -> None:
        self.count = len(ciphertexts)
        self._ciphertexts, self._keys = ciphertexts, keys

    def sha256(self, i: int) -> bytes:
        return sha256(b"c" + self._ciphertexts[i].encode())

    def key_hash(self, i: int) -> bytes:
        return sha256(b"k" + self._keys[i].encode())


@pytest.fixture
def listed(offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what lists shards under a number, and says what is found reused in them."""
    indices: dict[bytes, FakeIndex] = {}
    monkeypatch.setattr(reuse.Fetcher, "index", lambda _, version: indices[version.terms_id])

    def put(
        listing: int, ciphertexts: str, keys: str, number: int = 1, seller: str = HONEST
    ) -> list[tuple[str, int, int, bool]]:
        terms = offline.list_version(listing, number, seller=seller, shard_count=len(ciphertexts))
        indices[terms.terms_id] = FakeIndex(ciphertexts, keys)
        version = offline.catalogue.with_terms(terms.terms_id)
        found = find_reuse(offline.session, version, Deadline(30))
        return [(it.older.ref, it.shards, it.count, it.is_sellers) for it in found]

    return put


def test_find_reuse__ciphertext_or_keys_of_another__is_flagged_where_it_is_newer(
    listed: Any,
) -> None:
    assert listed(1, "abcd", "ABCD") == []
    assert listed(2, "abxy", "PQXY", seller=COPYCAT) == [("1@1", 2, 4, False)]  # its ciphertext
    # The same keys over other ciphertext, of both; and one shard by both counts once.
    assert listed(3, "mnax", "CDAX", seller=COPYCAT) == [("1@1", 3, 4, False), ("2@1", 2, 4, True)]


def test_find_reuse__next_version_of_the_listing__took_its_shards_over(listed: Any) -> None:
    listed(1, "abcd", "ABCD")
    assert listed(1, "abcde", "ABCDE", number=2) == []
    assert listed(2, "ae", "AE", seller=COPYCAT) == [("1@2", 2, 2, False), ("1@1", 1, 2, False)]


def test_find_reuse__own_data_listed_again__says_that_it_is_the_same_account(listed: Any) -> None:
    listed(1, "abcd", "ABCD")
    assert listed(2, "a", "A") == [("1@1", 1, 1, True)]


def test_find_reuse__larger_than_is_compared__finds_nothing_and_fetches_nothing(
    listed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(1, "ab", "AB")
    monkeypatch.setattr(reuse, "MAX_SHARDS", 1)
    assert listed(2, "ab", "AB", seller=COPYCAT) == []


def test_hashes__of_an_index__keep_eight_bytes_a_shard() -> None:
    index: Any = FakeIndex("ab", "AB")
    found = Hashes.of(index)
    assert found.ciphertexts == index.sha256(0)[:8] + index.sha256(1)[:8]
    assert len(found.keys) == 16
    assert ShardHashes.kind is Hashes
