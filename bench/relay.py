# SPDX-License-Identifier: Apache-2.0
"""Answers of a relay over HTTP, one after the other: `python -m bench.relay`.

An item, the roster and a join that is asked again, as a labeler in front of a screen gets them. The
peer is a bare FastAPI app that serves the same bytes at the same paths, by the same server, in the
same run: what is more is reading what is kept, checking signatures, limits by address. The chain's
state is remembered, as it is between two blocks. A process of its own asks, now the one and now the
other; what counts is the server's processor time of an answer, in the turn whose ratio is the
median. How long an answer took is that of the same turn, and hangs on what else the machine does.
"""

import argparse
import http.client
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fastapi import FastAPI, Response

from bench.report import Report, median_pair
from tests.utils.relays import PaperDesk, join_request
from truthmark.bounty.payouts import Status
from truthmark.node.relay.limits import Rates
from truthmark.node.relay.server import AppServer

TURNS = 5
UNLIMITED = 1e12


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        name: Of the figure.
        method: Of HTTP.
        path: Likewise.
        body: What is sent with it; JSON, or nothing.
        floor: Which part of the peer's requests a second there must be.
    """

    name: str
    method: str
    path: str
    body: bytes
    floor: float


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the table; return 1 if a figure does not hold."""
    parser = argparse.ArgumentParser(prog="bench.relay", description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000, help="a turn")
    report = Report("relay")
    requests = parser.parse_args(arguments).requests
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        measure(report, requests, pool)
    return report.write()


def measure(report: Report, requests: int, pool: Executor) -> None:
    """Ask a relay and the bare app, in turns; `pool` asks."""
    with tempfile.TemporaryDirectory() as folder:
        desk = PaperDesk(Path(folder), rates=Rates(UNLIMITED, UNLIMITED))
        desk.offer()
        desk.papers.bring(desk.client, desk.ref.bounty_id)
        desk.join(0)
        place = f"/v1/bounties/{desk.ref.bounty_id}"
        wish = join_request(desk.ref, desk.terms, 0).model_dump_json().encode()
        joins = [Question("join, asked again", "POST", f"{place}/joins", wish, 0.1)]
        reading = [
            Question("item", "GET", f"{place}/items/3", b"", 0.15),
            Question("roster", "GET", f"{place}/roster", b"", 0.15),
        ]
        for questions in (joins, reading):
            for question in questions:
                _compare(report, pool, desk.client.url, question, requests)
            desk.show(Status.LABEL, workers=3)  # there is a roster only now
        desk.client.close()


def _compare(report: Report, pool: Executor, url: str, question: Question, requests: int) -> None:
    answer, kind = pool.submit(_bytes, url, question).result()
    bare = FastAPI()

    @bare.api_route(question.path, methods=[question.method])
    def reply() -> Response:
        return Response(answer, media_type=kind)

    server = AppServer(bare, host="127.0.0.1", port=0)
    try:
        turns = [
            tuple(_turn(pool, place, question, requests) for place in (url, server.url))
            for _ in range(TURNS)
        ]
    finally:
        server.close()
    own, peer = median_pair(turns, lambda turn: turn.a_second)
    report.add(
        f"{question.name}, {len(answer):,} bytes",
        own.a_second,
        "requests/s",
        peer="bare FastAPI, same bytes",
        peer_value=peer.a_second,
        at_least=question.floor,
    )
    for share in (50, 99):
        report.add(
            f"{question.name}: {share} % are answered within",
            1000 * float(np.percentile(own.latencies, share)),
            "ms",
            peer="bare FastAPI",
            peer_value=1000 * float(np.percentile(peer.latencies, share)),
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """What one server did.

    Attributes:
        latencies: How long each answer took, in seconds.
        busy: Processor time that the server took for all of them, in seconds.
    """

    latencies: list[float]
    busy: float

    @property
    def a_second(self) -> float:
        """How many answers a second of processor time gives."""
        return len(self.latencies) / self.busy


def _turn(pool: Executor, url: str, question: Question, requests: int) -> Turn:
    """Have a server asked; it is in this process, which does nothing else."""
    begun = time.process_time()
    latencies = pool.submit(_ask, url, question, requests).result()
    return Turn(latencies, time.process_time() - begun)


def _bytes(url: str, question: Question) -> tuple[bytes, str]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    return _once(connection, question)


def _ask(url: str, question: Question, requests: int) -> list[float]:
    """Return how long each answer took, in seconds, over one connection."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    _once(connection, question)  # connected
    took = []
    for _ in range(requests):
        begun = time.perf_counter()
        _once(connection, question)
        took.append(time.perf_counter() - begun)
    connection.close()
    return took


def _once(connection: http.client.HTTPConnection, question: Question) -> tuple[bytes, str]:
    headers = {"Content-Type": "application/json"} if question.body else {}
    connection.request(question.method, question.path, question.body or None, headers)
    reply = connection.getresponse()
    data = reply.read()
    if reply.status != http.client.OK:
        raise RuntimeError(f"{question.name}: {reply.status} {data[:200]!r}")
    return data, reply.headers["Content-Type"]


if __name__ == "__main__":
    sys.exit(main())
