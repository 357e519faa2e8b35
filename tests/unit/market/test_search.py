# SPDX-License-Identifier: Apache-2.0
"""`search` over an index and a storage, both without a chain; hostile sellers among the others."""

import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import truthmark
from tests.utils.drafts import scalar
from tests.utils.offline_market import EURO, OfflineMarket, address, kept, listed, make_terms
from truthmark.cid import CID, raw_cid
from truthmark.codec import Manifest, pack, read_manifest
from truthmark.errors import CodecError, ConfigError, StorageError
from truthmark.hashing import sha256
from truthmark.keys.curve import multiply
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.terms import licence_hash
from truthmark.market.fetch import Fetcher
from truthmark.market.records import Terms
from truthmark.storage import LocalStore

KEY = multiply(scalar("search"))


class CardMarket:
    """A offline market whose cards are in a storage of this machine."""

    def __init__(self, offline: OfflineMarket, folder: Path) -> None:
        self.offline = offline
        self.folder = folder
        self.session = offline.session
        self.store = LocalStore(folder / "store")
        self.session.__dict__["storage"] = self.store
        frame = pd.DataFrame({"a": [1, 2, 3]})
        pack(
            frame,
            folder / "packed",
            cek=secrets.token_bytes(32),
            public_key=KEY,
            licence="MIT",
            title="t",
        )
        self.manifest = read_manifest(folder / "packed")
        self.card = json.loads((folder / "packed" / "card.json").read_text())
        self.count = 0

    def put(self, data: bytes) -> CID:
        return self.store.put(data, chunk=1 << 20)

    def sell(self, title: str = "Digits", description: str = "", **changes: Any) -> Terms:
        """List a data set with a card that says this."""
        from truthmark.codec.manifest import to_canonical_json

        card = to_canonical_json({**self.card, "title": title, "description": description}, "card")
        return self.sell_card(card, **changes)

    def sell_card(self, card: bytes, **changes: Any) -> Terms:
        return self.sell_manifest(
            _with(self.manifest, card=self.put(card), card_size=len(card)).to_bytes(), **changes
        )

    def sell_manifest(self, data: bytes, keep: bool = True, **changes: Any) -> Terms:
        if keep:
            self.store.put_block(raw_cid(sha256(data)), data)
        self.count += 1
        price = changes.pop("price", 1_000_000)
        listing, number = changes.pop("place", (self.count, 1))
        terms = make_terms(
            self.count,
            **{
                "manifest": sha256(data),
                "root": self.manifest.root,
                "shard_count": self.manifest.count,
                "public_key": KEY,
                "licence": licence_hash("MIT"),
                "bond": self.count,  # the same terms are never listed twice
            }
            | changes,
        )
        self.offline.log("registry", "VersionListed", **listed(terms, listing, number, price))
        self.offline.log_all(kept(terms))
        return terms

    def search(self, text: str = "", **options: Any) -> list[str]:
        return [hit.version.ref for hit in truthmark.search(text, session=self.session, **options)]


def _with(manifest: Manifest, **changes: Any) -> Manifest:
    return replace(manifest, **changes)


@pytest.fixture
def card_market(offline: OfflineMarket, tmp_path: Path) -> CardMarket:
    return CardMarket(offline, tmp_path)


def test_search__words__are_looked_for_in_title_and_description(card_market: CardMarket) -> None:
    card_market.sell("Handwritten Digits", "from a bank")
    card_market.sell("Reviews", "of Films")
    card_market.sell("Digits again", "printed")
    assert card_market.search() == ["3@1", "2@1", "1@1"]
    assert card_market.search("digits") == ["3@1", "1@1"]
    assert card_market.search("BANK digits") == ["1@1"]
    assert card_market.search("film") == ["2@1"]
    assert card_market.search("cats") == []


def test_search__hit__has_the_card_and_what_is_for_sale(card_market: CardMarket) -> None:
    terms = card_market.sell("Digits", price=5)
    (hit,) = truthmark.search(session=card_market.session)
    assert (hit.title, hit.version.terms, hit.version.price) == ("Digits", terms, 5)
    assert hit.card["licence"] == "MIT"


