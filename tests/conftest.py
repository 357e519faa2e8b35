# SPDX-License-Identifier: Apache-2.0
"""What all tests share: profiles of Hypothesis, strict skips, parts of campaigns, a chain."""

import gc
import os
import sys
from pathlib import Path

import hypothesis
import pytest

from tests.utils.anvil import anvil, anvil_process
from tests.utils.kubo import kubo, kubo_pair
from tests.utils.parts import PartsPlugin
from tests.utils.postgres import postgres_database, postgres_url
from tests.utils.require import RequirePlugin
from truthmark.keys.vault import Vault

__all__ = [
    "anvil",
    "anvil_process",
    "kubo",
    "kubo_pair",
    "postgres_database",
    "postgres_url",
]

gc.disable()  # until all is imported

# py-evm hashes at every map of a contract; this one is six times as fast as the one it would take.
os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
# xdist sets it in its workers, where commands would break their lines by it.
os.environ.pop("COLUMNS", None)

# Half a second of scrypt at each data set that is listed; what is sold here is no secret.
Vault.backup.__kwdefaults__["log_work"] = 10

# No timed assertions: two cores are shared with whatever else the machine does.
UNTIMED = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
# The same examples in every run, which fails for what was changed alone; campaigns look for more.
hypothesis.settings.register_profile("default", **UNTIMED, print_blob=True, derandomize=True)
# Said here too: a profile has what it does not say from the one that was registered before it.
hypothesis.settings.register_profile(
    "assure", **UNTIMED, print_blob=True, derandomize=False, max_examples=2_000
)
hypothesis.settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", metavar="i/n", help="run part i of n, less what passed before")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(RequirePlugin())
    if part := config.getoption("part"):
        config.pluginmanager.register(PartsPlugin(part, config))


def pytest_collection_finish(session: pytest.Session) -> None:
    # What was imported stays: the collector must not go through it again and again, and search the
    # rest less often than after each 700 new objects.
    gc.freeze()
    gc.enable()
    gc.set_threshold(10_000, 20, 20)
    # Undoes what a test does to titanoboa's chain; tests/utils/contracts.py has loaded it.
    isolation, plugins = sys.modules.get("boa.test.plugin"), session.config.pluginmanager
    if isolation and not plugins.is_registered(isolation):
        session.config.option.gas_profile = False  # asked for before each file that comes later
        plugins.register(isolation, "boa_test")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Split the tree: `ape test` runs tests/functional, plain pytest runs all else."""
    place = collection_path.relative_to(config.rootpath / "tests").parts
    if place and collection_path.is_dir() and (place[0] == "functional") != _under_ape(config):
        return True
    return None


def _under_ape(config: pytest.Config) -> bool:
    return "ape_test" in (config.invocation_params.plugins or ())
