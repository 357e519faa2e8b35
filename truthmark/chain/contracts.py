# SPDX-License-Identifier: Apache-2.0
"""Calls to contracts on a chain, typed by their compiled artifacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from truthmark.chain.abi import Artifact, Function
from truthmark.chain.replies import hex_bytes, hex_int
from truthmark.chain.rpc import RpcClient
from truthmark.chain.sheets import Request
from truthmark.chain.transactions import Intent

BlockId = int | str | bytes
"""A number, a tag such as "latest", or a hash (then the block must be of the chosen branch)."""


def block_param(block: BlockId) -> object:
    """Write a block as JSON-RPC has it (hashes by EIP-1898)."""
    if isinstance(block, bytes):
        return {"blockHash": "0x" + block.hex(), "requireCanonical": True}
    return hex(block) if isinstance(block, int) else block


@dataclass(frozen=True)
class Log:
    """An event that a contract has logged.

    Attributes:
        contract: Role of the contract in the profile.
        event: Such as "Purchased".
        args: Values by name.
        index: Place in its block.
    """

    contract: str
    event: str
    args: Mapping[str, Any]
    index: int


@dataclass(frozen=True)
class Call:
    """A function of a contract with its arguments: read it, or make a transaction of it."""

    contract: "Contract"
    function: Function
    data: bytes = field(repr=False)

    def call(self, *, block: BlockId = "latest", sender: str | None = None, value: int = 0) -> Any:
        """Run it on a node and return what it returns; nothing is changed.

        Args:
            block: The state to run on.
            sender: Address to run as.
            value: Wei to send along.

        Raises:
            RevertedError: The contract refuses; the message is its reason.
            ChainError: The chain cannot be read.
        """
        request = self.request(block=block, sender=sender, value=value)
        return self.contract.rpc.parsed(*request, self.decode)

    def request(
        self, *, block: BlockId = "latest", sender: str | None = None, value: int = 0
    ) -> Request:
        """Return the JSON-RPC question of `call`."""
        transaction = {"to": self.contract.address, "data": "0x" + self.data.hex()}
        if sender is not None:
            transaction["from"] = sender
        if value:
            transaction["value"] = hex(value)
        return "eth_call", (transaction, block_param(block))

    def decode(self, result: object) -> Any:
        """Decode the answer to `request`.

        Raises:
            MalformedReplyError: It is not an answer of this function.
        """
        return self.function.decode(hex_bytes(result))

    def intent(
        self,
        key: str,
        purpose: str = "",
        *,
        value: int = 0,
        gas: int | None = None,
        not_after: int | None = None,
        nonce: int | None = None,
    ) -> Intent:
        """Make a transaction of it, to be sent through the journal.

        Args:
            key: What happens at most once under this name.
            purpose: Said to people.
            value: Wei to send along.
            gas: A limit, where an estimate will not do.
            not_after: Chain time after which it must not be sent any more.
            nonce: The only one it may have.
        """
        return Intent(
            key=key,
            to=self.contract.address,
            data=self.data,
            value=value,
            purpose=purpose or f"{self.contract.role}.{self.function.name}",
            gas=gas,
            not_after=not_after,
            nonce=nonce,
        )


class Functions:
    """The functions of a contract as attributes, which make a `Call` of their arguments."""

    def __init__(self, contract: "Contract") -> None:
        self._contract = contract

    def __getattr__(self, name: str) -> "BoundFunction":
        if name not in self._contract.artifact.functions:
            raise AttributeError(f"{self._contract.artifact.name} has no function {name}")
        return BoundFunction(self._contract, name)

    def __dir__(self) -> list[str]:
        return sorted(self._contract.artifact.functions)


@dataclass(frozen=True)
class BoundFunction:
    """A function of a contract; call it with its arguments to get a `Call`."""

    contract: "Contract"
    name: str

    def __call__(self, *args: Any, **kwargs: Any) -> Call:
        """Encode the arguments.

        Raises:
            ConfigError: The function does not take them.
        """
        function = self.contract.artifact.function(self.name, args, kwargs)
        rest = [kwargs[part.name] for part in function.inputs[len(args) :]]
        return Call(self.contract, function, function.encode([*args, *rest]))


class Contract:
    """A deployed contract.

    Usage example::

        price = chain.registry.functions.price_of(17).call()
        journal.send(chain.market.functions.withdraw(token, me, 0).intent("withdraw:1"))

    Attributes:
        rpc: Where it is.
        role: Its name in the profile, such as "market".
        address: With ERC-55 capitals.
        artifact: What was compiled.
        functions: Its functions as attributes.
    """

    def __init__(self, rpc: RpcClient, role: str, address: str, artifact: Artifact) -> None:
        self.rpc = rpc
        self.role = role
        self.address = address
        self.artifact = artifact
        self.functions = Functions(self)

    def __repr__(self) -> str:
        return f"<{self.artifact.name} at {self.address}>"

    def logs(self, entries: Sequence[Mapping[str, Any]]) -> list[Log]:
        """Decode this contract's events among the `logs` of a receipt.

        Raises:
            MalformedReplyError: A log of a known event cannot be decoded.
        """
        found = []
        for entry in entries:
            topics = [hex_bytes(topic) for topic in entry["topics"]]
            if entry["address"].lower() != self.address.lower() or not topics:
                continue
            if event := self.artifact.events.get(topics[0]):
                args = event.decode(topics, hex_bytes(entry["data"]))
                found.append(Log(self.role, event.name, args, hex_int(entry["logIndex"])))
        return found
