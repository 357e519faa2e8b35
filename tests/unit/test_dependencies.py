# SPDX-License-Identifier: Apache-2.0
"""What an installation brings: all that is needed, and no more than was agreed."""

import tomllib
from pathlib import Path

from bench.install import MIB, MOST_MIB, MOST_PACKAGES, closure, size

ROOT = Path(__file__).resolve().parents[2]


def test_lock__every_extra__is_whole():
    """Also what is needed only for an extra that one package asks of another."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert len(closure("truthmark", extras)) > len(closure("truthmark"))


def test_install__without_extras__stays_small():
    needed = closure("truthmark")
    assert "web3" not in needed
    assert len(needed) <= MOST_PACKAGES, sorted(needed)
    assert sum(map(size, needed.values())) / MIB <= MOST_MIB
