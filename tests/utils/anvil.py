# SPDX-License-Identifier: Apache-2.0
"""A local chain for tests that talk to one directly (those under Ape have Ape's own)."""

from collections.abc import Iterator, Mapping

import pytest

from tests.utils.waiting import wait_for
from truthmark.errors import ConfigError
from truthmark.testing.anvil import AnvilProcess, anvil_binary, start_anvil


def require_anvil() -> None:
    """Skip the test where there is no anvil and none can be fetched."""
    try:
        anvil_binary()
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def anvil_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnvilProcess]:
    """One anvil for the whole run (for each xdist worker); use `anvil`, which cleans up."""
    require_anvil()
    with start_anvil(log=tmp_path_factory.mktemp("anvil") / "anvil.log") as process:
        yield process


@pytest.fixture
def anvil(anvil_process: AnvilProcess) -> Iterator[AnvilProcess]:
    """Provide a chain as good as new: what the test did to it is undone after it."""
    snapshot = anvil_process.rpc("evm_snapshot")
    yield anvil_process
    anvil_process.rpc("evm_revert", snapshot)


def send_as_wallet(chain: AnvilProcess, transaction: Mapping[str, str]) -> None:
    """Have the chain send for an account that it has unlocked; return once it is in a block.

    The chain answers before that, later where the machine is busy.
    """
    sent = chain.rpc("eth_sendTransaction", {**transaction})
    wait_for(lambda: chain.rpc("eth_getTransactionReceipt", sent), "a transaction")
