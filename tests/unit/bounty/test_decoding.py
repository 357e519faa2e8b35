# SPDX-License-Identifier: Apache-2.0
"""Pictures of strangers: opened as what they are said to be, or not at all."""

import io
from pathlib import Path

import pytest
from PIL import EpsImagePlugin, Image

from truthmark.agents.onnx import _pixels
from truthmark.bounty import decoding
from truthmark.bounty.decoding import open_picture
from truthmark.bounty.items import Item, Media
from truthmark.bounty.sources.pictures import PictureError, copy_of
from truthmark.cli import pictures
from truthmark.cli.pictures import Viewer
from truthmark.errors import AgentError, BountyError

PROGRAM = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(run me) print\n%%EOF\n"


def picture_of(kind: str, size: tuple[int, int] = (8, 6)) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", size, "red").save(sink, kind)
    return sink.getvalue()


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What Ghostscript would have run."""
    found: list[object] = []

    def run(*arguments: object, **_: object) -> Image.Image:
        found.append(arguments)
        return Image.new("RGB", (8, 8))

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    return found


def test_open_picture__each_kind__has_its_size() -> None:
    for media in (Media.JPEG, Media.PNG, Media.WEBP, Media.GIF):
        with open_picture(Item(media, picture_of(media.name))) as opened:
            assert opened.size == (8, 6)


def test_open_picture__program_other_kind_or_huge__refused_and_nothing_runs(
    ran: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Image.open(io.BytesIO(PROGRAM)).format == "EPS"  # what Pillow makes of it, if left to
    for media in (Media.JPEG, Media.PNG, Media.WEBP, Media.GIF):
        with pytest.raises(BountyError, match="no picture, or damaged"):
            open_picture(Item(media, PROGRAM))
        with pytest.raises(AgentError, match="no picture, or damaged"):
            _pixels(Item(media, PROGRAM), 4, 4, 3)
    with pytest.raises(BountyError, match="no picture, or damaged"):
        open_picture(Item(Media.PNG, picture_of("JPEG")))
    with pytest.raises(BountyError, match="text/plain"):
        open_picture(Item(Media.TEXT, b"text"))
    monkeypatch.setattr(decoding, "MAX_PIXELS", 47)
    with pytest.raises(BountyError, match="8 x 6 pixels"):
        open_picture(Item(Media.PNG, picture_of("PNG")))
    assert not ran


def test_show__program_said_to_be_a_picture__is_neither_drawn_nor_given_to_a_viewer(
    ran: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[str] = []
    monkeypatch.setattr(pictures.click, "launch", lambda path: launched.append(path) or 0)
    monkeypatch.setattr(pictures, "has_windows", lambda environ, platform: True)
    viewer = Viewer()
    try:
        for protocol in ("iterm", None):
            viewer._protocol = protocol
            assert "damaged" in viewer.show(Item(Media.PNG, PROGRAM), "1")
        assert not ran and not launched
        viewer.show(Item(Media.PNG, picture_of("PNG")), "2")
        viewer.show(Item(Media.MP3, b"sound"), "3")
        assert len(launched) == 2
    finally:
        viewer.close()


def test_copy__program_named_as_a_picture__refused_and_nothing_runs(
    ran: list[object], tmp_path: Path
) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(PROGRAM)
    for source in (path, io.BytesIO(PROGRAM)):
        with pytest.raises(PictureError, match="no picture"):
            copy_of(source, "holiday.jpg")
    assert not ran
