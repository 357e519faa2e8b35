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


def test_server__label_page__is_plain_and_runs_its_own_scripts_alone(url: str) -> None:
    page = httpx.get(f"{url}/label/7")
    assert page.status_code == 200 and '<script type="module"' in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
    worker = httpx.get(f"{url}/label/sw.js")
    assert worker.headers["Content-Type"].startswith("text/javascript")
    # This home has no network yet.
    assert httpx.get(f"{url}/label/host/7").status_code in (404, 503)
    assert httpx.post(f"{url}/rpc", json=[]).status_code in (200, 503)


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
