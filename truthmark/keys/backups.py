# SPDX-License-Identifier: Apache-2.0
"""Which secrets are in a backup: selling without one would be careless."""

import hashlib
import json
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from truthmark.config.files import write_atomically
from truthmark.errors import ConfigError
from truthmark.keys.vault import Vault

_RECORD = "backups.json"
_FILES = "backup-files.json"
"""By path: the digest of each backup that was written from this home, and what is in it."""
_MAX_ENTRIES = 1_000_000


def write_backup(home: Path, file: Path, new_passphrase: Callable[[str], str]) -> int:
    """Write a backup of the vault, remember what is in it, and return how many secrets.

    Args:
        home: Whose vault.
        file: A name that is free.
        new_passphrase: Asked for what closes it, told what it is for; last, so that nobody types
            for nothing.

    Raises:
        ConfigError: There is nothing to back up, or the file exists.
        KeysError: The vault cannot be read.
    """
    vault = Vault(home / "vault")
    entries = [f"{kind}/{name}" for kind, name in vault.entries()]
    if not entries:
        raise ConfigError("there is nothing secret here yet; make a backup after `dataset pack`")
    if file.exists():
        raise ConfigError(f"{file} exists and is left alone; choose another name")
    written = vault.backup(file, new_passphrase(f"backup {file}"))
    covered = sorted({*_covered(home), *entries})
    write_atomically(home / _RECORD, json.dumps(covered).encode())
    files = {**_files(home), str(file.absolute()): {"digest": _digest(file), "holds": entries}}
    write_atomically(home / _FILES, json.dumps(files).encode())
    return written


def check_place(home: Path, file: Path) -> None:
    """Refuse a place where no backup can be written; before anything else is done.

    A backup of this home may be there: `place_for` finds another name where it is needed.

    Raises:
        ConfigError: Something else is there, or the folder cannot be written.
    """
    if file.is_dir():
        folder = file
    else:
        folder = file.absolute().parent
        if file.exists() and not _is_own(home, file):
            raise ConfigError(f"{file} exists and is left alone; choose another name")
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder} for the backup; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"no backup can be written in {folder}; choose another place")


def place_for(home: Path, file: Path, kind: str, name: str) -> Path | None:
    """Return where a backup that holds a secret goes; None if the file is one already.

    A backup of this home that does not hold it is left alone: the next free name is taken.

    Raises:
        ConfigError: Something else is there.
    """
    check_place(home, file)
    place = file
    for number in count(2):
        if not place.exists():
            break
        if f"{kind}/{name}" in _held_by(home, place):
            return None
        place = file.with_name(f"{file.stem}-{number}{file.suffix}")
    return place


def is_covered(home: Path, kind: str, name: str) -> bool:
    """Whether a secret is in some backup that was made from this home."""
    return f"{kind}/{name}" in _covered(home)


def uncovered(home: Path, vault: Vault) -> list[str]:
    """Return the secrets that a seller could not replace and that are in no backup."""
    covered = _covered(home)
    return [name for name in vault.names("seller-secret") if f"seller-secret/{name}" not in covered]


def _is_own(home: Path, file: Path) -> bool:
    """Whether a file is a backup that was written from this home, and is as it was then."""
    entry = _files(home).get(str(file.absolute()))
    try:
        return isinstance(entry, dict) and entry.get("digest") == _digest(file)
    except OSError:
        return False


def _held_by(home: Path, file: Path) -> list[str]:
    """Return what is in a backup that was written from this home; nothing for other files."""
    return list(_files(home)[str(file.absolute())]["holds"]) if _is_own(home, file) else []


def _digest(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _files(home: Path) -> dict[str, Any]:
    try:
        found = json.loads((home / _FILES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _covered(home: Path) -> set[str]:
    try:
        found = json.loads((home / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {str(entry) for entry in found[:_MAX_ENTRIES]} if isinstance(found, list) else set()
