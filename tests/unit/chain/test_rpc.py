# SPDX-License-Identifier: Apache-2.0
import contextlib
import gzip
import json
import socket
import threading
import time

import pytest
from eth_abi.abi import encode

from tests.utils.rpc_server import Answer, results, serve
from truthmark.chain import http as http_module
from truthmark.chain.http import ReplyTooLargeError
from truthmark.chain.node_errors import RpcReplyError
from truthmark.chain.rpc import RpcClient
from truthmark.errors import (
    ChainMismatchError,
    ChainUnavailableError,
    ConfigError,
    MalformedReplyError,
    NodeError,
    RevertedError,
)

DEAD = "http://127.0.0.1:9"  # the discard port: nobody listens


def test_call__answered__returns_the_result() -> None:
    with serve(results(eth_blockNumber="0x10")) as server:
        assert RpcClient([server.url]).call("eth_blockNumber") == "0x10"


def test_call__no_endpoint_answers__says_which_and_what_to_do() -> None:
    with pytest.raises(ChainUnavailableError, match=r"127\.0\.0\.1:9 does not answer.*check"):
        RpcClient([DEAD], attempts=1).call("eth_blockNumber")


def test_client__no_or_bad_endpoint__is_refused() -> None:
    with pytest.raises(ConfigError, match="no chain endpoint"):
        RpcClient([])
    with pytest.raises(ConfigError, match="not an endpoint"):
        RpcClient(["ws://127.0.0.1"])


def test_call__endpoint_busy_then_fine__is_retried() -> None:
    fine = results(eth_blockNumber="0x10")
    answers: list[Answer] = [(503, b"busy"), None, (200, b"no json"), (200, b"[]")]

    def answer(body: bytes) -> Answer:
        return answers.pop(0) if answers else fine(body)

    with serve(answer) as server:
        assert RpcClient([server.url]).call("eth_blockNumber") == "0x10"
        assert len(server.bodies) == 5


def test_call__node_gives_an_error__is_not_retried() -> None:
    error = {"code": -32000, "message": "nonce too low"}
    with serve(results(eth_sendRawTransaction=error)) as server:
        with pytest.raises(RpcReplyError, match="nonce too low") as caught:
            RpcClient([server.url]).call("eth_sendRawTransaction", "0x")
        assert caught.value.code == -32000
        assert len(server.bodies) == 1


def test_call__first_endpoint_dead__next_one_answers_and_stays_preferred() -> None:
    with serve(results(eth_blockNumber="0x10")) as server:
        client = RpcClient([DEAD, server.url])
        assert client.call("eth_blockNumber") == "0x10"
        assert client.url == server.url


def test_call__endpoint_of_another_chain__is_refused_before_it_is_asked() -> None:
    with serve(results(eth_chainId="0x5", eth_blockNumber="0x10")) as server:
        client = RpcClient([DEAD, server.url], chain_id=7)
        with pytest.raises(ChainMismatchError, match="is of chain 5, the profile means 7"):
            client.call("eth_blockNumber")
        assert server.methods == ["eth_chainId"]


def test_batch__answers_out_of_order__come_back_in_order() -> None:
    def answer(body: bytes) -> Answer:
        reply = [{"id": entry["id"], "result": entry["params"][0]} for entry in json.loads(body)]
        return 200, json.dumps(reply[::-1]).encode()

    with serve(answer) as server:
        requests = [("echo", (number,)) for number in range(250)]
        assert RpcClient([server.url]).batch(requests) == list(range(250))
        assert len(server.bodies) == 3


def test_batch_outcomes__one_refused__the_others_are_answered() -> None:
    def echo(value: int) -> object:
        return {"code": 3, "message": "execution reverted: no"} if value == 1 else value

    with serve(results(echo=echo)) as server:
        client = RpcClient([server.url])
        outcomes = client.batch_outcomes([("echo", (number,)) for number in range(3)])
        assert outcomes[0] == 0 and outcomes[2] == 2
        assert isinstance(outcomes[1], RevertedError) and str(outcomes[1]) == "no"
        with pytest.raises(RevertedError, match=r"^no$"):
            client.batch([("echo", (1,))])


def test_call__answer_too_large__is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "MAX_REPLY_BYTES", 1000)
    with serve(lambda body: (200, b"[" + b"1," * 1000 + b"1]")) as server:
        with pytest.raises(ReplyTooLargeError):
            RpcClient([server.url]).call("eth_getLogs")
        assert len(server.bodies) == 1


