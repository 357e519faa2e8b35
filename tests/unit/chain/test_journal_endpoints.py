# SPDX-License-Identifier: Apache-2.0
"""The journal against endpoints that forget, refuse or lie, kills and deadlines."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils.journals import OWNER, balance, mine, nonce, pay
from tests.utils.rpc_server import Proxy, RpcServer, serve
from tests.utils.sender import POINTS
from tests.utils.token_chain import SUPPLY, recipient
from truthmark.chain.account_history import Finality
from truthmark.chain.connection import Chain, connect_chain
from truthmark.chain.journal import STUCK_BLOCKS, Journal
from truthmark.chain.journal_store import open_store
from truthmark.errors import (
    ConfigError,
    LateError,
    MalformedReplyError,
    NodeError,
    RevertedError,
    TransactionPendingError,
)
from truthmark.testing.anvil import AnvilProcess


def through(chain: Chain, server: RpcServer) -> Chain:
    return connect_chain(replace(chain.profile, rpc=(server.url,)))


def test_send__chain_without_base_fee__pays_a_gas_price(
    process: AnvilProcess, chain: Chain, tmp_path: Path
) -> None:
    class Old(Proxy):
        def late(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
            if request["method"] == "eth_getBlockByNumber":
                del answer["result"]["baseFeePerGas"]

    process.rpc("evm_setAutomine", False)
    with serve(Old(process.url)) as server:
        old = through(chain, server)
        journal = Journal(old, OWNER, tmp_path / "journal", timeout=60)
        journal.submit(pay(old, 0))
        process.rpc("anvil_dropAllTransactions")
        mine(process, 5)
        with pytest.raises(TransactionPendingError):
            journal.wait("pay:0", timeout=0)  # is stuck: a higher price for the same nonce
        mine(process)
        receipt = journal.wait("pay:0")
    sent = chain.rpc.call("eth_getTransactionByHash", receipt.tx_hash)
    assert sent["type"] == "0x0"
    assert balance(chain, 0) == 1


def test_send__node_gives_no_advice_on_tips__offers_a_usual_one(
    process: AnvilProcess, chain: Chain, tmp_path: Path
) -> None:
    class Silent(Proxy):
        def early(self, request: dict[str, Any]) -> dict[str, Any] | None:
            if request["method"] == "eth_maxPriorityFeePerGas":
                return {"error": {"code": -32601, "message": "unknown method"}}
            return None

    with serve(Silent(process.url)) as server:
        journal = Journal(through(chain, server), OWNER, tmp_path / "journal", timeout=60)
        receipt = journal.send(pay(chain, 0))
    sent = chain.rpc.call("eth_getTransactionByHash", receipt.tx_hash)
    assert int(sent["maxPriorityFeePerGas"], 16) == 10**9


def test_wait__node_forgets_the_receipt__nothing_is_sent_for_another_nonce(
    process: AnvilProcess, chain: Chain, tmp_path: Path
) -> None:
    class UnrepeatableSigner(Proxy):
        forgets = True

        def late(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
            if request["method"] == "eth_getTransactionReceipt" and self.forgets:
                answer["result"] = None

    forgetful = UnrepeatableSigner(process.url)
    mine(process, 100)
    used = nonce(chain)
    with serve(forgetful) as server:
        journal = Journal(through(chain, server), OWNER, tmp_path / "journal")
        with pytest.raises(TransactionPendingError):
            journal.send(pay(chain, 0), timeout=2)
        mine(process, 100)
        with pytest.raises(TransactionPendingError):
            journal.wait("pay:0", timeout=1)
        assert nonce(chain) == used + 1
        forgetful.forgets = False
        assert journal.wait("pay:0", timeout=300).succeeded
    assert balance(chain, 0) == 1


def test_wait__states_are_ahead_of_the_newest_block__nothing_is_sent_for_another_nonce(
    process: AnvilProcess, chain: Chain, tmp_path: Path
) -> None:
    """As a node's are for a moment, between running a transaction and telling of its block."""

    class Ahead(Proxy):
        is_ahead = True

        def early(self, request: dict[str, Any]) -> dict[str, Any] | None:
            method, params = request["method"], request["params"]
            if not self.is_ahead or nonce(chain) == used:
                return None
            head = chain.height()
            before = process.rpc("eth_getBlockByNumber", hex(head - 1), bool(params[-1:] == [True]))
            assert isinstance(before, dict)
            if method == "eth_getTransactionReceipt":
                return {"result": None}
            if method == "eth_blockNumber":
                return {"result": hex(head - 1)}
            if method == "eth_getBlockByNumber" and params[0] == "latest":
                return {"result": before}
            newest = hex(head - 1), {"blockHash": before["hash"], "requireCanonical": True}
            if method == "eth_getTransactionCount" and params[1] in newest:
                return {"result": hex(used + 1)}
            return None

    mine(process, 5)
    used = nonce(chain)
    ahead = Ahead(process.url)
    with serve(ahead) as server:
        journal = Journal(through(chain, server), OWNER, tmp_path / "journal")
        with pytest.raises(TransactionPendingError):
            journal.send(pay(chain, 0), timeout=1)
        assert nonce(chain) == used + 1
        ahead.is_ahead = False
        assert journal.wait("pay:0", timeout=300).succeeded
    assert nonce(chain) == used + 1
    assert balance(chain, 0) == 1


