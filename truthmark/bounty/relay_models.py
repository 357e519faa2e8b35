# SPDX-License-Identifier: Apache-2.0
"""What goes between a relay and those who use it: JSON, with bytes as hex and `0x`.

Server and client have one description of it, from which the relay's OpenAPI document is made.
"""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from truthmark.bounty.label_file import MAX_BYTES as MAX_FILE
from truthmark.bounty.terms import MAX_RUN, MAX_SEATS, MAX_WORKERS
from truthmark.codec.manifest import to_canonical_json
from truthmark.config.units import to_checksum_address
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import tag

MAX_SIGNATURE: Final = 1024
"""Of contracts; keys sign 65 bytes."""
MAX_CODE: Final = 64
MAX_NAME: Final = 100
MAX_INVITED: Final = MAX_WORKERS
MAX_WEBHOOKS: Final = 4
MAX_SEALED_SECRET: Final = 512

_CODE: Final = re.compile(rf"[!-~]{{8,{MAX_CODE}}}")
_INVITATION: Final = tag("truthmark/invitation/1")


def is_code(text: str) -> bool:
    """Return whether a text can be an invitation code at all."""
    return _CODE.fullmatch(text) is not None


def code_hash(code: str) -> bytes:
    """Return what a relay keeps of an invitation code, 32 bytes."""
    return keccak256(_INVITATION + code.encode())


def _from_hex(value: Any) -> Any:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError("write bytes as hex with 0x in front")
    return bytes.fromhex(value[2:])


def _hex(least: int, most: int) -> Any:
    pattern = f"^0x([0-9a-f]{{2}}){{{least},{most}}}$"
    return [
        BeforeValidator(_from_hex),
        Field(min_length=least, max_length=most),
        PlainSerializer(lambda value: "0x" + value.hex(), return_type=str),
        WithJsonSchema({"type": "string", "pattern": pattern}),
    ]


def _is_line(text: str) -> str:
    if text and not text.isprintable():
        raise ValueError("write it on one line")
    return text


