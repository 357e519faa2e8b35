# SPDX-License-Identifier: Apache-2.0
"""A labeler's client: what it refuses, that it signs once whatever happens, what it does next."""

import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounties import SECRET, make_terms
from truthmark.bounty import labeler, messages
from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.labeler import SignedCommit, Step, find_place, next_step, sign_once
from truthmark.bounty.payouts import Status
from truthmark.bounty.posting import override, posting, postings
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.roster import Roster, Row
from truthmark.bounty.sealing import open_with_key
from truthmark.errors import BountyError, KeysError
from truthmark.keys.curve import address_of, multiply
from truthmark.keys.typed import sign, signer_of
from truthmark.keys.vault import Vault

REF = BountyRef(31337, "0x" + "b0" * 20, 7)
KEY = b"\x21" * 32
SIGNER = address_of(multiply(int.from_bytes(KEY, "big")))
PAYEE = "0x" + "aa" * 20
MARK = 10_000


def others(worker: int) -> Row:
    return Row(f"0x{worker:040x}", PAYEE, 10)


def make_record(**changed: Any) -> Record:
    rows = [others(1), Row(SIGNER, PAYEE, 10), others(3), others(4), others(5), others(6)]
    record = Record(
        REF, make_terms(), b"\x09" * 32, Roster([rows]), Commits([]), frozenset(), Status.LABEL
    )
    return replace(record, **changed)


def place(record: Record, **changed: Any) -> labeler.Place:
    arguments: dict[str, Any] = {
        "signer": SIGNER,
        "payee": PAYEE,
        "now": MARK,
        "needed": 3600,
        "mark": MARK,
    }
    return find_place(record, record.terms.hash, **arguments | changed)


def signed_by(tmp_path: Path, record: Record | None = None, seed: int = 0) -> SignedCommit:
    record = record or make_record()
    codes = np.random.default_rng(seed).integers(0, 3, 200).astype(np.uint8)
    return sign_once(Vault(tmp_path), record, 1, codes, KEY)


# -------------------------------------------------------------------- checks


