# SPDX-License-Identifier: Apache-2.0
"""Connection to a chain: the right one, with the right contracts on it."""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from truthmark.chain.abi import Artifact, load_artifact
from truthmark.chain.agreement import agreed, common_height
from truthmark.chain.contracts import BlockId, Call, Contract, block_param
from truthmark.chain.http import Endpoint
from truthmark.chain.replies import hex_bytes, hex_int
from truthmark.chain.roles import SLASHERS
from truthmark.chain.rpc import RpcClient
from truthmark.config.profile import ChainProfile
from truthmark.errors import (
    ChainMismatchError,
    ConfigError,
    MalformedReplyError,
    NoContractError,
)
from truthmark.hashing import keccak256

if TYPE_CHECKING:
    from web3 import Web3

_LEEWAY_SECONDS = 120  # that one endpoint may be behind another


@dataclass(frozen=True)
class Block:
    """A block's header, as far as anyone here needs it.

    Attributes:
        number: Height.
        hash: 32 bytes.
        parent_hash: 32 bytes.
        timestamp: Chain time in seconds.
        base_fee: Wei a unit of gas, or None on chains without one.
        logs_bloom: 256 bytes; zeros on chains that do not keep it.
    """

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    base_fee: int | None = None
    logs_bloom: bytes = bytes(256)

    @classmethod
    def from_rpc(cls, reply: object) -> "Block":
        """Read JSON-RPC's block.

        Raises:
            MalformedReplyError: It is not one.
        """
        if not isinstance(reply, dict):
            raise MalformedReplyError("a chain endpoint gives no block; try another one")
        base_fee = reply.get("baseFeePerGas")
        block = cls(
            number=hex_int(reply.get("number")),
            hash=hex_bytes(reply.get("hash")),
            parent_hash=hex_bytes(reply.get("parentHash")),
            timestamp=hex_int(reply.get("timestamp")),
            base_fee=None if base_fee is None else hex_int(base_fee),
            logs_bloom=hex_bytes(reply.get("logsBloom") or "0x" + "00" * 256),
        )
        sizes = len(block.hash), len(block.parent_hash), len(block.logs_bloom)
        if sizes != (32, 32, 256) or max(block.number, block.timestamp) >= 2**63:
            raise MalformedReplyError("a chain endpoint gives a damaged block; try another one")
        return block


