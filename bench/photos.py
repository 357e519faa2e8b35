# SPDX-License-Identifier: Apache-2.0
"""Photos of 12 million pixels made into the items of a bounty: `python -m bench.photos`.

What `bounty create` does with a folder of them: read, make small and upright, leave out what
cameras write beside, encrypt, hash, write; all of them in one process. The peer is the least that
anyone must do: Pillow's own `thumbnail` and `save` of the first hundred in the same size and
quality. A photo a second a core is one in a second of processor time. The photos are made, of 4 MB
each: slopes, edges and noise, about as hard to pack as real ones. There are ten scenes; each photo
is one of them with other steps of brightness in its header, so that all are different. They are
written as they are due and deleted after it, so they take 200 MB of the disk, and come from memory.
"""

import argparse
import io
import multiprocessing
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bench.report import Report
from truthmark.bounty.items import ItemsWriter
from truthmark.bounty.sources.files import folder_source
from truthmark.bounty.sources.found import Found, ItemSource, read_into
from truthmark.bounty.sources.pictures import MAX_SIDE

SIDES = (4000, 3000)
CHUNK = 50
"""Photos on the disk at once."""
SCENES = 5
UPRIGHT, TURNED = 1, 6
"""How a camera says that it was held."""
PEER = "Pillow's thumbnail and save"
PEER_COUNT = 100
MOST_SECONDS = 300
"""That 2,000 photos may take."""
SECRET = b"\x11" * 32
_TABLE = b"\xff\xdb"
_SHIFTED, _SHIFTS = range(1, 7), 3

Work = Callable[[Path, int], int]


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


Do = Callable[[Work, Path, int], Cost]


class Roll(ItemSource):
    """Photos that are written when they are due, some at a time.

    Args:
        folder: Where the scenes are, and the photos go.
        count: How many.
    """

    def __init__(self, folder: Path, count: int) -> None:
        """Read the scenes."""
        self.kind, self.total = "image", count
        self.fingerprint, self.skipped = "", []
        self._folder = folder
        self._scenes = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]

    def __iter__(self) -> Generator[Found, None, None]:
        """Yield the items."""
        for place in self.places():
            yield from folder_source(place)

    def places(self) -> Iterator[Path]:
        """Yield one folder with photos after the other; each is gone when the next is asked for."""
        assert self.total is not None
        for first in range(0, self.total, CHUNK):
            place = self._folder / f"photos-{first}"
            place.mkdir()
            for number in range(first, min(self.total, first + CHUNK)):
                (place / f"{number:06}.jpg").write_bytes(self._photo(number))
            yield place
            shutil.rmtree(place)

    def _photo(self, number: int) -> bytes:
        """Return a scene with other steps of its coarse parts, which makes it another picture."""
        left, scene = divmod(number, len(self._scenes))
        photo = bytearray(self._scenes[scene])
        table = photo.index(_TABLE) + 5  # behind its length and number
        for place in _SHIFTED:
            left, shift = divmod(left, _SHIFTS)
            photo[table + place] += shift
        return bytes(photo)


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the table; return 1 if a figure does not hold."""
    parser = argparse.ArgumentParser(prog="bench.photos", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, help="how many photos")
    report = Report("photos")
    measure(report, parser.parse_args(arguments).count, SIDES, alone)
    report.write()
    return int(any(figure.holds is False for figure in report.figures))


def measure(report: Report, count: int, sides: tuple[int, int], does: Do) -> None:
    """Make scenes, and have photos of them read both ways."""
    few = min(count, PEER_COUNT)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for seed in range(SCENES):
            scene = _scene(sides, seed)
            for turn in (UPRIGHT, TURNED):
                _write(scene, turn, place / f"{turn}-{seed}.jpg")
        peer, own = does(shrink, place, few), does(make_items, place, count)
    what = f"{count:,} photos of {sides[0] * sides[1] / 1e6:.0f} MP"
    report.add(
        f"{what} into items",
        count / own.seconds,
        "photos/s a core",
        peer=PEER,
        peer_value=few / peer.seconds,
        at_least=0.8,
    )
    report.add(f"{what}: processor time", own.seconds, "s", at_most=MOST_SECONDS * count / 2000)
    report.add(f"{what}: whole process", own.peak, "MiB", at_most=512)
    report.add(f"{PEER}: whole process", peer.peak, "MiB")
    report.add("bytes of an item", own.size / count, "bytes")


def make_items(folder: Path, count: int) -> int:
    """Make items of photos, as a bounty does; return their bytes."""
    items = folder / "items"
    with ItemsWriter(items, SECRET) as writer:
        reading = read_into(Roll(folder, count), writer)
        writer.finish()
    assert not reading.left_out, reading.lines()
    return sum(path.stat().st_size for path in items.iterdir())


def shrink(folder: Path, count: int) -> int:
    """Make each picture small, and no more; return the bytes of all."""
    size = 0
    for place in Roll(folder, count).places():
        for path in sorted(place.iterdir()):
            with Image.open(path) as picture:
                picture.thumbnail((MAX_SIDE, MAX_SIDE))
                sink = io.BytesIO()
                picture.save(sink, "JPEG", quality=90)
                size += len(sink.getvalue())
    return size


def alone(work: Work, folder: Path, count: int) -> Cost:
    """Do something in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measured, work, folder, count).result()


def measured(work: Work, folder: Path, count: int) -> Cost:
    """Do it here, and return what that took."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    size = work(folder, count)
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


def _write(scene: Image.Image, turn: int, path: Path) -> None:
    """Write a scene as a photo, with a place and an orientation."""
    picture = scene.copy()
    ImageDraw.Draw(picture).text((20, 20), path.stem, fill="white", font_size=120)
    exif = Image.Exif()
    exif[0x0112] = turn
    exif.get_ifd(0x8825)[1] = "N"
    picture.save(path, quality=95, exif=exif)


if __name__ == "__main__":
    sys.exit(main())
