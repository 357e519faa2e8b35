# SPDX-License-Identifier: Apache-2.0
"""A loopback HTTP proxy that breaks what passes through it, in twenty ways.

It stands in front of one upstream server (Kubo's API, a gateway, a JSON-RPC endpoint) and takes
one request a connection. `proxy.fault = Fault.STALL` breaks every request that arrives from then
on, `proxy.fault = None` ends it; connections that are broken already stay so, as in life.

Usage example::

    with FaultProxy(8545) as proxy:
        proxy.fault = Fault.HTTP_502
        ...  # talk to proxy.url
        proxy.fault = None
"""

import enum
import random
import socket
import struct
import threading
import time
from contextlib import suppress


class Fault(enum.Enum):
    """What happens to a request."""

    REFUSE = "nobody listens"
    RESET = "the connection is reset before the request is read"
    RESET_IN_BODY = "the connection is reset half-way through the answer"
    STALL = "the request is taken and never answered"
    STALL_IN_BODY = "half of the answer comes, then nothing"
    DRIP_HEAD = "the answer comes a byte at a time from its first byte on"
    DRIP_BODY = "the body comes a byte at a time"
    TRUNCATE = "the connection is closed half-way through the body"
    HTTP_429 = "too many requests, come back in a second"
    HTTP_500 = "internal error"
    HTTP_502 = "bad gateway, with a page of HTML"
    GARBAGE_BODY = "as many bytes as there were, all random"
    FLIP_BIT = "one bit of the body is another"
    LONG_LENGTH = "Content-Length is larger than the body"
    SHORT_LENGTH = "Content-Length is smaller than the body"
    DUPLICATE_BODY = "the body comes twice"
    EMPTY_BODY = "success with no body"
    REDIRECT = "redirected to another host"
    HUGE_BODY = "a body without end"
    NOT_HTTP = "bytes that are no HTTP"
    HALF_OPEN = "the head of an answer, then neither bytes nor an end, and nothing is read"


DRIP_SECONDS = 0.2
_HUGE_PIECE = bytes(1 << 16)
_LIMIT = 1 << 26


