# SPDX-License-Identifier: Apache-2.0
"""Answers to a run as a table: written to be filled in, and read, each answer checked."""

import csv
import json
from pathlib import Path
from typing import Final

from truthmark.bounty.annotations import annotation
from truthmark.bounty.flows.item_shelf import ItemShelf
from truthmark.bounty.flows.labeling import Run
from truthmark.errors import BountyError, ConfigError, did_you_mean
from truthmark.text import clean

SKIP: Final = "skip"


def read_sheet(path: Path, run: Run) -> dict[int, int | str]:
    """Return the answers of a CSV file of item and answer, each checked: codes, or texts.

    Args:
        path: The file.
        run: Whose items they are of.

    Raises:
        ConfigError: A line is no answer to an item of the run.
    """
    names = [entry.name for entry in run.document.classes]
    mine, found = set(run.items), dict[int, int | str]()
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if not {"item", "answer"} <= set(reader.fieldnames or ()):
            raise ConfigError(
                f"{path} needs the columns item and answer; write them in its first line"
            )
        for row in reader:
            where = f"line {reader.line_num} of {path}"
            text, answer = (row["item"] or "").strip(), (row["answer"] or "").strip()
            if not text.isdecimal() or int(text) not in mine:
                said = f"{where}: {clean(text, 40)!r} is no item of yours"
                raise ConfigError(f"{said}; see --export", page=f"{said}; give those of the run")
            if int(text) in found:
                raise ConfigError(f"{where}: item {text} was answered before; keep one of the two")
            if not answer:
                continue  # as --export writes it; what has no answer is counted before it is signed
            if answer in names:
                found[int(text)] = names.index(answer)
            elif answer == SKIP:
                found[int(text)] = len(names)
            elif not names:
                found[int(text)] = _read_text(answer, where)
            else:
                hint = did_you_mean(answer, names) or f"; write one of {', '.join(names[:20])}"
                raise ConfigError(f"{where}: {clean(answer, 40)!r} is no class{clean(hint, 300)}")
    return found


def _read_text(answer: str, where: str) -> str:
    try:
        return annotation(answer)
    except BountyError as error:
        raise ConfigError(f"{where}: {error}") from error


def write_sheet(folder: Path, run: Run, shelf: ItemShelf) -> None:
    """Write the items of a run as files, a list of them to be filled in, and what is asked.

    Args:
        folder: A new one.
        run: Which items.
        shelf: Where they are.

    Raises:
        ConfigError: The folder is there already.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise ConfigError(f"{folder} exists and is left alone; name another") from error
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("item", "file", "answer"))
        for number in run.items:
            item = shelf.item(number)
            name = f"{number}{item.media.suffix}"
            (folder / name).write_bytes(item.data)
            writer.writerow((number, name, ""))
    classes = [entry.name for entry in run.document.classes]
    (folder / "task.json").write_text(
        json.dumps(
            {
                "title": run.document.title,
                "classes": classes,
                "asks_for_texts": not classes,
                "guidelines": run.document.guidelines,
            },
            indent=2,
        )
        + "\n"
    )
