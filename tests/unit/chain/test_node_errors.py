# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - nodes are quoted as they are
"""How nodes and providers word their errors, as collected in the wild."""

import random
from typing import Any

import pytest
from eth_abi.abi import encode

from truthmark.chain.node_errors import Kind, RpcReplyError, read_error, revert_reason
from truthmark.errors import MalformedReplyError, RevertedError

WORDS = "not for sale"
DATA = "0x08c379a0" + encode(["string"], [WORDS]).hex()
HASH = "0x" + "ab" * 32
OVERFLOW = "0x4e487b71" + f"{0x11:064x}"
GANACHE = {"error": "revert", "program_counter": 12, "return": DATA, "reason": WORDS}
HARDHAT = "Error: VM Exception while processing transaction: reverted with"

REVERTS: list[tuple[dict[str, Any], str]] = [
    # Nethermind, OpenEthereum
    ({"code": -32015, "message": "VM execution error.", "data": f"Reverted {DATA}"}, WORDS),
    ({"code": -32015, "message": "VM execution error.", "data": f"revert: {WORDS}"}, WORDS),
    ({"code": -32015, "message": "VM execution error.", "data": WORDS}, WORDS),
    # geth, reth, erigon, besu, anvil
    ({"code": 3, "message": f"execution reverted: {WORDS}", "data": DATA}, WORDS),
    ({"code": 3, "message": "execution reverted", "data": DATA}, WORDS),
    ({"code": -32000, "message": "Execution reverted", "data": DATA}, WORDS),
    ({"code": -32000, "message": f"execution reverted: {WORDS}"}, WORDS),
    ({"code": -32000, "message": f'execution reverted: "{WORDS}"'}, WORDS),
    ({"code": 3, "message": f"Execution reverted ({WORDS})"}, WORDS),
    ({"code": 3, "message": WORDS}, WORDS),
    ({"code": "3", "message": "execution reverted", "data": DATA[2:]}, WORDS),
    ({"code": -32000, "message": f"execution reverted: revert: {WORDS}"}, WORDS),
    ({"code": -32000, "message": f"err: execution reverted: {WORDS} (supplied gas 5)"}, None),
    # Hardhat, Ganache, Moonbeam
    ({"code": -32000, "message": f"VM Exception while processing transaction: revert {WORDS}"}, WORDS),
    ({"code": -32603, "message": f"{HARDHAT} reason string '{WORDS}'"}, WORDS),
    ({"code": -32603, "message": "x", "data": {"message": f"{HARDHAT} reason string '{WORDS}'"}}, WORDS),
    ({"code": -32603, "message": "Error: reverted", "data": {"txHash": HASH, "data": DATA}}, WORDS),
    ({"code": -32000, "message": "VM Exception", "data": {HASH: GANACHE, "name": "E"}}, WORDS),
    ({"code": -32000, "message": "VM Exception", "data": {"hash": None, "reason": WORDS}}, WORDS),
    # wrapped once more
    ({"code": -32603, "message": "Internal JSON-RPC error.", "data": {"code": 3, "message": f"execution reverted: {WORDS}", "data": DATA}}, WORDS),
    ({"code": -32603, "message": "Internal error", "data": {"data": {"data": DATA}}}, WORDS),
    ({"code": -32603, "message": "Internal error", "error": {"data": [DATA]}}, WORDS),
    ({"code": -32000, "message": f"execution reverted: {DATA}"}, WORDS),
    # Filecoin
    ({"code": 1, "message": f"message execution failed (exit=[33], revert reason=[Error({WORDS})], vm error=[x])"}, WORDS),
    # panics and faults
    ({"code": 3, "message": "execution reverted: panic: overflow (0x11)", "data": OVERFLOW}, "panic 0x11 in the contract"),
    ({"code": -32603, "message": f"{HARDHAT} panic code 0x11 (overflowed)"}, "panic 0x11 in the contract"),
    ({"code": -32000, "message": "out of gas"}, "the call ran out of gas"),
    ({"code": -32015, "message": "VM execution error.", "data": "Out of gas"}, "the call ran out of gas"),
    ({"code": -32000, "message": "invalid opcode: opcode 0xfe not defined"}, "invalid instruction"),
    ({"code": -32015, "message": "VM execution error.", "data": "Bad instruction fd"}, "invalid instruction"),
    # data that nobody knows, and nothing at all
    ({"code": 3, "message": "execution reverted", "data": "0xdeadbeef"}, "the contract refuses with unknown data 0xdeadbeef"),
    ({"code": -32015, "message": "VM execution error.", "data": "Reverted 0xdeadbeef"}, "the contract refuses with unknown data 0xdeadbeef"),
    ({"code": 3, "message": "execution reverted: custom error 0xdeadbeef", "data": "0xdeadbeef"}, "custom error 0xdeadbeef"),
    ({"code": -32603, "message": f"{HARDHAT} custom error 'Late(5)'"}, "custom error 'Late(5)'"),
    ({"code": -32603, "message": "Error: Transaction reverted without a reason string"}, "the contract refuses and gives no reason"),
    ({"code": 3, "message": "execution reverted", "data": "0x"}, "the contract refuses and gives no reason"),
    ({"code": 3, "message": "execution reverted", "data": "0xzz"}, "the contract refuses and gives no reason"),
    ({"code": 3}, "the contract refuses and gives no reason"),
    ({"code": -32015, "message": "VM execution error.", "data": "Reverted 0x"}, "the contract refuses and gives no reason"),
    ({"code": 3, "message": "execution reverted", "data": {"txHash": HASH}}, "the contract refuses and gives no reason"),
    ({"code": -32000, "message": "REVERT opcode executed"}, "the contract refuses and gives no reason"),
    ({"code": -32603, "message": "Internal error", "data": '{"message": "execution reverted: late"}'}, "late"),
    # what could be taken for something else
    ({"code": -32000, "message": "execution reverted: registry: too many versions"}, "registry: too many versions"),
    ({"code": 3, "message": "execution reverted: rate limit", "data": "0x"}, "rate limit"),
    ({"code": 3, "message": "execution reverted: a\n\x1b[31mb"}, "a  [31mb"),
    ({"code": 3, "message": "execution reverted", "data": DATA[:140]}, "n"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "reason"), REVERTS)
