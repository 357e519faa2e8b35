# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.utils.rpc_server import Answer, Proxy, results, serve
from tests.utils.token_chain import SUPPLY, account, bare_profile, recipient
from truthmark.chain.agreement import agreed
from truthmark.chain.connection import Block, Chain, connect_chain
from truthmark.chain.rpc import RpcClient
from truthmark.config.profile import ContractInfo
from truthmark.errors import (
    ChainMismatchError,
    ChainUnavailableError,
    ConfigError,
    EndpointsDisagreeError,
    MalformedReplyError,
    NoContractError,
    RevertedError,
)
from truthmark.testing.anvil import AnvilProcess

HASHES = ["0x" + f"{number:064x}" for number in range(3)]


def header(number: int = 1, own: int = 1, parent: int = 0) -> dict[str, str]:
    return {
        "number": hex(number),
        "hash": HASHES[own],
        "parentHash": HASHES[parent],
        "timestamp": "0x64",
    }


def test_connect_chain__right_contracts__can_be_read(chain: Chain) -> None:
    assert chain.token.functions.totalSupply().call() == SUPPLY
    assert chain.token.functions.symbol().call() == "TMK"
    assert chain.time() == chain.block().timestamp
    assert chain.balance(account(5).address) == 10_000 * 10**18


@pytest.mark.parametrize(
    ("pending", "wanted"),
    [
        ({"timestamp": "0x70", "hash": None}, 0x70),  # no block came for a while
        ({"timestamp": "0x10"}, 0x64),
        (None, 0x64),
        ({"timestamp": "soon"}, 0x64),
        ({"code": -32000, "message": "pending is not served"}, 0x64),
    ],
)
def test_next_time__newest_block_is_old__is_when_a_transaction_would_run(
    pending: Any, wanted: int
) -> None:
    blocks = {"0x0": header(0, 0, 0), "0x1": header(), "latest": header(), "pending": pending}
    answer = paper_chain(eth_getBlockByNumber=lambda number, _: blocks[number])
    with serve(answer) as endpoint:
        chain = connect_chain(bare_profile(endpoint.url, genesis=HASHES[0]))
        assert chain.next_time() == wanted


def test_connect_chain__no_contract_there__says_what_to_do(chain: Chain) -> None:
    elsewhere = replace(chain.profile.contracts["token"], address=recipient(1))
    profile = replace(chain.profile, contracts={"token": elsewhere})
    with pytest.raises(ChainMismatchError, match=r"no token contract.*devnet up"):
        connect_chain(profile)


def test_connect_chain__other_code_there__is_refused(chain: Chain) -> None:
    other = replace(chain.profile.contracts["token"], code_hash="0x" + "11" * 32)
    profile = replace(chain.profile, contracts={"token": other})
    with pytest.raises(ChainMismatchError, match="not the one the profile means"):
        connect_chain(profile)


def test_connect_chain__other_chain__is_refused(chain: Chain) -> None:
    with pytest.raises(ChainMismatchError, match="is of chain 31337, the profile means 1"):
        connect_chain(replace(chain.profile, chain_id=1))


def test_connect_chain__profile_without_the_first_block__is_refused(chain: Chain) -> None:
    with pytest.raises(ConfigError, match="does not say the hash of block 0"):
        connect_chain(replace(chain.profile, genesis=None))


def test_connect_chain__other_first_block__is_refused_whichever_endpoint_has_it() -> None:
    profile = bare_profile("http://127.0.0.1:9", genesis=HASHES[0])
    with serve(paper_chain()) as honest, serve(paper_chain()) as lying_endpoint:
        with pytest.raises(ChainMismatchError, match="has another block 0 than profile test says"):
            connect_chain(replace(profile, rpc=(honest.url,), genesis=HASHES[2]))
        chain = connect_chain(replace(profile, rpc=(honest.url, lying_endpoint.url)))
        chain.profile = replace(profile, genesis=HASHES[2])  # as if the second had another one
        with pytest.raises(ChainMismatchError, match=lying_endpoint.url):
            chain.final_block()


def test_connect_chain__contracts_name_others__is_refused(place: Any) -> None:
    process, chain = place
    market = replace(chain.profile.contracts["token"], artifact="DatasetMarket")
    code = chain.code(market.address)
    registry = replace(market, artifact="DatasetRegistry", address=recipient(7))
    process.rpc("anvil_setCode", registry.address, "0x" + code.hex())
    profile = replace(chain.profile, contracts={"registry": registry, "market": market})
    named = [recipient(9)]

    class LyingEndpoint(Proxy):
        def early(self, request: dict[str, Any]) -> dict[str, Any] | None:
            word = "0x" + bytes(12).hex() + named[-1][2:].lower()
            return {"result": word} if request["method"] == "eth_call" else None

    with serve(LyingEndpoint(process.url)) as server:
        lied_to = replace(profile, rpc=(server.url,))
        with pytest.raises(ChainMismatchError, match=r"says that registry\.market is not test's"):
            connect_chain(lied_to)
        named.append(market.address)
        assert connect_chain(lied_to).market.address == market.address


