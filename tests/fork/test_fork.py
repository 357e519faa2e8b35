# SPDX-License-Identifier: Apache-2.0
"""The deploy script and the functional tests on a fork; an upstream anvil is the network."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.utils.anvil import require_anvil
from truthmark.testing.anvil import AnvilProcess, start_anvil

pytestmark = [pytest.mark.fork, pytest.mark.chain]

ROOT = Path(__file__).resolve().parents[2]
CHAIN_ID = 11_155_111
NETWORK = "ethereum:sepolia-fork:foundry"
BLOCKS = 40
STEPS = [
    *("token", "staking", "bounty_board", "bounty_intake", "bounty_proofs"),
    *("proofs", "judge", "openings", "checks", "registry", "market", "reviews"),
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[AnvilProcess]:
    """A chain of another id, with blocks and transactions before us."""
    require_anvil()
    with start_anvil(chain_id=CHAIN_ID) as process:
        accounts = process.rpc("eth_accounts")
        assert isinstance(accounts, list)
        for number in range(BLOCKS):
            process.rpc(
                "eth_sendTransaction",
                {"from": accounts[number % 9], "to": accounts[9], "value": hex(number)},
            )
        yield process


def run(upstream: AnvilProcess, *arguments: str) -> "subprocess.CompletedProcess[str]":
    binaries = Path(sys.executable).parent
    return subprocess.run(
        [str(binaries / "ape"), *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "TRUTHMARK_UPSTREAM": upstream.url,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )


def test_deploy__fork__done_checked_recorded_and_skipped(
    upstream: AnvilProcess, tmp_path: Path
) -> None:
    record, profile = tmp_path / "record.json", tmp_path / "profile.json"
    options = ("--network", NETWORK, "--account", "TEST::0", "--record", str(record))
    dry = run(upstream, "run", "deploy", "all", "--dry-run", *options)
    assert dry.returncode == 0, dry.stderr
    assert "deploy  registry" in dry.stdout
    assert not record.exists()

    done = run(upstream, "run", "deploy", "all", *options, "--profile", str(profile))
    assert done.returncode == 0, done.stderr
    made = json.loads(profile.read_text())
    assert made["chain_id"] == CHAIN_ID
    assert set(made["contracts"]) == set(STEPS)
    # Behind the upstream's own blocks: it is a fork, not a chain of its own.
    assert all(entry["block"] > BLOCKS for entry in made["contracts"].values())
    steps = json.loads(record.read_text())["steps"]
    assert all(entry["code_hash"] and entry["compiler"] for entry in steps.values())


def test_plan__no_network__says_what_would_happen(upstream: AnvilProcess) -> None:
    done = run(upstream, "run", "deploy", "plan")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("deploy")] == STEPS


def test_check__nothing_recorded__one_line(upstream: AnvilProcess, tmp_path: Path) -> None:
    options = ("--network", NETWORK, "--record", str(tmp_path / "none.json"))
    done = run(upstream, "run", "deploy", "check", *options)
    assert done.returncode != 0
    assert "Error: nothing is recorded in" in done.stderr
    assert "deploy first" in done.stderr


def test_functional_tests__fork__pass(upstream: AnvilProcess) -> None:
    done = run(upstream, "test", "tests/functional", "--network", NETWORK, "-q")
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
