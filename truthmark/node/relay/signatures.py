# SPDX-License-Identifier: Apache-2.0
"""Whether an account signed something (a key, or a contract by ERC-1271), and what a gate says."""

from typing import TYPE_CHECKING, Final

from truthmark.bounty.reader import INTAKE
from truthmark.bounty.terms import NO_ACCOUNT
from truthmark.chain.replies import hex_bytes
from truthmark.errors import NodeError, RevertedError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import address_bytes, word
from truthmark.keys.typed import TypedData, digest, signer_of

if TYPE_CHECKING:
    from truthmark.chain.connection import Chain

GATE_GAS: Final = 100_000
"""What the intake gives a gate."""

_SIGNATURE_GAS: Final = 1_000_000
_CALL_GAS: Final = 22_088  # of a transaction, with the question's 68 bytes
_MAGIC: Final = bytes.fromhex("1626ba7e")
_ADMITS: Final = keccak256(b"admits(uint256,address)")[:4]


def is_signed_by(chain: "Chain", message: TypedData, signature: bytes, account: str) -> bool:
    """Return whether an account signed a message: ECDSA first, then ERC-1271.

    Raises:
        ChainError: The chain cannot be read.
    """
    signer = signer_of(message, signature)
    if signer is not None and address_bytes(signer) == address_bytes(account):
        return True
    if not chain.code(account):
        return False
    padded = signature + bytes(-len(signature) % 32)
    data = _MAGIC + digest(message) + word(64) + word(len(signature)) + padded
    answer = _ask(chain, account, data, _SIGNATURE_GAS)
    return len(answer) >= 32 and answer[:32] == _MAGIC + bytes(28)


def admits(chain: "Chain", gate: str, bounty_id: int, account: str) -> bool:
    """Return whether a gate admits an account, as the intake would ask it.

    Raises:
        ChainError: The chain cannot be read.
    """
    data = _ADMITS + word(bounty_id) + word(account)
    asker = getattr(chain, INTAKE).address
    answer = _ask(chain, gate, data, GATE_GAS + _CALL_GAS, asker)
    return answer[:32] == word(1)


def _ask(chain: "Chain", contract: str, data: bytes, gas: int, asker: str = NO_ACCOUNT) -> bytes:
    """Return what a stranger's contract answers; nothing where it refuses."""
    call = {"from": asker, "to": contract, "data": "0x" + data.hex(), "gas": hex(gas)}
    try:
        return chain.rpc.parsed("eth_call", (call, "latest"), hex_bytes)
    except RevertedError:
        return b""
    except NodeError as error:
        if "gas" in str(error).lower():  # it used up all of it
            return b""
        raise
