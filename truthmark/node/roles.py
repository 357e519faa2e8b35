# SPDX-License-Identifier: Apache-2.0
"""The roles that a node can have, by name."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from truthmark.errors import ConfigError
from truthmark.node.custodian import CustodianRole
from truthmark.node.receiver import ReceiverRole
from truthmark.node.role import Role
from truthmark.node.settings import NodeSettings, RoleName, custodian_policy, gas_reserve
from truthmark.node.status import Metrics, Notifier
from truthmark.session import Session, private_networks

if TYPE_CHECKING:
    from truthmark.bounty.workspace import Workspace


def open_role(
    name: RoleName, session: Session, settings: NodeSettings, metrics: Metrics, notifier: Notifier
) -> Role:
    """Make a role; nothing is done before its first round.

    Raises:
        ConfigError: The account may not have it.
        ChainError: The chain cannot be read.
    """
    return _ROLES[name](session, settings, metrics, notifier)


def _open_custodian(
    session: Session, settings: NodeSettings, metrics: Metrics, notifier: Notifier
) -> Role:
    validator = settings.validator or session.address
    if not session.chain.staking.functions.is_actor(validator, session.address).call():
        raise ConfigError(
            f"{session.address} neither owns nor operates validator {validator}; register "
            "with `truthmark stake register`, or name the validator with --validator"
        )
    return CustodianRole(
        session,
        validator,
        custodian_policy(settings, session.profile),
        metrics=metrics,
        notifier=notifier,
        dry_run=settings.dry_run,
    )


def _open_receiver(
    session: Session, settings: NodeSettings, metrics: Metrics, notifier: Notifier
) -> Role:
    from truthmark.bounty.flows.following import post_next_wave

    def own_relay() -> str:
        if "relay" not in settings.roles:
            return ""
        from truthmark.node.relay.opening import relay_of

        return relay_of(session, settings).local_url

    def follow_up(session: Session, workspace: "Workspace") -> None:
        # It was agreed to with the first wave.
        post_next_wave(session, workspace, say=partial(notifier.notify, "wave"))

    return ReceiverRole(
        session,
        own_relay=own_relay,
        follow_up=follow_up,
        metrics=metrics,
        notifier=notifier,
        bounties=settings.bounties or None,
        withdraws=settings.withdraw,
        gas_reserve=gas_reserve(settings),
        dry_run=settings.dry_run,
    )


def _open_relay(
    session: Session, settings: NodeSettings, metrics: Metrics, notifier: Notifier
) -> Role:
    # FastAPI and SQLAlchemy take a second to import, and only relays need them.
    from truthmark.node.relay.opening import relay_of
    from truthmark.node.relay.role import RelayRole

    return RelayRole(
        relay_of(session, settings),
        gas_reserve=gas_reserve(settings),
        metrics=metrics,
        notifier=notifier,
        dry_run=settings.dry_run,
    )


def _open_watch(
    session: Session, settings: NodeSettings, metrics: Metrics, notifier: Notifier
) -> Role:
    from truthmark.bounty.relay_client import open_public_relay
    from truthmark.node.relay.opening import find_relays, relay_of
    from truthmark.node.watch import WatchRole

    return WatchRole(
        relay_of(session, settings),
        lambda record: find_relays(session, settings, record),
        gas_reserve=gas_reserve(settings),
        metrics=metrics,
        notifier=notifier,
        open_relay=partial(open_public_relay, private=private_networks(session.settings)),
        dry_run=settings.dry_run,
    )


_ROLES: Mapping[RoleName, Callable[[Session, NodeSettings, Metrics, Notifier], Role]] = (
    MappingProxyType(
        {
            "custodian": _open_custodian,
            "receiver": _open_receiver,
            "relay": _open_relay,
            "watch": _open_watch,
        }
    )
)
