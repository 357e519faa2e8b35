# SPDX-License-Identifier: Apache-2.0
"""A proof that a label page saved is sent by anyone; nothing else can be made of such a file."""

import json
import random
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.bounty.test_lies import entry_lies, first_lie
from tests.utils.bounties import REF, make_case
from tests.utils.offline_market import address
from truthmark.bounty.client import PROVE, BountyClient
from truthmark.bounty.flows import sending
from truthmark.bounty.lies import find_lies
from truthmark.bounty.payouts import Status
from truthmark.chain.abi import load_artifact
from truthmark.chain.contracts import Call, Contract
from truthmark.errors import BountyError, RevertedError


class Offline(BountyClient):
    """Has the contracts, and a chain that takes or refuses."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.calls: list[Call] = []
        self.case = make_case(random.Random(4))
        self.record, worker = first_lie(self.case, entry_lies, "class", random.Random(4))
        (lie,) = find_lies(self.record, self.case.knowledge(worker))
        number, terms = REF.bounty_id, self.record.terms.to_struct()
        call = getattr(self.proofs.functions, PROVE[lie.kind])(number, terms, **lie.evidence)
        self.file: dict[str, Any] = {
            "format": "truthmark/proof/1",
            "chain_id": REF.chain_id,
            "board": REF.board,
            "bounty": number,
            "to": address(9),
            "data": "0x" + call.data.hex(),
        }

    def parsed(self, method: str, params: Any, decode: Any) -> Any:
        assert method == "eth_call"
        if self.refuses:
            raise RevertedError("proofs: the entry is true")
        return None

    @property
    def proofs(self) -> Contract:
        return Contract(self, "bounty_proofs", address(0xF0), load_artifact("BountyProofs"))  # type: ignore[arg-type]

    def ref(self, bounty_id: int) -> Any:
        return REF

    def read(self, bounty_id: int, *, final: bool = False) -> Any:
        return self.record

    def send_proof(self, bounty_id: int, call: Call) -> None:
        self.calls.append(call)


def send(client: Offline, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Any:
    monkeypatch.setattr(sending, "BountyClient", lambda _: client)
    session: Any = SimpleNamespace(address=address(5))
    return sending.send_proof(session, json.dumps(client.file | changes).encode())


def test_send_proof__of_a_page__is_the_same_call_of_this_networks_contract(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Offline()
    assert send(client, monkeypatch) is client.record
    (call,) = client.calls
    # Not where the file says, but where the profile does.
    assert call.contract.address == address(0xF0)
    assert "0x" + call.data.hex() == client.file["data"]


def test_send_proof__proves_nothing_any_more__sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Offline(refuses=True)
    with pytest.raises(BountyError, match=r"the entry is true.*nothing was sent"):
        send(client, monkeypatch)
    client = Offline()
    client.record = client.case.record
    assert client.record.status is Status.LABEL
    with pytest.raises(BountyError, match="no score that can be disproved"):
        send(client, monkeypatch)
    assert client.calls == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": "truthmark/sitting/1"}, "no proof"),
        ({"chain_id": 1}, "another network"),
        ({"board": address(8)}, "another network"),
        ({"board": None}, "no proof"),
        ({"bounty": 8}, "no proof"),
        ({"bounty": float(REF.bounty_id)}, "no proof"),
        ({"chain_id": float(REF.chain_id)}, "no proof"),
        ({"data": "0x" + "00" * 100}, "no proof"),
        ({"data": "0xzz"}, "no proof"),
        ({"data": 7}, "no proof"),
        ({"data": "0x" + "00" * 200_000}, "no proof"),
    ],
)
def test_send_proof__anything_else__is_refused(
    changes: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Offline()
    with pytest.raises(BountyError, match=says):
        send(client, monkeypatch, **changes)
    assert client.calls == []


def test_send_proof__calldata_cut_off_or_of_another_contract__is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Offline()
    board = load_artifact("BountyBoard")
    (taking,) = board.functions["withdraw"]
    for data in (
        client.file["data"][:-200],
        "0x" + taking.encode([address(1), address(2), 0]).hex(),
    ):
        with pytest.raises(BountyError, match="no proof"):
            send(client, monkeypatch, data=data)
    with pytest.raises(BountyError, match="no proof"):
        sending.send_proof(SimpleNamespace(), b"[]")  # type: ignore[arg-type]
