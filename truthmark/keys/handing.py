# SPDX-License-Identifier: Apache-2.0
"""The key file: how a buyer lets another reader open one data set, and nothing else.

It holds K, the key point of one version (docs/format.md, section 5). No key of a wallet, a purchase
or another version follows from it.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from truthmark.errors import KeysError
from truthmark.keys.abi_hash import word
from truthmark.keys.curve import is_valid
from truthmark.keys.files import read_limited, save_record
from truthmark.types import Point

FORMAT = "truthmark/key/1"
NOTE = "Anyone who has this can open the data set. It opens nothing else, and pays for nothing."
_MAX_FILE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class HandedKey:
    """The key point of a version."""

    public_key: Point
    """PK of the version, as its manifest has it"""
    key_point: Point = field(repr=False)
    """K"""
    dataset: str = ""
    """how people name it, for them only"""

    def to_record(self) -> dict[str, Any]:
        """Return what the file holds, as JSON values."""
        return {
            "format": FORMAT,
            "note": NOTE,
            "dataset": self.dataset,
            "public_key": _coordinates(self.public_key),
            "key_point": _coordinates(self.key_point),
        }

    def save(self, path: Path) -> None:
        """Write the file, mode 0600, fsynced.

        Raises:
            KeysError: There is such a file already, or it cannot be written.
        """
        save_record(path, self.to_record())


def read_handed_key(path: Path) -> HandedKey:
    """Read a key file.

    Raises:
        KeysError: There is no such file, or it is not a key file, or was damaged.
    """
    try:
        record = json.loads(read_limited(path, _MAX_FILE_BYTES))
    except FileNotFoundError as error:
        raise KeysError(f"there is no {path}; name the key file you were given") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, KeysError):
            raise
        raise KeysError(f"{path} is not a key file; name the one you were given") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise KeysError(f"{path} is not a key file of this version; ask for it again")
    try:
        public_key, key_point = _point(record["public_key"]), _point(record["key_point"])
    except (KeyError, TypeError, ValueError) as error:
        raise KeysError(f"{path} is damaged; ask for it again") from error
    return HandedKey(public_key, key_point, dataset=str(record.get("dataset") or ""))


def _coordinates(point: Point) -> dict[str, str]:
    return {"x": "0x" + word(point.x).hex(), "y": "0x" + word(point.y).hex()}


def _point(value: dict[str, str]) -> Point:
    x, y = (int.from_bytes(bytes.fromhex(value[name].removeprefix("0x")), "big") for name in "xy")
    point = Point(x, y)
    if not is_valid(point):
        raise ValueError("not on the curve")
    return point
