# SPDX-License-Identifier: Apache-2.0
import multiprocessing
import random
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.utils.anvil import send_as_wallet
from tests.utils.indexing import HUGE, content, rebuild, trade
from tests.utils.rpc_server import Proxy, serve
from tests.utils.token_chain import EARLIER, account, deploy_token, recipient
from truthmark.chain.connection import Chain, connect_chain
from truthmark.config.profile import ChainProfile
from truthmark.errors import ChainError, ChainUnavailableError, ConfigError, NodeError
from truthmark.index import database as database_module
from truthmark.index import follower as follower_module
from truthmark.index.database import EventIndex, default_index_url
from truthmark.index.export import export_parquet
from truthmark.index.follower import Follower
from truthmark.index.sql import Kind, from_database
from truthmark.testing.anvil import AnvilProcess, start_anvil

OWNER = account(0).address


@pytest.fixture(params=[128, 2], ids=["near", "far"])
def near(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks behind the head within which every header is checked."""
    monkeypatch.setattr(follower_module, "NEAR_BLOCKS", request.param)
    monkeypatch.setattr(follower_module, "_LOCAL_BLOCKS", 0)
    return int(request.param)


def test_sync__events__are_all_there_once(
    process: AnvilProcess, chain: Chain, url: str, near: int
) -> None:
    trade(chain, random.Random(1), 30)
    seen: list[tuple[int, int]] = []
    result = Follower(chain, url).sync(progress=lambda done, total: seen.append((done, total)))
    index = EventIndex(chain.profile, url)
    assert result.tip.number == chain.height()
    assert result.logs == sum(index.counts().values()) > 30
    assert seen[0][0] == 0 and seen[-1][0] == seen[-1][1]
    again = Follower(chain, url).sync()
    assert (again.logs, again.rolled_back_to) == (0, None)
    logs = chain.rpc.call("eth_getLogs", {"fromBlock": "0x0", "address": chain.token.address})
    decoded = chain.token.logs(logs)
    for name in ("Transfer", "Approval"):
        plain = [log.args for log in decoded if log.event == name]
        assert [row.args for row in index.events("token", name)] == plain


def test_sync__up_to_a_block__stops_there(process: AnvilProcess, chain: Chain, url: str) -> None:
    trade(chain, random.Random(1), 10)
    follower = Follower(chain, url)
    assert follower.sync(to=5).tip.number == 5
    assert max(row.block_number for row in follower.index.events("token", "Transfer")) <= 5
    follower.sync()
    assert content(follower.index)["tip"][0][0] == chain.height()


@pytest.mark.parametrize("how", ["anvil_reorg", "anvil_rollback"])
@pytest.mark.parametrize("depth", [1, 3, 12, 64])
@pytest.mark.untraced
def test_sync__reorganisation__index_equals_a_rebuild(
    process: AnvilProcess, chain: Chain, url: str, tmp_path: Path, depth: int, how: str, near: int
) -> None:
    trade(chain, random.Random(depth), depth + 8)
    follower = Follower(chain, url)
    follower.sync()
    height = chain.height()
    before = content(follower.index)
    process.rpc(how, depth, *([[]] if how == "anvil_reorg" else []))
    result = follower.sync()
    assert result.rolled_back_to is not None and result.rolled_back_to <= height - depth
    assert content(follower.index) == rebuild(chain, tmp_path) != before
    trade(chain, random.Random(-depth), depth + 3)
    follower.sync()
    assert content(follower.index) == rebuild(chain, tmp_path)


def test_sync__local_chain_started_again__index_equals_a_rebuild(
    process: AnvilProcess, chain: Chain, url: str, tmp_path: Path
) -> None:
    trade(chain, random.Random(1), 10)
    Follower(chain, url).sync()
    (tmp_path / "new").mkdir()
    with start_anvil(extra=EARLIER) as new_process:
        new = connect_chain(deploy_token(new_process.url, tmp_path / "new"))
        assert new.profile.contracts == chain.profile.contracts
        follower = Follower(new, url)
        assert follower.sync().rolled_back_to == 0
        assert content(follower.index) == rebuild(new, tmp_path)


def follow(profile: ChainProfile, url: str) -> None:
    Follower(connect_chain(profile), url).sync()


@pytest.mark.untraced
def test_sync__several_processes_and_readers__index_equals_a_rebuild(
    process: AnvilProcess, chain: Chain, url: str, tmp_path: Path
) -> None:
    trade(chain, random.Random(1), 150)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=follow, args=(chain.profile, url)) for _ in range(3)]
    for worker in workers:
        worker.start()
    index = EventIndex(chain.profile, url)
    while any(worker.is_alive() for worker in workers):
        rows = content(index)  # whole at every moment
        heights = {row[0] for row in rows["blocks"]}
        assert {row[0] for row in rows["token_transfer"]} <= heights
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert content(index) == rebuild(chain, tmp_path)


def blocks_asked(request: dict[str, Any]) -> int:
    query = request["params"][0]
    if "blockHash" in query:
        return 1
    return int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1


@pytest.mark.parametrize("at_once", [1, 7])
@pytest.mark.untraced
def test_sync__node_takes_short_ranges_only__range_adapts(
    process: AnvilProcess, chain: Chain, url: str, tmp_path: Path, near: int, at_once: int
) -> None:
    class Limited(Proxy):
        def early(self, request: dict[str, Any]) -> dict[str, Any] | None:
            if request["method"] == "eth_getLogs" and blocks_asked(request) > at_once:
                return {"error": {"code": -32005, "message": "query returned too much"}}
            return None

    trade(chain, random.Random(1), 30)
    with serve(Limited(process.url)) as server:
        limited = connect_chain(replace(chain.profile, rpc=(server.url,)))
        follower = Follower(limited, url)
        follower.sync()
    assert content(follower.index) == rebuild(chain, tmp_path)


def test_sync__node_refuses_even_one_block__says_so(
    process: AnvilProcess, chain: Chain, url: str
) -> None:
    class Refusing(Proxy):
        def early(self, request: dict[str, Any]) -> dict[str, Any] | None:
            if request["method"] == "eth_getLogs":
                return {"error": {"code": -32000, "message": "logs are not kept"}}
            return None

    with serve(Refusing(process.url)) as server:
        refusing = connect_chain(replace(chain.profile, rpc=(server.url,)))
        with pytest.raises(NodeError, match="logs are not kept"):
            Follower(refusing, url).sync()


@pytest.mark.parametrize("times", [3, 10**6])
@pytest.mark.untraced
def test_sync__node_leaves_out_logs_near_the_head__is_noticed(
    process: AnvilProcess, chain: Chain, url: str, tmp_path: Path, times: int
) -> None:
    class Lagging(Proxy):
        left = times

        def late(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
            # Answers as a node does that has not seen the last blocks yet.
            ranged = request["method"] == "eth_getLogs" and "toBlock" in request["params"][0]
            if ranged and self.left:
                self.left -= 1
                answer["result"] = answer["result"][: len(answer["result"]) // 2]

    trade(chain, random.Random(1), 20)
    with serve(Lagging(process.url)) as server:
        follower = Follower(connect_chain(replace(chain.profile, rpc=(server.url,))), url)
        follower.sync()
        assert content(follower.index) == rebuild(chain, tmp_path)


def test_sync__logs_are_of_another_branch__are_asked_for_again(
    process: AnvilProcess, chain: Chain, url: str, tmp_path: Path
) -> None:
    class Forked(Proxy):
        left = 3

        def late(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
            if request["method"] == "eth_getLogs" and self.left:
                self.left -= 1
                for log in answer["result"]:
                    if log["blockNumber"] == "0x8":
                        log |= {"blockHash": "0x" + "ab" * 32, "transactionHash": "0x" + "cd" * 32}

    trade(chain, random.Random(1), 20)
    with serve(Forked(process.url)) as server:
        follower = Follower(connect_chain(replace(chain.profile, rpc=(server.url,))), url)
        follower.sync()
    assert content(follower.index) == rebuild(chain, tmp_path)
    assert 8 in [row[0] for row in content(follower.index)["blocks"]]


def test_sync__reorganisation_between_two_questions__index_equals_a_rebuild(
    process: AnvilProcess, chain: Chain, url: str, tmp_path: Path, near: int
) -> None:
    class Shaky(Proxy):
        left = 6

        def early(self, request: dict[str, Any]) -> dict[str, Any] | None:
            if request["method"] == "eth_getLogs" and self.left:
                self.left -= 1
                process.rpc("anvil_reorg", 1 + self.left, [])
                trade(chain, random.Random(self.left), 1)
            return None

    trade(chain, random.Random(1), 30)
    with serve(Shaky(process.url)) as server:
        follower = Follower(connect_chain(replace(chain.profile, rpc=(server.url,))), url)
        follower.sync()
    assert content(follower.index) == rebuild(chain, tmp_path)


def test_sync__one_endpoint_is_behind__nothing_is_taken_back(
    process: AnvilProcess, chain: Chain, url: str
) -> None:
    class Behind(Proxy):
        def early(self, request: dict[str, Any]) -> dict[str, Any] | None:
            if request["method"] == "eth_blockNumber":
                return {"result": "0x3"}
            asked = request["method"] == "eth_getBlockByNumber" and int(request["params"][0], 16)
            return {"result": None} if asked > 3 else None

    trade(chain, random.Random(1), 20)
    Follower(chain, url).sync()
    with serve(Behind(process.url)) as behind:
        profile = replace(chain.profile, rpc=(behind.url, process.url))
        result = Follower(connect_chain(profile), url).sync()
    assert result.rolled_back_to is None
    assert result.tip.number == chain.height()


def test_watch__blocks_come_and_the_chain_goes__yields_and_goes_on(
    process: AnvilProcess, chain: Chain, url: str
) -> None:
    stop = threading.Event()
    problems: list[ChainError] = []
    chain.rpc._attempts = 1
    updates = Follower(chain, url).follow(0.01, stop, problems.append)
    assert next(updates).tip.number == chain.height()
    process.rpc("evm_mine")
    assert next(updates).tip.number == chain.height()
    process.stop()
    threading.Timer(0.5, stop.set).start()
    assert list(updates) == []
    assert problems and all(isinstance(p, ChainUnavailableError) for p in problems)


def test_follower__index_of_other_contracts__is_refused(chain: Chain, url: str) -> None:
    Follower(chain, url)
    token = replace(chain.profile.contracts["token"], address=recipient(0))
    other = replace(chain.profile, contracts={"token": token})
    with pytest.raises(ConfigError, match="of other contracts"):
        EventIndex(other, url)
    home = Path("/nowhere")
    assert default_index_url(other, home) != default_index_url(chain.profile, home)


def test_sync__profile_without_contracts__has_nothing_to_do(chain: Chain, url: str) -> None:
    follower = Follower(connect_chain(replace(chain.profile, contracts={})), url)
    assert follower.sync().logs == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("no url", "not a database URL"),
        ("mysql://x/y", "SQLite or PostgreSQL"),
        ("postgresql+nothing://x/y", "not a database URL"),
        ("postgresql+psycopg2://x/y", "needs psycopg2, which is not installed"),
        ("postgresql://", "cannot use the index|not a database URL"),
        ("sqlite:/x.db", "not a database URL"),
        ("sqlite:////tmp/x.db?timeout=3", "has options"),
        ("sqlite:////proc/nowhere/x.db", "cannot use the index|No such file"),
    ],
)
def test_index__url_cannot_be_used__is_told(chain: Chain, bad: str, reason: str) -> None:
    with pytest.raises((ConfigError, OSError), match=reason):
        EventIndex(chain.profile, bad)


def test_events__wide_values__are_whole_and_comparable(
    process: AnvilProcess, chain: Chain, url: str
) -> None:
    functions = chain.token.functions
    for value in HUGE:
        call = functions.approve(recipient(0), value)
        transaction = {"from": OWNER, "to": chain.token.address, "data": "0x" + call.data.hex()}
        send_as_wallet(process, transaction)
    follower = Follower(chain, url)
    follower.sync()
    index = follower.index
    rows = index.events("token", "Approval", owner=OWNER)
    assert [row.args["value"] for row in rows] == list(HUGE)
    table = index.table("token", "Approval")
    with index.read() as connection:
        for low in (0, 2**63 - 1, 2**63, 2**64, 2**255):
            query = f"SELECT value FROM {table} WHERE value > ?"
            found = sorted(from_database(Kind.WIDE, v) for (v,) in connection.execute(query, [low]))
            assert found == [value for value in HUGE if value > low]
        ordered = connection.execute(f"SELECT value FROM {table} ORDER BY value DESC")
        assert [from_database(Kind.WIDE, v) for (v,) in ordered] == list(HUGE)[::-1]
    assert index.events("token", "Approval", value=2**255)[0].args["value"] == 2**255


def test_events__filters__are_obeyed(process: AnvilProcess, chain: Chain, url: str) -> None:
    trade(chain, random.Random(3), 30)
    follower = Follower(chain, url)
    follower.sync()
    rows = follower.index.events("token", "Transfer")
    middle = rows[len(rows) // 2]
    place = (middle.block_number, middle.log_index)
    after = follower.index.events("token", "Transfer", after=place)
    assert after == rows[len(rows) // 2 + 1 :]
    until = follower.index.events("token", "Transfer", until_block=middle.block_number, limit=2)
    assert until == rows[:2]
    to = recipient(1)
    mine = follower.index.events("token", "Transfer", receiver=to)
    assert mine == [row for row in rows if row.args["receiver"] == to] != []
    header = chain.block(middle.block_number)
    assert (middle.timestamp, middle.block_hash) == (header.timestamp, header.hash)
    with pytest.raises(ConfigError, match="no column colour"):
        follower.index.events("token", "Transfer", colour=1)
    with pytest.raises(ConfigError, match="no event Sold"):
        follower.index.events("token", "Sold")


def test_sync__many_blocks__old_headers_are_forgotten_and_reorganisations_still_found(
    process: AnvilProcess, chain: Chain, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "KEEP_BLOCKS", 40)
    follower = Follower(chain, url)
    for _ in range(8):
        process.rpc("anvil_mine", hex(100))
        follower.sync()
    with follower.index.read() as connection:
        kept = connection.scalar("SELECT count(*) FROM blocks")
    assert kept < 200
    trade(chain, random.Random(1), 3)
    follower.sync()
    process.rpc("anvil_rollback", 250)
    trade(chain, random.Random(2), 3)
    follower.sync()
    assert content(follower.index) == rebuild(chain, tmp_path)


def test_export_parquet__tables__hold_what_the_index_holds(
    process: AnvilProcess, chain: Chain, url: str, tmp_path: Path
) -> None:
    trade(chain, random.Random(3), 20)
    follower = Follower(chain, url)
    follower.sync()
    paths = export_parquet(follower.index, tmp_path / "out")
    assert {path.stem for path in paths} == set(follower.index.counts())
    table = pq.read_table(tmp_path / "out" / "token_approval.parquet")
    rows = follower.index.events("token", "Approval")
    assert [int(value) for value in table["value"].to_pylist()] == [r.args["value"] for r in rows]
    assert table["owner"].to_pylist() == [row.args["owner"] for row in rows]
    assert table["block_hash"].to_pylist() == [row.block_hash for row in rows]
    assert [int(t.timestamp()) for t in table["timestamp"].to_pylist()] == [
        row.timestamp for row in rows
    ]
    assert not list((tmp_path / "out").glob(".*"))