def test_search__filters__count_together(card_market: CardMarket) -> None:
    card_market.sell("a", price=9_000_000)
    card_market.sell("a", price=10_000_000, seller=address(0xB0))
    card_market.sell("a", price=1, token=EURO.address)
    assert card_market.search(max_price="9 TUSD") == ["1@1"]
    assert card_market.search(token="teur") == ["3@1"]
    assert card_market.search(seller=address(0xB0).lower()) == ["2@1"]
    assert card_market.search(max_price="10 TUSD", seller=address(0xB0), text="b") == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"token": "GOLD"}, "does not list a token GOLD"),
        ({"max_price": "cheap"}, "is not an amount"),
        ({"seller": "me"}, "is not an address"),
        ({"token": "TEUR", "max_price": "5 TUSD"}, "name one token only"),
    ],
)
def test_search__unclear_filter__says_what_is_wrong(
    card_market: CardMarket, options: dict[str, str], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        card_market.search(**options)


def test_search__pages__go_on_where_the_last_ended(card_market: CardMarket) -> None:
    for n in range(7):
        card_market.sell("even" if n % 2 else "odd")
    first = truthmark.search("odd", limit=2, session=card_market.session)
    assert [hit.version.ref for hit in first] == ["7@1", "5@1"]
    assert first.is_cut
    rest = truthmark.search(
        "odd", limit=2, older_than=first[-1].version.listing_id, session=card_market.session
    )
    assert [hit.version.ref for hit in rest] == ["3@1", "1@1"]
    assert not rest.is_cut


def test_search__more_than_one_step__finds_all_in_order(
    card_market: CardMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("truthmark.market.surface._SEARCH_STEP", 2)
    for _ in range(5):
        card_market.sell()
    assert card_market.search("digits") == ["5@1", "4@1", "3@1", "2@1", "1@1"]
    assert card_market.search(limit=3) == ["5@1", "4@1", "3@1"]


def test_search__again__reads_no_card_a_second_time(
    card_market: CardMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    card_market.sell()
    card_market.sell()
    assert len(card_market.search()) == 2
    monkeypatch.setattr(Fetcher, "preview", _refuse)
    assert len(card_market.search("digits")) == 2


def _refuse(self: Fetcher, version: object) -> dict[str, Any]:
    raise AssertionError("it was read before")


def test_search__large_card__is_read_again_where_it_is_shown(card_market: CardMarket) -> None:
    card_market.card["extra"] = {"notes": "x" * 70_000}
    card_market.sell()
    for _ in range(2):
        (hit,) = truthmark.search("digits", session=card_market.session)
        assert hit.card["extra"] == card_market.card["extra"]


def test_search__no_patience__says_how_many_may_be_missing(card_market: CardMarket) -> None:
    card_market.sell()
    card_market.sell()
    hits = truthmark.search(patience=-1, session=card_market.session)
    assert len(hits) + hits.pending == 2
    again = truthmark.search(session=card_market.session)
    assert (len(again), again.pending) == (2, 0)


# ------------------------------------------------------------------ hostile sellers


def cards_nobody_can_read(card_market: CardMarket) -> dict[str, Any]:
    manifest = card_market.manifest
    absent = raw_cid(sha256(b"nobody has this"))
    bomb = card_market.put(b"{" * 3_000_000)
    plain = json.dumps(card_market.card).encode()
    return {
        "no manifest anywhere": lambda: card_market.sell_manifest(b"{}" * 9, keep=False),
        "manifest that is none": lambda: card_market.sell_manifest(b"\xff\x00"),
        "manifest of another root": lambda: card_market.sell(root=bytes([7]) * 32),
        "manifest of another key": lambda: card_market.sell(public_key=multiply(5)),
        "manifest of another licence": lambda: card_market.sell(licence=bytes(32)),
        "manifest of other shards": lambda: card_market.sell(shard_count=99),
        "card nowhere": lambda: card_market.sell_manifest(
            _with(manifest, card=absent, card_size=100).to_bytes()
        ),
        "card said to be endless": lambda: card_market.sell_manifest(
            _with(manifest, card=bomb, card_size=2**48).to_bytes()
        ),
        "card too large": lambda: card_market.sell_manifest(
            _with(manifest, card=bomb, card_size=3_000_000).to_bytes()
        ),
        "card cut off": lambda: card_market.sell_manifest(_with(manifest, card_size=7).to_bytes()),
        "card that is not JSON": lambda: card_market.sell_card(b"\x00"),
        "card that is deep": lambda: card_market.sell_card(b"[" * 5_000 + b"]" * 5_000),
        "card without a title": lambda: card_market.sell_card(b'{"format":"tmk1-card"}'),
        "card with half a character": lambda: card_market.sell_card(
            plain.replace(b'"title": "t"', b'"title": "\\ud800"')
        ),
    }


CASES = [
    *("no manifest anywhere", "manifest that is none", "manifest of another root"),
    *("manifest of another key", "manifest of another licence", "manifest of other shards"),
    *("card nowhere", "card said to be endless", "card too large", "card cut off"),
    *("card that is not JSON", "card that is deep", "card without a title"),
    "card with half a character",
]


def test_search__hostile_listings__are_left_out_and_harm_nobody(card_market: CardMarket) -> None:
    cases = cards_nobody_can_read(card_market)
    assert list(cases) == CASES
    card_market.sell("first")
    for sell in cases.values():
        sell()
    card_market.sell("last")
    assert card_market.search() == [f"{len(CASES) + 2}@1", "1@1"]
    assert card_market.search("first") == ["1@1"]


@pytest.mark.parametrize("case", CASES)
def test_card__hostile_listing__is_refused_in_one_line(card_market: CardMarket, case: str) -> None:
    cards_nobody_can_read(card_market)[case]()
    with pytest.raises((CodecError, StorageError)) as caught:
        truthmark.card("1", session=card_market.session)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_card__is_there__is_the_sellers(card_market: CardMarket) -> None:
    card_market.sell("Digits", "of a bank")
    card = truthmark.card("1@1", session=card_market.session)
    assert (card["title"], card["description"]) == ("Digits", "of a bank")


def test_search__title_is_markup__is_data_like_any_other(card_market: CardMarket) -> None:
    title = "<script>'; DROP TABLE cards; --%_"
    card_market.sell(title)
    assert card_market.search("drop table") == ["1@1"]
    assert card_market.search("%") == ["1@1"]
    assert truthmark.search(session=card_market.session)[0].title == title


def test_dataset_uri__of_a_version__is_found_by_it_and_not_elsewhere(
    card_market: CardMarket,
) -> None:
    from truthmark.market.surface import dataset_uri

    find = Catalogue.of(card_market.session).find

    card_market.sell()
    market = card_market.session.profile.contracts["market"].address
    card_market.offline.chain.market = type("Market", (), {"address": market})()
    uri = dataset_uri(card_market.session, card_market.offline.catalogue.version("1"))
    assert uri == f"truthmark://31337/{market}/1@1"
    assert find(uri).ref == "1@1"
    assert find(uri.lower().removesuffix("@1")).ref == "1@1"
    for elsewhere in (uri.replace("31337", "1"), uri.replace(market, address(0xCA))):
        with pytest.raises(ConfigError, match="not on the market of profile paper"):
            find(elsewhere)
    with pytest.raises(ConfigError, match="names no dataset"):
        find("truthmark://31337/1")