Bytes32 = Annotated[bytes, *_hex(32, 32)]
Signature = Annotated[bytes, *_hex(65, MAX_SIGNATURE)]
Chunk = Annotated[bytes, *_hex(0, 1 << 16)]
SealedSecret = Annotated[bytes, *_hex(1, MAX_SEALED_SECRET)]
Address = Annotated[
    str,
    Field(strict=True, pattern="^0x[0-9a-fA-F]{40}$"),
    AfterValidator(to_checksum_address),
]
BountyId = Annotated[int, Field(strict=True, ge=1, lt=2**63)]
Worker = Annotated[int, Field(strict=True, ge=0, lt=MAX_WORKERS)]
Seats = Annotated[int, Field(strict=True, ge=1, le=MAX_RUN)]
Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Name = Annotated[str, Field(strict=True, max_length=MAX_NAME), AfterValidator(_is_line)]
Code = Annotated[str, Field(strict=True, min_length=8, max_length=MAX_CODE, pattern="^[!-~]+$")]
Url = Annotated[str, Field(strict=True, max_length=500, pattern="^https?://[!-~]+$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Reply(BaseModel):
    # A newer relay may say more; what it says less is refused.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Problem(_Reply):
    """Why something was refused, in one line."""

    error: str


# ------------------------------------------------------------------------------ the relay


class WatchKey(_Reply):
    """A node that takes deposits of labelers who leave, and the key to which secrets are sealed."""

    url: str
    key: Bytes32


class RelayInfo(_Reply):
    """Who answers here.

    Attributes:
        chain_id: The chain of the board.
        board: The contract.
        account: Of the relay, which terms name.
        url: Under which others reach it; empty where its operator has not said.
        version: Of Truthmark.
        roles: What the node does, of "relay" and "watch".
        watch: Nodes that this relay knows for deposits.
        min_fees: What a bounty must pay it for each worker who commits, by token, in its smallest
            unit, unless the requester is known to it.
        knows_requester: Whether it serves the requester who was asked about for less.
        max_bytes: Of the items of one bounty; None where it does not say.
        fetches: Whether it brings papers itself from its storage, where nobody uploads them.
    """

    chain_id: Count
    board: Address
    account: Address
    url: str
    version: str
    roles: list[str]
    watch: list[WatchKey]
    min_fees: dict[str, Count]
    knows_requester: bool = False
    max_bytes: Count | None = None
    fetches: bool = False


class BountyStatus(_Reply):
    """How a bounty stands, by the newest block that the relay has seen.

    Attributes:
        bounty_id: Its number.
        terms_hash: Of its terms.
        title: Of its document; empty until that is here.
        status: The board's number of its status (`payouts.Status`).
        phase: In a word (`phases.phase_of`).
        chain_time: Of the newest block.
        join_until: Last second to join.
        label_until: Last second for the relay to post commits; None before the seed is fixed.
        commit_until: Last second for overrides.
        post_until: Last second for sealed labels.
        score_until: Last second to score.
        seed: 32 bytes, zeros before it is fixed.
        seats: In all.
        min_seats: That must be taken.
        taken: Seats that are taken or asked for.
        is_full: Whether nobody can join any more for want of seats.
        is_invited_only: Whether an invitation is needed.
        waiting: Joins that are not on chain yet.
        enrolled: Workers on the roster.
        committed: Workers whose commit is on chain.
        uncommitted: Commits that are here and not on chain yet.
        posted: Workers whose sealed labels are on chain.
        files: Label files that are here.
        acknowledged: Acknowledgements that are here.
        next_enroll_at: When waiting joins are sent at the latest; None where none waits.
        next_post_at: When waiting commits are posted at the latest; None where none waits.
        has_document: Whether the document is here, and so on.
        is_encrypted: Whether items need keys.
    """

    bounty_id: BountyId
    terms_hash: Bytes32
    title: str
    status: Count
    phase: str
    chain_time: Count
    join_until: Count
    label_until: Count | None
    commit_until: Count | None
    post_until: Count | None
    score_until: Count | None
    seed: Bytes32
    seats: Annotated[int, Field(ge=0, le=MAX_SEATS)]
    min_seats: Count
    taken: Count
    is_full: bool
    is_invited_only: bool
    waiting: Count
    enrolled: Count
    committed: Count
    uncommitted: Count
    posted: Count
    files: Count
    acknowledged: Count
    next_enroll_at: Count | None
    next_post_at: Count | None
    has_document: bool
    has_manifest: bool
    has_data: bool
    is_encrypted: bool


# ------------------------------------------------------------------------------ requesters


class Invited(_Model):
    """Who may join by their address.

    Attributes:
        account: Of the signer.
        name: By which the requester knows them.
    """

    account: Address
    name: Name = ""


class Invitation(_Model):
    """Who may join with a code, which counts for the first key that shows it.

    Attributes:
        code_hash: Of `code_hash`.
        name: By which the requester knows them.
    """

    code_hash: Bytes32
    name: Name = ""


class Offer(_Model):
    """What the requester tells the relay about a bounty; a later one replaces it.

    Attributes:
        number: Higher than that of the offer before, such as Unix time.
        items_secret: Of which the items' keys are made; None where items are not encrypted.
        invited: Who may join, by address.
        invitations: Who may join, by code. With neither, everyone may.
        webhooks: Where notices are posted.
    """

    number: Count
    items_secret: Bytes32 | None = None
    invited: Annotated[list[Invited], Field(max_length=MAX_INVITED)] = []
    invitations: Annotated[list[Invitation], Field(max_length=MAX_INVITED)] = []
    webhooks: Annotated[list[Url], Field(max_length=MAX_WEBHOOKS)] = []

    @property
    def hash(self) -> bytes:
        """What the requester signs: keccak256 of canonical JSON, 32 bytes."""
        return keccak256(to_canonical_json(self.model_dump(mode="json"), "offer"))

    @property
    def is_invited_only(self) -> bool:
        """Whether only those named may join."""
        return bool(self.invited or self.invitations)


class OfferRequest(_Model):
    """An offer, signed (`messages.serve`) by the requester of the terms."""

    terms_hash: Bytes32
    offer: Offer
    signature: Signature


class OfferReply(_Reply):
    """What an offer brings.

    Attributes:
        upload_token: Shown with uploads of document, manifest and data.
        missing: What of these is not here yet.
    """

    upload_token: str
    missing: list[Literal["document", "manifest", "data"]]


class Joined(_Reply):
    """A row that somebody asked for, for the requester's eyes.

    Attributes:
        account: The signer.
        name: Of the invitation.
        state: As in `JoinState`; "invited" who has not joined.
    """

    account: Address | None
    name: str
    state: Literal["invited", "waiting", "enrolled", "removed"]


# ------------------------------------------------------------------------------ labelers


class JoinRequest(_Model):
    """A labeler asks for seats.

    Attributes:
        signer: Who labels.
        payee: Who is paid.
        seats: How many they take at most.
        signature: Of `messages.join`, by the signer.
        code: An invitation's.
        reader: A key that may ask for the items' keys too, so that a wallet is not asked to sign
            for that. Only the first request of a signer names it.
    """

    signer: Address
    payee: Address
    seats: Seats
    signature: Signature
    code: Code | None = None
    reader: Address | None = None


class JoinState(_Reply):
    """What became of it.

    Attributes:
        state: "waiting" for the relay to enroll; "enrolled" on chain; "removed" for a reason.
        worker: The row, once on chain.
        seats: Of the row, once on chain; else those asked for.
        payee: Who is paid.
        enrolls_by: When it is sent at the latest, while it waits.
        reason: Why it was removed.
    """

    state: Literal["waiting", "enrolled", "removed"]
    worker: Worker | None
    seats: Seats
    payee: Address
    enrolls_by: Count | None = None
    reason: str = ""


class Calls(_Reply):
    """The chunks that each call brought to the chain, which evidence needs; to be stored.

    Attributes:
        calls: By call, its chunks of at most 32 rows.
        block: Up to which.
    """

    calls: list[list[Chunk]]
    block: Count


class KeysRequest(_Model):
    """A worker, or their reader, asks for the keys of their items: `messages.item_keys`, signed."""

    worker: Worker
    signature: Signature


class Keys(_Reply):
    """Keys of the items of a run, by number of the item."""

    keys: dict[Count, Bytes32]


class CommitRequest(_Model):
    """What a worker says about their labels: `messages.commit`, signed."""

    worker: Worker
    seats: Seats
    commitment: Bytes32
    signature: Signature


class CommitState(_Reply):
    """What became of it.

    Attributes:
        state: "waiting" for the relay to post; "posted" by it; "overridden" by the worker;
            "differs" where something else stands on chain, which the worker overrides.
        seats: That stand on chain, else those that wait.
        commitment: Likewise.
        posts_by: When it is posted at the latest, while it waits.
        tx: The transaction that brought it.
        block: Where that is.
    """

    state: Literal["waiting", "posted", "overridden", "differs"]
    seats: Seats
    commitment: Bytes32
    posts_by: Count | None = None
    tx: str | None = None
    block: Count | None = None


class FileEntry(_Reply):
    """A label file that is here.

    Attributes:
        worker: Whose.
        size: Bytes.
        commitment: To which it belongs.
        is_acknowledged: Whether the receiver has signed for it.
    """

    worker: Worker
    size: Annotated[int, Field(ge=0, le=MAX_FILE)]
    commitment: Bytes32
    is_acknowledged: bool


class Acknowledgement(_Model):
    """The receiver's word that it has a file: `messages.acknowledged`, signed."""

    signature: Signature


class DepositRequest(_Model):
    """What a labeler who leaves gives a watch node.

    Attributes:
        seats: As in the signed commit.
        commitment: Likewise.
        signature: Of `messages.commit`, by the row's signer.
        file: The label file, base64.
        sealed_secret: For proofs: sealed to the node's key. It opens the labels: only after the
            commit is final, or where the labeler says so.
    """

    seats: Seats
    commitment: Bytes32
    signature: Signature
    file: Annotated[Base64Bytes, Field(max_length=2 * MAX_FILE)]
    sealed_secret: SealedSecret | None = None


class DepositState(_Reply):
    """What a watch node has of a worker.

    Attributes:
        commitment: Of the deposit.
        has_secret: Whether it could prove a lie.
        state: What it has done last, in a word.
    """

    commitment: Bytes32
    has_secret: bool
    state: str
