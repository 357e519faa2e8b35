# SPDX-License-Identifier: Apache-2.0
"""A relay's whole work on anvil: from the offer to sealed labels on chain."""

from pathlib import Path

import pytest

from tests.utils.devnets import net
from tests.utils.relay_chain import Served
from tests.utils.relays import KEYS, SIGNERS, join_request
from tests.utils.waiting import wait_for
from truthmark.bounty import labeler, messages, posting
from truthmark.bounty.client import BountyClient
from truthmark.bounty.payouts import Status
from truthmark.bounty.relay_models import Invitation, Invited, KeysRequest, code_hash
from truthmark.config.units import to_checksum_address
from truthmark.errors import RelayError
from truthmark.keys import typed
from truthmark.node.relay.role import RelayRole
from truthmark.node.status import Metrics, Notifier
from truthmark.testing.network import Devnet

__all__ = ["net"]

pytestmark = pytest.mark.chain


def test_relay__whole_bounty__is_enrolled_committed_and_posted(net: Devnet, tmp_path: Path) -> None:
    served = Served(net, tmp_path)
    relay, number = served.desk.client, served.number
    served.open()
    assert relay.document(number, served.terms) == served.papers.document
    for who in range(3):
        state = served.desk.join(who)
        assert (state.state, state.worker) == ("waiting", None)
    with pytest.raises(RelayError, match="all seats are taken"):
        served.desk.join(3)
    status = relay.status(number)
    assert (status.waiting, status.taken, status.is_full) == (3, 10, True)
    served.ticks()
    record = served.record()
    assert [(row.signer, row.seats) for row in record.roster.rows] == [
        (SIGNERS[0], 4),
        (SIGNERS[1], 4),
        (SIGNERS[2], 2),
    ]
    assert record.status is Status.DRAWN
    net.chain.rpc("anvil_mine", "0x4")
    served.tick_until(Status.LABEL)
    assert relay.join_state(number, SIGNERS[2]).worker == 2

    signed = [served.label(worker) for worker in range(3)]
    record = served.record()
    question = messages.item_keys(served.ref, served.terms.hash, record.seed, worker=1)
    asked = KeysRequest(worker=1, signature=typed.sign(question, KEYS[1]))
    keys = relay.keys(number, asked)
    items = relay.items(number, served.papers.document)
    assert {items.item(item, key).text for item, key in keys.items()} == {
        f"text {item}" for item in record.assignment.items_of(4, 4).tolist()
    }
    with pytest.raises(RelayError, match="not signed by the row's signer"):
        relay.keys(number, KeysRequest(worker=0, signature=asked.signature))

    assert served.commit(signed[0]).state == "waiting"
    file = signed[0].file(record)
    with pytest.raises(RelayError, match="not confirmed on chain yet"):
        relay.put_file(number, file)
    served.ticks()  # nobody hurries for one row
    assert served.commit(signed[0]).posts_by is not None
    for one in signed[1:]:
        served.commit(one)
    served.ticks()
    assert {w: c.commitment for w, c in served.record().commits.standing.items()} == {
        worker: one.commit.commitment for worker, one in enumerate(signed)
    }
    found = relay.commit_state(number, 1)
    assert found.state == "posted" and found.tx is not None
    for one in signed:
        relay.put_file(number, one.file(record))
    message = messages.acknowledged(
        served.ref, served.terms.hash, worker=1, commitment=signed[1].commit.commitment
    )
    relay.put_acknowledgement(number, 1, served.requester.session.signer.sign_typed(message))
    kept = relay.acknowledgement(number, 1) or b""
    assert labeler.is_acknowledged(record, signed[1].commit, kept)
    assert relay.file(served.ref, 2, signed[2].commit.commitment).run == signed[2].run
    assert [entry.is_acknowledged for entry in relay.files(number)] == [False, True, False]
    net.warp(3600 + 600 + 301)
    served.ticks()
    assert served.record().posted == {0, 2}


def test_relay__reorganisations__bring_every_row_once(net: Devnet, tmp_path: Path) -> None:
    served = Served(net, tmp_path)
    served.open()
    for who in range(3):
        served.desk.join(who)
    served.ticks(1)
    net.chain.rpc("anvil_rollback", 1)
    wait_for(lambda: served.ticks(1) or len(served.record().roster), "enrolling again")
    served.ticks(3)
    assert [row.signer for row in served.record().roster.rows] == SIGNERS[:3]
    net.chain.rpc("anvil_mine", "0x4")
    served.ticks()
    signed = [served.label(worker) for worker in range(3)]
    for one in signed:
        served.commit(one)
    served.ticks(1)
    net.chain.rpc("anvil_rollback", 1)
    wait_for(lambda: served.ticks(1) or served.record().commits.standing, "posting again")
    served.ticks(3)
    record = served.record()
    assert record.commits.standing == {one.commit.worker: one.commit for one in signed}
    assert sum(map(len, record.commits.calls)) == 3


def test_relay__leaves_one_out_or_comes_late__their_override_counts(
    net: Devnet, tmp_path: Path
) -> None:
    served = Served(net, tmp_path)
    served.begin()
    signed = [served.label(worker) for worker in range(3)]
    for one in signed[:2]:
        served.commit(one)
    net.warp(3601)
    with pytest.raises(RelayError, match="override it yourself"):
        served.ticks()
        served.commit(signed[2])
    record = served.record()
    shown = posting.override(record, signed[2].commit, signed[2].signature)
    BountyClient(net.session("stranger")).override(record, shown)
    served.ticks()
    assert served.desk.client.commit_state(served.number, 2).state == "overridden"
    assert set(served.record().commits.standing) == {2}


