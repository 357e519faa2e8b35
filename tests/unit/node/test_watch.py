# SPDX-License-Identifier: Apache-2.0
"""A watch node's rounds without a chain: what it does for whom, and what it leaves alone."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.utils.bounties import REF, Case, make_case
from tests.utils.bounty_fakes import FakeIndex, FakeRelay
from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.relay_client import open_public_relay
from truthmark.bounty.view import Seen
from truthmark.bounty.watching import derive_watch_key, seal_secret
from truthmark.errors import BountyError, EndpointsDisagreeError, GasError, RevertedError
from truthmark.keys.sealing import encryption_public_key
from truthmark.keys.typed import sign
from truthmark.node import watch as watching
from truthmark.node.status import Metrics, Notifier
from truthmark.node.watch import WatchRole

KEY = b"\x41" * 32
MARK = 1_000


@dataclass(frozen=True)
class Left:
    """A deposit as the store has it."""

    worker: int
    commit: Commit
    signature: bytes
    file: bytes
    sealed_secret: bytes | None = None
    state: str = "kept"


class Store:
    def __init__(self) -> None:
        self.left: dict[int, Left] = {}

    def deposited(self) -> list[int]:
        return [REF.bounty_id] if self.left else []

    def deposits(self, bounty_id: int, seed: bytes) -> list[Left]:
        return list(self.left.values())

    def set_deposit_state(self, bounty_id: int, seed: bytes, worker: int, state: str) -> None:
        assert len(state) <= 40  # the column's length
        self.left[worker] = replace(self.left[worker], state=state)

    def drop_deposits(self, bounty_id: int) -> None:
        self.left.clear()


class World:
    """One bounty, a watch node, and the clock."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch) -> None:
        case = make_case(random.Random(11), overrides=False)
        self.case: Case = replace(case, plain=case.plain | {"marks": [0] * 99})
        self.record: Record = case.record
        self.now, self.mark = MARK, MARK
        self.store, self.relay, self.index = Store(), FakeRelay(), FakeIndex()
        self.sent: list[str] = []
        self.gas, self.refuses = 10**18, None
        self.doubt: Exception | None = None
        self.view: Any = SimpleNamespace(
            refresh=lambda: self.block, look=self.look, has_turned=False
        )
        self.told: list[str] = []
        signer = SimpleNamespace(sign_typed=lambda message: sign(message, KEY))
        profile = SimpleNamespace(chain_id=REF.chain_id, native=lambda wei: f"{wei} wei")
        self.final = SimpleNamespace(timestamp=MARK, hash=b"final")
        chain = SimpleNamespace(
            balance=lambda account, block: self.gas, final_block=lambda: self.final
        )
        journal = SimpleNamespace(resume=lambda timeout: None)
        self.session: Any = SimpleNamespace(
            home=home,
            signer=signer,
            profile=profile,
            chain=chain,
            journal=journal,
            address="0x" + "ee" * 20,
            follower=SimpleNamespace(index=self.index),
        )
        self.client: Any = SimpleNamespace(
            sent=0,
            board=SimpleNamespace(address=REF.board),
            require_certain=self._require_certain,
            **self._sends(),
        )
        patch.setattr(watching, "BountyClient", lambda session, waits: self.client)
        patch.setattr(watching, "BountyView", lambda session: self.view)
        patch.setattr(watching.reader, "read_record", lambda *_: self.record)
        self.start()

    def _require_certain(self, record: Record, block: bytes) -> None:
        assert block == self.final.hash
        if self.doubt is not None:
            raise self.doubt

    def _sends(self) -> dict[str, Callable[..., None]]:
        def note(name: str) -> Callable[..., None]:
            def send(record: Record, *what: Any) -> None:
                if self.refuses is not None:
                    raise self.refuses
                about = what[0]
                self.sent.append(f"{name} {getattr(about, 'worker', len(what[-1:]))}")

            return send

        return {n: note(n) for n in ("override", "post_sealed", "post_sealed_chunk", "prove")}

    def start(self, **options: Any) -> None:
        desk: Any = SimpleNamespace(
            session=self.session, store=self.store, views=SimpleNamespace(refresh=lambda: None)
        )
        self.role = WatchRole(
            desk,
            lambda record: ["http://relay"],
            gas_reserve=10,
            metrics=Metrics(),
            notifier=Notifier(say=self.told.append),
            open_relay=lambda url: self.relay,  # type: ignore[arg-type,return-value]
            **options,
        )

    @property
    def block(self) -> Any:
        return SimpleNamespace(number=10, timestamp=self.now, hash=b"")

    def look(self, numbers: Any) -> dict[int, Any]:
        seen = Seen(self.record, self.mark, self.block, self.now, 10)
        return dict.fromkeys(numbers, seen)

    @property
    def times(self) -> Any:
        return self.record.terms.deadlines(MARK)

    def leave(self, worker: int, *, secret: int | None = None, key: bytes = KEY) -> None:
        run, seats = self.case.runs[worker], int(self.record.committed[worker])
        sealed = None
        if secret is not None:
            private = derive_watch_key(
                lambda m: sign(m, key), chain_id=REF.chain_id, board=REF.board
            )
            sealed = seal_secret(encryption_public_key(private), REF, worker, secret)
        self.store.left[worker] = Left(
            worker,
            Commit(worker, seats, run.commitment),
            b"\x01" * 65,
            LabelFile(REF, worker, seats, run).to_bytes(),
            sealed,
        )

    def without(self, *workers: int) -> None:
        """Take commits off the chain."""
        rows = [c for c in self.record.commits.standing.values() if c.worker not in workers]
        self.record = replace(self.record, commits=Commits([rows]))

    def round(self, now: int | None = None) -> list[str]:
        self.now = self.now if now is None else now
        before = len(self.sent)
        self.role.tick()
        return self.sent[before:]

    def state(self, worker: int) -> str:
        return self.store.left[worker].state


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_tick__relay_leaves_a_commit_out__overrides_after_its_time(world: World) -> None:
    worker = next(iter(world.case.runs))
    world.leave(worker)
    world.without(worker)
    assert world.round(world.times.label) == []
    assert world.state(worker) == "waiting"
    assert world.round(world.times.label + 1) == [f"override {worker}"]
    assert world.state(worker) == "overriding"
    world.round(world.times.commit + 1)
    assert world.state(worker) == "lost"
    assert [text for text in world.told if "can no longer come there" in text]


