# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Signatures of Accounts and Contracts
@custom:contract-name signatures
@license AGPL-3.0-only
@author The Truthmark authors
@notice Whether an account, or a contract by ERC-1271, signed a digest.
@dev ECDSA comes first whatever code the signer has: an account that delegates its code (EIP-7702)
     still signs with its key. Nothing here relies on a signature being unique (what is used
     once is marked by its digest), so the mirrored s is no concern.
"""

# ---------------------------------------------------------------- constants

ERC1271_MAGIC: constant(bytes4) = 0x1626BA7E

# ---------------------------------------------------------------- internals


@internal
@view
def _is_signer(signer: address, digest: bytes32, signature: Bytes[1024]) -> bool:
    if len(signature) == 65:
        recovered: address = ecrecover(
            digest,
            convert(slice(signature, 64, 1), uint256),
            convert(slice(signature, 0, 32), uint256),
            convert(slice(signature, 32, 32), uint256),
        )
        if recovered != empty(address) and recovered == signer:
            return True
    if not signer.is_contract:
        return False
    # Static, so the signer can change nothing; what it returns beyond a word is not copied.
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        signer,
        abi_encode(digest, signature, method_id=ERC1271_MAGIC),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    return success and len(answer) == 32 and convert(answer, bytes32) == convert(
        ERC1271_MAGIC, bytes32
    )
