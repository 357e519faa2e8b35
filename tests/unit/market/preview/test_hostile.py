# SPDX-License-Identifier: Apache-2.0
"""Containers made to harm: a look at each ends in a state, in one line, and never in SHOWN."""

import contextlib
import io
import random
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from tests.faults.test_codec_bombs import OTHER_BOMBS
from tests.faults.test_codec_frames import FRAMES
from tests.faults.test_codec_hostile import FILES, INDEX, SEGMENTS
from tests.utils import arrow_cases
from tests.utils.containers import LICENCE, Forged, decoder_peaks, pack, stream_of
from tests.utils.previews import Made, PreviewMarket, make, typed_values
from truthmark.cid import cid_of_stream
from truthmark.cli.preview import _print_rows
from truthmark.codec.decoder import decode_stream
from truthmark.codec.manifest import to_canonical_json
from truthmark.codec.sampling import PreviewAsked
from truthmark.codec.segments import decoded_size
from truthmark.codec.shard_index import Segment
from truthmark.errors import CodecError
from truthmark.market.preview import PreviewState
from truthmark.market.preview.facts import TableFacts, row_marks, value_of
from truthmark.market.preview.saving import save_sample

BIG = {"a.parquet": 200}
SLOW = {"dictionary that grows", "files table of 1,100,000 entries"}
"""To make them takes most of a minute; their kind is among the others."""
BOMBS = {name: case for name, case in OTHER_BOMBS.items() if name not in SLOW}
CASES = {"files": FILES, "index": INDEX, "segments": SEGMENTS, "frames": FRAMES, "bombs": BOMBS}


def asking(forged: Forged) -> Made:
    """Let the card of a container ask for a sample."""
    plain = {"format": "tmk1-card", "title": "", "description": "", "licence": LICENCE}
    card = {**plain, "extra": {"preview": PreviewAsked(16).to_json()}}
    forged.card_bytes = to_canonical_json(card, "card")
    cid = cid_of_stream(io.BytesIO(forged.card_bytes))
    forged.manifest = replace(forged.manifest, card=cid, card_size=len(forged.card_bytes))
    return Made(forged)


@pytest.mark.parametrize("group", CASES)
def test_look__hostile_container__ends_in_a_state_that_nobody_buys_from_unasked(
    market: PreviewMarket, group: str
) -> None:
    for listing, (name, case) in enumerate(CASES[group].items(), 1):
        made = asking(case())
        version = market.list_version(made, listing)
        market.publish(made)
        found = market.look(version)
        assert found.state in (PreviewState.BAD, PreviewState.BROKEN, PreviewState.PARTIAL), name
        assert "\n" not in found.why and len(found.why) < 500, name
        assert found.tables == {} and found.files == {}, name
    assert all(peak <= 512 << 20 for peak in decoder_peaks())


def test_facts__tables_of_every_type__are_noted() -> None:
    for seed in range(40):
        table = arrow_cases.table(seed)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        data = sink.getvalue().to_pybytes()
        decoded = decode_stream(data, 1 << 26, what="table", seconds=20)
        facts = TableFacts()
        segment = Segment(2, 0, 1, 0, decoded.num_rows, 0)
        facts.add(segment, decoded, random.Random(1), 50)
        assert facts.segments[2].rows == decoded.num_rows
        typed_values(decoded, range(decoded.num_rows), 1 << 20)
        assert decoded_size(decoded.to_batches(), decoded.schema) > 0


def test_facts__long_texts__are_not_kept_beside_the_table() -> None:
    """A segment of one text of 128 MiB has next to no bytes; eight of them would be a gigabyte."""
    table = pa.table({"x": ["x" * 10_000] * 3, "y": ["short"] * 3})
    facts = TableFacts()
    facts.add(Segment(2, 0, 1, 0, 3, 0), table, random.Random(1), 50)
    columns = facts.segments[2].columns
    assert columns["x"].counts is None and columns["y"].counts == {"short": 3}
    assert len(set(facts.segments[2].marks)) == 1 and len(facts.segments[2].marks) == 3


def test_row_marks__every_row_has_all_of_a_dictionary__stops() -> None:
    text = pa.array(["x" * 4_000])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000), text)
    assert len(row_marks(pa.table({"x": column}), range(50_000))) < 10_000


@pytest.mark.untraced
def test_row_marks__a_hundred_thousand_columns__are_few() -> None:
    names = [str(i) for i in range(20_000)]
    table = pa.table([pa.array([i, i]) for i in range(20_000)], names=names)
    assert 0 < len(row_marks(pa.concat_tables([table] * 50), range(100))) <= 5


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.date64(), pa.duration("s")])
@pytest.mark.parametrize("is_shared", [True, False])
def test_value_of__python_has_no_such_value__is_a_text(kind: pa.DataType, is_shared: bool) -> None:
    array = pa.Array.from_buffers(kind, 1, [None, pa.py_buffer((2**62).to_bytes(8, "little"))])
    if is_shared:
        array = pa.DictionaryArray.from_arrays(pa.array([0]), array)
    assert value_of(array[0]) == f"{2**62} of {kind}"


def intervals(months: bool, rows: pa.Table) -> tuple[bytes, bytes]:
    """Return schema and segment of rows, in which one type of intervals is made another."""
    message, body = stream_of(rows)
    for at in range(len(message)):
        if message[at] == 2:  # of months, days and nanoseconds
            changed = message[:at] + bytes([0 if months else 1]) + message[at + 1 :]
            with contextlib.suppress(pa.ArrowException):
                kinds = pa.ipc.open_stream(changed + body).schema.types
                if "month_interval" in str(kinds) or "day_time_interval" in str(kinds):
                    return changed, body
    raise AssertionError("there is none")


PLAIN = pa.array([(1, 2, 3), None], pa.month_day_nano_interval())


@pytest.mark.parametrize("months", [True, False])
@pytest.mark.parametrize(
    ("column", "state"),
    [
        (PLAIN, PreviewState.SHOWN),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1]), PLAIN), PreviewState.SHOWN),
        (pa.StructArray.from_arrays([PLAIN, [b"1", b"2"]], ["x", "y"]), PreviewState.SHOWN),
        (pa.UnionArray.from_sparse(pa.array([0, 0], pa.int8()), [PLAIN]), PreviewState.BAD),
    ],
    ids=["plain", "dictionary", "struct", "union"],
)
def test_look__intervals_of_which_python_has_none__are_looked_at_all_the_same(
    market: PreviewMarket, tmp_path: Path, months: bool, column: pa.Array, state: PreviewState
) -> None:
    message, body = intervals(months, pa.table({"x": column}))
    made = make(BIG, stream_rows=(message, body, 2))
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is state, found.why
    assert ("\n" in found.why) is False
    for rows in found.tables.values():
        _print_rows(rows, 3)
    with contextlib.suppress(CodecError):
        save_sample(found, tmp_path / "sample")


def test_pack__intervals_of_which_python_has_none_beside_a_union__is_refused(
    tmp_path: Path,
) -> None:
    union = pa.UnionArray.from_sparse(pa.array([0, 0], pa.int8()), [PLAIN])
    message, body = intervals(True, pa.table({"x": union}))
    with pytest.raises(CodecError, match="intervals of months"):
        pack(pa.ipc.open_stream(message + body).read_all(), tmp_path / "packed")


def test_value_of__zone_that_nobody_knows__is_a_text() -> None:
    array = pa.array([7], pa.timestamp("s", tz="Nowhere/At all"))
    assert "7 of timestamp" in value_of(array[0])
