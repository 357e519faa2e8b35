# SPDX-License-Identifier: Apache-2.0
"""Chain profiles: what is true of one network for everybody (contracts, tokens, confirmations)."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from platformdirs import user_data_path

from truthmark.config.files import write_atomically
from truthmark.config.units import Amount, parse_units, to_checksum_address
from truthmark.errors import ConfigError, PriceError, did_you_mean

DEVNET_CHAIN_ID = 31337
"""Of local development chains."""

DEVNET_BEACON_BLOCKS = 4
"""D of these: nobody else proposes there, and nobody likes to wait."""

_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(0x[0-9a-fA-F]{40}|[A-Za-z][A-Za-z0-9.]*)\s*")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_HASH = re.compile(r"0x[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class ContractInfo:
    """Where a contract is and what was deployed there.

    Attributes:
        address: With ERC-55 capitals.
        artifact: Name of the compiled contract, such as "DatasetMarket".
        code_hash: keccak256 of the code on chain, immutables included, as 0x and 64 digits.
        block: The block in which it was deployed; its logs begin there.
    """

    address: str
    artifact: str
    code_hash: str
    block: int


@dataclass(frozen=True)
class TokenInfo:
    """A token that people know by its symbol."""

    symbol: str
    address: str
    decimals: int


@dataclass(frozen=True)
class Windows:
    """How long the steps of a sale may take, in seconds of chain time."""

    delivery: int
    inspection: int
    acceptance: int


STANDARD_WINDOWS: Mapping[str, Windows] = MappingProxyType(
    {
        "small": Windows(delivery=3_600, inspection=7_200, acceptance=3_600),
        "careful": Windows(delivery=86_400, inspection=86_400, acceptance=86_400),
    }
)

DEMO_WINDOWS = Windows(delivery=20, inspection=20, acceptance=60)
"""For development chains only, where a custodian is never far away."""


@dataclass(frozen=True)
class ChainProfile:
    """What is true of one network for everybody who uses Truthmark there.

    Attributes:
        name: Of the profile's file and on the command line.
        chain_id: As the endpoints report it.
        genesis: Hash of block 0, as 0x and 64 digits; every endpoint must have it.
        rpc: JSON-RPC endpoints over HTTP, the preferred one first.
        contracts: By role: registry, market, proofs, staking, token.
        tokens: Those that may be written by symbol.
        confirmations: Blocks, its own included, after which a transaction counts as final.
        block_time: Seconds between blocks, for pauses between questions only.
        windows: Presets for listings, by name.
        native_symbol: Of what gas is paid in, which has 18 decimals.
        beacon: What says by chance which parts of a listing are opened (docs/preview.md): `mix`,
            the mixHash of a block, or `hash`, its hash, where mixHash is a constant; there who
            builds blocks can choose.
        beacon_blocks: D, how many blocks after the listing's own it is read.
        watch: Addresses of nodes with which labelers may leave their commits: run by people who
            have no part in the bounties.
    """

    name: str
    chain_id: int
    rpc: tuple[str, ...] = ()
    contracts: Mapping[str, ContractInfo] = field(default_factory=dict)
    tokens: tuple[TokenInfo, ...] = ()
    confirmations: int = 12
    block_time: float = 12.0
    windows: Mapping[str, Windows] = field(default_factory=lambda: dict(STANDARD_WINDOWS))
    native_symbol: str = "ETH"
    genesis: str | None = None
    beacon: str = "mix"
    beacon_blocks: int = 32
    watch: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what could not be used later."""
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"profile name {self.name!r} will not do; use letters and digits")
        if self.chain_id <= 0:
            raise ConfigError(f"chain id of profile {self.name} must be above 0")
        if self.genesis is not None and not _HASH.fullmatch(self.genesis):
            raise ConfigError(
                f"genesis of profile {self.name} must be the hash of block 0: 0x and 64 digits"
            )
        if self.confirmations < 1:
            raise ConfigError(f"confirmations of profile {self.name} must be at least 1")
        if self.beacon not in ("mix", "hash"):
            raise ConfigError(f"beacon of profile {self.name} must be mix or hash")
        if not 1 <= self.beacon_blocks < 2**31:
            raise ConfigError(f"beacon_blocks of profile {self.name} must be at least 1")
        if self.block_time <= 0:
            raise ConfigError(f"block time of profile {self.name} must be above 0")
        for token in self.tokens:
            if not 0 <= token.decimals <= 77:
                raise ConfigError(f"token {token.symbol} of profile {self.name}: bad decimals")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build a profile from its JSON; unknown keys, of newer versions, are ignored.

        Raises:
            ConfigError: A value is missing or of the wrong kind.
        """
        try:
            values = {f.name: data[f.name] for f in fields(cls) if f.name in data}
            contracts = {
                role: _contract(entry) for role, entry in values.pop("contracts", {}).items()
            }
            tokens = tuple(_token(entry) for entry in values.pop("tokens", ()))
            windows = {name: Windows(**w) for name, w in values.pop("windows", {}).items()}
            return cls(
                name=str(values.pop("name")),
                chain_id=int(values.pop("chain_id")),
                rpc=tuple(map(str, values.pop("rpc", ()))),
                watch=tuple(map(str, values.pop("watch", ()))),
                contracts=contracts,
                tokens=tokens,
                windows=windows or dict(STANDARD_WINDOWS),
                **values,
            )
        except ConfigError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"this is not a chain profile: {error!r}; write it again") from error

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` takes; `json.dumps` takes it too."""
        return {
            **{f.name: getattr(self, f.name) for f in fields(self)},
            "rpc": list(self.rpc),
            "watch": list(self.watch),
            "contracts": {role: asdict(info) for role, info in self.contracts.items()},
            "tokens": [asdict(token) for token in self.tokens],
            "windows": {name: asdict(preset) for name, preset in self.windows.items()},
        }

    def token(self, symbol_or_address: str) -> TokenInfo:
        """Return a listed token by symbol (capitals do not matter) or address.

        Raises:
            ConfigError: None or several are listed under that name.
        """
        wanted = symbol_or_address.lower()
        found = [t for t in self.tokens if wanted in (t.symbol.lower(), t.address.lower())]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError(
                f"profile {self.name} lists several tokens as {symbol_or_address}; "
                "use the address of the one you mean"
            )
        symbols = [t.symbol for t in self.tokens]
        hint = did_you_mean(symbol_or_address, symbols) or "; add it to the profile's tokens"
        raise ConfigError(
            f"profile {self.name} does not list a token {symbol_or_address} (known: "
            f"{', '.join(symbols) or 'none'}){hint}"
        )

    @property
    def stake_token(self) -> str:
        """Address of the token that validators stake; empty where no contracts are named."""
        return self.contracts["token"].address if "token" in self.contracts else ""

    @property
    def poll_seconds(self) -> float:
        """How long to wait between two looks at the chain."""
        return min(max(self.block_time / 4, 0.05), 4.0)

    def parse_amount(self, text: object) -> tuple[TokenInfo, int]:
        """Read an amount such as "25 USDC" and return the token and the amount in base units.

        Raises:
            ConfigError: The text is not an amount, the token is unknown, or the amount is
                finer or larger than the token can express.
        """
        if not isinstance(text, str):  # a bare number, as Python invites to
            raise ConfigError(f'{text!r} is not an amount; write a text with its token: "25 USDC"')
        match = _AMOUNT.fullmatch(text)
        if not match:
            raise ConfigError(f"{text!r} is not an amount; {self._how_to_write(text)}")
        token = self.token(match[2])
        units = parse_units(match[1], token.decimals)
        return token, units

    def read_amount(self, text: str | None, token: str) -> int:
        """Read an amount that must be in a certain token, in its base units; None is 0.

        Raises:
            ConfigError: It is not an amount.
            PriceError: It is in another token.
        """
        if text is None:
            return 0
        found, amount = self.parse_amount(text)
        if found.address.lower() != token.lower():
            wanted = self.token(token).symbol
            raise PriceError(f"{text} is in another token; write the amount in {wanted}")
        return amount

    def _how_to_write(self, text: str) -> str:
        """Return what to write instead of something that is not an amount."""
        symbol = self._example_symbol()
        bare = text.strip()
        if _NUMBER.fullmatch(bare):
            return f'say in which token, in quotes: "{bare} {symbol}"'
        if bare.startswith(("-", "\N{MINUS SIGN}")):
            return f'it cannot be below 0: write it like "25 {symbol}"'
        number = re.match(r"[0-9][0-9.,'_]*", bare)
        if number and "," in number[0]:
            return f'write a point for parts and nothing between thousands: "1234.5 {symbol}"'
        if re.match(r"[0-9.]+[eE][+-]?[0-9]", bare):
            return f'write all digits: "1000 {symbol}"'
        if bare.startswith("."):
            return f'write the 0 before the point: "0.5 {symbol}"'
        return f'write it like "25 {symbol}"'

    def _example_symbol(self) -> str:
        """Return the symbol of a token that things may be sold for."""
        others = [t for t in self.tokens if t.address.lower() != self.stake_token.lower()]
        return next((t.symbol for t in [*others, *self.tokens]), "USDC")

    def amount(self, units: int, token_address: str) -> Amount:
        """Return an amount that prints itself, from base units of a token."""
        for token in self.tokens:
            if token.address.lower() == token_address.lower():
                return Amount(units, token_address, token.symbol, token.decimals)
        return Amount(units, token_address, None)

    def native(self, wei: int) -> Amount:
        """Return an amount of what gas is paid in."""
        return Amount(wei, "", self.native_symbol, 18)

    def save(self, folder: Path) -> Path:
        """Write the profile to `folder/<name>.json`, whole or not at all, and return the path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        write_atomically(path, json.dumps(self.to_dict(), indent=2).encode() + b"\n")
        return path


def home_folder() -> Path:
    """Return `TRUTHMARK_HOME`, or this system's place for a user's data."""
    if named := os.environ.get("TRUTHMARK_HOME"):
        return Path(named).expanduser()
    return user_data_path("truthmark")


def load_profile(name: str, home: Path | None = None) -> ChainProfile:
    """Read a chain profile: one of mine, else one that comes with Truthmark.

    Raises:
        ConfigError: There is none of that name, or its file cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is not the name of a chain profile")
    own = (home or home_folder()) / "profiles" / f"{name}.json"
    shipped = resources.files("truthmark").joinpath("profiles", f"{name}.json")
    source = own if own.is_file() else shipped
    if not source.is_file():
        names = profile_names(home)
        raise ConfigError(
            f"there is no chain profile {name!r} (known: {', '.join(names) or 'none'})"
            f"{did_you_mean(name, names)}; choose a home folder that has "
            "one with TRUTHMARK_HOME or --home, or start a local chain with `truthmark devnet up "
            f"FOLDER` and use it with `truthmark init --devnet FOLDER`, or put one at {own}",
            page=f"this machine knows no network {name!r}; end the app and start it by "
            "`truthmark app --devnet`, which starts a local one, or set the machine up by "
            "`truthmark init`",
        )
    try:
        data = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read chain profile {source}: {error}; write it again") from error
    return ChainProfile.from_dict({**data, "name": name} if isinstance(data, dict) else {})


def profile_names(home: Path | None = None) -> list[str]:
    """Return the names of all profiles, mine and shipped."""
    shipped = resources.files("truthmark").joinpath("profiles")
    names = [entry.name for entry in shipped.iterdir()] if shipped.is_dir() else []
    folder = (home or home_folder()) / "profiles"
    if folder.is_dir():
        names += [path.name for path in folder.iterdir()]
    return sorted({name.removesuffix(".json") for name in names if name.endswith(".json")})


def _contract(entry: Mapping[str, Any]) -> ContractInfo:
    code_hash = str(entry["code_hash"]).lower()
    if not _HASH.fullmatch(code_hash):
        raise ConfigError(f"{code_hash!r} is not a code hash; write 0x and 64 digits")
    return ContractInfo(
        address=to_checksum_address(entry["address"]),
        artifact=str(entry["artifact"]),
        code_hash=code_hash,
        block=int(entry["block"]),
    )


def _token(entry: Mapping[str, Any]) -> TokenInfo:
    return TokenInfo(
        symbol=str(entry["symbol"]),
        address=to_checksum_address(entry["address"]),
        decimals=int(entry["decimals"]),
    )