class Chain:
    """A chain that was checked to be the profile's.

    The profile's contracts are attributes by their roles: `chain.registry`, `chain.market`, ...

    Attributes:
        profile: What is true of the network.
        rpc: Its endpoints.
        contracts: By role.
    """

    def __init__(self, profile: ChainProfile, rpc: RpcClient) -> None:
        self.profile = profile
        self.rpc = rpc
        self.contracts = {
            role: Contract(self.rpc, role, info.address, load_artifact(info.artifact))
            for role, info in profile.contracts.items()
        }

    def __getattr__(self, role: str) -> Contract:
        try:
            return self.__dict__["contracts"][role]  # type: ignore[no-any-return]
        except KeyError:
            raise NoContractError(
                f"chain profile {self.profile.name} has no contract {role}; get the network's"
                " current profile, or use another network"
            ) from None

    def at(self, address: str, artifact: Artifact, role: str = "") -> Contract:
        """Return a contract that the profile does not name, such as a listing's token."""
        return Contract(self.rpc, role or artifact.name, address, artifact)

    def block(self, block: BlockId = "latest") -> Block:
        """Return a block's header.

        Raises:
            ChainUnavailableError: The chain does not have it, or cannot be read.
        """
        return self.rpc.parsed(*_block_request(block), Block.from_rpc)

    def find_block(self, block: BlockId) -> Block | None:
        """Return a block's header, or None where the chain does not have the block."""
        return self.rpc.parsed(*_block_request(block), _maybe_block)

    def blocks(self, numbers: Sequence[int]) -> list[Block | None]:
        """Return several headers; None for each that the chain does not have."""
        replies = self.rpc.batch([_block_request(number) for number in numbers])
        return [_maybe_block(reply) for reply in replies]

    def height(self) -> int:
        """Return the number of the newest block."""
        return self.rpc.parsed("eth_blockNumber", (), hex_int)

    def prefer_farthest(self, least: int = 0) -> int:
        """Ask all endpoints how far they are, prefer the farthest, and return its height.

        Which is the farthest one endpoint alone cannot say; see `RpcClient.prefer`.

        Args:
            least: A block that the chain is known to have.

        Raises:
            ChainUnavailableError: No endpoint answers.
        """
        return self.rpc.prefer(
            lambda endpoint: hex_int(self.rpc.call("eth_blockNumber", endpoint=endpoint)),
            self._leeway(self.profile.confirmations),
            least,
        )

    def common_height(self, confirmations: int | None = None, *, waits: bool = True) -> int:
        """Return the newest block that endpoints in two places have, or the only one there is.

        Args:
            confirmations: How many blocks they may be apart at least; the profile's number if not
                given.
            waits: Whether one that does not answer is asked again and again.

        Raises:
            EndpointsDisagreeError: They are far apart.
            ChainUnavailableError: Fewer answer than are needed.
        """
        depth = self.profile.confirmations if confirmations is None else confirmations
        return common_height(self.rpc, self._leeway(depth), waits=waits)

    def _leeway(self, depth: int) -> int:
        """Return how many blocks endpoints of one chain may be apart."""
        return max(depth, math.ceil(_LEEWAY_SECONDS / self.profile.block_time))

    def time(self) -> int:
        """Return chain time: the newest block's timestamp, in seconds.

        Deadlines of contracts are measured by it, so clients must never use their own clock.
        """
        return self.block().timestamp

    def sure_time(self) -> int:
        """Return chain time as `time` does, for what is signed with an end.

        One endpoint that tells of a far future would have it count for ever. So where there are
        two it is at most some minutes after a final block that both have.

        Raises:
            EndpointsDisagreeError: They have different blocks there.
            ChainUnavailableError: Fewer answer than are needed.
        """
        now = self.time()
        if not self.rpc.others():
            return now
        minutes = math.ceil(self.profile.confirmations * self.profile.block_time) + _LEEWAY_SECONDS
        return min(now, self.final_block().timestamp + minutes)

    def next_time(self) -> int:
        """Return the chain time at which a transaction that is sent now would run at the earliest.

        From here a window is reckoned that is written into a transaction. Where blocks come only
        with transactions (as on anvil, and some rollups) the newest may be hours old, and a
        window of minutes from there would be over before it begins.
        """
        now = self.time()
        (pending,) = self.rpc.batch_outcomes([_block_request("pending")])
        # It may have no hash yet, and some endpoints know of none at all.
        if not isinstance(pending, dict):
            return now
        with contextlib.suppress(MalformedReplyError):
            now = max(now, hex_int(pending.get("timestamp")))
        return now

    def balance(self, address: str, block: BlockId = "latest") -> int:
        """Return what an account holds, in wei."""
        return self.rpc.parsed("eth_getBalance", (address, block_param(block)), hex_int)

    def code(self, address: str, block: BlockId = "latest") -> bytes:
        """Return the code at an address; nothing where there is none."""
        return self.rpc.parsed("eth_getCode", (address, block_param(block)), hex_bytes)

    @property
    def genesis(self) -> bytes:
        """Hash of block 0, as the profile has it: tells a local chain from the one before it.

        No endpoint is asked, or one that lies about it would hide what was sent before.

        Raises:
            ConfigError: The profile does not say it.
        """
        if self.profile.genesis is None:
            raise ConfigError(
                f"chain profile {self.profile.name} does not say the hash of block 0 (genesis); "
                "get the network's current profile"
            )
        return bytes.fromhex(self.profile.genesis[2:])

    def batch(
        self, calls: Sequence[Call], *, block: BlockId = "latest", sender: str | None = None
    ) -> list[Any]:
        """Run several calls in few questions and return what each returns.

        Raises:
            RevertedError: A contract refuses one of them.
            ChainError: The chain cannot be read.
        """
        replies = self.rpc.batch([call.request(block=block, sender=sender) for call in calls])
        return [call.decode(reply) for call, reply in zip(calls, replies, strict=True)]

    def try_batch(
        self, calls: Sequence[Call], *, block: BlockId = "latest", sender: str | None = None
    ) -> list[Any]:
        """Do as `batch`, but return a refusal in the place of the value it prevented."""
        requests = [call.request(block=block, sender=sender) for call in calls]
        outcomes = self.rpc.batch_outcomes(requests)
        return [
            outcome if isinstance(outcome, Exception) else call.decode(outcome)
            for call, outcome in zip(calls, outcomes, strict=True)
        ]

    def final_block(self, confirmations: int | None = None) -> Block:
        """Return the newest block that counts as final, agreed on by two endpoints if there are.

        It is that deep at both of them: how high the chain is, neither says alone.

        Args:
            confirmations: Blocks, its own included; the profile's number if not given.

        Raises:
            EndpointsDisagreeError: They have different blocks there, or one is far behind.
            ChainUnavailableError: Fewer answer than are needed.
        """
        depth = self.profile.confirmations if confirmations is None else confirmations
        number = max(0, self.common_height(depth) - max(depth, 1) + 1)
        # Its time too: windows are held against it.
        replies = agreed(
            self.rpc, [_block_request(number)], key=lambda replies: _place_in_time(replies[0])
        )
        block = Block.from_rpc(replies[0])
        if block.number != number:
            raise MalformedReplyError("a chain endpoint gives another block; try another one")
        return block

    def agreed_call(self, call: Call, block: Block) -> Any:
        """Run a call on the state of one block at two endpoints, if there are, and compare.

        Raises:
            EndpointsDisagreeError: They return different values.
            RevertedError: The contract refuses.
            ChainUnavailableError: Fewer answer than are needed.
        """
        return call.decode(agreed(self.rpc, [call.request(block=block.hash)])[0])

    @cached_property
    def web3(self) -> "Web3":
        """A web3 object over the same endpoints, for those who want to do more with the chain.

        Raises:
            ConfigError: web3 is not installed; it is an extra.
        """
        try:
            from truthmark.chain.provider import make_web3
        except ImportError as error:
            raise ConfigError(
                f"this needs web3 ({error}); run `pip install 'truthmark[web3]'`"
            ) from error
        return make_web3(self.rpc)


