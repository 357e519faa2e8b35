# SPDX-License-Identifier: Apache-2.0
"""A node's settings: the command line, then `TRUTHMARK_NODE_*`, then `node.toml`, then defaults."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from truthmark.config.files import read_toml
from truthmark.config.profile import ChainProfile
from truthmark.config.units import parse_units, to_checksum_address
from truthmark.errors import ConfigError
from truthmark.node.policy import Policy

RoleName = Literal["custodian", "receiver", "relay", "watch"]
"""What a node can do."""

ServerName = Literal["relay", "receiver"]
"""What answers labelers."""

FILE_NAME = "node.toml"
MARGIN_BLOCKS = 5
_LEAST_MARGIN = 3
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")


class NodeSettings(BaseSettings):
    """What an operator may choose; see `truthmark node run --help` and docs/node.md.

    Attributes:
        roles: What the node does.
        validator: The validator's address; the account's own if not given.
        poll: Seconds between rounds; half of the chain's block time if not given.
        margin: Nothing is posted so close to a deadline, in seconds; five blocks if not given.
        status_port: Of `/health` and `/metrics`, on loopback; 0 takes a free one.
        blocks_port: Where kept blocks are served to buyers; 0 takes a free one.
        blocks_host: Where the block server listens.
        notify: URL to which messages to the operator are posted.
        gas_reserve: In the chain's own currency; below it no new obligation is taken.
        extend: Whether to stay for another period.
        max_acceptance: Seconds that stake may stand locked before a custody is complete.
        max_waiting: Custodies of one seller that may be incomplete at once.
        min_bond: What sellers must have at stake, such as "10 USDC", one for each token.
        confirmations: Blocks to wait for by price, such as "1000 USDC=30".
        settle_wait: Seconds that settlements wait for each other.
        bounties: Of a receiver, by number; all of its home if none is given.
        withdraw: Whether a receiver pays out to the requester what comes back at the end.
        receiver_host: Where a receiver listens.
        receiver_port: Where labelers bring it files, where its documents say so; 0 takes a free
            one; not at all if not given.
        relay_host: Where a relay listens.
        relay_port: 0 takes a free one.
        relay_db: URL of its database; SQLite in its home if not given.
        public_url: Under which others reach it.
        certificate: File of a certificate in PEM, with which relay and receiver answer over HTTPS.
        certificate_key: File of its key.
        https: Which of the two use it.
        relay_min_fee: What bounties of strangers must pay for each worker who commits, such as
            "0.05 USDC", one for each token; without it strangers are not served.
        relay_requesters: Whom it serves for less, by address; the account itself always.
        relay_max_items: Bytes of the items of one bounty.
        relay_fetch: Whether a relay brings papers itself from its storage, where nobody uploads
            them.
        watch_min_fee: What bounties must pay to who posts labels on chain, such as "0.05 USDC",
            one for each token, for deposits to be taken; without it all are watched.
        dry_run: Decide and log, but keep and send nothing.
    """

    model_config = SettingsConfigDict(env_prefix="TRUTHMARK_NODE_", extra="forbid", frozen=True)

    roles: Annotated[tuple[RoleName, ...], NoDecode] = ("custodian",)
    validator: str | None = None
    poll: float | None = None
    margin: int | None = None
    status_port: int | None = None
    blocks_port: int | None = None
    blocks_host: str = "127.0.0.1"
    notify: str | None = None
    gas_reserve: str = "0.01"
    extend: bool = True
    max_acceptance: int = Policy.max_acceptance_seconds
    max_waiting: int = Policy.max_waiting_per_seller
    min_bond: Annotated[tuple[str, ...], NoDecode] = ()
    confirmations: Annotated[tuple[str, ...], NoDecode] = ()
    settle_wait: int = Policy.settle_seconds
    bounties: Annotated[tuple[int, ...], NoDecode] = ()
    withdraw: bool = True
    receiver_host: str = "127.0.0.1"
    receiver_port: int | None = None
    relay_host: str = "127.0.0.1"
    relay_port: int = 0
    relay_db: str | None = None
    public_url: str | None = None
    certificate: str | None = None
    certificate_key: str | None = None
    https: Annotated[tuple[ServerName, ...], NoDecode] = ("relay", "receiver")
    relay_min_fee: Annotated[tuple[str, ...], NoDecode] = ()
    relay_requesters: Annotated[tuple[str, ...], NoDecode] = ()
    relay_max_items: int = 4 << 30
    relay_fetch: bool = False
    watch_min_fee: Annotated[tuple[str, ...], NoDecode] = ()
    dry_run: bool = False

    @field_validator("validator")
    @classmethod
    def _check(cls, value: str | None) -> str | None:
        return None if value is None else to_checksum_address(value)

    @field_validator("relay_requesters")
    @classmethod
    def _check_all(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(to_checksum_address, values))

    @field_validator(
        *(
            "roles",
            "https",
            "min_bond",
            "confirmations",
            "bounties",
            "relay_min_fee",
            "relay_requesters",
        ),
        "watch_min_fee",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        """Let environment variables list several, separated by commas."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put arguments above the environment, and the environment above the file."""
        given = dict(init_settings())
        file = given.pop("_file", {})
        return (
            InitSettingsSource(settings_cls, init_kwargs=given),
            env_settings,
            InitSettingsSource(settings_cls, init_kwargs=file),
        )


