# SPDX-License-Identifier: Apache-2.0
"""Habits of public endpoints: every question is answered as if there were none."""

import itertools
import json
import random
from typing import Any

import pytest

from tests.utils.endpoints import Script, Scripted, echo, fail
from tests.utils.rpc_server import Answer, results, serve
from truthmark.chain.http import BusyError, TooMuchError
from truthmark.chain.node_errors import RpcReplyError
from truthmark.chain.rpc import PATIENCE_SECONDS, RpcClient
from truthmark.errors import (
    ChainMismatchError,
    ChainUnavailableError,
    MalformedReplyError,
    NodeError,
    RevertedError,
)

BUSY = [
    (-32007, "50/second request limit reached"),
    (429, "compute units per second capacity exceeded"),
    (-32005, "project request rate exceeded"),
    (-32005, "Too Many Requests"),
    (-32016, "over rate limit"),
    (-32029, "rate limited"),
    (15, "Too many request, try again later"),
    (-32005, "limit exceeded"),
    (-32603, "service temporarily unavailable"),
    (-32002, "request timed out"),
]
RANGE = {"fromBlock": "0x1", "toBlock": "0x64"}
ONE = {"fromBlock": "0x1", "toBlock": "0x1"}
QUESTIONS = [("echo", (number,)) for number in range(100)]


def always(code: int, message: str, **more: Any) -> Script:
    return lambda body: fail(body, code, message, **more)


def dead(_body: Any) -> Exception:
    return ChainUnavailableError("chain endpoint http://dead does not answer")


