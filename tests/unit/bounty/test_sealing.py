# SPDX-License-Identifier: Apache-2.0
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.utils.bounties import REF, SECRET
from truthmark.bounty import secrets
from truthmark.bounty.label_file import MAX_BYTES, LabelFile, open_notes, seal_notes
from truthmark.bounty.sealing import (
    Codes,
    OpenedRun,
    Scheme,
    SealedRun,
    UnreadableError,
    open_with_key,
    run_from_body,
    seal,
)
from truthmark.codec.tree import verify
from truthmark.errors import BountyError, KeysError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import word
from truthmark.keys.curve import INFINITY, N, multiply
from truthmark.keys.vault import Vault

KEY = multiply(SECRET)


def sealed(scheme: Scheme, seats: int = 3, seed: int = 0) -> tuple[SealedRun, Codes]:
    rng = np.random.default_rng(seed)
    shape = (seats * scheme.batch,) if scheme.classes else (seats * scheme.batch, 32)
    codes = rng.integers(0, scheme.classes + 1 if scheme.classes else 256, shape).astype(np.uint8)
    return seal(scheme, secret=77, key=KEY, codes=codes), codes


@pytest.mark.parametrize("classes", [0, 2, 3, 4, 7, 8, 127, 128, 254])
@pytest.mark.parametrize("batch", [1, 2, 5, 64])
def test_open__every_width_and_batch__gives_the_codes_and_proves_each(
    classes: int, batch: int
) -> None:
    scheme = Scheme(REF, 3, batch, classes)
    run, codes = sealed(scheme)
    opened = open_with_key(scheme, run, SECRET, 3)
    assert (opened.codes == codes).all()
    assert len(run.sealed) == scheme.sealed_bytes(3)
    rng = random.Random(1)
    for _ in range(5):
        offset, index = rng.randrange(3), rng.randrange(batch)
        shown = opened.opening(offset, index)
        leaf = keccak256(b"\1" + shown.salt + word(shown.label))
        at = (offset << scheme.depth) + index
        assert verify(shown.root, 3 << scheme.depth, at, leaf, shown.path)
        assert keccak256(shown.root + shown.seal) == run.commitment


def test_seal__another_worker_bounty_board_or_chain__opens_to_nothing() -> None:
    scheme = Scheme(REF, 3, 5, 2)
    run, _ = sealed(scheme)
    for other in (
        replace(scheme, worker=4),
        replace(scheme, ref=replace(REF, bounty_id=8)),
        replace(scheme, ref=replace(REF, board="0x" + "b1" * 20)),
        replace(scheme, ref=replace(REF, chain_id=1)),
    ):
        with pytest.raises(UnreadableError, match="do not open"):
            open_with_key(other, run, SECRET, 3)
    with pytest.raises(UnreadableError, match="do not open"):
        open_with_key(scheme, run, SECRET + 1, 3)
    with pytest.raises(UnreadableError, match="sealed bytes are not"):
        open_with_key(scheme, run, SECRET, 4)
    with pytest.raises(UnreadableError, match="no point"):
        OpenedRun(scheme, run, INFINITY, 3)


def test_seal__what_is_no_whole_seat_or_no_code__is_refused() -> None:
    scheme = Scheme(REF, 3, 5, 2)
    for codes in (np.zeros(4, np.uint8), np.zeros(0, np.uint8), np.zeros((5, 32), np.uint8)):
        with pytest.raises(BountyError, match="whole seats"):
            seal(scheme, secret=1, key=KEY, codes=codes)
    with pytest.raises(BountyError, match="above 2"):
        seal(scheme, secret=1, key=KEY, codes=np.full(5, 4, np.uint8))


def test_label_file__round_trip_with_notes__and_damage() -> None:
    scheme = Scheme(REF, 300, 5, 2)
    run, _ = sealed(scheme)
    shared = multiply(77, KEY)
    notes = {"seconds": {"5": 3.5}, "flags": ["unclear"]}
    file = LabelFile(REF, 300, 3, run, seal_notes(shared, notes))
    data = file.to_bytes()
    again = LabelFile.from_bytes(data)
    assert again.run == run and (again.worker, again.seats) == (300, 3)
    assert again.ref.board.lower() == REF.board and again.to_bytes() == data
    assert open_notes(shared, again.notes) == notes
    assert open_notes(shared, b"") == {}
    for bad in (b"", data[:100], b"X" + data[1:], data + b"\0" * MAX_BYTES):
        with pytest.raises(BountyError, match="no label file"):
            LabelFile.from_bytes(bad)
    with pytest.raises(BountyError, match="cut off"):
        LabelFile.from_bytes(data[: -len(file.notes) - 1])
    for box in (file.notes[:-1], seal_notes(shared, {})[:12] + b"\0" * 20):
        with pytest.raises(BountyError, match="notes"):
            open_notes(shared, box)
    with pytest.raises(BountyError, match="no record"):
        open_notes(shared, seal_notes(shared, [1]))  # type: ignore[arg-type]


def test_run_from_body__no_point__is_refused() -> None:
    run, _ = sealed(Scheme(REF, 3, 5, 2))
    assert run_from_body(run.root, run.body) == run
    odd = seal(Scheme(REF, 3, 1, 2), secret=78, key=KEY, codes=np.zeros(1, np.uint8))
    assert run_from_body(odd.root, odd.body) == odd
    assert {run.point.y & 1, odd.point.y & 1} <= {0, 1}
    for body in (b"", run.body[:32], run.body[:32] + b"\2", word(5) + b"\0"):
        with pytest.raises(UnreadableError, match="no point"):
            run_from_body(run.root, body)


def test_labeler_secret__key_bounty_seed_worker__is_always_the_same_and_never_twice() -> None:
    seed, key = b"\1" * 32, b"\2" * 32
    one = secrets.labeler_secret(key, REF, seed, 3)
    assert one == secrets.labeler_secret(key, REF, seed, 3) and 0 < one < N
    others = {
        secrets.labeler_secret(b"\3" * 32, REF, seed, 3),
        secrets.labeler_secret(key, replace(REF, bounty_id=8), seed, 3),
        secrets.labeler_secret(key, replace(REF, chain_id=1), seed, 3),
        secrets.labeler_secret(key, replace(REF, board="0x" + "b1" * 20), seed, 3),
        secrets.labeler_secret(key, REF, b"\4" * 32, 3),
        secrets.labeler_secret(key, REF, seed, 4),
    }
    assert len(others | {one}) == 7


def test_new_secrets__vault__keeps_what_opens_the_labels(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    made = secrets.new_secrets(vault)
    found = secrets.find_secrets(vault, made.key)
    assert found == made and multiply(found.scalar) == made.key
    assert len({made.gold_salt, made.terms_salt, made.root}) == 3
    assert made.root.hex() not in repr(made)
    with pytest.raises(KeysError, match="has no bounty-secret"):
        secrets.find_secrets(vault, multiply(5))
    (path,) = (tmp_path / secrets.KIND).glob("*.json")
    good = path.read_text()
    for text, why in ((good.replace("secret", "x"), "damaged"), ('{"secret":"00"}', "damaged")):
        path.chmod(0o600)
        path.write_text(text)
        with pytest.raises(BountyError, match=why):
            secrets.find_secrets(vault, made.key)
    path.write_text('{"secret":"%s"}' % ("01" * 32))
    with pytest.raises(BountyError, match="does not give its key"):
        secrets.find_secrets(vault, made.key)
