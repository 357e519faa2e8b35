# SPDX-License-Identifier: Apache-2.0
"""How many blocks are asked for at once."""

from truthmark.chain.ranges import BlockRange


def test_block_range__refused__is_halved_down_to_one() -> None:
    span = BlockRange(1_000, 1_000)
    sizes = []
    for _ in range(11):
        span.shorten(5, 5 + span.size - 1)
        sizes.append(span.size)
    assert sizes == [500, 250, 125, 62, 31, 15, 7, 3, 1, 1, 1]


def test_block_range__answered_often_enough__grows_up_to_the_limit() -> None:
    span = BlockRange(400, 500)
    span.shorten(1, 400)
    for _ in range(10):
        span.note(200, 0)
    assert span.size == 200  # not at once after a refusal
    span.note(200, 0)
    assert span.size == 400
    span.note(400, 5_000)
    span.note(100, 0)
    assert span.size == 400  # with many logs, or of fewer blocks than were allowed
    span.note(400, 4_999)
    assert span.size == 500
