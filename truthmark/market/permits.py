# SPDX-License-Identifier: Apache-2.0
"""ERC-2612 permits: an allowance that comes with the call which uses it."""

from typing import TYPE_CHECKING

from truthmark.errors import ChainError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import hash_words
from truthmark.keys.typed import typed_data
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.contracts import Contract

PERMIT_SECONDS = 3_600
_DOMAIN_TYPE = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)


def sign_permit(
    session: Session, token: "Contract", spender: str, amount: int
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
    message = typed_data(
        "Permit",
        ("owner", "address", session.address),
        ("spender", "address", spender),
        ("value", "uint256", amount),
        ("nonce", "uint256", nonce),
        ("deadline", "uint256", deadline),
        chain_id=chain_id,
        contract=token.address,
        name=name,
        version=version,
    )
    signature = session.signer.sign_typed(message)
    return deadline, signature[64], signature[:32], signature[32:64]
