# SPDX-License-Identifier: Apache-2.0
"""Endpoints that leave events out: the index is right, or nothing of it is kept."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils.indexing import Content, content
from tests.utils.nodes import MarketHarness, open_harness
from tests.utils.rpc_server import Proxy, serve
from truthmark.chain.connection import Chain, connect_chain
from truthmark.errors import ChainUnavailableError
from truthmark.index import follower as follower_module
from truthmark.index.database import EventIndex
from truthmark.index.follower import Follower
from truthmark.index.rebuild import rebuild
from truthmark.market.seller import Seller
from truthmark.market.settlement import Settlement

pytestmark = pytest.mark.chain

Logs = list[dict[str, Any]]
Cut = Callable[[Logs], Logs]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A market with a little of everything in it, far behind the head."""
    with open_harness(tmp_path_factory.mktemp("gaps") / "net", ["custodian1"]) as harness:
        live(harness)
        chain = harness.session("seller").chain
        chain.rpc.call("anvil_mine", hex(300))
        yield chain


def live(harness: MarketHarness) -> None:
    first, second = harness.sell([]), harness.sell([])
    harness.sell([])
    seller = Seller(harness.session("seller"))
    seller.reprice(first.version, 30_000_000)
    seller.retire(second.version)
    harness.buy(first)
    late = harness.buy(first, "buyer2")
    harness.warp_to(late.deadline + 1)
    Settlement(harness.session("buyer2")).refund([late])


@pytest.fixture(scope="module")
def truth(chain: Chain) -> Content:
    follower = Follower(chain, "sqlite://")
    follower.sync()
    return content(follower.index)


def test_sync__market_on_postgresql__holds_what_sqlite_holds(
    chain: Chain, truth: Content, postgres_url: str
) -> None:
    follower = Follower(chain, postgres_url)
    follower.sync()
    assert content(follower.index) == truth
    follower.index.close()


