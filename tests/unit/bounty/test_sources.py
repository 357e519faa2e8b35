# SPDX-License-Identifier: Apache-2.0
"""Tables and folders as items: nothing is lost silently, copies of pictures say nothing more."""

import importlib.util
import io
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageCms

from truthmark.bounty.items import Item, Items, ItemsWriter, Media
from truthmark.bounty.sources import pictures
from truthmark.bounty.sources.found import ItemSource, Reading, read_into, take
from truthmark.bounty.sources.opening import open_items_of
from truthmark.errors import BountyError, CodecError, ConfigError

NOISE = np.random.default_rng(0).integers(0, 256, (1_000, 1_000, 3), np.uint8)


def write(source: ItemSource, folder: Path) -> tuple[Reading, list[Item]]:
    with ItemsWriter(folder) as writer:
        reading = read_into(source, writer)
        writer.finish()
    with Items.open(folder) as items:
        return reading, [items.item(number) for number in range(items.count)]


def opened(item: Item) -> Image.Image:
    picture = Image.open(io.BytesIO(item.data))
    picture.load()
    return picture


# -------------------------------------------------------------------------- tables


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'id,text\n7,"one, two"\n8,größer\n'),
        ("a.tsv", "id\ttext\n7\tone, two\n8\tgrößer\n"),
        ("a.jsonl", '{"id": 7, "text": "one, two"}\n{"id": 8, "text": "größer"}\n'),
    ],
)
def test_table__column_of_texts__items_in_order(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    reading, items = write(open_items_of(path), tmp_path / "items")
    assert [item.text for item in items] == ["one, two", "größer"]
    assert reading.names == ["0", "1"]
    named, _ = write(open_items_of(path, names="id"), tmp_path / "items")
    assert named.names == ["7", "8"]


def test_table__empty_equal_and_missing__listed_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", None, " ", "b", "a"]}), path)
    reading, items = write(open_items_of(path), tmp_path / "items")
    assert [item.text for item in items] == ["a", "b"]
    assert reading.names == ["0", "3"]
    assert [name for name, _ in reading.broken] == ["1", "2"]
    assert reading.equal == [("4", "0")]
    assert reading.left_out == 3
    assert "1 (has an empty cell)" in reading.lines()[0]


def test_table__two_columns__pairs(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("left,right\na,b\nc,d\n")
    source = open_items_of(path, column="left,right")
    _, items = write(source, tmp_path / "items")
    assert source.kind == "pair"
    assert [[part.text for part in item.pair] for item in items] == [["a", "b"], ["c", "d"]]


def test_table__columns_of_numbers__rows_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y,name\n1,2.5,a\n3,,b\n4,5,c\n")
    source = open_items_of(path, kind="number", names="name")
    reading, items = write(source, tmp_path / "items")
    assert [json.loads(item.text) for item in items] == [{"x": 1, "y": 2.5}, {"x": 4, "y": 5.0}]
    assert reading.names == ["a", "c"]
    assert items[0].media is Media.JSON


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        ("a,b\nx,y\n", {}, "--column"),
        ("text,b\nx,y\n", {"column": "txt"}, "did you mean text"),
        ("text,b\nx,y\n", {"names": "c"}, "no column 'c'"),
        ("text,n\nx,1.5\n", {"column": "n"}, "no text"),
        ("text,n\nx,1.5\n", {"kind": "pair"}, "two columns"),
        ("text\nx\n", {"kind": "number"}, "no column of numbers"),
    ],
)
def test_table__column_that_will_not_do__refused(
    tmp_path: Path, content: str, options: dict[str, Any], says: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(ConfigError, match=says):
        open_items_of(path, **options)


def test_table__names_not_unique_or_missing__refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for rows in ("1,a\n1,b\n", ",a\n2,b\n"):
        path.write_text("id,text\n" + rows)
        with pytest.raises(BountyError, match=r"two rows are named|has no name"):
            write(open_items_of(path, names="id"), tmp_path / "items")


def test_open__no_table_or_nothing__refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    (tmp_path / "empty").mkdir()
    for name, error in (
        ("a.txt", ConfigError),
        ("none.csv", ConfigError),
        ("bad.parquet", CodecError),
        ("empty", BountyError),
    ):
        with pytest.raises(error):
            open_items_of(tmp_path / name)


def test_read__nothing_usable__says_why(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text\n" "\n')
    with pytest.raises(BountyError, match="is empty"):
        write(open_items_of(path), tmp_path / "items")


def test_fingerprint__file_changed__another(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\na\n")
    before = open_items_of(path).fingerprint
    assert open_items_of(path).fingerprint == before
    path.write_text("text\nab\n")
    assert open_items_of(path).fingerprint != before


# ------------------------------------------------------------------------ pictures


def save(path: Path, picture: Image.Image, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    return path


def test_copy__camera_turned_and_placed__upright_and_nothing_said(tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 200), "white")
    picture.paste((255, 0, 0), (0, 0, 200, 200))
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    exif[0x010F] = "Maker of cameras"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
    path = save(tmp_path / "a.jpg", picture, exif=exif, comment=b"secret", quality=95)
    assert b"Maker" in path.read_bytes()
    copy = pictures.copy_of(path, "a.jpg")
    found = opened(copy.item)
    assert copy.has_place
    assert found.size == (200, 400)
    red = found.getpixel((100, 50))
    assert isinstance(red, tuple) and red[0] > 200 and red[1] < 60
    assert not found.getexif()
    assert not {b"Maker", b"secret", b"Exif"} & {
        word for word in (b"Maker", b"secret", b"Exif") if word in copy.item.data
    }


def test_copy__large_and_noisy__within_size(tmp_path: Path) -> None:
    big = Image.fromarray(np.tile(NOISE, (3, 4, 1)))
    copy = pictures.copy_of(save(tmp_path / "a.jpg", big, quality=95), "a.jpg")
    assert len(copy.item.data) <= pictures.MAX_BYTES
    assert max(opened(copy.item).size) <= pictures.MAX_SIDE
    assert opened(copy.item).format == "JPEG"


def test_copy__small_without_loss__the_same_pixels(tmp_path: Path) -> None:
    digit = Image.fromarray(NOISE[:8, :8, 0])
    copy = pictures.copy_of(save(tmp_path / "a.png", digit), "a.png")
    assert copy.item.media is Media.PNG
    assert np.array_equal(np.asarray(opened(copy.item)), NOISE[:8, :8, 0])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_copy__mode_of_any_kind__shown_as_it_looks(tmp_path: Path, mode: str) -> None:
    suffix = {"CMYK": ".jpg", "I": ".tiff", "F": ".tiff"}.get(mode, ".png")
    if mode in ("I;16", "I", "F"):
        values = np.zeros((20, 20), {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode])
        values[:, 10:] = 30_000
        picture = Image.fromarray(values)
    else:
        plain = Image.new("RGB", (20, 20), "black")
        plain.paste((255, 255, 255), (10, 0, 20, 20))
        picture = plain.convert("L").convert(mode) if mode in ("LA", "1") else plain.convert(mode)
    path = save(tmp_path / f"a{suffix}", picture)
    copy = opened(pictures.copy_of(path, path.name).item)
    assert copy.mode in ("L", "RGB")
    grey = np.asarray(copy.convert("L")).astype(int)
    assert grey[:, :8].max() < 40 and grey[:, 12:].min() > 215


def test_copy__clear_ground__white(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.new("RGBA", (20, 20), (0, 0, 0, 0)))
    assert opened(pictures.copy_of(path, "a.png").item).getpixel((5, 5)) == (255, 255, 255)


def test_copy__own_table_of_colours__as_screens_show_it_or_as_it_is(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for table in (profile, b"no profile at all"):
        picture = Image.new("RGB", (20, 20), (200, 30, 40))
        path = save(tmp_path / "a.png", picture, icc_profile=table)
        copy = opened(pictures.copy_of(path, "a.png").item)
        assert np.abs(np.asarray(copy)[5, 5].astype(int) - (200, 30, 40)).max() <= 1
        assert "icc_profile" not in copy.info


def test_folder__broken_equal_and_others__each_named(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    base = Image.fromarray(NOISE[:60, :60])
    good = save(folder / "cat" / "1.png", base)
    (folder / "cat" / "2.png").write_bytes(good.read_bytes())
    save(folder / "dog" / "3.png", base.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    (folder / "cut.png").write_bytes(good.read_bytes()[:-2_000])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "words.jpg").write_bytes(b"these are words")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(200))
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden.png").write_bytes(good.read_bytes())
    source = open_items_of(folder)
    assert (source.kind, source.total) == ("image", 7)
    reading, items = write(source, tmp_path / "items")
    assert reading.names == ["cat/1.png", "dog/3.png"]
    assert reading.equal == [("cat/2.png", "cat/1.png")]
    broken = dict(reading.broken)
    assert broken.keys() == {"cut.png", "empty.jpg", "words.jpg", "phone.heic"}
    can_read = importlib.util.find_spec("pillow_heif") is not None
    said = "is broken|no picture that can be read" if can_read else "is HEIC.*convert"
    assert re.search(said, broken["phone.heic"])
    assert reading.skipped == ["notes.txt"]
    assert len(items) == 2


def test_copy__heic__is_upright_small_and_says_nothing_of_its_place(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    pictures.require_pillow()
    shades = Image.fromarray(np.tile(np.linspace(0, 250, 3_200).astype(np.uint8), (400, 1)))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8825)[1] = "N"
    path = tmp_path / "IMG_1.HEIC"
    shades.convert("RGB").save(path, "HEIF", exif=exif.tobytes())
    copy = pictures.copy_of(path, path.name)
    made = Image.open(io.BytesIO(copy.item.data))
    assert (made.format, made.size, copy.has_place) == ("JPEG", (200, 1_600), True)
    assert not made.getexif() and b"camera" not in copy.item.data
    column = np.asarray(made.convert("L"), int)[:, 100]
    assert column[0] < 10 and column[-1] > 240 and (np.diff(column) > -4).all()
    source = open_items_of(tmp_path)
    reading, items = write(source, tmp_path / "items")
    assert reading.names == ["IMG_1.HEIC"] and len(items) == 1 and not reading.broken
    cut = io.BytesIO(path.read_bytes()[:-500])
    with pytest.raises(pictures.PictureError, match=r"is broken|is no picture"):
        pictures.copy_of(cut, "cut.heic")


def test_copy__heic__how_to_read_it_is_said_only_where_it_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    with pytest.raises(pictures.PictureError, match="convert it to JPEG, or `pip install"):
        pictures.copy_of(io.BytesIO(b"cut off"), "phone.HEIC")
    # As `pillow-heif` registers itself.
    monkeypatch.setitem(Image.OPEN, "HEIF", (Image.Image, lambda prefix: False))
    with pytest.raises(pictures.PictureError, match="is no picture that can be read"):
        pictures.copy_of(io.BytesIO(b"cut off"), "phone.HEIC")


def test_folder__pixels_by_the_hundred_million__refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_PIXELS", 100)
    save(tmp_path / "a" / "1.png", Image.new("L", (11, 10)))
    with pytest.raises(BountyError, match=r"1\.png: has more than"):
        write(open_items_of(tmp_path / "a"), tmp_path / "items")
    with pytest.raises(pictures.PictureError, match="million"):
        # Pillow's own guard, from the header alone.
        pictures.copy_of(_huge(tmp_path), "b.png")


def _huge(folder: Path) -> Path:
    """A picture whose header says 100,000 by 100,000 pixels."""
    path = save(folder / "b.png", Image.new("L", (1, 1)))
    data = bytearray(path.read_bytes())
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    return path


def test_table__paths_to_pictures__copies_by_name(tmp_path: Path) -> None:
    save(tmp_path / "img" / "1.png", Image.fromarray(NOISE[:20, :20]))
    path = tmp_path / "a.csv"
    path.write_text("file,note\nimg/1.png,x\nimg/2.png,y\n")
    source = open_items_of(path)
    assert source.kind == "image"
    reading, items = write(source, tmp_path / "items")
    assert reading.names == ["img/1.png"]
    assert dict(reading.broken).keys() == {"img/2.png"}
    assert items[0].media is Media.PNG


@pytest.mark.parametrize("path", ["../secret.png", "/etc/secret.png", "img/../../secret.png"])
def test_table__path_out_of_its_folder__refused(tmp_path: Path, path: str) -> None:
    table = tmp_path / "a.csv"
    table.write_text(f"file\n{path}\n")
    with pytest.raises(BountyError, match="leads out"):
        open_items_of(table, kind="image")


def test_table__pictures_as_hugging_face_keeps_them__read(tmp_path: Path) -> None:
    sink = io.BytesIO()
    Image.fromarray(NOISE[:20, :20]).save(sink, "PNG")
    rows = [{"bytes": sink.getvalue(), "path": "1.png"}, {"bytes": b"no", "path": "2.png"}]
    pq.write_table(pa.table({"image": rows}), tmp_path / "a.parquet")
    source = open_items_of(tmp_path / "a.parquet")
    assert source.kind == "image"
    reading, items = write(source, tmp_path / "items")
    assert reading.names == ["0"]
    assert [name for name, _ in reading.broken] == ["1"]
    assert np.array_equal(np.asarray(opened(items[0])), NOISE[:20, :20])


def test_folder__sounds_and_texts__as_they_are(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a.mp3").write_bytes(b"ID3 sound")
    (tmp_path / "s" / "b.wav").write_bytes(b"")
    reading, items = write(open_items_of(tmp_path / "s"), tmp_path / "items")
    assert [(item.media, item.data) for item in items] == [(Media.MP3, b"ID3 sound")]
    assert reading.broken == [("b.wav", "is empty")]
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.txt").write_text("\ufeffgrößer", "utf-8")
    (tmp_path / "t" / "b.txt").write_bytes(b"\xff\xfe")
    reading, items = write(open_items_of(tmp_path / "t"), tmp_path / "items")
    assert [item.text for item in items] == ["größer"]
    assert reading.broken == [("b.txt", "is no text in UTF-8")]


def test_folder__one_table_in_it__its_column(tmp_path: Path) -> None:
    (tmp_path / "bought").mkdir()
    (tmp_path / "bought" / "README.md").write_text("a card")
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "bought" / "data.parquet")
    source = open_items_of(tmp_path / "bought", column="text")
    assert [found.item and found.item.text for found in take(source)] == ["a"]


def test_take__stopped_in_the_middle__ends_what_was_begun(tmp_path: Path) -> None:
    for number in range(40):
        save(tmp_path / f"{number:02}.png", Image.fromarray(NOISE[number : number + 9, :9]))
    some = take(open_items_of(tmp_path))
    assert next(some).name == "00.png"
    some.close()  # type: ignore[attr-defined]