def test_relay__time_is_over__closes_with_enough_seats_and_sends_nothing_late(
    net: Devnet, tmp_path: Path
) -> None:
    served = Served(net, tmp_path)
    served.open()
    served.desk.join(0)
    net.warp(61)
    served.ticks()
    assert len(served.record().roster) == 1 and served.record().status is Status.OPEN
    net.warp(3540)
    served.ticks()
    assert served.record().status is Status.DRAWN
    assert served.desk.client.join_state(served.number, SIGNERS[0]).state == "enrolled"


def test_relay__invited_alone__closes_when_all_came_and_revokes_who_waits(
    net: Devnet, tmp_path: Path
) -> None:
    served = Served(net, tmp_path)
    desk = served.desk
    one, two = (Invitation(code_hash=code_hash(f"code-{n}-secret"), name=f"P{n}") for n in (1, 2))
    served.open(invitations=[one, two], invited=[Invited(account=SIGNERS[0], name="Ann")])
    desk.join(0)
    desk.join(1, code="code-1-secret")
    with pytest.raises(RelayError, match="used by another key"):
        desk.join(2, code="code-1-secret")
    with pytest.raises(RelayError, match="whom the requester invited"):
        desk.join(3)
    with pytest.raises(RelayError, match="not known here"):
        desk.join(3, code="code-9-secret")
    served.ticks()
    assert {(j.name, j.state) for j in desk.client.joined(served.number)} == {
        ("Ann", "waiting"),
        ("P1", "waiting"),
        ("P2", "invited"),
    }
    desk.offer(invitations=[two], invited=[Invited(account=SIGNERS[0], name="Ann")])
    state = desk.client.join_state(served.number, SIGNERS[1])
    assert (state.state, state.reason) == ("removed", "the requester took the invitation back")
    desk.join(1, code="code-2-secret")
    served.ticks()
    record = served.record()
    assert [row.signer for row in record.roster.rows] == SIGNERS[:2]
    assert record.status is Status.DRAWN
    assert {(j.name, j.state) for j in desk.client.joined(served.number)} == {
        ("Ann", "enrolled"),
        ("P2", "enrolled"),
    }


def gate_for(account: str) -> str:
    """Code of a gate that admits one account: whether the question's second word is theirs."""
    return f"0x73{account[2:]}6024351460005260206000f3"


def test_relay__gate__is_asked_at_the_door_and_before_enrolling(
    net: Devnet, tmp_path: Path
) -> None:
    gate = "0x" + "9a" * 20
    net.chain.rpc("anvil_setCode", gate, gate_for(SIGNERS[0]))
    served = Served(net, tmp_path, gate=gate, min_seats=2)
    served.open()
    with pytest.raises(RelayError, match="does not admit"):
        served.desk.join(1)
    served.desk.join(0)
    net.chain.rpc("anvil_setCode", gate, gate_for(SIGNERS[2]))
    served.desk.join(2)
    net.warp(130)
    served.ticks(3)
    assert [row.signer for row in served.record().roster.rows] == [SIGNERS[2]]
    state = served.desk.client.join_state(served.number, SIGNERS[0])
    assert (state.state, "gate" in state.reason) == ("removed", True)


def test_relay__gate_that_burns_all_gas_or_is_none__admits_nobody(
    net: Devnet, tmp_path: Path
) -> None:
    gate = "0x" + "9b" * 20
    served = Served(net, tmp_path, gate=gate)
    served.open()
    for code in ("0x5b600056", "0xfe", "0x", "0x60025f5260205ff3"):  # loops, fails, is none, says 2
        net.chain.rpc("anvil_setCode", gate, code)
        with pytest.raises(RelayError, match="does not admit"):
            served.desk.join(0)


def test_relay__signer_is_a_contract__signs_by_erc1271(net: Devnet, tmp_path: Path) -> None:
    served = Served(net, tmp_path)
    served.open()
    wallet = to_checksum_address("0x" + "c0" * 20)
    request = join_request(served.ref, served.terms, 0).model_copy(update={"signer": wallet})
    with pytest.raises(RelayError, match="not signed by its signer"):
        served.desk.client.join(served.number, request)
    # Says yes to everything: returns 0x1626ba7e and zeros.
    net.chain.rpc("anvil_setCode", wallet, "0x631626ba7e60e01b5f5260205ff3")
    assert served.desk.client.join(served.number, request).state == "waiting"
    net.chain.rpc("anvil_setCode", wallet, "0x631626ba7f60e01b5f5260205ff3")
    with pytest.raises(RelayError, match="not signed by its signer"):
        served.desk.client.join(served.number, request.model_copy(update={"payee": wallet}))


def test_relay__dry_run__fixes_and_sends_nothing(net: Devnet, tmp_path: Path) -> None:
    served = Served(net, tmp_path)
    served.open()
    for who in range(3):
        served.desk.join(who)
    relay = served.relay
    role = RelayRole(
        relay, gas_reserve=2**100, metrics=Metrics(), notifier=Notifier(), dry_run=True
    )
    for _ in range(2):
        role.tick()
    assert relay.store.open_batches(served.number, "enroll") == []
    assert len(served.record().roster) == 0
    assert role.health() == {"bounties": 1, "waiting": 0}
    assert role.notifier.is_open("low-gas", "relay")
