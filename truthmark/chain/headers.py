# SPDX-License-Identifier: Apache-2.0
"""Headers of blocks, hashed here: an endpoint's word for a field counts only if it gives the hash.

The hash of a header is keccak256 of its fields as RLP has them, in the order of the protocol
(execution-specs); later fields came with later forks and are there or not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from truthmark.chain.replies import hex_bytes, hex_int
from truthmark.errors import MalformedReplyError
from truthmark.hashing import keccak256

_NUMBERS: Final = frozenset(
    {
        *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"),
        *("blobGasUsed", "excessBlobGas"),
    }
)
_FIELDS: Final = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot"),
    *("logsBloom", "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData"),
    *("mixHash", "nonce"),
)
_LATER_FIELDS: Final = (
    *("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas"),
    *("parentBeaconBlockRoot", "requestsHash"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """A header whose fields give its hash.

    Attributes:
        number: Height.
        hash: 32 bytes.
        mix_hash: What the beacon chain says of chance (EIP-4399), 32 bytes.
        timestamp: Chain time in seconds.
    """

    number: int
    hash: bytes
    mix_hash: bytes
    timestamp: int

    @classmethod
    def from_rpc(cls, reply: object) -> "Header":
        """Read JSON-RPC's block and hash its header.

        Raises:
            MalformedReplyError: It is not one, or its fields give another hash than it says.
        """
        if not isinstance(reply, Mapping):
            raise MalformedReplyError("a chain endpoint gives no block; try another one")
        digest = hex_bytes(reply.get("hash"))
        if keccak256(_encoded(reply)) != digest:
            raise MalformedReplyError(
                "a chain endpoint gives a block whose fields do not make its hash; try another "
                "one, or a newer release of Truthmark if the chain has changed its blocks"
            )
        return cls(
            number=hex_int(reply["number"]),
            hash=digest,
            mix_hash=hex_bytes(reply["mixHash"]),
            timestamp=hex_int(reply["timestamp"]),
        )


def _encoded(reply: Mapping[str, Any]) -> bytes:
    names = [*_FIELDS, *(name for name in _LATER_FIELDS if reply.get(name) is not None)]
    return _rlp_list([_field(name, reply.get(name)) for name in names])


def _field(name: str, value: object) -> bytes:
    if name not in _NUMBERS:
        return hex_bytes(value)
    number = hex_int(value)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _rlp_list(items: list[bytes]) -> bytes:
    payload = b"".join(
        item if len(item) == 1 and item[0] < 0x80 else _rlp_head(0x80, len(item)) + item
        for item in items
    )
    return _rlp_head(0xC0, len(payload)) + payload


def _rlp_head(kind: int, size: int) -> bytes:
    if size < 56:
        return bytes([kind + size])
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([kind + 55 + len(length)]) + length
