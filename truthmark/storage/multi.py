# SPDX-License-Identifier: Apache-2.0
"""Several storages as one, and the one place that turns settings into storages."""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from truthmark.cid import CID, DEFAULT_CHUNK_SIZE
from truthmark.errors import (
    BlockMismatchError,
    BlockNotFoundError,
    ConfigError,
    StorageError,
    StorageUnavailableError,
)
from truthmark.storage.block_storage import Storage
from truthmark.storage.dag import walk
from truthmark.storage.fetch import fetch_file
from truthmark.storage.limits import MAX_FILE
from truthmark.storage.local import LocalStore
from truthmark.types import Progress

_SLOW_SECONDS: Final = 1.0
_REST_FACTOR: Final = 10.0  # so that at most a tenth of the time is spent in vain


class MultiStore(Storage):
    """Reads from the first storage that has a block, writes to the first that can be written.

    What had to be read elsewhere is kept in the local store, if there is one, until its `gc`.
    """

    def __init__(self, stores: Sequence[Storage]) -> None:
        """Join `stores`, in the order in which they are asked.

        Raises:
            ConfigError: there is none.
        """
        if not stores:
            raise ConfigError("storage: none configured; add one, such as local:<folder>")
        self.stores = list(stores)
        self.name = ", ".join(store.name for store in stores)
        self.workers = max(store.workers for store in stores)
        self.writable = any(store.writable for store in stores)
        self._rests_until = dict.fromkeys((store.name for store in stores), 0.0)
        self._local = next((store for store in stores if isinstance(store, LocalStore)), None)

    # ------------------------------------------------------------------ reading

    def read_block(self, cid: CID) -> bytes:
        """Return one block, checked by the storage that had it."""
        data, origin = self._read_first(cid)
        if origin is not self._local:
            self._cache(cid, data)
        return data

    def _cache(self, cid: CID, data: bytes) -> None:
        if self._local is not None:
            with suppress(StorageError):  # a cache that is full is no reason to fail
                self._local.put_block(cid, data)

    def _fetch(self, cid: CID) -> bytes:
        return self._read_first(cid)[0]

    def _read_first(self, cid: CID) -> tuple[bytes, Storage]:
        errors: list[StorageError] = []
        # Kubo searches its network for as long as it may before it says that it found nothing:
        # a storage that has just kept us waiting in vain is asked last for a while.
        now = time.monotonic()
        for store in sorted(self.stores, key=lambda store: self._rests_until[store.name] > now):
            asked = time.monotonic()
            try:
                return store.read_block(cid), store
            except StorageError as error:
                errors.append(error)
                wasted = time.monotonic() - asked
                if wasted > _SLOW_SECONDS:
                    self._rests_until[store.name] = asked + _REST_FACTOR * wasted
        if len(errors) == 1:
            raise errors[0]
        reasons = "; ".join(str(error) for error in errors)
        # The kind that gives most hope: an unreachable storage may have it later.
        for kind in (StorageUnavailableError, BlockMismatchError, BlockNotFoundError):
            if any(isinstance(error, kind) for error in errors):
                raise kind(f"block {cid} could not be read anywhere: {reasons}")
        raise StorageError(f"block {cid} could not be read anywhere: {reasons}")

    def get(
        self,
        cid: CID,
        dest: Path,
        *,
        progress: Progress | None = None,
        resume: bool = True,
        max_size: int = MAX_FILE,
    ) -> None:
        """Write the file to `dest`; the local store keeps a link to it where it can."""
        fetch_file(
            _Uncached(self),
            cid,
            dest,
            progress=progress,
            resume=resume,
            max_size=max_size,
            on_node=self._cache,
        )
        if self._local is not None and not self._local.has(cid):
            with suppress(StorageError):
                self._local.link(cid, Path(dest))

    def _holds(self, cid: CID) -> bool:
        return any(store.has_block(cid) for store in self.stores if store.writable)

    def pins(self) -> list[CID]:
        """Return the roots that any of the storages keeps."""
        roots = {cid for store in self.stores if store.writable for cid in store.pins()}
        return sorted(roots, key=str)

    # ------------------------------------------------------------------ writing

    def put(
        self,
        source: Path | bytes,
        *,
        chunk: int = DEFAULT_CHUNK_SIZE,
        pin: bool = True,
        progress: Progress | None = None,
    ) -> CID:
        """Store a file in the first storage that can be written."""
        return self._first().put(source, chunk=chunk, pin=pin, progress=progress)

    def put_block(self, cid: CID, data: bytes) -> None:
        """Store one block, unpinned, in the first storage that can be written."""
        self._first().put_block(cid, data)

    def pin(self, cid: CID, *, progress: Progress | None = None) -> None:
        """Keep the file in the first storage that can be written, reading from all."""
        replicate(_Uncached(self), self._first(), cid, progress=progress)

    def unpin(self, cid: CID) -> None:
        """Stop keeping it anywhere."""
        for store in self.stores:
            if store.writable:
                store.unpin(cid)

    def close(self) -> None:
        """Close all of them."""
        for store in self.stores:
            store.close()

    def _first(self) -> Storage:
        for store in self.stores:
            if store.writable:
                return store
        raise self._read_only()


