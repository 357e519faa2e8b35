# SPDX-License-Identifier: Apache-2.0
"""Photos of 12 million pixels made into the items of a bounty: `python -m bench.photos`.

What `bounty create` does with a folder of them: read, make small and upright, leave out what
cameras write beside, encrypt, hash, write. The peer is the least that anyone must do: Pillow's own
`thumbnail` and `save` of the same files in the same size and quality. Each reads them in a process
of its own; a photo a second a core is one in a second of processor time. The photos are made:
slopes, edges and noise, about as hard to pack as real ones.
"""

import argparse
import io
import multiprocessing
import resource
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bench.report import Report
from truthmark.bounty.items import ItemsWriter
from truthmark.bounty.sources.files import folder_source
from truthmark.bounty.sources.found import read_into
from truthmark.bounty.sources.pictures import MAX_SIDE

SIDES = (4000, 3000)
CHUNK = 50
"""Photos on the disk at once."""
SCENES = 5
PEER = "Pillow's thumbnail and save"
SECRET = b"\x11" * 32


Work = Callable[[Path], int]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process needed for some photos.

    Attributes:
        seconds: Of the processor.
        peak: Its largest memory, MiB.
        size: Of what came of them, bytes.
    """

    seconds: float
    peak: float
    size: int


Do = Callable[[Work, Path], Cost]


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the table; return 1 if a figure does not hold."""
    parser = argparse.ArgumentParser(prog="bench.photos", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, help="how many photos")
    report = Report("photos")
    measure(report, parser.parse_args(arguments).count, SIDES, alone)
    report.write()
    return int(any(figure.holds is False for figure in report.figures))


def measure(report: Report, count: int, sides: tuple[int, int], does: Do) -> None:
    """Make photos, and have them read both ways, chunk by chunk."""
    scenes = [_scene(sides, seed) for seed in range(SCENES)]
    own, peer = [], []
    with tempfile.TemporaryDirectory() as folder:
        for first in range(0, count, CHUNK):
            photos = Path(folder) / f"photos-{first}"
            photos.mkdir()
            for number in range(first, min(count, first + CHUNK)):
                _write(scenes[number % SCENES], number, photos / f"{number:06}.jpg")
            peer.append(does(shrink, photos))
            own.append(does(make_items, photos))
            for path in sorted(photos.rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
    what = f"{count:,} photos of {sides[0] * sides[1] / 1e6:.0f} MP"
    seconds, least = (sum(cost.seconds for cost in costs) for costs in (own, peer))
    report.add(
        f"{what} into items",
        count / seconds,
        "photos/s a core",
        peer=PEER,
        peer_value=count / least,
        at_least=0.8,
    )
    peaks = [max(cost.peak for cost in costs) for costs in (own, peer)]
    report.add(f"{what}: whole process", peaks[0], "MiB", at_most=512)
    report.add(f"{PEER}: whole process", peaks[1], "MiB")
    report.add("bytes of an item", sum(cost.size for cost in own) / count, "bytes")


def make_items(photos: Path) -> int:
    """Make items of a folder, as a bounty does; return their bytes."""
    items = photos / "items"
    with ItemsWriter(items, SECRET) as writer:
        reading = read_into(folder_source(photos), writer)
        writer.finish()
    assert not reading.left_out, reading.lines()
    return sum(path.stat().st_size for path in items.iterdir())


def shrink(photos: Path) -> int:
    """Make each picture small, and no more; return the bytes of all."""
    size = 0
    for path in sorted(photos.glob("*.jpg")):
        with Image.open(path) as picture:
            picture.thumbnail((MAX_SIDE, MAX_SIDE))
            sink = io.BytesIO()
            picture.save(sink, "JPEG", quality=90)
            size += len(sink.getvalue())
    return size


def alone(work: Work, photos: Path) -> Cost:
    """Do something in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measured, work, photos).result()


def measured(work: Work, photos: Path) -> Cost:
    """Do it here, and return what that took."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    size = work(photos)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds, _peak(), size)


def _peak() -> float:
    """Return the largest memory of this process, MiB; `ru_maxrss` would have its parent's."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1]) / 1024


def _scene(sides: tuple[int, int], seed: int) -> Image.Image:
    """Return a picture with smooth parts, edges, and the grain of a camera."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
    picture = coarse.resize(sides, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(200):
        x, y = rng.integers(0, sides[0]), rng.integers(0, sides[1])
        width, height = rng.integers(1, max(2, sides[0] // 8), 2)
        colour = tuple(rng.integers(0, 256, 3).tolist())
        draw.ellipse((x, y, x + width, y + height), fill=colour)
    grain = rng.normal(0, 4, (sides[1], sides[0], 1)).astype(np.int16)
    noisy = np.clip(np.asarray(picture, np.int16) + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(noisy)


def _write(scene: Image.Image, number: int, path: Path) -> None:
    """Write a scene as a photo of its own, with a place and an orientation."""
    picture = scene.copy()
    ImageDraw.Draw(picture).text((20, 20), f"photo {number}", fill="white", font_size=120)
    exif = Image.Exif()
    exif[0x0112] = 6 if number % 3 == 0 else 1
    exif.get_ifd(0x8825)[1] = "N"
    picture.save(path, quality=92, exif=exif)


if __name__ == "__main__":
    sys.exit(main())
