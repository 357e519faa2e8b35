# SPDX-License-Identifier: Apache-2.0
"""What all recipes share: the catalogue's entries, checksums, and writing whole or not at all."""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).resolve().parent / "catalogue.json"


class RecipeError(ValueError):
    """An input is not what the catalogue says, or a target cannot be written."""


def read_entry(name: str) -> dict[str, Any]:
    """Return the catalogue's entry of data set `name`; README.md says what each field means."""
    datasets: list[dict[str, Any]] = json.loads(CATALOGUE.read_text("utf-8"))["datasets"]
    for entry in datasets:
        if entry["name"] == name:
            return entry
    raise RecipeError(f"{name} is not in {CATALOGUE.name}: add its entry, see README.md")


def check_file(path: Path, sha256: str) -> None:
    """Raise `RecipeError` unless the file at `path` has this SHA-256 (hexadecimal)."""
    if not path.is_file():
        raise RecipeError(f"{path} is not there: name the folder that holds {path.name}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise RecipeError(
            f"{path} has SHA-256 {found}, not {sha256}: get the file that the card describes"
        )


def huggingface_metadata(features: dict[str, Any]) -> dict[str, str]:
    """Return the schema metadata from which the `datasets` library restores its feature types."""
    return {"huggingface": json.dumps({"info": {"features": features}})}


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give a path beside `target` to write a file or folder to, and rename it when all went well.

    Raises:
        RecipeError: `target` exists; nothing is ever overwritten.
    """
    if target.exists():
        raise RecipeError(f"{target} is already there: name another target, or remove it first")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield scratch / target.name
        (scratch / target.name).rename(target)
    finally:
        shutil.rmtree(scratch)


def run(recipe: Callable[[], str]) -> int:
    """Run a recipe for the command line: print what it says, or its error as one line."""
    try:
        print(recipe())
    except ImportError as error:
        print(f"error: {error}; run `make setup`, then use .venv/bin/python", file=sys.stderr)
        return 1
    except (RecipeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
