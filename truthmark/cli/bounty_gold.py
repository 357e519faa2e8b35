# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty gold` and `pilot`: a requester labels some items, and learns from it."""

from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from truthmark.bounty.answer_log import AnswerLog
from truthmark.bounty.answers import read_known, right_of_two, tally
from truthmark.bounty.document import Kind, LabelClass
from truthmark.bounty.flows.knowing import (
    Shelf,
    ask_items,
    check_known,
    open_shelf,
    save_answers,
    usable_against,
)
from truthmark.bounty.planning import LIKELY_RIGHT, suggest
from truthmark.bounty.shape import ROUNDS, advised_gold
from truthmark.bounty.sources.opening import open_items_of
from truthmark.cli.bounty_asking import (
    classes_option,
    read_classes,
    read_guidelines,
    read_predictions,
    source_argument,
    source_options,
)
from truthmark.cli.command import State, command, json_option
from truthmark.cli.labeling_screen import Screen
from truthmark.cli.output import echo_json, info, print_fields, progress_bar
from truthmark.cli.param_types import AMOUNT, FILE, NEW_FILE, SOURCE
from truthmark.errors import ConfigError
from truthmark.text import clean, plural

_PILOT = 30


@command()
@source_argument
@classes_option
@source_options
@click.option("--out", type=NEW_FILE, help="Where answers go.  [SOURCE.gold.csv]")
@click.option("--count", type=click.IntRange(0, 2048), help="How many to know in all.")
@click.option("--from", "given", type=FILE, help="CSV of item and answer: what is known already.")
@click.option(
    "--proposals", type=FILE, help="CSV of a model's answers: as many of each class are asked."
)
@click.option(
    "--against", type=FILE, help="The same; goes on until there is gold where it is at chance."
)
@click.option("--guidelines", type=FILE, help="What to answer when: a text or Markdown.")
@json_option
def gold(
    state: State,
    /,
    source: Path,
    classes: str | None,
    column: str | None,
    kind: Kind | None,
    names: str | None,
    out: Path | None,
    count: int | None,
    given: Path | None,
    proposals: Path | None,
    against: Path | None,
    guidelines: Path | None,
    as_json: bool,
) -> None:
    """Label some of SOURCE yourself: people are judged by it, and nobody is told which ones.

    One key an answer; every answer is on disk at once, so you can stop and go on later. Give the
    file to `bounty create --gold`.
    """
    items = open_items_of(source, column=column, kind=kind, names=names)
    entries = read_classes(classes, items.kind)
    words = [entry.name for entry in entries]
    place = out or source.with_name(f"{source.resolve().name}.gold.csv")
    title = source.resolve().name
    with closing(open_shelf(state.settings.home, items, place, bar=progress_bar)) as shelf:
        advised = advised_gold(len(shelf.names), ROUNDS)
        model = read_predictions(against or proposals)
        answers = ask_items(
            shelf,
            words,
            advised if count is None else count,
            place,
            partial(_screen, shelf, entries, model, title, read_guidelines(guidelines, "")),
            known={} if given is None else check_known(given, shelf.names, words),
            proposals=model,
            is_against=against is not None,
        )
        save_answers(place, answers)
    useful = usable_against(answers, model or {}, words) if against is not None else None
    counts = tally(entry.answer for entry in answers.values())
    if as_json:
        echo_json(
            {
                "file": str(place),
                "known": len(answers),
                "classes": counts,
                "usable_against_model": useful,
                "advised": advised,
            }
        )
        return
    print_fields(
        [
            ("known", f"{len(answers)}, of which {_counts(counts)}" if answers else "nothing"),
            ("against the model", f"{useful} usable" if useful is not None else None),
            ("advised", advised),
        ]
    )
    if answers:
        info(f"written: {place}; give it to `truthmark bounty create {source} --gold {place}`")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} × {clean(name, 60)}" for name, count in counts.items())


