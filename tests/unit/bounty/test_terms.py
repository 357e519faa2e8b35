# SPDX-License-Identifier: Apache-2.0
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounties import make_terms
from truthmark.bounty.terms import NO_ACCOUNT, Terms
from truthmark.errors import BountyError, KeysError

INTERFACE = Path(__file__).resolve().parents[3] / "contracts" / "interfaces" / "IBountyBoard.vyi"
TEAM: dict[str, Any] = {
    "gold_count": 0,
    "gold_commitment": bytes(32),
    "full": 0,
    "bond": 0,
    "reward": 0,
}


def test_terms__fields__are_those_of_the_contract_in_its_order() -> None:
    struct = INTERFACE.read_text().split("struct Terms:")[1].split("\nstruct")[0]
    assert re.findall(r"^    (\w+): \w+", struct, re.M) == [field.name for field in fields(Terms)]


def test_hash__terms__is_keccak_of_their_words() -> None:
    terms = make_terms()
    assert terms.hash == ref.keccak(*map(ref.word, terms.to_struct().values()))
    assert replace(terms, salt=b"\1" * 32).hash != terms.hash
    again = Terms.from_struct(terms.to_struct())
    assert again.hash == terms.hash and again.relay.lower() == terms.relay


def test_require_sound__sound_terms__pass_and_have_the_published_numbers() -> None:
    terms = make_terms()
    terms.require_sound()
    assert (terms.per_round, terms.seats) == (20, 60)
    assert terms.pot == 60 * (20_000 + 200 + 3) + 12 * (10 + 5 + 20 + 4)
    assert terms.deadlines(1000) == (4600, 4660, 4720, 5320)
    assert terms.post_fee(10) == 20 + 4 + 30
    assert not terms.is_team
    team = make_terms(**TEAM)
    team.require_sound()
    assert team.is_team
    make_terms(**TEAM, classes=0, max_run=5, rounds=1, min_seats=1).require_sound()


@pytest.mark.parametrize(
    "changed,why",
    [
        ({"relay": NO_ACCOUNT}, "relay and a token"),
        ({"token": NO_ACCOUNT}, "relay and a token"),
        ({"key_x": 5}, "no usable point"),
        ({"items": 0}, "items"),
        ({"items": 2**24}, "items"),
        ({"batch": 0}, "items; change the batch"),
        ({"batch": 65}, "change the batch"),
        ({"rounds": 0}, "rounds"),
        ({"rounds": 10}, "rounds"),
        ({"min_run": 0}, "min_run"),
        ({"items": 2**24 - 1, "batch": 1, "rounds": 9}, "too many seats"),
        ({"min_run": 11}, "a run has"),
        ({"max_run": 64}, "a run has"),
        ({"max_run": 21}, "a run has"),
        ({"min_seats": 0}, "fill at most"),
        ({"min_seats": 61}, "fill at most"),
        ({"join_seconds": 0}, "join_seconds"),
        ({"challenge_seconds": 2**23}, "challenge_seconds"),
        ({"price": -1}, "below 0"),
        ({"price": 2**120, "bond": 2**127}, "fits no token"),
        ({"rounds": 1, "min_seats": 18}, "2 rounds"),
        ({"classes": 1}, "classes"),
        ({"classes": 255}, "classes"),
        ({"gold_count": 401}, "at most 400"),
        ({"gold_commitment": bytes(32)}, "commitment is missing"),
        ({"full": 1}, "quarters"),
        ({"min_seats": 53}, "raise min_seats"),
        ({"gold_count": 79}, "must expect 20"),
        ({"bond": 119_999}, "a tenth"),
        ({"reward": 120_001}, "above the bond"),
        (TEAM | {"bond": 1}, "in team mode"),
        (TEAM | {"full": 3}, "in team mode"),
        (TEAM | {"gold_commitment": b"\1" * 32}, "in team mode"),
        (TEAM | {"classes": 1}, "classes, or 0"),
        (TEAM | {"classes": 0, "max_run": 13, "batch": 20}, "at most 256 hashes"),
    ],
)
def test_require_sound__one_value_off__says_which(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(BountyError, match=why):
        make_terms(**changed).require_sound()


def test_from_struct__what_is_no_value__is_refused() -> None:
    good = make_terms().to_struct()
    for changed in ({"salt": b"12"}, {"price": True}, {"price": 2**256}, {"relay": 2**160}):
        with pytest.raises(BountyError):
            Terms.from_struct(good | changed)
    with pytest.raises(BountyError, match="price"):
        Terms.from_struct({name: value for name, value in good.items() if name != "price"})
    with pytest.raises(KeysError):
        make_terms(relay="0x12").to_struct()
