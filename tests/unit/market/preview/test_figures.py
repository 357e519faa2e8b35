# SPDX-License-Identifier: Apache-2.0
"""Figures of a sample's columns: exact numbers by hand, and how often intervals hold the truth."""

import math
import random
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from tests.utils.previews import PreviewMarket, make, plain_rows
from truthmark.codec.shard_index import Segment
from truthmark.market.preview import PreviewState, distinct
from truthmark.market.preview.across import false_figures
from truthmark.market.preview.distinct import DistinctCounter
from truthmark.market.preview.draw import Pick
from truthmark.market.preview.facts import TableFacts
from truthmark.market.preview.figures import DOUBT, Draws, _student, share_of, unmet
from truthmark.market.preview.strata import Stratum

EXACT = pytest.approx


def draws_on(
    opened: Sequence[pa.Table], *, segments: int, rows: int, drawn: Sequence[int] | None = None
) -> Draws:
    """Return the draws of a table of which some segments, one shard each, were opened."""
    facts = TableFacts()
    places = [Segment(2 + i, i, 1, 0, table.num_rows, 0) for i, table in enumerate(opened)]
    for place, table in zip(places, opened, strict=True):
        facts.add(place, table, random.Random(1), 1)
    left = segments - len(places)
    rest = [
        Segment(2 + len(places) + i, 0, 1, 0, (rows - sum(t.num_rows for t in opened)) // left, 0)
        for i in range(left)
    ]
    stratum = Stratum("t", False, (*places, *rest))
    picks = [
        Pick(0, d, 2 + n, (n,), ())
        for d, n in enumerate(drawn if drawn is not None else range(len(places)))
    ]
    counter = DistinctCounter(
        pa.concat_tables(opened), [table.num_rows for table in opened], segments, rows
    )
    return Draws([stratum], picks, facts, counter)


def column(*values: object) -> pa.Table:
    return pa.table({"x": pa.array(values)})


# ------------------------------------------------------------------------- by hand


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    # As tables print it for 99.9 %, both sides.
    [(3, 12.924), (4, 8.610), (5, 6.869), (7, 5.408), (15, 4.073), (30, 3.646), (120, 3.373)],
)
def test_quantile__few_draws__is_that_of_students_table(freedom: int, quantile: float) -> None:
    assert _student(freedom) == EXACT(quantile, abs=5e-4)


def test_share_of__nothing_seen__leaves_what_one_half_of_the_draws_may_have_missed() -> None:
    share = share_of([0] * 64, [100] * 64, [0.01] * 64)
    assert (share.estimate, share.low) == (0.0, 0.0)
    assert share.high == EXACT(1 - 0.0005 ** (2 / 64)) == EXACT(0.2114253486049831)


def test_share_of__half_of_each_segment__is_exact_but_for_what_no_draw_met() -> None:
    share = share_of([20] * 16, [40] * 16, [1 / 200] * 16)
    unseen = 1 - 0.0005 ** (1 / 8)
    assert share.estimate == 0.5
    assert share.low == EXACT(0.5 * (1 - unseen)) == EXACT(0.193349, abs=1e-6)
    assert share.high == EXACT(0.5 + 0.5 * unseen) == EXACT(0.806651, abs=1e-6)


def test_share_of__large_segment_met_twice__weighs_as_likely_as_it_was_drawn() -> None:
    # 30 of 100 rows in the large one, none of 10 in the small: 30 of 110 in a table of these two.
    share = share_of([30, 30, 0], [100, 100, 10], [2 / 3, 2 / 3, 1 / 3])
    assert share.estimate == EXACT(2 * 1.5 * 30 / (2 * 1.5 * 100 + 3 * 10))


def test_figures__two_of_four_segments__are_these() -> None:
    draws = draws_on([column(1, 2, None, 2), column(2, 3, 3, 3)], segments=4, rows=16)
    found = draws.figures("x")
    assert found is not None and found.distinct is not None and found.classes is not None
    assert found.nulls.estimate == 1 / 8
    assert (found.nulls.low, found.nulls.high) == (0.0, 1.0)  # two draws say next to nothing
    # 1 and 3 stand in one segment each, 2 in both: 3 + 2² / (2·1·2/1 + 2·(1/2)/(1/2)).
    assert found.distinct.seen == 3
    assert found.distinct.estimate == EXACT(3 + 4 / 6)
    assert found.distinct.high == 3 + 8  # all rows that were not opened may be new
    assert found.values is not None
    assert (found.values.low, found.values.high) == (1, 3)
    assert found.values.outside == EXACT(1 - 0.0005)
    assert list(found.classes) == ["2", "3", "1"]
    assert [share.estimate for share in found.classes.values()] == [3 / 8, 3 / 8, 1 / 8]
    assert draws.figures("y") is None


