# SPDX-License-Identifier: Apache-2.0
"""Mutated answers of a chain endpoint: an error in one line, never a crash.

(An answer that is changed into another well-formed one is a lie, which no client can tell from
the truth by looking at it; where it matters, nodes ask two endpoints.)
"""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.utils.indexing import trade
from tests.utils.token_chain import recipient, token_chain
from truthmark.chain.connection import Chain, connect_chain
from truthmark.chain.http import Endpoint
from truthmark.chain.rpc import RpcClient
from truthmark.errors import TruthmarkError
from truthmark.index.follower import Follower

MUTANTS = 2_000
ODD = [
    *(None, True, False, 0, -1, 2**64, 1.5, "", "0x", "0xzz", "0x-1", "x", [], {}, [[]]),
    *("0x" + "f" * 63, "0x" + "f" * 64, "0x" + "f" * 65, "\0", "a\nb", "9" * 5000),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    entries: Any = value.items() if isinstance(value, dict) else ()
    entries = enumerate(value) if isinstance(value, list) else entries
    for key, entry in entries:
        found += places(entry, (*path, key))
    return found


def replace_at(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replace_at(copy[path[0]], path[1:], change)
    return copy


def mutate_value(value: Any, chooser: random.Random) -> Any:
    kind = chooser.randrange(4)
    if kind == 0 and isinstance(value, str) and len(value) > 3:  # another digit or length
        at = chooser.randrange(2, len(value))
        return value[:at] + chooser.choice(["", "0", "f", "00", "g"]) + value[at + 1 :]
    if kind == 1 and isinstance(value, list) and value:
        return chooser.choice([value[1:], value * 2, value[::-1], [*value, None]])
    if kind == 2 and isinstance(value, dict) and value:
        gone = chooser.choice(list(value))
        return {key: entry for key, entry in value.items() if key != gone}
    return chooser.choice(ODD)


def mutate(reply: bytes, chooser: random.Random) -> bytes:
    if chooser.random() < 0.2:  # bytes
        raw = bytearray(reply)
        for _ in range(chooser.randrange(1, 4)):
            raw[chooser.randrange(len(raw))] = chooser.randrange(256)
        return bytes(raw[: chooser.randrange(len(raw))] if chooser.random() < 0.3 else raw)
    parsed = json.loads(reply)
    path = chooser.choice(places(parsed))
    return json.dumps(replace_at(parsed, path, lambda value: mutate_value(value, chooser))).encode()


class Recorded:
    """A chain's answers by question, given again without the chain."""

    def __init__(self, real: Callable[[Endpoint, bytes], bytes]) -> None:
        self.real = real
        self.known: dict[str, Any] = {}
        self.chooser: random.Random | None = None
        self.countdown = 0

    def post(self, endpoint: Endpoint, body: bytes) -> bytes:
        request = json.loads(body)
        single = isinstance(request, dict)
        requests = [request] if single else request
        names = [json.dumps([entry["method"], entry["params"]]) for entry in requests]
        if self.chooser is None:
            answer = json.loads(self.real(endpoint, body))
            answers = sorted([answer] if single else answer, key=lambda entry: entry["id"])
            self.known |= dict(zip(names, answers, strict=True))
        # A wrong answer may lead to a question that was never asked.
        unknown = {"error": {"code": -32000, "message": "unknown"}}
        replies = [
            {**self.known.get(name, unknown), "id": entry["id"]}
            for name, entry in zip(names, requests, strict=True)
        ]
        reply = json.dumps(replies[0] if single else replies).encode()
        self.countdown -= 1
        if self.chooser is not None and self.countdown == 0:
            return mutate(reply, self.chooser)
        return reply


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("replies")
    recording = Recorded(Endpoint.post)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Endpoint, "post", lambda self, body: recording.post(self, body))
        with token_chain(folder) as (_, chain):
            trade(chain, random.Random(5), 12)
            profile = chain.profile
            use(connect_chain(profile))
            Follower(chain, "sqlite://").sync()
        yield recording, profile


def use(chain: Chain) -> None:
    """Ask all kinds of questions."""
    functions = chain.token.functions
    chain.genesis  # noqa: B018 - asks the chain
    chain.time()
    chain.final_block()
    functions.symbol().call()
    chain.batch([functions.balanceOf(recipient(1)), functions.decimals()])
    chain.try_batch([functions.totalSupply()])
    chain.balance(recipient(0))


def test_chain_and_index__mutated_answers__end_in_one_line(
    recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, profile = recorded
    # Between attempts a client waits for an endpoint to recover; this one never was ill.
    monkeypatch.setattr(RpcClient, "_pause", lambda *_: 0.0)
    recording.chooser = chooser = random.Random(7)
    follower = Follower(connect_chain(profile), "sqlite://")
    refused = 0
    for _ in range(MUTANTS):
        follower.index.roll_back(follower.index.tip(), None)
        recording.countdown = chooser.randrange(1, 16)
        try:
            chain = connect_chain(profile)
            chain.rpc._attempts = 1
            follower.chain = chain
            follower.sync()
            use(chain)
        except TruthmarkError as error:
            refused += 1
            assert "\n" not in str(error) and 10 < len(str(error)) < 600, error
    assert refused > MUTANTS // 3
