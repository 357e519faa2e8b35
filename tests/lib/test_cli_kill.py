# SPDX-License-Identifier: Apache-2.0
"""`truthmark get`, killed at random moments: bought once, and the same files in the end."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import TimeoutExpired

import pandas as pd
import pytest

from tests.utils.cli import Person
from truthmark.errors import ConfigError
from truthmark.testing.anvil import anvil_binary
from truthmark.testing.network import Devnet

pytestmark = pytest.mark.chain

KILLS = 4  # for each buyer
PRICE = 25_000_000
NUMBERS = range(50_000)
FRAME = pd.DataFrame({"x": NUMBERS, "text": [f"row {i * 7919 % 50_000}" for i in NUMBERS]})


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    try:
        anvil_binary()
    except ConfigError as error:
        pytest.skip(str(error))
    with Devnet.start(tmp_path_factory.mktemp("net")) as started:
        yield started


@pytest.fixture(scope="module")
def ref(net: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """List a data set whose seller delivers all the while."""
    folder, seller = tmp_path_factory.mktemp("source"), Person(net.home("seller"))
    FRAME.to_parquet(folder / "rows.parquet")
    listed = seller(
        *("list", folder / "rows.parquet", "--price", "25 TUSD", "--custodians", "direct"),
        *("--licence", "MIT", "--backup", folder / "backup", "--yes"),
    )
    delivering = seller.start("deliver", "--watch")
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
        process = person.start("get", ref, target, "--yes", "--max-price", "25 TUSD")
        delay = chance.uniform(0.3, 1.0) * longest
        try:
            process.communicate(timeout=delay)
        except TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            continue
        # It was faster than we: the next has to open the data anew, and we must be faster.
        assert process.returncode == 0
        longest = time.monotonic() - began
        target = tmp_path / str(int(target.name) + 1)
    person.run("get", ref, target, "--yes", "--max-price", "25 TUSD").ok()

    pd.testing.assert_frame_equal(pd.read_parquet(target / "rows.parquet"), FRAME)
    assert [path.name for path in target.iterdir()] == ["rows.parquet"]
    # Nothing half-made is left, of this folder or of those before it.
    assert all(path.name.isdigit() for path in tmp_path.iterdir())
    shown = person("show", ref, "--json").ok().json["purchases"]
    assert len([p for p in shown if p["buyer"] == address]) == 1
    assert token.functions.balanceOf(address).call() == before - PRICE
