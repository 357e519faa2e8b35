# SPDX-License-Identifier: Apache-2.0
"""A market on offline: an index whose events a test writes itself, and no chain."""

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from truthmark.config.profile import ChainProfile, ContractInfo, TokenInfo
from truthmark.config.settings import Settings
from truthmark.config.units import to_checksum_address
from truthmark.index.database import EventIndex, StoredBlock
from truthmark.index.schema import to_column
from truthmark.market.catalogue import Catalogue
from truthmark.market.records import Custody, Terms
from truthmark.session import Session
from truthmark.types import Point

ARTIFACTS = {
    "registry": "DatasetRegistry",
    "market": "DatasetMarket",
    "openings": "Openings",
    "staking": "ValidatorStaking",
    "token": "ProtocolToken",
    "bounty_board": "BountyBoard",
    "bounty_intake": "BountyIntake",
    "bounty_proofs": "BountyProofs",
}
BIRTH = 1_700_000_000
CHAIN_ID = 31337


def address(number: int) -> str:
    return to_checksum_address(f"0x{number:040x}")


DOLLAR = TokenInfo("TUSD", address(0xD0), 6)
EURO = TokenInfo("TEUR", address(0xE0), 18)
PROFILE = ChainProfile(
    "paper",
    CHAIN_ID,
    contracts={
        role: ContractInfo(address(0xC0 + i), artifact, "0x" + "00" * 32, 0)
        for i, (role, artifact) in enumerate(ARTIFACTS.items())
    },
    tokens=(DOLLAR, EURO),
)


def make_terms(number: int, **changes: Any) -> Terms:
    """Make terms that nobody else has; the points are on no curve."""
    values: dict[str, Any] = {
        "seller": address(0xA0),
        "payee": address(0xA0),
        "token": DOLLAR.address,
        "manifest": number.to_bytes(32, "big"),
        "root": bytes(32),
        "shard_count": 1,
        "public_key": Point(number + 1, 2),
        "base": Point(3, 4),
        "licence": bytes(32),
        "gate": address(0),
        "bond": 0,
        "royalty_bps": 0,
        "bounty": 0,
        "fee_bps": 0,
        "delivery_seconds": 600,
        "inspection_seconds": 600,
    }
    return Terms(**(values | changes))


class OfflineMarket:
    """The index, a catalogue over it, and a session that has it.

    Attributes:
        chain: Nothing but what a test puts there.
    """

    def __init__(self, folder: Path) -> None:
        self.index = EventIndex(PROFILE, f"sqlite:///{folder / 'index.sqlite'}")
        self.chain = SimpleNamespace(profile=PROFILE)
        self.syncs = 0
        follower = SimpleNamespace(index=self.index, sync=self._sync, require_agreed=lambda: None)
        self.session = Session(Settings(home=folder / "home"))
        self.session.__dict__ |= {
            "profile": PROFILE,
            "chain": self.chain,
            "follower": follower,
        }
        self.catalogue = Catalogue.of(self.session)
        self._blocks = itertools.count(1)

    def _sync(self) -> None:
        self.syncs += 1

    def log(self, role: str, event: str, **args: Any) -> int:
        """Write an event into a block of its own, and return the block's number."""
        return self.log_all([(role, event, args)])

    def log_all(self, entries: Iterable[tuple[str, str, Mapping[str, Any]]]) -> int:
        """Write events, each into a block of its own; quick for thousands."""
        rows: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        blocks = []
        number = 0
        for role, event, args in entries:
            number = next(self._blocks)
            entry = self.index.event_table(role, event)
            values = (to_column(leaf, _reach(args, leaf.path)) for leaf in entry.leaves)
            rows.setdefault((role, event), []).append((number, 0, bytes(32), *values))
            block = StoredBlock(number, number.to_bytes(32, "big"), BIRTH + number, True)
            blocks.append(_fields(block))
        with self.index.write() as connection:
            for name, found in rows.items():
                table = self.index.event_table(*name).table
                connection.insert(table, list(zip(*found, strict=True)))
            connection.insert(self.index.schema.blocks, list(zip(*blocks, strict=True)))
        return number

    def list_version(
        self, listing_id: int, number: int = 1, price: int = 1_000_000, **terms: Any
    ) -> Terms:
        """Log a listing that its seller keeps for long; its terms follow from its number."""
        made = make_terms(1_000 * listing_id + number, **terms)
        self.log("registry", "VersionListed", **listed(made, listing_id, number, price))
        self.log_all(kept(made))
        return made

    def close(self) -> None:
        self.index.close()


def kept(
    terms: Terms, epoch: int = 0, *, end: int = 2**39, is_live: bool = True
) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the events of a custody that the seller alone keeps, and of its acceptance."""
    custody = make_custody(terms, epoch, end=end)
    opened = {
        "custody_id": custody.custody_id,
        "terms_id": terms.terms_id,
        "custody": custody,
        "custodians": [terms.seller],
        "share_keys": [tuple(terms.public_key)],
    }
    accepted = {
        "custody_id": custody.custody_id,
        "custodian": terms.seller,
        "index": 1,
        "is_live": is_live,
    }
    return [("registry", "CustodyOpened", opened), ("registry", "CustodyAccepted", accepted)]


def make_custody(terms: Terms, epoch: int = 0, **changes: Any) -> Custody:
    """Make a custody in direct mode."""
    values: dict[str, Any] = {
        "terms_id": terms.terms_id,
        "epoch": epoch,
        "custodians": bytes(32),
        "share_keys": bytes(32),
        "count": 1,
        "threshold": 1,
        "fee": 0,
        "keeping_fee": 0,
        "lock": 0,
        "penalty": 0,
        "period_seconds": 3_600,
        "accept_until": BIRTH,
        "end": 2**39,
        "last_end": 2**39,
        "sealed_shares": bytes(32),
    }
    return Custody(**(values | changes))


def listed(terms: Terms, listing_id: int, number: int, price: int) -> dict[str, Any]:
    """Return the arguments of VersionListed."""
    return {
        "terms_id": terms.terms_id,
        "listing_id": listing_id,
        "seller": terms.seller,
        "version": number,
        "price": price,
        "terms": terms,
    }


def _reach(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value[name] if isinstance(value, Mapping) else getattr(value, name)
    return value


def _fields(block: StoredBlock) -> tuple[Any, ...]:
    return block.number, block.hash, block.timestamp, block.has_logs
