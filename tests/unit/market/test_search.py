# SPDX-License-Identifier: Apache-2.0
"""`search` over an index and a storage, both without a chain; hostile sellers among the others."""

import json
import secrets
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import truthmark
from tests.utils.drafts import scalar
from tests.utils.paper_market import EURO, Paper, address, kept, listed, make_terms
from truthmark.cid import CID, raw_cid
from truthmark.codec import Manifest, pack, read_manifest
from truthmark.errors import ConfigError
from truthmark.hashing import sha256
from truthmark.keys.curve import multiply
from truthmark.market.buyer import Buyer
from truthmark.market.drafts.terms import licence_hash
from truthmark.market.records import Terms
from truthmark.storage import LocalStore

KEY = multiply(scalar("search"))


class Stall:
    """A paper market whose cards are in a storage of this machine."""

    def __init__(self, paper: Paper, folder: Path) -> None:
        self.paper = paper
        self.folder = folder
        self.session = paper.session
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
        self.paper.log("registry", "VersionListed", **listed(terms, listing, number, price))
        self.paper.log_all(kept(terms))
        return terms

    def search(self, text: str = "", **options: Any) -> list[str]:
        return [hit.version.ref for hit in truthmark.search(text, session=self.session, **options)]


def _with(manifest: Manifest, **changes: Any) -> Manifest:
    from dataclasses import replace

    return replace(manifest, **changes)


@pytest.fixture
def stall(paper: Paper, tmp_path: Path) -> Stall:
    return Stall(paper, tmp_path)


def test_search__words__are_looked_for_in_title_and_description(stall: Stall) -> None:
    stall.sell("Handwritten Digits", "from a bank")
    stall.sell("Reviews", "of Films")
    stall.sell("Digits again", "printed")
    assert stall.search() == ["3@1", "2@1", "1@1"]
    assert stall.search("digits") == ["3@1", "1@1"]
    assert stall.search("BANK digits") == ["1@1"]
    assert stall.search("film") == ["2@1"]
    assert stall.search("cats") == []


def test_search__hit__has_the_card_and_what_is_for_sale(stall: Stall) -> None:
    terms = stall.sell("Digits", price=5)
    (hit,) = truthmark.search(session=stall.session)
    assert (hit.title, hit.version.terms, hit.version.price) == ("Digits", terms, 5)
    assert hit.card["licence"] == "MIT"


def test_search__filters__count_together(stall: Stall) -> None:
    stall.sell("a", price=9_000_000)
    stall.sell("a", price=10_000_000, seller=address(0xB0))
    stall.sell("a", price=1, token=EURO.address)
    assert stall.search(max_price="9 TUSD") == ["1@1"]
    assert stall.search(token="teur") == ["3@1"]
    assert stall.search(seller=address(0xB0).lower()) == ["2@1"]
    assert stall.search(max_price="10 TUSD", seller=address(0xB0), text="b") == []


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
    stall: Stall, options: dict[str, str], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        stall.search(**options)


def test_search__pages__go_on_where_the_last_ended(stall: Stall) -> None:
    for n in range(7):
        stall.sell("even" if n % 2 else "odd")
    first = truthmark.search("odd", limit=2, session=stall.session)
    assert [hit.version.ref for hit in first] == ["7@1", "5@1"]
    assert first.is_cut
    rest = truthmark.search(
        "odd", limit=2, older_than=first[-1].version.listing_id, session=stall.session
    )
    assert [hit.version.ref for hit in rest] == ["3@1", "1@1"]
    assert not rest.is_cut


