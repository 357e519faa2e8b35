# SPDX-License-Identifier: Apache-2.0
"""A busy token, and what an index says of it."""

import random
from pathlib import Path
from typing import Any

from tests.utils.token_chain import account, recipient
from truthmark.chain.connection import Chain
from truthmark.index.database import EventIndex
from truthmark.index.follower import Follower

Content = dict[str, list[tuple[Any, ...]]]
HUGE = (0, 1, 2**63 - 1, 2**63, 2**255, 2**256 - 1)


def trade(chain: Chain, chooser: random.Random, blocks: int) -> None:
    """Mine some blocks with a few transfers and approvals in most of them."""
    functions = chain.token.functions
    owner = account(0).address
    chain.rpc.call("evm_setAutomine", False)
    for _ in range(blocks):
        for _ in range(chooser.choice((0, 1, 1, 3))):
            to = recipient(chooser.randrange(5))
            call = chooser.choice(
                [
                    functions.transfer(to, chooser.randrange(100)),
                    functions.approve(to, chooser.choice(HUGE)),
                ]
            )
            transaction = {"from": owner, "to": chain.token.address, "data": "0x" + call.data.hex()}
            chain.rpc.call("eth_sendTransaction", {**transaction, "gas": "0x186a0"})
        chain.rpc.call("evm_mine")
    chain.rpc.call("evm_setAutomine", True)


def content(index: EventIndex) -> Content:
    """Everything that an index says of the chain, its tip included."""
    found: Content = {}
    with index.read() as connection:
        for entry in index.schema.events.values():
            rows = connection.execute(index.timed_rows(entry))
            found[entry.table.name] = [
                (*entry.values(row[:-2]).values(), row[-2], bytes(row[-1])) for row in rows
            ]
        held = connection.execute(
            "SELECT number, hash, timestamp FROM blocks WHERE has_logs ORDER BY number"
        )
        found["blocks"] = [(number, bytes(hash_), time) for number, hash_, time in held]
    tip = index.tip()
    found["tip"] = [(tip.number, tip.hash, tip.timestamp)]
    return found


def rebuild(chain: Chain, folder: Path) -> Content:
    """What an index made from nothing says."""
    path = folder / "rebuilt.sqlite"
    path.unlink(missing_ok=True)
    follower = Follower(chain, f"sqlite:///{path}")
    follower.sync()
    rebuilt = content(follower.index)
    follower.index.close()
    return rebuilt