def test_connect_chain__no_endpoint__says_where_to_name_one() -> None:
    with pytest.raises(ConfigError, match="TRUTHMARK_RPC"):
        connect_chain(bare_profile(genesis=HASHES[0]))


def test_connect_chain__unknown_contract__is_refused() -> None:
    info = ContractInfo(recipient(0), "Nothing", "0x" + "00" * 32, 0)
    with pytest.raises(ConfigError, match="no compiled contract Nothing"):
        connect_chain(bare_profile("http://127.0.0.1:9", contracts={"x": info}))


def test_contracts__unknown_role_or_function__is_an_attribute_error(chain: Chain) -> None:
    with pytest.raises(NoContractError, match="no contract market"):
        _ = chain.market
    with pytest.raises(AttributeError, match="no function mintt"):
        _ = chain.token.functions.mintt
    assert "transfer" in dir(chain.token.functions)


def test_call__contract_refuses__reason_is_told(chain: Chain) -> None:
    call = chain.token.functions.transfer(recipient(0), 1)
    with pytest.raises(RevertedError, match=r"^erc20: transfer amount exceeds balance$"):
        call.call(sender=account(1).address)
    assert call.call(sender=account(0).address) is True


def test_call__at_a_block__reads_its_state(process: AnvilProcess, chain: Chain) -> None:
    supply = chain.token.functions.totalSupply()
    first = chain.block()
    process.rpc("anvil_mine", "0x1")
    assert supply.call(block=first.number) == SUPPLY
    assert supply.call(block=first.hash) == SUPPLY
    with pytest.raises(MalformedReplyError):  # nothing there yet: no bytes, no number
        chain.rpc._attempts = 1
        supply.call(block=0)


def test_batch__reads__come_in_order(chain: Chain) -> None:
    functions = chain.token.functions
    calls = [functions.totalSupply(), functions.decimals(), functions.balanceOf(recipient(3))]
    assert chain.batch(calls) == [SUPPLY, 18, 0]


def test_try_batch__one_refused__is_in_its_place(chain: Chain) -> None:
    functions = chain.token.functions
    calls = [functions.decimals(), functions.transfer(recipient(0), SUPPLY + 1)]
    decimals, refusal = chain.try_batch(calls, sender=account(0).address)
    assert decimals == 18
    assert isinstance(refusal, RevertedError)


def test_blocks__some_beyond_the_head__are_none(chain: Chain) -> None:
    found = chain.blocks([0, 1, 10**6])
    assert [block and block.number for block in found] == [0, 1, None]
    assert found[1] and found[0] and found[1].parent_hash == found[0].hash
    assert chain.find_block(found[1].hash) == found[1]
    assert chain.find_block(b"\1" * 32) is None


def test_web3__same_endpoints__works_and_tells_refusals(chain: Chain) -> None:
    from web3.exceptions import ContractLogicError

    assert chain.web3.eth.block_number == chain.height()
    call = chain.token.functions.transfer(recipient(0), 1)
    with pytest.raises(ContractLogicError, match="erc20: transfer amount exceeds balance"):
        chain.web3.eth.call(
            {"to": chain.token.address, "data": call.data, "from": account(1).address}
        )


def test_final_block__two_endpoints_agree__is_that_block(chain: Chain) -> None:
    two = connect_chain(replace(chain.profile, rpc=chain.profile.rpc * 2))
    final = two.final_block(2)
    assert final.number == chain.height() - 1
    supply = two.agreed_call(two.token.functions.totalSupply(), two.final_block())
    assert supply == SUPPLY


def paper_chain(own: int = 1, **more: Any) -> Callable[[bytes], Answer]:
    """Answer for a chain of two blocks, the second of which has one of the hashes."""
    blocks = {"0x0": header(0, 0, 0), "0x1": header(1, own)}
    usual = {
        "eth_chainId": "0x7a69",
        "eth_blockNumber": "0x1",
        "eth_getBlockByNumber": lambda number, _: blocks[number],
    }
    return results(**(usual | more))


def test_final_block__two_endpoints_differ__is_refused() -> None:
    with serve(paper_chain(1)) as first, serve(paper_chain(2)) as second:
        chain = connect_chain(bare_profile(first.url, second.url, genesis=HASHES[0]))
        with pytest.raises(EndpointsDisagreeError):
            chain.final_block()


