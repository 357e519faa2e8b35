# SPDX-License-Identifier: Apache-2.0
"""What a requester knows: items that they label themselves, for gold, practice, and the pace."""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app import ask_views as views
from app.services.accounts import my_session
from app.services.drafts import folder_of
from app.services.shelves import ANSWERS_NAME, item_view, shelf_of
from truthmark.bounty.answers import Known, classes_by_item, read_known, tally
from truthmark.bounty.flows.knowing import Shelf, answers_of, items_to_ask, save_answers
from truthmark.bounty.planning import suggest
from truthmark.bounty.shape import ROUNDS, advised_gold
from truthmark.text import clean

PILOT: Final = 20
"""How many items tell how long one takes."""
LIKELY_RIGHT: Final = 0.85
"""How often people are taken to be right, where nobody measured it."""
_LEAST_TIMED: Final = 5


def knowing(form: views.AskForm) -> views.Knowing:
    """Return how much is known, and which item is asked next.

    Raises:
        ConfigError: Predictions cannot be read.
        BountyError: The items were not read.
    """
    shelf, words, model = shelf_of(form), _words(form), predictions_of(form)
    wanted = advised_gold(len(shelf.names), form.rounds or ROUNDS) if not form.is_team else PILOT
    with shelf.open_log() as log:
        known = answers_of(shelf, log, words)
        chosen = items_to_ask(shelf, len(shelf.names), proposals=model)
        following = next((number for number in chosen if number not in log.codes), None)
        seconds = [s for s in log.seconds.values() if s]
        last = _last(shelf, log.codes, words, model)
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
        seconds=statistics.median(seconds) if len(seconds) >= _LEAST_TIMED else None,
        can_undo=bool(log.codes),
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
    with shelf.open_log() as log:
        log.answer(number, code, seconds)
        save_answers(folder_of(form.key) / ANSWERS_NAME, answers_of(shelf, log, words))


def undo(form: views.AskForm) -> None:
    """Take the newest answer back."""
    shelf, words = shelf_of(form), _words(form)
    with shelf.open_log() as log:
        log.undo()
        save_answers(folder_of(form.key) / ANSWERS_NAME, answers_of(shelf, log, words))


def suggestion(form: views.AskForm) -> str:
    """Return the price of a label that pays so much an hour, as the answers given so far say.

    Raises:
        ConfigError: The amount cannot be understood.
        BountyError: There are too few answers.
    """
    profile = my_session().profile
    token, units = profile.parse_amount(f"{form.hourly.strip()} {form.token}")
    shelf = shelf_of(form)
    with shelf.open_log() as log:
        seconds = [s for s in log.seconds.values() if s]
    found = suggest(
        seconds=seconds, accuracy=LIKELY_RIGHT, classes=max(2, len(form.classes)), hourly=units
    )
    return str(profile.amount(found.price, token.address)).partition(" ")[0]


def known_of(form: views.AskForm) -> dict[str, Known]:
    """Return the answers given so far, by the names of items."""
    path = folder_of(form.key) / ANSWERS_NAME
    return read_known(path) if path.exists() else {}


def seconds_of(form: views.AskForm) -> float | None:
    """Return what an answer took, the median; None where there are too few."""
    seconds = [entry.seconds for entry in known_of(form).values() if entry.seconds]
    return round(statistics.median(seconds), 1) if len(seconds) >= _LEAST_TIMED else None


def predictions_of(form: views.AskForm) -> dict[str, str] | None:
    """Return a model's answers by the names of items; None without a model.

    Raises:
        ConfigError: They cannot be read.
    """
    if not form.predictions.strip():
        return None
    path = Path(form.predictions.strip()).expanduser()
    return {name: known.answer for name, known in read_known(path).items()}


def _words(form: views.AskForm) -> list[str]:
    return [name for name, _ in form.classes]


def require_predictions(form: views.AskForm) -> None:
    """Refuse answers of a model that are none of these items', or of other classes.

    Raises:
        ConfigError: They are, or cannot be read.
    """
    found = predictions_of(form)
    if found is not None:
        classes_by_item(shelf_of(form).names, found, _words(form), what="predictions")
