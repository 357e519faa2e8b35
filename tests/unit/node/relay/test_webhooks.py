# SPDX-License-Identifier: Apache-2.0
"""Notices to requesters: they arrive, or are tried again; and never go where they must not."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from truthmark.chain.public_http import ALL_NETWORKS
from truthmark.node.relay.store import RelayStore
from truthmark.node.relay.webhooks import MAX_TRIES, Webhooks


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RelayStore]:
    made = RelayStore(f"sqlite:///{tmp_path}/relay.sqlite", "here")
    yield made
    made.close()


class Hook:
    """An HTTP server that notes what is posted."""

    def __init__(self) -> None:
        hook = self
        self.status, self.got = 200, list[dict[str, object]]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append(json.loads(body))
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def post(webhooks: Webhooks, now: int) -> None:
    webhooks.post_due(now)
    if webhooks._thread is not None:
        webhooks._thread.join()


def test_webhooks__notice__arrives_once(store: RelayStore, hook: Hook) -> None:
    store.add_notices(7, [hook.url], json.dumps({"event": "enroll"}), 0)
    webhooks = Webhooks(store, private=ALL_NETWORKS)
    for _ in range(2):
        post(webhooks, 1)
    assert hook.got == [{"event": "enroll"}]
    webhooks.close()


def test_webhooks__server_fails__is_tried_again_and_given_up(store: RelayStore, hook: Hook) -> None:
    hook.status = 500
    store.add_notices(7, [hook.url], "{}", 0)
    webhooks = Webhooks(store, private=ALL_NETWORKS)
    for _ in range(MAX_TRIES + 2):
        post(webhooks, 2**40)
    assert len(hook.got) == MAX_TRIES
    assert store.due_notices(2**41) == []


@pytest.mark.parametrize(
    "lookup", [lambda host, port: ["10.0.0.1"], lambda host, port: ["8.8.8.8", "127.0.0.1"]]
)
def test_webhooks__private_address__is_never_asked(
    store: RelayStore, hook: Hook, lookup: Callable[[str, int], list[str]]
) -> None:
    store.add_notices(7, [hook.url, "https://inner.example/x"], "{}", 0)
    post(Webhooks(store, private=(), lookup=lookup), 1)
    assert hook.got == []
    assert [notice.tries for notice in store.due_notices(2**40)] == [1, 1]
