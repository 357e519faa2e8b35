# SPDX-License-Identifier: Apache-2.0
"""Transactions that somebody has decided on, and the names under which they happen once."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from truthmark.chain.contracts import Call
    from truthmark.market.entries import Purchase

MAX_BATCH = 20
"""Purchases in one transaction."""

_SHORT = 40
"""Hex digits of a purchase's id in a name. Two purchases of one name would be one call, and the
second never served; a buyer, who tries salts at will, finds them in 64 bits, not in 160."""


class PlannedCall(NamedTuple):
    """A transaction that is decided on; `session.send(*planned)` sends it and waits."""

    call: "Call"
    key: str
    """its name in the journal"""
    purpose: str
    """said to people"""
    not_after: int | None = None
    """chain time after which it must not be sent any more"""


def batch_key(kind: str, purchases: Iterable["Purchase"]) -> str:
    """Return the name of a transaction about some purchases; `named_purchases` reads it."""
    return f"{kind}:{','.join(p.purchase_id.hex()[:_SHORT] for p in purchases)}"


def named_purchases(kind: str, keys: Iterable[str]) -> set[str]:
    """Return the short ids of the purchases that transactions of a kind are about."""
    prefix = f"{kind}:"
    return {
        name
        for key in keys
        if key.startswith(prefix)
        for name in key.removeprefix(prefix).partition("#")[0].split(",")
    }


def short_id(purchase: "Purchase") -> str:
    """Return how `batch_key` names a purchase."""
    return purchase.purchase_id.hex()[:_SHORT]
