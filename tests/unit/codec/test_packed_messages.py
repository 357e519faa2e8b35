# SPDX-License-Identifier: Apache-2.0
"""Messages in frames: the reader takes each frame, and unlike columns are kept apart."""

import numpy as np
import pyarrow as pa
import pytest

from tests.utils.frames import read_by_the_page
from truthmark.codec import decoder_child, packed_messages
from truthmark.codec.packed_messages import END, FramePacker
from truthmark.codec.segments import encoded_size
from truthmark.errors import CodecError


def unlike(rows: int) -> pa.RecordBatch:
    """Columns of which each compresses otherwise."""
    random = np.random.default_rng(4)
    return pa.record_batch(
        {
            "row": np.arange(rows),
            "part": random.random(rows, dtype=np.float32),
            "text": [f"{k % 50} and some words that stand in all of them" for k in range(rows)],
        }
    )


def repeating(rows: int) -> pa.RecordBatch:
    """Columns in which only a few bytes at a time stand again."""
    random = np.random.default_rng(1)
    return pa.record_batch(
        {
            "id": np.arange(rows),
            "x": random.normal(size=rows).round(4),
            "text": [f"row {k} {random.bytes(12).hex()}" for k in range(rows)],
        }
    )


def check(segment: bytes, decoded: int) -> bytes:
    """Read by our reader and by the page."""
    frames = memoryview(segment)[4:]
    assert decoder_child.content_size(frames) == decoded
    stream, end = decoder_child._unpacked(pa.py_buffer(segment), 0, decoded)
    found = bytes(stream.to_pybytes()[:end])
    assert found == read_by_the_page(segment, decoded)
    return found


def test_pack__columns_unlike_each_other__takes_less_with_what_was_learned() -> None:
    message = unlike(2_000).serialize()
    packer = FramePacker()
    before = b"".join(packer.pack([message]))
    packer.learn(message)
    after = b"".join(packer.pack([message]))
    plain = bytes(message) + END
    assert check(before, len(plain)) == check(after, len(plain)) == plain
    assert len(packer.pack([message])) == 3  # its length, one frame of some blocks, the end
    assert len(after) < 0.97 * len(before)
    assert len(after) < 1.05 * encoded_size(unlike(2_000))


def test_pack__columns_like_each_other__begins_zstd_once() -> None:
    random = np.random.default_rng(4)
    columns = {f"c{k}": random.integers(0, 200, 1_000, dtype=np.int16) for k in range(30)}
    message = pa.record_batch(columns).serialize()
    packer = FramePacker()
    packer.learn(message)
    assert len(packer.pack([message])) == 3  # its length, one frame, the end


def test_pack__only_short_repetitions__takes_frames_that_are_told_their_size() -> None:
    batch = repeating(340)
    message = batch.serialize()
    packer = FramePacker()
    packer.learn(message)
    segment = b"".join(packer.pack([message]))
    assert check(segment, len(message) + len(END)) == bytes(message) + END
    assert len(segment) < encoded_size(batch)
    large = repeating(30_000).serialize()  # of which zstd by itself would keep less in sight
    segment = b"".join(packer.pack([large]))
    assert check(segment, len(large) + len(END)) == bytes(large) + END
    for other in (unlike(2_000), pa.record_batch({"x": np.zeros(9)})):  # nothing of it is left
        message = other.serialize()
        packer.learn(message)
        assert len(packer.pack([message])) == 3


def test_pack__megabytes__are_frames_that_every_reader_takes() -> None:
    random = np.random.default_rng(1)
    for values in (np.zeros(1 << 20), random.random(1 << 19), random.random(9 << 17)):
        message = pa.record_batch({"x": values}).serialize()
        segment = b"".join(FramePacker().pack([message]))
        assert check(segment, len(message) + len(END)) == bytes(message) + END


def test_pack__few_bytes_or_many_in_blocks__are_frames_that_every_reader_takes() -> None:
    for rows in (1, 20, 400, 30_000):
        message = unlike(rows).serialize()
        packer = FramePacker()
        packer.learn(message)
        segment = b"".join(packer.pack([message]))
        assert check(segment, len(message) + len(END)) == bytes(message) + END


def test_pack__a_pyarrow_whose_frames_begin_otherwise__is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packed_messages, "_SIZE_UNKNOWN", b"otherwise")
    with pytest.raises(CodecError, match="pyarrow writes other frames"):
        FramePacker().pack([unlike(3).serialize()])
