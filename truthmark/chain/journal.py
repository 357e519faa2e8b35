# SPDX-License-Identifier: Apache-2.0
"""Transactions that take effect exactly once.

The rules, each of which holds if the process is killed between any two lines:

* An intent is on disk, synced, before anything is done about it.
* It is bound to one nonce by the same commit that keeps its signed transaction, which is broadcast
  only after that. From then on it never gets another nonce unless a block shows that the nonce
  was used up by something else; higher offers for a stuck transaction use the same nonce. So at
  most one transaction of an intent can ever be on one chain.
* What it concludes for good does not follow from one endpoint's word where there are two: that a
  transaction counts or was refused is not believed while another endpoint says otherwise, and it is
  bound to another nonce, or tried again, only when two agree that the old one cannot count.
* What comes too late (`Intent.not_after`) is not sent any more; if it was on its way, an empty
  transaction with the same nonce takes its place, or it the empty one's.
* Until it is confirmed, the same bytes are broadcast again and again; a reorganisation that drops
  it is only one more reason to. So at least one gets there.

Deciding when a transaction is stuck goes by blocks, not by anyone's clock.
"""

import contextlib
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from truthmark.chain.account_history import (
    AccountHistory,
    Finality,
    hash_of,
    outcome,
    outcome_of,
)
from truthmark.chain.agreement import (
    ADD_AN_ENDPOINT,
    ADD_ON_PAGE,
    agreed,
    can_be_sure,
    is_contradicted,
)
from truthmark.chain.connection import Block, Chain
from truthmark.chain.journal_store import (
    Attempt,
    Entry,
    JournalStore,
    State,
    open_store,
)
from truthmark.chain.offers import MAX_GAS, Fees, Offers
from truthmark.chain.replies import hex_int
from truthmark.chain.transactions import Intent, TransactionReceipt
from truthmark.config.units import to_checksum_address
from truthmark.errors import (
    ChainError,
    ChainUnavailableError,
    ConfigError,
    EndpointsDisagreeError,
    GasError,
    LateError,
    MalformedReplyError,
    NodeError,
    RevertedError,
    TransactionPendingError,
)
from truthmark.waiting import Deadline

log = logging.getLogger(__name__)

STUCK_BLOCKS = 3
"""A transaction that was passed over by so many blocks gets a higher offer."""

RECHECK_BLOCKS = 64
"""How deep `resume` looks for finished transactions that a reorganisation took back."""

EMPTY_GAS = 21_000
"""Of a transaction that does nothing but use up its nonce."""

MAX_FOREIGN = 64
"""How many transactions that the journal does not know may wait for the account."""

_REPEAT_SECONDS = 2.0  # between broadcasts of the same bytes
_GAP_SECONDS = 2.0  # how long a nonce must be missing before it is filled, at the least


class Signer(Protocol):
    """An account that can sign; eth-account's `LocalAccount` is one."""

    @property
    def address(self) -> Any:
        """The account's address."""

    def sign_transaction(self, transaction_dict: Any) -> Any:
        """Return an object with `raw_transaction` and `hash`."""