@pytest.mark.parametrize("is_first", [True, False])
def test_final_block__one_endpoint_tells_of_more_blocks__counts_by_the_other(
    is_first: bool,
) -> None:
    """Else the newest block of all would count as deep, and a reorganisation undo what it says."""
    with serve(paper_chain(eth_blockNumber="0x3")) as liar, serve(paper_chain()) as honest:
        urls = (liar.url, honest.url) if is_first else (honest.url, liar.url)
        chain = connect_chain(bare_profile(*urls, genesis=HASHES[0]))
        assert chain.final_block(2).number == 0


def test_final_block__endpoints_are_far_apart__is_refused() -> None:
    with serve(paper_chain(eth_blockNumber="0xfffff")) as far, serve(paper_chain()) as near:
        chain = connect_chain(bare_profile(near.url, far.url, genesis=HASHES[0]))
        with pytest.raises(EndpointsDisagreeError, match="at block 1 and one at 1048575"):
            chain.final_block()


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    "wrong",
    [
        {"eth_blockNumber": "0xfffff"},
        {"eth_blockNumber": "absurd"},
        {"eth_getBlockByNumber": lambda number, _: header(0, 0, 0) if number == "0x0" else None},
        {"own": 2},
        None,  # it answers nothing
    ],
)
def test_final_block__one_endpoint_of_three_is_wrong__the_two_others_decide(
    wrong: dict[str, Any] | None, place: int
) -> None:
    third = serve(paper_chain(**(wrong or {})))
    with serve(paper_chain()) as first, serve(paper_chain()) as second, third as bad:
        urls = [first.url, second.url]
        urls.insert(place, "http://127.0.0.1:9" if wrong is None else bad.url)
        chain = connect_chain(bare_profile(*urls, genesis=HASHES[0]))
        assert chain.final_block().hash.hex() == HASHES[1][2:]


def test_agreed__three_endpoints_say_three_things__is_refused() -> None:
    servers = [serve(results(a=word)) for word in ("0x1", "0x2", "0x3")]
    with servers[0] as first, servers[1] as second, servers[2] as third:
        rpc = RpcClient([first.url, second.url, third.url])
        with pytest.raises(EndpointsDisagreeError):
            agreed(rpc, [("a", ())])


def test_agreed__one_endpoint_of_three_says_a_contract_refuses__the_two_others_decide() -> None:
    reverted = {"code": 3, "message": "execution reverted: no", "data": "0x"}
    with serve(results(a=reverted)) as bad, serve(results(a="0x1")) as one:
        with serve(results(a="0x1")) as two:
            assert agreed(RpcClient([bad.url, one.url, two.url]), [("a", ())]) == ["0x1"]
        with pytest.raises(RevertedError):
            agreed(RpcClient([bad.url, one.url]), [("a", ())])


def test_agreed__endpoint_cannot_be_reached__is_asked_once_where_others_can_stand_in() -> None:
    answers: list[Answer] = [None]  # it hangs up
    fine = results(a="0x1")
    with serve(fine) as one, serve(fine) as two, serve(lambda body: answers[0]) as bad:
        assert agreed(RpcClient([bad.url, one.url, two.url]), [("a", ())]) == ["0x1"]
        assert len(bad.bodies) == 1


@pytest.mark.parametrize("field", ["timestamp", "number"])
def test_final_block__right_hash_with_another_time__is_refused(field: str) -> None:
    other = {"0x0": header(0, 0, 0), "0x1": header() | {field: "0xff"}}
    lie = paper_chain(eth_getBlockByNumber=lambda number, _: other[number])
    with serve(lie) as liar, serve(paper_chain()) as honest:
        chain = connect_chain(bare_profile(liar.url, honest.url, genesis=HASHES[0]))
        with pytest.raises(EndpointsDisagreeError):
            chain.final_block()
    with serve(lie) as liar:
        alone = connect_chain(bare_profile(liar.url, genesis=HASHES[0]))
        if field == "number":
            with pytest.raises(MalformedReplyError, match="gives another block"):
                alone.final_block()


def test_final_block__one_of_two_endpoints_is_dead__is_not_enough() -> None:
    with serve(paper_chain()) as server:
        alone = connect_chain(bare_profile(server.url, genesis=HASHES[0]))
        assert alone.final_block().number == 1
        both = bare_profile(server.url, "http://127.0.0.1:9", genesis=HASHES[0])
        chain = connect_chain(both)
        with pytest.raises(ChainUnavailableError, match="only 1 of the 2"):
            chain.final_block()


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [],
        {},
        {**header(), "number": 1},
        {**header(), "number": "0x-1"},
        {**header(), "number": "0x" + "f" * 65},
        {**header(), "hash": "0x12"},
        {**header(), "hash": "0xzz"},
        {**header(), "timestamp": hex(2**63)},
        {**header(), "logsBloom": "0x00"},
        {**header(), "baseFeePerGas": []},
    ],
)
def test_block__reply_is_damaged__is_malformed(reply: object) -> None:
    with pytest.raises(MalformedReplyError):
        Block.from_rpc(reply)
