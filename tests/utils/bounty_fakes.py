# SPDX-License-Identifier: Apache-2.0
"""A chain, a relay and a journal that say what a test wants, for what runs bounties."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_models import FileEntry
from truthmark.errors import RelayUnavailableError


class FakeRelay:
    """A relay's files and acknowledgements, without a network."""

    def __init__(self, url: str = "http://relay") -> None:
        self.url = url
        self.kept: dict[int, LabelFile] = {}
        self.acknowledged: dict[int, bytes] = {}
        self.is_away = self.denies = False
        self.on_acknowledgement: Callable[[int], None] = lambda worker: None
        self.given = 0
        self.account = ""
        self.offers: list[Any] = []

    def info(self) -> Any:
        return SimpleNamespace(account=self.account)

    def offer(self, ref: BountyRef, terms_hash: bytes, offer: Any, sign_typed: Any) -> Any:
        self.offers.append(offer)
        return SimpleNamespace(missing=[])

    def files(self, bounty_id: int) -> list[FileEntry]:
        if self.is_away:
            raise RelayUnavailableError(f"the relay {self.url} does not answer")
        return [
            FileEntry(
                worker=worker,
                size=len(file.to_bytes()),
                commitment=file.run.commitment,
                is_acknowledged=worker in self.acknowledged and not self.denies,
            )
            for worker, file in self.kept.items()
        ]

    def file(self, ref: BountyRef, worker: int, commitment: bytes) -> LabelFile:
        self.given += 1
        return self.kept[worker]

    def put_file(self, bounty_id: int, file: LabelFile) -> None:
        self.kept[file.worker] = file

    def acknowledgement(self, bounty_id: int, worker: int) -> bytes | None:
        return self.acknowledged.get(worker)

    def put_acknowledgement(self, bounty_id: int, worker: int, signature: bytes) -> None:
        self.on_acknowledgement(worker)
        self.acknowledged[worker] = signature

    def close(self) -> None:
        pass


@dataclass
class FakeIndex:
    """Events by their name."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def events(self, contract: str, event: str, **equal: Any) -> list[Any]:
        return [SimpleNamespace(args=args) for args in self.rows.get(event, [])]


class FakeJournal:
    """Transactions that are on their way, by key."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def pending(self) -> list[Any]:
        return [SimpleNamespace(key=key) for key in self.keys]


class FakeSession:
    """As much of a session as running a bounty asks for."""

    def __init__(self, home: Path, address: str, vault: Any) -> None:
        self.home, self.address, self.vault = home, address, vault
        self.index, self.journal = FakeIndex(), FakeJournal()
        self.follower = SimpleNamespace(index=self.index)


class FakeClient:
    """Notes what is sent, and what the board would pay out."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.scores: list[Any] = []
        self.owed = 0
        self.refuses: Exception | None = None
        balances = SimpleNamespace(call=lambda block: self.owed)
        functions = SimpleNamespace(balances=lambda token, account: balances)
        self.board = SimpleNamespace(functions=functions)

    def __getattr__(self, name: str) -> Callable[..., None]:
        def send(*arguments: Any) -> None:
            if self.refuses is not None:
                raise self.refuses
            self.sent.append(name)
            if name == "score":
                self.scores.append(arguments[1])

        return send
