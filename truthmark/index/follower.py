# SPDX-License-Identifier: Apache-2.0
"""Follows the chain's logs into an index, through reorganisations.

Each step fetches the logs of the blocks that follow the index's tip, proves that they do, and
adds them in one transaction:

* Far behind the head, the range's last header is asked for before and after its logs. As a hash
  commits to everything before it, an equal hash means that nothing below changed meanwhile.
* Near the head, and with an endpoint of one's own, every header is fetched; they must link up with
  the tip, each log must be of its header's block, and each block whose bloom filter announces logs
  that the answer lacks is asked for by its hash. That also unmasks a node which answers for blocks
  that it does not have yet.

An answer may be cut without a word, and one that came from far behind the head shows nothing of
it. So where it ends is asked for again, a second endpoint is asked the same if there is one, and
what was added is held against the contracts' own figures (see `audit`) before the index counts as
brought up to date. Where they differ, the index goes back to where they agreed, and the blocks are
read again: from other endpoints, then block by block, then from the start.

All this may be one endpoint's word. Where money or stake follows, `require_agreed` has two places
tell of the same events (see `second_word`).

Where the chain no longer has the tip, the index goes back to the highest block they share.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from truthmark.chain.connection import Block, Chain
from truthmark.chain.http import BusyError
from truthmark.chain.ranges import BlockRange
from truthmark.errors import (
    ChainError,
    ChainUnavailableError,
    EndpointsDisagreeError,
    MalformedReplyError,
    NodeError,
)
from truthmark.hashing import keccak256
from truthmark.index.audit import find_gap
from truthmark.index.database import EventIndex, StoredBlock, Tip
from truthmark.index.decode import LogDecoder, Logs
from truthmark.index.second_word import SecondWord
from truthmark.types import Progress

log = logging.getLogger(__name__)

NEAR_BLOCKS = 128
"""Blocks behind the head within which every header is checked."""

MAX_RANGE = 100_000
_FIRST_RANGE = 2_000
_MAX_CONFLICTS = 50  # steps in a row that the chain may make void
_CAREFUL_BLOCKS = 10_000  # so many, at most, are read header by header where logs are missing
_CAREFUL_RANGE = 64  # blocks at once where there are more
_LOCAL_BLOCKS = 2_000  # as `NEAR_BLOCKS`, where the only endpoint is on this machine
_PATIENCE = 3  # conflicts in a row after which another endpoint is asked
_AUDITS = 3  # times that a node may lack the state of the block that is the head


@dataclass(frozen=True)
class SyncResult:
    """What one synchronisation did.

    Attributes:
        tip: How far the index has come.
        logs: How many logs this process added.
        rolled_back_to: The lowest block that it went back to, or None.
    """

    tip: Tip
    logs: int = 0
    rolled_back_to: int | None = None


class Follower:
    """Keeps an index in step with a chain.

    Usage example::

        follower = Follower(chain, default_index_url(chain.profile, folder))
        follower.sync()
        for update in follower.follow():
            print(update.tip.number)

    Attributes:
        chain: What is followed.
        index: What is kept in step.
    """

    def __init__(self, chain: Chain, url: str) -> None:
        """Open the index.

        Args:
            chain: With the contracts to follow.
            url: URL of the index, in SQLite or PostgreSQL.

        Raises:
            ConfigError: The index cannot be used, or is of other contracts.
        """
        self.chain = chain
        self.index = EventIndex(chain.profile, url)
        tables = list(self.index.schema.events.values())
        self._decoder = LogDecoder(tables)
        addresses = sorted({table.address for table in tables})
        topics = sorted({table.event.topic for table in tables})
        self._filter = {
            "address": addresses,
            "topics": [["0x" + topic.hex() for topic in topics]],
        }
        self._blooms = (
            [_bloom(bytes.fromhex(address[2:])) for address in addresses],
            [_bloom(topic) for topic in topics],
        )
        self._second_word = SecondWord(chain, self.index, self._decoder, self._filter)
        self._range = BlockRange(_FIRST_RANGE, MAX_RANGE)
        self._careful = False
        self._has_audited = False
        # Nobody minds how much an endpoint of one's own is asked.
        self._is_local = all(endpoint.is_local for endpoint in chain.rpc.endpoints)

    def sync(self, to: int | None = None, progress: Progress | None = None) -> SyncResult:
        """Bring the index up to the chain's head.

        What is short of `to` by far is not held against the contracts: nodes forget old states.

        Args:
            to: Last block to fetch; the head if not given.
            progress: Called with blocks done and blocks in all.

        Raises:
            ChainError: The chain cannot be read.
            ConfigError: The index cannot be written.
        """
        result = SyncResult(self.index.tip())
        conflicts = refused = 0
        begin = result.tip.number
        ways = self._ways()
        self._careful = False
        while conflicts < _MAX_CONFLICTS:
            tip = self.index.tip()
            head = self._head(tip)
            if not self._still_there(tip):
                conflicts += 1
                result = self._go_back(tip, result)
                begin = min(begin, self.index.tip().number)
                continue
            target = head if to is None else min(to, head)
            if progress:
                progress(max(min(tip.number, target) - begin, 0), max(target - begin, 0))
            if tip.number >= target or not self._filter["address"]:
                try:
                    gap = self._find_gap(tip, head)
                except NodeError:
                    # The block may just have left the chain, or one machine of several lags.
                    refused += 1
                    if refused == _AUDITS:
                        raise
                    continue
                if gap is None:
                    return replace(result, tip=tip)
                result = self._reread(tip, gap, next(ways, None), result)
                begin = min(begin, self.index.tip().number)
                continue
            added = self._step(tip, target, head)
            if added is None:
                conflicts += self.index.tip() == tip  # else another process was faster
                if conflicts % _PATIENCE == 0 and conflicts:
                    self.chain.rpc.pass_over()  # it may tell of blocks that there are not
                time.sleep(min(0.01 * conflicts, 0.5))
            else:
                conflicts = 0
                result = replace(result, logs=result.logs + added)
        raise ChainUnavailableError(
            "the chain changes faster than it can be read; try again, or use another endpoint"
        )

    def follow(
        self,
        poll: float | None = None,
        stop: threading.Event | None = None,
        on_problem: Callable[[ChainError], None] | None = None,
    ) -> Iterator[SyncResult]:
        """Follow the head for ever, and yield whenever the tip has changed.

        An outage ends nothing: it is logged, and asking goes on.

        Args:
            poll: Seconds between questions; from the profile's block time if not given.
            stop: Set it to end the iteration.
            on_problem: Called with each outage.
        """
        pause = self.chain.profile.poll_seconds if poll is None else poll
        stop = stop or threading.Event()
        seen: Tip | None = None
        while not stop.is_set():
            try:
                result = self.sync()
            except ChainError as error:
                log.warning("cannot follow the chain: %s", error)
                if on_problem:
                    on_problem(error)
            else:
                if result.tip != seen:
                    seen = result.tip
                    yield result
            stop.wait(pause)

    def require_agreed(self) -> None:
        """Make sure that two endpoints, where there are two, tell of what the index holds.

        Of all that is final, by two endpoints' word too. What they do not have so is read again.
        `sync` before; afterwards the index may hold other events than before.

        Raises:
            EndpointsDisagreeError: No two endpoints tell of the same events, or blocks.
            ChainUnavailableError: Fewer answer than are needed.
        """
        if not self.chain.rpc.others() or not self._filter["address"]:
            return
        for _ in range(1 + len(self.chain.rpc.endpoints)):
            final = self.chain.final_block().number
            tip = self.index.tip()
            if tip.number < final:
                self.chain.prefer_farthest(final)
            elif self._second_word.is_heard(final):
                return
            else:
                log.warning("two endpoints tell of other events than the one that was read from")
                kept = self.index.stored_blocks(min(self.index.agreed(), tip.number - 1) + 1, 1)
                self.index.roll_back(tip, kept[0] if kept else None)
                self.chain.rpc.pass_over()
            self.sync()
        raise EndpointsDisagreeError(
            "chain endpoints tell of different events; wait, and if it stays so replace one"
        )

    # ------------------------------------------------------------------ what is missing

    def _find_gap(self, tip: Tip, head: int) -> str | None:
        """Hold what is new against the contracts' own figures; return what is missing."""
        audited = self.index.audited()
        if tip.hash is None or tip.number < head - NEAR_BLOCKS:
            return None
        if tip.number <= audited and self._has_audited:
            return None
        is_near = tip.number - audited <= NEAR_BLOCKS
        gap = find_gap(self.chain, self.index, tip, audited if is_near else None)
        if gap is None:
            self._has_audited = True
            if tip.number > audited:
                self.index.note_audit(tip)
        return gap

    def _ways(self) -> Iterator[tuple[bool, bool]]:
        """Yield how to read again what lacks something: whether with care, and from the start."""
        for _ in self.chain.rpc.endpoints[1:]:
            yield False, False
        yield True, False
        # What an older run took for whole may not be.
        for _ in self.chain.rpc.endpoints:
            yield True, True

    def _reread(
        self, tip: Tip, gap: str, way: tuple[bool, bool] | None, result: SyncResult
    ) -> SyncResult:
        """Take back what is not known to be whole, and choose how it is read again."""
        self._careful, is_whole = way or (False, False)
        audited = -1 if is_whole else self.index.audited()
        kept = self.index.stored_blocks(min(audited, tip.number - 1) + 1, 1)
        self.index.roll_back(tip, kept[0] if kept else None)
        number = self.index.tip().number
        if way is None:
            raise ChainUnavailableError(
                f"the chain's endpoints leave out {gap}; what they told is not kept, so add "
                "an endpoint with `truthmark init --rpc URL,URL` and run it again"
            )
        log.warning("an endpoint leaves out %s; reading again from block %d", gap, number + 1)
        if len(self.chain.rpc.endpoints) > 1:
            self.chain.rpc.pass_over()
        lowest = number if result.rolled_back_to is None else min(number, result.rolled_back_to)
        return replace(result, rolled_back_to=lowest)

    # ------------------------------------------------------------------ reorganisations

    def _head(self, tip: Tip) -> int:
        """Return the chain's height, of the endpoint that is farthest if one seems behind."""
        head = self.chain.height()
        return head if head >= tip.number else self.chain.prefer_farthest(tip.number)

    def _still_there(self, tip: Tip) -> bool:
        if tip.hash is None:
            return True
        block = self.chain.find_block(tip.number)
        return block is not None and block.hash == tip.hash

    def _go_back(self, tip: Tip, result: SyncResult) -> SyncResult:
        """Go back to the highest remembered block that the chain still has."""
        shared = self._shared_block(tip)
        if not self.index.roll_back(tip, shared):
            return result  # another process was faster
        number = self.index.schema.start - 1 if shared is None else shared.number
        log.info("reorganisation: back from block %d to %d", tip.number, number)
        lowest = number if result.rolled_back_to is None else min(number, result.rolled_back_to)
        return replace(result, rolled_back_to=lowest)

    def _shared_block(self, tip: Tip) -> StoredBlock | None:
        below, limit = tip.number, 16
        while stored := self.index.stored_blocks(below, limit):
            found = self.chain.blocks([block.number for block in stored])
            for ours, theirs in zip(stored, found, strict=True):
                if theirs is not None and theirs.hash == ours.hash:
                    return ours
            below, limit = stored[-1].number, min(limit * 4, 400)
        return None

    # ------------------------------------------------------------------ one step

    def _step(self, tip: Tip, target: int, head: int) -> int | None:
        """Add some blocks; return the number of logs, or None if the chain or index moved."""
        first = tip.number + 1
        near = max(NEAR_BLOCKS, _LOCAL_BLOCKS) if self._is_local else NEAR_BLOCKS
        settled = head - (_CAREFUL_BLOCKS if self._careful else near)
        size = min(self._range.size, _CAREFUL_RANGE) if self._careful else self._range.size
        last = min(first + size - 1, target)
        try:
            if first > settled:
                return self._step_near(tip, first, min(last, first + NEAR_BLOCKS - 1))
            return self._step_far(tip, first, min(last, settled))
        except BusyError:
            raise  # it was waited for, and shorter ranges are no help
        except (ChainUnavailableError, MalformedReplyError, NodeError) as error:
            # Too many blocks or logs at once, however this node says so.
            if first == last:
                raise
            self._shorten(first, last, str(error))
            return 0

    def _shorten(self, first: int, last: int, why: str) -> None:
        self._range.shorten(first, last)
        log.info("%s; asking for %d blocks at once", why, self._range.size)

    def _step_far(self, tip: Tip, first: int, last: int) -> int | None:
        begin, end = self.chain.blocks([first, last])
        if begin is None or end is None or not _follows(begin, tip):
            return None
        logs = self._timed(self._logs(first, last), begin, end)
        if logs is None:
            return None
        whole, is_agreed = self._agreed(logs, first, end)
        if whole is None:
            if first == last:
                raise EndpointsDisagreeError(
                    f"chain endpoints tell of different events in block {first}; replace one"
                )
            self._shorten(first, last, "endpoints tell of different events")
            return 0
        if any(whole.hashes.get(b.number, b.hash) != b.hash for b in (begin, end)):
            return None
        hashes, times = whole.hashes, whole.timestamps
        blocks = [StoredBlock(n, hashes[n], times[n], has_logs=True) for n in sorted(hashes)]
        return self._append(tip, whole, blocks, _stored(end, whole), is_agreed=is_agreed)

    def _timed(self, logs: Logs, begin: Block, end: Block) -> Logs | None:
        """Return logs with the time of each of their blocks, or None if the chain moved."""
        missing = sorted(logs.hashes.keys() - logs.timestamps.keys())
        headers = self.chain.blocks([end.number, *missing])
        found = {block.number: block for block in headers if block is not None}
        if found.get(end.number) != end or len(found) < len({end.number, *missing}):
            return None
        found[begin.number] = begin
        if any(logs.hashes.get(block.number, block.hash) != block.hash for block in found.values()):
            return None
        return logs.with_times({number: found[number].timestamp for number in missing})

    def _agreed(self, logs: Logs, first: int, end: Block) -> tuple[Logs | None, bool]:
        """Return what two places tell, or the fuller of two answers; None where each lacks some.

        The second one is another endpoint's that has come as far. Where there is no other, it is
        for the blocks from the last log on: an answer that was cut ends where the cut is.

        Returns:
            With it, whether two places tell of just that.
        """
        last = end.number
        used = self.chain.rpc.preferred
        answers, places = [logs], {used.place}
        for other in self.chain.rpc.endpoints:
            if other.place in places:
                continue
            try:
                second = self._second_word.ask(first, end, other)
            except (ChainUnavailableError, MalformedReplyError, NodeError) as error:
                log.info("cannot compare the events of blocks %d to %d: %s", first, last, error)
                continue
            if any(self._is_same(second, answer) for answer in answers):
                return second, True
            answers.append(second)
            places.add(other.place)
        if len(answers) > 1:
            for answer in answers:
                if all(other.places <= answer.places for other in answers):
                    return answer, False
            return None, False
        cut = max(logs.hashes, default=last)
        if cut == first or not logs.count:
            return logs, False
        tail = self._logs(cut, last)
        is_whole = tail.places == {p for p in logs.places if p[0] >= cut}
        return logs if is_whole else None, False

    def _is_same(self, one: Logs, other: Logs) -> bool:
        return (one.hashes, one.timestamps) == (other.hashes, other.timestamps) and (
            one.columns == other.columns or self.index.told_by(one) == self.index.told_by(other)
        )

    def _step_near(self, tip: Tip, first: int, last: int) -> int | None:
        headers = self.chain.blocks(range(first, last + 1))
        blocks: list[Block] = []
        before: Tip | Block = tip
        for number, header in enumerate(headers, first):
            if header is None or header.number != number or not _follows(header, before):
                return None
            blocks.append(header)
            before = header
        logs = self._logs_of(blocks[0]) if first == last else self._logs(first, last)
        by_number = {block.number: block for block in blocks}
        if any(by_number[number].hash != hash_ for number, hash_ in logs.hashes.items()):
            return None
        if first < last:
            for block in blocks:
                if not self._is_whole(block, logs):
                    self._shorten(first, last, "the answer leaves out events")
                    return 0
        stored = [_stored(block, logs) for block in blocks]
        return self._append(tip, logs, stored, stored[-1])

    def _is_whole(self, block: Block, logs: Logs) -> bool:
        """Tell whether the logs of a range hold all that its answer by hash does."""
        if block.number in logs.hashes:
            # An answer that was cut ends where the cut is.
            is_doubtful = self._careful or self._is_local or block.number == max(logs.hashes)
        else:
            # Almost always a chance hit of the filter.
            is_doubtful = self._may_hold_logs(block)
        if not is_doubtful:
            return True
        known = {place for place in logs.places if place[0] == block.number}
        return self._logs_of(block).places <= known

    def _append(
        self,
        tip: Tip,
        logs: Logs,
        blocks: Sequence[StoredBlock],
        new: StoredBlock,
        *,
        is_agreed: bool = False,
    ) -> int | None:
        if not self.index.append(tip, logs, blocks, new, is_agreed=is_agreed):
            return None
        self._range.note(new.number - tip.number, logs.count)
        return logs.count

    def _logs(self, first: int, last: int) -> Logs:
        query = {**self._filter, "fromBlock": hex(first), "toBlock": hex(last)}
        # Two rounds only: the usual reason for no answer is too long a range.
        return self._ask(query, first, last, 2)

    def _logs_of(self, block: Block) -> Logs:
        query = {**self._filter, "blockHash": "0x" + block.hash.hex()}
        return self._ask(query, block.number, block.number, 0)

    def _ask(self, query: Mapping[str, Any], first: int, last: int, attempts: int) -> Logs:
        return self.chain.rpc.parsed(
            "eth_getLogs",
            (query,),
            lambda result: self._decoder.decode(result, first, last),
            attempts=attempts,
        )

    def _may_hold_logs(self, block: Block) -> bool:
        bloom = int.from_bytes(block.logs_bloom, "big")
        return all(any(bloom & bits == bits for bits in group) for group in self._blooms)


def _follows(block: Block, before: Tip | Block) -> bool:
    """Tell whether a block is the child of another; anything follows on nothing."""
    return before.hash in (None, block.parent_hash)


def _stored(block: Block, logs: Logs) -> StoredBlock:
    return StoredBlock(block.number, block.hash, block.timestamp, block.number in logs.hashes)


def _bloom(value: bytes) -> int:
    """Return the bits that a value sets in a block's bloom filter (Yellow Paper, 4.3.1)."""
    digest = keccak256(value)
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return bits
