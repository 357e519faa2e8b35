# SPDX-License-Identifier: Apache-2.0
"""What the market and its two judges refuse, each reason by name, held against the sources."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa
import pytest

from tests.utils.contracts import reasons, reverts
from tests.utils.drafts import Place, word_of
from tests.utils.market import ZERO, MarketContracts, contracts, deployed_contracts
from tests.utils.market_refusals import disputes, purchases, verdicts
from tests.utils.market_refusals.common import Call
from tests.utils.refusals import Refusals
from tests.utils.tokens import deployer
from truthmark.keys.curve import N, lift_x, multiply, negate, slope, subtract
from truthmark.keys.proofs import prove_buyer_key

__all__ = ["contracts", "deployed_contracts"]
Setup = Callable[[MarketContracts], Call]
refused = Refusals(disputes.refused, purchases.refused, verdicts.refused)


@pytest.mark.parametrize(("reason", "setup"), refused.cases)
def test_market__call_that_it_refuses__says_why(
    contracts: MarketContracts, reason: str, setup: Setup
) -> None:
    call = setup(contracts)
    with reverts(contracts.market, reason):
        call()


# Two keys of a buyer that only an attacker would make: Y with the x of B, and U.x from N.
def test_buy__key_with_the_x_of_the_base__is_not_provable(contracts: MarketContracts) -> None:
    # Nobody knows the logarithm of B, so the proof fails before the sum is looked at.
    listing = contracts.create_listing()
    good = contracts.draft_purchase(listing)
    for key in (listing.content.base, negate(listing.content.base)):
        order = (*good.order[:2], tuple(key), *good.order[3:])
        with reverts(contracts.market, "market: buyer key not proven"):
            contracts.send(replace(good, order=order))


def test_buy__sum_that_no_proof_could_use__is_refused(contracts: MarketContracts) -> None:
    # U.x from N to P happens once in 2^128 keys. So B is written into a version's terms that were
    # never checked: a registry of its own that says every version is open and every custody live.
    market, listing = market_without_checks(contracts)
    large = next(q for x in range(N, N + 100) if (q := lift_x(x)) is not None)
    secret = 5
    terms = replace(listing.terms, base=subtract(large, multiply(secret)))
    listing = replace(
        listing,
        terms=terms,
        custody=replace(listing.custody, terms_id=terms.terms_id),
        place=Place(listing.place.chain_id, listing.place.registry, str(market.address)),
    )
    purchase = purchase_with(contracts, listing, secret)
    with reverts(market, "market: unlucky buyer key"):
        market.buy(*purchase, sender=contracts.buyer)
    fitting = replace(terms, base=multiply(7))
    listing = replace(
        listing, terms=fitting, custody=replace(listing.custody, terms_id=fitting.terms_id)
    )
    market.buy(*purchase_with(contracts, listing, secret), sender=contracts.buyer)
    equal = replace(terms, base=multiply(secret))
    listing = replace(
        listing, terms=equal, custody=replace(listing.custody, terms_id=equal.terms_id)
    )
    with reverts(market, "curve: equal x"):
        market.buy(*purchase_with(contracts, listing, secret), sender=contracts.buyer)


GULLIBLE = """
# pragma version 0.4.3
@external
@view
def status(terms_id: bytes32, custody_id: bytes32) -> (uint256, uint256, bool):
    # An open version for nothing, a live custody that never ends.
    return 1, 2 | ((2**40 - 1) << 104), False

@external
@view
def CHECKS() -> address:
    return self

@external
@view
def BOARD() -> address:
    return self
"""


def market_without_checks(w: MarketContracts) -> tuple[Any, Any]:
    registry = boa.loads(GULLIBLE)
    market = deployer("DatasetMarket").deploy(registry, w.proofs, w.judge, registry, w.treasury)
    return market, w.draft_listing(price=0, fee=0)


def purchase_with(w: MarketContracts, listing: Any, secret: int) -> tuple[Any, ...]:
    key, salt = multiply(secret), word_of("salt")
    proof = prove_buyer_key(
        secret,
        chain_id=listing.place.chain_id,
        market=listing.place.market,
        custody_id=listing.custody_id,
        buyer=w.buyer,
        salt=salt,
    )
    order = (0, salt, tuple(key), *proof, slope(listing.terms.base, key))
    return (order, listing.terms.astuple(), listing.custody.astuple())


@pytest.mark.parametrize(
    ("reason", "place"),
    [
        ("market: registry is zero", 0),
        ("market: proofs is zero", 1),
        ("market: judge is zero", 2),
        ("market: treasury is zero", 4),
    ],
)
def test_init__zero_address__is_refused(
    contracts: MarketContracts, reason: str, place: int
) -> None:
    c = contracts
    arguments = [c.registry, c.proofs, c.judge, c.intake, c.treasury]
    arguments[place] = ZERO
    with boa.reverts(reason):
        deployer("DatasetMarket").deploy(*arguments)


def test_init__intake_of_another_board_than_the_checks__is_refused(
    contracts: MarketContracts,
) -> None:
    c = contracts
    intake = deployer("BountyIntake").deploy(deployer("BountyBoard").deploy(c.owner, c.treasury))
    with boa.reverts("market: other board"):
        deployer("DatasetMarket").deploy(c.registry, c.proofs, c.judge, intake, c.treasury)


OF_CONSTRUCTOR = {
    "market: other board",
    "market: registry is zero",
    "market: proofs is zero",
    "market: judge is zero",
    "market: treasury is zero",
}


# By `test_buy__sum_that_no_proof_could_use__is_refused`.
BY_ITSELF = {"market: unlucky buyer key"}
# By test_royalties.py.
OF_ROYALTIES = {"market: no price"}


def test_reasons__of_the_sources__are_all_hit_by_name() -> None:
    owners = ("market: ", "proofs: ", "judge: ")
    own = {reason for reason in refused.reasons if reason.startswith(owners)}
    sources = reasons("DatasetMarket.vy") | reasons("DeliveryProofs.vy") | reasons("ShardJudge.vy")
    assert own | OF_CONSTRUCTOR | BY_ITSELF | OF_ROYALTIES == sources


def test_reasons__of_modules_that_the_market_uses__are_named_here_or_in_their_own_tests() -> None:
    # The others answer with values; the curve's words are the additions'.
    for module in ("signatures", "records", "merkle", "aes_gcm"):
        assert reasons(f"modules/{module}.vy") == set()
    assert reasons("modules/secp256k1.vy") == {
        "curve: equal x",
        "curve: wrong slope",
        "curve: wrong tangent",
    }
