# SPDX-License-Identifier: Apache-2.0
"""A Kubo (go-ipfs) daemon as a storage, through ipfshttpclient 0.7.0.

Three habits of that client are worked around here, and only here: `connect()` refuses every
daemon of the last years, `add()` sends `raw-leaves=false` unless told otherwise, and answers are
read into memory without a limit and without a deadline.
"""

import hashlib
import io
import json
import queue
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar

from truthmark.cid import CID, DAG_PB, DEFAULT_CHUNK_SIZE, EMPTY_CID, MAX_LINKS, build_dag
from truthmark.errors import (
    BlockMismatchError,
    BlockNotFoundError,
    ConfigError,
    LimitError,
    MalformedError,
    StorageError,
    StorageUnavailableError,
)
from truthmark.storage.block_storage import Stat, Storage
from truthmark.storage.dag import parse_node, visit
from truthmark.storage.limits import MAX_BLOCK, check_block, check_chunk
from truthmark.types import Progress
from truthmark.waiting import Backoff, Deadline

_MAX_ANSWER: Final = 1 << 26
"""Bytes of the largest answer that is not a block: a list of half a million pins."""

_ATTEMPTS: Final = 4
_PAUSE_SECONDS: Final = 0.25  # before the second attempt; doubled each time
_SLOWEST: Final = 1 << 20
"""Bytes a second; an upload slower than this counts as stalled."""

_T = TypeVar("_T")


