# SPDX-License-Identifier: Apache-2.0
"""What a transaction may cost: its gas, what is offered for it, and what the account holds."""

import contextlib
from dataclasses import dataclass

from truthmark.chain.connection import Block, Chain
from truthmark.chain.journal_store import Attempt
from truthmark.chain.replies import hex_int
from truthmark.chain.transactions import Intent
from truthmark.errors import (
    ChainUnavailableError,
    GasError,
    MalformedReplyError,
    NodeError,
)

MAX_GAS = 1 << 24
"""What one transaction may use (EIP-7825)."""

MAX_RAISE = 8
"""How many times what is asked now a stuck transaction may come to offer.

More helps against nothing: what is still passed over then was not passed on, or is held up by
something else, and an endpoint that is mended later would have it mined at the highest offer.
"""


@dataclass(frozen=True)
class Fees:
    """Wei for a unit of gas; without a tip on chains that know no base fee."""

    max_fee: int
    tip: int | None


class Offers:
    """Decides what is offered for the transactions of one account.

    Args:
        chain: Where they go.
        address: Whose they are.
        max_gas_price: Wei; never offer more for a unit of gas.
    """

    def __init__(self, chain: Chain, address: str, max_gas_price: int | None) -> None:
        """Ask nothing yet."""
        self._chain, self._address, self._max_gas_price = chain, address, max_gas_price

    def fees(self, head: Block) -> Fees:
        """Return what is offered now.

        Raises:
            GasError: Gas costs more than the limit.
            ChainError: The chain cannot be read.
        """
        if head.base_fee is None:
            price = self.least("eth_gasPrice")
            least = price
            fees = Fees(price, None)
        else:
            try:
                tip = self.least("eth_maxPriorityFeePerGas")
            except NodeError:
                tip = 10**9  # what wallets offer where nodes give no advice
            least = head.base_fee + tip
            fees = Fees(2 * head.base_fee + tip, tip)
        if self._max_gas_price is None:
            return fees
        if least > self._max_gas_price:
            raise GasError(
                f"gas costs {least / 1e9:.2f} gwei now, your limit is "
                f"{self._max_gas_price / 1e9:.2f}; wait, or raise max_gas_price_gwei"
            )
        return Fees(min(fees.max_fee, self._max_gas_price), fees.tip)

    def least(self, method: str, *params: object) -> int:
        """Return a number as an endpoint has it, or another one if that has a smaller one.

        Raises:
            ChainError: The chain cannot be read.
        """
        answers = [self._chain.rpc.parsed(method, params, hex_int)]
        for endpoint in self._chain.rpc.others():
            with contextlib.suppress(ChainUnavailableError, MalformedReplyError, NodeError):
                answers.append(hex_int(self._chain.rpc.call(method, *params, endpoint=endpoint)))
                break
        return min(answers)

    def estimate(self, intent: Intent) -> int:
        """Return how much gas a transaction may use, with a quarter to spare.

        Raises:
            RevertedError: The contract refuses.
            ChainError: The chain cannot be read.
        """
        question: dict[str, str] = {"from": self._address, "data": "0x" + intent.data.hex()}
        if intent.to is not None:
            question["to"] = intent.to
        if intent.value:
            question["value"] = hex(intent.value)
        used = self._chain.rpc.parsed("eth_estimateGas", (question, "pending"), hex_int)
        # State may have changed by the time it is mined; unused gas is not paid for.
        return min(used + used // 4, max(used, MAX_GAS))

    def require_funds(self, cost: int) -> None:
        """Refuse what no node would take: it would block the account's later transactions.

        Raises:
            GasError: The account holds less than `cost`, in wei.
        """
        held = self._chain.balance(self._address)
        if held < cost:
            show = self._chain.profile.native
            raise GasError(
                f"account {self._address} holds {show(held)}, this may cost {show(cost)}; "
                "send it some"
            )

    def require_modest(self, max_fee: int, tip: int | None, now: Fees, first: Attempt) -> None:
        """Refuse to raise an offer beyond what can help.

        Args:
            max_fee: What would be offered, in wei for a unit of gas.
            tip: Of it; None on chains that know no base fee.
            now: What would be offered to others.
            first: The first attempt at the same transaction.

        Raises:
            GasError: It is too much.
        """
        if self._max_gas_price is not None and max_fee > self._max_gas_price:
            raise GasError("a higher offer would be above max_gas_price_gwei; raise it")
        is_high = max_fee > MAX_RAISE * max(now.max_fee, first.max_fee)
        if is_high or (tip or 0) > MAX_RAISE * max(now.tip or 0, first.tip, 1):
            raise GasError(
                f"{MAX_RAISE} times what others pay is offered already; the endpoint may not pass "
                "transactions on, try another one"
            )