def test_read_error__contract_refuses__reason_is_kept(
    error: dict[str, Any], reason: str | None
) -> None:
    refusal = read_error(error)
    assert refusal.kind is Kind.REVERTED
    assert isinstance(refusal.error, RevertedError)
    assert WORDS in str(refusal.error) if reason is None else str(refusal.error) == reason


OTHERS: list[tuple[Kind, int, str]] = [
    (Kind.TOO_MUCH, 35, "ranges over 10000 blocks are not supported on freetier"),
    # the seven of the case
    (Kind.BUSY, -32007, "50/second request limit reached"),
    (Kind.BUSY, 429, "compute units per second capacity exceeded"),
    (Kind.BUSY, -32005, "project request rate exceeded"),
    (Kind.BUSY, -32005, "Too Many Requests"),
    (Kind.BUSY, -32016, "over rate limit"),
    (Kind.BUSY, -32029, "rate limited"),
    (Kind.BUSY, 15, "Too many request, try again later"),
    # Alchemy, Infura, QuickNode, Ankr, Cloudflare, publicnode, drpc, llamarpc, blast
    (Kind.BUSY, 429, "Your app has exceeded its compute units per second capacity."),
    (Kind.BUSY, -32005, "daily request count exceeded, request rate limited"),
    (Kind.BUSY, -32003, "daily request limit reached - upgrade your account"),
    (Kind.BUSY, -32007, "15/second request limit reached - reduce calls per second"),
    (Kind.BUSY, -32090, "Too many requests, reason: call rate limit exhausted, retry in 10s"),
    (Kind.BUSY, -32046, "Cannot fulfill request, too many requests"),
    (Kind.BUSY, -32701, "Please slow down"),
    (Kind.BUSY, 19, "Temporary internal error. Please retry, trace-id: 1"),
    (Kind.BUSY, -32097, "no"),
    (Kind.BUSY, -32000, "upstream is overloaded"),
    (Kind.BUSY, -32009, "Server is busy, try again later"),
    (Kind.BUSY, 35, "Free tier: ran out of credits"),
    (Kind.BUSY, -32603, "service temporarily unavailable"),
    # too much
    (Kind.TOO_MUCH, -32005, "query returned more than 10000 results"),
    (Kind.TOO_MUCH, -32005, "query returned more than 10000 results. Try with this block range [0x1, 0x2]."),
    (Kind.TOO_MUCH, -32602, "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range"),
    (Kind.TOO_MUCH, -32600, "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range."),
    (Kind.TOO_MUCH, -32600, "block range is too wide"),
    (Kind.TOO_MUCH, -32000, "exceed maximum block range: 2000"),
    (Kind.TOO_MUCH, -32602, "query exceeds max results 20000, retry with the range 1-2"),
    (Kind.TOO_MUCH, -32602, "query exceeds max block range 100000"),
    (Kind.TOO_MUCH, -32614, "eth_getLogs is limited to a 10,000 range"),
    (Kind.TOO_MUCH, -32000, "logs matched by query exceeds limit of 10000"),
    (Kind.TOO_MUCH, -32000, "requested too many blocks from 1 to 9000, maximum is set to 2048"),
    (Kind.TOO_MUCH, -32005, "Limit exceeded"),
    (Kind.TOO_MUCH, -32002, "request timed out"),
    (Kind.TOO_MUCH, -32000, "query timeout exceeded"),
    (Kind.TOO_MUCH, -32008, "Response is too big"),
    (Kind.TOO_MUCH, -32003, "response too large"),
    (Kind.TOO_MUCH, -32020, "backend response too large"),
    (Kind.TOO_MUCH, -32600, "batch too large"),
    (Kind.TOO_MUCH, -32000, "batch limit 100 exceeded: 200"),
    (Kind.TOO_MUCH, -32010, "The batch request was too large"),
    (Kind.TOO_MUCH, -32005, "Batched requests are not supported by this server"),
    (Kind.TOO_MUCH, 31, "Batch of more than 3 requests are not allowed on free plan"),
    # unable
    (Kind.UNABLE, -32601, "the method eth_maxPriorityFeePerGas does not exist/is not available"),
    (Kind.UNABLE, -32601, "no"),
    (Kind.UNABLE, -32000, "missing trie node abc (path ) state 0xabc is not available"),
    (Kind.UNABLE, -32000, "header not found"),
    (Kind.UNABLE, -32001, "Resource not found."),
    (Kind.UNABLE, -32002, "No state available for block 0x12"),
    (Kind.UNABLE, -32600, "Must be authenticated!"),
    # unknown
    (Kind.UNKNOWN, -32603, "Internal error"),
    (Kind.UNKNOWN, -32000, "logs are not kept"),
    (Kind.UNKNOWN, 1, "no"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "code", "message"), OTHERS)
