# SPDX-License-Identifier: Apache-2.0
"""Speed and size of what is packed for a sample: `python -m bench.sampled`.

Processor time of one thread, ours and the peer's by turns, the best of five: so what else the
machine does counts for little. Segments are small, so that
chance can draw some to open, and each is compressed, encrypted and hashed by itself. Most reach the
floor by 48 MiB. Rows near the end say what the time of a segment goes to; all else is to choose the
rows, to copy, to hash the tree, and what there is once: to measure the first rows, to check values.

What does not reach it: 5 MiB, which are cut into hundreds of segments as larger tables are. To
compress as little as one holds takes longer than all of the peer's work, a third of it to begin
zstd, which pyarrow does again for each: it asks the processor what it can do, and that is slow in
virtual machines, as here. The last rows say how much. (All of such a table takes a tenth of a
second.) 65 columns: to slice them and to put them into an Arrow message, for each segment, takes
what is missing. Labels of crowds: like texts stand far from each other, so zstd works longer where
it sees one segment, and unlike columns take blocks of their own; that alone takes longer than all
of the peer's work.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa

from bench.codec import MIB, add_size, crowd_table, fresh, pack, seal_only, write_ipc
from bench.report import Report
from truthmark.codec.fine_cuts import Encoder
from truthmark.codec.packed_messages import FramePacker
from truthmark.codec.seal import Sealer

ROUNDS = 5
COLUMNS = (1, 8, 20, 65)
ROW_SIZE = 1.23
"""Bytes that one value of `integers` takes in a zstd IPC file."""
CROWD_ROWS = 3_000_000
PARTS = {
    "Arrow message": (Encoder, "_messages"),
    "zstd": (FramePacker, "pack"),
    "key, cipher, hash, writing": (Sealer, "_seal"),
}
"""What a segment takes time for, and the method that does it."""


def main() -> None:
    """Measure and write the table."""
    pa.set_cpu_count(1)
    report = Report("sampled")
    with (
        tempfile.TemporaryDirectory(dir=".") as name,
        mock.patch("truthmark.codec.durable.sync_path"),
    ):
        measure_sizes(report, Path(name))
        measure_speed(report, Path(name))
        measure_parts(report, Path(name))
    measure_buffers(report)
    report.write()


def integers(rows: int, columns: int) -> pa.Table:
    """Return columns of small integers."""
    random = np.random.default_rng(columns)
    return pa.table(
        {f"c{i}": random.integers(0, 200, rows, dtype=np.int16) for i in range(columns)}
    )


def measure_sizes(report: Report, folder: Path) -> None:
    """Measure how large containers are, and how many segments there are to draw from."""
    for columns in COLUMNS:
        for mebibytes in (4.1, 12, 48):
            table = integers(int(mebibytes * MIB / (ROW_SIZE * columns)), columns)
            size = write_ipc(table, folder / "table.arrow")
            packed, _ = pack(table, folder / "packed", preview=True)
            name = f"{columns} column{'s' if columns > 1 else ''}, {size / MIB:.1f} MiB"
            add_size(report, name, packed, size, at_most=1.10)
            assert packed.outlook is not None
            report.add(f"left to draw from, {name}", packed.outlook.segments, "segments")
            shutil.rmtree(folder / "packed")


def measure_speed(report: Report, folder: Path) -> None:
    """Pack for a sample, and blind, against pyarrow writing it plus sealing what that wrote."""
    file = folder / "table.arrow"
    tables = [
        (f"{columns} column{'s' if columns > 1 else ''}, {mebibytes} MiB", columns, mebibytes)
        for columns in COLUMNS
        for mebibytes in (5, 48)
    ]
    for name, columns, mebibytes in [*tables, ("crowd labels, 38 MiB", 0, 38)]:
        if columns:
            table = integers(int(mebibytes * MIB / (ROW_SIZE * columns)), columns)
        else:
            table = crowd_table(CROWD_ROWS)
        size = write_ipc(table, file)
        writing, sealing, copying, sampled, _, blind, _ = least(
            lambda table=table: write_ipc(table, file),
            lambda size=size: seal_only(size + MIB),
            lambda: shutil.copyfile(file, folder / "copy"),
            lambda table=table: pack(table, folder / "again", preview=True),
            lambda: fresh(folder / "again"),
            lambda table=table: pack(table, folder / "again"),
            lambda: fresh(folder / "again"),
        )
        speed, peer = table.nbytes / 1e9, writing + sealing + copying
        report.add(
            f"pack, with a sample, {name}",
            speed / sampled,
            "GB/s",
            peer="zstd IPC, cipher, hash, copy",
            peer_value=speed / peer,
            at_least=0.7,
        )
        report.add(
            f"pack, blind, {name}",
            speed / blind,
            "GB/s",
            peer="zstd IPC, cipher, hash, copy",
            peer_value=speed / peer,
        )


def measure_parts(report: Report, folder: Path) -> None:
    """Measure what the time of packing goes to, for each segment, beside all of the peer's."""
    file = folder / "table.arrow"

    def work_of_peer(table: pa.Table) -> None:
        seal_only(write_ipc(table, file) + MIB)
        shutil.copyfile(file, folder / "copy")

    for name, table in (
        ("1 column, 5 MiB", integers(int(5 * MIB / ROW_SIZE), 1)),
        ("65 columns, 48 MiB", integers(int(48 * MIB / (ROW_SIZE * 65)), 65)),
        ("crowd labels, 38 MiB", crowd_table(CROWD_ROWS)),
    ):
        runs = [pack_in_parts(table, folder / "again") for _ in range(ROUNDS + 1)]
        segments, spent = min(runs[1:], key=lambda run: sum(run[1].values()))
        for part, seconds in spent.items():
            report.add(f"a segment, {name}: {part}", 1e6 * seconds / segments, "µs")
        (peer,) = least(lambda table=table: work_of_peer(table))
        report.add(
            f"a segment, {name}: in all",
            1e6 * sum(spent.values()) / segments,
            "µs",
            peer="zstd IPC, cipher, hash, copy, of as many rows",
            peer_value=1e6 * peer / segments,
        )