def load_node_settings(home: Path, profile: ChainProfile, **given: Any) -> NodeSettings:
    """Read a node's settings.

    Args:
        home: The home folder, where `node.toml` may be.
        profile: The chain's, for tokens.
        given: Settings by name, from the command line; None means not given.

    Raises:
        ConfigError: A setting is unknown or cannot be used.
    """
    path = home / FILE_NAME
    said = {name: value for name, value in given.items() if value not in (None, ())}
    try:
        settings = NodeSettings(_file=read_toml(path), **said)  # type: ignore[call-arg]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise ConfigError(
            f"node setting {name}: {first['msg'].lower()}; correct {path} or "
            f"TRUTHMARK_NODE_{name.upper()}"
        ) from error
    _require(settings.margin is None or settings.margin > 0, "margin", "it must be above 0")
    _require(settings.poll is None or settings.poll > 0, "poll", "it must be above 0")
    _require(settings.max_waiting > 0, "max_waiting", "it must be above 0")
    _require(
        min(settings.max_acceptance, settings.settle_wait) >= 0, "settle_wait", "it is negative"
    )
    _require(0 <= settings.relay_port < 65_536, "relay_port", "it is 0 to 65535")
    port = settings.receiver_port
    _require(port is None or 0 <= port < 65_536, "receiver_port", "it is 0 to 65535")
    _require(
        bool(settings.certificate) is bool(settings.certificate_key),
        "certificate",
        "it needs a certificate_key, and that a certificate",
    )
    _require(settings.relay_max_items > 0, "relay_max_items", "it must be above 0")
    custodian_policy(settings, profile)  # amounts are checked with the rest
    fees_of((*settings.relay_min_fee, *settings.watch_min_fee), profile)
    return settings


def fees_of(amounts: Iterable[str], profile: ChainProfile) -> dict[str, int]:
    """Return amounts by token, in its smallest unit.

    Raises:
        ConfigError: One cannot be understood.
    """
    return dict(_amount(profile, text) for text in amounts)


def certificate_of(settings: NodeSettings, name: ServerName) -> tuple[str, str] | None:
    """Return the files of a certificate and its key; None where a server answers plain HTTP."""
    if not settings.certificate or not settings.certificate_key or name not in settings.https:
        return None
    return settings.certificate, settings.certificate_key


def margin_seconds(settings: NodeSettings, profile: ChainProfile) -> int:
    """Return how close to a deadline nothing is posted any more."""
    if settings.margin is not None:
        return settings.margin
    return max(_LEAST_MARGIN, round(MARGIN_BLOCKS * profile.block_time))


def gas_reserve(settings: NodeSettings) -> int:
    """Return what is kept for gas, in wei.

    Raises:
        ConfigError: It cannot be understood.
    """
    return _native(settings.gas_reserve)


def custodian_policy(settings: NodeSettings, profile: ChainProfile) -> Policy:
    """Return the limits of a custodian.

    Args:
        settings: The operator's.
        profile: The chain's, for tokens and block time.

    Raises:
        ConfigError: An amount cannot be understood.
    """
    return Policy(
        max_acceptance_seconds=settings.max_acceptance,
        max_waiting_per_seller=settings.max_waiting,
        min_bonds=tuple(_amount(profile, text) for text in settings.min_bond),
        confirmations=tuple(_confirmations(profile, text) for text in settings.confirmations),
        margin_seconds=margin_seconds(settings, profile),
        extends=settings.extend,
        gas_reserve=gas_reserve(settings),
        settle_seconds=settings.settle_wait,
    )


def _require(holds: bool, name: str, why: str) -> None:
    if not holds:
        raise ConfigError(f"node setting {name}: {why}; correct {FILE_NAME} or the command line")


def _amount(profile: ChainProfile, text: str) -> tuple[str, int]:
    token, units = profile.parse_amount(text)
    return token.address, units


def _confirmations(profile: ChainProfile, text: str) -> tuple[str, int, int]:
    amount, _, count = text.rpartition("=")
    if not count.strip().isdecimal() or not 0 < int(count) <= 10_000:
        raise ConfigError(
            f"node setting confirmations: {text!r} is not understood; write it like "
            '"1000 USDC=30" (from that price on, so many blocks)'
        )
    token, units = profile.parse_amount(amount.strip())
    return token.address, units, int(count)


def _native(text: str) -> int:
    if not _NUMBER.fullmatch(text.strip()):
        raise ConfigError(
            f"node setting gas_reserve: {text!r} is not an amount; write it like 0.01"
        )
    return parse_units(text.strip(), 18)
