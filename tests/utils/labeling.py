# SPDX-License-Identifier: Apache-2.0
"""A bounty as one labeler meets it, without chain or network: both are objects of a test."""

import copy
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.utils import bounties
from tests.utils.bounties import RECEIVER_KEY, REF, SECRET, make_document, make_terms
from truthmark.bounty import messages, relay_client
from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.document import LabelClass, Practice
from truthmark.bounty.flows import board
from truthmark.bounty.flows import desk as desks
from truthmark.bounty.flows.labeling import Labeling, Stage
from truthmark.bounty.gold import draw_gold
from truthmark.bounty.items import Item, Items, ItemsWriter, item_key
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_models import (
    CommitRequest,
    CommitState,
    DepositRequest,
    DepositState,
    JoinRequest,
    JoinState,
    KeysRequest,
    RelayInfo,
)
from truthmark.bounty.roster import Roster, Row
from truthmark.bounty.score import Score
from truthmark.bounty.sealing import OpenedRun, open_with_key, seal
from truthmark.bounty.view import Seen
from truthmark.config.profile import DEVNET_CHAIN_ID, ChainProfile, TokenInfo
from truthmark.config.settings import Settings
from truthmark.errors import ConfigError, EndpointsDisagreeError, RelayError, RelayUnavailableError
from truthmark.keys import typed
from truthmark.keys.abi_hash import address_bytes
from truthmark.keys.vault import Vault

PAYEE = "0x" + "ab" * 20
RELAY_URL = "https://relay.example"
ITEMS_SECRET = b"\x77" * 32
ITEMS, BATCH, RUN = 400, 20, 5
OTHER_PAYEE = "0x" + "57" * 20
MARK = 1_000


class KilledError(BaseException):
    """The process ends here."""


