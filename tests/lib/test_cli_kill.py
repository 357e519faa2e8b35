# SPDX-License-Identifier: Apache-2.0
"""`get` and `list`, killed or interrupted at random moments: once paid, and the same in the end."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen, TimeoutExpired

import pandas as pd
import psutil
import pytest

from tests.utils.cli import Person
from tests.utils.cli_market import net
from truthmark.cli.main import INTERRUPTED
from truthmark.testing.network import Devnet

__all__ = ["net"]

pytestmark = pytest.mark.chain

KILLS = 4  # for each buyer
INTERRUPTS = 2  # of each command
PRICE = 25_000_000
NUMBERS = range(50_000)
FRAME = pd.DataFrame({"x": NUMBERS, "text": [f"row {i * 7919 % 50_000}" for i in NUMBERS]})


@pytest.fixture(scope="module")
def ref(net: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """List a data set whose seller delivers all the while."""
    folder, seller = tmp_path_factory.mktemp("source"), Person(net.home("seller"))
    FRAME.to_parquet(folder / "rows.parquet")
    listed = seller(
        *("list", folder / "rows.parquet", "--price", "25 TUSD", "--custodians", "direct"),
        *("--licence", "MIT", "--backup", folder / "backup", "--blind", "--yes"),
    )
    delivering = seller.start("deliver", "--follow")
    try:
        yield listed.ok().out.strip()
    finally:
        delivering.kill()
        delivering.communicate()


@pytest.mark.parametrize("role", ["buyer", "buyer2", "buyer3"])
def test_get__killed_again_and_again__buys_once_and_gives_the_same(
    role: str, net: Devnet, ref: str, tmp_path: Path
) -> None:
    chance = random.Random(role)
    person = Person(net.home(role))
    with net.session(role) as session:
        token = session.token(session.profile.token("TUSD").address)
        before = token.functions.balanceOf(session.address).call()
        address = session.address
    kills, longest, target = 0, 4.0, tmp_path / "0"
    while kills < KILLS:
        began = time.monotonic()
        process = person.start("get", ref, target, "--yes", "--blind", "--max-price", "25 TUSD")
        delay = chance.uniform(0.3, 1.0) * longest
        try:
            process.communicate(timeout=delay)
        except TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            continue
        # It was faster than we: the next has to open the data again, and we must be faster.
        assert process.returncode == 0
        longest = time.monotonic() - began
        target = tmp_path / str(int(target.name) + 1)
    person.run("get", ref, target, "--yes", "--blind", "--max-price", "25 TUSD").ok()

    pd.testing.assert_frame_equal(pd.read_parquet(target / "rows.parquet"), FRAME)
    assert [path.name for path in target.iterdir()] == ["rows.parquet"]
    # Nothing half-made is left, of this folder or of those before it.
    assert all(path.name.isdigit() for path in tmp_path.iterdir())
    shown = person("show", ref, "--json").ok().json["purchases"]
    assert len([p for p in shown if p["buyer"] == address]) == 1
    assert token.functions.balanceOf(address).call() == before - PRICE


def interrupt_at_random(person: Person, chance: random.Random, *command: object) -> set[str]:
    """Interrupt a command again and again; each time it ends in a line at most.

    Returns:
        What was printed as the result.
    """
    printed = set()
    for _ in range(INTERRUPTS):
        process = person.start(*command)
        wait_until_it_listens(process)
        try:
            out, err = process.communicate(timeout=chance.uniform(0.2, 3.0))
        except TimeoutExpired:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        else:
            assert process.returncode == 0, err
        printed |= {out} - {""}
        if process.returncode == 0:  # it was done, or was when it heard of it
            assert out
            break
        assert process.returncode == INTERRUPTED, (out, err)
        assert "Traceback" not in err
        if err:  # else it was still loading
            assert err.splitlines()[-1] == "stopped; run the same command again to go on"
    return printed


def wait_until_it_listens(process: "Popen[str]") -> None:
    """Wait for Python's own beginning to be over, which no program can have a word in."""
    while process.poll() is None and sum(psutil.Process(process.pid).cpu_times()[:2]) < 0.1:
        time.sleep(0.01)


def test_get__interrupted_again_and_again__buys_once_and_gives_the_same(
    net: Devnet, ref: str, tmp_path: Path
) -> None:
    person = Person(net.home("stranger"))
    command = ("get", ref, tmp_path / "data", "--yes", "--blind", "--max-price", "25 TUSD")
    printed = interrupt_at_random(person, random.Random("get"), *command)
    assert printed <= {person.run(*command).ok().out}
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "data" / "rows.parquet"), FRAME)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert len(person("purchases", "--json").ok().json) == 1


def test_list__interrupted_again_and_again__lists_once_under_a_key_in_the_backup(
    net: Devnet, tmp_path: Path
) -> None:
    person = Person(net.home("stranger"))
    FRAME.to_parquet(tmp_path / "odd.parquet")
    command = ("list", tmp_path / "odd.parquet", "--price", "4 TUSD", "--custodians", "direct")
    command += ("--licence", "MIT", "--backup", tmp_path / "b", "--blind", "--yes")
    printed = interrupt_at_random(person, random.Random("list"), *command)
    listed = person.run(*command).ok().out.strip()
    assert printed <= {f"{listed}\n"}
    assert [sale["dataset"] for sale in person("sales", "--json").ok().json] == [listed]
    assert [path.name for path in (person.home / "packed").iterdir()] == ["odd"]
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".parquet"] == ["b"]
    checks = {c["name"]: c for c in person("doctor", "--json").json}
    assert checks["backup"]["result"] == "ok"
