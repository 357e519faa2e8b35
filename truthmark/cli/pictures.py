# SPDX-License-Identifier: Apache-2.0
"""Pictures in a terminal that can show them; all else is opened with the system's own viewer.

Where there are no windows either, as over SSH, pictures are drawn coarsely, of half blocks.
"""

import base64
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from truthmark.bounty.decoding import open_picture
from truthmark.bounty.items import Item
from truthmark.errors import BountyError

_LARGEST: Final = (800, 480)
"""Pixels of a picture as it is drawn; the items themselves are not changed."""
_CHUNK: Final = 4_096
_COLOURS: Final = 64
_OTHER_LINES: Final = 10
_LEAST_LINES: Final = 8
_MOST_BLOCKS: Final = 4
"""Blocks a pixel is wide at most."""
_SIXEL: Final = ("foot", "mlterm", "yaft", "sixel", "contour")


def protocol(environment: Mapping[str, str]) -> str | None:
    """Return how the terminal takes pictures: `kitty`, `iterm`, `sixel`, or None.

    Args:
        environment: Of the process.
    """
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if "TMUX" in environment or term.startswith("screen"):
        return None  # they swallow what they do not know
    if "kitty" in term or "KITTY_WINDOW_ID" in environment or program == "ghostty":
        return "kitty"
    if program in ("iTerm.app", "WezTerm") or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    return "sixel" if any(name in term for name in _SIXEL) else None


def has_windows(environment: Mapping[str, str], platform: str) -> bool:
    """Return whether a viewer could open a window here.

    Args:
        environment: Of the process.
        platform: As in `sys.platform`.
    """
    if platform in ("darwin", "win32"):
        return True
    return any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"))


class Viewer:
    """Shows items that are no texts."""

    def __init__(self) -> None:
        """Look at the terminal."""
        self._protocol = protocol(os.environ) if sys.stderr.isatty() else None
        self._folder = tempfile.TemporaryDirectory(prefix="label-")

    def show(self, item: Item, name: str) -> str:
        """Show an item; returns what to say where it is.

        Args:
            item: A picture or a sound.
            name: Of its file, without an ending.
        """
        drawn = self._draw(item)
        if drawn is not None:
            click.echo(drawn, err=True)
            return ""
        if item.media.mime.startswith("image/"):
            try:
                open_picture(item).close()
            except BountyError as error:  # a viewer would guess what it is, and might run it
                return str(error)
            except ImportError:
                pass  # nothing here can look
        path = Path(self._folder.name) / f"{name}{item.media.suffix}"
        path.write_bytes(item.data)
        if has_windows(os.environ, sys.platform) and click.launch(str(path)) == 0:
            return f"opened in a window of its own: {path}"
        coarse = self._picture(item) if sys.stderr.isatty() else None
        if coarse is None:
            return f"nothing here shows it; look at {path}"
        size = shutil.get_terminal_size()
        click.echo(
            blocks(coarse, size.columns, max(size.lines - _OTHER_LINES, _LEAST_LINES)), err=True
        )
        return f"drawn coarsely; the file is {path}"

    def close(self) -> None:
        """Remove what was written for viewers."""
        self._folder.cleanup()

    def _draw(self, item: Item) -> str | None:
        """Return what draws a picture, or None where the terminal, or this machine, cannot."""
        picture = None if self._protocol is None else self._picture(item)
        if picture is None:
            return None
        picture.thumbnail(_LARGEST)
        if self._protocol == "sixel":
            return sixel(picture)
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        return (kitty if self._protocol == "kitty" else iterm)(buffer.getvalue())

    def _picture(self, item: Item) -> Any | None:
        """Return an item as a Pillow picture, or None where it is none that can be read here."""
        if not item.media.mime.startswith("image/"):
            return None
        try:
            with open_picture(item) as opened:
                return opened.convert("RGB")
        except Exception:  # no Pillow, or a damaged picture, which may raise anything
            return None


def kitty(png: bytes) -> str:
    """Return what draws a PNG by kitty's protocol."""
    text = base64.standard_b64encode(png).decode()
    parts = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
    last = len(parts) - 1
    return "".join(
        f"\x1b_G{'a=T,f=100,' if number == 0 else ''}m={int(number < last)};{part}\x1b\\"
        for number, part in enumerate(parts)
    )


def iterm(png: bytes) -> str:
    """Return what draws a PNG by iTerm's protocol."""
    text = base64.standard_b64encode(png).decode()
    return f"\x1b]1337;File=inline=1;size={len(png)}:{text}\x07"


def blocks(picture: Any, columns: int, lines: int) -> str:
    """Return what draws a Pillow picture of half blocks, two of its rows a line.

    Args:
        picture: In RGB.
        columns: Of the terminal.
        lines: How many may be used.
    """
    scale = min(columns / picture.width, 2 * lines / picture.height, _MOST_BLOCKS)
    size = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
    pixels = picture.resize(size).load()
    found = []
    for top in range(0, size[1], 2):
        line = ""
        for column in range(size[0]):
            line += "\x1b[38;2;{};{};{}m".format(*pixels[column, top])
            if top + 1 < size[1]:
                line += "\x1b[48;2;{};{};{}m".format(*pixels[column, top + 1])
            line += "▀"
        found.append(line + "\x1b[0m")
    return "\n".join(found)


def sixel(picture: Any) -> str:
    """Return what draws a Pillow picture as sixels: bands of six rows, a pass for each colour."""
    import numpy as np

    reduced = picture.quantize(_COLOURS)
    pixels = np.asarray(reduced)
    palette = reduced.getpalette()
    height, width = pixels.shape
    found = [f'\x1bPq"1;1;{width};{height}']
    for colour in np.unique(pixels).tolist():
        red, green, blue = (round(value / 2.55) for value in palette[3 * colour : 3 * colour + 3])
        found.append(f"#{colour};2;{red};{green};{blue}")
    weights = (1 << np.arange(6))[:, None]
    for top in range(0, height, 6):
        band = pixels[top : top + 6]
        for colour in np.unique(band).tolist():
            bits = ((band == colour) * weights[: len(band)]).sum(axis=0) + 63
            found.append(f"#{colour}{bytes(bits.astype(np.uint8)).decode()}$")
        found.append("-")
    return "".join(found) + "\x1b\\"
