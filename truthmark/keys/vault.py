# SPDX-License-Identifier: Apache-2.0
"""Where secrets are kept: sellers' secrets, purchase keys, custodians' shares.

One file an entry, written once, fsynced, and never replaced; so a kill at any moment leaves every
entry that `put` returned from, whole, and nobody loses a secret to a later one. Anyone who sends
something that depends on a secret puts the secret here first.

Entries are plain JSON behind the owner's file permissions (mode 0600 in a folder of 0700), as a
daemon must read them without a person. Backups are encrypted: scrypt (RFC 7914) and AES-256-GCM.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from truthmark.errors import KeysError, PassphraseError
from truthmark.keys.abi_hash import address_bytes, word
from truthmark.keys.curve import N, multiply, require_valid
from truthmark.keys.files import make_private_folder, read_limited, write_new
from truthmark.keys.purchase import PurchaseKey
from truthmark.types import Point

Record = dict[str, Any]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,199}")
_MAX_ENTRY_BYTES: Final = 64 * 1024
_MAX_BACKUP_BYTES: Final = 256 * 1024 * 1024

_BACKUP_MAGIC: Final = b"TMKB\x01"
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_HEADER_BYTES: Final = len(_BACKUP_MAGIC) + 1 + _SALT_BYTES + _NONCE_BYTES
SCRYPT_LOG_WORK: Final = 17
"""log2 of scrypt's N in backups: about half a second and 128 MiB (r = 8, p = 1)."""
_MAX_LOG_WORK: Final = 20


