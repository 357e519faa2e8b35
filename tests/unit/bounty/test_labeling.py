# SPDX-License-Identifier: Apache-2.0
"""One labeler's way through one bounty: every step, every lie, a kill at every point."""

import contextlib
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils.bounties import REF
from tests.utils.labeling import (
    MARK,
    RELAY_URL,
    FakeRelay,
    KilledError,
    World,
    committed,
    enrolled,
    home,
    join,
    mine,
    world,
)
from truthmark.bounty import relay_client
from truthmark.bounty.commits import Commits
from truthmark.bounty.flows import handing_out, offers
from truthmark.bounty.flows.handing_out import WatchNode
from truthmark.bounty.flows.labeling import Labeling, Stage
from truthmark.bounty.headings import Heading, Headings
from truthmark.bounty.label_file import LabelFile, open_notes
from truthmark.bounty.payouts import Status
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE
from truthmark.bounty.watching import open_secret
from truthmark.cid import raw_cid
from truthmark.errors import (
    BlockNotFoundError,
    BountyError,
    EndpointsDisagreeError,
    KeysError,
    RelayError,
    RelayUnavailableError,
    WrongKeyError,
)
from truthmark.keys.sealing import encryption_public_key
from truthmark.waiting import Deadline

__all__ = ["home", "world"]


def test_labeling__all_goes_well__is_delivered_scored_and_ends(world: World, home: Path) -> None:
    said: list[str] = []
    labeling = world.labeling(home, say=said.append)
    assert labeling.advance() is Stage.OUTSIDE
    join(labeling)
    assert labeling.advance() is Stage.WAITING
    world.enroll()
    assert labeling.advance() is Stage.LABELING
    world.answer_all(labeling)
    assert labeling.advance() is Stage.COMMITTED and labeling.earned() is None
    assert not world.files
    world.post()
    assert labeling.advance() is Stage.DELIVERED
    world.now = MARK + 3_600 + 60 + 60 + 1
    world.score()
    assert labeling.advance() is Stage.SCORED
    earned = labeling.earned()
    assert earned is not None and (earned.share, earned.is_final) == (1.0, False)
    world.record = replace(world.record, status=Status.SETTLED)
    assert labeling.advance() is Stage.ENDED
    assert earned.units == world.terms.price * 200
    assert not world.sent
    assert said == [
        "joined; the relay puts you on the roster",
        "the requester has signed for your labels",
    ]


def test_labeling__notes__reach_the_requester(world: World, home: Path) -> None:
    labeling = world.labeling(home)
    join(labeling, seats=5)
    world.enroll()
    labeling.advance()
    run = labeling.place()
    with labeling.answers() as log:
        log.flag(run.items[3], "cut off")
        for item in run.items:
            log.answer(item, 2, 3.5)
        labeling.commit(log)
    assert labeling.advance() is Stage.COMMITTED
    world.post()
    assert labeling.advance() is Stage.DELIVERED
    opened = world.opened()[mine(world)]
    notes = open_notes(opened.shared, LabelFile.from_bytes(world.files[mine(world)]).notes)
    assert notes["flags"] == {str(run.items[3]): "cut off"}
    assert set(notes["seconds"].values()) == {3.5}
    assert opened.codes.tolist() == [2] * 100


def test_labeling__items__are_fetched_once_and_checked(world: World, home: Path) -> None:
    labeling = enrolled(world, home)
    run = labeling.place()
    labeling.open_items(run).fetch(run.items)
    world.away = {"item", "manifest", "keys"}
    again = world.labeling(home)
    shelf = again.open_items(again.place())
    word = ("cat", "dog")[int(world.truth[run.items[0]])]
    assert shelf.item(run.items[0]).text == f"item {run.items[0]} is {word}"
    stored = labeling.folder.folder / "items" / str(run.items[1])
    stored.write_bytes(stored.read_bytes()[:-1])
    with pytest.raises(RelayError):
        shelf.item(run.items[1])
    world.away = set()
    assert shelf.item(run.items[1]).text.startswith("item ")


def test_headings__some_nowhere_or_slow__the_others_come_in_time(world: World, home: Path) -> None:
    session, never = world.session(home), threading.Event()
    read = session.storage.read_block

    def read_block(cid: Any) -> bytes:
        if cid == raw_cid(b"\1" * 32):
            raise BlockNotFoundError("nobody has it")
        if cid == raw_cid(b"\2" * 32):
            never.wait(20)
            raise BlockNotFoundError("too late")
        data: bytes = read(cid)
        return data

    session.storage.read_block = read_block
    terms = [replace(world.terms, document=bytes([n]) * 32) for n in (1, 2)]
    contradicted = replace(world.terms, items=world.terms.items + 1)
    wanted = [*terms, contradicted, world.terms]
    headings = Headings.of(session)
    found = headings.read([world.terms, *terms], Deadline(0.5))
    assert found[headings.key(world.terms)] == Heading.of(world.document)
    assert found[headings.key(terms[0])] is None
    assert headings.key(terms[1]) not in found
    with pytest.raises(BountyError, match="differ in the number of items"):
        offers.find_document(session, contradicted)
    never.set()
    assert headings.read(wanted[2:3], Deadline(30)) == {headings.key(contradicted): None}
    again = Headings.of(world.session(home))
    assert again.known([again.key(world.terms)]) == {
        again.key(world.terms): Heading.of(world.document)
    }


