# SPDX-License-Identifier: Apache-2.0
"""The server in front of the app: other people's pages get no hold of it."""

import base64
import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.app.serving import serve


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    with serve(folder, folder / "app.log") as here:
        yield here


@pytest.mark.parametrize("path", ["/", "/dataset?dataset=1", "/_stcore/health", "/static/nothing"])
def test_server__any_answer__forbids_to_be_framed(url: str, path: str) -> None:
    headers = httpx.get(url + path).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 101), ("localhost", 101), ("[::1]", 101), ("evil.example", 403)],
)
def test_server__page_whose_name_points_here__cannot_act(url: str, host: str, status: int) -> None:
    port = url.rpartition(":")[2]
    asked = {
        "Host": f"{host}:{port}",
        "Origin": f"http://{host}:{port}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
    }
    with httpx.stream("GET", f"{url}/_stcore/stream", headers=asked) as reply:
        assert reply.status_code == status
