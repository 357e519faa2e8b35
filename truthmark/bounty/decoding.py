# SPDX-License-Identifier: Apache-2.0
"""Pictures of strangers, opened as what the item says they are, and as nothing else.

Left to guess, Pillow opens some forty formats by their first bytes, of which one is a program that
it hands to Ghostscript. Needs Pillow.
"""

import io
from typing import TYPE_CHECKING, Final

from truthmark.bounty.items import Item, Media
from truthmark.errors import BountyError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS: Final = 40_000_000
"""Of a picture that is decoded; each takes four bytes of memory."""

_FORMATS: Final = frozenset({Media.JPEG, Media.PNG, Media.WEBP, Media.GIF})


def open_picture(item: Item) -> "Image":
    """Return a picture whose head is read; its pixels are decoded when they are asked for.

    Args:
        item: JPEG, PNG, WebP or GIF.

    Raises:
        BountyError: It is something else, damaged, or too large.
        ImportError: Pillow is not installed.
    """
    from PIL import Image

    if item.media not in _FORMATS:
        raise BountyError(f"an item is {item.media.mime} and no picture; open it as what it is")
    try:
        picture = Image.open(io.BytesIO(item.data), formats=[item.media.name])
    except Exception as error:  # a damaged picture may raise anything
        raise BountyError("an item is no picture, or damaged; skip it") from error
    width, height = picture.size
    if width * height > MAX_PIXELS:
        picture.close()
        raise BountyError(f"a picture has {width} x {height} pixels, too many to open; skip it")
    return picture