def test_wait__higher_offer_would_be_above_the_limit__old_one_stands(
    process: AnvilProcess, chain: Chain, tmp_path: Path
) -> None:
    head = chain.block()
    assert head.base_fee is not None
    journal = Journal(chain, OWNER, tmp_path / "j", max_gas_price=head.base_fee + 2 * 10**9)
    process.rpc("evm_setAutomine", False)
    journal.submit(pay(chain, 0))
    process.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
    mine(process)
    with pytest.raises(TransactionPendingError, match="max_gas_price_gwei"):
        journal.wait("pay:0", timeout=0)
    process.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**8))
    mine(process)
    with pytest.raises(TransactionPendingError):
        journal.wait("pay:0", timeout=3)  # broadcasts again: anvil had dropped it
    mine(process)
    receipt = journal.wait("pay:0", timeout=20)
    assert receipt.gas_price <= head.base_fee + 2 * 10**9


def test_send__gas_limit_too_low__says_that_it_ran_out(chain: Chain, journal: Journal) -> None:
    with pytest.raises(RevertedError, match="ran out of gas"):
        journal.send(pay(chain, 0, gas=25_000))
    assert journal.send(pay(chain, 0)).succeeded


def test_resume__one_cannot_be_paid_for__the_others_go_through(
    chain: Chain, journal: Journal, tmp_path: Path
) -> None:
    journal.send(pay(chain, 0))
    (file,) = (tmp_path / "journal").rglob("*.sqlite")
    with open_store(file) as store:  # as a killed process leaves it
        store.add(replace(pay(chain, 1), value=10**30, gas=100_000))
        store.add(pay(chain, 2))
    assert [intent.key for intent in journal.pending()] == ["pay:1", "pay:2"]
    receipts = journal.resume()
    assert [receipt.succeeded for receipt in receipts] == [True]
    assert [balance(chain, index) for index in range(3)] == [1, 0, 1]
    assert journal.pending() == []


