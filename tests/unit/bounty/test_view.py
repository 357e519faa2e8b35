# SPDX-License-Identifier: Apache-2.0
"""Bounties look after look: read again where something happened, and after a reorganisation."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.bounty.test_phases import make_record
from truthmark.bounty import view as viewing
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.view import BountyView, Seen
from truthmark.errors import BountyError


class Chain:
    """Blocks by number, the board's states, and how often records were read."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.blocks = [bytes([n]) * 32 for n in range(8)]
        self.tip, self.final = 7, 6
        self.states: dict[int, int] = {1: 100, 2: 100, 7: 100}
        self.reads: list[int] = []
        self.unreadable: set[int] = set()
        self.anchored: list[bool] = []
        self.is_certain = True
        board = SimpleNamespace(functions=SimpleNamespace(state=lambda number: number))
        index = SimpleNamespace(
            tip=lambda: SimpleNamespace(
                number=self.tip, hash=self.blocks[self.tip], timestamp=1_000 + self.tip
            ),
            stored_blocks=lambda below, limit: [self.block(below - 1)][: below <= self.tip + 1],
        )
        chain = SimpleNamespace(
            bounty_board=board,
            final_block=lambda: self.block(self.final),
            block=lambda block_hash: self.block(self.blocks.index(block_hash)),
            batch=lambda calls, block: [SimpleNamespace(mark=self.states[n]) for n in calls],
        )
        follower = SimpleNamespace(sync=lambda: None, index=index)
        session: Any = SimpleNamespace(chain=chain, follower=follower)
        patch.setattr(viewing.reader, "read_record", self.read)
        patch.setattr(viewing.reader, "read_anchors", self.anchors)
        patch.setattr(viewing.reader, "require_anchored", self.require)
        self.view = BountyView(session)

    def block(self, number: int) -> Any:
        return SimpleNamespace(number=number, hash=self.blocks[number], timestamp=1_000 + number)

    def read(self, chain: Any, index: Any, number: int, block: Any) -> Record:
        self.reads.append(number)
        if number in self.unreadable:
            raise BountyError("came by an inner call")
        return make_record(Status.LABEL)

    def anchors(self, chain: Any, record: Record, block: Any, *, certain: bool = False) -> bool:
        return certain

    def require(self, record: Record, certain: bool) -> None:
        self.anchored.append(certain)
        if certain and not self.is_certain:
            raise BountyError("cannot be read as the board holds it")

    def look(self, *numbers: int) -> dict[int, Any]:
        self.view.refresh()
        return self.view.look(numbers)


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Chain:
    return Chain(monkeypatch)


def test_look__nothing_happened__nothing_is_read_again(chain: Chain) -> None:
    first = chain.look(1, 2, 1)
    assert isinstance(first[1], Seen)
    assert (first[1].mark, first[1].now, first[1].head, first[1].block.number) == (100, 1_007, 7, 6)
    again = chain.look(1, 2)
    assert again[1].record is first[1].record
    chain.states[2] = 101
    assert chain.look(1, 2)[2].mark == 101
    assert chain.reads == [1, 2, 2]
    assert chain.anchored == [False] * 3


def test_look__endpoint_is_ahead_of_the_index__looks_where_the_index_is(chain: Chain) -> None:
    chain.tip, chain.final = 3, 6
    assert chain.look(1)[1].block.number == 3


def test_refresh__chain_was_reorganised__all_is_read_again(chain: Chain) -> None:
    chain.look(1, 2)
    assert not chain.view.has_turned
    chain.blocks[7] = b"\xff" * 32
    chain.look(1, 2)
    assert chain.view.has_turned
    assert chain.reads == [1, 2, 1, 2]
    chain.look(1, 2)
    assert not chain.view.has_turned
    chain.tip, chain.final = 4, 4  # it is shorter now
    chain.look(1)
    assert chain.view.has_turned


def test_look__one_cannot_be_read__the_others_are(chain: Chain) -> None:
    chain.unreadable = {1}
    found = chain.look(1, 2)
    assert isinstance(found[1], BountyError)
    assert isinstance(found[2], Seen)


def test_look__asked_no_more__is_forgotten(chain: Chain) -> None:
    chain.look(1, 2)
    chain.look(2)
    chain.look(1, 2)
    assert chain.reads == [1, 2, 1]


def test_certain__board_holds_something_else__refused_and_read_again(chain: Chain) -> None:
    seen = chain.look(7)[7]
    assert chain.view.certain(seen) is seen.record
    assert chain.anchored[-1]  # asked at two endpoints
    chain.is_certain = False
    with pytest.raises(BountyError, match="as the board holds it"):
        chain.view.certain(chain.look(7)[7])
    chain.look(7)
    assert chain.reads == [7, 7]