def test_distinct__spread__is_the_jackknife_over_segments() -> None:
    opened = [column("a", "b"), column("b", "c"), column("c", "b")]
    found = draws_on(opened, segments=6, rows=12)._counter
    assert found is not None
    met = found.count("x")
    assert met is not None and (met.seen, met.segments, met.rows_left) == (3, 3, 6)
    # a once, c twice, b in all three: 3 + 1 / (2·1·3/2 + 1).
    assert met.estimate() == EXACT(3.25)
    # Without the first: b and c, each in both, so 2. Without the second or the third: a and c once,
    # b in both, so 3 + 2² / (2·1·2/1 + 2·(1/3)/(2/3)) = 3.8.
    without = [2.0, 3.8, 3.8]
    middle = sum(without) / 3
    squares = sum((it - middle) ** 2 for it in without)
    assert met.spread() == EXACT((squares * 2 / 3 * (1 - 3 / 6)) ** 0.5) == EXACT(0.72**0.5)


@pytest.mark.parametrize(
    ("tables", "estimate", "high"),
    [
        # No value twice: as many as there are rows.
        ([column(*range(10 * i, 10 * i + 10)) for i in range(20)], 2_000, 2_000),
        # The same three in each: no more, but in the part that no draw need have met.
        ([column(*([1, 2, 3] * 4)) for _ in range(20)], 3, 3 + (1 - 0.0005**0.1) * 2_400),
    ],
    ids=["all different", "three"],
)
def test_distinct__extremes__come_out_exactly(
    tables: list[pa.Table], estimate: int, high: float
) -> None:
    rows = 10 * sum(table.num_rows for table in tables)
    found = draws_on(tables, segments=200, rows=rows).distinct("x")
    assert found is not None
    assert found.estimate == EXACT(estimate)
    assert found.high == EXACT(high)


def test_distinct__all_segments_opened__is_what_was_seen() -> None:
    found = draws_on([column(1, 2), column(3, 4)], segments=3, rows=6, drawn=[0, 1])._counter
    assert found is not None
    met = found.count("x")
    assert met is not None
    whole = DistinctCounter(pa.concat_tables([column(1, 2), column(3, 4)]), [2, 2], 2, 4).count("x")
    assert whole is not None
    assert (met.estimate(), whole.estimate(), whole.spread()) == (EXACT(6), 4.0, 0.0)


def test_distinct__dictionaries_of_each_part__are_compared_by_value() -> None:
    parts = [
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["a", "b", "a"])),
        pa.DictionaryArray.from_arrays(pa.array([1, 0]), pa.array(["c", "b"])),
    ]
    table = pa.table({"x": pa.chunked_array(parts)})
    met = DistinctCounter(table, [4, 2], 9, 30).count("x")
    assert met is not None
    assert sorted(met.of_value.tolist()) == [1, 1, 2]  # b stands in both


