# SPDX-License-Identifier: Apache-2.0
"""Health, metrics, messages and logs of a node."""

import json
import logging
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.utils.rpc_server import serve
from truthmark.errors import ConfigError
from truthmark.node.logs import JsonFormatter, LineFormatter
from truthmark.node.server import StatusServer
from truthmark.node.status import STALE_SECONDS, Health, Metrics, Notifier


@pytest.fixture
def served() -> Iterator[tuple[Health, Metrics, str]]:
    health, metrics = Health(), Metrics()
    server = StatusServer(health, metrics)
    yield health, metrics, server.url
    server.close()


def get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False)


def test_health__good_round__is_200_with_figures(served: tuple[Health, Metrics, str]) -> None:
    health, _, url = served
    health.problem, health.round_at, health.block = "", time.monotonic(), 7
    health.roles["custodian"] = {"custodies": 2, "sent": 0}
    answer = get(f"{url}/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "is_ready": True,
        "problem": "",
        "block": 7,
        "chain_time": 0,
        "roles": {"custodian": {"custodies": 2, "sent": 0}},
    }


def test_health__not_started_problem_or_stale__is_503(served: tuple[Health, Metrics, str]) -> None:
    health, _, url = served
    assert get(f"{url}/health").status_code == 503
    health.problem, health.round_at = "", time.monotonic()
    assert get(f"{url}/health").status_code == 200
    health.problem = "no endpoint answers"
    assert get(f"{url}/health").json()["problem"] == "no endpoint answers"
    assert get(f"{url}/health").status_code == 503
    health.problem, health.round_at = "", time.monotonic() - STALE_SECONDS - 1
    assert get(f"{url}/health").status_code == 503


def test_metrics__counted__are_in_prometheus_text(served: tuple[Health, Metrics, str]) -> None:
    _, metrics, url = served
    metrics.actions.labels("deliver").inc(3)
    metrics.gas.set(5)
    text = get(f"{url}/metrics").text
    assert 'truthmark_actions_total{kind="deliver"} 3.0' in text
    assert "truthmark_gas_wei 5.0" in text
    assert "truthmark_missed_total 0.0" in text
    assert get(f"{url}/").status_code == 404


def test_server__port_taken__says_so(served: tuple[Health, Metrics, str]) -> None:
    port = int(served[2].rsplit(":", 1)[1])
    with pytest.raises(ConfigError, match="choose another port"):
        StatusServer(Health(), Metrics(), port=port)


def test_tell__again__is_said_once_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier()
    notifier.notify("low-gas", "3 left", about="gas")
    notifier.notify("low-gas", "2 left", about="gas")
    notifier.notify("missed", "a")
    notifier.notify("missed", "a")
    notifier.notify("missed", "b")
    assert [r.getMessage() for r in caplog.records] == ["low-gas: 3 left", "missed: a", "missed: b"]
    assert notifier.is_open("low-gas", "gas")
    notifier.resolve("low-gas", "gas")
    assert not notifier.is_open("low-gas", "gas")
    notifier.notify("low-gas", "1 left", about="gas")
    assert caplog.records[-1].getMessage() == "low-gas: 1 left"


def test_tell__with_a_url__posts_in_order_and_survives_refusals() -> None:
    heard: list[dict[str, str]] = []

    def answer(body: bytes) -> tuple[int, bytes] | None:
        heard.append(json.loads(body))
        return None if len(heard) == 1 else (500, b"")

    with serve(answer) as server:
        notifier = Notifier(server.url)
        for text in ("one", "two", "three"):
            notifier.notify("accepted", text)
        notifier._queue.join()
    assert [entry["text"] for entry in heard] == ["one", "two", "three"]
    assert heard[0] == {"kind": "accepted", "text": "one"}


def test_tell__url_with_a_token__is_not_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    for url in ("http://127.0.0.1:1/SECRET", "nonsense://SECRET"):
        notifier = Notifier(url)
        notifier.notify("accepted", "one")
        notifier._queue.join()
    assert "cannot notify the operator" in caplog.text
    assert "SECRET" not in caplog.text
    assert "SECRET" not in repr(notifier._queue)


def record(**extra: object) -> logging.LogRecord:
    try:
        raise ValueError("bad\nthing")
    except ValueError:
        made = logging.LogRecord(
            "node", logging.WARNING, "", 0, "%s\nand", ("text",), sys.exc_info()
        )
    made.__dict__.update(extra)
    return made


def test_json_formatter__any_text__is_one_line() -> None:
    line = JsonFormatter().format(record(kind="missed"))
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["text"], entry["kind"], entry["level"]) == ("text\nand", "missed", "warning")
    assert "ValueError" in entry["traceback"]
    assert entry["time"].endswith("+00:00")


def test_line_formatter__record__has_time_level_and_text() -> None:
    made = record()
    made.exc_info = None
    assert LineFormatter().format(made).endswith(" warning text\nand")