def test_call__answer_is_compressed__is_unpacked_but_not_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = gzip.compress(b'{"id": 1, "result": "%s"}' % (b"a" * 10_000))
    with serve(lambda body: (200, good, "gzip")) as server:
        client = RpcClient([server.url])
        assert client.call("eth_x") == "a" * 10_000
    monkeypatch.setattr(http_module, "MAX_REPLY_BYTES", 9_000)
    with serve(lambda body: (200, good, "gzip")) as server, pytest.raises(ReplyTooLargeError):
        RpcClient([server.url]).call("eth_x")
    for bad in (good[:-9], b"no gzip"):
        monkeypatch.setattr(http_module, "MAX_REPLY_BYTES", 90_000)
        with (
            serve(lambda body, bad=bad: (200, bad, "gzip")) as server,  # type: ignore[misc]
            pytest.raises(ChainUnavailableError),
        ):
            RpcClient([server.url], attempts=1).call("eth_x")


def test_call__header_comes_a_byte_at_a_time__ends_after_the_deadline() -> None:
    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            for letter in b"HTTP/1.1 200 OK\r\n" + b"x-slow: 1\r\n" * 100:
                connection.send(bytes([letter]))
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ChainUnavailableError, match="ReadTimeout"):
            RpcClient([url], timeout=0.2, attempts=1).call("eth_x")
        thread.join(10)
        assert not thread.is_alive()  # the client hung up


def test_call__answer_never_comes__ends_after_the_timeout() -> None:
    def answer(body: bytes) -> Answer:
        time.sleep(2)
        return None

    with serve(answer) as server, pytest.raises(ChainUnavailableError, match="ReadTimeout"):
        RpcClient([server.url], timeout=0.1, attempts=1).call("eth_blockNumber")


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"null",
        b"7",
        b'{"id": 1}',
        b'{"id": "2", "result": 1}',
        b'{"id": 2, "result": 1}',
        b'{"id": 1, "error": 7}',
        b'[{"id": 1, "result": 1}, {"id": 2, "result": 1}]',
        b"[" * 100_000,
    ],
)
def test_call__answer_is_not_json_rpc__is_a_malformed_reply(reply: bytes) -> None:
    with serve(lambda body: (200, reply)) as server, pytest.raises(MalformedReplyError):
        RpcClient([server.url], attempts=1).call("eth_blockNumber")


def test_parsed__result_of_another_kind__next_endpoint_is_asked() -> None:
    def parse(result: object) -> int:
        if not isinstance(result, str):
            raise MalformedReplyError("no text")
        return int(result, 16)

    with serve(results(eth_x=[1])) as bad, serve(results(eth_x="0x10")) as good:
        assert RpcClient([bad.url, good.url]).parsed("eth_x", (), parse) == 16


def test_prefer__one_endpoint_is_dead_one_behind__farthest_is_preferred() -> None:
    heights = [results(eth_blockNumber="0x1"), results(eth_blockNumber="0x9")]
    with serve(heights[0]) as behind, serve(heights[1]) as ahead:
        client = RpcClient([DEAD, behind.url, ahead.url], attempts=1)
        found = client.prefer(lambda e: int(client.call("eth_blockNumber", endpoint=e), 16), 10)
        assert found == 9
        assert client.url == ahead.url


@pytest.mark.parametrize(
    ("heights", "least", "preferred"),
    [
        ((100, 10**9), 0, 100),
        ((10**9, 100), 90, 100),
        ((3, 10**9, 100), 90, 100),
        ((3, 100), 90, 100),
        ((100, 10**9, 99), 0, 100),
        ((100, 10**9, 104), 0, 104),
        ((10**9, 10**9), 0, 10**9),
    ],
)
def test_prefer__height_that_no_other_comes_near__is_not_believed(
    heights: tuple[int, ...], least: int, preferred: int
) -> None:
    client = RpcClient([f"http://{number}.example" for number in range(len(heights))])
    figures = dict(zip(client.endpoints, heights, strict=True))
    assert client.prefer(figures.__getitem__, 5, least) == preferred
    assert figures[client.preferred] == preferred


ERROR = "0x08c379a0" + encode(["string"], ["market: price is zero"]).hex()


def test_call__contract_refuses__message_is_its_reason() -> None:
    error = {"code": 3, "message": "execution reverted", "data": ERROR}
    with serve(results(eth_call=error)) as server, pytest.raises(RevertedError) as caught:
        RpcClient([server.url]).call("eth_call")
    assert str(caught.value) == "market: price is zero"
    assert not isinstance(caught.value, NodeError)
