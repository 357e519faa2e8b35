# SPDX-License-Identifier: Apache-2.0
"""A network, a seller and a buyer at the command line, and what they have sold."""

from collections.abc import Callable, Iterator
from itertools import count

import pandas as pd
import pytest

from tests.utils.cli import Person
from tests.utils.devnets import open_devnet
from truthmark.market.validator import ValidatorOwner
from truthmark.testing.network import Devnet

DIRECT = ("--custodians", "direct", "--licence", "MIT", "--blind", "--yes")
PLENTY = ("--yes", "--blind", "--max-price", "100 TUSD")
"""Whatever it costs, and though nobody has seen any of it: most tests are not about the sample."""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with open_devnet(tmp_path_factory.mktemp("net"), block_time=1) as started:
        yield started


@pytest.fixture(scope="module")
def seller(net: Devnet) -> Person:
    return Person(net.home("seller"))


@pytest.fixture(scope="module")
def buyer(net: Devnet) -> Person:
    return Person(net.home("buyer"))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.DataFrame({"x": range(3_000), "text": [f"row {i}" for i in range(3_000)]})


Lister = Callable[..., str]


@pytest.fixture(scope="module")
def sold(seller: Person, frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Lister:
    """Give a function that lists a fresh data set in direct mode, and returns its name."""
    numbers = count(1)

    def list_one(*options: object, price: str = "25 TUSD", who: Person = seller) -> str:
        folder = tmp_path_factory.mktemp("source")
        source = folder / f"rows{next(numbers)}.parquet"
        frame.to_parquet(source)
        done = who(
            *("list", source, "--price", price, "--custodians", "direct", "--windows", "small"),
            *(
                "--licence",
                "CC-BY-4.0",
                "--backup",
                folder / "backup",
                "--blind",
                "--yes",
                *options,
            ),
        )
        return done.ok().out.strip()

    return list_one


@pytest.fixture(scope="module")
def kept(sold: Lister) -> str:
    """Name a data set that nobody buys and nothing happens to."""
    return sold(price="7.5 TUSD")


def address(who: Person) -> str:
    return who("wallet", "address").ok().out.strip()


def held(who: Person, symbol: str = "TUSD") -> int:
    tokens = who("balance", "--json").ok().json["tokens"]
    return next(int(t["held"]["units"]) for t in tokens if t["held"]["symbol"] == symbol)


@pytest.fixture
def expensive(net: Devnet) -> Iterator[str]:
    """Name a validator who asks 5 TUSD for keeping; the only one for locks of 150 TMK."""
    with net.session("custodian4") as session:
        owner = ValidatorOwner(session)
        owner.register()
        owner.stake(20)
        token, keeping = session.profile.parse_amount("5 TUSD")
        owner.publish_offer(
            {token.address: (100_000, keeping)},
            max_bytes=1 << 30,
            max_period_seconds=400 * 86_400,
            min_delivery_seconds=60,
            min_inspection_seconds=60,
            max_lock=150 * 10**18,
            takes_unsampled=True,
        )
        yield owner.validator
