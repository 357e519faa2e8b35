# SPDX-License-Identifier: Apache-2.0
"""Copies of pictures to be labeled: upright, small, and without what a camera writes beside them.

A photo says where and when it was taken, and with what; a labeler needs none of that. Needs
Pillow (`pip install "truthmark[images]"`).
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from truthmark.bounty.items import Item, Media
from truthmark.errors import ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES: Final = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
        *(".heic", ".heif", ".avif"),
    }
)
MAX_SIDE: Final = 1_600
"""Pixels of the longer side of a copy."""
MAX_BYTES: Final = 300_000
MAX_PIXELS: Final = 150_000_000
"""Of a picture that is opened at all."""

_QUALITIES: Final = (90, 80, 70, 60, 45)
_SHRINK: Final = 0.75
_ORIENTATION: Final = 0x0112
_GPS: Final = 0x8825
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF", "MPO", "DIB")
_LOSSLESS: Final = frozenset({"PNG", "GIF", "BMP"})
_HEIF: Final = frozenset({".heic", ".heif"})


class PictureError(Exception):
    """A picture that cannot be used; the message says why, in words that follow its name."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What is labeled instead of a picture.

    Attributes:
        item: JPEG, or PNG where the picture had no loss and is small enough.
        has_place: Whether the picture says where it was taken.
    """

    item: Item
    has_place: bool


def require_pillow() -> None:
    """Check that pictures can be read.

    Raises:
        ConfigError: Pillow is not installed.
    """
    try:
        import PIL.Image
    except ImportError as error:
        raise ConfigError(
            'pictures need Pillow; install it: `pip install "truthmark[images]"`'
        ) from error
    # How large a picture may be is decided here, and named.
    warnings.filterwarnings("ignore", category=PIL.Image.DecompressionBombWarning)
    try:
        import pillow_heif
    except ImportError:
        return
    pillow_heif.register_heif_opener()


def copy_of(picture_file: Path | io.BytesIO, name: str) -> Copy:
    """Return the copy of a picture that is labeled.

    Args:
        picture_file: The picture.
        name: What the source calls it, with its suffix.

    Raises:
        PictureError: It cannot be used.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(picture_file, formats=_formats()) as picture:
            _require_modest(picture)
            is_lossless = picture.format in _LOSSLESS
            has_place = bool(picture.getexif().get_ifd(_GPS))
            # Decoders of JPEG give a half or a quarter of each side for less work.
            picture.draft("RGB", _within(picture.size))
            picture.load()
            plain = _plain(picture)
            is_small = max(plain.size) <= MAX_SIDE
            if not is_small:
                plain = plain.resize(_within(plain.size), Image.Resampling.BICUBIC)
            plain.getexif()[_ORIENTATION] = picture.getexif().get(_ORIENTATION, 1)
            ImageOps.exif_transpose(plain, in_place=True)
    except UnidentifiedImageError as error:
        if Path(name).suffix.lower() in _HEIF and "HEIF" not in Image.OPEN:
            raise PictureError(
                "is HEIC, which cannot be read here; convert it to JPEG, or `pip install "
                '"truthmark[heic]"`'
            ) from error
        raise PictureError("is no picture that can be read") from error
    except Image.DecompressionBombError as error:
        raise PictureError(_too_large()) from error
    # Decoders of damaged files raise whatever they like.
    except (OSError, ValueError, TypeError, SyntaxError, IndexError, KeyError, EOFError) as error:
        raise PictureError(f"is broken: {' '.join(str(error).split())[:80]}") from error
    except MemoryError as error:
        raise PictureError("takes more memory than there is") from error
    return Copy(_encode(plain, is_exact=is_lossless and is_small), has_place)


def _formats() -> list[str]:
    """Return what is opened: a picture by its suffix may be a program for Ghostscript inside."""
    from PIL import Image

    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _within(size: tuple[int, int]) -> tuple[int, int]:
    """Return a size of the same shape whose longer side fits."""
    longer = max(*size, MAX_SIDE)
    width, height = (max(1, round(side * MAX_SIDE / longer)) for side in size)
    return width, height


def _require_modest(picture: "Image") -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise PictureError(_too_large())
    if not width or not height:
        raise PictureError("is empty")


def _too_large() -> str:
    return f"has more than {MAX_PIXELS // 10**6} million pixels; make it smaller"


def _plain(picture: "Image") -> "Image":
    """Return a picture in plain colours: grey or RGB of 8 bits, on white where it is clear."""
    from PIL import Image

    if picture.mode in ("L", "RGB"):
        return _in_srgb(picture)
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        # Deep greys, of scanners and microscopes: from the darkest to the lightest that is there.
        deep: Any = picture.convert("F")
        low, high = deep.getextrema()
        scale = 255.0 / ((high - low) or 1.0)
        grey: Image.Image = deep.point(lambda value: value * scale - low * scale).convert("L")
        return grey
    if picture.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        return _in_srgb(picture)
    if picture.mode == "1":
        return picture.convert("L")
    clear = picture.convert("RGBA")
    ground = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(ground, clear).convert("RGB")


def _in_srgb(picture: "Image") -> "Image":
    """Return the colours that screens show; a picture may bring its own table of them."""
    from PIL import ImageCms

    profile = picture.info.get("icc_profile")
    if profile and picture.mode != "L":
        try:
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            screen = ImageCms.createProfile("sRGB")
            found = ImageCms.profileToProfile(picture, given, screen, outputMode="RGB")
            if found is not None:
                return found
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a damaged table: the colours as they are
    return picture if picture.mode == "L" else picture.convert("RGB")


def _encode(picture: "Image", *, is_exact: bool) -> Item:
    if is_exact:
        data = _saved(picture, "PNG", optimize=True)
        if len(data) <= MAX_BYTES:
            return Item(Media.PNG, data)
    while True:
        for quality in _QUALITIES:
            data = _saved(picture, "JPEG", quality=quality)
            if len(data) <= MAX_BYTES:
                return Item(Media.JPEG, data)
        width, height = (max(1, int(side * _SHRINK)) for side in picture.size)
        picture = picture.resize((width, height))


def _saved(picture: "Image", kind: str, **options: Any) -> bytes:
    # Only pixels go on: what else the picture held is in `info`, which encoders would write.
    picture.info = {}
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()
