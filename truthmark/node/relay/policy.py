# SPDX-License-Identifier: Apache-2.0
"""What the operator of a relay has chosen."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from truthmark.bounty.relay_models import (
    WatchKey,
)
from truthmark.chain.public_http import Networks

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class RelayPolicy:
    """What its operator has chosen.

    Attributes:
        margin_seconds: A transaction may take so long.
        min_fees: By token, what a bounty pays at least for each worker who commits.
        requesters: Who may be served for less; the node's own account always is.
        max_bytes: Of the items of one bounty.
        watch: Nodes that are named to labelers.
        relays: Whether bounties are served.
        watches: Whether deposits are taken.
        watch_key: To which this node's secrets are sealed, 32 bytes, if it takes deposits.
        watch_fees: By token, what a bounty pays at least to who posts a worker's labels on chain;
            with none, every bounty is watched.
        gas_reserve: In wei; below it no deposit is taken.
        private: Networks that are not public to which notices may go.
        fetches: Whether it brings papers itself from its storage, where nobody uploads them.
        url: Under which others reach it.
        version: Of Truthmark.
    """

    margin_seconds: int
    min_fees: dict[str, int] = field(default_factory=dict)
    requesters: frozenset[str] = frozenset()
    max_bytes: int = 4 << 30
    watch: tuple[WatchKey, ...] = ()
    relays: bool = True
    watches: bool = False
    watch_key: bytes = b""
    watch_fees: dict[str, int] = field(default_factory=dict)
    gas_reserve: int = 0
    private: Networks = ()
    fetches: bool = False
    url: str = ""
    version: str = "0"
