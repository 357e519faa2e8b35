# SPDX-License-Identifier: Apache-2.0
"""How fast event logs become rows: `python -m bench.logs`.

The same answer of `eth_getLogs` (sales: purchases and deliveries in turn) is decoded by web3's
`get_logs`, which stores nothing, and by the index, alone and together with storing the rows in
SQLite. Both begin with the bytes of the answer. Processor time of one core: of five
turns that run all three, the one whose ratio is the median.
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from eth_abi.abi import encode
from web3 import Web3
from web3.providers.base import BaseProvider

from bench.report import Report, median_pair
from truthmark.chain.abi import Event, load_artifact
from truthmark.chain.parameters import Parameter
from truthmark.config.profile import ChainProfile, ContractInfo
from truthmark.config.units import to_checksum_address
from truthmark.index.database import EventIndex, StoredBlock
from truthmark.index.decode import LogDecoder
from truthmark.index.schema import build_schema

STEPS, LOGS = 12, 5_000  # answers, and logs in each: what the follower's steps end with
OURS, THEIRS = STEPS * LOGS, 3_000  # web3 needs long enough with few
TURNS = 5
EVENTS = ("Purchased", "Delivered")
ADDRESS = to_checksum_address("0x" + "42" * 20)
PROFILE = ChainProfile(
    "bench", 1, contracts={"market": ContractInfo(ADDRESS, "DatasetMarket", "0x" + "00" * 32, 1)}
)


def main() -> int:
    """Measure, write the table, and return 1 if a figure does not hold."""
    report = Report("logs")
    many = [answer(LOGS, step * LOGS) for step in range(STEPS)]
    few = answer(THEIRS)
    decoder = LogDecoder(list(build_schema(PROFILE).events.values()))

    def decode() -> None:
        for raw in many:
            decoder.decode(orjson.loads(raw)["result"], 1, OURS)

    turns = [
        (
            OURS / processor_time(decode),
            OURS / processor_time(lambda: decode_and_store(many)),
            THEIRS / processor_time(lambda: by_web3(few)),
        )
        for _ in range(TURNS)
    ]
    name = "web3's get_logs"
    decoded, peer = median_pair([(own, peer) for own, _, peer in turns], float)
    report.add("decoded", decoded, "logs/s", peer=name, peer_value=peer)
    stored, peer = median_pair([(own, peer) for _, own, peer in turns], float)
    report.add("decoded and stored", stored, "logs/s", peer=name, peer_value=peer, at_least=20)
    return report.write()


def processor_time(work: Callable[[], object]) -> float:
    """Return what one run takes of a processor, in seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def answer(count: int, first: int = 0) -> bytes:
    """Return an answer of `eth_getLogs` as it comes from the wire."""
    chooser = random.Random(first)
    events = {event.name: event for event in load_artifact("DatasetMarket").events.values()}
    buyers = [chooser.randbytes(20) for _ in range(count // 5)]
    logs = [
        make_log(events[EVENTS[i % 2]], i, chooser, buyers) for i in range(first, first + count)
    ]
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": logs}).encode()


def make_log(
    event: Event, number: int, chooser: random.Random, buyers: list[bytes]
) -> dict[str, Any]:
    """Return a log with random values; some four a block."""
    topics = [event.topic]
    for part in event.topics:
        topics.append(encode([part.type], [value_of(part, chooser, buyers)]))
    data = encode(
        [part.type for part in event.data],
        [value_of(part, chooser, buyers) for part in event.data],
    )
    return {
        "address": ADDRESS.lower(),
        "topics": ["0x" + topic.hex() for topic in topics],
        "data": "0x" + data.hex(),
        "blockNumber": hex(1 + number // 4),
        "blockHash": f"0x{1 + number // 4:064x}",
        "blockTimestamp": hex(1_700_000_000 + number // 4),
        "transactionHash": "0x" + chooser.randbytes(32).hex(),
        "transactionIndex": hex(number % 4),
        "logIndex": hex(number % 4),
        "removed": False,
    }


def value_of(part: Parameter, chooser: random.Random, buyers: list[bytes]) -> Any:
    """Return a value such as the market emits: points and hashes are wide, sums and times not."""
    if part.components:
        return tuple(chooser.getrandbits(256) for _ in part.components)
    if part.type == "address":
        return chooser.choice(buyers)
    if part.type == "bytes32":
        return chooser.randbytes(32)
    wide = part.name in ("challenge", "response")
    return chooser.getrandbits(256 if wide else 40)


class OneAnswer(BaseProvider):
    """Gives web3 the same bytes for every question about logs."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self._raw = raw

    def make_request(self, method: Any, params: Any) -> Any:
        """Parse the answer as web3's HTTP provider does; it is of one event's logs only."""
        parsed = json.loads(self._raw)
        topic = params[0]["topics"][0]
        mine = [log for log in parsed["result"] if log["topics"][0] == topic]
        return {**parsed, "result": mine}


def by_web3(raw: bytes) -> int:
    """Decode with web3, as its documentation says; return how many logs there were."""
    artifacts = Path(__file__).parents[1] / "truthmark" / "chain" / "artifacts"
    abi = json.loads((artifacts / "DatasetMarket.json").read_text())["abi"]
    contract = Web3(OneAnswer(raw)).eth.contract(address=ADDRESS, abi=abi)
    found = 0
    for name in EVENTS:
        found += len(contract.events[name].get_logs(from_block=1))
    assert found == THEIRS
    return found


def decode_and_store(answers: list[bytes]) -> None:
    """Decode and keep in a fresh SQLite file, a transaction for each answer."""
    with tempfile.TemporaryDirectory() as folder:
        index = EventIndex(PROFILE, f"sqlite:///{folder}/index.sqlite")
        decoder = LogDecoder(list(index.schema.events.values()))
        for raw in answers:
            logs = decoder.decode(orjson.loads(raw)["result"], 1, OURS)
            blocks = [
                StoredBlock(number, hash_, logs.timestamps[number], has_logs=True)
                for number, hash_ in logs.hashes.items()
            ]
            assert index.append(index.tip(), logs, blocks, blocks[-1])
        assert sum(index.counts().values()) == OURS
        index.close()


if __name__ == "__main__":
    sys.exit(main())