@pytest.fixture(params=["remote", "local"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the only endpoint is on this machine, so that it is asked for every header."""
    if request.param == "remote":
        monkeypatch.setattr(follower_module, "_LOCAL_BLOCKS", 0)
    return str(request.param)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'index.sqlite'}"


def topic_of(chain: Chain, event: str) -> str:
    """Return the first topic of an event, as an endpoint shows it."""
    (topic,) = {
        found.topic
        for contract in chain.contracts.values()
        for found in contract.artifact.events.values()
        if found.name == event
    }
    return "0x" + topic.hex()


class Cutting(Proxy):
    """Leaves logs out of answers, those for single blocks too if it is thorough."""

    def __init__(self, chain: Chain, cut: Cut, *, is_thorough: bool = False) -> None:
        super().__init__(chain.profile.rpc[0])
        self.cut = cut
        self.is_thorough = is_thorough

    def late(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        if request["method"] == "eth_getLogs" and (
            self.is_thorough or "fromBlock" in request["params"][0]
        ):
            answer["result"] = self.cut(answer["result"])


HEALED: dict[str, Cut] = {
    "first three": lambda logs: logs[:3],
    "last three": lambda logs: logs[-3:],
    "every other one": lambda logs: logs[::2],
    "nothing": lambda logs: [],
    "no last one": lambda logs: logs[:-1],
}


LONG = ("last three", "every other one", "no last one")


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(cut, marks=[pytest.mark.assure] if name in LONG else [], id=name)
        for name, cut in HEALED.items()
    ],
)
@pytest.mark.untraced
def test_sync__ranges_are_cut_without_a_word__index_is_right(
    chain: Chain, truth: Content, url: str, cut: Cut, place: str
) -> None:
    with serve(Cutting(chain, cut)) as server:
        follower = Follower(connect_chain(replace(chain.profile, rpc=(server.url,))), url)
        follower.sync()
        assert content(follower.index) == truth


@pytest.mark.untraced
def test_sync__own_endpoint_hides_what_nothing_counts__index_is_right(
    chain: Chain, truth: Content, url: str
) -> None:
    topic = topic_of(chain, "OfferPublished")
    seen: Logs = []

    def hide_offers(logs: Logs) -> Logs:
        offers = [entry for entry in logs if entry["topics"][0] == topic]
        seen.extend(offers)
        return [entry for entry in logs if entry not in offers]

    with serve(Cutting(chain, hide_offers)) as server:
        follower = Follower(connect_chain(replace(chain.profile, rpc=(server.url,))), url)
        follower.sync()
        assert content(follower.index) == truth and seen


@pytest.fixture(scope="module")
def hide_quiet_purchase(chain: Chain) -> Cut:
    """Leaves out the one purchase that nothing followed, and nothing else."""
    follower = Follower(chain, "sqlite://")
    follower.sync()
    followed = {e.args["purchase_id"] for e in follower.index.events("market", "Refunded")}
    bought = {e.args["purchase_id"] for e in follower.index.events("market", "Purchased")}
    (quiet,) = bought - followed
    hidden = [topic_of(chain, "Purchased"), "0x" + quiet.hex()]
    return lambda logs: [entry for entry in logs if entry["topics"][:2] != hidden]


@pytest.mark.parametrize("place", ["remote"], indirect=True)
@pytest.mark.untraced
def test_sync__ranges_hide_a_purchase_that_nothing_followed__index_is_right(
    chain: Chain, truth: Content, url: str, place: str, hide_quiet_purchase: Cut
) -> None:
    with serve(Cutting(chain, hide_quiet_purchase)) as server:
        follower = Follower(connect_chain(replace(chain.profile, rpc=(server.url,))), url)
        follower.sync()
        assert content(follower.index) == truth


@pytest.mark.parametrize("place", ["remote"], indirect=True)
@pytest.mark.untraced
def test_sync__only_endpoint_never_tells_of_a_purchase_that_nothing_followed__is_noticed(
    chain: Chain, url: str, place: str, hide_quiet_purchase: Cut
) -> None:
    with serve(Cutting(chain, hide_quiet_purchase, is_thorough=True)) as server:
        profile = replace(chain.profile, rpc=(server.url,))
        with pytest.raises(ChainUnavailableError, match="a purchase: of those that the market"):
            Follower(connect_chain(profile), url).sync()
        assert sum(EventIndex(profile, url).counts().values()) == 0


@pytest.mark.parametrize(
    "event",
    [
        *("VersionListed", "Refunded"),
        *(
            pytest.param(event, marks=pytest.mark.assure)
            for event in (
                *("CustodyOpened", "ValidatorRegistered"),
                *("VersionRepriced", "VersionRetired", "CustodyAccepted", "CustodyClosed"),
                *("TicketsStaked", "Purchased"),
            )
        ),
    ],
)
@pytest.mark.untraced
def test_sync__endpoint_never_tells_of_an_event__nothing_is_kept_and_another_one_heals(
    chain: Chain, truth: Content, url: str, event: str
) -> None:
    shown = topic_of(chain, event)
    cut: Cut = lambda logs: [log for log in logs if log["topics"][0] != shown]  # noqa: E731
    with serve(Cutting(chain, cut, is_thorough=True)) as server:
        profile = replace(chain.profile, rpc=(server.url,))
        with pytest.raises(ChainUnavailableError, match=r"leave out .*add an endpoint"):
            Follower(connect_chain(profile), url).sync()
        assert sum(EventIndex(profile, url).counts().values()) == 0
        # Beside one that tells all of it, it does no harm, whichever is asked first.
        both = replace(profile, rpc=(server.url, *chain.profile.rpc))
        follower = Follower(connect_chain(both), "sqlite://")
        follower.sync()
        assert content(follower.index) == truth
    follower = Follower(chain, url)
    follower.sync()
    assert content(follower.index) == truth


@pytest.mark.parametrize("name", ["registry_version_listed", "market_refunded"])
def test_sync__older_run_left_rows_out__is_healed(
    chain: Chain, truth: Content, url: str, name: str
) -> None:
    follower = Follower(chain, url)
    follower.sync()
    with follower.index.write() as connection:
        connection.execute(f"DELETE FROM {name}")
        if name == "market_refunded":  # nothing counts them: it is seen where all is compared
            connection.execute("UPDATE index_cursor SET audited = -1")
    follower.index.close()
    again = Follower(chain, url)
    again.sync()
    assert content(again.index) == truth


def test_rebuild__damaged_or_wrong_index__is_replaced_as_a_whole(
    chain: Chain, truth: Content, url: str, tmp_path: Path
) -> None:
    follower = Follower(chain, url)
    follower.sync(to=5)
    reader = follower.index
    rebuild(chain, url, tmp_path)
    assert content(reader) == truth  # also for those who had it open
    reader.close()
    path = tmp_path / "index.sqlite"
    path.write_bytes(b"no database at all" * 1000)
    rebuild(chain, url, tmp_path)
    index = EventIndex(chain.profile, url)
    assert content(index) == truth
    index.close()
    assert [entry.name for entry in tmp_path.glob("rebuild*")] == []


def test_rebuild__endpoint_leaves_events_out__old_index_stays(
    chain: Chain, truth: Content, url: str, tmp_path: Path
) -> None:
    Follower(chain, url).sync()
    with serve(Cutting(chain, lambda logs: logs[:1], is_thorough=True)) as server:
        cutting = connect_chain(replace(chain.profile, rpc=(server.url,)))
        with pytest.raises(ChainUnavailableError, match="leave out"):
            rebuild(cutting, url, tmp_path)
    assert content(EventIndex(chain.profile, url)) == truth
