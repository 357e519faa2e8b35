# SPDX-License-Identifier: Apache-2.0
"""The journal on a chain: each payment once, whatever the chain does."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.utils.journals import OWNER, balance, mine, nonce, pay
from tests.utils.token_chain import SUPPLY, account, recipient, token_chain
from truthmark.chain.connection import Chain, connect_chain
from truthmark.chain.journal import Journal
from truthmark.chain.transactions import Intent
from truthmark.errors import (
    ChainError,
    ChainUnavailableError,
    ConfigError,
    GasError,
    RevertedError,
    TransactionPendingError,
)
from truthmark.testing.anvil import AnvilProcess


def test_send__payment__takes_effect_and_says_what_it_cost(chain: Chain, journal: Journal) -> None:
    receipt = journal.send(pay(chain, 0, 5))
    assert balance(chain, 0) == 5
    assert receipt.succeeded
    assert receipt.cost == receipt.gas_used * receipt.gas_price > 0
    logs = chain.token.logs(receipt.logs)
    assert [(log.event, log.args["value"]) for log in logs] == [("Transfer", 5)]


def test_send__same_key_again__is_not_sent_again(chain: Chain, journal: Journal) -> None:
    first = journal.send(pay(chain, 0))
    assert journal.send(pay(chain, 0)) == first
    assert journal.result("pay:0") == first
    assert balance(chain, 0) == 1


def test_send__same_key_for_something_else__is_refused(chain: Chain, journal: Journal) -> None:
    journal.send(pay(chain, 0))
    with pytest.raises(ConfigError, match="another transaction named 'pay:0'"):
        journal.send(pay(chain, 0, 2))
    assert balance(chain, 0) == 1


def test_send__contract_would_refuse__reason_is_told_and_nothing_sent(
    chain: Chain, journal: Journal
) -> None:
    before = nonce(chain)
    with pytest.raises(RevertedError, match=r"^erc20: transfer amount exceeds balance$"):
        journal.send(pay(chain, 0, SUPPLY + 1))
    assert nonce(chain) == before
    assert journal.pending() == []
    journal.send(pay(chain, 0, 1))  # the same key, now that it can be
    assert balance(chain, 0) == 1


def test_send__contract_refuses_when_mined__reason_is_told_and_it_can_be_tried_again(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    process.rpc("evm_setAutomine", False)
    journal.submit(pay(chain, 0, SUPPLY, gas=100_000))
    journal.submit(pay(chain, 1, 1, gas=100_000))
    mine(process)
    assert journal.wait("pay:0").succeeded
    with pytest.raises(RevertedError, match=r"^erc20: transfer amount exceeds balance$"):
        journal.wait("pay:1")
    receipt = journal.result("pay:1")
    assert receipt is not None and not receipt.succeeded
    process.rpc("evm_setAutomine", True)
    with pytest.raises(RevertedError):
        journal.send(pay(chain, 1, 1))
    assert balance(chain, 1) == 0


def test_send__deployment__receipt_names_the_contract(chain: Chain, journal: Journal) -> None:
    code = chain.token.artifact.creation_code([OWNER.address, 7])
    receipt = journal.send(Intent("deploy", None, code))
    assert receipt.contract_address
    copy = chain.at(receipt.contract_address, chain.token.artifact)
    assert copy.functions.totalSupply().call() == 7


def test_send__account_without_gas_money__is_told_and_not_retried(
    process: AnvilProcess, chain: Chain, tmp_path: Path
) -> None:
    buyer = account(3)
    process.rpc("anvil_setBalance", buyer.address, "0x0")
    journal = Journal(chain, buyer, tmp_path)
    with pytest.raises(GasError, match="holds 0 ETH"):
        journal.send(Intent("gift", recipient(0), b"", 1))
    assert journal.pending() == []


def test_send__gas_above_the_limit__nothing_is_sent(chain: Chain, tmp_path: Path) -> None:
    journal = Journal(chain, OWNER, tmp_path, max_gas_price=1)
    with pytest.raises(GasError, match="your limit is"):
        journal.send(pay(chain, 0))
    assert journal.pending() == []
    assert balance(chain, 0) == 0


def test_send__more_gas_than_a_transaction_may_use__is_refused(
    chain: Chain, journal: Journal
) -> None:
    with pytest.raises(ChainError, match="split it"):
        journal.send(pay(chain, 0, gas=2**24 + 1))


def test_submit__no_endpoint_answers__is_told_and_never_sent_later(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    intent = pay(chain, 0)
    process.stop()
    with pytest.raises(ChainUnavailableError):
        journal.submit(intent)
    assert journal.pending() == []


def test_wait__not_mined_in_time__says_so_and_goes_on_later(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    process.rpc("evm_setAutomine", False)
    with pytest.raises(TransactionPendingError, match="nothing is sent twice"):
        journal.send(pay(chain, 0), timeout=0)
    assert [intent.key for intent in journal.pending()] == ["pay:0"]
    mine(process)
    assert journal.send(pay(chain, 0)).succeeded
    assert balance(chain, 0) == 1


def test_wait__base_fee_rises_above_the_offer__a_higher_one_takes_effect_once(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    process.rpc("evm_setAutomine", False)
    journal.submit(pay(chain, 0))
    process.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
    mine(process)
    assert balance(chain, 0) == 0
    with pytest.raises(TransactionPendingError):
        journal.wait("pay:0", timeout=0)  # sees the base fee and offers more
    mine(process)
    receipt = journal.wait("pay:0")
    assert receipt.gas_price > 10**10
    assert balance(chain, 0) == 1
    mine(process, 3)
    assert balance(chain, 0) == 1


def test_wait__passed_over_by_blocks__offers_more_for_the_same_nonce(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    process.rpc("evm_setAutomine", False)
    journal.submit(pay(chain, 0))
    pending = process.rpc("eth_getBlockByNumber", "pending", False)
    assert isinstance(pending, dict)
    (dropped,) = pending["transactions"]
    process.rpc("anvil_dropTransaction", dropped)
    mine(process, 5)
    with pytest.raises(TransactionPendingError):
        journal.wait("pay:0", timeout=0)
    mine(process)
    receipt = journal.wait("pay:0")
    assert receipt.tx_hash != dropped
    assert balance(chain, 0) == 1


def test_wait__another_program_uses_the_nonce__is_bound_again_and_takes_effect_once(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    process.rpc("evm_setAutomine", False)
    used = nonce(chain)
    journal.submit(pay(chain, 0))
    process.rpc("anvil_dropAllTransactions")
    foreign = {"nonce": used, "to": recipient(9), "value": 1, "gas": 21_000, "chainId": 31337}
    signed = OWNER.sign_transaction({**foreign, "gasPrice": 10**11})
    process.rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    mine(process)
    process.rpc("evm_setAutomine", True)
    receipt = journal.wait("pay:0")
    assert receipt.succeeded
    assert nonce(chain) == used + 2
    assert balance(chain, 0) == 1


def test_wait__another_programs_pending_transaction_vanishes__the_gap_is_filled(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    process.rpc("evm_setAutomine", False)
    used = nonce(chain)
    foreign = {"nonce": used, "to": recipient(9), "value": 1, "gas": 21_000, "chainId": 31337}
    signed = OWNER.sign_transaction({**foreign, "gasPrice": 10**11})
    sent = process.rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    journal.submit(pay(chain, 0))
    process.rpc("anvil_dropTransaction", sent)
    process.rpc("evm_setAutomine", True)
    assert journal.wait("pay:0").succeeded
    assert nonce(chain) == used + 2
    assert balance(chain, 0) == 1


@pytest.mark.parametrize("depth", [1, 3])
def test_resume__reorganisation_took_finished_ones_back__same_bytes_are_sent_again(
    process: AnvilProcess, chain: Chain, journal: Journal, depth: int
) -> None:
    receipts = [journal.send(pay(chain, index)) for index in range(3)]
    process.rpc("anvil_reorg", depth, [])
    assert balance(chain, 2) == 0
    again = journal.resume()
    assert {receipt.tx_hash for receipt in again} == {
        receipt.tx_hash for receipt in receipts[3 - depth :]
    }
    assert [balance(chain, index) for index in range(3)] == [1, 1, 1]


def test_send__reorganisation_took_an_earlier_one_back__both_take_effect(
    process: AnvilProcess, chain: Chain, journal: Journal
) -> None:
    journal.send(pay(chain, 0))
    process.rpc("anvil_rollback", 1)
    journal.send(pay(chain, 1))
    assert [balance(chain, index) for index in range(2)] == [1, 1]


def test_wait__confirmations_are_wanted__returns_no_sooner_and_survives_a_reorganisation(
    process: AnvilProcess, chain: Chain, tmp_path: Path
) -> None:
    patient = connect_chain(replace(chain.profile, confirmations=3))
    journal = Journal(patient, OWNER, tmp_path / "patient")
    with pytest.raises(TransactionPendingError):
        journal.send(pay(patient, 0), timeout=0)
    mine(process)
    process.rpc("anvil_reorg", 2, [])
    assert balance(patient, 0) == 0
    with pytest.raises(TransactionPendingError):
        journal.wait("pay:0", timeout=3)
    assert balance(patient, 0) == 1
    mine(process, 2)
    assert journal.wait("pay:0").succeeded


def test_journal__local_chain_started_again__nothing_is_sent_there(
    chain: Chain, journal: Journal, tmp_path: Path
) -> None:
    journal.send(pay(chain, 0))
    (tmp_path / "new").mkdir()
    with token_chain(tmp_path / "new", earlier=True) as (_, new):
        again = Journal(new, OWNER, tmp_path / "journal", timeout=60)
        assert again.resume() == []
        assert balance(new, 0) == 0
        again.send(pay(new, 0))
        assert balance(new, 0) == 1


def test_journal__file_is_damaged__is_told_and_not_overwritten(
    chain: Chain, journal: Journal, tmp_path: Path
) -> None:
    journal.send(pay(chain, 0))
    (file,) = (tmp_path / "journal").rglob("*.sqlite")
    file.write_bytes(b"not a database" * 1000)
    with pytest.raises(ConfigError, match="restore the file from a backup"):
        journal.send(pay(chain, 1))
    assert file.read_bytes().startswith(b"not a database")


def test_send__threads_of_one_account__each_takes_effect_once(
    chain: Chain, journal: Journal, tmp_path: Path
) -> None:
    def work(mine: int) -> None:
        own = Journal(chain, OWNER, tmp_path / "journal", timeout=60)
        for index in (mine, 100):  # one of its own, one that all want
            own.send(pay(chain, index))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [balance(chain, index) for index in (*range(6), 100)] == [1] * 7
