# SPDX-License-Identifier: Apache-2.0
"""The journal between an endpoint that lies and one that does not."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils.rpc_server import Proxy, serve
from tests.utils.token_chain import account, recipient
from truthmark.chain import agreement
from truthmark.chain.agreement import agreed, can_be_sure
from truthmark.chain.connection import Chain, connect_chain
from truthmark.chain.journal import Journal
from truthmark.chain.transactions import Intent
from truthmark.errors import (
    ChainError,
    ConfigError,
    EndpointsDisagreeError,
    RevertedError,
    TransactionPendingError,
)
from truthmark.testing.anvil import AnvilProcess

OWNER = account(0)


class LyingEndpoint(Proxy):
    """Changes the answers to some methods."""

    url = ""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.lies: dict[str, Any] = {}

    def late(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        lie = self.lies.get(request["method"])
        if lie is not None and answer.get("result") is not None:
            answer["result"] = lie(answer["result"], *request["params"])


@pytest.fixture
def lying_endpoint(process: AnvilProcess) -> Iterator[LyingEndpoint]:
    proxy = LyingEndpoint(process.url)
    with serve(proxy) as server:
        proxy.url = server.url
        yield proxy


@pytest.fixture
def both(chain: Chain, lying_endpoint: LyingEndpoint) -> Chain:
    """The lying_endpoint is asked first."""
    return connect_chain(replace(chain.profile, rpc=(lying_endpoint.url, *chain.profile.rpc)))


def pay(chain: Chain, **more: Any) -> Intent:
    return chain.token.functions.transfer(recipient(0), 1).intent("pay", "pay", **more)


def paid(chain: Chain) -> int:
    return int(chain.token.functions.balanceOf(recipient(0)).call())


def journal_of(chain: Chain, folder: Path) -> Journal:
    return Journal(chain, OWNER, folder / "journal", timeout=1)


def use_nonce(process: AnvilProcess, nonce: int) -> None:
    """Let another program have the next nonce."""
    foreign = {"nonce": nonce, "to": recipient(9), "value": 1, "gas": 21_000, "chainId": 31337}
    signed = OWNER.sign_transaction({**foreign, "gasPrice": 10**11})
    process.rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())


def failed(receipt: Any, *_: Any) -> Any:
    return {**receipt, "status": "0x0"}


def test_send__refusal_invented__is_not_believed(
    chain: Chain, both: Chain, lying_endpoint: LyingEndpoint, tmp_path: Path
) -> None:
    journal = journal_of(both, tmp_path)
    lying_endpoint.lies["eth_getTransactionReceipt"] = failed
    with pytest.raises(TransactionPendingError, match="say different things"):
        journal.send(pay(both))
    assert [intent.key for intent in journal.pending()] == ["pay"]
    lying_endpoint.lies.clear()
    assert journal.wait("pay").succeeded
    assert paid(chain) == 1


def test_send__refusal_that_was_believed__is_asked_again_before_it_is_sent_again(
    chain: Chain, both: Chain, lying_endpoint: LyingEndpoint, tmp_path: Path
) -> None:
    alone = connect_chain(replace(chain.profile, rpc=(lying_endpoint.url,)))
    lying_endpoint.lies["eth_getTransactionReceipt"] = failed
    with pytest.raises(RevertedError):
        journal_of(alone, tmp_path).send(pay(alone))
    with pytest.raises(EndpointsDisagreeError):
        journal_of(both, tmp_path).send(pay(both))
    with pytest.raises(EndpointsDisagreeError, match="which now says otherwise"):
        journal_of(chain, tmp_path).send(pay(chain))
    assert paid(chain) == 1


def test_wait__replacement_invented__is_never_bound_to_another_nonce(
    process: AnvilProcess, chain: Chain, both: Chain, lying_endpoint: LyingEndpoint, tmp_path: Path
) -> None:
    journal = journal_of(both, tmp_path)
    lying_endpoint.lies["eth_getTransactionReceipt"] = lambda *_: None
    lying_endpoint.lies["eth_getBlockByNumber"] = lambda block, *_: {**block, "transactions": []}
    before = chain.rpc.call("eth_getTransactionCount", OWNER.address, "latest")
    with pytest.raises(TransactionPendingError, match="say different things"):
        journal.send(pay(both))
    used = chain.rpc.call("eth_getTransactionCount", OWNER.address, "pending")
    assert int(used, 16) == int(before, 16) + 1
    assert paid(chain) == 1
    lying_endpoint.lies.clear()
    assert journal.wait("pay").succeeded


def by_another(block: Any, _: str, in_full: bool) -> Any:
    """Give the transactions of a block other hashes, as if another program had sent them."""
    if in_full:
        block["transactions"] = [{**tx, "hash": "0x" + "7e" * 32} for tx in block["transactions"]]
    return block


def test_wait__replaced_says_the_only_endpoint__is_not_sent_again(
    chain: Chain, lying_endpoint: LyingEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = connect_chain(replace(chain.profile, rpc=(lying_endpoint.url,)))
    assert can_be_sure(alone.rpc, alone.profile.chain_id)
    monkeypatch.setattr(agreement, "DEVNET_CHAIN_ID", 0)
    assert not can_be_sure(alone.rpc, alone.profile.chain_id)
    lying_endpoint.lies["eth_getTransactionReceipt"] = lambda *_: None
    lying_endpoint.lies["eth_getBlockByNumber"] = by_another
    with pytest.raises(ConfigError, match=r"only one chain endpoint says so; add another with"):
        journal_of(alone, tmp_path).send(pay(alone))
    assert paid(chain) == 1


def tell_of_more_blocks(endpoint: LyingEndpoint, more: int) -> None:
    """Let what is in the newest block look as if so many blocks were above it."""

    def later(block: Any, number: str, *_: Any) -> Any:
        return {**block, "number": hex(int(block["number"], 16) + more * (number == "latest"))}

    endpoint.lies["eth_getBlockByNumber"] = later
    endpoint.lies["eth_blockNumber"] = lambda number: hex(int(number, 16) + more)


def test_wait__replaced_in_a_block_that_one_endpoint_calls_deep__is_not_sent_again_yet(
    process: AnvilProcess, chain: Chain, lying_endpoint: LyingEndpoint, tmp_path: Path
) -> None:
    """A reorganisation may bring the first one in after all."""
    urls = (lying_endpoint.url, *chain.profile.rpc)
    both = connect_chain(replace(chain.profile, rpc=urls, confirmations=3))
    journal = journal_of(both, tmp_path)
    process.rpc("evm_setAutomine", False)
    journal.submit(pay(both))
    nonce = int(chain.rpc.call("eth_getTransactionCount", OWNER.address, "latest"), 16)
    process.rpc("anvil_dropAllTransactions")
    use_nonce(process, nonce)
    process.rpc("evm_mine")
    tell_of_more_blocks(lying_endpoint, 2)
    for _ in range(2):
        with pytest.raises(TransactionPendingError):
            journal.wait("pay", timeout=0)
    assert [nonce for _, nonce in journal.signed("pay")] == [nonce]
    process.rpc("anvil_mine", "0x2")
    lying_endpoint.lies.clear()
    with pytest.raises(TransactionPendingError):
        journal.wait("pay", timeout=0)
    process.rpc("evm_setAutomine", True)
    with contextlib.suppress(TransactionPendingError):
        journal.wait("pay", timeout=0)
    process.rpc("anvil_mine", "0x2")
    assert journal.wait("pay", timeout=5).succeeded
    assert paid(chain) == 1


def test_send__refused_in_a_block_that_one_endpoint_calls_deep__is_not_sent_again_yet(
    process: AnvilProcess, chain: Chain, lying_endpoint: LyingEndpoint, tmp_path: Path
) -> None:
    urls = (lying_endpoint.url, *chain.profile.rpc)
    both = connect_chain(replace(chain.profile, rpc=urls, confirmations=3))
    too_much = both.token.functions.transfer(recipient(0), 2**200)
    intent = too_much.intent("pay", "pay", gas=100_000)
    tell_of_more_blocks(lying_endpoint, 2)
    alone = connect_chain(replace(chain.profile, rpc=urls[:1], confirmations=3))
    with pytest.raises(RevertedError):
        journal_of(alone, tmp_path).send(intent)
    journal = journal_of(both, tmp_path)
    with pytest.raises(EndpointsDisagreeError, match="a moment ago"):
        journal.send(intent)
    process.rpc("anvil_mine", "0x2")
    lying_endpoint.lies.clear()
    journal.submit(intent)
    assert [intent.key for intent in journal.pending()] == ["pay"]


def test_send__mined_in_a_block_that_one_endpoint_calls_deep__is_waited_for(
    process: AnvilProcess, chain: Chain, lying_endpoint: LyingEndpoint, tmp_path: Path
) -> None:
    urls = (lying_endpoint.url, *chain.profile.rpc)
    both = connect_chain(replace(chain.profile, rpc=urls, confirmations=3))
    tell_of_more_blocks(lying_endpoint, 2)
    journal = journal_of(both, tmp_path)
    with pytest.raises(TransactionPendingError):
        journal.send(pay(both), timeout=0.5)
    process.rpc("anvil_mine", "0x2")
    assert journal.wait("pay", timeout=20).succeeded


def test_send__only_one_nonce_will_do__fails_where_something_came_in_between(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    nonce = journal.next_nonce()
    use_nonce(process, nonce)
    with pytest.raises(ChainError, match=r"another transaction of .* before: pay was not sent"):
        journal.send(pay(chain, nonce=nonce))
    process.rpc("evm_setAutomine", False)
    journal.submit(pay(chain, nonce=nonce + 1))
    process.rpc("anvil_dropAllTransactions")
    use_nonce(process, nonce + 1)
    process.rpc("anvil_mine", "0x1")
    process.rpc("evm_setAutomine", True)
    with pytest.raises(RevertedError, match="took the place of this one"):
        journal.wait("pay", timeout=20)
    assert paid(chain) == 0
    [(entry, last)] = journal.signed("pay")
    assert entry.receipt is None
    assert last == nonce + 1
    assert journal.mined() == 0


def test_sure_time__one_endpoint_tells_of_a_far_future__is_a_few_minutes_off_at_most(
    chain: Chain, both: Chain, lying_endpoint: LyingEndpoint
) -> None:
    def later(block: dict[str, Any], number: str, _: bool) -> dict[str, Any]:
        return {**block, "timestamp": hex(10**10)} if number == "latest" else block

    lying_endpoint.lies["eth_getBlockByNumber"] = later
    assert both.time() == 10**10
    assert 0 <= both.sure_time() - chain.time() <= 300
    assert chain.sure_time() == chain.time()


def test_next_nonce__endpoints_differ__is_the_smaller_one(
    both: Chain, lying_endpoint: LyingEndpoint, tmp_path: Path
) -> None:
    journal = journal_of(both, tmp_path)
    honest = journal.next_nonce()
    lying_endpoint.lies["eth_getTransactionCount"] = lambda count, *_: hex(int(count, 16) + 5)
    assert journal.next_nonce() == honest


def test_send__absurd_tip_advised__what_the_other_endpoint_advises_is_paid(
    chain: Chain, both: Chain, lying_endpoint: LyingEndpoint, tmp_path: Path
) -> None:
    advised = int(chain.rpc.call("eth_maxPriorityFeePerGas"), 16)
    lying_endpoint.lies["eth_maxPriorityFeePerGas"] = lambda *_: hex(10**11)
    receipt = journal_of(both, tmp_path).send(pay(both))
    base = chain.block(receipt.block_number).base_fee
    assert base is not None
    assert receipt.gas_price <= base + advised


def test_agreed__same_place_named_twice__is_one_voice(chain: Chain) -> None:
    url = chain.profile.rpc[0]
    twice = connect_chain(replace(chain.profile, rpc=(url, url + "/")))
    assert twice.rpc.others() == []
    assert agreed(twice.rpc, [("eth_chainId", ())]) == ["0x7a69"]
