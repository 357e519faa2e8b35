# SPDX-License-Identifier: Apache-2.0
"""Payments while everything fails at once: exactly as many effects as intents.

The sending process is killed again and again, the endpoint breaks requests and answers, and the
chain reorganises.
"""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.utils.rpc_server import faulty
from tests.utils.token_chain import account, recipient, token_chain
from truthmark.chain.connection import Chain, connect_chain
from truthmark.chain.journal import Journal
from truthmark.testing.anvil import AnvilProcess

KILLS = 8
FAULT_SECONDS = 90  # at most; what is left must then go through undisturbed


class Unrest:
    """Mines blocks, and now and then takes some of the last ones back."""

    def __init__(self, process: AnvilProcess, chain: Chain, seed: int) -> None:
        self._process, self._chain = process, chain
        self._chooser = random.Random(seed)
        self._stop = threading.Event()
        self._first = chain.height()
        self.calm = False
        self.reorganisations = 0
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            depth = self._chooser.randrange(1, 4)
            deep_enough = self._chain.height() - depth > self._first
            if not self.calm and deep_enough and self._chooser.random() < 0.15:
                how = self._chooser.choice(["anvil_reorg", "anvil_rollback"])
                self._chain.rpc.call(how, depth, *([[]] if how == "anvil_reorg" else []))
                self.reorganisations += 1
            self._chain.rpc.call("evm_mine")

    def __enter__(self) -> "Unrest":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def count_sent(folder: Path) -> int:
    """Count the payments that a sender has signed, by its journal."""
    sent = 0
    for path in folder.rglob("*.sqlite"):
        # It may be being made, or written.
        with closing(sqlite3.connect(path)) as journal, suppress(sqlite3.OperationalError):
            [(found,)] = journal.execute("SELECT count(DISTINCT key) FROM attempts")
            sent += found
    return sent


@pytest.mark.parametrize(
    "count",
    [
        50,
        pytest.param(1_000, marks=[pytest.mark.assure, pytest.mark.timeout(3_600)]),
    ],
)
def test_journal__kills_faults_and_reorganisations__exactly_that_many_effects(
    count: int, tmp_path: Path
) -> None:
    chooser = random.Random(count)
    with token_chain(tmp_path) as (process, chain):
        process.rpc("evm_setAutomine", False)
        # Deeper than the reorganisations, as a profile's confirmations should be.
        profile = replace(chain.profile, confirmations=5)
        path = tmp_path / "profile.json"
        with Unrest(process, chain, count) as unrest:
            with faulty(process.url, 0.1, count) as server:
                path.write_text(json.dumps(replace(profile, rpc=(server.url,)).to_dict()))
                folder = tmp_path / "journal"
                command = [sys.executable, "-m", "tests.utils.sender", str(path), str(folder)]
                kills = 0
                end = time.monotonic() + FAULT_SECONDS * count / 50
                while time.monotonic() < end:
                    with subprocess.Popen([*command, "0", str(count)]) as child:
                        if kills < KILLS:
                            # As far on as it may be: by the clock alone, a fast machine is
                            # through before all the kills.
                            least = count * kills // (KILLS + 1)
                            while count_sent(folder) < least and child.poll() is None:
                                time.sleep(0.05)
                            time.sleep(chooser.uniform(0, 0.5))
                            child.send_signal(signal.SIGKILL)
                        while child.poll() is None and time.monotonic() < end:
                            time.sleep(0.1)
                        child.kill()
                    kills += child.returncode == -signal.SIGKILL
                    if child.returncode == 0:
                        break
            unrest.calm = True
            quiet = connect_chain(profile)
            journal = Journal(quiet, account(0), tmp_path / "journal", timeout=200)
            journal.resume()
            for index in range(count):
                transfer = quiet.token.functions.transfer(recipient(index), 1)
                journal.submit(transfer.intent(f"pay:{index}"))
            for index in range(count):
                assert journal.wait(f"pay:{index}").succeeded
        balances = quiet.batch(
            [quiet.token.functions.balanceOf(recipient(index)) for index in range(count)]
        )
        assert balances == [1] * count
        assert journal.pending() == []
        assert kills >= KILLS
        assert unrest.reorganisations >= 3