class Journal:
    """The transactions of one account on one chain.

    Any number of processes and threads may use the journal of the same account.

    Usage example::

        journal = Journal(chain, account, settings.home / "journal")
        journal.resume()
        receipt = journal.send(chain.market.functions.settle(terms).intent("settle:17:3"))
    """

    def __init__(
        self,
        chain: Chain,
        signer: Signer,
        folder: Path,
        *,
        max_gas_price: int | None = None,
        timeout: float = 600.0,
    ) -> None:
        """Name the journal; nothing is written yet.

        Args:
            chain: Where transactions go.
            signer: Whose transactions they are.
            folder: Of all journals of this home.
            max_gas_price: Wei; never offer more for a unit of gas.
            timeout: Seconds to wait for a transaction to be confirmed.
        """
        self.chain = chain
        self.address = to_checksum_address(str(signer.address))
        self._signer = signer
        self._offers = Offers(chain, self.address, max_gas_price)
        self._history = AccountHistory(chain, self.address)
        self._timeout = timeout
        # The first block's hash tells a local chain that was started again from the one before:
        # what took effect there has not taken effect here. It is the profile's, not an endpoint's.
        place = f"{chain.profile.chain_id}-{chain.genesis.hex()[:16]}"
        self._path = folder / place / f"{self.address}.sqlite"
        self._poll = chain.profile.poll_seconds
        self._broadcast_at: dict[str, float] = {}
        self._gap_since: tuple[int, float] | None = None
        self._last_problem = ""

    def send(self, intent: Intent, *, timeout: float | None = None) -> TransactionReceipt:
        """Send an intent and return its receipt once it is confirmed.

        One that was sent before is not sent again: its receipt is returned, or waited for. One
        that failed before (refused, before or after it was sent) is tried again.

        Raises:
            RevertedError: The contract refuses; the message is its reason.
            TransactionPendingError: It is not confirmed in time; asking again goes on waiting.
            ConfigError: The key stands for another transaction.
            ChainError: The chain cannot be read, or the account cannot pay.
        """
        self.submit(intent)
        return self.wait(intent.key, timeout=timeout)

    def submit(self, intent: Intent) -> None:
        """Send an intent without waiting for it; see `send`.

        Raises:
            RevertedError: The contract refuses; nothing was sent.
            ConfigError: The key stands for another transaction.
            ChainError: The chain cannot be read, or the account cannot pay; nothing was sent.
        """
        with open_store(self._path) as store:
            known = store.find(intent.key)
            if known is not None and known.state is State.FAILED:
                self._require_refused(known)
            entry = store.add(intent)
            if entry.state is not State.QUEUED:
                return
            try:
                self._bind(store, entry)
            except (ChainUnavailableError, MalformedReplyError, KeyboardInterrupt) as error:
                # The caller is told now; it must not go out later, unasked.
                if store.get(intent.key).state is State.QUEUED:
                    store.refuse(intent.key, str(error) or "interrupted; it was not sent")
                raise

    def wait(self, key: str, *, timeout: float | None = None) -> TransactionReceipt:
        """Return an intent's receipt once it is confirmed; see `send`."""
        for _ in self._turns(timeout):
            entry = self._advance(key)
            if entry.state is State.DONE and entry.receipt:
                return entry.receipt
            if entry.state is State.FAILED:
                raise RevertedError(entry.error or "the contract refuses")
        raise TransactionPendingError(
            f"transaction {key!r} is not confirmed yet{self._last_problem}; "
            "run the command again to go on waiting, nothing is sent twice"
        )

    def resume(self, *, timeout: float | None = None) -> list[TransactionReceipt]:
        """Finish what was begun before, by whatever process of this account.

        Sends what was decided on but not sent, broadcasts again what was sent but not confirmed,
        and watches again what a reorganisation of up to `RECHECK_BLOCKS` took back.

        Returns:
            A receipt for each that is on the chain now, also of those that a contract refused.

        Raises:
            TransactionPendingError: Some are not confirmed in time.
            ChainError: The chain cannot be read.
        """
        with open_store(self._path) as store:
            self._recheck(store)
            keys = [entry.intent.key for entry in store.unfinished()]
        left = list(keys)
        for _ in self._turns(timeout):
            try:
                while left and self._advance(left[0]).state in (State.DONE, State.FAILED):
                    left.pop(0)
            except ChainError as error:  # one that cannot be paid for must not hold up the others
                self._last_problem = f" ({error})"
            if not left:
                return [receipt for key in keys if (receipt := self.result(key))]
        raise TransactionPendingError(
            f"some transactions are not confirmed yet{self._last_problem}; run the command again"
        )

    def pending(self) -> list[Intent]:
        """Return what is not finished, in the order it will be."""
        with open_store(self._path) as store:
            return [entry.intent for entry in store.unfinished()]

    def next_nonce(self) -> int:
        """Return the nonce after what has happened so far, for an `Intent` that hangs on it.

        The smaller one where two endpoints differ: too small a nonce is never mined.
        """
        return self._offers.least("eth_getTransactionCount", self.address, "latest")

    def signed(self, prefix: str) -> list[tuple[Entry, int]]:
        """Return every entry whose key begins so and for which anything was ever signed, by age.

        With each comes the highest nonce it was ever bound to: once the account has used that up,
        nothing that was signed for the entry can be mined any more.
        """
        with open_store(self._path) as store:
            return [
                (entry, store.highest_nonce(entry.intent.key)) for entry in store.signed(prefix)
            ]

    def mined(self) -> int:
        """Return how many nonces transactions of this journal have used up."""
        with open_store(self._path) as store:
            return store.mined()

    def require_refused(self, to: str | None, data: bytes) -> None:
        """Make sure that an earlier transaction that did the same and failed did nothing.

        Before one that pays is sent again; where none failed, all is well.

        Raises:
            EndpointsDisagreeError: Another endpoint says otherwise.
            ConfigError: It is one endpoint's word only.
        """
        with open_store(self._path) as store:
            entries = [
                entry
                for entry in store.in_state(State.FAILED)
                if entry.receipt is not None and (entry.intent.to, entry.intent.data) == (to, data)
            ]
        if entries and not can_be_sure(self.chain.rpc, self.chain.profile.chain_id):
            doubt = (
                f"{entries[-1].intent.purpose or 'this'} was refused before, but only one chain "
                "endpoint says so, and it could be paid twice"
            )
            raise ConfigError(f"{doubt}; {ADD_AN_ENDPOINT}", page=f"{doubt}; {ADD_ON_PAGE}")
        for entry in entries:
            self._require_refused(entry)

    def _require_refused(self, entry: Entry) -> None:
        """Ask two endpoints, where there are two, whether what failed is so on the chain."""
        if entry.receipt is None:
            return  # nothing is bound to a nonce
        if entry.receipt.block_number > self.chain.final_block().number:
            raise EndpointsDisagreeError(
                f"{entry.intent.purpose or entry.intent.key} was refused a moment ago, and may yet "
                "come into another block; try again in a minute"
            )
        replies = agreed(
            self.chain.rpc,
            [
                ("eth_getTransactionReceipt", (entry.receipt.tx_hash,)),
                ("eth_getBlockByNumber", (hex(entry.receipt.block_number), False)),
            ],
            key=lambda replies: (outcome(replies[0]), hash_of(replies[1])),
        )
        if outcome(replies[0]) != outcome_of(entry.receipt) or (
            hash_of(replies[1]) != entry.receipt.block_hash
        ):
            raise EndpointsDisagreeError(
                f"{entry.intent.purpose or entry.intent.key} was refused, said a chain endpoint, "
                "which now says otherwise; use another one, nothing is sent again until two agree"
            )

    def result(self, key: str) -> TransactionReceipt | None:
        """Return the receipt of an intent that is finished on the chain, else None."""
        with open_store(self._path) as store:
            entry = store.find(key)
        return entry.receipt if entry else None

    def _turns(self, timeout: float | None) -> Iterator[None]:
        deadline = Deadline(self._timeout if timeout is None else timeout)
        while True:
            yield
            if deadline.is_over:
                return
            time.sleep(self._poll)

    def _advance(self, key: str) -> Entry:
        """Do what can be done now for an intent, and return how far it has come."""
        with open_store(self._path) as store:
            entry = store.get(key)
            # An outage is no reason to give up waiting: what was sent may well be mined.
            with self._outages_noted(), contextlib.suppress(RevertedError):
                if entry.state is State.QUEUED:
                    self._bind(store, entry)
                if entry.state is State.SENT:
                    self._process(store)
            return store.get(key)

    @contextlib.contextmanager
    def _outages_noted(self) -> Iterator[None]:
        try:
            yield
        except (ChainUnavailableError, MalformedReplyError) as error:
            self._last_problem = f" ({error})"
            log.info("%s", error)

    # ------------------------------------------------------------------ binding to a nonce

    def _bind(self, store: JournalStore, entry: Entry) -> None:
        """Choose a nonce, sign, keep, broadcast."""
        intent = entry.intent
        try:
            head = self.chain.block()
            if intent.is_late(head.timestamp):
                raise LateError(f"{intent.purpose or intent.key} comes too late; it was not sent")
            nonce = self._next_nonce(store)
            if intent.nonce not in (None, nonce):
                raise ChainError(
                    f"another transaction of {self.address} came before: {intent.purpose or 'it'} "
                    "was not sent; wait a moment and run the command again"
                )
            gas = intent.gas or self._offers.estimate(intent)
            if gas > MAX_GAS:
                raise ChainError(
                    f"{intent.purpose or intent.key} needs {gas} gas, one transaction may use "
                    f"{MAX_GAS}; split it"
                )
            fees = self._offers.fees(head)
            self._offers.require_funds(intent.value + gas * fees.max_fee)
        except (ChainUnavailableError, MalformedReplyError):
            raise
        except ChainError as error:
            store.refuse(intent.key, str(error))
            raise
        self._broadcast(self._sign(store, intent, nonce, gas, fees, head))

    def _next_nonce(self, store: JournalStore) -> int:
        """Return the first nonce that nothing uses; others may send for this account as well."""
        ours = store.next_nonce()
        moments = ("latest", "pending")
        replies = self.chain.rpc.batch(
            [("eth_getTransactionCount", (self.address, moment)) for moment in moments]
        )
        used, pending = map(hex_int, replies)
        if pending > max(used, ours) + MAX_FOREIGN:
            # One such answer would hold up the account for good.
            raise MalformedReplyError(
                f"a chain endpoint says that {pending - used} transactions of {self.address} wait; "
                "try another one"
            )
        return max(pending, ours)

    def _sign(
        self,
        store: JournalStore,
        intent: Intent,
        nonce: int,
        gas: int,
        fees: Fees,
        head: Block,
        *,
        cancels: bool = False,
    ) -> Attempt:
        transaction: dict[str, object] = {
            "chainId": self.chain.profile.chain_id,
            "nonce": nonce,
            "value": intent.value,
            "data": intent.data,
            "gas": gas,
        }
        if intent.to is not None:
            transaction["to"] = to_checksum_address(intent.to)
        if fees.tip is None:
            transaction["gasPrice"] = fees.max_fee
        else:
            transaction |= {"maxFeePerGas": fees.max_fee, "maxPriorityFeePerGas": fees.tip}
        signed = self._signer.sign_transaction(transaction)
        attempt = Attempt(
            tx_hash="0x" + bytes(signed.hash).hex(),
            nonce=nonce,
            raw=bytes(signed.raw_transaction),
            max_fee=fees.max_fee,
            tip=fees.tip or 0,
            gas=gas,
            height=head.number,
            cancels=cancels,
        )
        store.add_attempt(intent.key, attempt)
        return attempt

    def _broadcast(self, attempt: Attempt) -> None:
        """Hand a signed transaction to a node; whatever is said, watching goes on."""
        self._broadcast_at[attempt.tx_hash] = time.monotonic()
        with self._outages_noted():
            try:
                self.chain.rpc.call("eth_sendRawTransaction", "0x" + attempt.raw.hex())
            except (NodeError, RevertedError) as error:
                text = str(error)
                if "already" not in text.lower() and "nonce too low" not in text.lower():
                    self._last_problem = f" ({text})"
                log.info("broadcast of %s: %s", attempt.tx_hash, text)

    def _broadcast_again(self, attempt: Attempt) -> None:
        """Hand a transaction to a node that may have lost it, but not at every turn."""
        last = self._broadcast_at.get(attempt.tx_hash, -math.inf)
        if time.monotonic() - last >= _REPEAT_SECONDS:
            self._broadcast(attempt)

    # ------------------------------------------------------------------ watching

    def _process(self, store: JournalStore) -> None:
        """Process everything that is on its way, once."""
        replies = self.chain.rpc.batch(
            [
                ("eth_getBlockByNumber", ("latest", False)),
                ("eth_getTransactionCount", (self.address, "latest")),
                ("eth_getTransactionCount", (self.address, "pending")),
            ]
        )
        head, used, pending = Block.from_rpc(replies[0]), hex_int(replies[1]), hex_int(replies[2])
        for entry in store.finished_from_nonce(used):
            log.warning("%s was taken off the chain; sending it again", entry.intent.key)
            self._reopen(store, entry)
        entries = store.in_state(State.SENT)
        receipts, finality = self._history.receipts(entries), Finality(self.chain, head)
        for entry in entries:
            try:
                if (receipt := receipts[entry.intent.key]) is None:
                    self._process_one(store, entry, head, used)
                elif finality.has(receipt.block_number):
                    self._finish(store, entry, receipt)
            except ChainError as error:  # what stands in one's way must not hold up the others
                self._last_problem = f" ({error})"
                log.info("%s: %s", entry.intent.key, error)
        waiting = [a.nonce for e in entries if not receipts[e.intent.key] for a in e.attempts[:1]]
        if min(waiting, default=used) > used == pending:
            self._fill_gap(store, used, head)
        else:
            self._gap_since = None

    def _process_one(self, store: JournalStore, entry: Entry, head: Block, used: int) -> None:
        """Do what can be done for an entry without a receipt."""
        assert entry.nonce is not None  # as of every one in state SENT
        if entry.nonce < used:
            self._look_for_replacement(store, entry, head)
        elif entry.nonce == used:
            self._push(store, entry, head)
        elif not entry.intent.is_late(head.timestamp):
            self._broadcast_again(entry.attempts[-1])

    def _finish(self, store: JournalStore, entry: Entry, receipt: TransactionReceipt) -> None:
        """Take the outcome of a transaction that is deep enough for final."""
        block = self.chain.find_block(receipt.block_number)
        if block is None or "0x" + block.hash.hex() != receipt.block_hash:
            return  # taken off the chain since
        question = "eth_getTransactionReceipt", (receipt.tx_hash,)
        if is_contradicted(self.chain.rpc, question, outcome, outcome_of(receipt)):
            raise EndpointsDisagreeError(
                "two chain endpoints say different things about it; if it stays so replace one"
            )
        error = None if receipt.succeeded else self._history.why_refused(entry, receipt)
        if any(a.cancels and a.tx_hash == receipt.tx_hash for a in entry.attempts):
            error = f"{entry.intent.purpose or entry.intent.key} came too late and was cancelled"
        store.finish(entry.intent.key, receipt, error)
        self._last_problem = ""

    def _push(self, store: JournalStore, entry: Entry, head: Block) -> None:
        """Broadcast the transaction that is next in line; offer more if it is stuck."""
        last = entry.attempts[-1]
        outbid = head.base_fee is not None and head.base_fee > last.max_fee
        cancels = entry.intent.is_late(head.timestamp) or last.cancels
        if outbid or head.number - last.height > STUCK_BLOCKS or cancels != last.cancels:
            try:
                last = self._raise_offer(store, entry, head, cancels=cancels)
            except GasError as error:  # the old offer stands
                self._last_problem = f" ({error})"
        if cancels == last.cancels:
            self._broadcast_again(last)

    def _raise_offer(
        self, store: JournalStore, entry: Entry, head: Block, *, cancels: bool
    ) -> Attempt:
        """Sign for the same nonce again, at a price that nodes will take: the same, or nothing."""
        last = entry.attempts[-1]
        now = self._offers.fees(head)
        # Nodes want at least a tenth more on both figures to let go of what they hold.
        tip = None if now.tip is None else max(now.tip, last.tip * 9 // 8 + 1)
        max_fee = max(now.max_fee, last.max_fee * 9 // 8 + 1, tip or 0)
        # To cancel costs little, and what is late must not go out instead.
        if last.cancels or not cancels:
            self._offers.require_modest(max_fee, tip, now, entry.attempts[0])
        doing = "late; cancelling it for" if cancels else "stuck; offering"
        log.info("%s is %s %d wei a gas", entry.intent.key, doing, max_fee)
        intent, gas = entry.intent, last.gas
        if cancels:
            intent, gas = Intent(intent.key, self.address, b""), EMPTY_GAS
        fees = Fees(max_fee, tip)
        return self._sign(store, intent, last.nonce, gas, fees, head, cancels=cancels)

    def _look_for_replacement(self, store: JournalStore, entry: Entry, head: Block) -> None:
        """Find out what used up a nonce while no attempt of ours shows a receipt.

        Only the block in which something else did proves it: a node that merely forgot a receipt,
        or gives a state that is ahead of its newest block, must not make us pay twice.
        """
        nonce = entry.attempts[-1].nonce
        high = head.number - self.chain.profile.confirmations + 1
        if high < 1 or self._history.count(high) <= nonce:
            return  # not final yet
        # It was free when we signed.
        block = self._history.used_by(nonce, entry.attempts[0].height - RECHECK_BLOCKS, high)
        if self._history.is_others(entry, nonce, block, head.number):
            if self.chain.final_block().number < block:
                return  # one endpoint alone says that it is that deep
            if not can_be_sure(self.chain.rpc, self.chain.profile.chain_id):
                # Else one that lies has it sent once more, under another nonce.
                doubt = (
                    f"{entry.intent.purpose or entry.intent.key}: another program used its nonce, "
                    "but only one chain endpoint says so"
                )
                raise ConfigError(f"{doubt}; {ADD_AN_ENDPOINT}", page=f"{doubt}; {ADD_ON_PAGE}")
            if entry.intent.nonce is not None:
                store.refuse(
                    entry.intent.key,
                    f"another transaction of {self.address} took the place of this one "
                    f"({entry.intent.purpose or entry.intent.key}); run the command again",
                )
                return
            log.warning("nonce %d was used by another program; binding again", nonce)
            store.unbind(entry.intent.key)

    def _fill_gap(self, store: JournalStore, nonce: int, head: Block) -> None:
        """Use up a nonce that nothing known will use, so that later ones get their turn.

        It happens when another program's transaction was dropped after we had counted it.
        """
        now = time.monotonic()
        if self._gap_since is None or self._gap_since[0] != nonce:
            self._gap_since = nonce, now
        if now - self._gap_since[1] < max(_GAP_SECONDS, self.chain.profile.block_time):
            return
        log.warning("nobody uses nonce %d; filling it", nonce)
        key, purpose = f"fill-nonce:{nonce}", "fill a gap between transactions"
        intent = Intent(key, self.address, b"", 0, purpose, gas=EMPTY_GAS)
        try:
            fees = self._offers.fees(head)
        except GasError as error:
            self._last_problem = f" ({error})"
            return
        if store.add(intent).state is State.QUEUED:
            self._broadcast(self._sign(store, intent, nonce, EMPTY_GAS, fees, head))

    def _recheck(self, store: JournalStore) -> None:
        """Watch again what was finished lately but is not where it was."""
        head = self.chain.height()
        entries = store.finished_from_block(head - RECHECK_BLOCKS)
        receipts = self._history.receipts(entries)
        for entry in entries:
            now = receipts[entry.intent.key]
            if now is None or entry.receipt is None or now.block_hash != entry.receipt.block_hash:
                self._reopen(store, entry)

    def _reopen(self, store: JournalStore, entry: Entry) -> None:
        store.reopen(entry.intent.key)
        for attempt in entry.attempts:  # it is time to broadcast again
            self._broadcast_at.pop(attempt.tx_hash, None)