class Vault:
    """A folder of secrets.

    Args:
        folder: Created when the first entry is put.
    """

    def __init__(self, folder: Path) -> None:
        """Look at a folder, which need not exist yet."""
        self.folder = folder

    def put(self, kind: str, name: str, record: Record) -> None:
        """Keep a record for ever; on disk when this returns. The same again does nothing.

        Args:
            kind: What it is, in lower case, as of a folder.
            name: Its own name within the kind, in lower case, as of a file.
            record: JSON values.

        Raises:
            KeysError: Another record has this name (it was left alone), or it cannot be written.
        """
        path = self._path(kind, name)
        make_private_folder(self.folder)
        data = _encode(record)
        if len(data) > _MAX_ENTRY_BYTES:
            raise KeysError(f"an entry of {len(data)} bytes is too large for the vault")
        try:
            write_new(path, data)
        except FileExistsError as error:
            if _encode(self.get(kind, name)) != data:
                raise KeysError(
                    f"the vault has another {kind} {name}; the old one was kept, look into {path}"
                ) from error

    def require_writable(self) -> None:
        """Find out early whether something can be put.

        Raises:
            KeysError: Nothing can be written there.
        """
        make_private_folder(self.folder)
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise KeysError(f"nothing can be written into {self.folder}; check its rights")

    def find(self, kind: str, name: str) -> Record | None:
        """Return a record, or None where there is none.

        Raises:
            KeysError: The name is unusable, or the file cannot be read.
        """
        path = self._path(kind, name)
        try:
            data = read_limited(path, _MAX_ENTRY_BYTES)
        except FileNotFoundError:
            return None
        return _decode(data, str(path))

    def get(self, kind: str, name: str) -> Record:
        """Return a record.

        Raises:
            KeysError: There is none, or it cannot be read.
        """
        record = self.find(kind, name)
        if record is None:
            raise KeysError(
                f"the vault in {self.folder} has no {kind} {name}; restore a backup that has it"
            )
        return record

    def names(self, kind: str) -> list[str]:
        """Return the names of a kind's records in order."""
        self._path(kind, "any")
        return sorted(
            path.stem for path in (self.folder / kind).glob("*.json") if _NAME.fullmatch(path.stem)
        )

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield kind and name of every record in order."""
        if self.folder.is_dir():
            for folder in sorted(self.folder.iterdir()):
                if folder.is_dir() and _NAME.fullmatch(folder.name):
                    for name in self.names(folder.name):
                        yield folder.name, name

    # ------------------------------------------------------------ what is kept

    def put_seller_secret(self, secret: int, **details: str | int) -> Point:
        """Keep the secret s of a version; returns its dataset key.

        Args:
            secret: s, 0 < s < N.
            details: Whatever helps a person to tell versions apart.

        Raises:
            KeysError: The secret cannot be used or kept.
        """
        dataset_key = multiply(secret)
        require_valid(dataset_key, "the dataset key of this secret")
        self.put(
            "seller-secret",
            word(dataset_key.x).hex(),
            {"secret": word(secret % N).hex(), "y": word(dataset_key.y).hex(), **details},
        )
        return dataset_key

    def seller_secret(self, dataset_key: Point) -> int:
        """Return the secret s of a dataset key.

        Raises:
            KeysError: The vault does not have it.
        """
        record = self.get("seller-secret", word(dataset_key.x).hex())
        return _checked_scalar(record, dataset_key, "seller secret")

    def put_purchase_key(self, key: PurchaseKey) -> None:
        """Keep the key of a purchase; before the purchase is sent.

        Raises:
            KeysError: Another key is kept for this chain, market and salt, or it cannot be kept.
        """
        self.put(
            "purchase-key", _purchase_name(key.chain_id, key.market, key.salt), key.to_record()
        )

    def find_purchase_key(self, chain_id: int, market: str, salt: bytes) -> PurchaseKey | None:
        """Return the key of the purchase with this salt, or None.

        Raises:
            KeysError: The entry is damaged.
        """
        record = self.find("purchase-key", _purchase_name(chain_id, market, salt))
        return None if record is None else PurchaseKey.from_record(record)

    def put_share(self, share: int, custody_id: bytes, custodian: int) -> None:
        """Keep a custodian's share; before custody is accepted.

        Args:
            share: s_j, 0 < s_j < N.
            custody_id: The custody it is of, 32 bytes.
            custodian: j, counted from 1.

        Raises:
            KeysError: Another share is kept there, or it cannot be used or kept.
        """
        if not 0 < share < N:
            raise KeysError("a share must be a scalar from 1 to N - 1; open it from the bundle")
        self.put("share", _share_name(custody_id, custodian), {"secret": word(share).hex()})

    def find_share(self, custody_id: bytes, custodian: int, share_key: Point) -> int | None:
        """Return a share that fits its share key, or None where none is kept.

        Raises:
            KeysError: What is kept is not the share of `share_key`.
        """
        record = self.find("share", _share_name(custody_id, custodian))
        return None if record is None else _checked_scalar(record, share_key, "share")

    def mark_repeatable(self, account: str) -> None:
        """Remember that a wallet answered twice alike (see `purchase.derive_key`).

        Raises:
            KeysError: It cannot be kept, or `account` is not an address.
        """
        self.put("repeatable", address_bytes(account).hex(), {"repeatable": True})

    def is_repeatable(self, account: str) -> bool:
        """Whether `mark_repeatable` was called for this account."""
        return self.find("repeatable", address_bytes(account).hex()) is not None

    # ----------------------------------------------------------------- backups

    def backup(self, path: Path, passphrase: str, *, log_work: int = SCRYPT_LOG_WORK) -> int:
        """Write all entries into one encrypted file.

        Args:
            path: The file; must not exist.
            passphrase: Opens it; not empty.
            log_work: log2 of scrypt's N, 10 to 20.

        Returns:
            How many entries it holds.

        Raises:
            KeysError: An entry cannot be read, or the file cannot be written.
        """
        if not passphrase:
            raise KeysError("an empty passphrase protects nothing; choose one")
        if not 10 <= log_work <= _MAX_LOG_WORK:
            raise KeysError(f"scrypt's work is 2^10 to 2^{_MAX_LOG_WORK}; choose a power between")
        entries = [[kind, name, self.get(kind, name)] for kind, name in self.entries()]
        salt = os.urandom(_SALT_BYTES)
        nonce = os.urandom(_NONCE_BYTES)
        header = _BACKUP_MAGIC + bytes([log_work]) + salt + nonce
        key = _stretch(passphrase, salt, log_work)
        sealed = AESGCM(key).encrypt(nonce, _encode({"entries": entries}), header)
        try:
            write_new(path, header + sealed)
        except FileExistsError as error:
            raise KeysError(f"{path} exists and is left alone; choose another name") from error
        return len(entries)

    def restore(self, path: Path, passphrase: str) -> int:
        """Put the entries of a backup into this vault; equal ones may be there already.

        Returns:
            How many entries the backup holds.

        Raises:
            PassphraseError: The passphrase is not the one, or the file was changed.
            KeysError: It is not a backup, or an entry differs from the one that is here (nothing
                was replaced; entries before it were put).
        """
        try:
            data = read_limited(path, _MAX_BACKUP_BYTES)
        except FileNotFoundError as error:
            raise KeysError(f"there is no {path}; name the backup you made") from error
        if len(data) < _HEADER_BYTES or not data.startswith(_BACKUP_MAGIC):
            raise KeysError(f"{path} is not a backup of a vault; name the one you made")
        header, sealed = data[:_HEADER_BYTES], data[_HEADER_BYTES:]
        log_work = header[len(_BACKUP_MAGIC)]
        # A changed header must not make us fill the memory before the tag says so.
        if not 10 <= log_work <= _MAX_LOG_WORK:
            raise KeysError(f"{path} is damaged; use another copy")
        salt, nonce = header[-_SALT_BYTES - _NONCE_BYTES : -_NONCE_BYTES], header[-_NONCE_BYTES:]
        try:
            plain = AESGCM(_stretch(passphrase, salt, log_work)).decrypt(nonce, sealed, header)
        except InvalidTag as error:
            raise PassphraseError(
                f"this passphrase does not open {path}, or the file was changed; try again"
            ) from error
        entries = _decode(plain, str(path))["entries"]
        for kind, name, record in entries:
            self.put(kind, name, record)
        return len(entries)

    def _path(self, kind: str, name: str) -> Path:
        if not _NAME.fullmatch(kind) or not _NAME.fullmatch(name):
            raise KeysError("a vault's names are lower-case letters, digits and dashes")
        return self.folder / kind / f"{name}.json"


def _encode(record: Record) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode()


def _decode(data: bytes, name: str) -> Record:
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise KeysError(f"{name} is damaged; move it away and restore a backup")
    return record


def _bytes32(record: Record) -> bytes:
    try:
        value = bytes.fromhex(record["secret"])
    except (KeyError, TypeError, ValueError):
        value = b""
    if len(value) != 32:
        raise KeysError("an entry of the vault has no secret of 32 bytes; restore a backup")
    return value


def _checked_scalar(record: Record, point: Point, name: str) -> int:
    secret = int.from_bytes(_bytes32(record), "big")
    if not 0 < secret < N or multiply(secret) != point:
        raise KeysError(f"the vault's {name} does not give its public point; restore a backup")
    return secret


def _purchase_name(chain_id: int, market: str, salt: bytes) -> str:
    return f"{chain_id}-{address_bytes(market).hex()}-{word(salt).hex()}"


def _share_name(custody_id: bytes, custodian: int) -> str:
    return f"{word(custody_id).hex()}-{custodian}"


def _stretch(passphrase: str, salt: bytes, log_work: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << log_work, r=8, p=1).derive(passphrase.encode())
