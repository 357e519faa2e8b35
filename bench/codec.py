# SPDX-License-Identifier: Apache-2.0
"""Speed, size and memory of the codec: `python -m bench.codec [--large]`.

Packing and opening are held against the least that they must do: encrypt and hash once, measured
on one buffer, plus a plain copy of the same file. Nothing is synced to disk on either side; each
time is the best of five. `--large` measures memory at 2 GiB too, which needs 8 GiB of disk.
"""

import argparse
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import psutil
import pyarrow as pa
from coincurve import PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.report import Report
from truthmark import cid, codec
from truthmark.codec import extract
from truthmark.types import Point

MIB = 1 << 20
FILE_SIZE = 256 * MIB
ROUNDS = 5
POINT = Point(*PrivateKey(b"\1" * 32).public_key.point())


def main() -> None:
    """Measure everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="measure memory at 2 GiB too")
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    report = Report("codec")
    with tempfile.TemporaryDirectory() as name, mock.patch("truthmark.codec.durable.sync_path"):
        folder = Path(name)
        measure_bytes(report, folder)
        measure_table(report, folder)
        measure_text(report, folder)
        measure_sizes(report, folder)
        measure_cid(report, folder)
    measure_memory(report, [64, 2048] if arguments.large else [64, 256])
    report.write()


def best(*works: Callable[[], object]) -> list[float]:
    """Return the least seconds of each of five runs, after one that does not count.

    What is compared runs by turns: whatever else the machine does falls on all alike.
    """
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS + 1):
        for work, found in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            found.append(time.perf_counter() - start)
    return [min(found[1:]) for found in times]


def pack(source: object, target: Path, **options: object) -> tuple[codec.Packed, bytes]:
    """Pack with a fresh key into an emptied target."""
    cek = os.urandom(32)
    packed = codec.pack(
        source,
        target,
        cek=cek,
        public_key=POINT,
        licence="CC0-1.0",
        **options,  # type: ignore[arg-type]
    )
    return packed, cek


def seal_only(size: int, threads: int = 1) -> None:
    """Encrypt with AES-256-GCM and hash once with SHA-256, on one buffer a thread."""

    def work(count: int) -> None:
        plain, out = os.urandom(MIB - 16), bytearray(MIB)
        for _ in range(count):
            AESGCM(os.urandom(32)).encrypt_into(bytes(12), plain, None, out)
            hashlib.sha256(out).digest()

    workers = [threading.Thread(target=work, args=[size // MIB // threads]) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def fresh(path: Path) -> Path:
    """Return `path` with nothing there."""
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    return path


def measure_bytes(report: Report, folder: Path) -> None:
    """Pack and open one file on one and two processors."""
    source, copy = folder / "source.bin", folder / "copy"
    with source.open("wb") as file:
        for _ in range(FILE_SIZE // MIB):
            file.write(os.urandom(MIB))
    _, cek = pack(source, folder / "packed")

    def unpack(processes: int) -> None:
        with codec.open_container(folder / "packed", cek=cek) as container:
            extract(container, folder / "out", processes=processes)

    def removal(name: str) -> Callable[[], object]:
        return lambda: fresh(folder / name)

    sealing, sealing_two, copying, _, pack_one, _, pack_two, _, open_one, _, open_two, _ = best(
        lambda: seal_only(FILE_SIZE),
        lambda: seal_only(FILE_SIZE, 2),
        lambda: shutil.copyfile(source, copy),
        removal("copy"),
        lambda: pack(source, folder / "again"),
        removal("again"),
        lambda: pack(source, folder / "again", processes=2),
        removal("again"),
        lambda: unpack(1),
        removal("out"),
        lambda: unpack(2),
        removal("out"),
    )
    speed = FILE_SIZE / 1e9
    for name, one, two in (("pack", pack_one, pack_two), ("open", open_one, open_two)):
        report.add(
            f"{name}, bytes, one processor",
            speed / one,
            "GB/s",
            peer="cipher, hash, copy",
            peer_value=speed / (sealing + copying),
            at_least=0.85,
        )
        report.add(
            f"{name}, bytes, two processors",
            speed / two,
            "GB/s",
            peer="one processor",
            peer_value=speed / one,
            at_least=1.6,
        )
    report.add(
        "cipher and hash alone, two processors",
        speed / sealing_two,
        "GB/s",
        peer="one processor: what this machine gave just now",
        peer_value=speed / sealing,
    )
    shutil.rmtree(folder / "packed")
    source.unlink()


def crowd_table(rows: int) -> pa.Table:
    """Return labels with texts, as crowds give them."""
    random = np.random.default_rng(7)
    texts = np.array([f"sample text number {i} with some repeated words" for i in range(5000)])
    return pa.table(
        {
            "task": pa.array(np.arange(rows, dtype=np.int64)),
            "worker": pa.array(random.integers(0, 8000, rows, dtype=np.int32)),
            "label": pa.array(random.integers(0, 10, rows, dtype=np.int8)),
            "confidence": pa.array(random.random(rows, dtype=np.float32)),
            "text": pa.array(texts[random.integers(0, 5000, rows)].tolist()),
        }
    )


def narrow_table(rows: int, columns: int = 65) -> pa.Table:
    """Return many columns of small numbers."""
    random = np.random.default_rng(9)
    return pa.table(
        {f"c{i}": random.integers(0, 200, rows, dtype=np.int16) for i in range(columns)}
    )


def write_ipc(table: pa.Table, path: Path) -> int:
    """Write what pyarrow writes: one zstd IPC file."""
    options = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, table.schema, options=options) as w,
    ):
        w.write_table(table)
    return path.stat().st_size


def measure_table(report: Report, folder: Path) -> None:
    """Pack a table, against pyarrow writing it plus sealing what that wrote."""
    file = folder / "table.arrow"
    for name, table in (
        ("crowd labels", crowd_table(4_000_000)),
        ("65 narrow columns", narrow_table(1_500_000)),
    ):
        size = write_ipc(table, file)
        _, cek = pack(table, folder / "packed")

        def unpack(cek: bytes = cek) -> pa.Table:
            with codec.open_container(folder / "packed", cek=cek) as container:
                return container.to_table()

        if not unpack().equals(table):
            raise SystemExit("what was packed does not come back")
        writing, sealing, copying, packing, _, opening, reading = best(
            lambda table=table: write_ipc(table, file),
            lambda size=size: seal_only(size + MIB),
            lambda: shutil.copyfile(file, folder / "copy"),
            lambda table=table: pack(table, folder / "again"),
            lambda: fresh(folder / "again"),
            unpack,
            lambda: pa.ipc.open_file(io.BytesIO(file.read_bytes())).read_all(),
        )
        speed = table.nbytes / 1e9
        report.add(
            f"pack, table, {name}",
            speed / packing,
            "GB/s",
            peer="zstd IPC, cipher, hash, copy",
            peer_value=speed / (writing + sealing + copying),
            at_least=0.7,
        )
        report.add(
            f"open, table, {name}",
            speed / opening,
            "GB/s",
            peer="reading zstd IPC in this process, cipher, hash",
            peer_value=speed / (reading + sealing),
        )
        shutil.rmtree(folder / "packed")


def measure_text(report: Report, folder: Path, rows: int = 1_000_000) -> None:
    """Pack CSV and JSON lines, against pyarrow reading the same file into one zstd IPC file.

    Ours gives a column a type only where each value comes back exactly, and encrypts; pyarrow's
    readers round and guess.
    """
    from pyarrow import csv, json

    table = crowd_table(rows)
    texts = folder / "rows.csv", folder / "rows.jsonl"
    csv.write_csv(table, texts[0])
    table.to_pandas().to_json(texts[1], orient="records", lines=True)
    for name, file, read in zip(
        ("CSV", "JSON lines"), texts, (csv.read_csv, json.read_json), strict=True
    ):
        plain, packing, _ = best(
            lambda read=read, file=file: write_ipc(read(file), folder / "plain.arrow"),
            lambda file=file: pack(file, folder / "again", processes=1),
            lambda: fresh(folder / "again"),
        )
        size = file.stat().st_size / 1e6
        report.add(
            f"pack, {name}",
            size / packing,
            "MB/s",
            peer="pyarrow's reader, zstd IPC",
            peer_value=size / plain,
        )
        file.unlink()


def measure_sizes(report: Report, folder: Path) -> None:
    """Compare the size of containers with that of the same tables as zstd IPC files."""
    target, file = folder / "packed", folder / "table.arrow"
    for kind, make, row_size in (
        ("crowd labels", crowd_table, 14.0),
        ("65 narrow columns", narrow_table, 66.0),
    ):
        for mebibytes in (1.01, 1.5, 1.99, 3, 8, 15.9, 40):
            table = make(int(mebibytes * MIB / row_size))
            size = write_ipc(table, file)
            packed, _ = pack(table, target)
            add_size(report, f"{kind}, {size / MIB:.2f} MiB", packed, size, at_most=1.15)
            shutil.rmtree(target)


def add_size(report: Report, name: str, packed: codec.Packed, size: int, *, at_most: float) -> None:
    """Hold the size of a container against that of the same table as a zstd IPC file."""
    report.add(
        f"size, {name}",
        packed.manifest.size / MIB,
        "MiB",
        peer="zstd IPC",
        peer_value=size / MIB,
        at_most=at_most,
    )


def measure_cid(report: Report, folder: Path) -> None:
    """Compare the CID of a file with its plain SHA-256."""
    path = folder / "file"
    path.write_bytes(os.urandom(FILE_SIZE))

    def plain() -> None:
        buffer = bytearray(MIB)
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            while size := file.readinto(buffer):
                digest.update(memoryview(buffer)[:size])

    found, peer = best(lambda: cid.cid_of_file(path), plain)
    report.add("CID of a file", found, "s", peer="SHA-256", peer_value=peer, at_most=1.05)


def measure_memory(report: Report, sizes: list[int]) -> None:
    """Measure the most memory that packing and opening take, each in a process of its own."""
    for kind in ("bytes", "arrow", "csv"):
        peaks: dict[str, list[float]] = {"pack": [], "open": []}
        for mebibytes in sizes:
            with tempfile.TemporaryDirectory() as name:
                source = _make_source(kind, Path(name), mebibytes)
                cek = os.urandom(32)
                for step in peaks:
                    peaks[step].append(_peak(step, source, Path(name), cek))
        for step, (small, large) in peaks.items():
            report.add(
                f"memory, {step} {kind}, {sizes[1]} MiB",
                large,
                "MiB",
                peer=f"at {sizes[0]} MiB",
                peer_value=small,
                at_most=1.35,
            )


def _make_source(kind: str, folder: Path, mebibytes: int) -> Path:
    path = folder / {"bytes": "x.bin", "arrow": "x.arrow", "csv": "x.csv"}[kind]
    if kind == "bytes":
        with path.open("wb") as file:
            for _ in range(mebibytes):
                file.write(os.urandom(MIB))
        return path
    step = crowd_table(200_000)
    if kind == "arrow":
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, step.schema) as writer:
            while sink.tell() < mebibytes * MIB:
                writer.write_table(step)
        return path
    from pyarrow import csv

    with pa.OSFile(str(path), "wb") as sink, csv.CSVWriter(sink, step.schema) as writer:
        while sink.tell() < mebibytes * MIB:
            writer.write_table(step)
    return path


def _peak(step: str, source: Path, folder: Path, cek: bytes) -> float:
    """Return the peak resident MiB of one step in a process of its own, children included."""
    arguments = [step, str(source), str(folder), cek.hex()]
    code = "from bench.codec import run_step; run_step()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def run_step() -> None:
    """Pack or open in this process, then print its peak memory and that of its children."""
    step, cek = sys.argv[1], bytes.fromhex(sys.argv[4])
    source, folder = map(Path, sys.argv[2:4])
    if step == "pack":
        codec.pack(source, folder / "packed", cek=cek, public_key=POINT, licence="CC0-1.0")
    else:
        with codec.open_container(folder / "packed", cek=cek) as container:
            extract(container, folder / "out", "arrow")
    me = psutil.Process()
    print(sum(_high_water(process.pid) for process in (me, *me.children())) / 1024)


def _high_water(pid: int) -> int:
    # Not ru_maxrss: a child starts with what its parent had when it forked.
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    main()
