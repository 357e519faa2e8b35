# SPDX-License-Identifier: Apache-2.0
"""Opening and packing many small files: `python -m bench.opening [--files 100000]`.

Held against `tar` with the same files and one `sync`, by turns in the same run, the best of three.
What is opened is on disk when its folder appears.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.codec import pack
from bench.report import Report
from truthmark import codec
from truthmark.codec import extract

ROUNDS = 3


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000, help="how many")
    count = parser.parse_args().files
    report = Report("opening")
    # Not in the folder for temporary files, which may be memory.
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        measure(report, folder, make_files(folder / "source", count), count)
    report.write()


def make_files(folder: Path, count: int) -> Path:
    """Write small texts, a thousand to a folder."""
    for number in range(count):
        place = folder / f"{number // 1000:04}"
        if not number % 1000:
            place.mkdir(parents=True)
        (place / f"{number:07}.txt").write_text(f"{number} " * 20)
    return folder


def measure(report: Report, folder: Path, source: Path, count: int) -> None:
    """Pack and open, and let tar do the same."""
    archive, copy = folder / "files.tar", folder / "copy"
    packed, again, opened = folder / "packed", folder / "again", folder / "opened"
    _, cek = pack(source, packed)
    subprocess.run(["tar", "-cf", archive, "-C", source, "."], check=True)

    def untar() -> None:
        copy.mkdir()
        subprocess.run(["tar", "-xf", archive, "-C", copy], check=True)
        os.sync()

    def tar() -> None:
        subprocess.run(["tar", "-cf", copy, "-C", source, "."], check=True)
        os.sync()

    def open_all() -> None:
        with codec.open_container(packed, cek=cek) as container:
            extract(container, opened)

    opening, unpacking = best(folder, open_all, untar)
    packing, archiving = best(folder, lambda: pack(source, again), tar)
    report.add(
        f"open {count:,} files",
        opening,
        "s",
        peer="tar -x and sync",
        peer_value=unpacking,
        at_most=2,
    )
    report.add(f"pack {count:,} files", packing, "s", peer="tar -c and sync", peer_value=archiving)


def best(folder: Path, *works: Callable[[], object]) -> list[float]:
    """Return the least seconds of each; what it made is removed and synced before the next."""
    times: list[list[float]] = [[] for _ in works]
    kept = set(folder.iterdir())
    for _ in range(ROUNDS):
        for work, found in zip(works, times, strict=True):
            os.sync()
            start = time.perf_counter()
            work()
            found.append(time.perf_counter() - start)
            for made in set(folder.iterdir()) - kept:
                shutil.rmtree(made) if made.is_dir() else made.unlink()
    return [min(found) for found in times]


if __name__ == "__main__":
    main()
