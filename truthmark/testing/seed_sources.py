# SPDX-License-Identifier: Apache-2.0
"""Small sources for a seeded network, and programs that read them: opinions, digits, a river."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from truthmark.agents.agent import Agent, Task
from truthmark.bounty.items import Item

if TYPE_CHECKING:
    import pandas as pd

OPINIONS: Final = ("pleased", "displeased")
_WORDS: Final = (
    ("lovely", "excellent", "friendly", "spotless", "delightful"),
    ("awful", "broken", "rude", "dirty", "disappointing"),
)
_THINGS: Final = ("room", "breakfast", "staff", "view", "garden", "bus ride", "museum", "soup")
_SIZE: Final = 24
_MINUTES: Final = 5


def opinions(count: int, seed: int) -> list[tuple[str, str]]:
    """Return different short texts, each with the class that it belongs to."""
    rng = np.random.default_rng(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        which = len(found) % 2
        word, thing = _WORDS[which][rng.integers(5)], _THINGS[rng.integers(len(_THINGS))]
        found[f"Day {rng.integers(1, 100)}: the {thing} was {word}."] = OPINIONS[which]
    return list(found.items())


def river_levels(days: int, seed: int) -> "pd.DataFrame":
    """Return what a gauge might have measured, each five minutes: cm, °C, mm of rain."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    count = days * 24 * 60 // _MINUTES
    rain = np.where(rng.random(count) < 0.02, rng.gamma(2.0, 0.3, count), 0)
    season = -np.cos(np.arange(count) * 2 * np.pi / (365 * 24 * 60 // _MINUTES))
    return pd.DataFrame(
        {
            "minute": np.arange(count, dtype=np.int32) * _MINUTES,
            "level_cm": (120 + 20 * season + np.cumsum(rng.normal(0, 0.1, count))).round(1),
            "temperature_c": (11 + 7 * season + rng.normal(0, 0.3, count)).round(2),
            "rain_mm": rain.round(1),
        }
    )


def write_digits(folder: Path, count: int, seed: int) -> dict[str, str]:
    """Draw digits as PNG files, and return what each file shows."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    from PIL import Image

    shown = {}
    for number in range(count):
        digit = number % 10
        noise = rng.normal(0, 25, (_SIZE, _SIZE))
        picture = np.clip(_drawn(digit) + noise, 0, 255).astype(np.uint8)
        name = f"{number:03}.png"
        Image.fromarray(picture).save(folder / name)
        shown[name] = str(digit)
    return shown


def _drawn(digit: int) -> Any:
    from PIL import Image, ImageDraw

    picture = Image.new("L", (_SIZE, _SIZE))
    ImageDraw.Draw(picture).text((4, 0), str(digit), fill=255, font_size=_SIZE - 2)
    return np.asarray(picture, float)


class Reader(Agent):
    """A program that reads what `opinions` and `write_digits` make, and errs now and then.

    Args:
        errs: How often, from 0 to 1.
        seed: Of when it errs.
    """

    batch = 16

    def __init__(self, errs: float, seed: int) -> None:
        """Begin with fresh eyes."""
        self._errs, self._rng = errs, np.random.default_rng(seed)

    def answer(self, task: Task, items: Sequence[Item]) -> list[int]:
        """Return a class for each item."""
        read = _read_picture if task.kind == "image" else _read_text
        return [self._said(read(item), len(task.classes)) for item in items]

    def _said(self, right: int, classes: int) -> int:
        if self._rng.random() >= self._errs:
            return right
        return int((right + self._rng.integers(1, classes)) % classes)


def _read_text(item: Item) -> int:
    return int(any(word in item.text for word in _WORDS[1]))


def _read_picture(item: Item) -> int:
    from PIL import Image

    with Image.open(io.BytesIO(item.data)) as opened:
        seen = np.asarray(opened.convert("L"), float)
    return int(np.argmin([((seen - _drawn(digit)) ** 2).sum() for digit in range(10)]))
