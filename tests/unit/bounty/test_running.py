# SPDX-License-Identifier: Apache-2.0
"""The requester's side of a bounty, look after look: what is fetched, signed for, and sent."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.utils.bounties import REF, SECRET, Case, make_case, make_document
from tests.utils.bounty_fakes import FakeClient, FakeRelay, FakeSession
from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.flows import collecting, running
from truthmark.bounty.flows.collecting import signed_for
from truthmark.bounty.flows.running import MAX_REFUSALS, RequesterRun
from truthmark.bounty.gold import Gold
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.relay_models import Joined
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE
from truthmark.bounty.view import Seen
from truthmark.bounty.workspace import Guest, Workspace
from truthmark.errors import (
    BountyError,
    EndpointsDisagreeError,
    RelayError,
    RelayUnavailableError,
    RevertedError,
)
from truthmark.keys.curve import address_of, multiply

MARK = 1_000
RECEIVER_KEY = b"\x31" * 32
RECEIVER = address_of(multiply(int.from_bytes(RECEIVER_KEY, "big")))
Made = SimpleNamespace(
    scalar=SECRET, gold_salt=b"\5" * 32, receiver_key=RECEIVER_KEY, receiver=RECEIVER
)


class World:
    """One bounty whose requester is asked to look again and again."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        case = make_case(random.Random(11), overrides=False)
        terms = replace(case.record.terms, receiver=RECEIVER)
        self.case: Case = replace(case, record=replace(case.record, terms=terms))
        self.record: Record = self.case.record
        self.now, self.mark = MARK, MARK
        self.session = FakeSession(folder, terms.requester, None)
        self.workspace = Workspace(folder / "bounties" / "x")
        self.workspace.save_document(make_document())
        self.workspace.save_terms(terms)
        self.workspace.save_ref(REF)
        items, answers = np.array(case.plain["gold"]).T
        self.workspace.save_gold(Gold(items, answers))
        self.relay, self.client, self.told = FakeRelay(), FakeClient(), dict[str, str]()
        self.certain: Callable[[Seen], Record] = lambda seen: seen.record
        patch.setattr(running, "find_secrets", lambda vault, key: Made)
        patch.setattr(running, "BountyClient", lambda session, waits: self.client)
        self.start()

    def start(self) -> None:
        """Start as after a kill: only disk and chain are there."""
        self.run = RequesterRun(
            self.session,  # type: ignore[arg-type]
            self.workspace,
            relays=["http://relay"],
            open_relay=lambda url: self.relay,  # type: ignore[arg-type,return-value]
            tell=self.tell,
        )

    def tell(self, kind: str, text: str, about: str | None = None) -> None:
        self.told[kind] = text

    @property
    def seen(self) -> Seen:
        block: Any = SimpleNamespace(timestamp=self.now, number=10, hash=b"")
        return Seen(self.record, self.mark, block, self.now, 100)

    @property
    def times(self) -> Any:
        return self.record.terms.deadlines(MARK)

    def hand_out(self, *workers: int) -> None:
        for worker in workers or self.case.runs:
            seats = int(self.record.committed[worker])
            self.relay.kept[worker] = LabelFile(REF, worker, seats, self.case.runs[worker])

    def look(self, now: int | None = None) -> None:
        self.now = self.now if now is None else now
        if self.run.has_to_collect(self.seen):
            self.run.collect(self.seen)
        view: Any = SimpleNamespace(certain=self.certain)
        self.run.step(view, self.seen)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


# ----------------------------------------------------------------------------- collecting


def test_collect__files_at_the_relay__kept_on_disk_before_they_are_signed_for(
    world: World,
) -> None:
    world.hand_out()
    on_disk: list[int] = []

    def check(worker: int) -> None:
        assert world.workspace.file(worker) is not None
        assert world.workspace.acknowledgement(worker) is not None
        on_disk.append(worker)

    world.relay.on_acknowledgement = check
    world.look()
    assert sorted(on_disk) == sorted(world.case.runs)
    assert world.relay.acknowledged == signed_for(world.record, world.workspace)
    assert world.run.counts(world.record).acknowledged == len(world.case.runs)
    given = world.relay.given
    assert not world.run.has_to_collect(world.seen)
    world.start()
    world.look()
    assert world.relay.given == given  # what is on disk is not fetched again


def test_collect__file_of_another_commitment__nothing_is_signed(world: World) -> None:
    first, second = list(world.case.runs)[:2]
    world.hand_out()
    world.relay.kept[first] = replace(
        world.relay.kept[first], run=replace(world.case.runs[first], root=bytes(32))
    )
    world.look()
    assert first not in world.relay.acknowledged
    assert second in world.relay.acknowledged
    assert world.workspace.file(first) is None


