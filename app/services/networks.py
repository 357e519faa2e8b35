# SPDX-License-Identifier: Apache-2.0
"""The network: contracts, parameters, totals, and whether everything works."""

import time
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from app import views
from app.services.reading import (
    forget_sync,
    is_local,
    listed_versions,
    shared_reader,
    shared_session,
)
from app.services.texts import percent_of, said_of
from truthmark.errors import ConfigError, TruthmarkError
from truthmark.market.catalogue import Catalogue
from truthmark.market.fetch import read_manifest
from truthmark.session import Session
from truthmark.testing.network import Devnet
from truthmark.text import clean, format_duration, format_time, plural

_CONTRACTS: Final = {
    "registry": ("Registry", "terms, versions, prices, bonds, custody"),
    "market": ("Market", "purchases, deliveries, buyers' money"),
    "proofs": ("Proofs", "decides disputes about wrong keys"),
    "judge": ("Judge", "decides disputes about parts that do not open"),
    "openings": ("Openings", "keys of parts that everybody may open"),
    "reviews": ("Reviews", "what buyers say of what they paid for"),
    "bounty_board": ("Bounties", "terms, deposits, scores, pay"),
    "bounty_intake": ("Bounty intake", "joining, and commitments to labels"),
    "bounty_proofs": ("Bounty proofs", "decides whether a score is wrong"),
    "checks": ("Listing checks", "what may be listed"),
    "staking": ("Staking", "what custodians have at stake"),
    "token": ("Stake token", "what is staked"),
}


def network() -> views.Network:
    """Return what the app is connected to, and how that is."""
    session = shared_reader().session
    profile, chain = session.profile, session.chain
    head = chain.block()
    tip = Catalogue.of(session).index.tip()
    counts = Catalogue.of(session).index.counts()
    return views.Network(
        name=profile.name,
        height=head.number,
        time=format_time(head.timestamp),
        indexed=tip.number,
        health=tuple(_health(session, head.number - tip.number, head.timestamp)),
        contracts=tuple(
            (*_CONTRACTS.get(name, (name.replace("_", " ").capitalize(), "")), info.address)
            for name, info in profile.contracts.items()
        ),
        tokens=tuple((token.symbol, token.address) for token in profile.tokens),
        parameters=_parameters(session),
        totals=(
            ("Versions listed", f"{counts['registry_version_listed']:,}"),
            ("Purchases", f"{counts['market_purchased']:,}"),
            ("Parts of keys delivered", f"{counts['market_delivered']:,}"),
            ("Refunds", f"{counts['market_refunded']:,}"),
        ),
    )


def can_warp() -> bool:
    """Whether time can be let pass here: on a development network of this machine alone."""
    return is_local() and Devnet.of(shared_session()) is not None


def warp_past(moment: int) -> None:
    """Let the time of a development network go on until just after a moment of its chain.

    Raises:
        ConfigError: This is no such network.
    """
    session = shared_reader().session
    net = Devnet.of(session) if is_local() else None
    if net is None:
        raise ConfigError("time passes by itself here; only a development network can skip it")
    net.warp(max(1, moment + 2 - session.chain.time()))
    forget_sync()


def _health(session: Session, lag: int, chain_time: int) -> Iterable[views.Health]:
    profile = session.profile
    hosts = ", ".join(urlsplit(url).hostname or "?" for url in profile.rpc)
    yield views.Health("Chain", True, f"answers, by way of {clean(hosts, 200)}")
    yield views.Health("Contracts", True, "their code is what the profile says")
    yield views.Health("Index", lag <= 3, f"{plural(max(lag, 0), 'block')} behind the chain")
    yield _storage_health(session)
    ahead = chain_time - int(time.time())
    # Where time is warped, deadlines still go by the chain.
    is_close = abs(ahead) <= max(120, 5 * profile.block_time)
    side = "ahead of" if ahead > 0 else "behind"
    text = "as this machine's"
    if not is_close:
        text = f"{format_duration(ahead)} {side} this machine's; deadlines go by the chain's"
    yield views.Health("Chain time", is_close, text)


def _storage_health(session: Session) -> views.Health:
    newest = listed_versions(session)[:1]
    try:
        for version in newest:
            read_manifest(session.storage, version)
    except (TruthmarkError, OSError) as error:
        return views.Health("Storage", False, said_of(error))
    text = "reads what was listed last" if newest else "nothing was listed yet"
    return views.Health("Storage", True, text)


def _parameters(session: Session) -> tuple[tuple[str, str], ...]:
    chain, profile = session.chain, session.profile
    registry, staking = chain.registry.functions, chain.staking.functions
    fee, most, low, high, ticket, unbonding = chain.batch(
        [
            registry.fee_bps(),
            registry.MAX_FEE_BPS(),
            registry.MIN_WINDOW(),
            registry.MAX_WINDOW(),
            staking.TICKET(),
            staking.UNBONDING_SECONDS(),
        ]
    )
    stake = profile.stake_token
    return (
        ("Protocol fee", f"{percent_of(fee)} of the price, at most {percent_of(most)}"),
        ("Windows of a sale", f"from {format_duration(low)} to {format_duration(high)}"),
        ("One ticket of stake", str(profile.amount(ticket, stake))),
        ("Stake comes back after", format_duration(unbonding)),
        ("Number of the chain", str(profile.chain_id)),
        ("Counts as final after", plural(profile.confirmations, "block")),
    )
