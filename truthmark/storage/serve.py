# SPDX-License-Identifier: Apache-2.0
"""A small trustless gateway: serves the blocks that a storage holds, so that others can fetch.

Anyone who keeps a file in a local store can serve it without running Kubo. It answers
`GET` and `HEAD /ipfs/<cid>?format=raw` and `?format=car` (or the `Accept` headers of the trustless
gateway specification), never fetches for strangers, and takes nothing from them but a CID.
Anyone who opens it may add pages of JSON of their own.
"""

import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from truthmark.cid import CID
from truthmark.errors import MalformedError, StorageError
from truthmark.storage.block_storage import Storage
from truthmark.storage.car import write_car

RAW_TYPE: Final = "application/vnd.ipld.raw"
CAR_TYPE: Final = "application/vnd.ipld.car"

Page = Callable[[str], tuple[HTTPStatus, bytes]]
"""Given a URL's query, returns status and JSON."""

_MAX_CONNECTIONS: Final = 128
_IDLE_SECONDS: Final = 30


class GatewayServer:
    """Serves `store` until it is closed.

    Usage example::

        >>> with GatewayServer(LocalStore(folder), port=8080) as server:
        ...     print(server.url)
        http://127.0.0.1:8080
    """

    def __init__(
        self,
        store: Storage,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        pages: Mapping[str, Page] | None = None,
    ) -> None:
        """Listen at once; port 0 takes a free one.

        Args:
            store: Whose blocks are served.
            host: Where to listen.
            port: Where to listen.
            pages: What else is answered, by path.

        Raises:
            StorageError: the address cannot be used.
        """
        handler = type("Handler", (_Handler,), {"store": store, "pages": pages or {}})
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            raise StorageError(
                f"gateway: cannot listen at {host}:{port}: {error.strerror}; choose another port"
            ) from error
        self.url = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="gateway-server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> "GatewayServer":
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        self._free = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection its thread, while there are any left."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    store: ClassVar[Storage]
    pages: ClassVar[Mapping[str, Page]]
    protocol_version = "HTTP/1.1"
    server_version = "truthmark"
    sys_version = ""
    timeout = _IDLE_SECONDS
    # Headers and block in one packet: in two, each answer waits 40 ms for an acknowledgement.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer with a block or an archive."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer with the headers of `do_GET`."""
        self._answer(with_body=False)

    def log_message(self, *_: Any) -> None:
        """Keep no record of who read what."""

    def _answer(self, *, with_body: bool) -> None:
        url = urlsplit(self.path)
        if page := self.pages.get(url.path):
            try:
                status, body = page(url.query)
            except ValueError:
                status, body = HTTPStatus.BAD_REQUEST, b"{}"
            self._send(status, "application/json", body)
            return
        folder, _, text = url.path.rpartition("/")
        accept = self.headers.get("Accept", "")
        wanted = parse_qs(url.query).get("format", [""])[0]
        if not wanted:
            wanted = "raw" if RAW_TYPE in accept else "car" if CAR_TYPE in accept else ""
        try:
            cid = CID.parse(text)
        except MalformedError:
            self._refuse(HTTPStatus.BAD_REQUEST, "no CID of version 1 in base32")
            return
        if folder != "/ipfs" or wanted not in ("raw", "car"):
            self._refuse(HTTPStatus.NOT_ACCEPTABLE, "ask for /ipfs/<cid>?format=raw or car")
            return
        try:
            held = self.store.has_block(cid) if wanted == "raw" else self.store.has(cid)
            if not held:
                self._refuse(HTTPStatus.NOT_FOUND, "not held here")
            elif wanted == "raw":
                self._send_block(cid, with_body=with_body)
            else:
                self._send_car(cid, with_body=with_body)
        except (StorageError, MalformedError):
            # A damaged block is as good as none; the client asks elsewhere.
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "cannot be read here")

    def _send_block(self, cid: CID, *, with_body: bool) -> None:
        data = self.store.read_block(cid)
        self._start(cid, RAW_TYPE, "raw")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def _send_car(self, cid: CID, *, with_body: bool) -> None:
        self._start(cid, f"{CAR_TYPE}; version=1; order=dfs; dups=n", "car")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if not with_body:
            return
        try:
            write_car(self.store, cid, _Chunked(self.wfile))  # type: ignore[arg-type]
            self.wfile.write(b"0\r\n\r\n")
        except (StorageError, MalformedError):
            self.close_connection = True  # no last chunk: the client sees that it was cut off

    def _start(self, cid: CID, kind: str, suffix: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Disposition", f'attachment; filename="{cid}.{suffix}"')
        self.send_header("Etag", f'"{cid}.{suffix}"')
        self.send_header("Cache-Control", "public, max-age=29030400, immutable")
        self.send_header("X-Content-Type-Options", "nosniff")

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._send(status, "text/plain; charset=utf-8", reason.encode() + b"\n")

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Chunked:
    """Writes HTTP chunks."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        """Write one chunk; never the empty one, which would be the last."""
        if data:
            self._stream.write(b"%x\r\n%b\r\n" % (len(data), data))
        return len(data)