def test_collect__labels_that_do_not_open__kept_and_not_signed_for(world: World) -> None:
    worker = next(iter(world.case.runs))
    run = replace(world.case.runs[worker], root=b"\x07" * 32)
    standing = [c for c in world.record.commits.standing.values() if c.worker != worker]
    seats = int(world.record.committed[worker])
    world.record = replace(
        world.record, commits=Commits([[*standing, Commit(worker, seats, run.commitment)]])
    )
    world.hand_out()
    world.relay.kept[worker] = LabelFile(REF, worker, seats, run)
    world.look()
    assert worker not in world.relay.acknowledged
    assert f"worker {worker}" in world.told["unreadable"]
    world.look(world.times.post + 1)
    assert world.client.scores[0].lines[worker] == UNREADABLE


def test_collect__commit_overridden_since__the_other_file_is_set_aside(world: World) -> None:
    worker = next(iter(world.case.runs))
    world.hand_out()
    world.look()
    old, seats = world.workspace.file(worker), int(world.record.committed[worker])
    run = replace(world.case.runs[worker], root=b"\x07" * 32)
    signed = Commit(worker, seats, run.commitment)
    world.record = replace(world.record, commits=Commits(world.record.commits.calls, [signed]))
    world.relay.kept[worker] = LabelFile(REF, worker, seats, run)
    world.look()
    assert world.workspace.file(worker) not in (None, old)
    folder = world.workspace.folder / "files"
    assert [path.read_bytes() for path in folder.glob(f"{worker}-*.tmkl")] == [old]
    assert worker not in signed_for(world.record, world.workspace)


def test_collect__relay_denies_what_it_was_handed__signs_once(world: World) -> None:
    world.hand_out()
    world.relay.denies = True
    count: list[int] = []
    world.relay.on_acknowledgement = count.append
    for _ in range(3):
        world.look()
    assert len(count) == len(world.case.runs)


def test_collect__relay_has_lost_the_bounty__it_is_offered_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "has_to_offer", lambda *_: False)
    for error, is_lost in (
        (RelayUnavailableError("the chain cannot be read just now", 503), False),
        (RelayError("not served here; its requester offers it", 404), True),
    ):

        def fail(bounty_id: int, error: RelayError = error) -> Any:
            raise error

        monkeypatch.setattr(world.relay, "files", fail)
        world.start()
        world.look()
        assert world.run.has_to_offer(world.seen) is is_lost


