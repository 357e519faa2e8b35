# SPDX-License-Identifier: Apache-2.0
"""Where shards come from, and the one place where they are checked and decrypted."""

import hashlib
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from truthmark.codec.derive import check_cek, shard_key
from truthmark.codec.limits import payload_size
from truthmark.codec.seal import NONCE
from truthmark.codec.shard_index import ShardIndex
from truthmark.errors import IntegrityError, MalformedError, WrongKeyError
from truthmark.hashing import sha256


class ShardSource(ABC):
    """Gives shards by number: from a file, or fetched from storage when they are asked for.

    Nothing it gives is trusted; it is called from several threads at once.
    """

    @abstractmethod
    def read(self, i: int) -> bytes:
        """Return the ciphertext of shard `i`, tag included."""

    def read_into(self, i: int, buffer: bytearray) -> None:
        """Put the ciphertext of shard `i` into `buffer`, whose length is the shard size.

        Raises:
            IntegrityError: the shard has another length.
        """
        data = self.read(i)
        if len(data) != len(buffer):
            raise IntegrityError(f"shard {i}: {len(data)} bytes, not {len(buffer)}; get it again")
        buffer[:] = data


class FileShards(ShardSource):
    """Shards in a local container file."""

    def __init__(self, path: Path, *, shard_size: int, count: int) -> None:
        """Open `path`.

        Raises:
            IntegrityError: the file is not exactly `count` shards long.
        """
        self._shard_size = shard_size
        self._descriptor = os.open(path, os.O_RDONLY)
        size = os.fstat(self._descriptor).st_size
        if size != count * shard_size:
            self.close()
            raise IntegrityError(
                f"{path}: {size} bytes, the manifest says {count * shard_size}; get it again"
            )

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def read(self, i: int) -> bytes:
        """Return the ciphertext of shard `i`."""
        buffer = bytearray(self._shard_size)
        self.read_into(i, buffer)
        return bytes(buffer)

    def read_into(self, i: int, buffer: bytearray) -> None:
        """Put the ciphertext of shard `i` into `buffer`."""
        view, offset = memoryview(buffer), i * self._shard_size
        while len(view):
            size = os.preadv(self._descriptor, [view], offset)
            if not size:
                raise IntegrityError(f"shard {i}: the container ends before it; get it again")
            view, offset = view[size:], offset + size


class Opener(ABC):
    """Opens shards: ciphertext hash, key hash and tag are checked before a byte is released.

    GCM alone does not commit to its key: the committed hash of the key does.
    """

    def __init__(self, index: ShardIndex, source: ShardSource, *, shard_size: int) -> None:
        """Open shards of `source` as `index` describes them."""
        self.index = index
        self.payload = payload_size(shard_size)
        self._source, self._shard_size = source, shard_size
        self._local = threading.local()

    def ciphertext(self, i: int) -> bytes:
        """Return the checked ciphertext of shard `i`.

        Raises:
            IntegrityError: it is not the one that the index names.
        """
        return bytes(self._checked(i))

    def key(self, i: int) -> bytes:
        """Return K_i.

        Raises:
            WrongKeyError: its hash is not the one that the index names.
        """
        key = self._find_key(i)
        if sha256(key) != self.index.key_hash(i):
            raise WrongKeyError(
                f"shard {i}: the key does not give the key hash that was committed to; "
                "check the key, and dispute it if it was delivered to you"
            )
        return key

    @abstractmethod
    def _find_key(self, i: int) -> bytes:
        """Return what should be K_i; `key` checks it."""

    def open_into(self, i: int, buffer: memoryview) -> None:
        """Decrypt shard `i` into `buffer`, which takes exactly one payload.

        Raises:
            IntegrityError: the ciphertext is not the one that the index names.
            WrongKeyError: the key is not the committed one.
            MalformedError: the committed key does not open the committed ciphertext.
        """
        key = self.key(i)
        ciphertext = self._checked(i)
        try:
            AESGCM(key).decrypt_into(NONCE, ciphertext, None, buffer)
        except InvalidTag as error:
            buffer[:] = bytes(len(buffer))
            raise MalformedError(
                f"shard {i}: the committed key does not open it; the seller encrypted "
                "something else"
            ) from error

    def open(self, i: int) -> bytes:
        """Return the payload of shard `i`; see `open_into`."""
        buffer = bytearray(self.payload)
        self.open_into(i, memoryview(buffer))
        return bytes(buffer)

    def _checked(self, i: int) -> bytearray:
        buffer: bytearray | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = bytearray(self._shard_size)
        self._source.read_into(i, buffer)
        if hashlib.sha256(buffer).digest() != self.index.sha256(i):
            raise IntegrityError(f"shard {i}: differs from what was committed to; get it again")
        return buffer


class ContentOpener(Opener):
    """Opens all shards with the content key."""

    def __init__(
        self, index: ShardIndex, source: ShardSource, *, cek: bytes, shard_size: int
    ) -> None:
        """Open shards of `source` as `index` describes them with `cek`."""
        super().__init__(index, source, shard_size=shard_size)
        self._cek = check_cek(cek)

    def _find_key(self, i: int) -> bytes:
        return shard_key(self._cek, i, self.index.sha256(i), self.index.wrap_word(i))


class KeyedOpener(Opener):
    """Opens those shards whose keys one has, such as published ones."""

    def __init__(
        self,
        index: ShardIndex,
        source: ShardSource,
        *,
        keys: Mapping[int, bytes],
        shard_size: int,
    ) -> None:
        """Open shards of `source` as `index` describes them with `keys`, by shard."""
        super().__init__(index, source, shard_size=shard_size)
        self._keys = keys

    def _find_key(self, i: int) -> bytes:
        if i not in self._keys:
            raise WrongKeyError(f"shard {i}: its key is not known; wait until it is published")
        return self._keys[i]