def pack_in_parts(table: pa.Table, folder: Path) -> tuple[int, dict[str, float]]:
    """Pack once; return how many segments, and seconds of the processor by what they went to."""
    spent = dict.fromkeys(PARTS, 0.0)

    def timed(part: str, work: Callable[..., object]) -> Callable[..., object]:
        def run(*given: object) -> object:
            start = time.process_time()
            try:
                return work(*given)
            finally:
                spent[part] += time.process_time() - start

        return run

    with ExitStack() as stack:
        for part, (kind, method) in PARTS.items():
            run = timed(part, getattr(kind, method))
            stack.enter_context(mock.patch.object(kind, method, run))
        start = time.process_time()
        packed, _ = pack(table, folder, preview=True)
        spent["all else"] = time.process_time() - start - sum(spent.values())
    fresh(folder)
    assert packed.outlook is not None
    return packed.outlook.segments, spent


def measure_buffers(report: Report) -> None:
    """Measure what compressing a small buffer costs against the same bytes of a large one."""
    codec = pa.Codec("zstd")
    values = integers(MIB // 2, 1).column(0).chunk(0).buffers()[1]
    for kibibytes in (2, 8, 64):
        part = values.slice(0, kibibytes << 10)
        count = MIB // len(part)
        large, small = least(
            lambda: codec.compress(values),
            lambda part=part, count=count: [codec.compress(part) for _ in range(count)],
        )
        report.add(
            f"zstd by pyarrow, a buffer of {kibibytes} KiB",
            1e6 * small / count,
            "µs",
            peer="as much of one of 1 MiB",
            peer_value=1e6 * large / count,
        )


def least(*works: Callable[[], object]) -> list[float]:
    """Return the least seconds of the processor of each of five runs by turns, after one more."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS + 1):
        for work, found in zip(works, times, strict=True):
            start = time.process_time()
            work()
            found.append(time.process_time() - start)
    return [min(found[1:]) for found in times]


if __name__ == "__main__":
    main()