@dataclass
class World:
    """Chain and relay as far as one labeler sees them.

    Attributes:
        folder: Where items are.
        calls: What was called so far, by name; what a test counts kills by.
        kill_at: At which of these calls the process ends, before the call takes effect; and again
            with `kills_after` after it.
    """

    folder: Path
    kind: str = "text"
    calls: list[str] = field(default_factory=list)
    kill_at: int | None = None
    kills_after: bool = False
    joins: dict[str, JoinRequest] = field(default_factory=dict)
    commits: list[CommitRequest] = field(default_factory=list)
    files: dict[int, bytes] = field(default_factory=dict)
    deposits: list[DepositRequest] = field(default_factory=list)
    sent: list[tuple[str, Any]] = field(default_factory=list)
    away: set[str] = field(default_factory=set)
    acknowledges: bool = True
    disagrees: bool = False
    keys_fail: bool = False
    refuses: RelayError | None = None
    now: int = MARK
    mark: int = MARK

    def __post_init__(self) -> None:
        """Make items, document and terms."""
        self.truth = np.random.default_rng(1).integers(0, 2, ITEMS)
        with ItemsWriter(self.folder, ITEMS_SECRET) as writer:
            for number, answer in enumerate(self.truth.tolist()):
                writer.add(Item.of_text(f"item {number} is {('cat', 'dog')[answer]}"))
            for word in ("cat", "dog"):
                writer.show(Item.of_text(f"this is {word}"))
            info = writer.finish()
        self.items = Items.open(self.folder)
        self.document = make_document(
            items=info,
            kind=self.kind,
            classes=(LabelClass("cat"), LabelClass("dog", "d")),
            practice=(Practice(0, 0, "It meows."), Practice(1, 1)),
            relay_urls=(RELAY_URL,),
            seconds_per_item=4.0,
        )
        self.gold = draw_gold(self.truth, classes=2, count=80, seed=1)
        self.salt = b"\x05" * 32
        self.terms = make_terms(
            document=self.document.hash, gold_commitment=self.gold.commitment(self.salt)
        )
        self.record = Record(
            REF, self.terms, bytes(32), Roster([]), Commits([]), frozenset(), Status.OPEN
        )

    @classmethod
    def again(cls, other: "World") -> "World":
        """Return the same bounty before anyone joined."""
        made = copy.copy(other)
        made.calls, made.joins, made.commits, made.files = [], {}, [], {}
        made.deposits, made.sent, made.away, made.now = [], [], set(), MARK
        made.record = Record(
            REF, other.terms, bytes(32), Roster([]), Commits([]), frozenset(), Status.OPEN
        )
        return made

    # ------------------------------------------------------------------ what happens

    def step(self, name: str) -> None:
        """Count a call; end the process where the test says so."""
        self.calls.append(name)
        if self.kill_at == len(self.calls) - 1 and not self.kills_after:
            raise KilledError(name)

    def stepped(self) -> None:
        """End the process after a call took effect."""
        if self.kill_at == len(self.calls) - 1 and self.kills_after:
            raise KilledError(self.calls[-1])

    def enroll(self, payee: str | None = None, times: int = 1) -> None:
        """Put everybody who joined on the roster, among others who fill it; draw the seed."""
        rows = [Row("0x" + "55" * 20, OTHER_PAYEE, RUN)]
        for join in self.joins.values():
            rows += [Row(join.signer, payee or join.payee, join.seats)] * times
        while (taken := sum(row.seats for row in rows)) < self.terms.seats:
            rows.append(Row(f"0x{taken:040x}", OTHER_PAYEE, RUN))
        self.record = replace(
            self.record, roster=Roster([rows]), seed=b"\x33" * 32, status=Status.LABEL
        )

    def post(self, *, forged: bool = False) -> None:
        """Put what was given to the relay on chain, or something else; others label all rightly."""
        rows = {c.worker: Commit(c.worker, c.seats, c.commitment) for c in self.commits}
        if forged:
            rows = {w: replace(c, commitment=b"\x66" * 32) for w, c in rows.items()}
        mine = {address_bytes(signer) for signer in self.joins}
        for worker, row in enumerate(self.record.roster.rows):
            if address_bytes(row.signer) not in mine:
                rows[worker] = self._label_for(worker, row.seats)
        overrides = list(self.record.commits.overrides.values())
        self.record = replace(self.record, commits=Commits([list(rows.values())], overrides))

    def _label_for(self, worker: int, seats: int) -> Commit:
        """Label as somebody else, and hand that out."""
        start = int(self.record.roster.starts[worker])
        items = self.record.assignment.items_of(start, seats)
        run = seal(
            self.record.scheme(worker),
            secret=worker + 1,
            key=self.terms.key,
            codes=self.truth[items].astype(np.uint8),
        )
        self.files[worker] = LabelFile(REF, worker, seats, run).to_bytes()
        return Commit(worker, seats, run.commitment)

    def score(self, **changed: Any) -> Score:
        """Post the true score, or one that is changed."""
        opened = self.opened()
        marks = changed.pop("marks", {})
        score = self.record.make_score(
            gold=self.gold,
            salt=self.salt,
            codes={w: run.codes for w, run in opened.items() if w not in marks},
            marks=marks,
        )
        score = replace(score, **{k: v(score) for k, v in changed.items()})
        status = Status.SCORED_HALF if score.is_half else Status.SCORED
        self.record = replace(self.record, score=score, status=status)
        self.mark = self.now
        return score

    def opened(self) -> dict[int, OpenedRun]:
        """Open the files that were handed out."""
        found = {}
        for worker, data in self.files.items():
            file = LabelFile.from_bytes(data)
            found[worker] = open_with_key(self.record.scheme(worker), file.run, SECRET, file.seats)
        return found

    # ---------------------------------------------------------------------- session

    def session(self, home: Path, *, account: str | None = None, devnet: bool = True) -> Any:
        """Return what `Labeling` works with; nothing of it but home and vault is real."""
        world = self

        class CountingVault(Vault):
            def put(self, kind: str, name: str, record: dict[str, Any]) -> None:
                world.step(f"vault {kind}")
                super().put(kind, name, record)
                world.stepped()

        def read_block(cid: Any) -> bytes:
            assert cid == world.document.cid
            return world.document.to_bytes()

        def require_account() -> None:
            if account is None:
                raise ConfigError("no account is chosen")

        def parsed(method: str, params: Any, read: Any) -> Any:
            assert method == "eth_gasPrice"
            return 10**9

        profile = ChainProfile(
            name="devnet" if devnet else "real",
            chain_id=DEVNET_CHAIN_ID,
            rpc=("http://127.0.0.1:9",),
            tokens=(TokenInfo("TUSD", self.terms.token, 6),),
            confirmations=1,
            block_time=1.0,
        )
        profile.save(home / "profiles")
        return SimpleNamespace(
            profile=profile,
            home=home,
            vault=CountingVault(home / "vault"),
            storage=SimpleNamespace(read_block=read_block),
            settings=Settings(home=home, profile=profile.name),
            chain=SimpleNamespace(time=lambda: world.now, rpc=SimpleNamespace(parsed=parsed)),
            known_address=None,
            wallet=SimpleNamespace(accounts=list),
            index_folder=home / "index",
            part=lambda kind, make: make(),
            follower=SimpleNamespace(index=None),
            require_account=require_account,
        )

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put this world in the place of chain and relay."""
        # No power cut is tried, so nothing waits for the disk.
        monkeypatch.setattr(os, "fsync", lambda _: None)
        monkeypatch.setattr(desks, "BountyClient", lambda session: Client(self))
        monkeypatch.setattr(desks, "BountyView", lambda session: View(self))
        monkeypatch.setattr(relay_client, "RelayClient", lambda url: FakeRelay(self, url))
        monkeypatch.setattr(
            relay_client, "open_public_relay", lambda url, private: FakeRelay(self, url)
        )
        monkeypatch.setattr(board, "past_of", lambda client, _: client.world.past)

    past = board.Past(3, 0, 1, 0.8)

    def labeling(self, home: Path, **options: Any) -> Labeling:
        """Return a fresh process's view of the labeler."""
        said = options.pop("say", lambda _: None)
        return Labeling(self.session(home, **options), REF.bounty_id, say=said)

    def delivered(self, home: Path) -> Labeling:
        """Return a labeler who answered all as the truth is and delivered; next comes the score."""
        labeling = self.labeling(home)
        labeling.join(payee=PAYEE, agree=lambda _: True)
        self.enroll()
        assert labeling.advance() is Stage.LABELING
        self.answer_all(labeling)
        labeling.advance()
        self.post()
        assert labeling.advance() is Stage.DELIVERED
        self.now = MARK + 3_600 + 60 + 60 + 1
        return labeling

    def answer_all(self, labeling: Labeling) -> None:
        """Answer as the truth is, and sign."""
        run = labeling.place()
        shelf = labeling.open_items(run)
        with labeling.answers() as log:
            for item in run.items:
                if item not in log.codes:
                    word = shelf.item(item).text.split()[-1]
                    log.answer(item, ("cat", "dog").index(word), 1.5)
            labeling.commit(log)


