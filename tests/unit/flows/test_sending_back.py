# SPDX-License-Identifier: Apache-2.0
"""What is left goes to its owner's wallet: what contracts hold first, the coins for gas last."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.utils.offline_market import address
from truthmark.chain.abi import load_artifact
from truthmark.chain.transactions import Intent
from truthmark.flows import sending_back
from truthmark.flows.sending_back import Held, coins_to_send, held_by, send_back

ACCOUNT, WALLET, DOLLAR, OTHER = address(0xA1), address(0x3A), address(0xD0), address(0xD1)


class Session:
    """An account whose tokens are numbers."""

    def __init__(self) -> None:
        self.address = ACCOUNT
        self.owed = {DOLLAR: 30, OTHER: 0}
        self.tokens = {DOLLAR: 5, OTHER: 0}
        self.wei = 1_000_000
        self.sent: list[str] = []
        listed = tuple(SimpleNamespace(address=token) for token in self.tokens)
        self.profile = SimpleNamespace(tokens=listed, amount=lambda n, t: n, native=lambda n: n)
        self.chain = SimpleNamespace(rpc=self, balance=lambda account: self.wei)
        self.prices = {"": 2}
        self.journal = self
        self.begun: list[Intent] = []
        self.refused: set[str] = set()
        self.done: dict[str, Any] = {}

    def held(self, token: str) -> int:
        return self.tokens[token]

    def call(self, method: str, *params: Any, endpoint: str = "") -> str:
        return {"eth_gasPrice": hex(self.prices[endpoint])}.get(method, "0x1")

    def others(self) -> list[str]:
        return [endpoint for endpoint in self.prices if endpoint]

    def parsed(self, method: str, params: Any, decode: Any) -> int:
        return {"eth_estimateGas": 21_000, "eth_gasPrice": self.prices[""]}[method]

    def pending(self) -> list[Intent]:
        return list(self.begun)

    def resume(self) -> None:
        for intent in self.begun:
            is_done = intent.key not in self.refused
            self.done[intent.key] = SimpleNamespace(succeeded=is_done)
            self.wei -= intent.value if is_done else 0
        self.begun.clear()

    def result(self, key: str) -> Any:
        return self.done.get(key)

    def token(self, token: str) -> Any:
        return SimpleNamespace(functions=SimpleNamespace(transfer=lambda to, n: (token, to, n)))

    def send_repeatable(self, call: Any, purpose: str, *, pays: bool) -> None:
        token, to, units = call
        assert pays and to == WALLET
        self.tokens[token] -= units
        self.sent.append(f"{units} tokens")

    def send(self, intent: Any) -> None:
        assert not self.begun, "the journal takes no other amount under the same name"
        assert (intent.to, intent.data) == (WALLET, b"")
        self.sent.append(f"{intent.value} wei")


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    made = Session()

    class Settlement:
        def __init__(self, session: Any) -> None:
            assert session is made

        def credits(self, token: str, account: str) -> dict[str, int]:
            return {"bounty_board": made.owed[token]} if made.owed[token] else {}

        def withdraw(self, token: str, account: str) -> None:
            assert account == ACCOUNT
            made.tokens[token] += made.owed[token]
            made.owed[token] = 0
            made.sent.append("drawn")

    monkeypatch.setattr(sending_back, "Settlement", Settlement)
    return made


def test_send_back__credit_tokens_and_coins__are_drawn_sent_and_last_the_coins(
    session: Any,
) -> None:
    assert held_by(session) == [Held(DOLLAR, 5, 30)]
    assert send_back(session, WALLET.lower(), [DOLLAR], coins=True) == {DOLLAR: 35, "": 874_000}
    assert session.sent == ["drawn", "35 tokens", "874000 wei"]


def test_send_back__again__sends_only_what_has_come_since(session: Any) -> None:
    assert send_back(session, WALLET, [DOLLAR, OTHER]) == {DOLLAR: 35}
    session.owed[OTHER] = 2
    assert send_back(session, WALLET, [DOLLAR, OTHER]) == {OTHER: 2}


def test_coins_to_send__less_than_their_gas__are_none(session: Any) -> None:
    session.wei = 100_000
    assert coins_to_send(session, WALLET) == 0
    assert send_back(session, WALLET, [], coins=True) == {}


def test_send_back__coins_still_on_their_way__waits_for_them_and_tells_of_them(
    session: Any,
) -> None:
    session.begun.append(Intent(f"send-coins:{WALLET}:1", WALLET, b"", 874_000))
    assert send_back(session, WALLET, [], coins=True) == {"": 874_000}
    assert session.sent == []  # of what is left all may be spent for gas
    session.begun.append(Intent(f"send-coins:{OTHER}:2", OTHER, b"", 0))
    session.wei = 200_000
    assert send_back(session, WALLET, [], coins=True) == {"": 74_000}


def test_send_back__tokens_still_on_their_way__are_told_of_unless_refused(session: Any) -> None:
    (transfer,) = load_artifact("ProtocolToken").functions["transfer"]
    for key, to, units in (("a", WALLET, 7), ("b", WALLET, 9), ("c", OTHER, 11)):
        session.begun.append(Intent(key, DOLLAR, transfer.encode([to, units])))
    session.refused.add("b")
    assert send_back(session, WALLET, [DOLLAR]) == {DOLLAR: 7 + 35}


def test_coins_to_send__one_endpoint_names_a_high_price__takes_the_other_ones(
    session: Any,
) -> None:
    session.prices = {"": 10**9, "other": 2}
    assert coins_to_send(session, WALLET) == 874_000
