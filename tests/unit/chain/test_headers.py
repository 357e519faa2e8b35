# SPDX-License-Identifier: Apache-2.0
"""Headers are hashed here: a field that an endpoint makes up gives another hash."""

import os
import random
from typing import Any

import pytest
import rlp

from truthmark.chain.headers import Header
from truthmark.errors import MalformedReplyError
from truthmark.hashing import keccak256

EMPTY = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
# As anvil 1.x gives a block of the Prague fork.
ANVIL: dict[str, Any] = {
    "hash": "0x16a92df8809dfb7e256289a5dcadfed92d5ca0ae812c78aad58104dd54163215",
    "parentHash": "0x21e029b8e41ea282fa133acaed24b244263617cd9881545a49c0b08ca034e87b",
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "00" * 20,
    "stateRoot": "0x8c450873bc1c6e57d313debfdcaa9f8631ea0edefdd7d3caf1805bf13fe9e674",
    "transactionsRoot": EMPTY,
    "receiptsRoot": EMPTY,
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x0",
    "number": "0x5",
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x0",
    "timestamp": "0x6b0d70cc",
    "extraData": "0x",
    "mixHash": "0x0f50ab27bdd7fdabf6481392b9331de70764a71b4ed5250f17333b4746002bb5",
    "nonce": "0x0000000000000000",
    "baseFeePerGas": "0x22f06c09",
    "withdrawalsRoot": EMPTY,
    "blobGasUsed": "0x0",
    "excessBlobGas": "0x0",
    "parentBeaconBlockRoot": "0x" + "00" * 32,
    "requestsHash": "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "totalDifficulty": "0x0",
    "size": "0x267",
    "uncles": [],
    "transactions": [],
    "withdrawals": [],
}
NUMBERS = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"}
NUMBERS |= {"blobGasUsed", "excessBlobGas"}
HASHED = [name for name in ANVIL if name not in ("hash", "totalDifficulty", "size")][:-3]


def test_from_rpc__block_of_anvil__has_its_hash() -> None:
    header = Header.from_rpc(ANVIL)
    assert header.number == 5
    assert "0x" + header.mix_hash.hex() == ANVIL["mixHash"]


@pytest.mark.parametrize("name", HASHED)
def test_from_rpc__any_field_made_up__is_refused(name: str) -> None:
    changed = ANVIL[name][:-1] + ("1" if ANVIL[name][-1] != "1" else "2")
    changed = "0x11" if name == "extraData" else changed
    with pytest.raises(MalformedReplyError, match="do not make its hash"):
        Header.from_rpc({**ANVIL, name: changed})


@pytest.mark.parametrize("reply", [None, {}, [], {"hash": "0x"}, {**ANVIL, "mixHash": None}])
def test_from_rpc__no_block__is_refused(reply: object) -> None:
    with pytest.raises(MalformedReplyError):
        Header.from_rpc(reply)


@pytest.mark.parametrize("fields", [15, 16, 17, 19, 20, 21])
def test_from_rpc__headers_of_every_fork__hash_as_the_library_of_ethereum_says(fields: int) -> None:
    chance = random.Random(fields)
    values: dict[str, Any] = {}
    for name in HASHED[:fields]:
        sizes = {"miner": 20, "nonce": 8, "logsBloom": 256, "extraData": chance.randrange(33)}
        values[name] = os.urandom(sizes.get(name, 32))
        if name in NUMBERS:
            values[name] = chance.choice([0, 1, 127, 128, 255, 256, 2**40])
    digest = keccak256(rlp.encode(list(values.values())))
    shown = {n: hex(v) if isinstance(v, int) else "0x" + v.hex() for n, v in values.items()}
    assert Header.from_rpc({**shown, "hash": "0x" + digest.hex()}).hash == digest