class FaultProxy:
    """Listens on a free loopback port until closed.

    Attributes:
        url: where clients connect.
        port: of that URL.
        requests: how many requests arrived.
        sent: bytes sent to clients while a fault was on.
    """

    def __init__(self, upstream_port: int, *, upstream_host: str = "127.0.0.1") -> None:
        self._upstream = (upstream_host, upstream_port)
        self._fault: Fault | None = None
        self._closed = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.requests = 0
        self.sent = 0
        self.port = 0
        self._listen()
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def fault(self) -> Fault | None:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._fault = fault
        if fault is Fault.REFUSE:
            self._deafen()
        elif self._listener is None:
            self._listen()

    def close(self) -> None:
        self._closed.set()
        self._deafen()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "FaultProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ listening

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _deafen(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            fault = self._fault
            if fault is Fault.RESET:
                _reset(client)
                return
            request = _read_request(client)
            if request is None:
                return
            self.requests += 1
            self._answer(client, request, fault)
        except OSError:
            pass  # one of the two ends went away
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    # ------------------------------------------------------------------ answering

    def _answer(self, client: socket.socket, request: bytes, fault: Fault | None) -> None:
        if fault in (None, Fault.REFUSE):
            with self._ask(request) as upstream:
                while part := upstream.recv(1 << 16):
                    client.sendall(part)
            return
        assert fault is not None
        if fault is Fault.STALL:
            self._closed.wait()
        elif fault is Fault.HTTP_429:
            self._send(client, _answer(429, b"slow down", "Retry-After: 1\r\n"))
        elif fault is Fault.HTTP_500:
            self._send(client, _answer(500, b'{"Message":"it broke","Code":0,"Type":"error"}'))
        elif fault is Fault.HTTP_502:
            self._send(client, _answer(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>"))
        elif fault is Fault.REDIRECT:
            location = "Location: http://127.0.0.2:9/elsewhere\r\n"
            self._send(client, _answer(302, b"", location))
        elif fault is Fault.NOT_HTTP:
            self._send(client, b"SSH-2.0-OpenSSH_9.9\r\n" + random.Random(1).randbytes(300))
        elif fault is Fault.HUGE_BODY:
            self._send(client, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while not self._closed.is_set():
                self._send(client, _HUGE_PIECE)
        elif fault is Fault.HALF_OPEN:
            self._send(client, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nX-")
            self._closed.wait()
        else:
            self._answer_changed(client, request, fault)

    def _answer_changed(self, client: socket.socket, request: bytes, fault: Fault) -> None:
        """Fetch the real answer and break it."""
        with self._ask(request) as upstream:
            head, body = _read_answer(upstream)
        half = len(body) // 2
        whole = _with_length(head, len(body)) + body
        if fault is Fault.RESET_IN_BODY:
            self._send(client, whole[: len(whole) - len(body) + half])
            _reset(client)
        elif fault is Fault.STALL_IN_BODY:
            self._send(client, whole[: len(whole) - len(body) + half])
            self._closed.wait()
        elif fault is Fault.DRIP_HEAD:
            self._drip(client, whole)
        elif fault is Fault.DRIP_BODY:
            self._send(client, whole[: len(whole) - len(body)])
            self._drip(client, body)
        elif fault is Fault.TRUNCATE:
            self._send(client, whole[: len(whole) - len(body) + half])
        elif fault is Fault.GARBAGE_BODY:
            garbage = random.Random(len(body)).randbytes(len(body))
            self._send(client, _with_length(head, len(body)) + garbage)
        elif fault is Fault.FLIP_BIT:
            flipped = body[:half] + bytes(byte ^ 1 for byte in body[half : half + 1])
            self._send(client, _with_length(head, len(body)) + flipped + body[half + 1 :])
        elif fault is Fault.LONG_LENGTH:
            self._send(client, _with_length(head, len(body) + 1000) + body)
        elif fault is Fault.SHORT_LENGTH:
            self._send(client, _with_length(head, max(0, len(body) - 7)) + body)
        elif fault is Fault.DUPLICATE_BODY:
            self._send(client, _with_length(head, 2 * len(body)) + body + body)
        elif fault is Fault.EMPTY_BODY:
            self._send(client, _with_length(head, 0))
        else:
            raise AssertionError(fault)

    def _send(self, client: socket.socket, data: bytes) -> None:
        client.sendall(data)
        self.sent += len(data)

    def _drip(self, client: socket.socket, data: bytes) -> None:
        for position in range(len(data)):
            self._send(client, data[position : position + 1])
            if self._closed.wait(DRIP_SECONDS):
                return

    def _ask(self, request: bytes) -> socket.socket:
        upstream = socket.create_connection(self._upstream, timeout=60)
        upstream.sendall(request)
        return upstream


def _read_request(client: socket.socket) -> bytes | None:
    """Return one whole request that asks for the connection to be closed afterwards."""
    head, rest = _read_head(client)
    if not head:
        return None
    body = _read_body(client, head, rest)
    lines = head.rstrip(b"\r\n").split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*kept, b"Connection: close"]) + b"\r\n\r\n" + body


def _read_head(stream: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        part = stream.recv(1 << 16)
        if not part or len(data) > 1 << 20:
            return b"", b""
        data += part
    head, rest = data.split(b"\r\n\r\n", 1)
    return head + b"\r\n\r\n", rest


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip().lower()
    return b""


def _read_body(client: socket.socket, head: bytes, rest: bytes) -> bytes:
    """Return the body of a request as it was sent, chunk marks included."""
    body = bytearray(rest)
    if b"chunked" in _header(head, b"transfer-encoding"):
        # All clients here end without trailers.
        done = lambda: body.endswith(b"0\r\n\r\n")  # noqa: E731
    else:
        length = int(_header(head, b"content-length") or 0)
        done = lambda: len(body) >= length  # noqa: E731
    while not done():
        part = client.recv(1 << 16)
        if not part or len(body) > _LIMIT:
            break
        body += part
    return bytes(body)


def _read_answer(upstream: socket.socket) -> tuple[bytes, bytes]:
    """Return head and body of an answer, without chunk marks."""
    head, rest = _read_head(upstream)
    body = bytearray(rest)
    while part := upstream.recv(1 << 16):
        body += part
    if b"chunked" not in _header(head, b"transfer-encoding"):
        return head, bytes(body)
    plain = bytearray()
    position = 0
    while (end := body.find(b"\r\n", position)) >= 0:
        size = int(body[position:end].split(b";")[0] or b"0", 16)
        if not size:
            break
        plain += body[end + 2 : end + 2 + size]
        position = end + 2 + size + 2
    return head, bytes(plain)


def _with_length(head: bytes, length: int) -> bytes:
    """Return the head of an answer with another length, plainly stated."""
    dropped = (b"content-length:", b"transfer-encoding:", b"connection:", b"trailer:")
    lines = head.rstrip(b"\r\n").split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(dropped)]
    lines = [*kept, b"Content-Length: %d" % length, b"Connection: close"]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _answer(status: int, body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Fault\r\n{headers}Content-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def _reset(client: socket.socket) -> None:
    """Close with RST instead of FIN."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def heal_after(proxy: FaultProxy, seconds: float) -> threading.Thread:
    """End the fault of `proxy` after `seconds`, in a thread that can be joined."""

    def heal() -> None:
        time.sleep(seconds)
        proxy.fault = None

    thread = threading.Thread(target=heal, daemon=True)
    thread.start()
    return thread
