# SPDX-License-Identifier: Apache-2.0
"""A market on a real local chain, and the app in front of it."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from app import services
from tests.utils.app_market import AppMarket, fill
from tests.utils.devnets import open_devnet
from truthmark.testing.network import Devnet

ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "app" / "pages.py"
PAGES = (
    *("market", "dataset", "bounties", "bounty", "label", "earnings", "new_bounty", "asked"),
    *("my_data", "sell", "validators", "network"),
)
SECONDS = 300  # against hangs alone

Start = Callable[..., AppTest]

# A server looks once through all that is installed for components; AppTest does so at each run of
# a page, which took two thirds of the time.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppMarket]:
    """Provide a market with seven listings; its time stands still between transactions."""
    with open_devnet(tmp_path_factory.mktemp("net")) as net:
        made = AppMarket(net)
        made.register_custodians()
        made.versions = fill(made)
        yield made
        made.close()


@pytest.fixture
def start(market: AppMarket, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Return a function that opens the app as a role, on its own machine if not said otherwise."""
    # However many listings other tests have added.
    for module in (services.browsing, services.buying):
        monkeypatch.setattr(module, "PAGE_SIZE", 1_000)
    return opener(market.net, monkeypatch, page="market", role="buyer")


def opener(net: Devnet, monkeypatch: pytest.MonkeyPatch, *, page: str, role: str) -> Start:
    """Return a function that opens the app as a role of a network.

    Args:
        net: The network.
        monkeypatch: Of the test.
        page: The page, if none is named.
        role: The role, likewise.
    """
    for name in [name for name in os.environ if name.startswith("TRUTHMARK_")]:
        monkeypatch.delenv(name)

    def open_app(
        page: str = page, *, role: str = role, is_local: bool = True, **query: str
    ) -> AppTest:
        monkeypatch.setenv("TRUTHMARK_HOME", str(net.home(role)))
        monkeypatch.setenv("TRUTHMARK_APP_LOCAL", "1" if is_local else "0")
        at = AppTest.from_file(MAIN, default_timeout=SECONDS).run()
        at.query_params.update(query)
        at.switch_page(f"app_pages/{page}.py").run()
        assert not at.exception
        return at

    return open_app
