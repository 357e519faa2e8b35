# SPDX-License-Identifier: Apache-2.0
r"""The items of a bounty: one file of all of them, and a list of where each is (docs/bounties.md).

```text
manifest   "TMKI\x01" ‖ u8 encrypted ‖ u32 items ‖ u32 shown ‖ entries
entry      u64 offset ‖ u32 length ‖ sha256 of the stored bytes
item       u8 media ‖ bytes              stored so where everyone may read it, else encrypted
pair       u8 10 ‖ u32 length of the first item ‖ first item ‖ second item
```

The items that are labeled come first, then those shown to everyone. Item i is encrypted by
AES-256-GCM under a key of its own, `H("truthmark/item-key/1" ‖ secret ‖ word(i))`, with a nonce
of zeros: a key encrypts one item, once. So a relay hands a labeler the keys of their run, and the
same items under the same secret are the same bytes, whenever they are written.
"""

import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from truthmark.bounty.document import MAX_EXAMPLES, MAX_PRACTICE, ItemsInfo
from truthmark.bounty.private_folder import not_written
from truthmark.cid import cid_of_file
from truthmark.config.files import sync_path, write_atomically
from truthmark.errors import BountyError, IntegrityError, WrongKeyError
from truthmark.hashing import sha256
from truthmark.keys.abi_hash import hash_words, tag
from truthmark.labels.permutation import MAX_ITEMS

MANIFEST_NAME: Final = "manifest.tmki"
DATA_NAME: Final = "items.tmkd"
MAX_ITEM: Final = 16 << 20
"""Bytes of one item."""

_MAGIC: Final = b"TMKI\x01"
_HEAD_BYTES: Final = len(_MAGIC) + 1 + 4 + 4
_ENTRY: Final = np.dtype([("offset", ">u8"), ("length", ">u4"), ("digest", "V32")])
_NONCE: Final = bytes(12)
_KEY: Final = tag("truthmark/item-key/1")
_MAX_SHOWN: Final = MAX_EXAMPLES + MAX_PRACTICE


class Media(IntEnum):
    """What the bytes of an item are."""

    TEXT = 0
    JPEG = 1
    PNG = 2
    WEBP = 3
    GIF = 4
    MP3 = 5
    OGG = 6
    WAV = 7
    FLAC = 8
    JSON = 9
    """A row of numbers: an object of names and numbers, or a list of numbers."""
    PAIR = 10

    @property
    def mime(self) -> str:
        """The type by which a browser knows it."""
        return _MIME[self]

    @property
    def suffix(self) -> str:
        """The end of a file's name by which programs know it."""
        return ".bin" if self is Media.PAIR else f".{_SUFFIX.get(self, self.name.lower())}"


_SUFFIX: Final = {Media.TEXT: "txt", Media.JPEG: "jpg"}
_MIME: Final = {
    Media.TEXT: "text/plain; charset=utf-8",
    Media.JPEG: "image/jpeg",
    Media.PNG: "image/png",
    Media.WEBP: "image/webp",
    Media.GIF: "image/gif",
    Media.MP3: "audio/mpeg",
    Media.OGG: "audio/ogg",
    Media.WAV: "audio/wav",
    Media.FLAC: "audio/flac",
    Media.JSON: "application/json",
    Media.PAIR: "application/octet-stream",
}


@dataclass(frozen=True, slots=True)
class Item:
    """What is judged.

    Attributes:
        media: What its bytes are.
        data: Its bytes: of a text, UTF-8.
    """

    media: Media
    data: bytes

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Return a text as an item.

        Raises:
            BountyError: It has no UTF-8.
        """
        try:
            return cls(Media.TEXT, text.encode())
        except UnicodeEncodeError as error:
            raise BountyError("a text has half a character; correct the source") from error

    @classmethod
    def of_pair(cls, first: "Item", second: "Item") -> Self:
        """Return two items side by side as one.

        Args:
            first: Shown on the left, or above.
            second: The other one; neither is a pair.
        """
        head = first.to_bytes()
        return cls(Media.PAIR, len(head).to_bytes(4, "big") + head + second.to_bytes())

    @property
    def text(self) -> str:
        """The text of a text, or of a row of numbers.

        Raises:
            BountyError: It is none.
        """
        if self.media not in (Media.TEXT, Media.JSON):
            raise BountyError(f"an item is {self.media.mime} and no text; open it as what it is")
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            raise BountyError("an item is no UTF-8; do not label for this requester") from error

    @property
    def pair(self) -> "tuple[Item, Item]":
        """The two items of a pair.

        Raises:
            BountyError: It is none.
        """
        length = int.from_bytes(self.data[:4], "big")
        if self.media is not Media.PAIR or not 0 < length < len(self.data) - 4:
            raise BountyError("an item is no pair; do not label for this requester")
        first, second = self.data[4 : 4 + length], self.data[4 + length :]
        return Item.from_bytes(first), Item.from_bytes(second)

    def to_bytes(self) -> bytes:
        """Return media and bytes, as stored where everyone may read it."""
        return bytes([self.media]) + self.data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an item.

        Raises:
            BountyError: It is none, or of a kind this version does not know.
        """
        if not data or data[0] not in _MIME:
            raise BountyError("an item is of a kind that cannot be read; update truthmark")
        return cls(Media(data[0]), data[1:])


