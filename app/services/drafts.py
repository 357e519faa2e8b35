# SPDX-License-Identifier: Apache-2.0
"""What requesters have filled in, on disk: close the browser, and go on later."""

import json
import secrets
import shutil
import socket
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from app.ask_views import AskForm
from app.services.accounts import my_session
from app.services.browsing import tokens
from app.services.file_names import file_name
from truthmark.bounty.flows.asks import OWN_RELAY_URL
from truthmark.bounty.workspace import Workspace
from truthmark.codec.names import fold_path
from truthmark.codec.tables import is_table_file
from truthmark.config.files import write_atomically
from truthmark.errors import ConfigError, TruthmarkError
from truthmark.keys.files import make_private_folder

_FOLDER: Final = "asks"
_FORM: Final = "form.json"
_TYPES: Final = {field.name: field.type for field in fields(AskForm)}


def forms() -> tuple[AskForm, ...]:
    """Return what was begun and is no bounty yet, the newest first."""
    paths = sorted(
        (my_session().home / _FOLDER).glob(f"*/{_FORM}"),
        key=lambda path: path.stat().st_mtime_ns,
        reverse=True,
    )
    found = [form for path in paths if (form := _read(path)) is not None]
    return tuple(form for form in found if not form.bounty)


def find_form(key: str) -> AskForm:
    """Return what was begun under this name.

    Raises:
        ConfigError: There is none.
    """
    form = _read(folder_of(key) / _FORM)
    if form is None:
        raise ConfigError("what was filled in here is not there any more; begin again")
    return form


def new_form() -> AskForm:
    """Begin to ask; nothing is written before something is filled in."""
    return AskForm(secrets.token_hex(6), token=tokens()[0], relay_url=_free_relay_url())


def save_form(form: AskForm) -> None:
    """Keep what is filled in; on disk when this returns.

    Raises:
        ConfigError: The home folder cannot be written.
    """
    folder = folder_of(form.key)
    make_private_folder(folder)
    _write(folder / _FORM, json.dumps(asdict(form)).encode())


def drop_form(form: AskForm) -> None:
    """Forget it, with the answers that were given for it; no bounty is touched."""
    shutil.rmtree(folder_of(form.key), ignore_errors=True)


def folder_of(key: str) -> Path:
    """Return where all of a form is.

    Raises:
        ConfigError: The name is none.
    """
    if not key.isalnum():
        raise ConfigError("this names nothing that was begun; begin again")
    return my_session().home / _FOLDER / key


def keep_files(form: AskForm, files: Sequence[tuple[str, bytes]]) -> str:
    """Keep files that were dropped onto the page; returns the path of a folder, or of one table.

    Args:
        form: For which.
        files: Names and contents.

    Raises:
        ConfigError: There are none, or they cannot be written.
    """
    if not files:
        raise ConfigError("drop some files first, or give the path of a folder")
    folder = folder_of(form.key) / "dropped"
    shutil.rmtree(folder, ignore_errors=True)
    make_private_folder(folder)
    taken: set[str] = set()
    for number, (name, data) in enumerate(files):
        plain = file_name(name, f"file-{number}", taken, number)
        taken.add(fold_path(plain))
        _write(folder / plain, data)
    kept = list(folder.iterdir())
    return str(kept[0] if len(kept) == 1 and is_table_file(kept[0]) else folder)


def save_note(form: AskForm, name: str, value: dict[str, Any]) -> None:
    """Keep something beside a form."""
    make_private_folder(folder_of(form.key))
    _write(folder_of(form.key) / f"{name}.json", json.dumps(value).encode())


def find_note(form: AskForm, name: str) -> dict[str, Any] | None:
    """Return what was kept beside a form, or None."""
    try:
        found = json.loads((folder_of(form.key) / f"{name}.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def drop_note(form: AskForm, name: str) -> None:
    """Forget what was kept beside a form."""
    (folder_of(form.key) / f"{name}.json").unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}); free space or give rights"
        ) from error


def _read(path: Path) -> AskForm | None:
    try:
        value = json.loads(path.read_bytes())
        known = {name: value[name] for name in _TYPES if name in value}
        known["classes"] = tuple((str(name), str(key)) for name, key in known.get("classes", ()))
        return AskForm(**known)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _free_relay_url() -> str:
    """Return an address of this machine where no other bounty of this home is served."""
    head, _, port = OWN_RELAY_URL.rpartition(":")
    taken: set[str] = set()
    for workspace in Workspace.all(my_session().home):
        if workspace.progress.get("is_over"):
            continue
        try:
            taken |= {url.rstrip("/").rpartition(":")[2] for url in workspace.document.relay_urls}
        except TruthmarkError:
            continue  # begun, and not agreed to
    numbers = (number for number in range(int(port), 65_536) if str(number) not in taken)
    return f"{head}:{next(number for number in numbers if _is_free(number))}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
