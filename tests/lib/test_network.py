# SPDX-License-Identifier: Apache-2.0
"""Local networks: started, found, stopped, gone on with; nodes of their own among them."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import truthmark
from tests.utils.anvil import require_anvil
from truthmark.config.settings import DEVNET_PASSPHRASE, Settings, load_settings
from truthmark.errors import ConfigError
from truthmark.market.catalogue import Catalogue
from truthmark.testing.network import ROLES, Devnet, role_key

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    require_anvil()
    with truthmark.testing.devnet(tmp_path_factory.mktemp("net"), block_time=None) as started:
        yield started


def test_start__in_a_new_folder__funds_every_role(net: Devnet) -> None:
    for role in ROLES:
        with net.session(role) as session:
            assert session.address == session.signer.address
            for symbol in ("TMK", "TUSD", "TEUR"):
                token = session.token(session.profile.token(symbol).address)
                assert token.functions.balanceOf(session.address).call() > 0, (role, symbol)
            assert session.chain.balance(session.address) > 10**18


def test_start__progress__ends_at_the_whole(tmp_path: Path, net: Devnet) -> None:
    seen: list[tuple[int, int]] = []
    other = Devnet.start(tmp_path / "other", progress=lambda *step: seen.append(step))
    try:
        assert seen[-1][0] == seen[-1][1]
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        assert other.chain.url != net.chain.url
    finally:
        other.remove()
    assert not (tmp_path / "other").exists()


def test_start__running_already__is_refused(net: Devnet) -> None:
    with pytest.raises(ConfigError, match=r"running in .* already; stop it with"):
        Devnet.start(net.folder)
    assert net.status().is_running


def test_open__a_running_network__is_the_same(net: Devnet) -> None:
    found = Devnet.open(net.folder)
    assert (found.profile, found.chain.url) == (net.profile, net.chain.url)
    assert found.status().is_running
    assert found.custodians == []


def test_open__nothing_there__says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="truthmark devnet up"):
        Devnet.open(tmp_path)


@pytest.mark.parametrize("content", ["", "[", '{"url": "x"}'])
def test_open__state_is_damaged__says_to_delete_the_folder(tmp_path: Path, content: str) -> None:
    (tmp_path / "devnet.json").write_text(content)
    with pytest.raises(ConfigError, match="delete the folder"):
        Devnet.open(tmp_path)


def test_warp__seconds__passes_on_the_chain(net: Devnet) -> None:
    before = net.status().time
    assert before is not None
    assert net.warp(1_000) >= before + 1_000
    with net.session("stranger") as session:
        assert session.chain.time() >= before + 1_000


@pytest.mark.parametrize("role", ["", "nobody", "../seller"])
def test_roles__another__is_refused(net: Devnet, role: str) -> None:
    with pytest.raises(ConfigError, match="there is no role"):
        net.home(role)
    with pytest.raises(ConfigError, match="there is no role"):
        role_key(role)


def test_home__of_a_role__is_one_for_the_command_line(net: Devnet) -> None:
    settings = load_settings(net.home("buyer"))
    assert isinstance(settings, Settings)
    assert (settings.profile, settings.account) == ("devnet", "buyer")
    assert settings.chain_profile() == net.profile
    assert settings.storage == (f"local:{net.folder / 'store'}",)


def test_stop__started_again__goes_on_where_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    with Devnet.start(folder, block_time=None) as first:
        with first.session("seller") as session:
            token = session.token(session.profile.token("TUSD").address)
            call = token.functions.transfer(role_address("stranger"), 77)
            session.send_repeatable(call, "pay")
            held = token.functions.balanceOf(session.address).call()
        blocks = first.status().block
        # What a person changed at home stays.
        config = first.home("seller") / "config.toml"
        config.write_text(config.read_text() + "rpc_timeout = 7.0\n")
    assert not first.status().is_running
    assert first.status().block is None
    with Devnet.start(folder, block_time=None) as second:
        assert second.profile.contracts == first.profile.contracts
        assert (second.status().block or 0) >= (blocks or 0)
        with second.session("seller") as session:
            assert session.settings.rpc_timeout == 7.0
            token = session.token(session.profile.token("TUSD").address)
            assert token.functions.balanceOf(session.address).call() == held


def test_start__again_and_again_after_a_warp__is_the_same_chain(tmp_path: Path) -> None:
    # Each start of anvil adds a block 0 of its own to what it saves.
    folder = tmp_path / "net"
    seen = set()
    for number in range(5):
        with Devnet.start(folder, block_time=None) as net, net.session("seller") as session:
            seen.add((session.chain.genesis, net.profile.contracts["registry"].address))
            token = session.token(session.profile.token("TUSD").address)
            call = token.functions.transfer(role_address("stranger"), 1)
            session.send_repeatable(call, f"pay {number}")
            assert token.functions.balanceOf(role_address("stranger")).call() % 10**6 == number + 1
            net.warp(86_400)
    assert len(seen) == 1


def test_start__chain_is_another_one__is_refused_and_nothing_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    with Devnet.start(folder, block_time=None):
        pass
    record = folder / "deployment.json"
    before = record.read_text().replace('"genesis": "0x', '"genesis": "0x00')
    record.write_text(before)
    with pytest.raises(ConfigError, match="not the one that the market was deployed on"):
        Devnet.start(folder, block_time=None)
    assert record.read_text() == before


def role_address(role: str) -> str:
    from truthmark.session import Signer

    return Signer(role_key(role)).address


def test_start_custodians__two__are_nodes_with_stake_until_stopped(net: Devnet) -> None:
    nodes = net.start_custodians(2)
    try:
        assert [node.role for node in nodes] == ["custodian1", "custodian2"]
        for node in nodes:
            assert node.is_running()
            with urllib.request.urlopen(f"{node.status_url}/metrics", timeout=120) as reply:
                assert b"truthmark_" in reply.read()
        with net.session("stranger") as session:
            Catalogue.of(session).sync()
            offered = {offer.validator.address for offer in Catalogue.of(session).offers()}
        assert offered == {role_address(node.role) for node in nodes}
        # Anyone who opens the folder later finds and can end them, knowing only their numbers.
        found = Devnet.open(net.folder)
        assert [node.pid for node in found.custodians] == [node.pid for node in nodes]
        assert all(node.is_running() for node in found.custodians)
        found.custodians[1].stop()
        assert [node.is_running() for node in found.custodians] == [True, False]
        assert nodes[0].is_running()
    finally:
        net.stop_custodians()
    assert not any(node.is_running() for node in found.custodians)
    assert Devnet.open(net.folder).custodians == []


def test_start_custodians__more_than_there_are_roles__is_refused(net: Devnet) -> None:
    with pytest.raises(ConfigError, match="0 to 4 custodians, not 5"):
        net.start_custodians(5)
    assert net.custodians == []


def test_start_custodians__node_that_does_not_start__says_where_to_look(
    net: Devnet, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigError, match=r"custodian1 did not start; see .*node\.log"):
        net.start_custodians(1, storage=["gateway:nonsense"])
    net.stop_custodians()


def test_passphrase__of_a_devnet__opens_its_keystores(net: Devnet) -> None:
    with net.session("buyer") as session:
        assert session.wallet.load("buyer", DEVNET_PASSPHRASE) == role_key("buyer")
