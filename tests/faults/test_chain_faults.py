# SPDX-License-Identifier: Apache-2.0
"""Every way in which an endpoint can fail: payments and the index go on once it is over."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.utils.fault_proxy import Fault, FaultProxy
from tests.utils.indexing import content, rebuild, trade
from tests.utils.token_chain import account, recipient, token_chain
from truthmark.chain.connection import Chain, connect_chain
from truthmark.chain.journal import Journal
from truthmark.errors import ChainError
from truthmark.index.follower import Follower

USUAL = {
    *(Fault.RESET, Fault.RESET_IN_BODY, Fault.STALL, Fault.TRUNCATE, Fault.HTTP_502),
    *(Fault.GARBAGE_BODY, Fault.REFUSE),
}
FAULTS = [
    pytest.param(fault, id=fault.name, marks=() if fault in USUAL else pytest.mark.assure)
    for fault in Fault
]
FAULT_SECONDS = 1.5
TIMEOUT = 0.5
RECOVERY_SECONDS = 60


@pytest.fixture
def direct(tmp_path: Path) -> Iterator[Chain]:
    with token_chain(tmp_path) as (_, chain):
        yield chain


@pytest.fixture
def proxy(direct: Chain) -> Iterator[FaultProxy]:
    port = urlsplit(direct.profile.rpc[0]).port
    assert port
    with FaultProxy(port) as proxy:
        yield proxy


@pytest.fixture
def broken(direct: Chain, proxy: FaultProxy) -> Chain:
    """The chain through the proxy."""
    return connect_chain(replace(direct.profile, rpc=(proxy.url,)), timeout=TIMEOUT)


def until_done(work: Callable[[], object]) -> list[str]:
    """Do something again and again until it succeeds; return what was said until then."""
    said = []
    end = time.monotonic() + FAULT_SECONDS + RECOVERY_SECONDS
    while True:
        try:
            work()
            return said
        except ChainError as error:  # nothing else may come out
            said.append(str(error))
            assert time.monotonic() < end, said[-1]


def end_soon(proxy: FaultProxy) -> threading.Timer:
    timer = threading.Timer(FAULT_SECONDS, setattr, (proxy, "fault", None))
    timer.start()
    return timer


@pytest.mark.parametrize("fault", FAULTS)
def test_journal__endpoint_fails_for_a_while__payments_take_effect_once(
    fault: Fault, direct: Chain, broken: Chain, proxy: FaultProxy, tmp_path: Path
) -> None:
    journal = Journal(broken, account(0), tmp_path / "journal", timeout=2)
    before = direct.token.functions.transfer(recipient(0), 1).intent("pay:0")
    journal.submit(before)
    proxy.fault = fault
    timer = end_soon(proxy)
    during = direct.token.functions.transfer(recipient(1), 1).intent("pay:1")
    said = until_done(lambda: journal.send(during))
    until_done(lambda: journal.send(before))
    timer.join()
    assert all("\n" not in line for line in said)
    functions = direct.token.functions
    assert direct.batch([functions.balanceOf(recipient(i)) for i in range(2)]) == [1, 1]


@pytest.mark.parametrize("fault", FAULTS)
def test_follower__endpoint_fails_for_a_while__index_equals_a_rebuild(
    fault: Fault, direct: Chain, broken: Chain, proxy: FaultProxy, tmp_path: Path
) -> None:
    follower = Follower(broken, f"sqlite:///{tmp_path / 'index.sqlite'}")
    trade(direct, random.Random(1), 10)
    follower.sync(to=5)
    proxy.fault = fault
    timer = end_soon(proxy)
    until_done(follower.sync)
    timer.join()
    until_done(follower.sync)
    assert content(follower.index) == rebuild(direct, tmp_path)
    follower.index.close()


def test_connect_chain__second_endpoint_works__fault_is_not_noticed(
    direct: Chain, proxy: FaultProxy
) -> None:
    proxy.fault = Fault.RESET
    both = connect_chain(replace(direct.profile, rpc=(proxy.url, *direct.profile.rpc)))
    assert both.height() == direct.height()
