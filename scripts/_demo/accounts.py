# SPDX-License-Identifier: Apache-2.0
"""Who spent what, read from the chain itself: every transaction of the demonstration."""

from collections import defaultdict
from typing import Any

from truthmark.market.settlement import Settlement
from truthmark.session import Session
from truthmark.testing.network import ROLES, Devnet


def addresses(net: Devnet) -> dict[str, str]:
    """Return each role's address."""
    found = {}
    for role in ROLES:
        with net.session(role) as session:
            found[role] = session.address
    return found


def spent_gas(session: Session, first_block: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return gas by sender's address (lower case), and the least gas of each contract function.

    Args:
        session: Any role's.
        first_block: Where to begin.
    """
    chain = session.chain
    functions = {
        "0x" + function.selector.hex(): f"{contract.role}.{name}"
        for contract in chain.contracts.values()
        for name, overloads in contract.artifact.functions.items()
        for function in overloads
    }
    by_sender: dict[str, int] = defaultdict(int)
    by_function: dict[str, int] = {}
    for number in range(first_block, chain.height() + 1):
        block: Any = chain.rpc.call("eth_getBlockByNumber", hex(number), True)
        if not block["transactions"]:
            continue
        receipts: Any = chain.rpc.call("eth_getBlockReceipts", hex(number))
        for transaction, receipt in zip(block["transactions"], receipts, strict=True):
            used = int(receipt["gasUsed"], 16)
            by_sender[transaction["from"].lower()] += used
            name = functions.get(transaction["input"][:10])
            if name is not None and int(receipt["status"], 16) == 1:
                by_function[name] = min(used, by_function.get(name, used))
    return by_sender, by_function


def wealth(session: Session, token: str, address: str) -> int:
    """Return what an account has of a token, in its own hands and in the ledgers."""
    held = session.token(token).functions.balanceOf(address).call()
    return int(held) + sum(Settlement(session).credits(token, address).values())