def test_find_place__all_as_it_must_be__gives_the_items_of_the_run() -> None:
    found = place(make_record())
    assert (found.worker, found.start, found.seats) == (1, 10, 10)
    assert len(found.items) == 200
    for n, item in enumerate(found.items.tolist()):
        assert ref.seat_of(b"\x09" * 32, 400, 20, item, 0) == (10 + n // 20, n % 20)


@pytest.mark.parametrize(
    "record,changed,why",
    [
        (make_record(), {"payee": "0x" + "ab" * 20}, "would pay"),
        (make_record(), {"signer": "0x" + "ab" * 20}, "not on the roster"),
        (make_record(), {"needed": 3601}, "no time left"),
        (make_record(), {"now": MARK + 1}, "no time left"),
        (make_record(status=Status.DRAWN), {}, "has not begun"),
        (make_record(status=Status.SCORED), {}, "is over"),
        (make_record(seed=bytes(32)), {}, "has not begun"),
        (
            make_record(roster=Roster([[others(1), Row(SIGNER, PAYEE, 10), others(1)]])),
            {},
            "more than once",
        ),
        (make_record(roster=Roster([[Row(SIGNER, PAYEE, 4)]])), {}, "4 seats"),
        (make_record(terms=make_terms(gold_count=79)), {}, "must expect"),
    ],
)
def test_find_place__something_off__is_not_labeled(
    record: Record, changed: dict[str, Any], why: str
) -> None:
    with pytest.raises(BountyError, match=why):
        place(record, **changed)


def test_find_place__terms_of_another_hash__are_refused() -> None:
    record = make_record()
    with pytest.raises(BountyError, match="not the terms"):
        find_place(record, b"\0" * 32, signer=SIGNER, payee=PAYEE, now=MARK, needed=1, mark=MARK)


def test_uncovered__fees_below_gas__are_told() -> None:
    record = make_record()
    assert not labeler.uncovered(record, seats=10, gas_price=1, unit_price=3000)
    told = labeler.uncovered(record, seats=10, gas_price=10**9, unit_price=3000)
    assert len(told) == 2 and "more gas" in told[0]
    team = make_record(terms=make_terms(gold_count=0))
    assert len(labeler.uncovered(team, seats=10, gas_price=10**9, unit_price=1)) == 1


def test_codes_of__answers__are_whole_seats_from_the_first() -> None:
    found = place(make_record())
    items = found.items.tolist()
    answers = {item: n % 3 for n, item in enumerate(items[:45])}
    codes = labeler.codes_of(found, answers, 2, 20)
    assert codes.tolist() == [n % 3 for n in range(40)]
    assert len(labeler.codes_of(found, dict.fromkeys(items, 1), 2, 20)) == 200
    gap = {item: 1 for item in items if item != items[30]}
    assert len(labeler.codes_of(found, gap, 2, 20)) == 20
    with pytest.raises(BountyError, match="no seat is complete"):
        labeler.codes_of(found, {}, 2, 20)
    with pytest.raises(BountyError, match="no class"):
        labeler.codes_of(found, {items[0]: 3}, 2, 20)


def test_codes_of__short_last_seat__skips_where_there_is_no_item() -> None:
    record = make_record(terms=make_terms(items=395))
    found = place(record)
    answers = {item: 1 for item in found.items.tolist() if item >= 0}
    codes = labeler.codes_of(found, answers, 2, 20)
    assert codes[-5:].tolist() == [2] * 5 and codes[:-5].tolist() == [1] * 195


def test_hashes_of__annotations__are_hashed_and_blank_where_there_is_no_item() -> None:
    found = place(make_record(terms=make_terms(items=395)))
    items = found.items.tolist()
    notes = {item: f"box {item}" for item in items if item >= 0}
    codes = labeler.hashes_of(found, notes, 20)
    assert codes.shape == (200, 32) and not codes[-5:].any()
    assert bytes(codes[7]) == ref.keccak(notes[items[7]].encode())
    del notes[items[45]]
    assert len(labeler.hashes_of(found, notes, 20)) == 40
    with pytest.raises(BountyError, match="no seat is complete"):
        labeler.hashes_of(found, {}, 20)


# ------------------------------------------------------------------- signing


def test_sign_once__same_labels__gives_the_same_bytes_and_other_labels_are_refused(
    tmp_path: Path,
) -> None:
    record = make_record()
    first = signed_by(tmp_path)
    assert signed_by(tmp_path) == first
    assert labeler.find_signed(Vault(tmp_path), record, KEY) == first
    with pytest.raises(BountyError, match="those are final"):
        signed_by(tmp_path, seed=1)
    message = messages.commit(
        REF,
        record.terms.hash,
        record.seed,
        worker=1,
        seats=10,
        commitment=first.commit.commitment,
    )
    assert str(signer_of(message, first.signature)).lower() == SIGNER
    opened = open_with_key(record.scheme(1), first.run, SECRET, 10)
    assert opened.run.commitment == first.commit.commitment
    assert first.file(record).run == first.run
    # After a reorganisation that draws another seed there are other items, and another e.
    moved = make_record(seed=b"\x0a" * 32)
    assert labeler.find_signed(Vault(tmp_path), moved, KEY) is None
    again = signed_by(tmp_path, moved, seed=1)
    assert again.secret != first.secret


def test_sign_once__vault_that_keeps_nothing__signs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise KeysError("no space left")

    def never(*_: object) -> bytes:
        raise AssertionError("signed what is not kept")

    monkeypatch.setattr(Vault, "put", full)
    monkeypatch.setattr(labeler, "sign", never)
    with pytest.raises(KeysError, match="no space"):
        signed_by(tmp_path)


def test_find_signed__damaged_or_of_another_key__is_refused(tmp_path: Path) -> None:
    signed_by(tmp_path)
    with pytest.raises(BountyError, match="those are final"):
        labeler.find_signed(Vault(tmp_path), make_record(), b"\x22" * 32)
    (path,) = (tmp_path / labeler.KIND).glob("*.json")
    path.write_text(path.read_text().replace('"codes"', '"x"'))
    with pytest.raises(BountyError, match="damaged"):
        labeler.find_signed(Vault(tmp_path), make_record(), KEY)


def test_sign_once__codes_that_are_hashes__come_back_from_the_vault(tmp_path: Path) -> None:
    team = make_terms(gold_count=0, classes=0, full=0, bond=0, reward=0)
    record = make_record(terms=team)
    codes = np.random.default_rng(0).integers(0, 256, (40, 32)).astype(np.uint8)
    first = sign_once(Vault(tmp_path), record, 1, codes, KEY)
    assert labeler.find_signed(Vault(tmp_path), record, KEY) == first
    assert (open_with_key(record.scheme(1), first.run, SECRET, 2).codes == codes).all()


def _sign_for_ever(folder: str, seed: int, out: str) -> None:
    """Sign labels of one seed, and write each signature that anyone could have sent."""
    while True:
        try:
            signed = signed_by(Path(folder), seed=seed)
        except (BountyError, KeysError):
            signed_or_not = b""
        else:
            signed_or_not = signed.signature + signed.commit.commitment
        with Path(out).open("ab") as file:
            file.write(signed_or_not)
            file.flush()
            os.fsync(file.fileno())
        time.sleep(0.002)


@pytest.mark.parametrize("number", range(3))
def test_sign_once__two_clients_killed_at_random__never_sign_two_commits(
    tmp_path: Path, number: int
) -> None:
    rng = random.Random(number)
    context = multiprocessing.get_context("fork")
    signed_by(tmp_path / "warm")  # so that the clients have nothing left to import
    for turn in range(7):
        clients = [
            context.Process(
                target=_sign_for_ever,
                args=(str(tmp_path / "vault"), rng.randrange(2), f"{tmp_path}/sent-{turn}-{n}"),
            )
            for n in range(2)
        ]
        for client in clients:
            client.start()
        while turn == 3 and not any(tmp_path.glob("sent-*")):
            time.sleep(0.01)
        time.sleep(rng.random() * 0.2)
        for client in clients:
            assert client.pid is not None
            os.kill(client.pid, signal.SIGKILL)
            client.join()
    words = set()
    for path in tmp_path.glob("sent-*"):
        sent = path.read_bytes()
        words |= {sent[at : at + 97] for at in range(0, len(sent) // 97 * 97, 97)}
    kept = labeler.find_signed(Vault(tmp_path / "vault"), make_record(), KEY)
    assert kept is not None and {kept.signature + kept.commit.commitment} == words


# ---------------------------------------------------------------------- next

RIGHT, WRONG = "right", "wrong"


@pytest.mark.parametrize(
    "after,standing,acknowledged,posted,expected",
    [
        (0, None, False, False, Step.WAIT),
        (3600, None, False, False, Step.WAIT),
        (3601, None, False, False, Step.OVERRIDE),
        (3660, None, False, False, Step.OVERRIDE),
        (3661, None, False, False, Step.LOST),
        (0, WRONG, False, False, Step.OVERRIDE),
        (3660, WRONG, True, False, Step.OVERRIDE),
        (3661, WRONG, False, False, Step.LOST),
        (0, RIGHT, False, False, Step.HAND_OUT),
        (3661, RIGHT, False, False, Step.HAND_OUT),
        (3690, RIGHT, False, False, Step.HAND_OUT),
        (3691, RIGHT, False, False, Step.POST),
        (3720, RIGHT, False, False, Step.POST),
        (3721, RIGHT, False, False, Step.HAND_OUT),
        (3691, RIGHT, True, False, Step.WATCH),
        (3691, RIGHT, False, True, Step.WATCH),
    ],
)
def test_next_step__labeling__is_by_what_stands_on_chain(
    tmp_path: Path,
    after: int,
    standing: str | None,
    acknowledged: bool,
    posted: bool,
    expected: Step,
) -> None:
    signed = signed_by(tmp_path)
    rows = {
        None: [],
        RIGHT: [signed.commit],
        WRONG: [Commit(1, 9, signed.commit.commitment)],
    }[standing]
    record = make_record(
        commits=Commits([rows] if rows else []), posted=frozenset({1} if posted else ())
    )
    step = next_step(
        record, signed, now=MARK + after, mark=MARK, acknowledged=acknowledged, lies=False
    )
    assert step is expected


@pytest.mark.parametrize(
    "status,lies,expected",
    [
        (Status.SCORED, False, Step.WATCH),
        (Status.SCORED, True, Step.PROVE),
        (Status.SCORED_HALF, True, Step.PROVE),
        (Status.SETTLED, True, Step.DONE),
        (Status.REFUNDED, False, Step.DONE),
    ],
)
def test_next_step__after_the_score__is_to_watch_and_prove(
    tmp_path: Path, status: Status, lies: bool, expected: Step
) -> None:
    signed = signed_by(tmp_path)
    step = next_step(
        make_record(status=status), signed, now=MARK, mark=MARK, acknowledged=True, lies=lies
    )
    assert step is expected


def test_next_step__somebody_elses_override__cannot_be_undone(tmp_path: Path) -> None:
    signed = signed_by(tmp_path)
    record = make_record(commits=Commits([], [Commit(1, 1, b"\1" * 32)]))
    step = next_step(record, signed, now=MARK, mark=MARK, acknowledged=False, lies=False)
    assert step is Step.LOST


def test_is_acknowledged__signature_of_the_receiver_alone__counts(tmp_path: Path) -> None:
    receiver = b"\x17" * 32
    record, signed = make_record(), signed_by(tmp_path)
    commitment = signed.commit.commitment

    def by(key: bytes, **changed: Any) -> bytes:
        arguments: dict[str, Any] = {"worker": 1, "commitment": commitment}
        return sign(messages.acknowledged(REF, record.terms.hash, **arguments | changed), key)

    assert labeler.is_acknowledged(record, signed.commit, by(receiver))
    for signature in (
        by(KEY),
        by(receiver, worker=2),
        by(receiver, commitment=b"\1" * 32),
        b"",
        b"\1" * 65,
    ):
        assert not labeler.is_acknowledged(record, signed.commit, signature)


# ------------------------------------------------------------------- evidence


def test_override_and_posting__evidence__is_what_stands(tmp_path: Path) -> None:
    signed = signed_by(tmp_path)
    record = make_record()
    shown = override(record, signed.commit, signed.signature)
    assert (shown.worker, shown.seats) == (1, 10)
    assert shown.commitment == signed.commit.commitment and shown.roster.first_worker == 0
    with pytest.raises(BountyError, match="not what stands"):
        posting(record, 1, signed.run)
    posted = replace(record, commits=Commits([[Commit(0, 1, b"\3" * 32), signed.commit]]))
    alone = posting(posted, 1, signed.run)
    assert alone.file == signed.run.root + signed.run.body and alone.commits.row == 1
    chunk, files = postings(posted, {1: signed.run}, 0, 0)
    assert files == [b"\1" + alone.file] and chunk.rows == alone.commits.rows
    overridden = replace(record, commits=Commits([[signed.commit]], [signed.commit]))
    assert postings(overridden, {1: signed.run}, 0, 0)[1] == []
    assert posting(overridden, 1, signed.run).commits.rows == b""
