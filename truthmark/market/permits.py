# SPDX-License-Identifier: Apache-2.0
"""ERC-2612 permits: an allowance that comes with the call which uses it."""

from typing import TYPE_CHECKING, Any

from truthmark.errors import ChainError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import hash_words

if TYPE_CHECKING:
    from truthmark.chain.contracts import Contract
    from truthmark.session import Session

PERMIT_SECONDS = 3_600
_DOMAIN_TYPE = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)


def sign_permit(
    session: "Session", token: "Contract", spender: str, amount: int
) -> tuple[int, int, bytes, bytes] | None:
    """Sign a permit, where the token takes them.

    The token's domain is guessed from its name and the usual versions, and believed only if it
    hashes to the separator that the token reports: a wrong guess would be a useless signature.

    Returns:
        Deadline, v, r and s; or None where the token has no permits that we understand.

    Raises:
        ChainUnavailableError: The chain cannot be read.
    """
    functions, chain_id = token.functions, session.profile.chain_id
    try:
        name = functions.name().call()
        separator = bytes(functions.DOMAIN_SEPARATOR().call())
        nonce = functions.nonces(session.address).call()
    except ConnectionError:
        raise
    except ChainError:
        return None
    for version in ("1", "2"):
        if separator == hash_words(
            _DOMAIN_TYPE,
            keccak256(name.encode()),
            keccak256(version.encode()),
            chain_id,
            token.address,
        ):
            break
    else:
        return None
    deadline = session.chain.next_time() + PERMIT_SECONDS
    message: dict[str, Any] = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ],
        },
        "primaryType": "Permit",
        "domain": {
            "name": name,
            "version": version,
            "chainId": chain_id,
            "verifyingContract": token.address,
        },
        "message": {
            "owner": session.address,
            "spender": spender,
            "value": amount,
            "nonce": nonce,
            "deadline": deadline,
        },
    }
    signature = session.signer.sign_typed(message)
    return deadline, signature[64], signature[:32], signature[32:64]