@pytest.mark.parametrize("forged", [True, False], ids=["forged", "left out"])
def test_advance__relay_lies__is_overridden_by_any_account_with_gas(
    world: World, home: Path, forged: bool
) -> None:
    said: list[str] = []
    committed(world, home)
    if forged:
        world.post(forged=True)
    else:
        world.now = MARK + 3_600 + 1
    poor = world.labeling(home, say=said.append)
    assert poor.advance() is Stage.COMMITTED and not world.sent
    assert any("an account with some gas" in text for text in said)
    assert mine(world) not in world.files
    rich = world.labeling(home, account="me")
    assert rich.advance() is Stage.COMMITTED
    assert [what for what, _ in world.sent] == ["override"]
    assert rich.advance() is Stage.DELIVERED


def test_advance__relay_away__commit_is_kept_and_given_later(world: World, home: Path) -> None:
    labeling = enrolled(world, home)
    world.answer_all(labeling)
    world.away = {RELAY_URL}
    assert labeling.advance() is Stage.COMMITTED and not world.commits
    world.away = set()
    assert labeling.advance() is Stage.COMMITTED and len(world.commits) == 1
    assert labeling.advance() is Stage.COMMITTED and len(world.commits) == 1


def test_advance__too_late_for_the_commit__is_missed(world: World, home: Path) -> None:
    committed(world, home)
    world.now = MARK + 3_600 + 60 + 1
    assert world.labeling(home, account="me").advance() is Stage.MISSED


def test_advance__nobody_acknowledges__is_posted_on_chain(world: World, home: Path) -> None:
    labeling = committed(world, home, account="me")
    world.post()
    world.acknowledges = False
    assert labeling.advance() is Stage.RELEASING
    world.now = MARK + 3_600 + 60 + 29
    assert labeling.advance() is Stage.RELEASING and not world.sent
    world.now += 2
    assert labeling.advance() is Stage.RELEASING
    assert [what for what, _ in world.sent] == ["post"]
    assert labeling.advance() is Stage.DELIVERED