def manifest_bytes(items: int) -> int:
    """Return the length of the list of so many items, those shown to everyone counted, too."""
    return _HEAD_BYTES + items * _ENTRY.itemsize


def item_key(secret: bytes, item: int) -> bytes:
    """Return the key of one item, 32 bytes.

    Args:
        secret: The bounty's secret of items, 32 bytes.
        item: Its number.
    """
    return hash_words(_KEY, secret, item)


def open_item(stored: bytes, key: bytes) -> Item:
    """Return an encrypted item.

    Args:
        stored: Ciphertext and tag.
        key: The item's, 32 bytes.

    Raises:
        WrongKeyError: The key is not this item's.
        BountyError: It is no item.
    """
    try:
        plain = AESGCM(key).decrypt(_NONCE, stored, None)
    except (InvalidTag, ValueError) as error:
        raise WrongKeyError("a key does not open its item; ask the relay again") from error
    return Item.from_bytes(plain)


class ItemsWriter:
    """Writes items into a folder, one after the other, without keeping any.

    Args:
        folder: Where `manifest.tmki` and `items.tmkd` come to be, replacing others.
        secret: Encrypts them; None where everyone may read them.
    """

    def __init__(self, folder: Path, secret: bytes | None = None) -> None:
        """Begin the files; nothing counts before `finish`."""
        self._folder, self._secret = folder, secret
        self._temporary = folder / f".{DATA_NAME}.partial"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self._temporary.open("wb")
        except OSError as error:
            raise not_written(folder, error) from error
        self._offset = 0
        self._items: list[bytes] = []
        self._shown: list[bytes] = []

    def add(self, item: Item) -> int:
        """Add an item to be labeled; returns its number.

        Raises:
            BountyError: It is too long, or one too many.
            StorageError: It cannot be written.
        """
        number = len(self._items)
        if number >= MAX_ITEMS:
            raise BountyError(f"a bounty has at most {MAX_ITEMS} items; split it")
        plain = item.to_bytes()
        if self._secret is not None:
            plain = AESGCM(item_key(self._secret, number)).encrypt(_NONCE, plain, None)
        self._items.append(self._write(plain))
        return number

    def show(self, item: Item) -> int:
        """Add an item that everyone may read; returns its place among those.

        Raises:
            BountyError: It is too long, or one too many.
            StorageError: It cannot be written.
        """
        if len(self._shown) >= _MAX_SHOWN:
            raise BountyError(f"at most {_MAX_SHOWN} items are shown; choose fewer")
        self._shown.append(self._write(item.to_bytes()))
        return len(self._shown) - 1

    def finish(self) -> ItemsInfo:
        """Put both files in their places, on disk, and return what the document says of them.

        Raises:
            BountyError: There is no item.
            StorageError: They cannot be written.
        """
        if not self._items:
            raise BountyError("there is no item to label; look at the source")
        manifest = b"".join(
            [
                _MAGIC,
                bytes([self._secret is not None]),
                len(self._items).to_bytes(4, "big"),
                len(self._shown).to_bytes(4, "big"),
                *self._items,
                *self._shown,
            ]
        )
        data_path, manifest_path = self._folder / DATA_NAME, self._folder / MANIFEST_NAME
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(data_path)
            sync_path(self._folder)
            write_atomically(manifest_path, manifest)
        except OSError as error:
            raise not_written(self._folder, error) from error
        return ItemsInfo(
            len(self._items),
            len(self._shown),
            cid_of_file(manifest_path),
            cid_of_file(data_path),
            self._secret is not None,
        )

    def close(self) -> None:
        """Let go of what was not finished."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _write(self, stored: bytes) -> bytes:
        if len(stored) > MAX_ITEM:
            raise BountyError(
                f"an item has {len(stored)} bytes, at most {MAX_ITEM}; make it smaller"
            )
        try:
            self._file.write(stored)
        except OSError as error:
            raise not_written(self._folder, error) from error
        entry = self._offset.to_bytes(8, "big") + len(stored).to_bytes(4, "big") + sha256(stored)
        self._offset += len(stored)
        return entry


class Items:
    """Reads items by number, each held against its hash.

    Args:
        manifest: The list, whose CID the document names.
        read: Returns bytes of the file of all items, by offset and length: of a file, of a
            storage, or of a relay. What it returns is checked.
    """

    def __init__(self, manifest: "bytes | mmap.mmap", read: Callable[[int, int], bytes]) -> None:
        """Read the list.

        Raises:
            BountyError: It is none.
        """
        head = bytes(manifest[:_HEAD_BYTES])
        at = len(_MAGIC)
        self.count = int.from_bytes(head[at + 1 : at + 5], "big")
        self.shown = int.from_bytes(head[at + 5 : at + 9], "big")
        total = self.count + self.shown
        if (
            len(head) != _HEAD_BYTES
            or not head.startswith(_MAGIC)
            or head[at] > 1
            or not 0 < self.count <= MAX_ITEMS
            or self.shown > _MAX_SHOWN
            or len(manifest) != manifest_bytes(total)
        ):
            raise BountyError("this is no list of a bounty's items, or damaged; fetch it again")
        self.is_encrypted = head[at] == 1
        self._entries = np.frombuffer(manifest, _ENTRY, total, _HEAD_BYTES)
        self._read = read
        if int(self._entries["length"].max()) > MAX_ITEM:
            raise BountyError("the list of a bounty's items has one that is too long; do not label")

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open what `ItemsWriter` wrote.

        Raises:
            BountyError: It is not there, or damaged.
        """
        try:
            with (folder / MANIFEST_NAME).open("rb") as file:
                manifest = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            descriptor = os.open(folder / DATA_NAME, os.O_RDONLY)
        except (OSError, ValueError) as error:
            raise BountyError(f"{folder} has no items of a bounty; write them again") from error
        items = cls(manifest, lambda offset, length: os.pread(descriptor, length, offset))
        items._descriptor = descriptor
        return items

    _descriptor: int | None = None

    @property
    def size(self) -> int:
        """Bytes of the file of all items."""
        last = self._entries[int(self._entries["offset"].argmax())]
        return int(last["offset"]) + int(last["length"])

    def require_fits(self, info: ItemsInfo) -> None:
        """Refuse a list that is not as a document says.

        Raises:
            BountyError: They differ; do not label.
        """
        if (self.count, self.shown, self.is_encrypted) != (info.count, info.shown, info.encrypted):
            raise BountyError("document and list of items differ; do not label for this requester")

    def place(self, number: int) -> tuple[int, int]:
        """Return where an item is in the file: offset and length.

        Raises:
            BountyError: There is no such item.
        """
        if not 0 <= number < len(self._entries):
            raise BountyError(f"there is no item {number}; there are {len(self._entries)}")
        entry = self._entries[number]
        return int(entry["offset"]), int(entry["length"])

    def check(self, number: int, stored: bytes) -> bytes:
        """Return stored bytes that are those of an item.

        Args:
            number: Of the item, from 0.
            stored: The bytes as they are stored.

        Raises:
            IntegrityError: They are not.
            BountyError: There is no such item.
        """
        self.place(number)
        if sha256(stored) != self._entries[number]["digest"].tobytes():
            raise IntegrityError(f"item {number} is not what the list says; fetch it again")
        return stored

    def stored(self, number: int) -> bytes:
        """Return an item as it is stored, checked; those shown come after the last labeled one.

        Raises:
            IntegrityError: What was read is not the item.
            BountyError: There is no such item.
        """
        return self.check(number, self._read(*self.place(number)))

    def item(self, number: int, key: bytes | None = None) -> Item:
        """Return an item, opened.

        Args:
            number: Which; those shown come after the last labeled one.
            key: Its own, where items are encrypted; see `item_key`.

        Raises:
            WrongKeyError: The key does not open it, or there is none.
            IntegrityError: What was read is not the item.
            BountyError: There is no such item, or it is none.
        """
        return self.opened(number, self.stored(number), key)

    def opened(self, number: int, stored: bytes, key: bytes | None = None) -> Item:
        """Return an item of which the stored bytes are here, and were checked; see `item`.

        Args:
            number: Of the item, from 0.
            stored: The bytes as they are stored.
            key: The item's, 32 bytes; None where items are public.

        Raises:
            WrongKeyError: The key is missing, or not this item's.
        """
        if not self.is_encrypted or number >= self.count:
            return Item.from_bytes(stored)
        if key is None:
            raise WrongKeyError(f"item {number} is encrypted; ask the relay for its key")
        return open_item(stored, key)

    def example(self, place: int) -> Item:
        """Return one of the items that everyone may read.

        Raises:
            BountyError: There is none at this place.
        """
        if not 0 <= place < self.shown:
            raise BountyError(f"there is no item {place} among the {self.shown} shown")
        return self.item(self.count + place)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
