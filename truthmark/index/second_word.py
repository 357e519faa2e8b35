# SPDX-License-Identifier: Apache-2.0
"""Holds what an index has against what endpoints in two places tell.

Near the head one endpoint is asked for logs, and contracts count only some kinds of events: it
could hide an exposure or a first listing, or make one up. So before money or stake follows from
the index, all that became final since the last time is asked of two endpoints, and must be the
same to the last byte; so must the times of the blocks, by which windows are reckoned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from truthmark.chain.agreement import agreed
from truthmark.chain.connection import Block, Chain
from truthmark.chain.http import Endpoint
from truthmark.chain.sheets import Request
from truthmark.errors import ChainUnavailableError, MalformedReplyError, RevertedError
from truthmark.index.database import EventIndex, Told
from truthmark.index.decode import LogDecoder, Logs

_Place = tuple[int, bytes, int]
"""Number, hash and time of a block."""

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
            if told != (self._index.told(first, last), self._place_of(last)):
                return False
            self._index.note_agreed(tip, last)
        return True

    def ask(self, first: int, end: Block, endpoint: Endpoint) -> Logs:
        """Return what one endpoint tells of some blocks, with the times of those that hold events.

        Args:
            first: Number of the first block.
            end: The last block.
            endpoint: Which is asked, once.

        Raises:
            MalformedReplyError: It has not come so far, or has other blocks.
            NodeError: It answers with an error.
            ChainUnavailableError: It does not answer.
        """
        rpc, last = self._chain.rpc, end.number
        replies = rpc.batch(self._requests(first, last), endpoint=endpoint, attempts=1)
        logs, place = self._read(replies, first, last)
        missing = sorted(logs.hashes.keys() - logs.timestamps.keys())
        headers = rpc.batch([_header(number) for number in missing], endpoint=endpoint, attempts=1)
        places = _places(headers)
        if place != _place(end) or any(
            (number, logs.hashes[number]) != (found, hash_)
            for number, (found, hash_, _) in zip(missing, places, strict=True)
        ):
            raise MalformedReplyError(
                f"endpoint {endpoint.shown} has other blocks; if it stays so replace it"
            )
        return logs.with_times({number: time for number, _, time in places})

    def _ask(self, first: int, last: int) -> tuple[Told, _Place | None]:
        """Return what two endpoints tell of some blocks, and of the last one if it is known."""
        is_known = self._place_of(last) is not None
        rpc = self._chain.rpc

        def content(replies: list[Any]) -> tuple[Told, _Place | None]:
            logs, place = self._read(replies, first, last)
            # Not every endpoint tells of times beside its logs.
            return self._index.told_by(replace(logs, timestamps={})), place if is_known else None

        replies = agreed(rpc, self._requests(first, last), content)
        logs, place = self._read(replies, first, last)
        if logs.hashes:
            headers = [_header(number) for number in sorted(logs.hashes)]
            places = _places(agreed(rpc, headers, _places))
            hashes = {number: hash_ for number, hash_, _ in places}
            times = {number: time for number, _, time in places}
            logs = replace(logs, hashes=hashes, timestamps=times)
        return self._index.told_by(logs), place if is_known else None

    def _requests(self, first: int, last: int) -> list[Request]:
        query = {**self._query, "fromBlock": hex(first), "toBlock": hex(last)}
        # The block stands behind the logs: who has not come so far does not tell of none.
        return [("eth_getLogs", (query,)), _header(last)]

    def _read(self, replies: Sequence[Any], first: int, last: int) -> tuple[Logs, _Place]:
        return self._decoder.decode(replies[0], first, last), _place(Block.from_rpc(replies[1]))

    def _place_of(self, number: int) -> _Place | None:
        known = self._index.stored_blocks(number + 1, 1)
        return known[0][:3] if known and known[0].number == number else None


def _header(number: int) -> Request:
    return "eth_getBlockByNumber", (hex(number), False)


def _place(block: Block) -> _Place:
    return block.number, block.hash, block.timestamp


def _places(replies: Sequence[Any]) -> list[_Place]:
    return [_place(Block.from_rpc(reply)) for reply in replies]