class KuboStore(Storage):
    """Files at a Kubo daemon.

    Usage example::

        >>> store = KuboStore("/ip4/127.0.0.1/tcp/5001")
        >>> cid = store.put(Path("data.tmk"), chunk=1 << 16)
    """

    writable = True
    workers = 8

    def __init__(self, addr: str, *, timeout: float = 30.0) -> None:
        """Use the daemon whose RPC API is at the multiaddress `addr`; nothing is sent yet.

        Args:
            addr: e.g. `/ip4/127.0.0.1/tcp/5001`.
            timeout: seconds for one block or answer, searching other nodes included.

        Raises:
            ConfigError: `addr` is not such an address.
        """
        import ipfshttpclient
        from ipfshttpclient import exceptions

        # The client's adapter names an argument that urllib3 2 has deprecated.
        warnings.filterwarnings("ignore", "The 'strict' parameter is no longer", FutureWarning)
        self.name = f"kubo:{addr}"
        self.timeout = timeout
        self._exceptions = exceptions
        try:
            self._client = ipfshttpclient.Client(addr, timeout=timeout, session=True)
        except exceptions.AddressError as error:
            raise ConfigError(
                f"storage: {addr!r} is not an address of a Kubo API; "
                "write it like /ip4/127.0.0.1/tcp/5001"
            ) from error

    # ------------------------------------------------------------------ writing

    def put(
        self,
        source: Path | bytes,
        *,
        chunk: int = DEFAULT_CHUNK_SIZE,
        pin: bool = True,
        progress: Progress | None = None,
    ) -> CID:
        """Add a file and return its CID, which is computed here and compared.

        Raises:
            ConfigError: `chunk` or `source` cannot be used.
            BlockMismatchError: the daemon cuts or hashes files in another way.
        """
        check_chunk(chunk)

        def add() -> tuple[CID, Any]:
            # Opened again: an upload that was left behind may still be reading the old one.
            with closing(_open_source(source)) as stream:
                size = stream.seek(0, io.SEEK_END)
                stream.seek(0)
                reader = _HashingReader(stream, chunk, size, progress)
                options = {
                    "cid-version": "1",
                    "raw-leaves": "true",
                    "chunker": f"size-{chunk}",
                    "max-file-links": str(MAX_LINKS),
                    "pin": _flag(pin),
                    "progress": "false",
                }
                seconds = self.timeout + size / _SLOWEST
                answer = self._post("/add", options=options, upload=reader, seconds=seconds)
                return build_dag(reader.leaves()).root, _json(answer).get("Hash")

        cid, answer = self._retry(add)
        if answer != str(cid):
            raise BlockMismatchError(
                f"{self.name}: gave {str(answer)[:70]} to the file {cid}; use Kubo 0.40 or newer"
            )
        return cid

    def put_block(self, cid: CID, data: bytes) -> None:
        """Store one block, unpinned.

        Raises:
            BlockMismatchError, LimitError: `data` is not the block of `cid`.
        """
        check_block(cid, data, "put_block")
        options = {
            "cid-codec": "dag-pb" if cid.codec == DAG_PB else "raw",
            "mhtype": "sha2-256",
            "pin": "false",
            "allow-big-block": "true",  # we take up to 2 MiB, as nodes exchange; it stops at 1
        }
        answer = self._retry(
            lambda: self._post("/block/put", options=options, upload=io.BytesIO(data))
        )
        key = _json(answer).get("Key")
        if key != str(cid):
            raise BlockMismatchError(
                f"{self.name}: gave {str(key)[:70]} to block {cid}; use Kubo 0.40 or newer"
            )

    def pin(self, cid: CID, *, progress: Progress | None = None) -> None:
        """Keep the whole file, fetching what is missing from connected nodes.

        Raises:
            BlockNotFoundError: nothing arrived for `timeout` seconds.
        """
        if cid == EMPTY_CID:
            self.put_block(cid, b"")
        size = blocks = 0
        if progress is not None:
            size, blocks = self._measure(cid)
        fetched, silence = -1, Deadline(self.timeout)
        options = {"recursive": "true", "progress": "true"}
        for line in self._lines("/pin/add", str(cid), options=options):
            if line.get("Type") == "error":
                raise self._refusal("/pin/add", (str(cid),), str(line.get("Message")))
            if str(cid) in (line.get("Pins") or ()):
                if progress is not None:
                    progress(size, size)
                return
            count = line.get("Progress")
            if isinstance(count, int) and count > fetched:
                fetched, silence = count, Deadline(self.timeout)
                if progress is not None:
                    progress(min(size, size * count // blocks), size)
            elif silence.is_over:
                raise BlockNotFoundError(
                    f"{self.name}: no new block of {cid} for {self.timeout:g} s; "
                    "connect the daemon to a node that has it"
                )
        raise StorageUnavailableError(f"{self.name}: stopped before {cid} was pinned; repeat")

    def unpin(self, cid: CID) -> None:
        """Stop keeping it; harmless if it is not pinned."""
        try:
            self._retry(lambda: self._post("/pin/rm", str(cid), options={"recursive": "true"}))
        except StorageError as error:
            if "not pinned" not in str(error):
                raise

    # ------------------------------------------------------------------ reading

    def _fetch(self, cid: CID) -> bytes:
        def get() -> bytes:
            return self._post(
                "/block/get",
                str(cid),
                # The daemon gives up a little earlier than we do, and says why.
                options={"timeout": f"{max(1, int(self.timeout * 900))}ms"},
                limit=MAX_BLOCK,
            )

        return self._retry(get)

    def _holds(self, cid: CID) -> bool:
        options = {"offline": "true"}
        try:
            self._retry(lambda: self._post("/block/stat", str(cid), options=options))
        except BlockNotFoundError:
            return False
        return True

    def pins(self) -> list[CID]:
        """Return the roots of files that are kept, in the order of their texts.

        Pins of other kinds of trees are left out.
        """
        options = {"type": "recursive", "quiet": "true"}
        answer = _json(self._retry(lambda: self._post("/pin/ls", options=options)))
        roots = []
        for text in answer.get("Keys") or {}:
            with suppress(MalformedError):
                roots.append(CID.parse(text))
        return sorted(roots, key=str)

    def is_pinned(self, cid: CID) -> bool:
        """Return whether the file is kept as a whole."""
        options = {"type": "recursive"}
        try:
            answer = self._retry(lambda: self._post("/pin/ls", str(cid), options=options))
        except StorageError as error:
            if "not pinned" not in str(error):
                raise
            return False
        return str(cid) in (_json(answer).get("Keys") or {})

    def has(self, cid: CID) -> bool:
        """Return whether the daemon holds every block itself; it does for what it has pinned."""
        return self.is_pinned(cid) or super().has(cid)

    def stat(self, cid: CID) -> Stat:
        """Return size, blocks and pin state of a file."""
        if not self.is_pinned(cid):
            return super().stat(cid)
        size, blocks = self._measure(cid)
        return Stat(cid, size, blocks, blocks, pinned=True)

    def _measure(self, cid: CID) -> tuple[int, int]:
        """Return the size of a file and the number of its distinct blocks."""
        seen = set()
        size = 0
        for block, node in visit(self.read_block, cid):
            seen.add(block)
            if block == cid:
                size = len(self.read_block(cid)) if node is None else parse_node(node).size
        return size, len(seen)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # ------------------------------------------------------------------ HTTP

    def _post(
        self,
        command: str,
        *arguments: str,
        options: Mapping[str, str] | None = None,
        upload: Any = None,
        limit: int = _MAX_ANSWER,
        seconds: float | None = None,
    ) -> bytes:
        """Send one command and return the whole answer, at most `limit` bytes of it."""

        def send() -> bytes:
            answer = bytearray()
            for part in self._stream(command, arguments, options, upload):
                answer += part
                if len(answer) > limit:
                    raise LimitError(
                        f"{self.name}: answers {command} with more than {limit} bytes; "
                        "do not use this daemon"
                    )
            return bytes(answer)

        # More than the socket's own limit, whose reason is better; but a trickle of bytes, which
        # never meets that one, comes to an end as well.
        return _within(
            1.5 * (self.timeout if seconds is None else seconds), send, self._unavailable
        )

    def _lines(
        self, command: str, *arguments: str, options: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Send one command and yield the JSON objects of its answer as they arrive."""
        lines: queue.SimpleQueue[bytes | BaseException | None] = queue.SimpleQueue()
        stopped = threading.Event()

        def receive() -> None:
            rest = b""
            try:
                for part in self._stream(command, arguments, options, None):
                    *whole, rest = (rest + part).split(b"\n")
                    for line in whole:
                        lines.put(line)
                    if stopped.is_set() or len(rest) > _MAX_ANSWER:
                        break
                lines.put(rest)
                lines.put(None)
            except BaseException as error:
                lines.put(error)

        threading.Thread(target=receive, name="kubo-lines", daemon=True).start()
        try:
            while True:
                try:
                    line = lines.get(timeout=2 * self.timeout)
                except queue.Empty:
                    raise self._unavailable("it stopped answering") from None
                if isinstance(line, BaseException):
                    raise line
                if line is None:
                    return
                if line.strip():
                    yield _json(line)
        finally:
            stopped.set()

    def _stream(
        self,
        command: str,
        arguments: tuple[str, ...],
        options: Mapping[str, str] | None,
        upload: Any,
    ) -> Iterator[bytes]:
        """Yield an answer in pieces, every error translated."""
        import requests
        import urllib3
        from ipfshttpclient import multipart

        body = headers = None
        if upload is not None:
            body, headers = multipart.stream_files(upload, chunk_size=1 << 17)
        parameters = [*(options or {}).items(), *(("arg", argument) for argument in arguments)]
        try:
            # The client's own `request` reads without limit: this is the layer below it.
            closables, parts = self._client._client._request(
                "POST",
                command,
                parameters,
                auth=None,
                data=body,
                headers=headers,
                timeout=None,
                chunk_size=1 << 16,
            )
            try:
                yield from parts
            finally:
                for closable in closables:
                    closable.close()
        except self._exceptions.ErrorResponse as error:
            raise self._refusal(command, arguments, str(error)) from error
        except (
            self._exceptions.Error,
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            if isinstance(error, StorageError):
                raise
            raise self._unavailable(_reason(error)) from error

    def _refusal(self, command: str, arguments: tuple[str, ...], message: str) -> StorageError:
        """Return the error for a reason that the daemon gave in words."""
        what = " ".join((command.strip("/").replace("/", " "), *arguments))
        reason = f"{self.name}: {what}: {' '.join(message.split())[:300]}"
        if "could not find" in message or "not found" in message or "deadline exc" in message:
            return BlockNotFoundError(f"{reason}; connect the daemon to a node that has it")
        return StorageError(f"{reason}; see the daemon's log")

    def _unavailable(self, reason: str) -> StorageUnavailableError:
        return StorageUnavailableError(
            f"{self.name}: {reason}; start it with `ipfs daemon` or correct the address"
        )

    def _retry(self, action: Callable[[], _T]) -> _T:
        """Run `action` again while the daemon does not answer, with growing pauses."""
        backoff = Backoff(_ATTEMPTS, _PAUSE_SECONDS, self.timeout)
        while True:
            try:
                return action()
            except StorageUnavailableError:
                if (pause := backoff.pause()) is None:
                    raise
                time.sleep(pause)


class _HashingReader:
    """Reads a file for an upload and hashes its chunks on the way."""

    def __init__(self, stream: BinaryIO, chunk: int, size: int, progress: Progress | None) -> None:
        self._stream = stream
        self._chunk = chunk
        self._size = size
        self._progress = progress
        self._done = 0
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._leaves: list[tuple[bytes, int]] = []

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes."""
        data = self._stream.read(size)
        view = memoryview(data)
        while len(view):
            part = view[: self._chunk - self._hashed]
            self._hash.update(part)
            self._hashed += len(part)
            if self._hashed == self._chunk:
                self._end_leaf()
            view = view[len(part) :]
        self._done += len(data)
        if self._progress is not None and data:
            self._progress(min(self._done, self._size), self._size)
        return data

    def leaves(self) -> list[tuple[bytes, int]]:
        """Return `(sha256, size)` of every chunk read."""
        if self._hashed:
            self._end_leaf()
        return self._leaves

    def _end_leaf(self) -> None:
        self._leaves.append((self._hash.digest(), self._hashed))
        self._hash = hashlib.sha256()
        self._hashed = 0


class _Outcome(NamedTuple):
    value: Any
    error: BaseException | None


def _within(
    seconds: float, action: Callable[[], _T], failed: Callable[[str], StorageUnavailableError]
) -> _T:
    """Return what `action` returns, or fail after `seconds` and leave it behind.

    Socket timeouts start again with every byte that arrives; a thread is the only way to bound
    the whole of a call into a client that blocks.
    """
    outcome: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put(_Outcome(action(), None))
        except BaseException as error:
            outcome.put(_Outcome(None, error))

    threading.Thread(target=run, name="kubo-request", daemon=True).start()
    try:
        value, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise failed(f"no whole answer in {seconds:g} s") from None
    if error is not None:
        raise error
    result: _T = value
    return result


def _open_source(source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if not Path(source).is_file():
        raise ConfigError(f"{source}: no such file; name a regular file to store")
    return Path(source).open("rb")


def _json(answer: bytes) -> dict[str, Any]:
    try:
        value = json.loads(answer)
    except ValueError as error:
        raise StorageUnavailableError(
            f"kubo: no JSON in the answer {answer[:60]!r}; is this a Kubo daemon?"
        ) from error
    if not isinstance(value, dict):
        raise StorageUnavailableError("kubo: an answer of another shape; is this a Kubo daemon?")
    return value


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _reason(error: BaseException) -> str:
    """Return the innermost cause in words: the client wraps errors in errors in errors."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    text = " ".join(str(error).split()) or type(error).__name__
    return f"does not answer ({text[:200]})"
