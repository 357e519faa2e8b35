# SPDX-License-Identifier: Apache-2.0
"""What a labeler checks before joining a bounty, and before labeling in it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.utils.bounties import REF
from tests.utils.labeling import MARK, RELAY_URL, World, committed, enrolled, home, join, world
from truthmark.bounty.flows import board
from truthmark.bounty.flows.labeling import Labeling, Stage
from truthmark.bounty.payouts import Status
from truthmark.errors import BountyError, RelayError, RelayUnavailableError

__all__ = ["home", "world"]


@pytest.mark.parametrize("why", ["labeling", "too late"])
def test_join__no_longer_open__is_refused_and_nothing_asked(
    world: World, home: Path, why: str
) -> None:
    if why == "labeling":
        world.record = replace(world.record, status=Status.LABEL)
    else:
        world.now = MARK + 61
    with pytest.raises(BountyError, match="takes no more labelers"):
        join(world.labeling(home))
    assert not world.joins and world.labeling(home).folder.entry is None


def test_join__seats_out_of_range__is_refused(world: World, home: Path) -> None:
    for seats in (4, 11):
        with pytest.raises(BountyError, match="gives 5 to 10 seats"):
            join(world.labeling(home), seats=seats)
    assert not world.joins


def test_join__other_relay_at_the_address__is_refused(world: World, home: Path) -> None:
    world.document = replace(world.document, relay_urls=("https://other.example", RELAY_URL))
    world.terms = replace(world.terms, document=world.document.hash)
    world.record = replace(world.record, terms=world.terms)
    world.away = {"https://other.example"}
    labeling = world.labeling(home)
    join(labeling)
    assert labeling.folder.entry is not None and labeling.folder.entry.relay == RELAY_URL
    world.away.add(RELAY_URL)
    with pytest.raises(BountyError, match="no relay of bounty 7 can be reached"):
        join(world.labeling(home.with_name("second")))


def test_join__again__is_the_same_and_else_is_refused(world: World, home: Path) -> None:
    join(world.labeling(home))
    join(world.labeling(home))
    assert len(world.joins) == 1
    with pytest.raises(BountyError, match="you asked for 10 seats"):
        join(world.labeling(home), seats=5)
    world.joins.clear()  # the relay never heard of it
    join(world.labeling(home), seats=5)
    assert [join_.seats for join_ in world.joins.values()] == [5]
    world.enroll()
    with pytest.raises(BountyError, match="you have joined bounty 7 before; go on"):
        join(world.labeling(home), seats=5)


def test_join__refused_by_the_relay__nothing_has_begun(world: World, home: Path) -> None:
    world.refuses = RelayError("only those whom the requester invited may join", 403)
    with pytest.raises(RelayError, match="invited"):
        join(world.labeling(home))
    assert world.labeling(home).advance() is Stage.OUTSIDE
    world.refuses = RelayUnavailableError("it does not answer")
    with pytest.raises(RelayError):
        join(world.labeling(home))
    assert world.labeling(home).folder.entry is not None  # the relay may have heard it
    world.refuses = None
    assert world.labeling(home).advance() is Stage.WAITING and len(world.joins) == 1


def test_join__code_that_is_none__is_told_and_another_code_goes(world: World, home: Path) -> None:
    for code in ("x", "two words", "c" * 65):
        with pytest.raises(BountyError, match="is no invitation code; give the whole of it"):
            join(world.labeling(home), code=code)
    assert world.labeling(home).folder.entry is None and not world.joins
    world.refuses = RelayUnavailableError("it does not answer")
    with pytest.raises(RelayError):
        join(world.labeling(home), code="mistyped1")
    world.refuses = RelayError("this invitation is not known here", 403)
    with pytest.raises(RelayError, match="not known"):
        world.labeling(home).advance()
    assert world.labeling(home).folder.entry is None  # a program asks with the next code it gets
    world.refuses = None
    join(world.labeling(home), code="rightcode")
    assert [join_.code for join_ in world.joins.values()] == ["rightcode"]
    world.refuses = RelayError("the requester took the invitation back", 403)
    with pytest.raises(RelayError):
        join(world.labeling(home), code="othercode")
    assert world.labeling(home).folder.entry is not None  # the relay has noted the first wish


def test_advance__enrolled_before_joining_ends__says_what_is_waited_for(
    world: World, home: Path
) -> None:
    said: list[str] = []
    labeling = world.labeling(home, say=said.append)
    join(labeling)
    assert labeling.advance() is Stage.WAITING
    assert not any("you have your place" in line for line in said)
    world.enroll()
    world.record = replace(world.record, status=Status.OPEN)  # others may still come
    assert labeling.advance() is Stage.WAITING and labeling.advance() is Stage.WAITING
    assert sum("you have your place; labeling begins" in line for line in said) == 1


@pytest.mark.parametrize(
    ("worth", "devnet", "expected"),
    [
        (None, True, []),
        (None, False, ["posting your labels on chain, should", "proving a lie, should"]),
        (1e13, False, []),
        (1e9, False, ["posting your labels", "proving a lie costs more"]),
        (2e11, False, ["posting your labels"]),
    ],
)
def test_join__gas_that_nobody_covers__is_a_doubt_and_nothing_goes_on(
    world: World, home: Path, worth: float | None, devnet: bool, expected: list[str]
) -> None:
    labeling = world.labeling(home, devnet=devnet)
    heard: list[str] = []

    def agree(doubts: list[str]) -> bool:
        heard.extend(doubts)
        return False

    if expected:
        with pytest.raises(BountyError, match="not joined"):
            join(labeling, worth=worth, agree=agree)
        assert not world.joins and labeling.folder.entry is None
        join(labeling, worth=worth, agree=lambda _: True)
    else:
        join(labeling, worth=worth, agree=agree)
    assert len(world.joins) == 1
    assert len(heard) == len(expected)
    assert all(text.startswith(start) for text, start in zip(heard, expected, strict=True))


def test_join__requester_who_lied_or_unknown_token__is_a_doubt(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.past = board.Past(4, 2, 0, 0.5)
    with pytest.raises(BountyError, match="2 of the requester's 4 bounties"):
        join(world.labeling(home))
    world.past = board.Past(0, 0, 0, None)
    world.terms = replace(world.terms, token="0x" + "99" * 20)
    world.record = replace(world.record, terms=world.terms)
    session = world.session(home)
    session.profile = replace(session.profile, tokens=())
    with pytest.raises(BountyError, match="does not list"):
        join(Labeling(session, REF.bounty_id))


def test_advance__roster_with_another_payee__is_refused(world: World, home: Path) -> None:
    labeling = world.labeling(home)
    join(labeling)
    world.enroll(payee="0x" + "66" * 20)
    with pytest.raises(BountyError, match="the roster would pay 0x66"):
        labeling.advance()
    assert not world.commits


def test_advance__signer_twice_or_not_on_the_roster__is_refused(world: World, home: Path) -> None:
    labeling = world.labeling(home)
    join(labeling, seats=5)
    world.enroll(times=2)
    with pytest.raises(BountyError, match="more than once"):
        labeling.advance()
    world.enroll(times=0)
    with pytest.raises(BountyError, match="is not on the roster"):
        labeling.advance()


def test_advance__no_time_left__is_missed(world: World, home: Path) -> None:
    labeling = world.labeling(home)
    join(labeling)
    world.enroll()
    world.now = MARK + 3_600 - 10
    assert labeling.advance() is Stage.MISSED
    world.record = replace(world.record, status=Status.REFUNDED)
    assert labeling.advance() is Stage.MISSED


def test_commit__other_answers_after_signing__are_refused(world: World, home: Path) -> None:
    labeling = committed(world, home)
    with labeling.answers() as log:
        item = next(iter(log.codes))
        log.answer(item, 1 - log.codes[item])
        with pytest.raises(BountyError, match="you signed other labels"):
            labeling.commit(log)
    world.post()
    assert labeling.advance() is Stage.DELIVERED


def test_commit__complete_batches_alone__are_committed(world: World, home: Path) -> None:
    labeling = enrolled(world, home)
    run = labeling.place()
    with labeling.answers() as log:
        for item in run.items[:19]:
            log.answer(item, 0)
        with pytest.raises(BountyError, match="no seat is complete"):
            labeling.commit(log)
        for item in run.items[19:45]:
            log.answer(item, 1)
        assert labeling.commit(log).commit.seats == 2