def test_tick__override_is_there_and_not_final__is_not_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = next(iter(world.case.runs))
    world.leave(worker)
    newest = world.record
    world.without(worker)
    monkeypatch.setattr(watching.reader, "read_record", lambda *_: newest)
    assert world.round(world.times.label + 1) == []


def test_tick__nobody_signs__posts_after_the_relay_had_its_turn(world: World) -> None:
    first, second, *_ = world.case.runs
    world.leave(first)
    world.leave(second)
    wait = 5 * world.record.terms.release_seconds // 8
    assert world.round(world.times.commit + wait) == []
    assert len(world.round(world.times.commit + wait + 1)) == 1  # both in one call
    world.record = replace(world.record, posted=frozenset({first, second}))
    assert world.round() == []
    assert world.state(first) == "delivered"


def test_tick__more_than_one_call_and_more_than_a_call_takes__alone(world: World) -> None:
    worker = next(iter(world.case.runs))
    world.leave(worker)
    assert world.round(world.times.post) == [f"post_sealed {worker}"]


def test_tick__low_gas_refusals_and_outages__told_and_others_are_served(world: World) -> None:
    worker = next(iter(world.case.runs))
    world.leave(worker)
    world.gas = 9
    world.refuses = RevertedError("posted already")  # type: ignore[assignment]
    world.round(world.times.post)
    assert [text for text in world.told if "less than the gas reserve" in text]
    world.refuses = GasError("no gas")  # type: ignore[assignment]
    world.round()
    assert [text for text in world.told if "no gas" in text]
    broken = {8: BountyError("cannot be read"), REF.bounty_id: world.look([1])[1]}
    world.view.look = lambda numbers: broken
    world.refuses = None
    assert world.round() == [f"post_sealed {worker}"]
    assert [text for text in world.told if "bounty 8: cannot be read" in text]
    assert world.role.health() == {"bounties": 2, "deposits": 1}


