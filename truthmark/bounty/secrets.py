# SPDX-License-Identifier: Apache-2.0
"""The secrets of requesters and labelers: derived, so that what is lost can be made again.

A labeler's e follows from the key they sign with and from the bounty, so a device that crashed
between signing and handing out seals the same labels to the same bytes. A requester draws 32
bytes for each bounty, which the vault holds before anything is sent; the bounty key, both salts and
the keys of items follow from them.
"""

import secrets
from dataclasses import dataclass
from typing import Final

from truthmark.bounty.reference import BountyRef
from truthmark.config.units import to_checksum_address
from truthmark.errors import BountyError
from truthmark.keys.abi_hash import hash_words, tag, word
from truthmark.keys.curve import N, address_of, is_valid, multiply
from truthmark.keys.vault import Vault
from truthmark.types import Point

KIND: Final = "bounty-secret"

_LABELER: Final = tag("truthmark/label-secret/1")
_KEY: Final = tag("truthmark/bounty-key/1")
_GOLD: Final = tag("truthmark/gold-salt/1")
_TERMS: Final = tag("truthmark/terms-salt/1")
_RECEIVER: Final = tag("truthmark/receiver-key/1")
_ITEMS: Final = tag("truthmark/items-secret/1")


def labeler_secret(private_key: bytes, ref: BountyRef, seed: bytes, worker: int) -> int:
    """Return e of a worker: always the same for a key, a bounty and a seed.

    Args:
        private_key: With which the worker signs, 32 bytes.
        ref: The bounty.
        seed: The bounty's; after a reorganisation that draws another one, there are other labels,
            and two sets of labels under one e would show each other.
        worker: The row of the roster.
    """
    return _scalar(
        hash_words(_LABELER, private_key, ref.chain_id, ref.board, ref.bounty_id, seed, worker)
    )


@dataclass(frozen=True, slots=True)
class RequesterSecrets:
    """All that a requester must not lose, from 32 bytes.

    Attributes:
        root: The 32 bytes.
    """

    root: bytes

    @property
    def scalar(self) -> int:
        """p, which opens all labels."""
        return _scalar(hash_words(_KEY, self.root))

    @property
    def key(self) -> Point:
        """P = p·G, for the terms."""
        return multiply(self.scalar)

    @property
    def gold_salt(self) -> bytes:
        """The salt of the gold commitment."""
        return hash_words(_GOLD, self.root)

    @property
    def terms_salt(self) -> bytes:
        """The salt of the terms."""
        return hash_words(_TERMS, self.root)

    @property
    def items_secret(self) -> bytes:
        """From which the keys of items follow (`truthmark.bounty.items`)."""
        return hash_words(_ITEMS, self.root)

    @property
    def receiver_key(self) -> bytes:
        """Signs acknowledgements, 32 bytes; so the account is not needed for them."""
        return word(_scalar(hash_words(_RECEIVER, self.root)))

    @property
    def receiver(self) -> str:
        """The account of that key, for the terms."""
        return to_checksum_address(address_of(multiply(int.from_bytes(self.receiver_key, "big"))))

    def __repr__(self) -> str:
        """Show nothing secret."""
        return f"<RequesterSecrets of the key {word(self.key.x).hex()}>"


def new_secrets(vault: Vault) -> RequesterSecrets:
    """Draw the secrets of a bounty and keep them; on disk when this returns.

    Raises:
        KeysError: They cannot be kept.
    """
    while True:
        found = RequesterSecrets(secrets.token_bytes(32))
        if is_valid(found.key):
            vault.put(KIND, _name(found.key), {"secret": found.root.hex()})
            return found


def find_secrets(vault: Vault, key: Point) -> RequesterSecrets:
    """Return the secrets of a bounty key.

    Args:
        vault: The requester's.
        key: P, of the terms.

    Raises:
        KeysError: The vault does not have them, or they are damaged.
        BountyError: They give another key.
    """
    record = vault.get(KIND, _name(key))
    try:
        found = RequesterSecrets(word(bytes.fromhex(record["secret"])))
    except (KeyError, TypeError, ValueError) as error:
        raise BountyError("the vault's bounty secret is damaged; restore a backup") from error
    if found.key != key:
        raise BountyError("the vault's bounty secret does not give its key; restore a backup")
    return found


def _name(key: Point) -> str:
    return word(key.x).hex()


def _scalar(digest: bytes) -> int:
    return 1 + int.from_bytes(digest, "big") % (N - 1)