def test_resume__not_mined_in_time__says_so(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    process.rpc("evm_setAutomine", False)
    journal.submit(pay(chain, 0))
    with pytest.raises(TransactionPendingError, match="not confirmed yet"):
        journal.resume(timeout=0)


def test_wait__unknown_or_failed_key__is_told(chain: Chain, journal: Journal) -> None:
    with pytest.raises(ConfigError, match="no transaction named 'nothing'"):
        journal.wait("nothing")
    assert journal.result("nothing") is None
    with pytest.raises(RevertedError):
        journal.send(pay(chain, 0, SUPPLY + 1))
    with pytest.raises(RevertedError, match=r"^erc20: transfer amount exceeds balance$"):
        journal.wait("pay:0")


def test_wait__chain_does_not_answer_for_a_moment__goes_on_waiting(
    process: AnvilProcess, chain: Chain, tmp_path: Path
) -> None:
    class Away(Proxy):
        away = False

        def early(self, request: dict[str, Any]) -> dict[str, Any] | None:
            return {"result": 5} if self.away else None

    away = Away(process.url)
    with serve(away) as server:
        shaky = through(chain, server)
        shaky.rpc._attempts = 1
        journal = Journal(shaky, OWNER, tmp_path / "journal")
        process.rpc("evm_setAutomine", False)
        journal.submit(pay(chain, 0))
        away.away = True
        with pytest.raises(TransactionPendingError, match="a chain endpoint gives"):
            journal.wait("pay:0", timeout=0.5)
        away.away = False
        mine(process)
        assert journal.wait("pay:0", timeout=300).succeeded


def sender(profile: Path, folder: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tests.utils.sender", str(profile), str(folder), *args]
    return subprocess.run(command, capture_output=True, timeout=300, check=False)


def test_submit__processes_of_one_account__each_takes_effect_once(
    chain: Chain, tmp_path: Path
) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(chain.profile.to_dict()))
    shares = [("0", "8"), ("4", "12"), ("8", "16")]
    command = [sys.executable, "-m", "tests.utils.sender", str(profile), str(tmp_path / "journal")]
    running = [subprocess.Popen([*command, *share]) for share in shares]
    assert [process.wait(300) for process in running] == [0, 0, 0]
    assert [balance(chain, index) for index in range(16)] == [1] * 16


@pytest.mark.parametrize("point", POINTS)
def test_send__killed_at_a_point__resumed_takes_effect_once(
    chain: Chain, tmp_path: Path, point: str
) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(chain.profile.to_dict()))
    killed = sender(profile, tmp_path / "journal", "0", "1", point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    journal = Journal(chain, OWNER, tmp_path / "journal", timeout=60)
    journal.resume()
    assert balance(chain, 0) == (0 if point == "before the intent is written" else 1)
    journal.send(pay(chain, 0))
    assert balance(chain, 0) == 1
    assert journal.pending() == []


def test_send__deadline_ahead__takes_effect(chain: Chain, journal: Journal) -> None:
    call = chain.token.functions.transfer(recipient(0), 3)
    assert journal.send(call.intent("pay:0", not_after=chain.time() + 60)).succeeded
    assert balance(chain, 0) == 3


def test_send__deadline_past__is_not_sent(chain: Chain, journal: Journal) -> None:
    before = nonce(chain)
    call = chain.token.functions.transfer(recipient(0), 3)
    with pytest.raises(LateError, match="comes too late; it was not sent"):
        journal.send(call.intent("pay:0", "pay", not_after=chain.time() - 1))
    assert nonce(chain, "pending") == before
    assert journal.pending() == []


def test_resume__deadline_passed_on_the_way__cancelled_and_later_ones_go_on(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    process.rpc("evm_setAutomine", False)
    call = chain.token.functions.transfer(recipient(0), 3)
    journal.submit(call.intent("late", not_after=chain.time() + 30, gas=100_000))
    journal.submit(pay(chain, 1, 4, gas=100_000))
    # The node forgets both, as one that was restarted does; the deadline passes meanwhile.
    process.rpc("anvil_dropAllTransactions")
    process.rpc("evm_increaseTime", 60)
    mine(process)
    process.rpc("evm_setAutomine", True)
    journal.resume()
    assert (balance(chain, 0), balance(chain, 1)) == (0, 4)
    with pytest.raises(RevertedError, match="came too late and was cancelled"):
        journal.wait("late")


def test_resume__mined_before_it_could_be_cancelled__counts(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    process.rpc("evm_setAutomine", False)
    call = chain.token.functions.transfer(recipient(0), 3)
    journal.submit(call.intent("late", not_after=chain.time() + 30, gas=100_000))
    process.rpc("evm_increaseTime", 60)
    mine(process)
    process.rpc("evm_setAutomine", True)
    assert journal.wait("late").succeeded
    assert balance(chain, 0) == 3


def offers(journal: Journal, key: str) -> list[Any]:
    with open_store(journal._path) as store:
        return list(store.get(key).attempts)


def test_wait__endpoint_passes_nothing_on__offers_end_at_a_multiple(
    process: AnvilProcess, chain: Chain, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    # When it is mended later, the highest offer is what is paid.
    process.rpc("evm_setAutomine", False)
    call = chain.rpc.call

    def lossy(method: str, *params: Any, **more: Any) -> Any:
        return "0x" if method == "eth_sendRawTransaction" else call(method, *params, **more)

    monkeypatch.setattr(chain.rpc, "call", lossy)
    journal.submit(pay(chain, 0))
    for _ in range(40):
        mine(process, STUCK_BLOCKS + 1)
        with pytest.raises(TransactionPendingError):
            journal.wait("pay:0", timeout=0)
    tips = [attempt.tip for attempt in offers(journal, "pay:0")]
    assert 8 * 7 // 8 <= tips[-1] / tips[0] <= 8
    with pytest.raises(TransactionPendingError, match="8 times what others pay"):
        journal.wait("pay:0", timeout=0)
    monkeypatch.undo()
    process.rpc("evm_setAutomine", True)
    assert journal.wait("pay:0", timeout=300).succeeded


@pytest.mark.parametrize("kept", [40, 1])
def test_resume__replaced_elsewhere_and_old_states_gone__others_go_on(
    process: AnvilProcess,
    chain: Chain,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    kept: int,
) -> None:
    mine(process, 200)
    call, parsed = chain.rpc.call, chain.rpc.parsed
    with monkeypatch.context() as patch:

        def lossy(method: str, *params: Any, **more: Any) -> Any:
            return "0x" if method == "eth_sendRawTransaction" else call(method, *params, **more)

        patch.setattr(chain.rpc, "call", lossy)
        journal.submit(pay(chain, 0))
    mine(process, 100)
    cancel = {
        "chainId": chain.profile.chain_id,
        "nonce": nonce(chain),
        "to": OWNER.address,
        "gas": 21_000,
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 10**9,
    }
    signed = OWNER.sign_transaction(cancel)
    process.rpc("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())
    mine(process, 20)
    head = chain.height()

    def forgetful(method: str, params: Any, parse: Any, **more: Any) -> Any:
        asked = str(params[-1]) if params else ""
        if method == "eth_getTransactionCount" and asked.startswith("0x") and len(asked) < 20:
            if int(asked, 16) < head - kept:
                raise NodeError("missing trie node")
        elif method == "eth_getTransactionCount" and isinstance(params[-1], dict) and kept == 1:
            raise NodeError("missing trie node")
        return parsed(method, params, parse, **more)

    batch = chain.rpc.batch

    def forgetful_batch(requests: Any, **more: Any) -> Any:
        for method, params in requests:
            if method == "eth_getTransactionCount" and isinstance(params[-1], dict) and kept == 1:
                raise NodeError("missing trie node")
        return batch(requests, **more)

    monkeypatch.setattr(chain.rpc, "parsed", forgetful)
    monkeypatch.setattr(chain.rpc, "batch", forgetful_batch)
    assert journal.send(pay(chain, 1), timeout=300).succeeded
    if kept == 1:  # what used the nonce cannot be told: it must not be paid again
        assert [intent.key for intent in journal.pending()] == ["pay:0"]
        with pytest.raises(TransactionPendingError, match="missing trie node"):
            journal.wait("pay:0", timeout=0)
        return
    assert journal.wait("pay:0", timeout=300).succeeded
    assert balance(chain, 0) == 1


def test_submit__interrupted_before_it_is_signed__is_not_sent_later(
    chain: Chain, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(chain, "block", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.submit(pay(chain, 0))
    assert journal.pending() == []
    assert journal.resume() == []
    assert balance(chain, 0) == 0
    journal.send(pay(chain, 0))
    assert balance(chain, 0) == 1


@pytest.mark.parametrize("lie", [10**6, 2**63, 2**64])
def test_submit__endpoint_tells_an_absurd_nonce__is_not_bound_to_it(
    chain: Chain, journal: Journal, monkeypatch: pytest.MonkeyPatch, lie: int
) -> None:
    batch = chain.rpc.batch

    def lying(calls: Any, **more: Any) -> Any:
        answers = batch(calls, **more)
        return [
            hex(lie) if params[-1:] == ("pending",) else answer
            for (_, params), answer in zip(calls, answers, strict=True)
        ]

    with monkeypatch.context() as patch:
        patch.setattr(chain.rpc, "batch", lying)
        with pytest.raises(MalformedReplyError, match="try another one"):
            journal.send(pay(chain, 0))
    assert journal.pending() == []
    assert journal.send(pay(chain, 0), timeout=300).succeeded


def test_resume__receipts_are_not_deep_yet__other_endpoint_is_not_asked_how_high_it_is(
    process: AnvilProcess, chain: Chain, tmp_path: Path
) -> None:
    with serve(Proxy(process.url)) as other:
        urls = (*chain.profile.rpc, other.url)
        both = connect_chain(replace(chain.profile, rpc=urls, confirmations=3))
        journal = Journal(both, OWNER, tmp_path / "journal")
        for number in range(2):
            journal.submit(pay(both, number))
        with pytest.raises(TransactionPendingError):
            journal.resume(timeout=0)
        assert "eth_blockNumber" not in other.methods
        mine(process, 3)
        assert len(journal.resume(timeout=0)) == 2
        assert other.methods.count("eth_blockNumber") == 1


def test_common_height__endpoint_is_down__is_not_waited_for(
    process: AnvilProcess, chain: Chain
) -> None:
    with serve(lambda body: None) as down:
        urls = (*chain.profile.rpc, down.url)
        both = connect_chain(replace(chain.profile, rpc=urls))
        head = both.block()
        assert Finality(both, head).has(head.number)
        assert len(down.bodies) == 1
