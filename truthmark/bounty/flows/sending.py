# SPDX-License-Identifier: Apache-2.0
"""Sends a proof that a labeler's browser made ready: anyone may, and gets the reward for it."""

import json
from typing import TYPE_CHECKING, Final

from truthmark.bounty.client import PROVE, BountyClient
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.errors import BountyError, MalformedReplyError, RevertedError
from truthmark.keys.abi_hash import address_bytes
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.contracts import Call

FORMAT: Final = "truthmark/proof/1"
MAX_BYTES: Final = 256 << 10
_NO_PROOF: Final = "this file holds no proof that a label page saved; ask for it again"


def send_proof(session: Session, data: bytes) -> Record:
    """Send a proof, and return the bounty as it was before.

    The file is a stranger's. It can make nothing but one of the four proofs of this profile's own
    contract, of which the sender has the reward and nobody else has anything of theirs.

    Args:
        session: Whose account pays the gas, and is credited the reward.
        data: What the page saved.

    Raises:
        BountyError: It is no proof, of another network, or proves nothing any more.
        ChainError: The chain cannot be read, or somebody else was faster.
    """
    client = BountyClient(session)
    number, call = read_proof(client, data)
    record = client.read(number)
    if record.status not in (Status.SCORED, Status.SCORED_HALF):
        raise BountyError(
            f"bounty {number} has no score that can be disproved now; nothing was sent"
        )
    try:
        call.call(sender=session.address)
    except RevertedError as error:
        raise BountyError(
            f"the contract does not take this proof ({error}); nothing was sent"
        ) from (error)
    client.send_proof(number, call)
    return record


def read_proof(client: BountyClient, data: bytes) -> tuple[int, "Call"]:
    """Return the bounty of a proof, and the call of this profile's contract that it makes.

    Args:
        client: Of the network that it must be of.
        data: What the page saved.

    Raises:
        BountyError: It is no proof, or of another network.
    """
    try:
        file = json.loads(data) if len(data) <= MAX_BYTES else None
        if not isinstance(file, dict) or file.get("format") != FORMAT:
            raise BountyError(_NO_PROOF)
        number, board, chain_id = file["bounty"], address_bytes(file["board"]), file["chain_id"]
        if type(number) is not int or type(chain_id) is not int:  # 7.0 and true are equal to some
            raise BountyError(_NO_PROOF)
        calldata = bytes.fromhex(file["data"].removeprefix("0x"))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise BountyError(_NO_PROOF) from error
    ref = client.ref(number)
    if (chain_id, board) != (ref.chain_id, address_bytes(ref.board)):
        raise BountyError("this proof is of another network; choose that one, and send it there")
    functions = client.proofs.artifact.functions
    for name in PROVE.values():
        (function,) = functions[name]
        if calldata[:4] != function.selector:
            continue
        try:
            arguments = function.decode_arguments(calldata)
        except MalformedReplyError as error:
            raise BountyError(_NO_PROOF) from error
        if arguments[0] == number:
            return number, getattr(client.proofs.functions, name)(*arguments)
    raise BountyError(_NO_PROOF)
