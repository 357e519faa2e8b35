# SPDX-License-Identifier: Apache-2.0
"""The local chain starts, answers, stops, and comes back after a kill."""

import os
import signal
import stat
import time

import pytest

from tests.utils.anvil import require_anvil
from truthmark.errors import ChainUnavailableError, ConfigError
from truthmark.testing.anvil import AnvilProcess, anvil_binary, start_anvil

pytestmark = pytest.mark.chain


@pytest.fixture(autouse=True)
def have_anvil():
    """Skip where there is none."""
    require_anvil()


def test_start_anvil__plain__answers_with_funded_accounts(tmp_path):
    with start_anvil(log=tmp_path / "log") as chain:
        assert chain.rpc("eth_chainId") == hex(31337)
        accounts = chain.rpc("eth_accounts")
        assert len(accounts) == 20
        assert int(chain.rpc("eth_getBalance", accounts[19], "latest"), 16) == 10**22
        assert chain.rpc("anvil_nodeInfo")["hardFork"] == "Prague"
    assert not chain.is_running()


def test_start_anvil__two_at_once__have_ports_of_their_own(tmp_path):
    with start_anvil(log=tmp_path / "1") as one, start_anvil(log=tmp_path / "2") as two:
        one.rpc("evm_mine")
        assert one.url != two.url
        assert (one.rpc("eth_blockNumber"), two.rpc("eth_blockNumber")) == ("0x1", "0x0")


def test_start_anvil__forked__has_upstreams_id_and_history(tmp_path):
    with start_anvil(chain_id=11155111, log=tmp_path / "up") as upstream:
        upstream.rpc("evm_mine")
        with start_anvil(fork_url=upstream.url, log=tmp_path / "fork") as fork:
            assert fork.rpc("eth_chainId") == hex(11155111)
            assert fork.rpc("eth_blockNumber") == "0x1"
            fork.rpc("evm_mine")
            assert upstream.rpc("eth_blockNumber") == "0x1"


def test_start_anvil__killed__comes_back_from_its_state(tmp_path):
    state = tmp_path / "state.json"
    with start_anvil(state=state, log=tmp_path / "1") as chain:
        chain.rpc("anvil_mine", hex(5))
        stamp = state.stat().st_mtime_ns if state.exists() else 0
        deadline = time.monotonic() + 60
        # Two dumps later the blocks are in the file, whenever the first one began.
        for _ in range(2):
            while not state.exists() or state.stat().st_mtime_ns == stamp:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            stamp = state.stat().st_mtime_ns
        time.sleep(0.2)
        os.kill(chain.pid, signal.SIGKILL)
    with start_anvil(state=state, log=tmp_path / "2") as chain:
        assert chain.rpc("eth_blockNumber") == "0x5"


def test_stop__made_again_from_its_record__ends_the_process(tmp_path):
    chain = start_anvil(log=tmp_path / "log", detach=True)
    try:
        again = AnvilProcess(chain.url, chain.pid, chain.log)
        assert again.is_running()
        again.stop()
        again.stop()  # a second time does nothing
        assert not chain.is_running()
    finally:
        chain.stop()


def test_stop__after_more_blocks_than_are_kept_in_memory__leaves_no_states_behind(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with start_anvil(log=tmp_path / "log") as chain:
        account = chain.rpc("eth_accounts")[0]
        chain.rpc("anvil_mine", hex(2))
        first = chain.rpc("eth_getBalance", account, "0x1")
        for _ in range(3):
            chain.rpc("anvil_setBalance", account, "0x1")
            chain.rpc("anvil_mine", hex(200))
        assert chain.rpc("eth_getBalance", account, "0x1") == first
        assert list((tmp_path / "log.states").rglob("*.json"))
    assert {path.name for path in tmp_path.iterdir()} == {"log"}


def test_start_anvil__states_of_a_killed_one__are_deleted(tmp_path):
    left = tmp_path / "log.states" / "old"
    left.mkdir(parents=True)
    with start_anvil(log=tmp_path / "log"):
        assert not left.exists()


def test_stop__pid_of_another_program__leaves_it_alone(tmp_path):
    other = AnvilProcess("http://127.0.0.1:1", os.getpid(), tmp_path / "log")
    assert not other.is_running()
    other.stop()


def test_start_anvil__refused_argument__tells_its_reason(tmp_path):
    with pytest.raises(ChainUnavailableError, match="unexpected argument '--nonsense'"):
        start_anvil(extra=["--nonsense"], log=tmp_path / "log")


def test_rpc__unknown_method__tells_which(tmp_path):
    with (
        start_anvil(log=tmp_path / "log") as chain,
        pytest.raises(ChainUnavailableError, match="refused eth_nonsense"),
    ):
        chain.rpc("eth_nonsense")


def test_anvil_binary__named_one__comes_first(monkeypatch):
    native = anvil_binary()
    monkeypatch.setenv("TRUTHMARK_ANVIL", str(native))
    assert anvil_binary() == native


@pytest.mark.parametrize("mode", [stat.S_IRWXU, stat.S_IRUSR])
def test_anvil_binary__script_or_not_executable__is_refused(monkeypatch, tmp_path, mode):
    """npm's shim is such a script: slow, and it loses exit codes."""
    shim = tmp_path / "anvil"
    shim.write_text("#!/usr/bin/env node\n")
    shim.chmod(mode)
    monkeypatch.setenv("TRUTHMARK_ANVIL", str(shim))
    with pytest.raises(ConfigError, match="not an executable binary"):
        anvil_binary()
