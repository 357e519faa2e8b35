# SPDX-License-Identifier: Apache-2.0
"""The stable names of the package: which there are, what they cost, how they are called."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import truthmark

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    *("buy", "connect", "list_dataset", "load", "pack", "preview", "search", "testing", "watch"),
]


def test_names__of_the_package__are_the_nine_that_are_documented() -> None:
    assert sorted(truthmark.__all__) == NAMES
    table = re.findall(r"^\| `(\w+)", (ROOT / "docs" / "python.md").read_text(), re.M)
    assert sorted(table) == NAMES
    assert set(NAMES) <= set(dir(truthmark))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "testing"])
def test_names__each__is_a_documented_function(name: str) -> None:
    function = getattr(truthmark, name)
    assert callable(function)
    parameters = inspect.signature(function).parameters
    text = inspect.getdoc(function) or ""
    for parameter in parameters:
        if len(parameters) > 1 or parameter != "session":
            assert re.search(rf"^\s+{parameter}: ", text, re.M), f"{name} does not tell {parameter}"


def test_names__documented_calls__have_these_parameters() -> None:
    text = (ROOT / "docs" / "python.md").read_text()
    rows = re.findall(r"^\| `(\w+)\(([^`]*)\)`", text, re.M)
    assert len(rows) >= 8
    for name, arguments in rows:
        known = inspect.signature(getattr(truthmark, name)).parameters
        if any(p.kind is p.VAR_KEYWORD for p in known.values()):
            continue
        wanted = {a.split("=")[0].strip(" *") for a in arguments.split(",")} - {"", "..."}
        assert wanted <= set(known), name


def test_names__another__is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'sell'"):
        _ = truthmark.sell


def test_import__of_the_package__loads_nothing() -> None:
    code = "import sys, truthmark; print(len([m for m in sys.modules if 'truthmark' in m]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"


def test_testing__of_the_package__is_a_module_that_starts_networks() -> None:
    assert callable(truthmark.testing.devnet)
