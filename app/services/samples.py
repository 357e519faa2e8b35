# SPDX-License-Identifier: Apache-2.0
"""Items of strangers, made harmless: pictures are drawn again, texts are cleaned."""

import io
from typing import Final

from PIL import Image, UnidentifiedImageError

from app import bounty_views as views
from app.services.texts import paragraphs_of
from truthmark.bounty.items import Item, Media
from truthmark.errors import BountyError

_FORMATS: Final = {Media.JPEG: "JPEG", Media.PNG: "PNG", Media.WEBP: "WEBP", Media.GIF: "GIF"}
_SOUNDS: Final = (Media.MP3, Media.OGG, Media.WAV, Media.FLAC)
_MOST_PIXELS: Final = 40_000_000
_SIDE: Final = 480
_MOST_TEXT: Final = 4_000


def sample_of(item: Item) -> views.Sample:
    """Return an item as a page may show it."""
    if item.media in _FORMATS:
        return _picture(item)
    if item.media in _SOUNDS:
        return views.Sample(sound=item.data, mime=item.media.mime)
    try:
        if item.media is Media.PAIR:
            first, second = item.pair
            if Media.PAIR in (first.media, second.media):
                raise BountyError("an item is a pair of pairs")
            return views.Sample(pair=(sample_of(first), sample_of(second)))
        return views.Sample(text=paragraphs_of(item.text[:_MOST_TEXT]))
    except BountyError:
        return views.Sample(text="This item cannot be shown.")


def _picture(item: Item) -> views.Sample:
    """Draw a picture again, small: what else its bytes hold does not reach a browser."""
    try:
        with Image.open(io.BytesIO(item.data), formats=[_FORMATS[item.media]]) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return views.Sample(text="This picture is too large to be shown here.")
            opened.draft("RGB", (_SIDE, _SIDE))
            drawn = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
        drawn.thumbnail((_SIDE, _SIDE))
        if max(drawn.size) < _SIDE // 4:  # such as digits of 8 x 8 points
            factor = _SIDE // 4 // max(drawn.size)
            size = (drawn.width * factor, drawn.height * factor)
            drawn = drawn.resize(size, Image.Resampling.NEAREST)
        data = io.BytesIO()
        drawn.save(data, "PNG")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return views.Sample(text="This picture is broken.")
    return views.Sample(picture=data.getvalue())
