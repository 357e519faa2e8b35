# SPDX-License-Identifier: Apache-2.0
"""What tests of commands share: somebody with a home, without a chain."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.utils.cli import Person

PROFILE = {
    "name": "devnet",
    "chain_id": 31337,
    "genesis": "0x" + "11" * 32,
    "rpc": ["http://127.0.0.1:9"],
    "tokens": [{"symbol": "TUSD", "address": "0x" + "11" * 20, "decimals": 6}],
}


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "home")


@pytest.fixture
def on_devnet(person: Person, tmp_path: Path) -> Person:
    """Have a devnet's profile, though no chain: passphrases are not asked for."""
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(PROFILE))
    person("init", "--profile-file", file).ok()
    return person


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    pd.DataFrame({"x": range(500), "name": ["n"] * 500}).to_csv(path, index=False)
    return path