def test_tick__dry_run__sends_nothing(world: World) -> None:
    world.leave(next(iter(world.case.runs)))
    world.start(dry_run=True)
    assert world.round(world.times.post) == []


def test_hand_out__relays_drip__others_get_their_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = next(iter(world.case.runs))
    world.leave(worker)
    held = world.role._held(world.record)
    with monkeypatch.context() as dripping:
        dripping.setattr(watching, "_BOUNTY_SECONDS", 0.0)
        world.role._hand_out(world.record, held)
    assert not world.relay.kept
    world.role._hand_out(world.record, held)
    assert [*world.relay.kept] == [worker]


def test_tick__ended__deposits_are_dropped(world: World) -> None:
    world.leave(next(iter(world.case.runs)))
    world.record = replace(world.record, status=Status.SETTLED)
    world.final.timestamp -= 1  # a reorganisation may undo it, which is no problem
    world.round()
    assert world.store.left and not world.told
    world.final.timestamp += 1
    world.doubt = EndpointsDisagreeError("they do")  # one alone says that it has ended
    world.round()
    assert world.store.left and world.told
    world.doubt = None
    world.round()
    assert not world.store.left


# ------------------------------------------------------------------------------ scores


def scored(world: World, *, lie: int | None = None, invent: bool = False) -> None:
    score = world.case.true_score
    entries = score.entries.copy()
    if lie is not None:
        seats, _ = world.record.assignment.seats_of(score.gold.items)
        mine = world.record.roster.holders_of(seats) == lie
        g, k = np.argwhere(mine & (entries < world.record.terms.classes))[0]
        entries[g, k] = (entries[g, k] + 1) % world.record.terms.classes
    if invent:
        g, k = np.argwhere(entries == 254)[0]
        entries[g, k] = 0
    lying = replace(score, entries=entries)
    world.record = replace(world.record, score=lying, status=Status.SCORED)
    world.index.rows["Scored"] = [{"bounty_id": REF.bounty_id}]


def liar_of(world: World) -> int:
    score = world.case.true_score
    seats, _ = world.record.assignment.seats_of(score.gold.items)
    holders = world.record.roster.holders_of(seats)
    answered = holders[score.entries < world.record.terms.classes]
    return int(answered[0])


def test_tick__true_score__nothing_to_prove(world: World) -> None:
    worker = liar_of(world)
    world.leave(worker, secret=world.case.secrets[worker])
    scored(world)
    assert world.round() == []
    assert world.state(worker) == "scored"


def test_tick__lie_about_who_left_their_secret__proven(world: World) -> None:
    worker = liar_of(world)
    world.leave(worker, secret=world.case.secrets[worker])
    scored(world, lie=worker)
    assert [line.split()[0] for line in world.round()] == ["prove"]
    assert world.state(worker) == "proving"
    world.mark = world.now - world.record.terms.challenge_seconds - 1
    assert world.round() == []  # too late


@pytest.mark.parametrize("key,secret", [(b"\x42" * 32, 0), (KEY, 1)])
def test_tick__secret_of_another_node_or_labels__told_and_not_used(
    world: World, key: bytes, secret: int
) -> None:
    worker = liar_of(world)
    world.leave(worker, secret=world.case.secrets[worker] + secret, key=key)
    scored(world, lie=worker)
    proven = world.round()
    # Only what a line says against its entries is for anyone to see.
    assert [text for text in world.told if f"secret of worker {worker}" in text]
    scored(world)
    assert len(proven) <= 1
    assert world.round() == []


def test_tick__lie_that_anyone_can_prove__proven_for_the_reward_alone(world: World) -> None:
    scored(world, invent=True)
    assert [line.split()[0] for line in world.round()] == ["prove"]
    world.record = replace(
        world.record, terms=replace(world.record.terms, reward=0), score=world.record.score
    )
    world.start()
    assert world.round() == []
    world.index.rows["LieProven"] = [{"bounty_id": REF.bounty_id}]
    world.start()
    world.round()
    assert world.role.health()["bounties"] == 0


def test_open_public_relay__private_address__is_not_asked() -> None:
    relay = open_public_relay("http://127.0.0.1:9", private=())
    with pytest.raises(BountyError, match="in a network of its own"):
        relay.info()
    relay.close()
