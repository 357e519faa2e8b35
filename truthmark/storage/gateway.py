# SPDX-License-Identifier: Apache-2.0
"""Trustless IPFS gateways: read-only, several at once, none of them believed.

Each block is asked for by itself (`?format=raw`), checked, and asked for elsewhere when a gateway
is slow, wrong or gone. Source: the trustless gateway specification (ipfs/specs).
"""

import asyncio
import contextlib
import email.utils
import functools
import importlib.util
import ssl
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from truthmark.cid import CID
from truthmark.errors import (
    BlockMismatchError,
    BlockNotFoundError,
    ConfigError,
    LimitError,
    StorageUnavailableError,
)
from truthmark.storage.block_storage import Storage
from truthmark.storage.limits import MAX_BLOCK, check_block
from truthmark.waiting import Backoff

_ROUNDS: Final = 4
_PAUSE_SECONDS: Final = 0.5  # after the first round; doubled each time
_MAX_PAUSE_SECONDS: Final = 10.0  # however long a gateway asks us to wait
_HEDGE_SECONDS: Final = 3.0  # silence after which the next gateway is asked as well
_REST_SECONDS: Final = 15.0  # how long a gateway that failed is asked last
_MAX_REDIRECTS: Final = 3
_HEADERS: Final = {"Accept": "application/vnd.ipld.raw", "Accept-Encoding": "identity"}

_T = TypeVar("_T")

# httpcore looks for sniffio several times a request. Python does not remember that a module is
# missing: each look would search all folders again, a quarter of the time that a block takes.
if importlib.util.find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]


