# SPDX-License-Identifier: Apache-2.0
"""The items that a requester names, read into the home of this machine alone."""

import base64
from pathlib import Path
from typing import Final

import streamlit as st

from app import ask_views as views
from app.services.accounts import my_session
from app.services.drafts import find_note, folder_of, save_note
from app.services.samples import sample_of
from truthmark.bounty.flows.knowing import Shelf, open_shelf
from truthmark.bounty.sources.found import ItemSource
from truthmark.bounty.sources.opening import open_items_of
from truthmark.errors import BountyError, ConfigError
from truthmark.text import clean
from truthmark.types import Bar, Progress, bar_of

ANSWERS_NAME: Final = "gold.csv"
_SHELVES: Final = "services.shelves"
_MOST_PREVIEWED: Final = 5
_MOST_BYTES: Final = 2 << 20
"""Of items in a preview, which goes to the browser again with each change."""


def read_items(form: views.AskForm, progress: Progress) -> views.Items:
    """Read what a form names, into the home alone; what was read before is only opened.

    Raises:
        ConfigError: There is nothing, or it is not said which column.
        BountyError: Nothing of it can be used.
        CodecError: It cannot be read.
        StorageError: It cannot be written.
    """
    shelf = _open_shelf(form, bar_of(progress))
    return _items(shelf)


def items_of(form: views.AskForm) -> views.Items | None:
    """Return what was read; None where that is still to do, or the source has changed since."""
    shelf = _known_shelf(form)
    return None if shelf is None else _items(shelf)


def item(form: views.AskForm, number: int) -> views.ItemView:
    """Return an item as labelers will see it.

    Raises:
        BountyError: There is none, or it was not read.
    """
    return item_view(shelf_of(form), number)


def preview(form: views.AskForm) -> views.Preview:
    """Return the bounty as labelers would see it, with the first items.

    Raises:
        BountyError: They were not read, or have changed since.
    """
    shelf = shelf_of(form)
    shown: list[str] = []
    size = 0
    for number in range(min(len(shelf.names), _MOST_PREVIEWED)):
        data = shelf.items.item(number).to_bytes()
        size += len(data)
        if shown and size > _MOST_BYTES:
            break
        shown.append(base64.b64encode(data).decode())
    return views.Preview(form.title, form.guidelines, form.classes, shelf.kind, tuple(shown))


def _items(shelf: Shelf) -> views.Items:
    lines = tuple(clean(line, 400) for line in shelf.reading.lines())
    return views.Items(len(shelf.names), shelf.kind, shelf.reading.left_out, lines)


def _open_shelf(form: views.AskForm, bar: Bar) -> Shelf:
    source = source_of(form)
    made_of = f"{form.key} {source.kind} {source.fingerprint}"
    held = st.session_state.setdefault(_SHELVES, {})
    if made_of not in held:
        for old in held.values():
            old.close()
        held.clear()
        held[made_of] = open_shelf(
            my_session().home, source, folder_of(form.key) / ANSWERS_NAME, bar=bar
        )
        save_note(form, "read", {"made_of": made_of})
    return held[made_of]  # type: ignore[no-any-return]


def _known_shelf(form: views.AskForm) -> Shelf | None:
    """Return the shelf if nothing has to be read for it."""
    if not form.path:
        return None
    note = find_note(form, "read")
    try:
        source = source_of(form)
    except (ConfigError, BountyError):
        return None
    if note is None or note.get("made_of") != f"{form.key} {source.kind} {source.fingerprint}":
        return None
    return _open_shelf(form, bar_of(lambda done, total: None))


def shelf_of(form: views.AskForm) -> Shelf:
    """Return the items that were read.

    Raises:
        BountyError: They were not, or have changed since.
    """
    shelf = _known_shelf(form)
    if shelf is None:
        raise BountyError("the items have changed since they were read; read them again")
    return shelf


def source_of(form: views.AskForm) -> ItemSource:
    """Return what a form names, to be read.

    Raises:
        ConfigError: There is nothing, or it is not said which column.
        BountyError: There is nothing to label.
        CodecError: It cannot be read.
    """
    path = Path(form.path.strip()).expanduser()
    if not form.path.strip() or not path.exists():
        said = clean(form.path, 200) or "no path"
        raise ConfigError(f"there is nothing at {said}; correct the path")
    return open_items_of(
        path,
        column=form.column.strip() or None,
        kind=form.kind or None,  # type: ignore[arg-type]
        names=form.names.strip() or None,
    )


def item_view(shelf: Shelf, number: int) -> views.ItemView:
    """Return an item as labelers see it."""
    found = sample_of(shelf.items.item(number))
    return views.ItemView(number, clean(shelf.names[number], 200), found)
