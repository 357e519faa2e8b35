# SPDX-License-Identifier: Apache-2.0
"""Who may import what, where import-linter (which checks the layers) cannot say it.

The layers within the package are a contract in pyproject.toml; here are the outside packages, the
folders beside the package, and what must not be loaded before it is needed.
"""

import ast
import importlib.util
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from truthmark.cli.commands import AGENT, BOUNTY

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("truthmark", "app", "scripts", "bench", "tests", "tools")
# What only some folders may import.
RESERVED = {
    "web3": {"truthmark/chain", "tests", "bench"},
    "sqlalchemy": {"truthmark/index", "truthmark/node/relay", "tests"},
    "psycopg": set(),
    "ipfshttpclient": {"truthmark/storage"},
    "streamlit": {"app", "tests/app"},
    "ape": {"scripts", "tests"},
    "boa": {"tests", "bench"},
}
HEAVY = {"web3", "pyarrow", "pandas", "sqlalchemy", "numpy", "cryptography", "eth_account", "httpx"}


@cache  # eight tests ask about the same files
def imports(source: str) -> set[str]:
    """Return every module that a source imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def breaches(package: str, allowed: set[str], files: dict[str, str]) -> list[str]:
    """Return the files outside the allowed folders that import a package."""
    return sorted(
        file
        for file, source in files.items()
        if any(name.split(".")[0] == package for name in imports(source))
        and not any(file.startswith(f"{folder}/") for folder in allowed)
    )


@pytest.fixture(scope="module")
def files():
    """Return the sources of the tree by their paths."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


@pytest.mark.parametrize(("package", "allowed"), RESERVED.items())
def test_reserved_package__whole_tree__imported_only_where_allowed(package, allowed, files):
    assert breaches(package, allowed, files) == []


@pytest.mark.parametrize(
    "line", ["import web3.auto", "from web3 import Web3", "if x:\n import web3"]
)
def test_reserved_package__imported_elsewhere__is_found(line):
    assert breaches("web3", {"truthmark/chain"}, {"app/page.py": line}) == ["app/page.py"]
    assert breaches("web3", {"truthmark/chain"}, {"truthmark/chain/rpc.py": line}) == []


def test_app__pages__reach_the_library_through_services_alone(files):
    pages = {
        f: s for f, s in files.items() if f.startswith("app/") and not f.startswith("app/services/")
    }
    assert breaches("truthmark", set(), pages) == []


def test_package__public_folders__have_no_imports_of_the_tree_around_it(files):
    library = {file: source for file, source in files.items() if file.startswith("truthmark/")}
    for folder in ("tests", "scripts", "bench", "tools", "app"):
        assert breaches(folder, set(), library) == []


@pytest.mark.parametrize("module", ["truthmark", "truthmark.cli.main"])
def test_import__front_door__loads_nothing_heavy(module):
    assert importlib.util.find_spec(module) is not None
    assert HEAVY.isdisjoint(loaded_by(f"import {module}"))


def test_import__what_search_show_and_balance_need__is_little(tmp_path):
    """They open an index too: SQLite takes nothing but the standard library."""
    loaded = loaded_by(
        "import truthmark.cli.browse, truthmark.cli.money, truthmark.cli.dataset\n"
        "import truthmark.market.surface, truthmark.market.settlement, truthmark.index.follower\n"
        "from truthmark.config.profile import ChainProfile\n"
        "from truthmark.index.database import EventIndex\n"
        f"EventIndex(ChainProfile('none', 1), 'sqlite:///{tmp_path}/index.sqlite').tip()"
    )
    assert "sqlite3" in loaded
    assert (HEAVY - {"cryptography"}).isdisjoint(loaded)  # the vault's keys need that one


def test_import__commands__load_what_asks_a_relay_when_they_ask_one():
    """Help is shown as soon as a command's module is there."""
    modules = {f"truthmark.cli.{entry.module}" for entry in (*BOUNTY.values(), *AGENT.values())}
    loaded = loaded_by(f"import {', '.join(sorted(modules))}")
    assert (HEAVY - {"cryptography", "numpy"} | {"pydantic", "rich"}).isdisjoint(loaded)


def loaded_by(code):
    """Return the packages that a program has loaded at its end."""
    code += "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    names = json.loads(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT))
    return {name.split(".")[0] for name in names}


def test_layers__contract_in_pyproject__is_kept():
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
