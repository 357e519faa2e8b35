# SPDX-License-Identifier: Apache-2.0
"""Every page: it comes up, speaks the reader's words, and trusts nothing that others wrote."""

import ast
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import services
from app.components.pager import filtering
from app.components.text import literal
from app.services.markdown import plain
from tests.app.conftest import MAIN, PAGES, ROOT, SECONDS, Start
from tests.app.screen import page, shown, texts
from tests.utils.app_market import HOSTILE, AppMarket, hostile_title, hostile_titles
from truthmark.market.catalogue import Catalogue
from truthmark.market.purchase import Buyer
from truthmark.market.reviews import Review
from truthmark.text import clean

PROOFS = "How do I know this?"
# Words of the people who built it.
JARGON = re.compile(
    r"\b(cek|leaf|root|merkle|shards?|basis points?|bps|epochs?|hpke|ciphertext|plaintext|"
    r"polynomial|nonce|calldata|wei|gwei|secp256k1|manifest|cid)\b",
    re.IGNORECASE,
)
# ------------------------------------------------------------------------ they come up


@pytest.mark.chain
@pytest.mark.parametrize("is_local", [True, False], ids=["local", "hosted"])
@pytest.mark.parametrize("name", PAGES)
def test_page__own_machine_or_hosted__comes_up_in_the_readers_words(
    start: Start, market: AppMarket, name: str, is_local: bool
):
    query = {"dataset": market.versions["reviews"].ref} if name == "dataset" else {}
    at = start(name, is_local=is_local, **query)
    assert at.title
    said = texts(at, skip=PROOFS)
    assert len(said) > 2
    assert not [(text, JARGON.findall(text)) for text in said if JARGON.search(text)]


@pytest.mark.chain
def test_jargon__under_how_is_this_known__is_allowed_and_there(start: Start, market: AppMarket):
    at = start("dataset", dataset=market.versions["reviews"].ref)
    said = "\n".join(texts(at))
    for word in ("root", "leaf", "shard", "basis points"):
        assert word in said


@pytest.mark.chain
def test_dataset__all_versions_and_custody__are_shown(start: Start, market: AppMarket):
    seller = market.session("seller")
    older = market.sell(market.table("wine"), title="Wine, first", price="4 TUSD")
    newer = market.sell(
        market.table("wine"), title="Wine, again", price="5 TUSD", update=str(older.listing_id)
    )
    assert newer.ref == f"{older.listing_id}@2"
    services.reading._sync.clear()
    text = page(start("dataset", dataset=newer.ref))
    assert older.ref in text
    assert "5 TUSD · for sale" in text
    assert "The seller keeps the key" in text
    assert seller.address in text


@pytest.mark.chain
def test_dataset__another_version_is_chosen__address_and_buttons_name_that(
    start: Start, market: AppMarket
):
    older = market.sell(market.table("wine"), title="Wine, once", price="4 TUSD")
    newer = market.sell(
        market.table("wine"), title="Wine, twice", price="5 TUSD", update=str(older.listing_id)
    )
    services.reading._sync.clear()
    at = start("dataset", dataset=older.ref)
    assert not [b for b in at.button if b.key == f"dataset_buy_{newer.ref}"]
    assert at.button(key=f"dataset_version_{older.ref}").disabled
    at.button(key=f"dataset_version_{newer.ref}").click().run()
    assert not at.exception
    assert at.query_params["dataset"] == newer.ref
    assert "Wine, twice" in page(at)
    keys = {b.key for b in at.button}
    assert f"dataset_buy_{newer.ref}" in keys and f"dataset_buy_{older.ref}" not in keys


@pytest.mark.chain
@pytest.mark.parametrize("ref", ["99999", "7@9", "x" * 5_000, "<script>", "-1", "1@1@1", "7@", "٧"])
def test_dataset__name_of_nothing__says_so(start: Start, market: AppMarket, ref: str):
    at = start("dataset", dataset=ref)
    assert "There is no data set" in page(at)
    assert len(at.error[0].value) < 300


@pytest.mark.chain
def test_network__addresses_and_health__are_those_of_the_profile(start: Start, market: AppMarket):
    at = start("network")
    codes = {code.value for code in at.code}
    for info in market.net.profile.contracts.values():
        assert info.address in codes
    for token in market.net.profile.tokens:
        assert token.address in codes
    metrics = {metric.label: metric.value for metric in at.metric}
    assert metrics["Newest block"] == metrics["Read up to block"]
    assert ":red[" not in "".join(m.value for m in at.markdown if "Storage" in m.value)


@pytest.mark.chain
def test_app__no_profile_at_all__says_what_to_do(start: Start, monkeypatch, tmp_path: Path):
    start()
    monkeypatch.setenv("TRUTHMARK_HOME", str(tmp_path / "nothing"))
    at = AppTest.from_file(MAIN, default_timeout=SECONDS).run()
    assert not at.exception
    assert "This machine knows no network 'devnet'" in page(at)
    assert "`truthmark app --devnet`" in page(at)


# --------------------------------------------------------------- what others have written