class GatewayStore(Storage):
    """Reads from HTTP gateways.

    Usage example::

        >>> store = GatewayStore(["https://ipfs.example", "http://127.0.0.1:8080"])
        >>> store.get(cid, Path("data.tmk"))
    """

    workers = 16

    def __init__(self, urls: Sequence[str], *, timeout: float = 30.0) -> None:
        """Use the gateways at `urls`; nothing is sent yet.

        Args:
            urls: what stands before `/ipfs/<cid>`.
            timeout: seconds for one block from one gateway.

        Raises:
            ConfigError: there is none, or one is not an HTTP URL.
        """
        if not urls:
            raise ConfigError("storage: no gateway named; write gateway:https://<host>")
        self._gateways = [_Gateway(url) for url in urls]
        self.name = "gateway:" + ",".join(gateway.url for gateway in self._gateways)
        self.timeout = timeout
        self._loop = asyncio.new_event_loop()
        secure = any(urlsplit(gateway.url).scheme == "https" for gateway in self._gateways)
        self._clients = _Clients(2 * self.workers, timeout, with_tls=secure)
        self._thread = threading.Thread(target=self._loop.run_forever, name="gateways", daemon=True)
        self._thread.start()

    def pins(self) -> list[CID]:
        """Return nothing: what a gateway keeps is not ours to know."""
        return []

    def close(self) -> None:
        """Close the connections and end the thread that runs them."""
        if self._loop.is_closed():
            return
        self._wait(self._clients.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _fetch(self, cid: CID) -> bytes:
        return self._wait(self._race(cid))

    def _holds(self, cid: CID) -> bool:
        return self._wait(self._any_holds(cid))

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        if self._loop.is_closed():
            work.close()
            raise StorageUnavailableError(f"{self.name}: was closed; open the storage again")
        task = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return task.result()
        finally:
            task.cancel()

    async def _race(self, cid: CID) -> bytes:
        """Return the block from whichever gateway sends it first."""
        failures: dict[str, _FailureError] = {}
        backoff = Backoff(_ROUNDS, _PAUSE_SECONDS, self.timeout, _MAX_PAUSE_SECONDS)
        while True:
            found = await self._one_round(cid, failures)
            if found is not None:
                return found
            if all(failure.final for failure in failures.values()):
                break
            pause = backoff.pause(max(failure.retry_after for failure in failures.values()))
            if pause is None:
                break
            await asyncio.sleep(pause)
        raise self._give_up(cid, failures)

    async def _one_round(self, cid: CID, failures: dict[str, "_FailureError"]) -> bytes | None:
        """Ask one gateway after another, the next one when the last has failed or is slow."""
        waiting = sorted(self._gateways, key=lambda gateway: gateway.rank())
        running: dict[asyncio.Task[bytes], _Gateway] = {}
        try:
            while waiting or running:
                if waiting:
                    gateway = waiting.pop(0)
                    task = asyncio.create_task(gateway.ask(self._clients, cid, self.timeout))
                    running[task] = gateway
                done, _ = await asyncio.wait(
                    running,
                    timeout=_HEDGE_SECONDS if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    gateway = running.pop(task)
                    try:
                        return task.result()
                    except _FailureError as error:
                        failures[gateway.url] = error
            return None
        finally:
            for task in running:
                task.cancel()

    async def _any_holds(self, cid: CID) -> bool:
        answers = [gateway.holds(self._clients, cid, self.timeout) for gateway in self._gateways]
        return any(await asyncio.gather(*answers))

    def _give_up(self, cid: CID, failures: dict[str, "_FailureError"]) -> Exception:
        reasons = "; ".join(f"{url}: {failure}" for url, failure in failures.items())
        kinds = {failure.kind for failure in failures.values()}
        if kinds == {BlockNotFoundError}:
            return BlockNotFoundError(
                f"gateway: none has block {cid} ({reasons}); add another storage"
            )
        if StorageUnavailableError not in kinds and BlockMismatchError in kinds:
            return BlockMismatchError(
                f"gateway: none has the right block {cid} ({reasons}); add another storage"
            )
        return StorageUnavailableError(
            f"gateway: no answer for block {cid} ({reasons}); repeat later or add another storage"
        )


class _FailureError(Exception):
    """Why one gateway gave no block.

    Attributes:
        kind: the class of the error if no other gateway helps.
        final: whether asking again is useless.
        retry_after: seconds that the gateway asks us to wait.
    """

    def __init__(
        self, kind: type[Exception], reason: str, *, final: bool = False, retry_after: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.final = final
        self.retry_after = retry_after


class _Clients:
    """HTTP clients, each for one request at a time.

    A client looks at each of its idle connections several times a request. With one for all, that
    took a third of the time of a block.
    """

    def __init__(self, most: int, timeout: float, *, with_tls: bool) -> None:
        self._free = asyncio.Semaphore(most)
        self._timeout = timeout
        self._with_tls = with_tls
        self._all: list[httpx.AsyncClient] = []
        self._idle: list[httpx.AsyncClient] = []

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lend a client, the one that was used last if some are idle."""
        async with self._free:
            client = self._idle.pop() if self._idle else self._add()
            try:
                yield client
            finally:
                self._idle.append(client)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._all:
            await client.aclose()

    def _add(self) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            verify=self._trusted,
            timeout=self._timeout,
            follow_redirects=False,
            headers=_HEADERS,
        )
        self._all.append(client)
        return client

    @functools.cached_property
    def _trusted(self) -> ssl.SSLContext:
        """Certificates take long to read: all clients share them, or trust nobody."""
        if self._with_tls:
            return httpx.create_ssl_context()
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Gateway:
    """One gateway and how it behaved lately."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/").removesuffix("/ipfs")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ConfigError(f"storage: {url!r} is not a gateway; write gateway:https://<host>")
        self._rests_until = 0.0
        self._asked = 0

    def rank(self) -> tuple[bool, int]:
        """Order gateways: those that work before those that failed, idle ones before busy ones."""
        return time.monotonic() < self._rests_until, self._asked

    async def ask(self, clients: _Clients, cid: CID, timeout: float) -> bytes:
        """Return the block, checked.

        Raises:
            _FailureError: it did not come.
        """
        self._asked += 1
        try:
            data = await _translated(lambda: self._get(clients, cid), timeout)
            try:
                return check_block(cid, data, self.url)
            except BlockMismatchError as error:
                raise _FailureError(BlockMismatchError, "wrong bytes") from error
        except _FailureError as error:
            if error.kind is not BlockNotFoundError:
                self._rests_until = time.monotonic() + _REST_SECONDS
            raise
        finally:
            self._asked -= 1

    async def holds(self, clients: _Clients, cid: CID, timeout: float) -> bool:
        """Return whether it has the block at hand, without fetching it from others."""

        async def head() -> bool:
            async with clients.one() as client:
                answer = await client.head(
                    f"{self.url}/ipfs/{cid}?format=raw", headers={"Cache-Control": "only-if-cached"}
                )
                return answer.status_code == 200

        try:
            return await _translated(head, timeout)
        except _FailureError:
            return False

    async def _get(self, clients: _Clients, cid: CID) -> bytes:
        url = httpx.URL(f"{self.url}/ipfs/{cid}?format=raw")
        home = (url.scheme, url.host, url.port)
        for _ in range(_MAX_REDIRECTS + 1):
            async with clients.one() as client, client.stream("GET", url) as answer:
                if answer.has_redirect_location:
                    url = url.join(answer.headers["Location"])
                    if (url.scheme, url.host, url.port) != home:
                        raise _FailureError(
                            StorageUnavailableError, "redirects to another host", final=True
                        )
                    continue
                _check_status(answer)
                data = bytearray()
                # Raw: an answer that is compressed although we forbade it fails its hash instead
                # of filling the memory.
                async for part in answer.aiter_raw():
                    data += part
                    if len(data) > MAX_BLOCK:
                        raise _FailureError(LimitError, f"over {MAX_BLOCK} bytes", final=True)
                return bytes(data)
        raise _FailureError(StorageUnavailableError, "redirects in circles", final=True)


async def _translated(action: Callable[[], Awaitable[_T]], timeout: float) -> _T:
    """Run `action` for at most `timeout` seconds in all; turn what goes wrong into one error."""
    try:
        async with asyncio.timeout(timeout):
            return await action()
    except TimeoutError as error:
        raise _FailureError(StorageUnavailableError, f"no whole answer in {timeout:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise _FailureError(StorageUnavailableError, reason) from error


def _check_status(answer: httpx.Response) -> None:
    status = answer.status_code
    if status in (404, 410):
        raise _FailureError(BlockNotFoundError, f"HTTP {status}", final=True)
    if status != 200:
        # Refusals of the request itself will not change; overload and failure may.
        final = 300 <= status < 500 and status not in (408, 425, 429)
        raise _FailureError(
            StorageUnavailableError,
            f"HTTP {status}",
            final=final,
            retry_after=_seconds(answer.headers.get("Retry-After")),
        )
    declared = answer.headers.get("Content-Length", "0")
    if declared.isdigit() and int(declared[:20]) > MAX_BLOCK:
        raise _FailureError(LimitError, f"announces {declared[:20]} bytes", final=True)


def _seconds(retry_after: str | None) -> float:
    """Return the wait that a `Retry-After` header asks for: seconds or a date."""
    if not retry_after:
        return 0.0
    if retry_after.isdigit():
        return float(retry_after[:6])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0