def test_advance__addresses_that_drip__are_left_for_what_must_go_on_chain(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeling = committed(world, home, account="me")
    world.post()
    monkeypatch.setattr(handing_out, "_HELPERS_SECONDS", 0.0)
    world.now = MARK + 3_600 + 60 + 31
    assert labeling.advance() is Stage.RELEASING
    assert [what for what, _ in world.sent] == ["post"] and mine(world) not in world.files


def test_advance__chain_turned_and_drew_another_seed__all_is_given_once_more(
    world: World, home: Path
) -> None:
    labeling = committed(world, home)
    world.post()
    assert labeling.advance() is Stage.DELIVERED
    world.record = replace(world.record, seed=b"\x44" * 32, commits=Commits([]))
    world.files.clear()
    assert labeling.advance() is Stage.LABELING
    world.answer_all(labeling)
    assert labeling.advance() is Stage.COMMITTED
    first, second = world.commits
    assert first.commitment != second.commitment
    world.post()
    world.disagrees = True
    with pytest.raises(EndpointsDisagreeError):
        labeling.advance()  # the word of two endpoints was about the first one
    world.disagrees = False
    assert labeling.advance() is Stage.DELIVERED
    given = LabelFile.from_bytes(world.files[mine(world)])
    assert given.run.commitment == second.commitment


def test_advance__endpoints_disagree__nothing_is_signed_or_handed_out(
    world: World, home: Path
) -> None:
    labeling = enrolled(world, home)
    world.disagrees = True
    with pytest.raises(EndpointsDisagreeError):
        world.answer_all(labeling)
    world.disagrees = False
    world.answer_all(labeling)
    labeling.advance()
    world.post()
    world.disagrees = True
    with pytest.raises(EndpointsDisagreeError):
        labeling.advance()
    assert mine(world) not in world.files
    world.disagrees = False
    assert labeling.advance() is Stage.DELIVERED


def test_open_items__wrong_keys__are_refused_and_asked_for_again(world: World, home: Path) -> None:
    labeling = world.labeling(home)
    join(labeling)
    world.enroll()
    world.keys_fail = True
    assert labeling.advance() is Stage.LABELING
    run = labeling.place()
    with pytest.raises(WrongKeyError):
        labeling.open_items(run).item(run.items[0])
    world.keys_fail = False
    assert labeling.open_items(run).item(run.items[0]).text.startswith("item ")


def test_open_items__relay_is_asked_too_often__is_asked_again_later(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    labeling = world.labeling(home)
    join(labeling)
    world.enroll()
    assert labeling.advance() is Stage.LABELING
    run = labeling.place()
    item, refusals = FakeRelay.item, [429, 503]

    def busy(relay: FakeRelay, *asked: Any) -> bytes:
        if refusals:
            raise RelayUnavailableError("the relay says: asked too often", refusals.pop())
        return item(relay, *asked)

    monkeypatch.setattr(FakeRelay, "item", busy)
    assert labeling.open_items(run).item(run.items[0]).text.startswith("item ")
    assert pauses == [1.0, 2.0]
    refusals[:] = [429] * 1000
    with pytest.raises(RelayUnavailableError, match="too often"):
        labeling.open_items(run).item(run.items[1])
    assert max(pauses) == 4.0


def test_wait__troubles_that_pass__are_told_and_waited_out(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    committed(world, home)
    world.post()
    world.disagrees = True
    pauses: list[float] = []

    def sleep(pause: float) -> None:
        pauses.append(pause)
        world.disagrees = len(pauses) < 3

    monkeypatch.setattr("truthmark.bounty.flows.labeling.time.sleep", sleep)
    labeling = world.labeling(home, say=said.append)
    assert labeling.wait({Stage.DELIVERED}) is Stage.DELIVERED
    assert len(pauses) == 3 and said[0] == "two endpoints say different things; going on"
    assert said.count(said[0]) == 1


def test_advance__acknowledgement_of_somebody_else__is_none(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.utils import labeling as fakes

    monkeypatch.setattr(fakes, "RECEIVER_KEY", b"\x18" * 32)
    labeling = committed(world, home)
    world.post()
    assert labeling.advance() is Stage.RELEASING
    commitment = world.record.commits.standing[mine(world)].commitment
    assert labeling.folder.find_acknowledgement(commitment) is None


@pytest.mark.parametrize("mark", [NOT_DELIVERED, UNREADABLE])
def test_advance__marked_falsely__is_proven(world: World, home: Path, mark: int) -> None:
    labeling = committed(world, home, account="me")
    world.post()
    assert labeling.advance() is Stage.DELIVERED
    world.score(marks={mine(world): mark})
    assert labeling.advance() is Stage.SCORED
    assert [what for what, _ in world.sent] == ["prove"]
    assert labeling.advance() is Stage.ENDED
    earned = labeling.earned()
    assert earned is not None and earned.is_final and earned.share == 1.0


def test_advance__score_lies_about_an_answer__is_proven_after_a_restart(
    world: World, home: Path
) -> None:
    committed(world, home)
    world.post()
    assert world.labeling(home).advance() is Stage.DELIVERED
    start = int(world.record.roster.starts[mine(world)])
    items = set(world.record.assignment.items_of(start, 10).tolist())

    def flip(score: Any) -> Any:
        entries = score.entries.copy()
        gold = next(g for g, item in enumerate(score.gold.items.tolist()) if item in items)
        entries[gold, 0] = 1 - entries[gold, 0]
        return entries

    world.score(entries=flip)
    poor = world.labeling(home)
    assert poor.advance() is Stage.SCORED and not world.sent
    rich = world.labeling(home, account="me")
    assert rich.advance() is Stage.SCORED
    ((_, lie),) = world.sent
    assert lie.worker == mine(world)
    assert rich.advance() is Stage.ENDED


def test_leave_with__before_the_commit_stands__not_with_the_bountys_own(
    world: World, home: Path
) -> None:
    labeling = committed(world, home)
    private = b"\x21" * 32
    own = WatchNode(RELAY_URL)
    trusted = WatchNode("https://watch.example", encryption_public_key(private))
    assert labeling.leave_with([own, trusted]) == ["https://watch.example"]
    (deposit,) = world.deposits
    worker = mine(world)
    secret = open_secret(private, REF, worker, deposit.sealed_secret or b"")
    assert deposit.commitment == world.commits[0].commitment
    assert LabelFile.from_bytes(deposit.file).run.commitment == deposit.commitment
    world.post()
    world.disagrees = True
    with pytest.raises(EndpointsDisagreeError):
        labeling.leave_with([own])
    world.disagrees = False
    assert labeling.leave_with([own]) == [RELAY_URL]
    assert world.deposits[-1].sealed_secret is None
    from truthmark.bounty.secrets import labeler_secret

    key = bytes.fromhex(
        labeling.session.vault.get("labeler-key", labeling.session.vault.names("labeler-key")[0])[
            "secret"
        ]
    )
    assert secret == labeler_secret(key, REF, world.record.seed, worker)


def _whole_way(world: World, home: Path) -> None:
    """What one process after the other does until the labels are delivered."""
    labeling = world.labeling(home, account="me")
    stage = labeling.advance()
    if stage is Stage.OUTSIDE:
        join(labeling, seats=5)
        stage = labeling.advance()
    if stage is Stage.WAITING:
        if world.record.status is Status.OPEN:
            world.enroll()
        stage = labeling.advance()
    if stage is Stage.LABELING:
        world.answer_all(labeling)
        stage = labeling.advance()
    if stage is Stage.COMMITTED:
        if world.commits and not world.record.commits.standing:
            world.post()
        stage = labeling.advance()
    assert stage is Stage.DELIVERED


def test_labeling__killed_at_every_call__loses_nothing_and_signs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = World(tmp_path / "items")
    calm.patch(monkeypatch)
    _whole_way(calm, tmp_path / "calm")
    names = list(calm.calls)
    assert {"vault labeler-key", "join", "keys", "vault label-commit", "commit", "file"} <= {*names}
    for kill in range(2 * len(names)):
        world = World.again(calm)
        world.patch(monkeypatch)
        home = tmp_path / f"home{kill}"
        world.kill_at, world.kills_after = kill // 2, bool(kill % 2)
        # After a question that changes nothing there is nothing to be killed at.
        with contextlib.suppress(KilledError) if kill % 2 else pytest.raises(KilledError):
            _whole_way(world, home)
        world.kill_at = None
        _whole_way(world, home)
        assert len(world.joins) == 1, names[kill // 2]
        assert len({commit.commitment for commit in world.commits}) == 1, names[kill // 2]
        worker = mine(world)
        assert world.opened()[worker].codes.size == 100
        vault = world.labeling(home).session.vault
        assert len(vault.names("label-commit")) == len(vault.names("labeler-key")) == 1


def test_labeling__vault_that_cannot_keep__nothing_is_signed_or_sent(
    world: World, home: Path
) -> None:
    labeling = enrolled(world, home)

    def full(kind: str, name: str, record: Any) -> None:
        raise KeysError("no space")

    labeling.session.vault.put = full  # type: ignore[method-assign]
    with pytest.raises(KeysError):
        world.answer_all(labeling)
    assert not world.commits


def test_relay__named_by_a_document_alone__is_asked_as_a_strangers_address(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, str]] = []
    plain, public = relay_client.RelayClient, relay_client.open_public_relay

    def open_plain(url: str) -> Any:
        opened.append(("plain", url))
        return plain(url)

    def open_public(url: str, *, private: Any) -> Any:
        assert not private
        opened.append(("public", url))
        return public(url, private=private)

    monkeypatch.setattr(relay_client, "RelayClient", open_plain)
    monkeypatch.setattr(relay_client, "open_public_relay", open_public)
    join(world.labeling(home, devnet=False), agree=lambda _: True)
    assert opened == [("public", RELAY_URL)]
    opened.clear()
    again = Labeling(world.session(home, devnet=False), REF.bounty_id, relay=RELAY_URL + "/")
    join(again, agree=lambda _: True)
    assert opened == [("plain", RELAY_URL + "/")] and again.folder.entry is not None
    assert again.folder.entry.is_named
    # Who named it once need not name it again; what else the document says is still a stranger's.
    opened.clear()
    later = world.labeling(home, devnet=False)
    for url in (RELAY_URL, "http://192.168.1.1"):
        later._desk.relay(url)
    later._desk.relay("http://watch.local", is_named=True)
    assert [how for how, _ in opened] == ["plain", "public", "plain"]
    opened.clear()
    world.labeling(home, devnet=True)._desk.relay("http://192.168.1.1")
    assert opened == [("plain", "http://192.168.1.1")]


def test_relay__network_allowed_by_a_setting__is_asked_and_no_other(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed: list[Any] = []
    monkeypatch.setattr(
        relay_client, "open_public_relay", lambda url, private: allowed.append(private)
    )
    session = world.session(home, devnet=False)
    named = ("192.168.1.0/24", "fd00::7")
    session.settings = replace(session.settings, private_hosts=named)
    Labeling(session, REF.bounty_id)._desk.relay("http://receiver.local")
    assert [str(network) for network in allowed[0]] == ["192.168.1.0/24", "fd00::7/128"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://[::1]:9", "http://10.0.0.1"])
def test_public_relay__address_of_ones_own_network__refused_with_what_to_do(url: str) -> None:
    with (
        relay_client.open_public_relay(url, private=()) as relay,
        pytest.raises(RelayError, match="as a receiver: `truthmark init --private-host") as refused,
    ):
        relay.info()
    assert not isinstance(refused.value, RelayUnavailableError)
