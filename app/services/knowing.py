# SPDX-License-Identifier: Apache-2.0
"""What a requester knows: items that they label themselves, for gold, practice, and the pace."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app import ask_views as views
from app.services.accounts import my_session
from app.services.drafts import folder_of
from app.services.shelves import ANSWERS_NAME, item_view, shelf_of
from truthmark.bounty.answer_keys import keys_of
from truthmark.bounty.answers import Known, classes_by_item, read_known, tally
from truthmark.bounty.document import LabelClass
from truthmark.bounty.flows.knowing import (
    Shelf,
    answers_of,
    check_known,
    items_to_ask,
    save_answers,
)
from truthmark.bounty.planning import LIKELY_RIGHT, suggest
from truthmark.bounty.shape import ROUNDS, advised_gold
from truthmark.text import clean

PILOT: Final = 20
"""How many items tell how long one takes."""
_LEAST_TIMED: Final = 5


@dataclass(frozen=True)
class FormDesk:
    """The items of a bounty that is being asked.

    Attributes:
        form: What is filled in.
    """

    form: views.AskForm

    @property
    def key(self) -> str:
        """Of the form."""
        return self.form.key

    def look(self) -> views.Knowing:
        """See `knowing`."""
        return knowing(self.form)

    def answers(self) -> tuple[tuple[str, str], ...]:
        """See `keyed`."""
        return keyed(self.form.classes)

    def answer(self, number: int, code: int, seconds: float) -> None:
        """See `answer`."""
        answer(self.form, number, code, seconds)

    def undo(self) -> None:
        """See `undo`."""
        undo(self.form)


def keyed(classes: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return answers, each with the key by which it is given, "" where there is none left."""
    found = tuple(LabelClass(name, key) for name, key in classes)
    keys = {number: key for key, number in keys_of(found).items()}
    return tuple(
        (clean(entry.name, 60), keys.get(number, "")) for number, entry in enumerate(found)
    )


def knowing(form: views.AskForm) -> views.Knowing:
    """Return how much is known, and which item is asked next.

    Raises:
        ConfigError: Predictions or given answers cannot be read.
        BountyError: The items were not read.
    """
    shelf, words, model = shelf_of(form), _words(form), predictions_of(form)
    wanted = advised_gold(len(shelf.names), form.rounds or ROUNDS) if not form.is_team else PILOT
    known = known_of(form)
    with shelf.open_log(words) as log:
        chosen = items_to_ask(shelf, len(shelf.names), proposals=model, known=known)
        following = next((number for number in chosen if number not in log.codes), None)
        last = _last(shelf, log.codes, words, model)
        can_undo = bool(log.codes)
    return views.Knowing(
        known=len(known),
        wanted=min(wanted, len(shelf.names)),
        is_judging=not form.is_team,
        by_class=tuple(
            (clean(name, 60), count)
            for name, count in tally(entry.answer for entry in known.values()).items()
        ),
        item=None if following is None else item_view(shelf, following),
        last=last,
        seconds=seconds_of(form),
        can_undo=can_undo,
    )


def _last(
    shelf: Shelf, codes: Mapping[int, int], words: list[str], model: Mapping[str, str] | None
) -> str:
    if not codes:
        return ""
    number, code = list(codes.items())[-1]
    said = clean(words[code], 60) if code < len(words) else "skipped"
    proposal = (model or {}).get(shelf.names[number])
    if proposal is None or code >= len(words):
        return said
    return (
        f"{said}; so says the model"
        if proposal == words[code]
        else (f"{said}; the model says {clean(proposal, 60)}")
    )


def answer(form: views.AskForm, number: int, code: int, seconds: float) -> None:
    """Answer an item; on disk when this returns.

    Args:
        form: Whose items.
        number: Which item.
        code: The class; one more than there are is a skip.
        seconds: What it took.

    Raises:
        BountyError: It cannot be written, or another program is answering.
    """
    shelf, words = shelf_of(form), _words(form)
    with shelf.open_log(words) as log:
        log.answer(number, code, seconds)
        given = answers_of(shelf, log, words)
    _save(form, _own(form) | given, shelf.names[number] if code >= len(words) else None)


def undo(form: views.AskForm) -> None:
    """Take the newest answer back.

    Raises:
        BountyError: It cannot be written, or another program is answering.
    """
    shelf = shelf_of(form)
    with shelf.open_log(_words(form)) as log:
        number = log.undo()
    if number is not None:
        _save(form, _own(form), shelf.names[number])


def suggestion(form: views.AskForm) -> str:
    """Return the price of a label that pays so much an hour, as the answers given so far say.

    Raises:
        ConfigError: The amount cannot be understood.
        BountyError: There are too few answers.
    """
    profile = my_session().profile
    token, units = profile.parse_amount(f"{form.hourly.strip()} {form.token}")
    seconds = [entry.seconds for entry in _own(form).values() if entry.seconds]
    found = suggest(
        seconds=seconds, accuracy=LIKELY_RIGHT, classes=max(2, len(form.classes)), hourly=units
    )
    return str(profile.amount(found.price, token.address)).partition(" ")[0]


def known_of(form: views.AskForm) -> dict[str, Known]:
    """Return all answers that are known, by the names of items; of classes that there are now.

    Raises:
        ConfigError: Those that were brought along cannot be read.
    """
    words = {*_words(form)}
    own = {name: entry for name, entry in _own(form).items() if entry.answer in words}
    return given_in(form.given) | own


def seconds_of(form: views.AskForm) -> float | None:
    """Return what an answer took, the median; None where there are too few."""
    return pace_of([entry.seconds for entry in _own(form).values() if entry.seconds])


def pace_of(seconds: Sequence[float]) -> float | None:
    """Return the median of what answers took; None where there are too few."""
    return round(statistics.median(seconds), 1) if len(seconds) >= _LEAST_TIMED else None


def _own(form: views.AskForm) -> dict[str, Known]:
    """Return what was answered here, also of classes that are called otherwise by now."""
    path = folder_of(form.key) / ANSWERS_NAME
    return read_known(path) if path.exists() else {}


def given_in(path: str) -> dict[str, Known]:
    """Return the answers of a file whose path was typed; none where no path was."""
    return read_known(Path(path.strip()).expanduser()) if path.strip() else {}


def _save(form: views.AskForm, answers: dict[str, Known], gone: str | None) -> None:
    path = folder_of(form.key) / ANSWERS_NAME
    left = {name: entry for name, entry in answers.items() if name != gone}
    save_answers(path, left)
    if not left:
        path.unlink(missing_ok=True)


def predictions_of(form: views.AskForm) -> dict[str, str] | None:
    """Return a model's answers by the names of items; None without a model.

    Raises:
        ConfigError: They cannot be read.
    """
    if not form.predictions.strip():
        return None
    return {name: known.answer for name, known in given_in(form.predictions).items()}


def _words(form: views.AskForm) -> list[str]:
    return [name for name, _ in form.classes]


def require_answers(form: views.AskForm) -> None:
    """Refuse answers of files that are none of these items', or of other classes.

    Raises:
        ConfigError: They are, or cannot be read.
    """
    if form.given.strip():
        path = Path(form.given.strip()).expanduser()
        check_known(path, shelf_of(form).names, _words(form))
    found = predictions_of(form)
    if found is not None:
        classes_by_item(shelf_of(form).names, found, _words(form), what="predictions")