class _Call:
    def __init__(self, value: Any) -> None:
        self.value = value

    def call(self, **_: Any) -> Any:
        return self.value


class Client:
    """`BountyClient`, without a chain."""

    def __init__(self, world: World) -> None:
        self.world = world
        functions = SimpleNamespace(terms_hashes=lambda _: _Call(world.terms.hash))
        self.board = SimpleNamespace(functions=functions)

    def ref(self, bounty_id: int) -> BountyRef:
        return replace(REF, bounty_id=bounty_id)

    def read(self, bounty_id: int, *, final: bool = False) -> Record:
        return self.world.record

    def mark(self, bounty_id: int) -> int:
        return self.world.mark

    def override(self, record: Record, override: Any) -> None:
        world = self.world
        world.step("override")
        world.sent.append(("override", override))
        commit = Commit(override.worker, override.seats, override.commitment)
        calls = world.record.commits.calls
        world.record = replace(world.record, commits=Commits(calls, [commit]))
        world.stepped()

    def post_sealed(self, record: Record, posting: Any) -> None:
        world = self.world
        world.step("post")
        world.sent.append(("post", posting))
        world.record = replace(world.record, posted=world.record.posted | {posting.worker})
        world.stepped()

    def prove(self, record: Record, lie: Any) -> None:
        bounties.prove(record, lie)
        self.world.sent.append(("prove", lie))
        self.world.record = replace(self.world.record, status=Status.PROVEN)


class View:
    """`BountyView`, without a chain."""

    def __init__(self, world: World) -> None:
        self.world = world

    def refresh(self) -> None:
        pass

    def look(self, bounty_ids: list[int]) -> dict[int, Seen]:
        world = self.world
        return {n: Seen(world.record, world.mark, None, world.now, 1) for n in bounty_ids}  # type: ignore[arg-type]

    def certain(self, seen: Seen) -> Record:
        if self.world.disagrees:
            raise EndpointsDisagreeError("two endpoints say different things")
        return seen.record


