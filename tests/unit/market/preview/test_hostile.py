# SPDX-License-Identifier: Apache-2.0
"""Containers made to harm: a look at each ends in a state, in one line, and never in SHOWN."""

import io
import random
from dataclasses import replace

import pyarrow as pa
import pytest

from tests.faults.test_codec_bombs import OTHER_BOMBS
from tests.faults.test_codec_hostile import FILES, INDEX, SEGMENTS
from tests.utils import arrow_cases
from tests.utils.containers import LICENCE, Forged, decoder_peaks
from tests.utils.previews import Made, PreviewMarket
from truthmark.cid import cid_of_stream
from truthmark.codec.decoder import decode_stream
from truthmark.codec.manifest import to_canonical_json
from truthmark.codec.sampling import PreviewAsked
from truthmark.codec.shard_index import Segment
from truthmark.market.preview import PreviewState
from truthmark.market.preview.facts import TableFacts
from truthmark.market.preview.media_values import typed_values

SLOW = {"dictionary that grows", "files table of 1,100,000 entries"}
"""To make them takes most of a minute; their kind is among the others."""
BOMBS = {name: case for name, case in OTHER_BOMBS.items() if name not in SLOW}
CASES = {"files": FILES, "index": INDEX, "segments": SEGMENTS, "bombs": BOMBS}


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
