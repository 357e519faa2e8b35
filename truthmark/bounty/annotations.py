# SPDX-License-Identifier: Apache-2.0
"""What people write where a label is a text, and no class (team mode).

The chain holds a hash for each; the text itself travels to the requester in the notes of the label
file, and counts where it gives that hash.
"""

from typing import Final
from unicodedata import category

from truthmark.bounty.sealing import HASH_BYTES
from truthmark.errors import BountyError
from truthmark.hashing import keccak256

MAX_LETTERS: Final = 2_000
"""Of a text. As many as a run may have, with a remark on each, fit one label file."""

SKIPPED: Final = bytes(HASH_BYTES)
"""The code of an item that was skipped, as of a place without one."""

_NONE: Final = ("Cc", "Cs")
_KEPT: Final = "\n\t"


def annotation(text: str) -> str:
    """Return a text as it is committed to: without spaces around, lines ended by a line feed.

    Args:
        text: As it was written; a sentence, a transcript, or boxes and spans as JSON.

    Raises:
        BountyError: It is empty, too long, or holds what is no letter.
    """
    found = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not found:
        raise BountyError("an empty text is no answer; write something, or skip the item")
    if len(found) > MAX_LETTERS:
        raise BountyError(f"a text has at most {MAX_LETTERS} letters, this one {len(found)}")
    if any(category(letter) in _NONE and letter not in _KEPT for letter in found):
        raise BountyError("the text holds a control character; take it out")
    return found


def annotation_code(text: str) -> bytes:
    """Return the code of a text, 32 bytes; of an empty one, that of a skip."""
    return keccak256(text.encode()) if text else SKIPPED
