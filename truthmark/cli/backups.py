# SPDX-License-Identifier: Apache-2.0
"""Which secrets are in a backup: selling without one would be careless."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from truthmark.errors import ConfigError

if TYPE_CHECKING:
    from truthmark.cli.base import State
    from truthmark.keys.vault import Vault

_RECORD = "backups.json"
_MAX_ENTRIES = 1_000_000


def write_backup(state: "State", home: Path, file: Path) -> int:
    """Write a backup of the vault, remember what is in it, and return how many secrets."""
    from truthmark.config import write_atomically
    from truthmark.keys.vault import Vault

    vault = Vault(home / "vault")
    entries = [f"{kind}/{name}" for kind, name in vault.entries()]
    if not entries:
        raise ConfigError("there is nothing secret here yet; make a backup after `dataset pack`")
    if file.exists():
        # Before anybody types a passphrase.
        raise ConfigError(f"{file} exists and is left alone; choose another name")
    count = vault.backup(file, state.new_passphrase(f"backup {file}"))
    covered = sorted({*_covered(home), *entries})
    write_atomically(home / _RECORD, json.dumps(covered).encode())
    return count


def is_covered(home: Path, kind: str, name: str) -> bool:
    """Whether a secret is in some backup that was made from this home."""
    return f"{kind}/{name}" in _covered(home)


def uncovered(home: Path, vault: "Vault") -> list[str]:
    """Return the secrets that a seller could not replace and that are in no backup."""
    covered = _covered(home)
    return [name for name in vault.names("seller-secret") if f"seller-secret/{name}" not in covered]


def _covered(home: Path) -> set[str]:
    try:
        found = json.loads((home / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {str(entry) for entry in found[:_MAX_ENTRIES]} if isinstance(found, list) else set()
