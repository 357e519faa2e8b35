# SPDX-License-Identifier: Apache-2.0
"""What a node has seen of a version, and when it looks again before something is bound by it."""

from typing import Any

import pytest

from tests.utils.clock import Clock
from tests.utils.offline_market import OfflineMarket
from tests.utils.pools import AtOnce
from tests.utils.previews import BUYER, STRANGER, Made, PreviewMarket, make
from truthmark.errors import NotForSaleError
from truthmark.market.entries import Version
from truthmark.market.preview import PreviewState, require_still, wanted_keys
from truthmark.market.preview.again import has_news
from truthmark.node import samples as samples_module
from truthmark.node.samples import FRESH_SECONDS, Samples

BAD = 150


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(samples_module, "time", clock)
    return clock


@pytest.fixture
def market(offline: OfflineMarket) -> PreviewMarket:
    return PreviewMarket(offline)


def listed(market: PreviewMarket) -> tuple[Made, Version]:
    """A version of which one segment is noise that its sample does not meet."""
    for number in range(1, 20):
        made = make({"a.parquet": 200}, bad=[BAD], is_alike=True, after=number * 1_000)
        version = market.list_version(made, number)
        (bad,) = made.bad
        if made.all_keys[bad] not in wanted_keys(market.session, version, made.container).keys:
            market.open_sample(made, version)
            return made, version
    raise AssertionError("chance met it each time")


def asked(market: PreviewMarket) -> tuple[Made, Version, Samples, Any]:
    """Such a version, a node's looks, and the pool that does them at once."""
    pool: Any = AtOnce()
    return *listed(market), Samples(market.session, pool), pool


def state_of(samples: Samples, version: Version) -> PreviewState | None:
    found = samples.current(version, samples.ask(version))
    return None if found is None else found.state


def test_current__rotten_is_opened_while_bytes_come__is_seen_before_it_is_accepted(
    market: PreviewMarket, clock: Clock
) -> None:
    made, version, samples, pool = asked(market)
    assert state_of(samples, version) is PreviewState.SHOWN
    clock.now += 3_600  # the bytes come
    assert state_of(samples, version) is PreviewState.SHOWN
    assert pool.done == 1  # nothing was published: what was found is remembered
    market.buy(version)
    market.publish(made, made.bad, by=BUYER)
    assert state_of(samples, version) is None
    assert state_of(samples, version) is PreviewState.BROKEN
    assert pool.done == 2


def test_current__another_command_of_the_home_has_seen_it_first__is_looked_at_again(
    market: PreviewMarket, clock: Clock
) -> None:
    made, version, samples, _ = asked(market)
    assert state_of(samples, version) is PreviewState.SHOWN
    clock.now += 3_600
    market.publish(made, made.bad, by=STRANGER)
    assert market.look(version).state is PreviewState.BROKEN
    assert state_of(samples, version) is None
    assert state_of(samples, version) is PreviewState.BROKEN


def test_current__keys_that_fit_nothing_are_published_for_ever__do_not_keep_it_looking(
    market: PreviewMarket, clock: Clock
) -> None:
    made, version, samples, pool = asked(market)
    state_of(samples, version)
    clock.now += FRESH_SECONDS + 1
    market.publish_keys(made, [bytes(32)], STRANGER)
    assert state_of(samples, version) is None
    samples.ask(version)
    for number in range(5):
        market.publish_keys(made, [bytes([number]) * 32], STRANGER)
        assert state_of(samples, version) is PreviewState.SHOWN
        clock.now += FRESH_SECONDS / 10
    assert pool.done == 2


def test_require_still__rotten_is_opened_while_a_buyer_thinks__is_not_paid(
    market: PreviewMarket,
) -> None:
    made, version = listed(market)
    require_still(market.session, version)  # nobody has looked, so nothing can have changed
    assert market.look(version).state is PreviewState.SHOWN
    before = len(market.shelf.read)
    require_still(market.session, version)
    assert len(market.shelf.read) == before and not has_news(market.session, version)
    market.publish(made, made.bad, by=STRANGER)
    for _ in range(2):  # and no second click pays for it
        with pytest.raises(NotForSaleError, match="since you looked something of it was opened"):
            require_still(market.session, version)


def test_require_still__one_endpoint_hides_what_was_opened__is_not_paid(
    market: PreviewMarket,
) -> None:
    """The index follows one endpoint; what two others tell comes before the money."""
    made, version = listed(market)
    assert market.look(version).state is PreviewState.SHOWN
    market.session.follower.require_agreed = lambda: market.publish(made, made.bad, by=STRANGER)  # type: ignore[method-assign]
    with pytest.raises(NotForSaleError, match="since you looked something of it was opened"):
        require_still(market.session, version)


def test_require_still__what_was_found_is_removed__is_looked_at_once_more(
    market: PreviewMarket,
) -> None:
    made, version = listed(market)
    assert market.look(version).state is PreviewState.SHOWN
    file = market.session.index_folder / "previews.sqlite"
    file.unlink()
    require_still(market.session, version, PreviewState.SHOWN)
    file.unlink()
    market.publish(made, made.bad, by=STRANGER)
    with pytest.raises(NotForSaleError, match="not bought"):
        require_still(market.session, version, PreviewState.SHOWN)


def test_look__one_endpoint_hides_what_was_opened__is_broken(market: PreviewMarket) -> None:
    made, version = listed(market)
    market.session.follower.require_agreed = lambda: market.publish(made, made.bad, by=STRANGER)  # type: ignore[method-assign]
    assert market.look(version).state is PreviewState.BROKEN


def test_require_still__somebody_else_has_looked_since__is_not_paid(market: PreviewMarket) -> None:
    made, version = listed(market)
    market.look(version)
    market.publish(made, made.bad, by=STRANGER)
    assert market.look(version).state is PreviewState.BROKEN  # a page of the app, another terminal
    assert not has_news(market.session, version)
    with pytest.raises(NotForSaleError, match="not bought"):
        require_still(market.session, version, PreviewState.SHOWN)


def test_require_still__less_was_seen_than_was_agreed_to__is_asked_about_again(
    market: PreviewMarket,
) -> None:
    small = make({"a.parquet": 20}, after=50_000)
    few = market.list_version(small, 50)
    market.publish(small)
    assert market.look(few).state is PreviewState.SMALL
    with pytest.raises(NotForSaleError, match="not bought"):
        require_still(market.session, few, PreviewState.SHOWN)
    require_still(market.session, few, PreviewState.SMALL)


def test_require_still__good_parts_are_opened_or_it_was_agreed_to_before__is_paid(
    market: PreviewMarket,
) -> None:
    made, version = listed(market)
    market.look(version)
    market.publish(made, [3, 4], by=STRANGER)
    assert has_news(market.session, version)
    require_still(market.session, version)
    assert not has_news(market.session, version)
    small = make({"a.parquet": 20}, after=50_000)
    few = market.list_version(small, 50)
    market.publish(small)
    assert market.look(few).state is PreviewState.SMALL
    market.publish(small, by=STRANGER)
    require_still(market.session, few)
