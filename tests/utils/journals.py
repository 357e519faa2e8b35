# SPDX-License-Identifier: Apache-2.0
"""Payments of one account, for tests of the journal."""

from tests.utils.token_chain import account, recipient
from truthmark.chain.connection import Chain
from truthmark.chain.transactions import Intent
from truthmark.testing.anvil import AnvilProcess

OWNER = account(0)


def pay(chain: Chain, index: int, amount: int = 1, key: str = "", gas: int | None = None) -> Intent:
    call = chain.token.functions.transfer(recipient(index), amount)
    return call.intent(key or f"pay:{index}", gas=gas)


def balance(chain: Chain, index: int) -> int:
    held: int = chain.token.functions.balanceOf(recipient(index)).call()
    return held


def nonce(chain: Chain, block: str = "latest") -> int:
    return int(chain.rpc.call("eth_getTransactionCount", OWNER.address, block), 16)


def mine(process: AnvilProcess, blocks: int = 1) -> None:
    process.rpc("anvil_mine", hex(blocks))
