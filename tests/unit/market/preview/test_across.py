# SPDX-License-Identifier: Apache-2.0
"""What follows from a whole sample: equal rows, rows of others, intervals, false claims."""

import random

import pyarrow as pa
import pytest

from tests.utils.previews import PreviewMarket, make, plain_rows
from truthmark.codec.shard_index import Segment
from truthmark.market.preview import Preview, PreviewState
from truthmark.market.preview.across import equal_rows
from truthmark.market.preview.facts import TableFacts, row_marks
from truthmark.market.preview.figures import share_of

BIG = {"a.parquet": 200}


def looked(market: PreviewMarket, listing: int = 1, **options: object) -> Preview:
    made = make(BIG, **{"draws": 64, **options})  # type: ignore[arg-type]
    version = market.list_version(made, listing)
    market.open_sample(made, version)
    found = market.look(version)
    assert found.state is PreviewState.SHOWN, found.why
    return found


def facts_of(*tables: pa.Table) -> TableFacts:
    facts = TableFacts()
    for i, table in enumerate(tables):
        segment = Segment(2 + i, i, 1, 0, table.num_rows, 0)
        facts.add(segment, table, random.Random(1), 5_000)
    return facts


def test_equal_rows__a_thousand_different_ones_repeated__are_estimated() -> None:
    chance = random.Random(3)
    texts = [f"a text that is number {i} of all" for i in range(1_000)]
    tables = [pa.table({"t": chance.choices(texts, k=100)}) for _ in range(30)]
    equal = equal_rows({"t": facts_of(*tables)})
    assert equal.rows == 3_000
    assert equal.different == pytest.approx(1_000, rel=0.1)


def test_equal_rows__all_different__has_no_estimate() -> None:
    assert equal_rows({"t": facts_of(plain_rows(1), plain_rows(2))}).different is None


def test_row_marks__columns_renamed_and_in_another_order__are_the_same() -> None:
    table = plain_rows(1)
    other = table.select(["y", "text", "id"]).rename_columns(["a", "b", "c"])
    assert row_marks(table, range(40)) == row_marks(other, range(40))
    assert row_marks(pa.table({"y": [1, 2]}), range(2)) == []  # such rows are alike by chance


def test_look__repeated_rows__are_told(market: PreviewMarket) -> None:
    found = looked(market, rows=lambda place: plain_rows(place % 10))
    assert any("equal rows" in line for line in found.findings)
    assert not any("equal rows" in line for line in looked(market, 2).findings)


@pytest.mark.untraced
def test_look__rows_of_another_listing__are_told(market: PreviewMarket) -> None:
    looked(market, 1, draws=128)
    copied = looked(market, 2, draws=128)
    assert any("stand in the sample of 1@1" in line for line in copied.findings)
    other = looked(market, 3, draws=128, after=500)
    assert not any("stand in the sample" in line for line in other.findings)


def test_share_of__sorted_data__has_the_interval_of_segments_not_of_rows() -> None:
    """A true share of one half, of which each segment has all or nothing."""
    outside = 0
    chance = random.Random(5)
    for _ in range(300):
        hits = [100 * (chance.random() < 0.5) for _ in range(64)]
        share = share_of(hits, [100] * 64, [0.01] * 64)
        outside += not share.allows(0.5)
        assert share.high - share.low > 0.3
    assert outside <= 3


CLAIMS = [
    ({"y": {"classes": {"0": 0.9}}}, "share of '0'"),
    ({"y": {"nulls": 0.5}}, "for nulls"),
    ({"id": {"min": 10**9}}, "at least"),
    ({"id": {"max": 5}}, "at most"),
]


@pytest.mark.parametrize(("claim", "said"), CLAIMS)
def test_look__figure_of_the_card_is_false__is_told(
    market: PreviewMarket, claim: dict[str, object], said: str
) -> None:
    found = looked(market, extra={"figures": {"a.parquet": claim}})
    assert any(said in line for line in found.contradictions)


def test_look__figures_of_the_card_are_true__are_not_contradicted(market: PreviewMarket) -> None:
    figures = {
        "id": {"min": 0, "max": 8_000, "nulls": 0},
        "y": {"classes": {"0": 0.34, "1": 0.33, "2": 0.33}, "nulls": 0.0, "min": 0, "max": 2},
    }
    assert looked(market, extra={"figures": {"a.parquet": figures}}).contradictions == ()


@pytest.mark.parametrize("figures", [7, {"a.parquet": 7}, {"a.parquet": {"id": {"min": "x"}}}])
def test_look__figures_of_the_card_make_no_sense__are_passed_over(
    market: PreviewMarket, figures: object
) -> None:
    assert looked(market, extra={"figures": figures}).contradictions == ()


def test_look__card_counts_and_columns_are_false__is_told(market: PreviewMarket) -> None:
    card = {
        "counts": [{"split": None, "rows": 9, "files": 0, "tables": 1, "bytes": 0}],
        "tables": [{"split": None, "columns": [{"name": "id", "type": "int64"}]}],
    }
    lines = looked(market, card=card).contradictions
    assert "the card says 9 rows in split '', there are 8,000" in lines
    assert any("names the columns of 'a.parquet' otherwise" in line for line in lines)


def test_look__claims_of_a_megabyte__are_told_in_short_lines(market: PreviewMarket) -> None:
    card = {"counts": [{"split": "s" * 9_000, "rows": ["x" * 9_000] * 9}]}
    lines = looked(market, card=card).contradictions
    assert lines and max(map(len, lines)) < 400


def test_look__files_without_bytes__are_told(market: PreviewMarket) -> None:
    """A million of them are in no draw, and look like a million files."""
    files = {f"{i}.txt": b"" for i in range(40)}
    found = looked(market, files={**files, "a.txt": b"text\n" * 40_000})
    assert "40 of 41 files have no bytes at all" in found.findings
