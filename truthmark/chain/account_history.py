# SPDX-License-Identifier: Apache-2.0
"""What the chain says of an account: the nonces that are used up, and what became of what."""

from functools import cached_property
from typing import Any, NamedTuple

from truthmark.chain.agreement import agreed
from truthmark.chain.connection import Block, Chain
from truthmark.chain.contracts import block_param
from truthmark.chain.journal_store import Entry
from truthmark.chain.replies import hex_int
from truthmark.chain.transactions import TransactionReceipt
from truthmark.errors import (
    ChainUnavailableError,
    MalformedReplyError,
    NodeError,
    RevertedError,
)


class Finality:
    """Which blocks are deep enough, as seen from one head.

    Of two heights that are told the lower one counts. The other endpoint is asked once, and only
    where a block may be deep enough; it is not waited for.

    Args:
        chain: Which is asked.
        head: The newest block by one endpoint's word.
    """

    def __init__(self, chain: Chain, head: Block) -> None:
        """Ask nothing yet."""
        self._chain, self._head = chain, head

    def has(self, number: int) -> bool:
        """Tell whether a block has the profile's confirmations.

        Args:
            number: Its height.

        Raises:
            EndpointsDisagreeError: Endpoints are far apart.
        """
        deepest = number + max(self._chain.profile.confirmations, 1) - 1
        # The height can only be lower than that of the head.
        return deepest <= self._head.number and deepest <= self._height

    @cached_property
    def _height(self) -> int:
        if not self._chain.rpc.others():
            return self._head.number
        try:
            return min(self._head.number, self._chain.common_height(waits=False))
        except ChainUnavailableError:
            return self._head.number  # nobody else answers, so nobody contradicts


class AccountHistory:
    """What became of the transactions of one account.

    Args:
        chain: Which is asked.
        address: The account's.
    """

    def __init__(self, chain: Chain, address: str) -> None:
        """Ask nothing yet."""
        self._chain, self._address = chain, address

    def count(self, block: int | str | bytes) -> int:
        """Return how many nonces the account has used up in a block's state."""
        params = (self._address, block_param(block))
        return self._chain.rpc.parsed("eth_getTransactionCount", params, hex_int)

    def is_used(self, nonce: int, block: int) -> bool:
        """Return whether a block's state is known, and the nonce used up there.

        Most nodes keep the states of the last blocks only: it is searched among those.
        """
        try:
            return self.count(block) > nonce
        except NodeError:
            return False

    def used_by(self, nonce: int, start: int, high: int) -> int:
        """Return the first block after which a nonce is used up.

        Args:
            nonce: Which is used up after `high`.
            start: A block after which it was probably free.
            high: The last block to consider.
        """
        low = start if 0 < start < high and not self.is_used(nonce, start) else 0
        while low < high:
            middle = (low + high) // 2
            if self.is_used(nonce, middle):
                high = middle
            else:
                low = middle + 1
        return low

    def is_others(self, entry: Entry, nonce: int, number: int, head: int) -> bool:
        """Return whether endpoints agree that a block used a nonce up by none of our attempts.

        A transaction of the account in the block says so by itself. Where there is none (an
        authorization of the account may have used the nonce up), the states before and after say
        it; but not those of the newest block. While a node works on the next one, the state that it
        gives for the newest may be ahead of what stands in it, and the nonce is used up by what we
        have sent ourselves.

        Args:
            entry: Whose attempts are ours.
            nonce: That all of them have.
            number: Of the block.
            head: Number of the newest block.

        Raises:
            EndpointsDisagreeError: They do not agree.
        """
        (reply,) = agreed(
            self._chain.rpc,
            [("eth_getBlockByNumber", (hex(number), True))],
            key=lambda replies: (hash_of(replies[0]), transactions_in(replies[0])),
        )
        ours = {attempt.tx_hash for attempt in entry.attempts}
        transactions = transactions_in(reply)
        if any(tx.hash in ours for tx in transactions):
            return False
        if any((tx.sender, tx.nonce) == (self._address.lower(), nonce) for tx in transactions):
            return True
        if number >= head:
            return False
        block = Block.from_rpc(reply)
        counts = agreed(
            self._chain.rpc,
            [
                ("eth_getTransactionCount", (self._address, block_param(hash_)))
                for hash_ in (block.parent_hash, block.hash)
            ],
        )
        before, after = map(hex_int, counts)
        return before <= nonce < after

    def receipts(self, entries: list[Entry]) -> dict[str, TransactionReceipt | None]:
        """Return for each key the receipt of whichever attempt is on the chain.

        Raises:
            MalformedReplyError: An endpoint gives another transaction's.
        """
        pairs = [(entry.intent.key, a.tx_hash) for entry in entries for a in entry.attempts]
        replies = self._chain.rpc.batch(
            [("eth_getTransactionReceipt", (tx_hash,)) for _, tx_hash in pairs]
        )
        found: dict[str, TransactionReceipt | None] = {entry.intent.key: None for entry in entries}
        for (key, tx_hash), reply in zip(pairs, replies, strict=True):
            receipt = TransactionReceipt.from_rpc(reply)
            if receipt is None:
                continue
            if receipt.tx_hash != tx_hash:
                raise MalformedReplyError("a chain endpoint gives another receipt; try another one")
            found[key] = receipt
        return found

    def why_refused(self, entry: Entry, receipt: TransactionReceipt) -> str:
        """Ask a node why a transaction was refused, by running it again around its block.

        Args:
            entry: What was sent.
            receipt: That of the attempt which is on the chain.
        """
        intent = entry.intent
        if receipt.gas_used >= entry.attempts[-1].gas:
            return f"transaction {receipt.tx_hash} ran out of gas; give it a higher limit"
        question = {"from": self._address, "data": "0x" + intent.data.hex()}
        question |= {"gas": hex(entry.attempts[-1].gas), "value": hex(intent.value)}
        if intent.to is not None:
            question["to"] = intent.to
        # What made it fail may have happened before it in its own block.
        for block in (receipt.block_number - 1, receipt.block_number):
            try:
                self._chain.rpc.call("eth_call", question, block_param(block))
            except RevertedError as error:
                return str(error)
            except NodeError:
                break  # the state is too old for this node
        return f"transaction {receipt.tx_hash} was refused in block {receipt.block_number}"


def outcome(reply: object) -> tuple[str, str, bool] | None:
    """Return of a receipt what two endpoints must say alike."""
    receipt = TransactionReceipt.from_rpc(reply)
    return None if receipt is None else outcome_of(receipt)


def outcome_of(receipt: TransactionReceipt) -> tuple[str, str, bool]:
    """Return the same of a receipt: hashes of transaction and block, and whether it succeeded."""
    return receipt.tx_hash, receipt.block_hash, receipt.succeeded


def hash_of(reply: object) -> str:
    """Return the hash of a block as an endpoint gives it, as 0x text."""
    return "0x" + Block.from_rpc(reply).hash.hex()


class Sent(NamedTuple):
    """A transaction as it stands in a block; 0x texts are in lower case."""

    hash: str
    sender: str
    nonce: int


def transactions_in(reply: Any) -> frozenset[Sent]:
    """Return the transactions of a block that was asked for with all of them.

    Raises:
        MalformedReplyError: It is no such block.
    """
    try:
        return frozenset(
            Sent(tx["hash"].lower(), tx["from"].lower(), hex_int(tx["nonce"]))
            for tx in reply["transactions"]
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise MalformedReplyError(
            "a chain endpoint gives a damaged block; try another one"
        ) from error
