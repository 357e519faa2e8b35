# SPDX-License-Identifier: Apache-2.0
"""Keystore files as other wallets write them."""

import hashlib
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from truthmark.hashing import keccak256

KEY = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
ADDRESS = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b"

# As `cast wallet import` of Foundry writes it; the passphrase is "devnet".
FOUNDRY = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "1e2a9cfdfebdde2745054d46e69709d8"},
        "ciphertext": "263cd4e49a158019aa39278c5b55fa7bff023b2335bc4098b8dde6d1658d1848",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 4096,
            "r": 8,
            "p": 1,
            "salt": "5d080c2e31de1000d78c27838232ed6b",
        },
        "mac": "8af36e69eaaf46151f343f6c324e6b253f3328e50216a20dc46ea1cf50b41b2f",
    },
    "id": "b1c5c446-cb8b-4289-8db4-8b8c0cc72ac9",
    "version": 3,
}


def made(passphrase: str = "words", key: bytes = KEY, **how: int) -> dict[str, Any]:
    """Write a keystore by the definition of the format, with little work."""
    salt, iv = bytes(range(32)), bytes(range(16))
    if "c" in how:
        derived = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, how["c"], 32)
        kdf: dict[str, Any] = {"kdf": "pbkdf2", "kdfparams": {"prf": "hmac-sha256", **how}}
    else:
        how = {"n": 16, "r": 8, "p": 1, **how}
        derived = hashlib.scrypt(passphrase.encode(), salt=salt, dklen=32, **how)
        kdf = {"kdf": "scrypt", "kdfparams": dict(how)}
    kdf["kdfparams"] |= {"dklen": 32, "salt": salt.hex()}
    cipher = Cipher(algorithms.AES(derived[:16]), modes.CTR(iv)).encryptor()
    ciphertext = cipher.update(key)
    return {
        "address": ADDRESS[2:].lower(),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": iv.hex()},
            "ciphertext": ciphertext.hex(),
            "mac": keccak256(derived[16:32] + ciphertext).hex(),
            **kdf,
        },
        "version": 3,
    }
