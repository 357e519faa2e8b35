# SPDX-License-Identifier: Apache-2.0
"""The sample from a seller's `list` to a buyer's `get`, at the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import truthmark
from tests.utils.cli import Person
from tests.utils.devnets import net
from truthmark.errors import EndpointsDisagreeError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.flows import sampling
from truthmark.market.preview import PreviewState, look
from truthmark.market.publishing import Publisher
from truthmark.testing.network import Devnet

__all__ = ["net"]

pytestmark = pytest.mark.chain

PAY = ("--yes", "--max-price", "100 TUSD")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a table that is cut into more than 128 parts."""
    rows = np.random.default_rng(1).random((80_000, 4))
    place = tmp_path_factory.mktemp("source") / "numbers.parquet"
    pd.DataFrame(rows, columns=list("abcd")).to_parquet(place)
    return place


@pytest.fixture(scope="module")
def command(source: Path) -> tuple[object, ...]:
    """Return how it is listed; run again it goes on."""
    return (
        *("list", source, "--price", "2 TUSD", "--custodians", "direct", "--windows", "small"),
        *("--licence", "MIT", "--backup", source.parent / "backup", "--yes"),
    )


def test_list__interrupted_while_chance_is_awaited__goes_on_and_is_bought_without_leave(
    net: Devnet, command: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    seller, buyer = Person(net.home("seller")), Person(net.home("buyer"))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sampling, "_let_pass", interrupt)
        stopped = seller(*command)
        assert stopped.code != 0
        assert "chance picks the parts to open by block" in stopped.err
    waiting = buyer("buy", "1", *PAY).refused(8, "has not yet opened")
    assert "paid" not in waiting.err

    listed = seller(*command).ok()
    assert "it was listed before; nothing was sent" in listed.err
    assert "chance picked" in listed.err and "they are open for everybody now" in listed.err
    with net.session("stranger") as session:
        version = Catalogue.of(session).find("1")
        assert look(session, version).state is PreviewState.SHOWN
    bought = buyer("buy", "1", *PAY).ok()
    assert "opened and checked by this computer" in bought.err

    # Once more: all is open, and nothing is sent.
    with net.session("seller") as session:
        sent = session.chain.rpc.call("eth_getTransactionCount", session.address, "latest")
        seller(*command).ok()
        assert session.chain.rpc.call("eth_getTransactionCount", session.address, "latest") == sent


def test_publish__another_word_for_the_same_manifest__opens_nothing(
    net: Devnet, command: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    Person(net.home("seller"))(*command).ok()
    with net.session("seller") as session:
        version = Catalogue.of(session).find("1")
        (noted,) = (session.home / "samples").iterdir()
        known = json.loads(noted.read_text())
        assert known["dataset"] == version.ref
        publisher = Publisher(session)
        publisher._follow(version, known["block"], bytes.fromhex(known["seed"]))
        with pytest.raises(EndpointsDisagreeError, match="only one draw is opened"):
            publisher._follow(version, known["block"], bytes(32))


def test_get__blind__asks_or_needs_to_be_told(net: Devnet, source: Path, tmp_path: Path) -> None:
    seller, buyer = Person(net.home("seller")), Person(net.home("buyer2"))
    packed = ("--packed", tmp_path / "p", "--licence", "MIT", "--blind")
    ref = (
        seller(
            *("list", source, "--price", "2 TUSD", "--custodians", "direct", *packed),
            *("--windows", "small", "--backup", tmp_path / "b", "--yes"),
        )
        .ok()
        .out.strip()
    )
    said = buyer("buy", ref, *PAY).refused(8, "add --blind")
    assert "No one but the seller has seen any of this data." in said.err
    buyer("buy", ref, stdin="no\n").refused(8, "add --blind")
    buyer("buy", ref, stdin="yes\ny\n").ok()
    Person(net.home("buyer3"))("buy", ref, *PAY, "--blind").ok()


def test_list_dataset__without_waiting__is_opened_by_the_same_call_again(
    net: Devnet, tmp_path: Path
) -> None:
    rows = np.random.default_rng(2).random((20_000, 2))
    pd.DataFrame(rows, columns=list("ab")).to_parquet(tmp_path / "few.parquet")
    with net.session("seller") as session:
        options = {"licence": "MIT", "draws": 8, "session": session}
        truthmark.pack(tmp_path / "few.parquet", tmp_path / "packed", **options)

        def list_it() -> Version:
            return truthmark.list_dataset(
                tmp_path / "packed", price="2 TUSD", windows="small", session=session
            )

        version = list_it()
        assert look(session, version).state is PreviewState.WAITING
        session.chain.rpc.call("anvil_mine", "0x8")
        assert list_it().terms_id == version.terms_id
        assert look(session, version).state is PreviewState.SMALL  # seen as far as it can be
