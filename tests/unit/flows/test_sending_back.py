# SPDX-License-Identifier: Apache-2.0
"""What is left goes to its owner's wallet: what contracts hold first, the coins for gas last."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.utils.offline_market import address
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
        self.journal = SimpleNamespace(send=self.send_coins)

    def held(self, token: str) -> int:
        return self.tokens[token]

    def call(self, method: str, *params: Any) -> str:
        return "0x1"

    def parsed(self, method: str, params: Any, decode: Any) -> int:
        return {"eth_estimateGas": 21_000, "eth_gasPrice": 2}[method]

    def token(self, token: str) -> Any:
        return SimpleNamespace(functions=SimpleNamespace(transfer=lambda to, n: (token, to, n)))

    def send_repeatable(self, call: Any, purpose: str, *, pays: bool) -> None:
        token, to, units = call
        assert pays and to == WALLET
        self.tokens[token] -= units
        self.sent.append(f"{units} tokens")

    def send_coins(self, intent: Any) -> None:
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