@pytest.mark.parametrize(("code", "message"), BUSY)
def test_call__busy_for_a_moment__is_waited_for(
    monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    count = itertools.count()
    net = Scripted(
        monkeypatch, lambda body: fail(body, code, message) if next(count) < 4 else echo(body)
    )
    assert net.client.call("echo", 5) == 5
    assert len(net.clock.pauses) == 4


@pytest.mark.parametrize(("code", "message"), BUSY)
def test_call__first_endpoint_always_busy__second_answers_and_stays_preferred(
    monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    net = Scripted(monkeypatch, always(code, message), echo)
    for number in range(3):
        assert net.client.call("echo", number) == number
    assert net.clock.pauses == []
    assert (len(net.asked[0]), len(net.asked[1])) == (1, 3)


def test_call__busy_for_ever__is_given_up_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Scripted(monkeypatch, always(-32005, "rate limited\nstop"))
    with pytest.raises(ChainUnavailableError, match=r"0\.test is busy: rate limited stop; .*add"):
        net.client.call("echo", 1)
    assert PATIENCE_SECONDS / 2 < sum(net.clock.pauses) <= PATIENCE_SECONDS


@pytest.mark.parametrize("asked", [4.0, 9.0, 3600.0])
def test_call__endpoint_says_how_long_to_wait__is_obeyed_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch, asked: float
) -> None:
    first = [BusyError("busy", asked)]
    net = Scripted(monkeypatch, lambda body: first.pop() if first else echo(body))
    assert net.client.call("echo", 1) == 1
    assert net.clock.pauses == [min(asked, 10.0)]


def test_call__endpoint_asks_for_a_pause__others_are_asked_first_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Scripted(monkeypatch, always(429, "rate limited, retry in 8s"), echo)
    net.client.call("echo", 1)
    net.client._preferred = 0  # as after a question that only this one could answer
    net.client.call("echo", 2)
    assert len(net.asked[0]) == 1
    net.clock.now += 9
    net.client._preferred = 0
    net.client.call("echo", 3)
    assert len(net.asked[0]) == 2


def test_batch__some_are_busy__only_those_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    chooser = random.Random(1)
    seen: list[int] = []

    def some(body: Any) -> Any:
        entries = body if isinstance(body, list) else [body]
        out = []
        for entry in entries:
            if chooser.random() < 0.4:
                out.append(fail(entry, -32005, "rate limited"))
            else:
                seen.append(entry["params"][0])
                out.append(echo(entry))
        return out if isinstance(body, list) else out[0]

    net = Scripted(monkeypatch, some)
    assert net.client.batch(QUESTIONS) == list(range(100))
    assert sorted(seen) == list(range(100))


@pytest.mark.parametrize("most", [1, 2, 3, 10, 64])
@pytest.mark.parametrize(
    "refuse",
    [
        lambda body: {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no"}},
        lambda body: {"error": {"code": 31, "message": "Batch of more than 3 requests"}},
        lambda body: [{"id": None, "error": {"code": -32600, "message": "batch too large"}}],
        lambda body: fail(body, -32005, "batch limit exceeded"),
        lambda body: fail(body, -32005, "Too many requests"),
        lambda body: {"error": {"code": 429, "message": "Too many requests"}, "id": None},
        lambda body: {"message": "Bad Request"},
        lambda body: TooMuchError("HTTP status 413"),
        lambda body: b"",
        lambda body: b"<html>413 Request Entity Too Large</html>",
        lambda body: json.dumps(echo(body)).encode()[:-9],
        lambda body: echo(body)[:1],
        lambda body: [],
        lambda body: ChainUnavailableError("ReadTimeout"),
        lambda body: BusyError("HTTP status 500"),
    ],
)
def test_batch__endpoint_takes_few_at_once__size_is_found_and_remembered(
    monkeypatch: pytest.MonkeyPatch, most: int, refuse: Script
) -> None:
    def limited(body: Any) -> Any:
        return refuse(body) if isinstance(body, list) and len(body) > most else echo(body)

    net = Scripted(monkeypatch, limited, attempts=9)
    assert net.client.batch(QUESTIONS) == list(range(100))
    habits = net.client._habits[net.client.endpoints[0]]
    assert 1 <= habits.batch <= 2 * most
    before = len(net.asked[0])
    assert net.client.batch(QUESTIONS[:most]) == list(range(most))
    assert len(net.asked[0]) <= before + 3


def test_batch__rest_of_a_batch_is_too_long_an_answer__is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def geth(body: Any) -> Any:
        if not isinstance(body, list):
            return echo(body)
        return echo(body[:7]) + fail(body[7:], -32003, "response too large")

    net = Scripted(monkeypatch, geth)
    assert net.client.batch(QUESTIONS) == list(range(100))


@pytest.mark.parametrize("kind", [str, float, lambda id_: f" {id_}"])
def test_call__ids_come_as_something_else__text_is_understood(
    monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    def change(body: Any) -> Any:
        out = echo(body)
        for entry in out if isinstance(out, list) else [out]:
            entry["id"] = kind(entry["id"])
        return out[::-1] if isinstance(out, list) else out

    net = Scripted(monkeypatch, change, attempts=1)
    if kind is str:
        assert net.client.batch(QUESTIONS) == list(range(100))
        assert net.client.call("echo", 7) == 7
    else:
        with pytest.raises(MalformedReplyError):
            net.client.call("echo", 7)


def test_batch__ids_are_missing__each_is_asked_for_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless(body: Any) -> Any:
        chooser = random.Random(str(body))
        if isinstance(body, list):  # in any order, so nothing can be told from places
            return [echo(entry, id=None) for entry in chooser.sample(body, len(body))]
        return echo(body, id=None)

    net = Scripted(monkeypatch, nameless, attempts=9)
    assert net.client.batch(QUESTIONS) == list(range(100))


def test_batch__one_question_is_answered_twice__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(body: Any) -> Any:
        return [echo(body), echo(body, result="other")]

    with pytest.raises(MalformedReplyError, match="twice"):
        Scripted(monkeypatch, twice, attempts=1).client.call("echo", 1)


@pytest.mark.parametrize("script", [always(-32603, "Internal error"), always(7, "?"), dead])
def test_call__error_of_unknown_meaning__next_endpoint_is_asked(
    monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    net = Scripted(monkeypatch, script, echo)
    assert net.client.batch(QUESTIONS) == list(range(100))
    assert net.clock.pauses == []


def test_call__error_of_unknown_meaning_everywhere__is_believed_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Scripted(monkeypatch, always(-32603, "Internal error"), always(-32000, "odd"))
    with pytest.raises(RpcReplyError, match="Internal error"):
        net.client.call("echo", 1)
    assert (len(net.asked[0]), len(net.asked[1])) == (3, 3)


def test_call__this_node_cannot_tell__others_are_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unable = always(-32000, "missing trie node")
    net = Scripted(monkeypatch, unable, echo)
    assert net.client.call("echo", 1) == 1
    net = Scripted(monkeypatch, unable, unable)
    with pytest.raises(NodeError, match="missing trie node"):
        net.client.call("echo", 1)
    assert (len(net.asked[0]), len(net.asked[1])) == (1, 1)
    assert net.clock.pauses == []


def test_call__contract_or_node_answers__nobody_else_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Scripted(monkeypatch, always(-32015, "VM execution error.", data="revert: no"), echo)
    with pytest.raises(RevertedError, match=r"^no$"):
        net.client.call("eth_call", 1)
    net = Scripted(monkeypatch, always(-32000, "insufficient funds for transfer"), echo)
    with pytest.raises(RpcReplyError, match="insufficient funds"):
        net.client.call("eth_sendRawTransaction", "0x")
    assert net.asked[1] == []


@pytest.mark.parametrize(
    "message", ["block range is too wide", "exceed maximum block range: 2000", "limit exceeded"]
)
def test_parsed__range_is_too_long__others_are_asked_then_the_caller_told(
    monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    net = Scripted(monkeypatch, always(-32602, message), echo)
    assert net.client.parsed("eth_getLogs", (RANGE,), lambda result: result) == RANGE
    net = Scripted(monkeypatch, always(-32602, message), dead)
    with pytest.raises(TooMuchError, match=message):
        net.client.parsed("eth_getLogs", (RANGE,), lambda result: result)
    assert net.clock.pauses == []
    # One block cannot be cut in two: it is a matter of time then.
    count = itertools.count()
    net = Scripted(
        monkeypatch, lambda body: fail(body, -32005, message) if next(count) < 3 else echo(body)
    )
    assert net.client.parsed("eth_getLogs", (ONE,), lambda result: result) == ONE


def test_call__other_chain_behind_a_busy_endpoint__is_still_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def other(body: Any) -> Any:
        return echo(body, result="0x5") if body["method"] == "eth_chainId" else echo(body)

    net = Scripted(monkeypatch, always(429, "rate limited"), other, chain_id=7)
    with pytest.raises(ChainMismatchError, match="is of chain 5"):
        net.client.call("echo", 1)


def habit(chooser: random.Random, body: Any) -> Any:
    """Do what some endpoint somewhere does, but never lie."""
    entries = body if isinstance(body, list) else [body]
    one = entries[0]
    return chooser.choice(
        [
            lambda: fail(body, *chooser.choice(BUSY)),
            lambda: {"error": {"code": chooser.choice([429, -32600, 0]), "message": "x"}},
            lambda: [fail(e, *BUSY[0]) if chooser.random() < 0.5 else echo(e) for e in entries],
            lambda: fail(body, -32603, "Internal error"),
            lambda: fail(body, chooser.randrange(-40000, 500), chooser.randbytes(9).hex()),
            lambda: BusyError("busy with HTTP status 429", chooser.choice([0, 1, 99])),
            lambda: BusyError("busy with HTTP status 503", 0, b"<html>"),
            lambda: ChainUnavailableError("refuses with HTTP status 403"),
            lambda: TooMuchError("HTTP 413") if len(entries) > 1 else b"",
            lambda: json.dumps(echo(body)).encode()[: chooser.randrange(20)],
            lambda: echo(entries)[: chooser.randrange(len(entries))],
            lambda: echo(one) if len(entries) > 1 else [],
            lambda: {"message": "Forbidden"},
            lambda: [],
            lambda: None,
        ]
    )()


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.untraced
def test_batch__endpoints_with_any_habits__answers_are_exact_or_refused_in_a_line(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chooser = random.Random(seed)
    chance = chooser.choice([0.1, 0.3, 0.6, 1.0])
    most = chooser.choice([1, 3, 20, 100])

    def script(body: Any) -> Any:
        if chooser.random() < chance:
            return habit(chooser, body)
        if isinstance(body, list) and len(body) > most:
            return fail(body, -32600, "batch too large")
        answer = echo(body)
        if isinstance(answer, list):
            chooser.shuffle(answer)
        return answer

    net = Scripted(monkeypatch, *[script] * chooser.choice([1, 2]))
    answered = 0
    for _ in range(25):
        size = chooser.choice([1, 2, 5, 30, 130])
        questions = [("echo", (chooser.randrange(10**6),)) for _ in range(size)]
        try:
            found = net.client.batch(questions)
        except (ChainUnavailableError, MalformedReplyError, NodeError) as error:
            assert str(error).isprintable() and 10 < len(str(error)) < 600
        else:
            answered += 1
            assert found == [params[0] for _, params in questions]
    assert chance > 0.3 or answered >= 23


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_call__http_says_busy__retry_after_is_read(status: int) -> None:
    fine = results(eth_blockNumber="0x10")
    first: list[Answer] = [(status, b"<html>", "identity")]
    pauses: list[float] = []
    with serve(lambda body: first.pop() if first else fine(body)) as server:
        server.headers["retry-after"] = "7"
        client = RpcClient([server.url], sleep=pauses.append)
        assert client.call("eth_blockNumber") == "0x10"
    assert len(pauses) == 1 and 6 < pauses[0] <= 7


@pytest.mark.parametrize("status", [400, 500, 503])
def test_call__contract_refuses_with_an_http_status__is_a_refusal(status: int) -> None:
    error = {"code": 3, "message": "execution reverted: market: late"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode()
    with (
        serve(lambda _: (status, body)) as server,
        pytest.raises(RevertedError, match="market: late"),
    ):
        RpcClient([server.url]).call("eth_call")


def test_call__http_403_for_a_while__is_asked_again() -> None:
    fine = results(eth_blockNumber="0x10")
    first: list[Answer] = [(403, b"rate limited"), (401, b"{}"), (402, b"")]
    with serve(lambda body: first.pop() if first else fine(body)) as server:
        client = RpcClient([server.url], sleep=lambda _: None)
        assert client.call("eth_blockNumber") == "0x10"
