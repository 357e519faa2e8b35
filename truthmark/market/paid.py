# SPDX-License-Identifier: Apache-2.0
"""Whether an account has paid for a version already, by the market's own word.

The index holds what one endpoint told of logs, and could leave a purchase out or call one refunded
that is not. So before a version is paid for, what journal and index know of earlier purchases is
asked of the market at two endpoints, and another endpoint is asked for purchases that neither
knows, such as those of the same account on another machine.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from truthmark.chain.agreement import ADD_AN_ENDPOINT, ADD_ON_PAGE, agreed, can_be_sure
from truthmark.chain.contracts import block_param
from truthmark.chain.ranges import BlockRange
from truthmark.chain.replies import hex_int
from truthmark.errors import (
    BoughtBeforeError,
    ChainUnavailableError,
    MalformedReplyError,
    NodeError,
)
from truthmark.market.catalogue import Catalogue
from truthmark.market.records import PurchaseStatus, Terms
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.connection import Block
    from truthmark.chain.contracts import Log
    from truthmark.chain.http import Endpoint
    from truthmark.market.entries import Version

MAX_QUESTIONS = 500
"""How many ranges of blocks another endpoint is asked for, whatever it takes at once."""


def require_unpaid(session: Session, version: "Version") -> None:
    """Refuse to pay for a version again unless it is sure that all earlier money came back.

    Raises:
        BoughtBeforeError: It was bought before, or that cannot be ruled out.
        EndpointsDisagreeError: Two endpoints say different things.
        ChainUnavailableError: Fewer answer than are needed.
    """
    chain = session.chain
    voided = _journalled(session, version)
    indexed = {
        purchase.purchase_id
        for purchase in Catalogue.of(session).purchases(
            buyer=session.address, terms_id=version.terms_id
        )
    }
    known = sorted(indexed | voided.keys())
    if not can_be_sure(chain.rpc, chain.profile.chain_id):
        if known:
            bought = (
                f"{version.ref} was bought by this account before, and only one chain endpoint "
                "says that the money came back"
            )
            raise BoughtBeforeError(
                f"{bought}; {ADD_AN_ENDPOINT}, or pay once more with --again",
                page=f"{bought}; {ADD_ON_PAGE}, or agree to pay once more",
            )
        return
    final = chain.final_block()
    if known:
        used, statuses = _ask(session, known, final)
        for purchase_id, status in zip(known, statuses, strict=True):
            last = voided.get(purchase_id)
            is_void = status == PurchaseStatus.NONE and last is not None and 0 <= last < used
            if status != PurchaseStatus.REFUNDED and not is_void:
                raise _bought(version, purchase_id, status)
    hidden = _elsewhere(session, version, final) - set(known)
    if hidden:
        raise _bought(version, min(hidden), PurchaseStatus.PAID)


def _bought(version: "Version", purchase_id: bytes, status: int) -> BoughtBeforeError:
    bought = f"{version.ref} was bought by this account before (purchase 0x{purchase_id.hex()})"
    if status == PurchaseStatus.NONE:
        bought += ", which may yet reach the chain; nothing was paid: try again in a minute, or"
        return BoughtBeforeError(
            f"{bought} pay once more with --again", page=f"{bought} agree to pay once more"
        )
    bought += (
        ", and its money did not come back; nothing was paid: a chain endpoint that says otherwise "
        "is wrong,"
    )
    return BoughtBeforeError(
        f"{bought} use others with --rpc and run `truthmark index rebuild`, or pay once more with "
        "--again",
        page=f"{bought} so replace it by `truthmark init --rpc URL,URL` and run `truthmark index "
        "rebuild` in a terminal, or agree to pay once more",
    )


def _journalled(session: Session, version: "Version") -> dict[bytes, int]:
    """Return the purchases that this home has ever signed, by id.

    With each comes the nonce that must be used up for it to be void, or -1 where it counts.
    """
    market = session.chain.market
    functions = {function.selector: function for function in market.artifact.functions["buy"]}
    found = {}
    for entry, nonce in session.journal.signed("buy:"):
        function = functions.get(entry.intent.data[:4])
        if entry.intent.to != market.address or function is None:
            continue
        _, terms, *_ = function.decode_arguments(entry.intent.data)
        if Terms.from_chain(terms).terms_id == version.terms_id:
            counts = entry.receipt is not None and entry.receipt.succeeded
            found[bytes.fromhex(entry.intent.key.removeprefix("buy:"))] = -1 if counts else nonce
    return found


def _ask(session: Session, known: Sequence[bytes], final: "Block") -> tuple[int, list[int]]:
    """Return how many nonces the account has used, and how its purchases stand."""
    calls = [session.chain.market.functions.purchases(purchase_id) for purchase_id in known]
    count, *replies = agreed(
        session.chain.rpc,
        [
            ("eth_getTransactionCount", (session.address, block_param(final.hash))),
            *(call.request(block=final.hash) for call in calls),
        ],
    )
    states = [call.decode(reply) for call, reply in zip(calls, replies, strict=True)]
    return hex_int(count), [state.status for state in states]


def _elsewhere(session: Session, version: "Version", final: "Block") -> set[bytes]:
    """Return the account's purchases of a version that another endpoint tells of.

    Where every transaction of the account is in this home's journal, there are no others.

    Raises:
        BoughtBeforeError: It does not tell.
    """
    chain = session.chain
    others = chain.rpc.others()
    if not others:
        return set()
    count = ("eth_getTransactionCount", (session.address, block_param(final.hash)))
    if hex_int(agreed(chain.rpc, [count])[0]) <= session.journal.mined():
        return set()
    failure: Exception | None = None
    for endpoint in others:
        try:
            bought = [log.args for log in _bought_at(session, endpoint)]
            return {args["purchase_id"] for args in bought if args["terms_id"] == version.terms_id}
        except (ChainUnavailableError, MalformedReplyError, NodeError) as error:
            failure = error
    doubt = (
        f"no second chain endpoint tells whether this account bought {version.ref} on another "
        f"machine ({failure})"
    )
    raise BoughtBeforeError(
        f"{doubt}; use another with --rpc, or pay with --again",
        page=f"{doubt}; {ADD_ON_PAGE}, or agree to pay once more",
    )


def _bought_at(session: Session, endpoint: "Endpoint") -> "list[Log]":
    """Return all purchases of the account as one endpoint has them.

    Raises:
        ChainUnavailableError: It takes only so few blocks at once that this would not end.
    """
    chain = session.chain
    event = next(e for e in chain.market.artifact.events.values() if e.name == "Purchased")
    query = {
        "address": chain.market.address,
        "topics": [
            "0x" + event.topic.hex(),
            None,
            None,
            "0x" + bytes(12).hex() + session.address[2:].lower(),
        ],
    }
    head = hex_int(chain.rpc.call("eth_blockNumber", endpoint=endpoint))
    first, span = chain.profile.contracts["market"].block, BlockRange(head + 1, head + 1)
    found: list[Log] = []
    for _ in range(MAX_QUESTIONS):
        if first > head:
            return found
        last = min(first + span.size - 1, head)
        limits = {"fromBlock": hex(first), "toBlock": hex(last)}
        try:
            logs = chain.rpc.batch(
                [("eth_getLogs", ({**query, **limits},))], endpoint=endpoint, attempts=1
            )[0]
        except (ChainUnavailableError, NodeError):
            if first == last:
                raise
            span.shorten(first, last)
            continue
        if not isinstance(logs, list):
            raise MalformedReplyError("a chain endpoint gives no logs; try another one")
        found += chain.market.logs(logs)
        span.note(last - first + 1, len(logs))
        first = last + 1
    raise ChainUnavailableError(
        f"chain endpoint {endpoint.shown} takes {span.size} blocks at once, too few to ask it for "
        "all"
    )
