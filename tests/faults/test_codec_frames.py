# SPDX-License-Identifier: Apache-2.0
"""Segments in zstd frames made to harm, or for two readers to see different things in them."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.faults.test_codec_mutations import mutate
from tests.utils.containers import Draft, Forged, P, decoder_peaks, stream_of
from tests.utils.frames import (
    MAGIC,
    MESSAGE_END,
    block,
    compressed,
    frame,
    in_frames,
    read_by_the_page,
)
from tests.utils.hostile_containers import MOST_MEMORY, Case, check_refused, open_all
from truthmark.codec import Limits, decoder_child, files_table, open_container

Change = Callable[[bytes], bytes]


def drafted(change: Change, *, more: int = 0, table: pa.Table | None = None) -> Case:
    """A container whose table's segment is what `change` makes of its messages."""

    def make() -> Forged:
        draft = Draft() if table is None else Draft(table=table)
        messages = draft.segment
        draft.segment = change(messages)
        return draft.forge(decoded=len(messages) + more)

    return make


HONEST: dict[str, Case] = {
    "one frame": drafted(compressed),
    "some frames": drafted(lambda m: compressed(m, (8, 100, 101))),
    "a frame of nothing": drafted(lambda m: in_frames(frame(b""), frame(m), frame(b""))),
    "blocks of nothing": drafted(
        lambda m: in_frames(
            frame(b"", says=len(m))[: 4 + 5] + block(b"", is_last=False) * 3 + block(m)
        )
    ),
    "zeros as one": drafted(
        lambda m: in_frames(frame(m[:-4], zeros=4)), table=pa.table({"x": [1, 2, 3]})
    ),
}

FRAMES: dict[str, Case] = {
    "no length": drafted(lambda m: in_frames(frame(m), length=0)),
    "nothing at all": drafted(lambda m: b""),
    "a length beyond the segment": drafted(lambda m: in_frames(frame(m), length=P)),
    "the greatest length": drafted(lambda m: in_frames(frame(m), length=2**32 - 2)),
    "a length that is short": drafted(lambda m: in_frames(frame(m), length=len(m))),
    "a length that is long": drafted(lambda m: in_frames(frame(m) + b"\0")),
    "a frame that is cut off": drafted(lambda m: in_frames(frame(m)[:-1])),
    "a frame too many": drafted(lambda m: in_frames(frame(m), frame(MESSAGE_END))),
    "a frame that says more": drafted(lambda m: in_frames(frame(m, says=len(m) + 1)), more=1),
    "a frame that says less": drafted(lambda m: in_frames(frame(m, says=len(m) - 1)), more=-1),
    "less than it declares": drafted(lambda m: in_frames(frame(m)), more=8),
    "more than it declares": drafted(lambda m: in_frames(frame(m)), more=-8),
    "more behind the end": drafted(lambda m: in_frames(frame(m + MESSAGE_END)), more=8),
    "no end": drafted(lambda m: in_frames(frame(m[:-8])), more=-8),
    "half an end": drafted(lambda m: in_frames(frame(m[:-4])), more=-4),
    "the end of old streams": drafted(lambda m: in_frames(frame(m[:-8] + bytes(8)))),
    "something to skip": drafted(
        lambda m: in_frames(b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"skip", frame(m))
    ),
    "a frame of zstd 0.7": drafted(
        lambda m: in_frames(b"\x27\xb5\x2f\xfd" + frame(m)[4:])
    ),
    "a frame without size": drafted(
        lambda m: in_frames(MAGIC + b"\x00\x58" + block(m)), more=0
    ),
    "a frame with a window": drafted(
        lambda m: in_frames(MAGIC + b"\x80\x58" + struct.pack("<I", len(m)) + block(m))
    ),
    "a frame with a dictionary": drafted(
        lambda m: in_frames(MAGIC + b"\xa1\x07" + struct.pack("<I", len(m)) + block(m))
    ),
    "a reserved bit": drafted(
        lambda m: in_frames(MAGIC + b"\xa8" + struct.pack("<I", len(m)) + block(m))
    ),
    "a reserved block": drafted(
        lambda m: in_frames(MAGIC + b"\xa0" + struct.pack("<I", len(m)) + block(m, 3))
    ),
    "a block that is no block": drafted(
        lambda m: in_frames(MAGIC + b"\xa0" + struct.pack("<I", len(m)) + block(m, 2))
    ),
    "a wrong checksum": drafted(
        lambda m: in_frames(MAGIC + b"\xa4" + struct.pack("<I", len(m)) + block(m) + b"sums")
    ),
    "frames within a frame": drafted(lambda m: compressed(compressed(m)[4:])),
    "a segment within a frame": drafted(
        lambda m: compressed(compressed(m)), more=len(compressed(Draft().segment)) - 400
    ),
    "the schema once more": drafted(
        lambda m: compressed(Draft().schema + m), more=len(Draft().schema)
    ),
    "2^64 - 1 bytes": drafted(
        lambda m: in_frames(MAGIC + b"\xe0" + struct.pack("<Q", 2**64 - 1) + block(m))
    ),
    "a gigabyte that says so": drafted(
        lambda m: in_frames(
            MAGIC + b"\xa0" + struct.pack("<I", 1 << 30)
            + block(1 << 17, is_last=False) * 300 + block(1 << 17)
        )
    ),
    "eight megabytes that say nothing": drafted(
        lambda m: in_frames(
            MAGIC + b"\xa0" + struct.pack("<I", len(m))
            + block(1 << 17, is_last=False) * 63 + block(1 << 17)
        )
    ),
    "too many blocks": drafted(
        lambda m: in_frames(
            MAGIC + b"\xa0" + struct.pack("<I", len(m))
            + block(b"", is_last=False) * 65_536 + block(m)
        )
    ),
    "too many frames": drafted(lambda m: in_frames(*[frame(b"")] * 29_000, *[frame(m)] * 2)),
}  # fmt: skip