@pytest.mark.chain
def test_hostile_texts__on_every_page__are_shown_as_they_are(start: Start, market: AppMarket):
    titles = hostile_titles()[:4]  # a browser sees all of them, in test_browser
    for number, some in enumerate(titles):
        market.sell_hostile(some, number)
    services.reading._sync.clear()
    at = start("market")
    at.text_input(key="market_text").input("hostile-").run()
    said = page(at)
    for number, some in enumerate(titles):
        assert clean(hostile_title(some, number), 200) in said
    _are_texts(at)
    ref = market.sell_hostile(HOSTILE, 98).ref
    services.reading._sync.clear()
    at = start("dataset", dataset=ref)
    said = "\n".join(element.value for element in at.text)
    for text in HOSTILE:
        # Behind what begins a comment or the like, Markdown has no meaning any more.
        ways = [it.split("\n") for it in (plain(text), text)]
        assert any(all(clean(line) in said for line in lines) for lines in ways), text
    _are_texts(at)
    cells = at.dataframe[0].value
    assert list(cells.iloc[0, :-1]) == [clean(text, 200) for text in HOSTILE]
    assert cells.map(lambda cell: len(str(cell)) <= 200).all(axis=None)
    assert list(cells.columns) == [*(clean(text, 120) for text in HOSTILE), "n"]


def _are_texts(at: AppTest) -> None:
    # No element may hold HTML, and none more than a screen or two.
    elements = [*at.markdown, *at.caption, *at.title, *at.text, *at.error, *at.warning]
    assert not any(getattr(element, "allow_html", False) for element in elements)
    assert max(len(element.value) for element in elements) < 50_000
    shown = "".join(element.value for element in elements)
    assert not re.search("[\x00-\x09\x0b-\x1f\u200b\u202e\u2066]", shown)


@pytest.mark.chain
def test_hostile_reviews__of_buyers__are_shown_as_they_are(
    start: Start, market: AppMarket, monkeypatch: pytest.MonkeyPatch
):
    buyer = market.session("buyer").address
    found = [
        Review(bytes([n]) * 32, buyer, 10**6, n % 2 == 0, 1 + n % 5, text, 1_700_000_000, 10**4)
        for n, text in enumerate(HOSTILE)
    ]
    monkeypatch.setattr(services.remedies, "reviews_of", lambda session, version: found)
    monkeypatch.setattr(services.remedies, "_MOST_REVIEWS", 100)
    at = start("dataset", dataset=market.versions["iris"].ref)
    assert {clean(text, 400) for text in HOSTILE} <= {element.value for element in at.text}
    _are_texts(at)


@pytest.mark.chain
def test_hostile_card__not_json_of_a_card__is_hidden_and_said(start: Start, market: AppMarket):
    ref = market.sell_hostile(["unreadable"], 99).ref
    seller = market.session("seller")
    version = Catalogue.of(seller).version(ref)
    manifest = Buyer(seller).manifest(version)
    for path in (market.net.folder / "store").rglob(f"*{str(manifest.card)[-12:]}*"):
        path.unlink()
    services.reading._sync.clear()
    at = start("dataset", dataset=ref)
    assert "What the seller wrote about it cannot be shown" in page(at)
    at = start("market")
    assert "1 listing not shown" in page(at)


def test_literal__markdown_of_all_kinds__has_no_meaning_left():
    for text in HOSTILE:
        kept = literal(text)
        assert not re.search(r"(?<!\\)(?:\\\\)*[<\[*_`$!#|~]", kept)
        assert not re.search(r"https?\\?:(?!\u2060)", kept)


def test_literal__signs_that_are_drawn_as_others__are_broken():
    for text in ("a -- b", "---", "->", "<-", "<->", ">=", "<=", "~="):
        kept = literal(text)
        assert shown(kept) == text
        assert not re.search(r"--|->|<-|>=|<=|~=", kept.replace("\\", "")), kept


def test_literal__plain_words__stay_as_they_are():
    assert literal("Movie reviews 2026") == "Movie reviews 2026"


def test_sources__nothing_that_could_bring_markup_or_remote_images_in():
    banned = {"unsafe_allow_html", "unsafe_allow_javascript"}
    calls = {"html", "iframe", "image", "components", "write"}
    found = []
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg in banned:
                found.append(f"{path.name}: {node.arg}")
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "st"
                and node.attr in calls
            ):
                found.append(f"{path.name}: st.{node.attr}")
            if isinstance(node, ast.Constant) and re.search("https?:", str(node.value).lower()):
                found.append(f"{path.name}: {node.value}")
    # Pictures that were drawn here, our own style sheet, which no text of others gets into, and the
    # bundles of truthmark/web, which write what they are given as text (tests/web).
    assert found == [
        "label_page.py: st.components",
        "pace.py: st.components",
        "sample.py: st.image",
        "wallet.py: st.components",
        "pages.py: st.html",
    ]
    for name, module in (
        ("components/label_page.py", "label.js"),
        ("components/pace.py", "pace.js"),
        ("components/wallet.py", "wallet.js"),
    ):
        assert f'js=services.web_source("{module}")' in (ROOT / "app" / name).read_text()
    assert 'st.html(HERE / "static" / "style.css")' in (ROOT / "app" / "pages.py").read_text()


# Of these, each step is kept in its draft; the others are asked again, or name what is there.
NOT_KEPT = {"new_bounty.py", "account.py"}
ASKED_AGAIN = re.compile("_known|passphrase|dataset_(again|blind)|_account")


def test_sources__what_is_typed_or_chosen__outlasts_an_outage():
    """Streamlit forgets what is not drawn, as while an error stands in its place."""
    kinds = {"text_input", "text_area", "number_input", "selectbox", "multiselect", "toggle"}
    kinds |= {"checkbox", "radio", "slider", "select_slider", "segmented_control", "feedback"}
    forgotten = []
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            given = {it.arg: ast.unparse(it.value) for it in node.keywords}
            if node.func.attr not in kinds or "key" not in given or path.name in NOT_KEPT:
                continue
            is_kept = "persist_state" in given or given.get(None, "").startswith("filtering(")
            if not is_kept and not ASKED_AGAIN.search(given["key"]):
                forgotten.append(f"{path.name}: {given['key']}")
    assert forgotten == [] and filtering("list")["persist_state"] == "page"
