# SPDX-License-Identifier: Apache-2.0
"""One of three endpoints lies about events near the head, and money would follow from the index."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils.anvil import require_anvil
from tests.utils.indexing import Content, content, trade
from tests.utils.rpc_server import Proxy, serve
from tests.utils.token_chain import deploy_token
from truthmark.chain.connection import Chain, connect_chain
from truthmark.errors import EndpointsDisagreeError
from truthmark.index import follower as follower_module
from truthmark.index.follower import Follower
from truthmark.testing.anvil import AnvilProcess, start_anvil

Answer = dict[str, Any]
Lie = Callable[[Answer, Answer], None]


class Endpoint(Proxy):
    """Tells the truth until a test says otherwise, and counts bodies."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.lie: Lie | None = None
        self.bodies = 0

    def __call__(self, body: bytes) -> Any:
        self.bodies += 1
        return super().__call__(body)

    def late(self, request: Answer, answer: Answer) -> None:
        if self.lie is not None:
            self.lie(request, answer)


@pytest.fixture(scope="module")
def process() -> Iterator[AnvilProcess]:
    require_anvil()
    with start_anvil() as process:
        yield process


@pytest.fixture(scope="module")
def chain(process: AnvilProcess, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    chain = connect_chain(deploy_token(process.url, tmp_path_factory.mktemp("token")))
    trade(chain, random.Random(1), 12)
    return chain


@pytest.fixture(scope="module")
def truth(chain: Chain) -> Content:
    follower = Follower(chain, "sqlite://")
    follower.sync()
    return content(follower.index)


@pytest.fixture
def endpoints(process: AnvilProcess) -> Iterator[list[tuple[Endpoint, str]]]:
    with ExitStack() as closing:
        made = [Endpoint(process.url) for _ in range(3)]
        yield [(proxy, closing.enter_context(serve(proxy)).url) for proxy in made]


def follower_of(chain: Chain, endpoints: list[tuple[Endpoint, str]], **changes: Any) -> Follower:
    urls = tuple(url for _, url in endpoints)
    return Follower(connect_chain(replace(chain.profile, rpc=urls, **changes)), "sqlite://")


def logs_of(request: Answer, answer: Answer) -> list[Answer]:
    return answer.get("result", []) if request["method"] == "eth_getLogs" else []


def hide(request: Answer, answer: Answer) -> None:
    """Leave the last event of each answer out."""
    del logs_of(request, answer)[-1:]


def invent(request: Answer, answer: Answer) -> None:
    """Have each event of block 8 twice."""
    for log in list(logs_of(request, answer)):
        if log["blockNumber"] == "0x8":
            answer["result"].append({**log, "logIndex": hex(99 + int(log["logIndex"], 16))})


def change(request: Answer, answer: Answer) -> None:
    """Tell of other amounts."""
    for log in logs_of(request, answer):
        if len(log["topics"]) == 3:
            log["data"] = log["data"][:-2] + "77"


def move(request: Answer, answer: Answer) -> None:
    """Give the blocks from 8 on other hashes."""
    if request["method"] == "eth_getLogs" and "error" in answer:  # of a block by its hash
        del answer["error"]
        answer["result"] = []
    entries = logs_of(request, answer)
    if request["method"] in ("eth_getBlockByNumber", "eth_getBlockByHash") and answer["result"]:
        entries = [answer["result"]]
    for entry in entries:
        for name, back in (("hash", 0), ("blockHash", 0), ("parentHash", 1)):
            number = entry.get("blockNumber") or entry.get("number")
            if name in entry and int(number, 16) - back >= 8:
                entry[name] = "0xff" + entry[name][4:]


def freeze(request: Answer, answer: Answer) -> None:
    """Be at block 5 for good."""
    if request["method"] == "eth_blockNumber":
        answer["result"] = "0x5"


def boast(request: Answer, answer: Answer) -> None:
    """Be at an absurd height."""
    if request["method"] == "eth_blockNumber":
        answer["result"] = hex(10**9)


def antedate(request: Answer, answer: Answer) -> None:
    """Give the blocks from 8 on other times."""
    entries = logs_of(request, answer)
    if request["method"] in ("eth_getBlockByNumber", "eth_getBlockByHash") and answer["result"]:
        entries = [answer["result"]]
    for entry in entries:
        for name in ("timestamp", "blockTimestamp"):
            if name in entry and int(entry.get("blockNumber") or entry["number"], 16) >= 8:
                entry[name] = hex(int(entry[name], 16) - 1)


def behind(last: int) -> Lie:
    """Have no block after one, and say so only where blocks are asked for."""

    def lie(request: Answer, answer: Answer) -> None:
        for log in list(logs_of(request, answer)):
            if int(log["blockNumber"], 16) > last:
                answer["result"].remove(log)
        block = request["params"][0] if request["method"] == "eth_getBlockByNumber" else "latest"
        if block.startswith("0x") and int(block, 16) > last:
            answer["result"] = None

    return lie


def read_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all but two blocks read without their headers."""
    monkeypatch.setattr(follower_module, "NEAR_BLOCKS", 2)
    monkeypatch.setattr(follower_module, "_LOCAL_BLOCKS", 0)


LIES = [hide, invent, change, move, antedate, freeze, boast]


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.untraced
def test_require_agreed__one_of_three_lies__index_is_what_two_tell(
    chain: Chain, truth: Content, endpoints: list[tuple[Endpoint, str]], lie: Lie
) -> None:
    follower = follower_of(chain, endpoints, block_time=60.0)
    endpoints[0][0].lie = lie
    if lie is not boast:
        follower.sync()
        assert content(follower.index) != truth  # what one endpoint can do alone
    follower.sync()
    follower.require_agreed()
    assert content(follower.index) == truth
    assert follower.index.agreed() == truth["tip"][0][0]


@pytest.mark.parametrize("lie", [hide, invent, change, move, antedate])
def test_require_agreed__one_of_two_lies__is_refused(
    chain: Chain, endpoints: list[tuple[Endpoint, str]], lie: Lie
) -> None:
    follower = follower_of(chain, endpoints[:2])
    endpoints[0][0].lie = lie
    follower.sync()
    with pytest.raises(EndpointsDisagreeError):
        follower.require_agreed()
    assert follower.index.agreed() < chain.height()


def test_require_agreed__nothing_new__asks_how_high_the_chain_is_only(
    chain: Chain, truth: Content, endpoints: list[tuple[Endpoint, str]]
) -> None:
    follower = follower_of(chain, endpoints)
    follower.sync()
    counts = []
    for _ in range(2):
        before = sum(proxy.bodies for proxy, _ in endpoints)
        follower.require_agreed()
        counts.append(sum(proxy.bodies for proxy, _ in endpoints) - before)
    # Logs and times of two endpoints; two bodies check the second place.
    assert counts[1] == 4 and counts[0] <= counts[1] + 2 + 2 + 2


def test_require_agreed__only_endpoint__asks_nothing(
    chain: Chain, endpoints: list[tuple[Endpoint, str]]
) -> None:
    follower = follower_of(chain, endpoints[:1])
    follower.sync()
    before = endpoints[0][0].bodies
    follower.require_agreed()
    assert endpoints[0][0].bodies == before


def test_require_agreed__too_many_blocks_at_once__fewer_are_asked_for(
    chain: Chain, truth: Content, endpoints: list[tuple[Endpoint, str]]
) -> None:
    def limit(request: Answer, answer: Answer) -> None:
        query = request["params"][0] if request["method"] == "eth_getLogs" else {}
        if int(query.get("toBlock", "0x0"), 16) - int(query.get("fromBlock", "0x0"), 16) > 3:
            del answer["result"]
            answer["error"] = {"code": -32005, "message": "query returned too much"}

    follower = follower_of(chain, endpoints[:2])
    follower.sync()
    for proxy, _ in endpoints:
        proxy.lie = limit
    follower.require_agreed()
    assert follower.index.agreed() == truth["tip"][0][0]
    # That many questions in a body are too many was not said.
    headers = [("eth_getBlockByNumber", (hex(number), False)) for number in range(1, 9)]
    for endpoint, (proxy, _) in zip(follower.chain.rpc.endpoints, endpoints, strict=False):
        before = proxy.bodies
        follower.chain.rpc.batch(headers, endpoint=endpoint)
        assert proxy.bodies == before + 1


def test_sync__ranges_told_by_two_places__count_as_agreed(
    chain: Chain, truth: Content, endpoints: list[tuple[Endpoint, str]], monkeypatch: Any
) -> None:
    read_far(monkeypatch)
    for urls in (endpoints[:1], endpoints):
        follower = follower_of(chain, urls)
        follower.sync()
        assert content(follower.index) == truth
        assert follower.index.agreed() == (0 if urls == endpoints[:1] else chain.height() - 2)


def test_sync__other_endpoint_lacks_the_block__is_no_second_word_that_there_is_nothing(
    chain: Chain, truth: Content, endpoints: list[tuple[Endpoint, str]], monkeypatch: Any
) -> None:
    read_far(monkeypatch)
    number = truth["blocks"][-1][0]  # of the last event

    def lie(request: Answer, answer: Answer) -> None:
        if request["method"] == "eth_blockNumber":
            answer["result"] = hex(number + 2)
        for log in list(logs_of(request, answer)):
            if int(log["blockNumber"], 16) == number:
                answer["result"].remove(log)

    endpoints[0][0].lie, endpoints[1][0].lie = lie, behind(number - 1)
    follower = follower_of(chain, endpoints[:2])
    follower.sync(to=number)
    assert content(follower.index)["blocks"] == truth["blocks"][:-1]
    assert follower.index.agreed() == 0
    for proxy, _ in endpoints:
        proxy.lie = None
    follower.sync()
    follower.require_agreed()
    assert content(follower.index) == truth


def test_sync__two_endpoints_are_stale__events_of_the_third_stay(
    chain: Chain, truth: Content, endpoints: list[tuple[Endpoint, str]], monkeypatch: Any
) -> None:
    read_far(monkeypatch)
    for proxy, _ in endpoints[1:]:
        proxy.lie = behind(1)
    follower = follower_of(chain, endpoints)
    follower.sync()
    assert content(follower.index) == truth


@pytest.mark.parametrize("is_told", [True, False])
def test_sync__times_differ_far_behind_the_head__are_no_word_of_two(
    chain: Chain,
    endpoints: list[tuple[Endpoint, str]],
    monkeypatch: Any,
    is_told: bool,
) -> None:
    def silent(request: Answer, answer: Answer) -> None:
        for log in logs_of(request, answer):
            log.pop("blockTimestamp", None)

    def lie(request: Answer, answer: Answer) -> None:
        if not is_told:
            silent(request, answer)
        antedate(request, answer)

    read_far(monkeypatch)
    endpoints[0][0].lie, endpoints[1][0].lie = lie, None if is_told else silent
    follower = follower_of(chain, endpoints[:2])
    follower.sync()
    assert follower.index.agreed() < 8
    endpoints[0][0].lie = silent
    again = follower_of(chain, endpoints[:2])
    again.sync()
    assert again.index.agreed() == chain.height() - 2


@pytest.mark.parametrize("count", [2, 3])
def test_sync__one_endpoint_claims_an_absurd_height__gets_to_the_head(
    chain: Chain, truth: Content, endpoints: list[tuple[Endpoint, str]], count: int
) -> None:
    follower = follower_of(chain, endpoints[:count])
    endpoints[0][0].lie = boast
    follower.sync()
    assert content(follower.index) == truth


def test_roll_back__below_what_was_agreed__is_agreed_no_longer(
    chain: Chain, endpoints: list[tuple[Endpoint, str]], tmp_path: Path
) -> None:
    follower = follower_of(chain, endpoints[:2])
    follower.sync()
    follower.require_agreed()
    index = follower.index
    (kept,) = index.stored_blocks(7, 1)
    assert not index.note_agreed(replace(index.tip(), generation=0), 3)
    index.roll_back(index.tip(), kept)
    assert index.agreed() == kept.number
