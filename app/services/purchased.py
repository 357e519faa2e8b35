# SPDX-License-Identifier: Apache-2.0
"""Data that the account bought, as items to be labeled."""

import shutil
from pathlib import Path

from app.services.buying import purchases, save_purchase
from truthmark.errors import ConfigError
from truthmark.types import Progress


def opened() -> dict[str, str]:
    """Return the purchases whose key is there, by their key: no. and title."""
    _, found, _ = purchases()
    return {it.key: f"{it.ref} · {it.title}" for it in found if it.can_open}


def unpack(key: str | None, folder: Path, progress: Progress) -> str:
    """Write what was bought below a folder, and return the path of it.

    Raises:
        TruthmarkError: Nothing was chosen, or it cannot be opened.
    """
    if not key:
        raise ConfigError("choose a purchase first; those appear here whose key has come")
    target = folder / "bought"
    shutil.rmtree(target, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return save_purchase(key, str(target), progress)