def _screen(
    shelf: Shelf,
    classes: tuple[LabelClass, ...],
    model: Mapping[str, str] | None,
    title: str,
    guidelines: str,
    log: AnswerLog,
    chosen: list[int],
) -> bool:
    """Show items at the keyboard; returns whether all of them have an answer."""
    done = sum(item in log.codes for item in chosen)
    info(f"{plural(len(chosen) - done, 'item')} to answer; q leaves, and the same command goes on")
    words = [entry.name for entry in classes]

    def comment(item: int, code: int) -> str:
        proposal = (model or {}).get(shelf.names[item])
        if proposal is None or code >= len(words) or words[code] == proposal:
            return ""
        return f" · the model says {clean(proposal, 60)}"

    return Screen(
        chosen,
        classes,
        log,
        shelf.items.item,
        title=title,
        guidelines=guidelines,
        comment=comment,
    ).run()


@command()
@click.argument("source", type=SOURCE, required=False)
@classes_option
@source_options
@click.option(
    "--answers", type=FILE, help="CSV that `gold` wrote, with seconds, instead of SOURCE."
)
@click.option(
    "--hourly", type=AMOUNT, required=True, help='What an hour of work is to pay, as "15 USDC".'
)
@click.option(
    "--count",
    type=click.IntRange(5, 500),
    default=_PILOT,
    show_default=True,
    help="How many items to label.",
)
@click.option(
    "--accuracy",
    type=click.FloatRange(0.0, 1.0),
    help="How often people are right; measured by --others.  [0.85]",
)
@click.option("--others", type=FILE, help="CSV of item and answer by somebody else on the same.")
@json_option
def pilot(
    state: State,
    /,
    source: Path | None,
    classes: str | None,
    column: str | None,
    kind: Kind | None,
    names: str | None,
    answers: Path | None,
    hourly: str,
    count: int,
    accuracy: float | None,
    others: Path | None,
    as_json: bool,
) -> None:
    """Label some of SOURCE to learn what an item takes, and get labels an item and a price for it.

    With --others, another person's answers on the same items tell how often people are right.
    """
    token, units = state.profile.parse_amount(hourly)
    if (source is None) == (answers is None):
        raise ConfigError("name what is labeled, or a file with seconds: --answers FILE")
    if answers is not None:
        known = read_known(answers)
        width = len({entry.answer for entry in known.values()})
    else:
        assert source is not None, "checked above"
        items = open_items_of(source, column=column, kind=kind, names=names)
        entries = read_classes(classes, items.kind)
        width = len(entries)
        place = source.with_name(f"{source.resolve().name}.pilot.csv")
        title, words = source.resolve().name, [entry.name for entry in entries]
        with closing(open_shelf(state.settings.home, items, place, bar=progress_bar)) as shelf:
            wanted = min(count, len(shelf.names))
            show = partial(_screen, shelf, entries, None, title, "")
            known = ask_items(shelf, words, wanted, place, show)
    width = max(2, width)
    seconds = [entry.seconds for entry in known.values() if entry.seconds]
    measured = None if others is None else right_of_two(known, others, width)
    right = accuracy if accuracy is not None else measured
    if right is None:
        right = LIKELY_RIGHT
        info(f"taking people to be right in {right:.0%}; measure it by --others, or say --accuracy")
    found = suggest(seconds=seconds, accuracy=right, classes=width, hourly=units)
    price = str(state.profile.amount(found.price, token.address))
    if as_json:
        echo_json(
            {
                "seconds_per_item": found.seconds_per_item,
                "accuracy": right,
                "labels_per_item": found.rounds,
                "full": found.full,
                "price": price,
                "expected_accuracy": {str(k): round(v, 4) for k, v in found.accuracy.items()},
            }
        )
        return
    spread = f"{min(seconds):.0f} to {max(seconds):.0f}"
    print_fields(
        [
            ("an item takes", f"{found.seconds_per_item} s ({spread}; of {len(seconds)})"),
            ("right in", f"{right:.0%}"),
            *(
                (
                    f"{k} labels an item",
                    f"right in {found.accuracy[k]:.1%}, if all err on their own",
                )
                for k in (1, 3, 5, 7)
            ),
            ("advised", f"--labels-per-item {found.rounds} --full {found.full}"),
            ("price", f'--price "{price}" --seconds-per-item {found.seconds_per_item}'),
        ]
    )
