# SPDX-License-Identifier: Apache-2.0
"""What a relay refuses of labelers: commits, files and deposits that are not theirs."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.utils.relays import (
    KEYS,
    OWNER,
    OWNER_KEY,
    PAYEES,
    SIGNERS,
    PaperDesk,
    join_request,
    refused,
)
from truthmark.bounty import messages
from truthmark.bounty.commits import Commit
from truthmark.bounty.payouts import Status
from truthmark.bounty.relay_models import (
    CommitRequest,
    DepositRequest,
    KeysRequest,
)
from truthmark.errors import (
    BountyError,
    RelayUnavailableError,
)
from truthmark.keys import typed


@pytest.fixture
def labeling(desk: PaperDesk) -> PaperDesk:
    desk.show(Status.LABEL, workers=3)
    return desk


def test_commit__forged_second_or_not_theirs__is_refused(labeling: PaperDesk) -> None:
    desk, client = labeling, labeling.client
    good = desk.sign_commit(0, b"\x01" * 32)
    for change, status, says in (
        ({"worker": 1}, 403, "not signed by the row's signer"),
        ({"commitment": b"\x02" * 32}, 403, "not signed by the row's signer"),
        ({"seats": 5}, 400, "has 4 seats"),
        ({"commitment": bytes(32)}, 400, "not zero"),
        ({"worker": 3}, 404, "no worker 3"),
    ):
        with refused(status, says):
            client.commit(7, good.model_copy(update=change))
    assert client.commit(7, good).state == "waiting"
    assert client.commit(7, good).posts_by == 1_060
    with refused(409, "the first one counts"):
        client.commit(7, desk.sign_commit(0, b"\x03" * 32))
    with refused(404, "has not committed"):
        client.commit_state(7, 2)
    assert client.status(7).uncommitted == 1


def test_commit__not_begun_unsettled_or_late__is_refused(desk: PaperDesk) -> None:
    good = desk.sign_commit(0, b"\x01" * 32)
    with refused(409, "labeling has not begun"):
        desk.client.commit(7, good)
    desk.show(Status.LABEL, workers=3, is_final=False)
    with pytest.raises(RelayUnavailableError, match="not confirmed on chain yet"):
        desk.client.commit(7, good)
    desk.show(Status.LABEL, workers=3)
    desk.views.block.timestamp = 1_000 + 3_600 - 9
    with refused(409, "override it yourself"):
        desk.client.commit(7, good)
    desk.show(Status.SCORED, workers=3)
    with refused(409, "labeling is over"):
        desk.client.commit(7, good)


def test_commit_state__on_chain__says_what_stands(labeling: PaperDesk) -> None:
    desk = labeling
    for worker in range(2):
        desk.client.commit(7, desk.sign_commit(worker, bytes([worker + 1]) * 32))
    mine, other = Commit(0, 4, b"\x01" * 32), Commit(1, 4, b"\x66" * 32)
    desk.show(Status.LABEL, workers=3, commits=[[mine], [other]])
    states = [desk.client.commit_state(7, worker) for worker in range(2)]
    assert [state.state for state in states] == ["posted", "differs"]
    assert [state.block for state in states] == [0, 1]
    override = Commit(1, 4, b"\x02" * 32)
    desk.show(Status.LABEL, workers=3, commits=[[mine], [other]], overrides=[override])
    assert desk.client.commit_state(7, 1).state == "overridden"
    assert desk.client.commits(7).calls == [[mine.pack()], [other.pack()]]


def test_keys__another_account__gets_none(labeling: PaperDesk) -> None:
    desk = labeling
    message = messages.item_keys(desk.ref, desk.terms.hash, b"\x5d" * 32, worker=1)
    signature = typed.sign(message, KEYS[1])
    keys = desk.client.keys(7, KeysRequest(worker=1, signature=signature))
    record = desk.views.views[7].record
    assert set(keys) == set(record.assignment.items_of(4, 4).tolist())
    items = desk.client.items(7, desk.papers.document)
    assert all(items.item(n, key).text == f"text {n}" for n, key in keys.items())
    for worker, key in ((0, KEYS[1]), (1, KEYS[0]), (2, OWNER_KEY)):
        with refused(403, "not signed by the row's signer"):
            said = typed.sign(message, key)
            desk.client.keys(7, KeysRequest(worker=worker, signature=said))
    desk.offer(items_secret=None)
    with refused(404, "need no keys"):
        desk.client.keys(7, KeysRequest(worker=1, signature=signature))


def test_keys__reader_named_at_joining__gets_those_of_their_signer_alone(desk: PaperDesk) -> None:
    first = join_request(desk.ref, desk.terms, 0)
    desk.client.join(7, first.model_copy(update={"reader": OWNER}))
    # Who repeats somebody's wish names no other reader for them.
    desk.client.join(7, first.model_copy(update={"reader": SIGNERS[2]}))
    desk.client.join(7, join_request(desk.ref, desk.terms, 1))
    desk.show(Status.LABEL, workers=3)
    for worker, key, is_given in (
        (0, OWNER_KEY, True),
        (0, KEYS[0], True),
        (0, KEYS[2], False),
        (1, OWNER_KEY, False),
    ):
        message = messages.item_keys(desk.ref, desk.terms.hash, b"\x5d" * 32, worker=worker)
        request = KeysRequest(worker=worker, signature=typed.sign(message, key))
        if is_given:
            assert desk.client.keys(7, request)
            continue
        with refused(403, "not signed by the row's signer"):
            desk.client.keys(7, request)


def committed(desk: PaperDesk, *workers: int) -> list[Any]:
    files = [desk.sealed(worker) for worker in workers]
    rows = [Commit(file.worker, file.seats, file.run.commitment) for file in files]
    desk.show(Status.LABEL, workers=3, commits=[rows])
    return files


def test_put_file__not_what_was_committed__is_refused(labeling: PaperDesk) -> None:
    desk, client = labeling, labeling.client
    early = desk.sealed(0)
    with refused(409, "not confirmed on chain yet"):
        client.put_file(7, early)
    files = committed(desk, 0, 1)
    url = f"{client.url}/v1/bounties/7/files"
    for body, says in (
        (b"", "no label file"),
        (b"TMKL\x01" + bytes(200), "holds no point"),
        (files[0].to_bytes()[:-3], "cut off"),
        (files[1].to_bytes(), "another bounty or worker"),
        (replace(files[0], ref=replace(desk.ref, bounty_id=8)).to_bytes(), "another bounty"),
    ):
        reply = httpx.put(f"{url}/0", content=body)
        assert reply.status_code == 400
        assert says in reply.json()["error"]
    assert httpx.put(f"{url}/0", content=bytes(6 << 20)).status_code == 413
    other = desk.sealed(0, seats=3)
    with refused(409, "not what the worker committed to"):
        client.put_file(7, other)
    client.put_file(7, files[0])
    client.put_file(7, replace(files[0], notes=b"garbage"))  # somebody copied it
    assert client.file(desk.ref, 0, files[0].run.commitment).notes == b""
    assert [(entry.worker, entry.is_acknowledged) for entry in client.files(7)] == [(0, False)]
    with pytest.raises(BountyError, match="not what they committed to"):
        client.file(desk.ref, 0, bytes(32))
    with refused(404, "file of worker 1 is not here"):
        client.file(desk.ref, 1, files[1].run.commitment)


def test_put_acknowledgement__not_the_receiver__is_refused(labeling: PaperDesk) -> None:
    desk, client = labeling, labeling.client
    (file,) = committed(desk, 0)
    message = messages.acknowledged(
        desk.ref, desk.terms.hash, worker=0, commitment=file.run.commitment
    )
    with refused(403, "not signed by the receiver"):
        client.put_acknowledgement(7, 0, typed.sign(message, KEYS[0]))
    with refused(409, "no confirmed commit"):
        client.put_acknowledgement(7, 1, typed.sign(message, OWNER_KEY))
    assert client.acknowledgement(7, 0) is None
    client.put_acknowledgement(7, 0, typed.sign(message, OWNER_KEY))
    assert client.acknowledgement(7, 0) == typed.sign(message, OWNER_KEY)
    assert client.status(7).acknowledged == 1


# ------------------------------------------------------------------------------ deposits


def deposit(desk: PaperDesk, worker: int, **fixed: Any) -> DepositRequest:
    file = desk.sealed(worker)
    said: CommitRequest = desk.sign_commit(worker, file.run.commitment)
    given = {
        "seats": said.seats,
        "commitment": said.commitment,
        "signature": said.signature,
        "file": base64.b64encode(file.to_bytes()),
    }
    return DepositRequest(**(given | fixed))


def test_deposit__party_or_no_watch_node__takes_none(desk: PaperDesk, tmp_path: Path) -> None:
    desk.show(Status.LABEL, workers=3)
    with refused(403, "takes no deposits"):
        desk.client.deposit(7, 0, deposit(desk, 0))
    gold = {"gold_count": 20, "gold_commitment": b"\x01" * 32}
    party = PaperDesk(tmp_path / "party", policy={"watches": True}, **gold)
    party.show(Status.LABEL, workers=3)
    with refused(403, "party of the bounty"):
        party.client.deposit(7, 0, deposit(party, 0))


def test_deposit__of_any_bounty__is_kept_and_gains_a_secret_later(tmp_path: Path) -> None:
    desk = PaperDesk(tmp_path, policy={"watches": True, "relays": False}, relay=PAYEES[0])
    desk.show(Status.LABEL, workers=3)
    client = desk.client
    with refused(403, "does not relay"):
        desk.offer()
    good = deposit(desk, 0)
    with refused(403, "not signed by the row's signer"):
        client.deposit(7, 1, good)
    with refused(400, "does not belong to the commit"):
        client.deposit(7, 0, good.model_copy(update={"file": desk.sealed(1).to_bytes()}))
    with refused(404, "left nothing here"):
        client.deposit_state(7, 0)
    assert not client.deposit(7, 0, good).has_secret
    desk.show(Status.SCORED, workers=3)
    again = good.model_copy(update={"sealed_secret": b"\x01" * 80})
    assert client.deposit(7, 0, again).has_secret
    assert client.deposit_state(7, 0).state == "kept"
    (kept,) = desk.relay.store.deposits(7, desk.seed)
    assert (kept.sealed_secret, kept.file) == (b"\x01" * 80, desk.sealed(0).to_bytes())
    assert desk.relay.store.deposited() == [7]


def test_deposit__chain_turned_and_drew_another_seed__is_taken_beside(tmp_path: Path) -> None:
    desk = PaperDesk(tmp_path, policy={"watches": True, "relays": False}, relay=PAYEES[0])
    desk.show(Status.LABEL, workers=3)
    first = deposit(desk, 0)
    desk.client.deposit(7, 0, first)
    desk.seed = b"\x5e" * 32
    desk.show(Status.LABEL, workers=3)
    with refused(404, "left nothing here"):
        desk.client.deposit_state(7, 0)
    with refused(403, "not signed by the row's signer"):
        desk.client.deposit(7, 0, first)
    second = deposit(desk, 0)
    assert desk.client.deposit(7, 0, second).commitment == second.commitment != first.commitment
    (kept,) = desk.relay.store.deposits(7, desk.seed)
    assert kept.signature == second.signature