@pytest.mark.parametrize("case", HONEST.values(), ids=HONEST.keys())
def test_open__segment_in_frames__opens(case: Case, tmp_path: Path) -> None:
    open_all(case(), tmp_path)


@pytest.mark.parametrize("case", FRAMES.values(), ids=FRAMES.keys())
def test_open__hostile_frames__are_refused(case: Case, tmp_path: Path) -> None:
    check_refused(case(), tmp_path)


def test_open__bodies_compressed_again__are_read_within_the_same_limit(tmp_path: Path) -> None:
    def packed_twice(table: pa.Table) -> Forged:
        draft = Draft(table=table)
        messages = stream_of(table, "zstd")[1]
        draft.segment = compressed(messages)
        return draft.forge(decoded=len(messages))

    open_all(packed_twice(Draft().table), tmp_path / "good")
    (tmp_path / "bad").mkdir()
    bomb = packed_twice(pa.table({"x": np.zeros(1 << 22, dtype=np.int64)}))
    assert "declares" in str(check_refused(bomb, tmp_path / "bad"))


def test_open__frames_of_all_that_is_granted__take_no_more_memory() -> None:
    table = pa.table({"x": np.zeros((Limits().segment_bytes >> 3) - 100, dtype=np.int64)})
    draft = Draft(table=table)
    size = len(draft.segment)
    draft.segment = compressed(draft.segment, range(512 << 10, size, 512 << 10))
    forged = draft.forge(decoded=size)
    with open_container(forged.source, cek=forged.cek, manifest=forged.manifest) as container:
        assert container.to_table().num_rows == table.num_rows
    assert all(peak <= MOST_MEMORY for peak in decoder_peaks())


def test_open__frames_in_the_files_table__are_refused(tmp_path: Path) -> None:
    data = files_table.encode(Draft().entries)
    check_refused(Draft().forge(compressed(data)), tmp_path)


def read_by_us(segment: bytes, decoded_bytes: int) -> bytes | None:
    if segment.startswith(decoder_child.CONTINUATION):
        return segment
    buffer = pa.py_buffer(segment)
    try:
        stream, end = decoder_child._unpacked(buffer, 0, decoded_bytes)
    except (ValueError, OSError):
        return None
    return stream.to_pybytes()[:end]


def test_unpacked__thousands_of_changed_frames__are_what_the_page_says() -> None:
    chance = random.Random(11)
    rows = 4_000
    table = pa.table(
        {
            "x": pa.array(np.arange(rows) % 97, pa.int16()),
            "t": [f"text {k % 13}" for k in range(rows)],
        }
    )
    messages = stream_of(table)[1]
    plain = [
        compressed(messages),
        compressed(messages, (9_000, 30_000)),
        in_frames(frame(messages[:-4], zeros=4)),
        in_frames(frame(messages[:300]), frame(b""), frame(messages[300:])),
    ]
    seen = {True: 0, False: 0}
    for number in range(3_000):
        whole = plain[number % len(plain)]
        # Mostly near the front, where there are no values but only what says how to read them.
        cut = chance.choice((6, 12, 24, 64, len(whole)))
        segment = mutate(whole[:cut], chance) + whole[cut:] + bytes(64)
        theirs = read_by_the_page(segment, len(messages))
        ours = read_by_us(segment, len(messages))
        assert ours == theirs, (number, segment[:64].hex())
        seen[ours is not None] += 1
    assert min(seen.values()) > 100, seen
    for whole in plain:
        assert (
            read_by_us(whole, len(messages)) == messages == read_by_the_page(whole, len(messages))
        )