class FakeRelay:
    """`RelayClient`, without a network; it checks what a relay checks."""

    def __init__(self, world: World, url: str) -> None:
        self.world, self.url = world, url

    def close(self) -> None:
        pass

    def _step(self, name: str) -> None:
        if self.url in self.world.away or name in self.world.away:
            raise RelayUnavailableError(f"the relay {self.url} does not answer; try again later")
        self.world.step(name)

    def info(self, requester: str | None = None) -> RelayInfo:
        self._step("info")
        return RelayInfo(
            chain_id=REF.chain_id,
            board=REF.board,
            account=self.world.terms.relay,
            version="0",
            url=self.url,
            roles=["relay"],
            watch=[],
            min_fees={},
        )

    def join(self, bounty_id: int, request: JoinRequest) -> JoinState:
        self._step("join")
        world = self.world
        if world.refuses is not None:
            raise world.refuses
        message = messages.join(
            REF,
            world.terms.hash,
            signer=request.signer,
            payee=request.payee,
            seats=request.seats,
        )
        signer = typed.signer_of(message, request.signature)
        assert signer is not None and address_bytes(signer) == address_bytes(request.signer)
        world.joins.setdefault(request.signer, request)
        world.stepped()
        return self.join_state(bounty_id, request.signer)

    def join_state(self, bounty_id: int, signer: str) -> JoinState:
        join = self.world.joins.get(signer)
        if join is None:
            raise RelayError("nobody joined as that", 404)
        return JoinState(state="waiting", worker=None, seats=join.seats, payee=join.payee)

    def manifest(self, bounty_id: int, document: Any) -> bytes:
        self._step("manifest")
        return (self.world.folder / "manifest.tmki").read_bytes()

    def item(self, bounty_id: int, number: int, items: Items) -> bytes:
        if "item" in self.world.away:
            raise RelayUnavailableError("away")
        return items.check(number, self.world.items.stored(number))

    def keys(self, bounty_id: int, request: KeysRequest) -> dict[int, bytes]:
        self._step("keys")
        world = self.world
        message = messages.item_keys(
            REF, world.terms.hash, world.record.seed, worker=request.worker
        )
        signer = typed.signer_of(message, request.signature)
        row = world.record.roster.rows[request.worker]
        assert signer is not None and address_bytes(signer) == address_bytes(row.signer)
        start = int(world.record.roster.starts[request.worker])
        items = world.record.assignment.items_of(start, row.seats).tolist()
        secret = bytes(32) if world.keys_fail else ITEMS_SECRET
        return {item: item_key(secret, item) for item in items if item >= 0}

    def commit(self, bounty_id: int, request: CommitRequest) -> CommitState:
        self._step("commit")
        self.world.commits.append(request)
        self.world.stepped()
        return CommitState(state="waiting", seats=request.seats, commitment=request.commitment)

    def put_file(self, bounty_id: int, file: LabelFile) -> None:
        self._step("file")
        world = self.world
        standing = world.record.commits.standing.get(file.worker)
        assert standing is not None, "handed out before it is on chain"
        assert standing.commitment == file.run.commitment, "handed out under another row"
        world.files[file.worker] = file.to_bytes()
        world.stepped()

    def acknowledgement(self, bounty_id: int, worker: int) -> bytes | None:
        self._step("acknowledgement")
        if not self.world.acknowledges or worker not in self.world.files:
            return None
        commitment = self.world.record.commits.standing[worker].commitment
        message = messages.acknowledged(
            REF, self.world.terms.hash, worker=worker, commitment=commitment
        )
        return typed.sign(message, RECEIVER_KEY)

    def deposit(self, bounty_id: int, worker: int, request: DepositRequest) -> DepositState:
        self._step("deposit")
        self.world.deposits.append(request)
        return DepositState(
            commitment=request.commitment,
            has_secret=request.sealed_secret is not None,
            state="kept",
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path / "items")
    made.patch(monkeypatch)
    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def join(labeling: Labeling, **options: Any) -> None:
    labeling.join(**{"payee": PAYEE, "agree": lambda _: False} | options)


def enrolled(world: World, home: Path, **options: Any) -> Labeling:
    """Lead a labeler up to their place in the roster."""
    labeling = world.labeling(home, **options)
    join(labeling)
    world.enroll()
    assert labeling.advance() is Stage.LABELING
    return labeling


def committed(world: World, home: Path, **options: Any) -> Labeling:
    """Lead a labeler up to a commit that is with the relay."""
    labeling = enrolled(world, home, **options)
    world.answer_all(labeling)
    assert labeling.advance() is Stage.COMMITTED
    return labeling


def mine(world: World) -> int:
    (signer,) = world.joins
    return world.record.roster.worker_of(signer)