def test_search__more_than_one_step__finds_all_in_order(
    stall: Stall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("truthmark.market.surface._SEARCH_STEP", 2)
    for _ in range(5):
        stall.sell()
    assert stall.search("digits") == ["5@1", "4@1", "3@1", "2@1", "1@1"]
    assert stall.search(limit=3) == ["5@1", "4@1", "3@1"]


def test_search__again__reads_no_card_a_second_time(
    stall: Stall, monkeypatch: pytest.MonkeyPatch
) -> None:
    stall.sell()
    stall.sell()
    assert len(stall.search()) == 2
    monkeypatch.setattr(Buyer, "preview", _refuse)
    assert len(stall.search("digits")) == 2


def _refuse(self: Buyer, version: object) -> dict[str, Any]:
    raise AssertionError("it was read before")


def test_search__large_card__is_read_again_where_it_is_shown(stall: Stall) -> None:
    stall.card["extra"] = {"notes": "x" * 70_000}
    stall.sell()
    for _ in range(2):
        (hit,) = truthmark.search("digits", session=stall.session)
        assert hit.card["extra"] == stall.card["extra"]


def test_search__no_patience__says_how_many_may_be_missing(stall: Stall) -> None:
    stall.sell()
    stall.sell()
    hits = truthmark.search(patience=-1, session=stall.session)
    assert len(hits) + hits.pending == 2
    again = truthmark.search(session=stall.session)
    assert (len(again), again.pending) == (2, 0)


# ------------------------------------------------------------------ hostile sellers


def cards_nobody_can_read(stall: Stall) -> dict[str, Any]:
    manifest = stall.manifest
    absent = raw_cid(sha256(b"nobody has this"))
    bomb = stall.put(b"{" * 3_000_000)
    plain = json.dumps(stall.card).encode()
    return {
        "no manifest anywhere": lambda: stall.sell_manifest(b"{}" * 9, keep=False),
        "manifest that is none": lambda: stall.sell_manifest(b"\xff\x00"),
        "manifest of another root": lambda: stall.sell(root=bytes([7]) * 32),
        "manifest of another key": lambda: stall.sell(public_key=multiply(5)),
        "manifest of another licence": lambda: stall.sell(licence=bytes(32)),
        "manifest of other shards": lambda: stall.sell(shard_count=99),
        "card nowhere": lambda: stall.sell_manifest(
            _with(manifest, card=absent, card_size=100).to_bytes()
        ),
        "card said to be endless": lambda: stall.sell_manifest(
            _with(manifest, card=bomb, card_size=2**48).to_bytes()
        ),
        "card too large": lambda: stall.sell_manifest(
            _with(manifest, card=bomb, card_size=3_000_000).to_bytes()
        ),
        "card cut off": lambda: stall.sell_manifest(_with(manifest, card_size=7).to_bytes()),
        "card that is no JSON": lambda: stall.sell_card(b"\x00"),
        "card that is deep": lambda: stall.sell_card(b"[" * 5_000 + b"]" * 5_000),
        "card without a title": lambda: stall.sell_card(b'{"format":"tmk1-card"}'),
        "card with half a character": lambda: stall.sell_card(
            plain.replace(b'"title": "t"', b'"title": "\\ud800"')
        ),
    }


CASES = [
    *("no manifest anywhere", "manifest that is none", "manifest of another root"),
    *("manifest of another key", "manifest of another licence", "manifest of other shards"),
    *("card nowhere", "card said to be endless", "card too large", "card cut off"),
    *("card that is no JSON", "card that is deep", "card without a title"),
    "card with half a character",
]


def test_search__hostile_listings__are_left_out_and_harm_nobody(stall: Stall) -> None:
    cases = cards_nobody_can_read(stall)
    assert list(cases) == CASES
    stall.sell("first")
    for sell in cases.values():
        sell()
    stall.sell("last")
    assert stall.search() == [f"{len(CASES) + 2}@1", "1@1"]
    assert stall.search("first") == ["1@1"]


@pytest.mark.parametrize("case", CASES)
def test_preview__hostile_listing__is_refused_in_one_line(stall: Stall, case: str) -> None:
    from truthmark.errors import CodecError, StorageError

    cards_nobody_can_read(stall)[case]()
    with pytest.raises((CodecError, StorageError)) as caught:
        truthmark.preview("1", session=stall.session)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_preview__card_is_there__is_the_sellers(stall: Stall) -> None:
    stall.sell("Digits", "of a bank")
    card = truthmark.preview("1@1", session=stall.session)
    assert (card["title"], card["description"]) == ("Digits", "of a bank")


def test_search__title_is_markup__is_data_like_any_other(stall: Stall) -> None:
    title = "<script>'; DROP TABLE cards; --%_"
    stall.sell(title)
    assert stall.search("drop table") == ["1@1"]
    assert stall.search("%") == ["1@1"]
    assert truthmark.search(session=stall.session)[0].title == title


def test_dataset_uri__of_a_version__is_found_by_it_and_not_elsewhere(stall: Stall) -> None:
    from truthmark.market.surface import dataset_uri, find_version

    stall.sell()
    market = stall.session.profile.contracts["market"].address
    stall.paper.chain.market = type("Market", (), {"address": market})()
    uri = dataset_uri(stall.session, stall.paper.catalogue.version("1"))
    assert uri == f"truthmark://31337/{market}/1@1"
    assert find_version(stall.session, uri).ref == "1@1"
    assert find_version(stall.session, uri.lower().removesuffix("@1")).ref == "1@1"
    for elsewhere in (uri.replace("31337", "1"), uri.replace(market, address(0xCA))):
        with pytest.raises(ConfigError, match="not on the market of profile paper"):
            find_version(stall.session, elsewhere)
    with pytest.raises(ConfigError, match="names no dataset"):
        find_version(stall.session, "truthmark://31337/1")
