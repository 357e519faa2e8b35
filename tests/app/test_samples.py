# SPDX-License-Identifier: Apache-2.0
"""What the app shows of each state of a sample, and whether it sells: the one table of states."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from app import services
from app.services.sampled import _BADGES
from tests.app.conftest import Start
from tests.app.screen import button, click, has_button, page, shown, texts
from tests.app.test_buying import again, held
from tests.utils.app_market import AppMarket
from tests.utils.injections import HOSTILE
from tests.utils.previews import Made
from truthmark.errors import NotForSaleError, TruthmarkError, UnsampledError
from truthmark.market.entries import Version
from truthmark.market.preview import RULES, OnGet, PreviewState
from truthmark.text import clean

pytestmark = pytest.mark.chain

BIG = {"a.parquet": 200}
BLIND_KEY = "dataset_blind_{}"
NEVER = "It is not sold from here as long as that is so."


def shown_one(market: AppMarket) -> Version:
    version, made = market.sell_made(BIG, title="Sampled")
    market.let_chance_speak()
    market.open_sample(version, made)
    return version


def waiting(market: AppMarket) -> Version:
    version, _ = market.sell_made(BIG, title="Not open yet", is_alike=True)
    return version


def small(market: AppMarket) -> Version:
    version, made = market.sell_made({"a.parquet": 40}, title="Small")
    market.let_chance_speak()
    market.open_sample(version, made)
    return version


def partial(market: AppMarket) -> Version:
    version, made = market.sell_made(BIG, title="One draw", draws=1, is_alike=True)
    market.let_chance_speak()
    market.open_sample(version, made)
    return version


def unreachable(market: AppMarket) -> Version:
    version, made = market.sell_made(BIG, title="Gone")
    market.let_chance_speak()
    market.open_sample(version, made)
    _forget(market, made)
    return version


def bad(market: AppMarket) -> Version:
    version, made = market.sell_made(BIG, title="Half noise", bad=range(0, 200, 2), is_alike=True)
    market.let_chance_speak()
    market.open_sample(version, made)
    return version


def broken(market: AppMarket) -> Version:
    version, made = market.sell_made(BIG, title="Rotten", bad=[100], draws=None, is_alike=True)
    market.publish(made, [0, *made.bad])
    return version


def blind(market: AppMarket) -> Version:
    version, _ = market.sell_made(BIG, title="Never seen", draws=None, is_alike=True)
    return version


def _forget(market: AppMarket, made: Made) -> None:
    """Let nobody serve the bytes any more."""
    (path,) = (market.net.folder / "store" / "files").glob(f"*{made.forged.manifest.container}*")
    path.unlink()


CASES: dict[PreviewState, tuple[Callable[[AppMarket], Version], str]] = {
    PreviewState.BLIND: (blind, "The seller asked for no sample"),
    PreviewState.WAITING: (waiting, "Chance speaks in block"),
    PreviewState.SHOWN: (shown_one, "of 200 with"),
    PreviewState.SMALL: (small, "It has 40 parts to draw from, 128 are needed"),
    PreviewState.PARTIAL: (partial, "The seller asked for 1 draw"),
    PreviewState.UNREACHABLE: (unreachable, "cannot be"),
    PreviewState.BAD: (bad, "is not valid Arrow"),
    PreviewState.BROKEN: (broken, "opened by 0x"),
}


def test_cases__all_states_are_there() -> None:
    assert set(CASES) == set(PreviewState) == set(RULES) == set(_BADGES)


@pytest.mark.parametrize("state", PreviewState, ids=lambda state: state.value)
def test_dataset__sample_in_each_state__is_shown_and_sold_as_the_table_says(
    start: Start, market: AppMarket, state: PreviewState
) -> None:
    make, why = CASES[state]
    rule = RULES[state]
    version = make(market)
    had = held(market, "buyer")
    at = again(start("dataset", dataset=version.ref))
    said = page(at)
    assert "Drawn by chance, checked by this computer" in said
    assert rule.meaning in said
    assert why in said
    goes, asks = rule.on_get is OnGet.GO, rule.on_get is OnGet.ASK
    boxes = [box for box in at.checkbox if box.key == BLIND_KEY.format(version.ref)]
    assert bool(boxes) == asks
    assert has_button(at, "Buy") == (goes or asks)
    assert (NEVER in said) == (not goes and not asks)
    kind = {OnGet.GO: "success", OnGet.ASK: "info", OnGet.WAIT: "info", OnGet.REFUSE: "error"}
    alerts = [shown(alert.value) for alert in at.get(kind[rule.on_get])]
    assert rule.meaning in alerts
    _rows_and_figures(at, said, state)
    if asks:
        # Not without a yes; with one it asks for the price.
        button(at, "Buy").click().run()
        assert "Nothing was bought; say that you buy it all the same" in page(at)
        assert not has_button(at, "Pay ")
    if goes or asks:
        click(at, "Buy")
        assert has_button(at, "Pay 5 TUSD")
    else:
        # Nor does a page do it that was drawn before this became so.
        _refused(market, version, state)
    assert held(market, "buyer") == had
    # The market says how it stood when this computer last looked.
    at = start("market")
    at.text_input(key="market_text").input(_title(market, version)).run()
    badges = [shown(it.value) for it in at.markdown if "casino" in it.value]
    assert any(_BADGES[state] in badge for badge in badges), badges


def _title(market: AppMarket, version: Version) -> str:
    return services.dataset(version.ref).title


def _rows_and_figures(at, said: str, state: PreviewState) -> None:  # type: ignore[no-untyped-def]
    """Rows, bounds and figures are there where something was seen and right, and only there."""
    is_seen = state in (PreviewState.SHOWN, PreviewState.SMALL, PreviewState.PARTIAL)
    frames = [frame.value for frame in at.dataframe]
    rows = [frame for frame in frames if list(frame.columns) == ["id", "text", "y"]]
    figures = [frame for frame in frames if "missing" in frame.columns]
    assert (len(rows), len(figures)) == ((1, 1) if is_seen else (0, 0))
    assert ("draws found nothing wrong" in said or "1 draws found" in said) == is_seen
    if not is_seen:
        return
    assert all("worth its price" in text for text in rows[0]["text"])
    assert list(figures[0]["column"]) == ["id", "text", "y"]
    assert "What the sample says of the columns" in said
    if state is PreviewState.SHOWN:
        assert len(rows[0]) == 20 and rows[0]["id"].is_monotonic_increasing
        assert "16 draws found nothing wrong: with 95 % certainty at most 31 % of the bytes" in said
        assert "listed 10,000 times to be lucky, at most 78 % of each" in said
        by_name = figures[0].set_index("column")
        assert by_name.loc["id", "missing"] == "0 % (0 to 61 %)"
        assert by_name.loc["id", "different values"].startswith("about 8,000 (")
        assert by_name.loc["y", "different values"].startswith("about 3 (3 to ")


def _refused(market: AppMarket, version: Version, state: PreviewState) -> None:
    from truthmark.market.flows import purchasing

    with pytest.raises(NotForSaleError) as refused:
        purchasing.prepare(market.session("buyer2"), version, blind=True)
    assert RULES[state].meaning in str(refused.value)
    assert isinstance(refused.value, TruthmarkError)
    assert not isinstance(refused.value, UnsampledError)


def test_dataset__opened_while_somebody_looks__moves_from_waiting_to_sampled(
    start: Start, market: AppMarket
) -> None:
    version, made = market.sell_made(BIG, title="Opened meanwhile", is_alike=True, after=7)
    at = again(start("dataset", dataset=version.ref))
    assert RULES[PreviewState.WAITING].meaning in page(at)
    market.let_chance_speak()
    said = page(again(at))
    assert "the keys of" in said.lower() and NEVER in said
    market.open_sample(version, made)
    assert RULES[PreviewState.SHOWN].meaning in page(again(at))
    # Somebody who bought it finds a rotten part later; the same page says so before money is paid.
    click(at, "Buy")
    assert has_button(at, "Pay 5 TUSD")


def test_dataset__rotten_part_is_shown_after_the_price_was_asked__nothing_is_paid(
    start: Start, market: AppMarket
) -> None:
    version, made = market.sell_made(
        BIG, title="Rotten later", draws=None, bad=[77], is_alike=True, after=9
    )
    had = held(market, "buyer")
    at = click(again(start("dataset", dataset=version.ref)), "Buy")
    market.publish(made, [0, *made.bad])
    button(at, "Pay 5 TUSD").click().run()
    assert at.error and held(market, "buyer") == had
    assert RULES[PreviewState.BROKEN].meaning in page(again(at))
    assert not has_button(at, "Pay ") and not has_button(at, "Buy")


def test_dataset__hostile_rows_columns_and_paths_in_a_sample__are_shown_as_they_are(
    start: Start, market: AppMarket
) -> None:
    # Paths hold none of < > : " | ? * \, which nothing here can be packed with.
    path = "[click](www.evil.example) __b__ `c` $x^2$ # ~~s~~ {{7-7}} a@b.io/t.parquet"

    def rows(place: int) -> pa.Table:
        names = [f"{name} {i}" for i, name in enumerate(HOSTILE[:3])]
        texts = [f"{text} {place}" for text in HOSTILE]
        return pa.table([texts, [i % 2 for i in range(len(texts))], HOSTILE], names=names)

    version, made = market.sell_made({path: 130}, title="Hostile rows", rows=rows)
    market.let_chance_speak()
    market.open_sample(version, made)
    at = again(start("dataset", dataset=version.ref))
    said = texts(at)
    assert RULES[PreviewState.SHOWN].meaning in said
    assert any(clean(path) in text for text in said)
    elements = [*at.markdown, *at.caption, *at.title, *at.text, *at.success, *at.error]
    assert not any(getattr(element, "allow_html", False) for element in elements)
    sample, figures = (frame.value for frame in at.dataframe)
    assert list(sample.columns) == [clean(f"{HOSTILE[i]} {i}", 120) for i in range(3)]
    known = {clean(text, 200) for text in HOSTILE}
    assert set(sample.iloc[:, 2]) <= known
    assert list(figures["column"]) == [clean(f"{HOSTILE[i]} {i}", 200) for i in range(3)]
    assert all(len(str(cell)) <= 200 for cell in figures.to_numpy().flat)
    assert all(str(cell) == clean(cell, 200) for cell in figures.to_numpy().flat)
