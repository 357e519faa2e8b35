# SPDX-License-Identifier: Apache-2.0
"""What a requester keeps of a bounty on disk: all of it but the secrets, which the vault holds.

One folder a bounty, `<home>/bounties/<first 16 digits of the bounty key>/`, named before the
bounty has a number. Each file is written whole and is on disk when a method returns; so a
process that is killed goes on from what is there. What cannot be had again (labelers' files) is
never replaced by something else.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from truthmark.bounty.document import MAX_BYTES, Document
from truthmark.bounty.gold import Gold
from truthmark.bounty.items import Items
from truthmark.bounty.label_file import MAX_BYTES as MAX_FILE_BYTES
from truthmark.bounty.private_folder import PrivateFolder
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.terms import Terms
from truthmark.config.files import sync_path
from truthmark.config.units import to_checksum_address
from truthmark.errors import BountyError
from truthmark.hashing import sha256
from truthmark.keys.abi_hash import word
from truthmark.types import Point

FOLDER: Final = "bounties"

_DOCUMENT, _GOLD, _TERMS = "document.json", "gold.json", "terms.json"
_REF, _PROGRESS, _NAMES, _DRAFT = "bounty.json", "progress.json", "names.json", "draft.json"
_GUESTS: Final = "guests.json"
_PEOPLE: Final = "people.json"
_FILES, _SUFFIX = "files", ".tmkl"
_ACKNOWLEDGEMENTS, _SIGNATURE = "acknowledgements", ".sig"
_MAX_JSON: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Guest:
    """Who may join a bounty that is not open to everybody.

    Attributes:
        name: By which the requester knows them.
        account: Of their signer, or "".
        code: Of their invitation, which counts for the first key that shows it, or "".
    """

    name: str
    account: str = ""
    code: str = ""


class Workspace(PrivateFolder):
    """The folder of one bounty.

    Args:
        folder: Where it is, or comes to be.
    """

    def __repr__(self) -> str:
        """Show where it is."""
        return f"<Workspace {self.folder}>"

    # ------------------------------------------------------------- which one it is

    @classmethod
    def of_key(cls, home: Path, key: Point) -> Self:
        """Return the workspace of a bounty key; its folder is made with the first file.

        Args:
            home: The home folder.
            key: P, of the terms.
        """
        return cls(home / FOLDER / word(key.x).hex()[:16])

    @classmethod
    def all(cls, home: Path) -> list[Self]:
        """Return the workspaces of a home folder, in the order of their names."""
        folder = home / FOLDER
        return [cls(path) for path in sorted(folder.glob("*")) if path.is_dir()]

    @classmethod
    def find(cls, home: Path, ref: BountyRef) -> Self:
        """Return the workspace of a bounty.

        Args:
            home: The home folder.
            ref: The bounty: chain, board and number.

        Raises:
            BountyError: This home has none of it.
        """
        for workspace in cls.all(home):
            mine = workspace.ref
            if mine is not None and mine.is_same(ref):
                return workspace
        raise BountyError(
            f"{home} has nothing of bounty {ref.bounty_id}; use the home folder it was created in"
        )

    @property
    def ref(self) -> BountyRef | None:
        """Which bounty it is; None as long as it is not known to be on chain."""
        value = self._read_json(_REF)
        if value is None:
            return None
        try:
            board = to_checksum_address(value["board"])
            return BountyRef(int(value["chain_id"]), board, int(value["bounty"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(_REF) from error

    def number_on(self, chain_id: int, board: str) -> int | None:
        """Return its number on a board; None where it is not known to be on that one.

        Args:
            chain_id: Of the board's chain.
            board: Address of the board.

        Raises:
            BountyError: It is damaged.
        """
        ref = self.ref
        return ref.bounty_id if ref is not None and ref.is_on(chain_id, board) else None

    def save_ref(self, ref: BountyRef) -> None:
        """Note which bounty it became."""
        self._write_json(
            _REF, {"chain_id": ref.chain_id, "board": ref.board, "bounty": ref.bounty_id}
        )

    @property
    def is_blank(self) -> bool:
        """Whether nothing but items is there, which can be written again."""
        names = (_DRAFT, _TERMS, _REF, _DOCUMENT, _FILES)
        return not any((self.folder / name).exists() for name in names)

    def remove(self) -> None:
        """Remove a workspace that is blank.

        Raises:
            BountyError: It is not.
        """
        if not self.is_blank:
            raise BountyError(f"{self.folder} is of a bounty and is left alone")
        shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------- what was posted

    @property
    def has_terms(self) -> bool:
        """Whether the terms are fixed, and so everything that hangs on them."""
        return (self.folder / _TERMS).is_file()

    @property
    def terms(self) -> Terms:
        """What was agreed.

        Raises:
            BountyError: They are not fixed yet, or damaged.
        """
        value = self._read_json(_TERMS)
        if value is None:
            raise BountyError(f"{self.folder} has no terms yet; run `truthmark bounty create`")
        return Terms.from_texts(value)

    def save_terms(self, terms: Terms) -> None:
        """Fix the terms."""
        self._write_json(_TERMS, terms.to_texts())

    def discard_terms(self) -> None:
        """Take back terms that were sent to nobody."""
        (self.folder / _TERMS).unlink(missing_ok=True)
        sync_path(self.folder)

    @property
    def document(self) -> Document:
        """What the bounty asks.

        Raises:
            BountyError: There is none yet, or it is damaged.
        """
        data = self._read(_DOCUMENT, MAX_BYTES)
        if data is None:
            raise BountyError(f"{self.folder} has no document yet; run `truthmark bounty create`")
        return Document.from_bytes(data)

    def save_document(self, document: Document) -> None:
        """Keep the document."""
        self._write(_DOCUMENT, document.to_bytes())

    def open_items(self) -> Items:
        """Open the items, which `ItemsWriter` put into the folder; the caller closes them.

        Raises:
            BountyError: They are not there, or damaged.
        """
        return Items.open(self.folder)

    @property
    def gold(self) -> Gold:
        """The gold, empty where there is none (team mode).

        Raises:
            BountyError: It is damaged.
        """
        value = self._read_json(_GOLD)
        if value is None:
            value = {"items": [], "answers": []}
        try:
            return Gold(np.array(value["items"], np.int64), np.array(value["answers"], np.int64))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._damaged(_GOLD) from error

    def save_gold(self, gold: Gold) -> None:
        """Keep the gold."""
        self._write_json(_GOLD, {"items": gold.items.tolist(), "answers": gold.answers.tolist()})

    @property
    def names(self) -> list[str]:
        """What the source calls each item: a path, or the number of its row; private.

        Raises:
            BountyError: They are not there, or damaged.
        """
        value = self._read_json(_NAMES)
        if not isinstance(value, list):
            raise self._damaged(_NAMES)
        return [str(name) for name in value]

    def save_names(self, names: Iterable[str]) -> None:
        """Keep what the source calls each item."""
        self._write_json(_NAMES, list(names))

    @property
    def draft(self) -> dict[str, Any]:
        """From what the bounty was made, and for whom; empty where nothing was noted."""
        return self._read_record(_DRAFT)

    def save_draft(self, draft: dict[str, Any]) -> None:
        """Note from what the bounty is made."""
        self._write_json(_DRAFT, draft)

    @property
    def guests(self) -> list[Guest]:
        """Who may join; everybody if there are none.

        Raises:
            BountyError: They are damaged.
        """
        try:
            return [Guest(**entry) for entry in self._read_record(_GUESTS).get("guests", [])]
        except TypeError as error:
            raise self._damaged(_GUESTS) from error

    @property
    def guests_changed_at(self) -> int:
        """When they were written last, in nanoseconds; 0 if never."""
        try:
            return (self.folder / _GUESTS).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    @property
    def webhooks(self) -> list[str]:
        """Where the relay posts notices."""
        return [str(url) for url in self._read_record(_GUESTS).get("webhooks", [])]

    def save_guests(self, guests: Iterable[Guest], webhooks: Iterable[str] = ()) -> None:
        """Keep who may join, for the relay; changed at any time while it is OPEN.

        Args:
            guests: Who may join; everybody if there are none.
            webhooks: Addresses that the relay posts notices to.
        """
        record = {"guests": [asdict(guest) for guest in guests], "webhooks": list(webhooks)}
        self._write_json(_GUESTS, record)

    @property
    def people(self) -> dict[str, str]:
        """The names of who joined with an invitation, by signer; as the relay told them."""
        return {str(signer): str(name) for signer, name in self._read_record(_PEOPLE).items()}

    def save_people(self, people: Mapping[str, str]) -> None:
        """Keep who is who; private, and can be asked for again."""
        self._write_json(_PEOPLE, dict(people))

    # ------------------------------------------------------------- what came back

    def put_file(self, worker: int, data: bytes) -> None:
        """Keep a labeler's file, which nothing replaces.

        Args:
            worker: Row of the roster, from 0.
            data: The file.

        Raises:
            BountyError: Another one is kept for this worker.
        """
        kept = self.file(worker)
        if kept is None:
            self._write(f"{_FILES}/{worker}{_SUFFIX}", data)
        elif kept != data:
            raise BountyError(f"another label file is kept for worker {worker}; move it away first")

    def set_aside(self, worker: int) -> None:
        """Keep a file, which is not of what stands any more, under another name."""
        data = self.file(worker)
        if data is None:
            return
        self._write(f"{_FILES}/{worker}-{sha256(data).hex()[:16]}{_SUFFIX}", data)
        (self.folder / _FILES / f"{worker}{_SUFFIX}").unlink()
        sync_path(self.folder / _FILES)

    def file(self, worker: int) -> bytes | None:
        """Return a labeler's file, or None."""
        return self._read(f"{_FILES}/{worker}{_SUFFIX}", MAX_FILE_BYTES)

    def files(self) -> Iterator[tuple[int, bytes]]:
        """Yield workers in order, each with their file."""
        for worker in self._workers(_FILES, _SUFFIX):
            data = self.file(worker)
            if data is not None:
                yield worker, data

    def put_acknowledgement(self, worker: int, signature: bytes) -> None:
        """Keep the receiver's signature for a worker's labels.

        Args:
            worker: Row of the roster, from 0.
            signature: The receiver's, 65 bytes.
        """
        self._write(f"{_ACKNOWLEDGEMENTS}/{worker}{_SIGNATURE}", signature)

    def acknowledgement(self, worker: int) -> bytes | None:
        """Return the receiver's signature for a worker's labels, or None."""
        return self._read(f"{_ACKNOWLEDGEMENTS}/{worker}{_SIGNATURE}", 1 << 10)

    def acknowledged(self) -> list[int]:
        """Return the workers whose labels were signed for."""
        return self._workers(_ACKNOWLEDGEMENTS, _SIGNATURE)

    @property
    def progress(self) -> dict[str, Any]:
        """What the receiver noted of how far it is; can be made again from the chain."""
        return self._read_record(_PROGRESS)

    def save_progress(self, progress: dict[str, Any]) -> None:
        """Note how far the receiver is."""
        self._write_json(_PROGRESS, progress)

    # ------------------------------------------------------------------- internals

    def _workers(self, folder: str, suffix: str) -> list[int]:
        paths = (self.folder / folder).glob(f"*{suffix}")
        return sorted(int(path.stem) for path in paths if path.stem.isdecimal())

    def _read_json(self, name: str) -> Any:
        data = self._read(name, _MAX_JSON)
        if data is None:
            return None
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._damaged(name) from error

    def _read_record(self, name: str) -> dict[str, Any]:
        value = self._read_json(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self._damaged(name)
        return value

    def _write_json(self, name: str, value: Any) -> None:
        self._write(name, json.dumps(value, separators=(",", ":")).encode() + b"\n")

    def _damaged(self, name: str) -> BountyError:
        return BountyError(f"{self.folder / name} is missing or damaged; restore it")
