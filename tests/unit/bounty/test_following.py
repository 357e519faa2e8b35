# SPDX-License-Identifier: Apache-2.0
"""What is left to judge a later wave by."""

import contextlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from truthmark.bounty import reader
from truthmark.bounty.answers import Known
from truthmark.bounty.flows import following
from truthmark.bounty.flows.following import _known_left
from truthmark.bounty.payouts import Status
from truthmark.bounty.waves import parse_waves
from truthmark.errors import BountyError, ConfigError, EndpointsDisagreeError, NothingToAskError

CLASSES = SimpleNamespace(terms=SimpleNamespace(classes=2))
NAMES = [f"{n}.png" for n in range(10)]


def job(known: dict[str, str], *gold: int) -> Any:
    workspace = SimpleNamespace(names=NAMES, gold=SimpleNamespace(items=np.array(gold, np.int64)))
    draft = {
        "known": {n: {"answer": a, "explanation": "", "seconds": 1.5} for n, a in known.items()}
    }
    return SimpleNamespace(
        bounties=[SimpleNamespace(workspace=workspace)], first=SimpleNamespace(draft=draft)
    )


def test_known_left__answers_that_were_gold__are_not_used_again() -> None:
    left = _known_left(job({"1.png": "cat", "2.png": "dog"}, 1), NAMES, 1.0, {})
    assert left == {2: Known("dog", seconds=1.5)}


def test_known_left__answers_brought_along__count_where_they_are_items_and_new() -> None:
    more = {"1.png": Known("cat"), "7.png": Known("dog"), "elsewhere.png": Known("dog")}
    assert _known_left(job({"1.png": "cat"}, 1), NAMES, 1.0, more) == {7: Known("dog")}
    assert _known_left(job({"1.png": "cat"}, 1), NAMES, 1.0, {}) == {}


def test_known_left__part__is_taken_of_each_class() -> None:
    known = {f"{n}.png": ("cat", "dog")[n % 2] for n in range(8)}
    assert sorted(_known_left(job(known), NAMES, 0.5, {})) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "waves"), [("", ()), (" ", ()), ("2+2+3", (2, 2, 3)), ("5", (5,))]
)
def test_parse_waves__written_so__are_labels_an_item(text: str, waves: tuple[int, ...]) -> None:
    assert parse_waves(text) == waves


@pytest.mark.parametrize("text", ["2+", "two", "2,3", "-2", "2++2"])
def test_parse_waves__written_otherwise__says_how(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write it like 2\+2\+3"):
        parse_waves(text)


def test_follow_up__endpoints_differ_on_the_last_bounty__nothing_is_posted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One endpoint alone could have the next pot paid for labels that nobody gave."""
    record = SimpleNamespace(status=Status.SETTLED)
    brought = SimpleNamespace(result=SimpleNamespace(record=record))
    monkeypatch.setattr(following, "_workspace", lambda *_: CLASSES)
    monkeypatch.setattr(following, "job_of", lambda *_, **__: SimpleNamespace(bounties=[brought]))

    def differ(chain: object, of: object, block: object, *, certain: bool = False) -> object:
        assert (chain, of, block, certain) == ("chain", record, "latest", True)
        raise EndpointsDisagreeError("two chain endpoints say different things")

    monkeypatch.setattr(reader, "read_anchors", differ)
    session: Any = SimpleNamespace(chain="chain")
    with pytest.raises(EndpointsDisagreeError):
        following.follow_up(session, 3, agree=lambda _: True)


def test_post_next_wave__bounty_changed_meanwhile__is_asked_again_not_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = SimpleNamespace(ref=SimpleNamespace(bounty_id=3), status=Status.SCORED)
    brought = SimpleNamespace(result=SimpleNamespace(record=record))
    monkeypatch.setattr(following, "_workspace", lambda *_: CLASSES)
    monkeypatch.setattr(following, "next_wave", lambda *_: (2, 1))
    monkeypatch.setattr(following, "job_of", lambda *_, **__: SimpleNamespace(bounties=[brought]))
    monkeypatch.setattr(reader, "read_anchors", lambda *_, **__: object())

    def changed(record: object, anchors: object) -> None:
        raise BountyError("the status of bounty 3 cannot be read as the board holds it")

    monkeypatch.setattr(reader, "require_anchored", changed)
    workspace: Any = SimpleNamespace(ref=record.ref)
    session: Any = SimpleNamespace(chain=None)
    said: list[str] = []
    with pytest.raises(EndpointsDisagreeError, match="has changed while its labels were opened"):
        following.post_next_wave(session, workspace, say=said.append)
    assert not said


@pytest.mark.parametrize(
    ("error", "is_final"),
    [(NothingToAskError("no item"), True), (BountyError("an endpoint leaves events out"), False)],
)
def test_post_next_wave__error__is_final_only_where_nothing_is_to_be_asked(
    monkeypatch: pytest.MonkeyPatch, *, error: BountyError, is_final: bool
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(following, "next_wave", lambda *_: (2, 1))
    monkeypatch.setattr(following, "follow_up", refuse)
    workspace: Any = SimpleNamespace(ref=SimpleNamespace(bounty_id=3))
    session: Any = None
    said: list[str] = []
    with contextlib.nullcontext() if is_final else pytest.raises(BountyError, match="leaves"):
        assert following.post_next_wave(session, workspace, say=said.append) is None
    assert len(said) == is_final