class _Uncached(Storage):
    """The blocks of a `MultiStore` without its cache: whole files are kept as files."""

    def __init__(self, multi: MultiStore) -> None:
        self._multi = multi
        self.name = multi.name
        self.workers = multi.workers

    def read_block(self, cid: CID) -> bytes:
        return self._multi._fetch(cid)

    def _fetch(self, cid: CID) -> bytes:
        return self._multi._fetch(cid)

    def _holds(self, cid: CID) -> bool:
        return self._multi.has_block(cid)

    def pins(self) -> list[CID]:
        return self._multi.pins()


def replicate(
    source: Storage, target: Storage, cid: CID, *, progress: Progress | None = None
) -> None:
    """Make `target` keep the file `cid`, reading from `source` what it does not hold itself.

    Raises:
        StorageError: a block is nowhere, or `target` cannot be written.
    """
    if isinstance(target, LocalStore):
        target.pin(cid, progress=progress, source=source)
        return
    if not target.has(cid):
        total = walk(source.read_block, cid).size if progress is not None else 0
        done = 0
        for block, data in source.blocks(cid):
            if not target.has_block(block):
                target.put_block(block, data)
            done = min(done + len(data), total)  # inner nodes are no part of the file
            if progress is not None:
                progress(done, total)
    target.pin(cid)


def open_storage(
    urls: str | Iterable[str], *, home: Path | None = None, timeout: float = 30.0
) -> Storage:
    """Return the storage that settings describe.

    Args:
        urls: one or more, in the order in which they are asked: `local` (in `home`),
            `local:<folder>`, `kubo:<multiaddress of the API>`, `gateway:<URL>`. All gateways
            together count as one storage.
        home: the folder of `local`.
        timeout: seconds for one block.

    Returns:
        The one storage, or a `MultiStore`.

    Raises:
        ConfigError: a description cannot be understood.

    Usage example::

        >>> open_storage(["local:/var/lib/truthmark", "kubo:/ip4/127.0.0.1/tcp/5001"])
    """
    described = [urls] if isinstance(urls, str) else list(urls)
    gateways = [url.partition(":")[2] for url in described if url.startswith("gateway:")]
    stores: list[Storage] = []
    for url in described:
        kind, _, rest = url.partition(":")
        if kind == "local" and (rest or home is not None):
            stores.append(LocalStore(Path(rest).expanduser() if rest else Path(f"{home}/store")))
        elif kind == "kubo" and rest:
            from truthmark.storage.kubo import KuboStore

            stores.append(KuboStore(rest, timeout=timeout))
        elif kind == "gateway" and rest:
            from truthmark.storage.gateway import GatewayStore

            if gateways:
                stores.append(GatewayStore(gateways, timeout=timeout))
                gateways = []
        else:
            raise ConfigError(
                f"storage: cannot use {url!r}; write local:<folder>, "
                "kubo:/ip4/127.0.0.1/tcp/5001 or gateway:https://<host>"
            )
    return stores[0] if len(stores) == 1 else MultiStore(stores)
