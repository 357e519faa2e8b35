# SPDX-License-Identifier: Apache-2.0
"""Speed and size of what is packed for a sample: `python -m bench.sampled`.

Processor time of one thread, ours and the peer's by turns, the best of five: so what else the
machine does counts for little. (It was busy when these were taken.) Segments are small, so that
chance can draw some to open, and each has every column. Its messages are compressed together, so
zstd is begun once or a few times for each. That asks the processor what it can do, which is slow
inside virtual machines, as here: the last rows say how much. A segment also has its own key,
cipher and hashes, whatever its size. Hence the floor is not reached: by far not by tables of few
megabytes, which are cut into hundreds of segments as larger ones are, though that takes but some
tenths of a second; by 48 MiB nearly.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa

from bench.codec import MIB, add_size, crowd_table, fresh, pack, seal_only, write_ipc
from bench.report import Report

ROUNDS = 5
COLUMNS = (1, 8, 20, 65)
ROW_SIZE = 1.23
"""Bytes that one value of `integers` takes in a zstd IPC file."""


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
            table = crowd_table(3_000_000)
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