def test_read_error__provider_refuses__kind_is_seen(kind: Kind, code: int, message: str) -> None:
    for error in ({"code": code, "message": message}, {"code": str(code), "message": message}):
        refusal = read_error(error, "eth_getLogs")
        assert refusal.kind is kind
        assert isinstance(refusal.error, RpcReplyError)
        assert (refusal.error.code, refusal.error.node_message) == (code, message)


@pytest.mark.parametrize(
    "message",
    [
        "nonce too low",
        "nonce too low: next nonce 5, tx nonce 4",
        "Nonce too low. Expected nonce to be 5 but got 4.",
        "OldNonce, Current nonce: 5, nonce of rejected tx: 4.",
        "already known",
        "AlreadyKnown",
        "transaction already imported",
        "replacement transaction underpriced",
        "transaction underpriced: gas tip cap 0, minimum needed 1000000",
        "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1",
        "Sender doesn't have enough funds to send tx.",
        "intrinsic gas too low",
        "max fee per gas less than block base fee: address 0x1, maxFeePerGas: 1, baseFee: 2",
        "max priority fee per gas higher than max fee per gas",
        "exceeds block gas limit",
        "gas required exceeds allowance (0)",
        "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)",
    ],
)
def test_read_error__node_judges_a_transaction__is_an_answer(message: str) -> None:
    error = {"code": -32000, "message": message}
    assert read_error(error, "eth_sendRawTransaction").kind is Kind.ANSWER
    # Of logs an honest node says nothing of the kind.
    assert read_error(error, "eth_getLogs").kind is not Kind.ANSWER


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        ({"message": "rate", "data": {"rate": {"backoff_seconds": 30, "allowed_rps": 1}}}, 30),
        ({"message": "too many requests", "data": {"try_again_in": "548.9ms"}}, 0.5489),
        ({"message": "call rate limit exhausted, retry in 10s"}, 10),
        ({"message": "rate limited, retry after 2 min"}, 120),
        ({"message": "call rate limit exhausted, retry in 1m0s"}, 60),
        ({"message": "rate limited"}, 0),
    ],
)
def test_read_error__node_says_how_long_to_wait__is_told(error: Any, seconds: float) -> None:
    assert read_error(error).seconds == pytest.approx(seconds)


def test_read_error__text_instead_of_an_object__is_read_too() -> None:
    assert read_error("rate limit exceeded").kind is Kind.BUSY
    assert read_error(f"execution reverted: {WORDS}").kind is Kind.REVERTED
    for odd in (7, [], None, True):
        with pytest.raises(MalformedReplyError):
            read_error(odd)


def odd_value(chooser: random.Random, depth: int = 0) -> Any:
    texts = [
        "",
        "0x",
        DATA,
        DATA[2:],
        OVERFLOW[:70],
        "revert",
        "0x08c379a0" + "f" * 200,
        "\0\n",
        HASH,
    ]
    kind = chooser.randrange(6 if depth < 4 else 3)
    if kind < 2:
        return chooser.choice(texts)
    if kind == 2:
        return chooser.choice([None, True, -1, 2**70, 1.5, "9" * 9000, "reason=[" * 300])
    if kind == 3:
        return [odd_value(chooser, depth + 1) for _ in range(chooser.randrange(4))]
    keys = ["data", "message", "reason", "code", "error", HASH, "x"]
    return {key: odd_value(chooser, depth + 1) for key in chooser.sample(keys, 3)}


@pytest.mark.untraced
def test_read_error__anything_at_all__is_one_line() -> None:
    chooser = random.Random(11)
    for _ in range(3_000):
        error = {key: odd_value(chooser) for key in ("code", "message", "data")}
        refusal = read_error(error)
        assert str(refusal.error).isprintable() and len(str(refusal.error)) < 3000
        assert revert_reason(error)
