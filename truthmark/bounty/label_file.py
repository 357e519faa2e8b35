# SPDX-License-Identifier: Apache-2.0
r"""The file that a labeler hands out: sealed labels, and notes that only the requester reads.

```text
"TMKL\x01" ‖ u64 chain id ‖ board (20) ‖ u64 bounty ‖ u16 worker ‖ u8 seats
‖ root (32) ‖ E.x (32) ‖ u8 parity of E.y ‖ u32 length ‖ sealed ‖ notes
```

Notes (seconds, remarks and texts by item) are JSON under AES-256-GCM with the key
H("truthmark/label-notes/1" ‖ S): a nonce of 12 bytes, then ciphertext and tag. They are nobody's
commitment, so a lost or damaged note costs no labels. There may be none.
"""

import json
import os
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from truthmark.bounty.reference import BountyRef
from truthmark.bounty.sealing import POINT_BYTES, SealedRun, run_from_body
from truthmark.config.units import to_checksum_address
from truthmark.errors import BountyError
from truthmark.keys.abi_hash import address_bytes, hash_words, tag
from truthmark.types import Point

MAX_BYTES: Final = 3 << 20

_MAGIC: Final = b"TMKL\x01"
_NOTES: Final = tag("truthmark/label-notes/1")
_NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = len(_MAGIC) + 8 + 20 + 8 + 2 + 1 + 32 + POINT_BYTES + 4


@dataclass(frozen=True, slots=True)
class LabelFile:
    """One worker's labels, sealed.

    Attributes:
        ref: The bounty.
        worker: The row of the roster.
        seats: How many seats are committed.
        run: Root, E and sealed labels.
        notes: Sealed too; empty where there are none.
    """

    ref: BountyRef
    worker: int
    seats: int
    run: SealedRun
    notes: bytes = b""

    def to_bytes(self) -> bytes:
        """Return the file."""
        body = self.run.body
        return b"".join(
            [
                _MAGIC,
                self.ref.chain_id.to_bytes(8, "big"),
                address_bytes(self.ref.board),
                self.ref.bounty_id.to_bytes(8, "big"),
                self.worker.to_bytes(2, "big"),
                bytes([self.seats]),
                self.run.root,
                body[:POINT_BYTES],
                len(self.run.sealed).to_bytes(4, "big"),
                self.run.sealed,
                self.notes,
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a file.

        Raises:
            BountyError: It is none, or damaged.
        """
        if len(data) > MAX_BYTES or len(data) < _HEAD_BYTES or not data.startswith(_MAGIC):
            raise BountyError("this is no label file of a bounty; ask the labeler again")
        at = len(_MAGIC)
        chain_id = int.from_bytes(data[at : at + 8], "big")
        board = to_checksum_address("0x" + data[at + 8 : at + 28].hex())
        bounty_id = int.from_bytes(data[at + 28 : at + 36], "big")
        worker = int.from_bytes(data[at + 36 : at + 38], "big")
        seats, at = data[at + 38], at + 39
        root, point = data[at : at + 32], data[at + 32 : at + 32 + POINT_BYTES]
        length = int.from_bytes(data[_HEAD_BYTES - 4 : _HEAD_BYTES], "big")
        end = _HEAD_BYTES + length
        if end > len(data):
            raise BountyError("the label file is cut off; fetch it again")
        run = run_from_body(root, point + data[_HEAD_BYTES:end])
        return cls(BountyRef(chain_id, board, bounty_id), worker, seats, run, data[end:])


def seal_notes(shared: Point, notes: dict[str, Any]) -> bytes:
    """Seal notes for the requester.

    Args:
        shared: S.
        notes: JSON values, such as seconds by item.

    Returns:
        Nonce of 12 bytes, ciphertext, tag of 16.
    """
    nonce = os.urandom(_NONCE_BYTES)
    text = json.dumps(notes, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    plain = text.encode("utf-8", "replace")  # a remark may come from a terminal of another kind
    return nonce + AESGCM(hash_words(_NOTES, shared)).encrypt(nonce, plain, None)


def open_notes(shared: Point, sealed: bytes) -> dict[str, Any]:
    """Return the notes of a file; empty where there are none.

    Args:
        shared: S, the point that requester and worker share.
        sealed: Nonce, ciphertext and tag; empty for none.

    Raises:
        BountyError: They are damaged; the labels may be fine all the same.
    """
    if not sealed:
        return {}
    nonce, box = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        notes = json.loads(AESGCM(hash_words(_NOTES, shared)).decrypt(nonce, box, None))
    except (InvalidTag, ValueError, RecursionError) as error:
        raise BountyError("the notes of a label file do not open; its labels may") from error
    if not isinstance(notes, dict):
        raise BountyError("the notes of a label file are no record; its labels may be fine")
    return notes
