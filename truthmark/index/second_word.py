# SPDX-License-Identifier: Apache-2.0
"""Holds what an index has against what endpoints in two places tell.

Near the head one endpoint is asked for logs, and contracts count only some kinds of events: it
could hide an exposure or a first listing, or make one up. So before money or stake follows from
the index, all that became final since the last time is asked of two endpoints, and must be the
same to the last byte.
"""

from collections.abc import Mapping
from typing import Any

from truthmark.chain.agreement import agreed
from truthmark.chain.connection import Block, Chain
from truthmark.errors import ChainUnavailableError, RevertedError
from truthmark.index.database import EventIndex, Told
from truthmark.index.decode import LogDecoder

_RANGE = 2_000
_FEWER = 10  # times fewer blocks where two endpoints do not give the logs of so many


class SecondWord:
    """Compares an index with what two endpoints say alike.

    Args:
        chain: Whose endpoints.
        index: What is compared.
        decoder: Of the logs.
        query: What `eth_getLogs` is asked for, without blocks.
    """

    def __init__(
        self, chain: Chain, index: EventIndex, decoder: LogDecoder, query: Mapping[str, Any]
    ) -> None:
        """Ask nothing yet."""
        self._chain, self._index, self._decoder, self._query = chain, index, decoder, query

    def is_heard(self, until: int) -> bool:
        """Tell whether two endpoints tell of the same events as the index has, and note it.

        Args:
            until: The last block, which the index has reached.

        Raises:
            EndpointsDisagreeError: No two endpoints tell of the same.
            ChainUnavailableError: Fewer answer than are needed.
        """
        size = _RANGE
        while (known := self._index.agreed()) < until:
            first = known + 1
            last = min(known + size, until)
            tip = self._index.tip()
            if tip.number < last:
                return False  # it has gone back meanwhile
            try:
                told = self._ask(first, last)
            except RevertedError:
                raise
            except ChainUnavailableError:
                # It may have been too much, however they say so.
                if first == last:
                    raise
                size = max(1, (last - first + 1) // _FEWER)
                continue
            if told != (self._index.told(first, last), self._hash_of(last)):
                return False
            self._index.note_agreed(tip, last)
        return True

    def _ask(self, first: int, last: int) -> tuple[Told, bytes | None]:
        """Return what two endpoints tell of some blocks, and the last one's hash if it is known."""
        query = {**self._query, "fromBlock": hex(first), "toBlock": hex(last)}
        is_known = self._hash_of(last) is not None

        def content(replies: list[Any]) -> tuple[Told, bytes | None]:
            # The block stands behind the logs: who has not come so far does not tell of none.
            block = Block.from_rpc(replies[1])
            logs = self._decoder.decode(replies[0], first, last)
            return self._index.told_by(logs), block.hash if is_known else None

        header = ("eth_getBlockByNumber", (hex(last), False))
        return content(agreed(self._chain.rpc, [("eth_getLogs", (query,)), header], content))

    def _hash_of(self, number: int) -> bytes | None:
        known = self._index.stored_blocks(number + 1, 1)
        return known[0].hash if known and known[0].number == number else None
