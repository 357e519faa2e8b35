# SPDX-License-Identifier: Apache-2.0
"""Turns plaintext into shards: encrypt, hash, write, each at its own place in the container."""

import hashlib
import os
import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from truthmark.codec.derive import NO_WRAP, fresh_key, wrap_key
from truthmark.codec.limits import payload_size
from truthmark.codec.ordered_map import ordered_map
from truthmark.errors import CodecError
from truthmark.hashing import sha256

NONCE: Final = bytes(12)
"""Always zero, because every K_i encrypts exactly one plaintext, ever."""


class Sealer:
    """Writes shards of one container; remembers what the index says of each.

    Cipher, hash and file access run outside the interpreter's lock, so threads use all
    processors. Every worker has two buffers that are used again and again: fresh memory costs
    more than the cipher.
    """

    def __init__(self, descriptor: int, *, cek: bytes, shard_size: int, processes: int) -> None:
        """Write to `descriptor`, with up to `processes` processors."""
        self.shard_size = shard_size
        self.payload = payload_size(shard_size)
        self.sha256: dict[int, bytes] = {}
        self.key_hash: dict[int, bytes] = {}
        self.wrap_word: dict[int, bytes] = {}
        self._descriptor = descriptor
        self._cek = cek
        self._workers = processes
        self._pool = ThreadPoolExecutor(processes) if processes > 1 else None
        self._spare: queue.SimpleQueue[tuple[bytearray, bytearray]] = queue.SimpleQueue()
        for _ in range(processes):
            self._spare.put((bytearray(self.payload), bytearray(shard_size)))

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def seal(self, i: int, plaintext: memoryview) -> None:
        """Encrypt `plaintext` (exactly one payload) as shard `i` and write it."""
        buffers = self._spare.get()
        try:
            self._seal(i, plaintext, buffers[1])
        finally:
            self._spare.put(buffers)

    def inherit(self, i: int, ciphertext: bytes, key: bytes) -> None:
        """Take over a shard that an older version encrypted under `key`."""
        digest = sha256(ciphertext)
        self._claim(i, digest, sha256(key), wrap_key(key, self._cek, i, digest))
        _write_at(self._descriptor, memoryview(ciphertext), i * self.shard_size)

    def seal_filled(
        self, shards: Iterable[int], fill: Callable[[int, memoryview], None]
    ) -> Iterator[int]:
        """Seal `shards`, letting each worker read its own plaintext; yields each when done.

        Args:
            shards: numbers of shards.
            fill: writes the payload of a shard into the buffer it is given, all of it.
        """

        def work(i: int) -> int:
            buffers = self._spare.get()
            try:
                fill(i, memoryview(buffers[0]))
                self._seal(i, memoryview(buffers[0]), buffers[1])
            finally:
                self._spare.put(buffers)
            return i

        return ordered_map(work, shards, self._workers)

    def submit(self, i: int, plaintext: memoryview) -> "Future[None] | None":
        """Seal on a worker, or at once (None) where there is only one; then `plaintext` is free."""
        if self._pool is not None:
            return self._pool.submit(self.seal, i, plaintext)
        self.seal(i, plaintext)
        return None

    def _seal(self, i: int, plaintext: memoryview, out: bytearray) -> None:
        key = fresh_key(self._cek, i)
        # Claimed before it is used: a key must never meet a second plaintext.
        self._claim(i, b"", sha256(key), NO_WRAP)
        AESGCM(key).encrypt_into(NONCE, plaintext, None, out)
        self.sha256[i] = hashlib.sha256(out).digest()
        _write_at(self._descriptor, memoryview(out), i * self.shard_size)

    def _claim(self, i: int, digest: bytes, key_hash: bytes, wrap_word: bytes) -> None:
        if i in self.key_hash:
            raise CodecError(f"shard {i} was to be sealed twice; pack again with a fresh secret")
        self.key_hash[i] = key_hash
        self.wrap_word[i] = wrap_word
        self.sha256[i] = digest


def _write_at(descriptor: int, data: memoryview, offset: int) -> None:
    while len(data):
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
