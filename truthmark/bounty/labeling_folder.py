# SPDX-License-Identifier: Apache-2.0
"""What a labeler keeps of a bounty on disk: `<home>/labeling/<board>-<number>/`.

Answers are a file that only grows; all else is written whole, and on disk when a method returns.
What was signed, and the key it was signed with, are in the vault.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from truthmark.bounty.answer_log import AnswerLog
from truthmark.bounty.document import MAX_BYTES as MAX_DOCUMENT
from truthmark.bounty.document import Document
from truthmark.bounty.items import MAX_ITEM
from truthmark.bounty.private_folder import PrivateFolder, not_written
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.terms import Terms
from truthmark.errors import BountyError
from truthmark.hashing import sha256
from truthmark.keys.abi_hash import address_bytes
from truthmark.keys.files import make_private_folder

FOLDER: Final = "labeling"

_MAX_MANIFEST: Final = 1 << 30
_MAX_RECORD: Final = 1 << 20
_SIGNATURE_BYTES: Final = 65


@dataclass(frozen=True, slots=True)
class Entry:
    """What a labeler asked for.

    Attributes:
        signer: The address that signs.
        account: The account it is, or "" for a key of its own that the vault holds.
        payee: Who is to be paid.
        seats: How many seats at most.
        relay: Where it was asked for.
        code: The invitation's; "" without one.
        is_named: Whether the person named the relay, and not the bounty's document.
    """

    signer: str
    account: str
    payee: str
    seats: int
    relay: str
    code: str = ""
    is_named: bool = False


class LabelingFolder(PrivateFolder):
    """The folder of one bounty.

    Args:
        home: The home folder.
        ref: The bounty.
    """

    def __init__(self, home: Path, ref: BountyRef) -> None:
        """Take a folder; nothing is read yet, and it need not be there."""
        board = address_bytes(ref.board).hex()
        super().__init__(home / FOLDER / f"{board}-{ref.bounty_id}")

    @classmethod
    def all(cls, home: Path, chain_id: int, board: str) -> Iterator[tuple[int, Self]]:
        """Yield number and folder of every bounty of a board that this home has to do with.

        Args:
            home: The home folder.
            chain_id: Of the chain.
            board: Address of the board.
        """
        prefix = f"{address_bytes(board).hex()}-"
        numbers = (path.name[len(prefix) :] for path in (home / FOLDER).glob(f"{prefix}*"))
        for number in sorted(int(text) for text in numbers if text.isdecimal()):
            yield number, cls(home, BountyRef(chain_id, board, number))

    # ---------------------------------------------------------------- what was asked for

    @property
    def entry(self) -> Entry | None:
        """What this labeler asked for; None before that.

        Raises:
            BountyError: It is damaged.
        """
        data = self._read("joined.json", _MAX_RECORD)
        if data is None:
            return None
        try:
            value = json.loads(data)
            return Entry(**value)
        except (ValueError, TypeError) as error:
            raise BountyError(
                f"{self.folder / 'joined.json'} is damaged; move it away and join again"
            ) from error

    def keep_entry(self, entry: Entry) -> None:
        """Keep what is asked for, before it is asked for."""
        self._write("joined.json", json.dumps(asdict(entry), indent=2).encode())

    def forget_entry(self) -> None:
        """Forget what was asked for, as it was refused."""
        (self.folder / "joined.json").unlink(missing_ok=True)

    # -------------------------------------------------------------- document and items

    def find_document(self, terms: Terms) -> Document | None:
        """Return the document that terms name, if it is here."""
        data = self._read("document.json", MAX_DOCUMENT)
        if data is None or sha256(data) != terms.document:
            return None
        return Document.from_bytes(data)

    def keep_document(self, document: Document) -> None:
        """Keep a document."""
        self._write("document.json", document.to_bytes())

    def find_manifest(self) -> bytes | None:
        """Return the list of items, unchecked."""
        return self._read("manifest.tmki", _MAX_MANIFEST)

    def keep_manifest(self, data: bytes) -> None:
        """Keep the list of items."""
        self._write("manifest.tmki", data)

    def find_item(self, number: int) -> bytes | None:
        """Return an item as it is stored, unchecked."""
        return self._read(f"items/{number}", MAX_ITEM)

    def keep_item(self, number: int, stored: bytes) -> None:
        """Keep an item; it can be had again, so that a crash may take it.

        Args:
            number: Of the item, from 0.
            stored: The bytes as they are stored.

        Raises:
            StorageError: The disk cannot be written.
        """
        path = self.folder / "items" / str(number)
        try:
            make_private_folder(path.parent)
            path.write_bytes(stored)
        except OSError as error:
            raise not_written(path, error) from error

    def find_keys(self) -> dict[int, bytes]:
        """Return the keys of items that are here."""
        data = self._read("item-keys.json", _MAX_RECORD)
        try:
            found = {} if data is None else json.loads(data)
            return {int(item): bytes.fromhex(key) for item, key in found.items()}
        except (ValueError, TypeError, AttributeError):
            return {}  # they are asked for again

    def keep_keys(self, keys: dict[int, bytes]) -> None:
        """Keep the keys of items."""
        found = {str(item): key.hex() for item, key in keys.items()}
        self._write("item-keys.json", json.dumps(found).encode())

    def forget_keys(self) -> None:
        """Let the keys of items be asked for again."""
        (self.folder / "item-keys.json").unlink(missing_ok=True)

    # ------------------------------------------------------------------ answers and after

    def answers(self) -> AnswerLog:
        """Open the answers; one program at a time.

        Raises:
            BountyError: Another program has them open, or they are damaged.
        """
        return AnswerLog(self.folder / "answers.log")

    @property
    def practice(self) -> float | None:
        """Which part of the practice items was right; None before practice."""
        data = self._read("practice.json", _MAX_RECORD)
        try:
            share = None if data is None else float(json.loads(data)["right"])
        except (ValueError, TypeError, KeyError):
            return None
        return share

    def keep_practice(self, right: float) -> None:
        """Keep which part of the practice items was right."""
        self._write("practice.json", json.dumps({"right": right}).encode())

    def find_acknowledgement(self, commitment: bytes) -> bytes | None:
        """Return the receiver's signature for labels; to be checked by who believes it."""
        return self._read(f"acknowledgement-{commitment.hex()}", _SIGNATURE_BYTES)

    def keep_acknowledgement(self, commitment: bytes, signature: bytes) -> None:
        """Keep the receiver's signature.

        Args:
            commitment: What was signed for, 32 bytes.
            signature: 65 bytes of a key, or what a contract takes.
        """
        self._write(f"acknowledgement-{commitment.hex()}", signature)