def connect_chain(profile: ChainProfile, *, timeout: float = 20.0) -> Chain:
    """Connect to a profile's chain and check that it is the one the profile means.

    Args:
        profile: Says where and which.
        timeout: Seconds to wait for one answer.

    Raises:
        ConfigError: The profile names no endpoint, no hash of block 0, or a contract that is not
            known here.
        ChainMismatchError: It is another chain, or a contract there is missing or another one.
            Other endpoints than the preferred one are checked before they are first used.
        ChainUnavailableError: No endpoint answers.
    """
    if not profile.rpc:
        raise ConfigError(
            f"chain profile {profile.name} names no endpoint; "
            "name one with `truthmark init --rpc URL` or set TRUTHMARK_RPC"
        )
    chain: Chain
    rpc = RpcClient(
        profile.rpc,
        chain_id=profile.chain_id,
        verify=lambda endpoint: _require_place(chain, endpoint),
        timeout=timeout,
    )
    chain = Chain(profile, rpc)
    _ = chain.genesis
    chain.height()
    return chain


def with_genesis(profile: ChainProfile) -> ChainProfile:
    """Return a profile with the hash of block 0 as its endpoints have it.

    For deployers to a chain; all others have it from the profile.

    Raises:
        EndpointsDisagreeError: They have different ones.
        ChainUnavailableError: No endpoint answers.
    """
    chain = Chain(profile, RpcClient(profile.rpc, chain_id=profile.chain_id))
    first = agreed(chain.rpc, [_block_request(0)], key=lambda replies: _block_hash(replies[0]))[0]
    return replace(profile, genesis="0x" + _block_hash(first).hex())


def _require_place(chain: Chain, endpoint: Endpoint) -> None:
    """Refuse an endpoint that has another first block, or not the profile's contracts."""
    profile, infos = chain.profile, list(chain.profile.contracts.items())
    names = _names(chain)
    replies = chain.rpc.batch(
        [
            _block_request(0),
            *(("eth_getCode", (info.address, "latest")) for _, info in infos),
            *(call.request() for call, _ in names),
        ],
        endpoint=endpoint,
        attempts=1,
    )
    if _block_hash(replies[0]) != chain.genesis:
        raise ChainMismatchError(
            f"endpoint {endpoint.shown} has another block 0 than profile {profile.name} says; if "
            "its local chain was started again take its profile with `truthmark init --devnet "
            "FOLDER`, else use another endpoint",
            page=f"endpoint {endpoint.shown} has another block 0 than profile "
            f"{profile.name} says; if its local chain was started again set this machine up again "
            "by `truthmark init`, else use another endpoint",
        )
    for (role, info), code in zip(infos, map(hex_bytes, replies[1:]), strict=False):
        if not code:
            raise ChainMismatchError(
                f"there is no {role} contract at {info.address} on {profile.name}; if this is a "
                "local chain run `truthmark devnet up`, else get the network's current profile"
            )
        if "0x" + keccak256(code).hex() != info.code_hash:
            raise ChainMismatchError(
                f"the {role} contract at {info.address} on {profile.name} is not the one the "
                "profile means; use the Truthmark release and the profile that belong together"
            )
    for (call, wanted), reply in zip(names, replies[1 + len(infos) :], strict=True):
        if call.decode(reply) != wanted:
            raise ChainMismatchError(
                f"endpoint {endpoint.shown} says that {call.contract.role}.{call.function.name} "
                f"is not {profile.name}'s; use another endpoint, or the network's current profile"
            )


def _names(chain: Chain) -> list[tuple[Call, object]]:
    """Return what contracts say of each other and their code does not fix."""
    contracts = chain.contracts
    found: list[tuple[Call, object]] = []
    if "registry" in contracts and "market" in contracts:
        found.append((contracts["registry"].functions.market(), contracts["market"].address))
    slashers = [contracts[role].address for role in SLASHERS if role in contracts]
    if "staking" in contracts and slashers:
        found.append((contracts["staking"].functions.slashers(), slashers))
    for part in ("intake", "proofs"):
        if "bounty_board" in contracts and f"bounty_{part}" in contracts:
            call = getattr(contracts["bounty_board"].functions, part)()
            found.append((call, contracts[f"bounty_{part}"].address))
    return found


def _block_request(block: BlockId) -> tuple[str, tuple[object, ...]]:
    if isinstance(block, bytes):
        return "eth_getBlockByHash", ("0x" + block.hex(), False)
    return "eth_getBlockByNumber", (block_param(block), False)


def _maybe_block(reply: object) -> Block | None:
    return None if reply is None else Block.from_rpc(reply)


def _block_hash(reply: object) -> bytes:
    return Block.from_rpc(reply).hash


def _place_in_time(reply: object) -> tuple[int, bytes, int]:
    block = Block.from_rpc(reply)
    return block.number, block.hash, block.timestamp
