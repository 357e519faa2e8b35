# SPDX-License-Identifier: Apache-2.0
"""What a bounty brought: opened, checked against the chain, and made into tables."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from truthmark.bounty import reader, verify
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import Document
from truthmark.bounty.exports import Labeled, export
from truthmark.bounty.items import Item, item_key
from truthmark.bounty.label_file import LabelFile, open_notes
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.result import Result
from truthmark.bounty.result_tables import Notes, Tables, tables_of, warnings_of
from truthmark.bounty.sealing import SealedRun
from truthmark.bounty.secrets import RequesterSecrets, find_secrets
from truthmark.bounty.text_tables import text_tables_of, text_warnings_of, texts_of
from truthmark.bounty.verify import Finding
from truthmark.bounty.workspace import Workspace
from truthmark.config.files import write_atomically
from truthmark.errors import BountyError, TruthmarkError
from truthmark.keys.curve import multiply
from truthmark.session import Session
from truthmark.types import Bar, no_bar

RESULT_NAME: Final = "result.json"


@dataclass(frozen=True, slots=True)
class Brought:
    """A bounty's result, checked.

    Attributes:
        workspace: The requester's.
        document: What was asked.
        result: With which anyone can check it.
        finding: What checking found.
        tables: A row a label, an item, a worker; None where there is no label yet.
        warnings: What to look at before trusting the labels.
    """

    workspace: Workspace
    document: Document
    result: Result
    finding: Finding
    tables: Tables | None
    warnings: list[str]

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        return [entry.name for entry in self.document.classes]


def collect_result(session: Session, bounty_id: int, *, bar: Bar = no_bar) -> Brought:
    """Return what a bounty of this requester brought so far.

    Args:
        session: Of the requester: their workspace has the labels, their vault what opens them.
        bounty_id: The bounty's number.
        bar: Shows how far opening is.

    Raises:
        BountyError: The bounty is somebody else's, or cannot be read as the board holds it.
        KeysError: The vault does not have its secrets.
    """
    client = BountyClient(session)
    record = client.read(bounty_id)
    workspace = Workspace.find(session.home, record.ref)
    secrets = find_secrets(session.vault, record.terms.key)
    files = dict(_files(record, workspace))
    runs: dict[int, SealedRun] = {worker: file.run for worker, file in files.items()}
    for worker, run in reader.read_posted(session.follower.index, bounty_id).items():
        if run is not None and worker not in runs and _stands(record, worker, run):
            runs[worker] = run
    shared = {worker: multiply(secrets.scalar, run.point) for worker, run in runs.items()}
    gold = workspace.gold
    result = Result(record, runs, shared, gold if len(gold) else None, secrets.gold_salt)
    with bar("opening", "workers") as progress:
        finding = verify.verify(
            result, reader.read_anchors(session.chain, record), progress=progress
        )
    document = workspace.document
    document.require_fits(record.terms)
    classes = [entry.name for entry in document.classes]
    tables, warnings = None, list(finding.warnings)
    notes = _notes(files, secrets)
    if not record.terms.classes:
        result = replace(result, texts=texts_of(record, finding.opened, notes))
        if finding.opened:
            tables = text_tables_of(result, finding, names=workspace.names, notes=notes)
            warnings += text_warnings_of(tables)
    elif finding.labels is not None and any(len(run.codes) for run in finding.opened.values()):
        tables = tables_of(result, finding, classes=classes, names=workspace.names, notes=notes)
        warnings += warnings_of(result, finding, classes)
    return Brought(workspace, document, result, finding, tables, warnings)


def check_without_result(session: Session, bounty_id: int) -> tuple[Record, Finding]:
    """Check a bounty of which there is no result file: gold, verdict, millionths and payouts.

    Args:
        session: Whose chain, storage and home are used.
        bounty_id: The bounty's number.

    Returns:
        The bounty, and what there is to say against it.

    Raises:
        BountyError: There is no such bounty, or it cannot be read as the board holds it.
        ChainError: The chain cannot be read.
    """
    client = BountyClient(session)
    record = client.read(bounty_id)
    return record, client.verify(Result(record))


def find_document(session: Session, record: Record) -> Document | None:
    """Return the document of a bounty from storage, or None; held against the terms.

    Args:
        session: Whose chain, storage and home are used.
        record: The bounty, as the chain has it.

    Raises:
        BountyError: What is there is none, or contradicts the terms.
    """
    from truthmark.cid import raw_cid

    try:
        data = session.storage.read_block(raw_cid(record.terms.document))
    except (TruthmarkError, OSError):
        return None
    document = Document.from_bytes(data)
    document.require_fits(record.terms)
    return document


def read_result(data: bytes, ref: BountyRef | None = None) -> Result:
    """Read a result file, of a certain bounty if one is given.

    Args:
        data: The file.
        ref: Which bounty it has to be of; any if None.

    Raises:
        BountyError: It is none, or another bounty's.
    """
    result = Result.from_json(data)
    found = result.record.ref
    if ref is not None and (found.chain_id, found.bounty_id) != (ref.chain_id, ref.bounty_id):
        raise BountyError(f"this is the result of bounty {found.bounty_id}; name that one")
    return result


def _files(record: Record, workspace: Workspace) -> "list[tuple[int, LabelFile]]":
    found = []
    for worker, data in workspace.files():
        try:
            file = LabelFile.from_bytes(data)
        except BountyError:
            continue  # the receiver fetches it again
        if _stands(record, worker, file.run):
            found.append((worker, file))
    return found


def _stands(record: Record, worker: int, run: SealedRun) -> bool:
    standing = record.commits.standing.get(worker)
    return standing is not None and standing.commitment == run.commitment


def _notes(files: dict[int, LabelFile], secrets: RequesterSecrets) -> dict[int, Notes]:
    found = {}
    for worker, file in files.items():
        try:
            told = open_notes(multiply(secrets.scalar, file.run.point), file.notes)
        except BountyError:
            continue  # nobody's commitment: the labels count all the same
        found[worker] = Notes.read(told)
    return found


def labeled_of(session: Session, brought: Brought) -> Labeled:
    """Return a result with what was labeled, to export it.

    Args:
        session: Whose chain, storage and home are used.
        brought: The result, with what checking found.

    Raises:
        BountyError: There are no labels yet, or items are not here.
    """
    if brought.tables is None:
        raise BountyError("no labels came yet; look at `truthmark bounty status`")
    secrets = find_secrets(session.vault, brought.result.record.terms.key)
    items = brought.workspace.open_items()

    def load(number: int) -> Item:
        key = item_key(secrets.items_secret, number) if items.is_encrypted else None
        return items.item(number, key)

    return Labeled(
        brought.tables, brought.classes, brought.document.kind, load, brought.document.title
    )


def save_result(
    session: Session, brought: Brought, folder: Path, formats: Sequence[str] = ()
) -> list[Path]:
    """Write the result file, with which anyone can check it, and tables.

    Args:
        session: Of the requester.
        brought: The result.
        folder: Made if there is none.
        formats: Of `exports.FORMATS`; "parquet" if there are none.

    Returns:
        The files or folders that were written.

    Raises:
        BountyError: There are no labels yet, or items are not here; the result file is written.
        ConfigError: There is no such format, or it does not fit what was labeled.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / RESULT_NAME, brought.result.to_json())
    written = [folder / RESULT_NAME]
    labeled = labeled_of(session, brought)
    for name in formats or ("parquet",):
        written += export(labeled, name, folder)
    return written