def test_distinct__thousands_of_parts_share_a_dictionary__it_is_looked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A shard of next to no bytes holds as much; part by part it would be gigabytes."""
    values = pa.array(np.zeros(100_000, bool))
    part = pa.DictionaryArray.from_arrays(pa.array([5], pa.int32()), values)
    table = pa.table({"x": pa.chunked_array([part] * 50)})
    codes, looked_at = distinct._codes, []
    monkeypatch.setattr(distinct, "_codes", lambda it: looked_at.append(len(it)) or codes(it))
    met = DistinctCounter(table, [25, 25], 9, 225).count("x")
    assert met is not None and met.of_value.tolist() == [2]
    assert looked_at == [100_000]


def test_distinct__dictionary_of_more_than_is_counted__has_no_figure() -> None:
    values = pa.array(np.zeros(5_000_000, bool))
    part = pa.DictionaryArray.from_arrays(pa.array([5], pa.int32()), values)
    counter = DistinctCounter(pa.table({"x": part, "y": [1]}), [1], 9, 30)
    assert counter.count("x") is None


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("is_dictionary", [False, True], ids=["plain", "dictionary"])
def test_distinct__nan_and_both_zeros__are_no_value_and_one(
    kind: pa.DataType, is_dictionary: bool
) -> None:
    numbers = np.array([np.nan, 0.0, -0.0, 1.5, np.nan, 0.0], kind.to_pandas_dtype())
    values = pa.array(numbers, mask=np.array([False, False, False, False, False, True]))
    if is_dictionary:
        values = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3, 4, 5]), values)
    met = DistinctCounter(pa.table({"x": values}), [3, 3], 9, 30).count("x")
    assert met is not None
    assert met.seen == 2


@pytest.mark.parametrize(
    "values",
    [
        pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2]), pa.array([7, 3, None])),
        pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 4], pa.int32()), pa.array([7, 3, None])),
        pa.array([7, 3, None, None]),
    ],
    ids=["dictionary", "runs", "plain"],
)
def test_false_figures__however_a_column_is_written__its_claims_are_checked(
    values: pa.Array,
) -> None:
    """What is null within a dictionary or a run is no null of the column to Arrow."""
    draws = draws_on([pa.table({"x": values})] * 200, segments=400, rows=1_600)
    claims = {"nulls": 0, "min": 4, "max": 5, "classes": {"7": 0.9}}
    false = false_figures({"extra": {"figures": {"t": {"x": claims}}}}, {"t": draws})
    assert len(false) == 4
    claims = {"nulls": 0.5, "min": 3, "max": 7, "classes": {"7": 0.25}}
    assert not false_figures({"extra": {"figures": {"t": {"x": claims}}}}, {"t": draws})


def test_span__a_segment_of_no_numbers__leaves_that_of_the_others() -> None:
    parts = [pa.table({"x": [math.nan, math.nan]}), pa.table({"x": [1.0, 2.0]})]
    assert draws_on(parts, segments=9, rows=18).span("x") == (1.0, 2.0)


@pytest.mark.parametrize(
    "values",
    [
        pa.DictionaryArray.from_arrays(pa.array(np.zeros(3_000_000, np.int8)), pa.array([1.5])),
        pa.RunEndEncodedArray.from_arrays(pa.array([2**31 - 1], pa.int32()), pa.array([1])),
        pa.chunked_array([pa.array(["x"]).dictionary_encode()] * 100),
    ],
    ids=["dictionary", "runs", "parts"],
)
def test_nulls__rows_share_what_they_have__are_not_written_out_at_any_size(
    values: pa.Array,
) -> None:
    facts = TableFacts()
    table = pa.table({"x": values})
    facts.add(Segment(2, 0, 1, 0, table.num_rows, 0), table, random.Random(1), 1)
    assert facts.segments[2].columns == {}


@pytest.mark.parametrize(("claim", "is_false"), [(0.25, False), (0.5, False), (0.9, True)])
def test_false_figures__nan_in_a_column__may_count_as_null_or_not(
    claim: float, is_false: bool
) -> None:
    numbers = np.array([np.nan, 1.0, 2.0, 3.0])
    table = pa.table({"x": pa.array(numbers, mask=np.array([False, False, False, True]))})
    draws = draws_on([table] * 20, segments=200, rows=800)
    card = {"extra": {"figures": {"t": {"x": {"nulls": claim}}}}}
    assert bool(false_figures(card, {"t": draws})) is is_false


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1], [2]]),
        pa.array([{"a": 1}, {"a": 2}]),
        pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.array([[1]])),
        pa.nulls(2),
    ],
    ids=["list", "struct", "dictionary of lists", "nothing"],
)
def test_distinct__values_that_are_not_compared__have_no_figure(values: pa.Array) -> None:
    counter = DistinctCounter(pa.table({"x": values}), [1, 1], 9, 30)
    met = counter.count("x")
    assert met is None or met.seen == 0
    assert counter.count("no such column") is None


# -------------------------------------------------------------------- over many samples


@pytest.mark.parametrize("kind", ["even", "skewed", "blocks"])
def test_distinct__a_hundred_samples__hold_the_truth(kind: str) -> None:
    chance = random.Random(7)
    words = range(400)
    weights = {"even": None, "skewed": [1 / (1 + w) for w in words], "blocks": None}[kind]
    population = [
        [w % 400 for w in range(2 * i, 2 * i + 20)]
        if kind == "blocks"
        else chance.choices(words, weights, k=20)
        for i in range(200)
    ]
    truth = len({value for segment in population for value in segment})
    outside = 0
    for _ in range(100):
        opened = [column(*population[i]) for i in sorted(chance.sample(range(200), 24))]
        found = draws_on(opened, segments=200, rows=4_000).distinct("x")
        assert found is not None
        outside += not found.seen <= truth <= found.high
    assert outside == 0


def test_share_of__rich_rows_in_few_shards__intervals_hold_the_truth() -> None:
    """A tenth of the rows, all that lack a value, in a hundredth of the shards."""
    chance = random.Random(11)
    truth, outside = 0.1, 0
    for _ in range(2_000):
        met = [chance.random() < (0.01 if draw % 2 == 0 else truth) for draw in range(32)]
        # 2 of 200 segments have 50 rows each of 1,000; the others share the rest.
        rows = [50 if it else 900 / 198 for it in met]
        chances = [0.5 * (1 / 200) + 0.5 * row / 1_000 for row in rows]
        hits = [50 if it else 0 for it in met]
        share = share_of(hits, rows, chances)  # type: ignore[arg-type]
        outside += not share.allows(truth)
    assert outside / 2_000 < 20 * DOUBT
    assert sum(unmet(m) > unmet(m + 1) for m in range(1, 500)) == 499


# ----------------------------------------------------------------------------- in a look


def test_look__plain_rows__figures_are_those_of_the_rows(market: PreviewMarket) -> None:
    made = make({"a.parquet": 200, "b.parquet": 200}, draws=64)
    version = market.list_version(made)
    market.open_sample(made, version)
    found = market.look(version)
    assert found.state is PreviewState.SHOWN
    assert list(found.figures) == ["a.parquet", "b.parquet"]
    figures = found.figures["b.parquet"]
    assert list(figures) == ["id", "text", "y"]
    rows = found.tables["b.parquet"]
    of_id, of_y = figures["id"], figures["y"]
    assert of_id.classes is None and figures["text"].values is None
    assert of_id.distinct is not None and of_y.distinct is not None and of_id.values is not None
    assert (of_id.distinct.seen, round(of_id.distinct.estimate)) == (rows.num_rows, 8_000)
    assert (of_y.distinct.seen, of_y.distinct.estimate) == (3, 3.0)
    assert of_id.values.low == min(rows["id"].to_pylist()) >= 8_000
    assert of_id.values.high == max(rows["id"].to_pylist()) < 16_000
    assert of_y.classes is not None and set(of_y.classes) == {"0", "1", "2"}
    assert all(share.allows(1 / 3) for share in of_y.classes.values())
    assert of_id.nulls.estimate == 0.0


def test_look__parts_taken_over__figures_are_of_what_is_new(market: PreviewMarket) -> None:
    first = make({"a.parquet": 128})
    version = market.list_version(first)
    market.open_sample(first, version)
    assert market.look(version).state is PreviewState.SHOWN
    made = make({"a.parquet": 256}, previous=[first.forged.manifest.cid]).take_over(first)
    newer = market.list_version(made, 1, 2)
    market.open_sample(made, newer)
    found = market.look(newer)
    assert found.state is PreviewState.SHOWN and found.taken_over > 0.4
    distinct = found.figures["a.parquet"]["id"].distinct
    assert distinct is not None
    assert round(distinct.estimate) == 128 * 40


@pytest.mark.parametrize(
    ("claim", "is_told"), [(8_000, False), (5, True), (9_000_000, True), (True, False)]
)
def test_look__count_of_different_values_in_the_card__is_held_against_the_sample(
    market: PreviewMarket, claim: object, is_told: bool
) -> None:
    made = make({"a.parquet": 200}, extra={"figures": {"a.parquet": {"id": {"distinct": claim}}}})
    version = market.list_version(made)
    market.open_sample(made, version)
    lines = market.look(version).contradictions
    assert any("different values, the sample" in line for line in lines) is is_told


def test_look__names_twice_and_thousands_of_columns__figures_end_somewhere(
    market: PreviewMarket,
) -> None:
    def wide(place: int) -> pa.Table:
        names = ["same", "same", *(f"c{i}" for i in range(250))]
        return pa.table([pa.array([place + i]) for i in range(len(names))], names=names)

    made = make({"a.parquet": 2}, rows=wide)
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is PreviewState.SMALL
    assert sum(map(len, found.figures.values())) <= 200
    assert plain_rows(0).num_rows  # the rows of others are as they were