def test_offer__people_have_joined__their_names_are_kept_beside_their_keys(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    signers = [row.signer for row in world.record.roster.rows if not row.is_gap]
    told = [
        Joined(account=signers[0], name="Ann", state="enrolled"),
        Joined(account=signers[1], name="", state="enrolled"),
        Joined(account=signers[2], name="Eve", state="removed"),
        Joined(account=None, name="Bob", state="invited"),
    ]
    monkeypatch.setattr(world.relay, "joined", lambda bounty_id: told, raising=False)
    monkeypatch.setattr(world.relay, "is_told", lambda bounty_id: True, raising=False)
    monkeypatch.setattr(running, "has_to_offer", lambda *_: False)
    world.start()
    assert not world.run.has_to_offer(world.seen)  # everybody may join: there are no names
    world.workspace.save_guests([Guest("Ann", code="a" * 8), Guest("Cid", account=signers[3])])
    assert world.run.has_to_offer(world.seen)
    world.run.offer()
    assert world.workspace.people == {signers[0]: "Ann", signers[3]: "Cid"}
    assert not world.run.has_to_offer(world.seen)


def test_collect__posted_on_chain__taken_from_there(world: World) -> None:
    away, closed, *others = world.case.runs
    world.hand_out(*others)
    run = world.case.runs[away]
    world.session.index.rows["SealedPosted"] = [
        {"worker": away, "root": run.root, "sealed": run.body},
        {"worker": closed, "root": run.root, "sealed": bytes(40)},  # no point of the curve
    ]
    world.record = replace(world.record, posted=frozenset({away, closed}))
    world.look(world.times.post + 1)
    assert world.workspace.file(away) is not None
    score = world.client.scores[0]
    assert score.lines[closed] == UNREADABLE
    assert score.lines[away] not in (UNREADABLE, NOT_DELIVERED)


# -------------------------------------------------------------------------------- deciding


def test_step__every_phase__sends_what_is_due_and_nothing_else(world: World) -> None:
    world.session.index.rows["JoiningClosed"] = [{"seed_block": 98}]
    full, world.record = world.record, replace(world.record, status=Status.OPEN)
    terms = world.record.terms
    world.look(MARK + terms.join_seconds)
    assert world.client.sent == []
    world.look(MARK + terms.join_seconds + 1)
    assert world.client.sent.pop() == "close_joining"
    world.record = replace(world.record, status=Status.DRAWN)
    world.look(MARK)
    assert world.client.sent == []  # the relay's work, for two blocks
    world.session.index.rows["JoiningClosed"] = [{"seed_block": 97}]
    world.look(MARK)
    assert world.client.sent.pop() == "fix_seed"
    world.look(MARK + 86_401)
    assert world.client.sent.pop() == "end"
    world.record = full
    world.hand_out()
    for now in (world.times.label, world.times.commit, world.times.post):
        world.look(now)
    assert world.client.sent == []
    assert "must be on at some time between" in world.told["due"]
    world.look(world.times.post + 1)
    assert world.client.sent.pop() == "score"
    world.look(world.times.score + 1)
    assert world.client.sent.pop() == "payout"


def test_step__labels_are_missing__not_delivered_is_said_only_after_patience(
    world: World,
) -> None:
    away, *others = world.case.runs
    world.hand_out(*others)
    world.look()
    world.relay.is_away = True
    world.look(world.times.post + 1)
    assert world.client.sent == []
    assert "1 worker are missing" in world.told["waiting"]
    half = world.times.post + world.record.terms.score_seconds // 2
    world.look(half)
    assert world.client.scores[0].lines[away] == NOT_DELIVERED


def test_collect__relay_drips__score_does_not_wait_for_all_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = world.relay

    class OneFile:
        """A deadline that is over once a file came."""

        def __init__(self, seconds: float) -> None:
            self.before = relay.given

        @property
        def is_over(self) -> bool:
            return relay.given > self.before

    monkeypatch.setattr(collecting, "Deadline", OneFile)
    world.hand_out()
    world.look(world.times.post + 1)
    assert (relay.given, len(relay.acknowledged)) == (1, 1)
    assert "answers too slowly" in world.told["waiting"] and world.client.sent == []
    for _ in world.case.runs:  # each look goes on where the one before stopped
        world.look()
    assert relay.given == len(world.case.runs)
    assert NOT_DELIVERED not in world.client.scores[0].lines.tolist()


def test_step__labels_handed_out_at_the_last_moment__are_fetched_before_the_score(
    world: World,
) -> None:
    away, *others = world.case.runs
    world.hand_out(*others)
    world.look(world.times.commit + 1)
    world.hand_out(away)
    world.look(world.times.post + 1)
    assert world.client.scores[0].lines[away] != NOT_DELIVERED


def test_step__last_block_is_not_final__waits(world: World) -> None:
    world.hand_out()
    world.look()
    world.now = world.times.post + 1
    block: Any = SimpleNamespace(timestamp=world.times.post, number=10, hash=b"")
    seen = replace(world.seen, block=block)
    world.run.collect(seen)
    world.run.step(SimpleNamespace(certain=world.certain), seen)  # type: ignore[arg-type]
    assert world.client.sent == []


def test_step__score_is_on_its_way__no_other_is_sent(world: World) -> None:
    world.hand_out()
    world.session.journal.keys = [f"bounty:{REF.bounty_id}:score:00"]
    world.look(world.times.post + 1)
    assert world.client.sent == []
    world.session.journal.keys = [f"bounty:{REF.bounty_id}1:score:00"]  # another bounty's
    world.look()
    assert world.client.sent == ["score"]


def test_step__endpoints_disagree_or_board_holds_something_else__no_score(world: World) -> None:
    world.hand_out()
    for error in (EndpointsDisagreeError("they differ"), BountyError("cannot be read")):

        def refuse(seen: Seen, error: Exception = error) -> Record:
            raise error

        world.certain = refuse
        with pytest.raises(type(error)):
            world.look(world.times.post + 1)
    assert world.client.sent == []


def test_step__another_account_or_other_terms__refused(world: World) -> None:
    world.hand_out()
    world.session.address = "0x" + "99" * 20
    with pytest.raises(BountyError, match="can score"):
        world.look(world.times.post + 1)
    terms = replace(world.record.terms, price=2)
    world.record = replace(world.record, terms=terms)
    with pytest.raises(BountyError, match="other terms"):
        world.look()
    assert world.client.sent == []


def test_step__acknowledged_file_is_gone_everywhere__no_lie_is_posted(world: World) -> None:
    world.hand_out()
    world.look()
    worker = next(iter(world.case.runs))
    (world.workspace.folder / "files" / f"{worker}.tmkl").unlink()
    del world.relay.kept[worker]
    world.start()
    with pytest.raises(BountyError, match="could be disproved"):
        world.look(world.times.post + 1)
    world.hand_out(worker)  # it is found again
    world.look()
    assert world.client.sent == ["score"]


def test_step__refused_again_and_again__told_once(world: World) -> None:
    world.hand_out()
    world.client.refuses = RevertedError("board: too late")
    for _ in range(MAX_REFUSALS - 1):
        world.look(world.times.post + 1)
    assert "problem" not in world.told
    world.look()
    assert "board: too late, again and again" in world.told["problem"]


@pytest.mark.parametrize("status", [Status.SETTLED, Status.FLAT, Status.PROVEN, Status.HALF])
def test_step__ended__pays_withdraws_and_is_over(world: World, status: Status) -> None:
    world.record = replace(world.record, status=status)
    world.client.owed = 5
    world.look()
    assert world.client.sent == ["payout"]
    workers = len(world.record.commits.standing)
    world.session.index.rows["PaidOut"] = [{"workers": workers - 1}, {"workers": 1}]
    world.look()
    assert (world.client.sent, world.run.is_over) == (["payout", "withdraw"], False)
    world.client.owed = 0
    world.look()
    assert world.run.is_over
    assert "ended" in world.told
    world.start()
    assert world.run.is_over


def test_step__refunded__nobody_is_paid_but_the_requester(world: World) -> None:
    world.record = replace(world.record, status=Status.REFUNDED)
    world.client.owed = 5
    world.look()
    assert world.client.sent == ["withdraw"]


def test_receiver_key_is_not_here__told_and_nothing_signed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = replace(world.record.terms, receiver="0x" + "77" * 20)
    world.record = replace(world.record, terms=terms)
    world.workspace.save_terms(terms)
    world.start()
    world.hand_out()
    world.look()
    assert not world.relay.acknowledged
    assert "key of its receiver" in world.told["problem"]
    world.look(world.times.post + 1)
    assert world.client.sent == ["score"]


def test_requester_run__workspace_not_on_chain__refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(BountyError, match="no bounty on chain"):
        RequesterRun(world.session, Workspace(tmp_path / "y"), tell=world.tell)  # type: ignore[arg-type]


# --------------------------------------------------------------------- killed at every step


class Killed(BaseException):
    """The process is gone."""


class Story:
    """A bounty from its first commit to its end, whose requester is killed at one step."""

    def __init__(self, world: World, patch: pytest.MonkeyPatch, at: int, *, after: bool) -> None:
        self.world, self.at, self.after = world, at, after
        self.steps, self.was_killed = 0, False
        world.hand_out()
        write, put = Workspace._write, world.relay.put_acknowledgement
        patch.setattr(Workspace, "_write", lambda *args: self.step(write, *args))
        patch.setattr(world.relay, "put_acknowledgement", lambda *args: self.step(put, *args))
        for name in ("score", "payout", "withdraw"):
            done = getattr(self, name)
            patch.setattr(
                world.client, name, lambda *args, done=done: self.step(done, *args), raising=False
            )

    def step(self, act: Callable[..., None], *args: Any) -> None:
        self.steps += 1
        is_now = self.steps == self.at
        if is_now and not self.after:
            raise Killed
        act(*args)
        if is_now:
            raise Killed

    def score(self, record: Record, score: Any) -> None:
        world = self.world
        assert world.record.status is Status.LABEL  # else the board refuses
        world.client.sent.append("score")
        world.record = replace(world.record, score=score, status=Status.SCORED)
        world.mark = world.now

    def payout(self, record: Record) -> None:
        world = self.world
        world.client.sent.append("payout")
        workers = len(world.record.commits.standing)
        world.session.index.rows["PaidOut"] = [{"workers": workers}]
        world.record, world.client.owed = replace(world.record, status=Status.SETTLED), 5

    def withdraw(self, token: str, account: str) -> None:
        self.world.client.sent.append("withdraw")
        self.world.client.owed = 0

    def tell(self) -> tuple[Any, ...]:
        """Let it happen, and return what came of it."""
        world, times = self.world, self.world.times
        late = times.post + 2_000
        for now in (times.label, times.commit + 1, times.post + 1, late, late, late, late, late):
            try:
                world.look(now)
            except Killed:
                self.was_killed = True
                world.start()
                world.look(now)
        score = world.record.require_score()
        kept = {worker: world.workspace.file(worker) for worker in world.case.runs}
        return (
            score.hash,
            world.client.sent,
            kept,
            dict(world.relay.acknowledged),
            world.run.is_over,
        )


@pytest.mark.parametrize("after", [False, True])
def test_step__killed_at_every_step__ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    def story(at: int) -> tuple[Story, tuple[Any, ...]]:
        with monkeypatch.context() as patch:
            made = Story(World(tmp_path / f"{at}", patch), patch, at, after=after)
            return made, made.tell()

    quiet, expected = story(0)
    assert (expected[1], expected[4]) == (["score", "payout", "withdraw"], True)
    assert not quiet.was_killed and quiet.steps > 3 * len(quiet.world.case.runs)
    for at in range(1, quiet.steps + 1):
        killed, result = story(at)
        assert killed.was_killed, at
        assert result == expected, at
