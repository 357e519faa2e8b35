# SPDX-License-Identifier: Apache-2.0
"""What a card says of its sample is understood exactly, or refused in one line."""

from typing import Any

import pytest

from truthmark.cid import CID, DAG_PB, raw_cid
from truthmark.codec.manifest import from_canonical_json, to_canonical_json
from truthmark.codec.sampling import (
    MAX_PREVIOUS,
    PreviewAsked,
    default_draws,
    draws_of_part,
    preview_asked,
)
from truthmark.errors import MalformedError

OLDER = raw_cid(bytes(range(32)))


def card_with(asked: Any) -> dict[str, Any]:
    return {"format": "tmk1-card", "extra": {"preview": asked}}


@pytest.mark.parametrize(
    "asked", [PreviewAsked(1), PreviewAsked(512), PreviewAsked(64, (OLDER, raw_cid(bytes(32))))]
)
def test_preview_asked__what_was_written__is_read_back(asked: PreviewAsked) -> None:
    data = to_canonical_json(card_with(asked.to_json()), "card")
    assert preview_asked(from_canonical_json(data, "card")) == asked


@pytest.mark.parametrize("card", [{}, {"extra": {}}, {"extra": {"colour": 1}}, {"extra": [1]}])
def test_preview_asked__a_card_that_asks_for_none__is_blind(card: dict[str, Any]) -> None:
    assert preview_asked(card) is None


@pytest.mark.parametrize(
    "asked",
    [
        None,
        True,
        64,
        [],
        "preview-v1",
        {},
        {"rule": "preview-v1"},
        {"draws": 64},
        {"rule": "preview-v2", "draws": 64},
        {"rule": ["preview-v1"], "draws": 64},
        {"rule": "preview-v1\n", "draws": 64},
        {"rule": "preview-v1", "draws": 0},
        {"rule": "preview-v1", "draws": 513},
        {"rule": "preview-v1", "draws": -1},
        {"rule": "preview-v1", "draws": 2**53},
        {"rule": "preview-v1", "draws": True},
        {"rule": "preview-v1", "draws": 64.5},
        {"rule": "preview-v1", "draws": "64"},
        {"rule": "preview-v1", "draws": None},
        {"rule": "preview-v1", "draws": 64, "seed": "0x00"},
        {"rule": "preview-v1", "draws": 64, "previous": None},
        {"rule": "preview-v1", "draws": 64, "previous": str(OLDER)},
        {"rule": "preview-v1", "draws": 64, "previous": {"0": str(OLDER)}},
        {"rule": "preview-v1", "draws": 64, "previous": [7]},
        {"rule": "preview-v1", "draws": 64, "previous": ["\n" * 59]},
        {"rule": "preview-v1", "draws": 64, "previous": ["b" + "é" * 58]},
        {"rule": "preview-v1", "draws": 64, "previous": [str(OLDER).upper()]},
        {"rule": "preview-v1", "draws": 64, "previous": [str(CID(DAG_PB, bytes(32)))]},
        {"rule": "preview-v1", "draws": 64, "previous": [str(OLDER), str(OLDER)]},
        {
            "rule": "preview-v1",
            "draws": 64,
            "previous": [str(raw_cid(i.to_bytes(32, "big"))) for i in range(MAX_PREVIOUS + 1)],
        },
    ],
)
def test_preview_asked__anything_else__is_refused_in_one_line(asked: Any) -> None:
    with pytest.raises(MalformedError) as refused:
        preview_asked(card_with(asked))
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("card: the sample that it asks for")


@pytest.mark.parametrize(
    ("segments", "draws"),
    [(0, 16), (127, 16), (128, 16), (256, 16), (272, 17), (1023, 63), (1024, 64), (10**6, 64)],
)
def test_default_draws__by_segments__is_a_sixteenth_from_16_to_64(
    segments: int, draws: int
) -> None:
    assert default_draws(segments) == draws


def test_draws_of_part__a_part_with_nearly_all_rows_in_few_shards__is_drawn_by_its_rows() -> None:
    assert draws_of_part(64, 1000, (1000, 1000), (50, 50)) == 64
    assert draws_of_part(64, 200, (20, 1000), (999, 1000)) == 64
    assert draws_of_part(64, 200, (20, 1000), (1, 1000)) == 8  # the least
    assert draws_of_part(64, 15, (20, 1000), (999, 1000)) == 7  # never more than half
    assert draws_of_part(64, 200, (251, 1000), (0, 0)) == 17  # rounded up
