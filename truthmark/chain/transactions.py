# SPDX-License-Identifier: Apache-2.0
"""What is to be sent, and what became of it."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from truthmark.chain.replies import hex_bytes, hex_int
from truthmark.config.units import to_checksum_address
from truthmark.errors import MalformedReplyError


@dataclass(frozen=True)
class Intent:
    """One transaction that somebody has decided on.

    Attributes:
        key: Its name in the journal: under one key at most one transaction ever takes effect.
        to: The contract, or None to deploy one.
        data: Calldata or creation code.
        value: Wei to send along.
        purpose: Said to people.
        gas: A limit, where an estimate will not do.
        not_after: Chain time after which it must not be sent any more, Unix time. It may still be
            mined later if it was on its way.
        nonce: The only one it may have, for what was decided on by the account's history so far:
            where anything else of the account comes in between, it is not sent, or fails.
    """

    key: str
    to: str | None
    data: bytes = field(repr=False)
    value: int = 0
    purpose: str = ""
    gas: int | None = None
    not_after: int | None = None
    nonce: int | None = None

    def is_late(self, now: int) -> bool:
        """Whether it must not be sent any more, at a chain time."""
        return self.not_after is not None and now > self.not_after


@dataclass(frozen=True)
class TransactionReceipt:
    """A transaction that is on the chain.

    Attributes:
        tx_hash: As 0x text.
        block_number: Where it is.
        block_hash: As 0x text.
        succeeded: False if the contract refused; only gas was spent then.
        gas_used: Units of gas.
        gas_price: Wei paid for each.
        contract_address: Of a new contract, else None.
        logs: As JSON-RPC has them; `Contract.logs` decodes them.
    """

    tx_hash: str
    block_number: int
    block_hash: str
    succeeded: bool
    gas_used: int
    gas_price: int
    contract_address: str | None
    logs: tuple[dict[str, Any], ...] = field(repr=False)

    @property
    def cost(self) -> int:
        """Wei paid for gas."""
        return self.gas_used * self.gas_price

    @classmethod
    def from_rpc(cls, reply: object) -> "TransactionReceipt | None":
        """Read JSON-RPC's receipt; None where the transaction is not on the chain.

        Raises:
            MalformedReplyError: It is not a receipt.
        """
        if reply is None:
            return None
        if not isinstance(reply, dict) or not isinstance(reply.get("logs"), list):
            raise MalformedReplyError("a chain endpoint gives no receipt; try another one")
        created = reply.get("contractAddress")
        address = hex_bytes(created) if created else None
        if address is not None and len(address) != 20:
            raise MalformedReplyError("a chain endpoint gives a damaged address; try another one")
        for log in reply["logs"]:
            if not isinstance(log, dict) or not isinstance(log.get("topics"), list):
                raise MalformedReplyError("a chain endpoint gives damaged logs; try another one")
        return cls(
            tx_hash="0x" + hex_bytes(reply.get("transactionHash")).hex(),
            block_number=hex_int(reply.get("blockNumber")),
            block_hash="0x" + hex_bytes(reply.get("blockHash")).hex(),
            succeeded=hex_int(reply.get("status")) == 1,
            gas_used=hex_int(reply.get("gasUsed")),
            gas_price=hex_int(reply.get("effectiveGasPrice", "0x0")),
            contract_address=None if address is None else to_checksum_address("0x" + address.hex()),
            logs=tuple(reply["logs"]),
        )

    def to_json(self) -> str:
        """Return what `from_json` takes."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "TransactionReceipt":
        """Read what `to_json` wrote."""
        data = json.loads(text)
        return cls(**{**data, "logs": tuple(data["logs"])})
