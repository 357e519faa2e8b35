# SPDX-License-Identifier: Apache-2.0
"""A result in the formats of other programs: tables, annotation tools, folders, preferences."""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from truthmark.arrow import pa, pq
from truthmark.bounty.decoding import open_picture
from truthmark.bounty.document import Kind
from truthmark.bounty.items import Item, Media
from truthmark.bounty.result_tables import METHOD, Tables
from truthmark.errors import ConfigError

_UNSAFE: Final = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Labeled:
    """What is exported.

    Attributes:
        tables: The result.
        classes: Their names; none where labels are texts.
        kind: What an item is.
        load: Returns an item by its number.
        title: Of the bounty.
    """

    tables: Tables
    classes: Sequence[str]
    kind: Kind
    load: Callable[[int], Item]
    title: str

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the table of items."""
        for batch in self.tables.items.to_batches(1_000):
            yield from batch.to_pylist()

    @property
    def column(self) -> str:
        """Which column of the table of labels has what was answered."""
        return "label" if self.classes else "text"

    def answers(self) -> dict[int, list[dict[str, Any]]]:
        """Return the rows of the table of labels by item, skips and what is missing left out."""
        found: dict[int, list[dict[str, Any]]] = {}
        for row in self.tables.labels.to_pylist():
            if row[self.column] is not None:
                found.setdefault(row["item"], []).append(row)
        return found


def export(labeled: Labeled, name: str, folder: Path) -> list[Path]:
    """Write a result into a folder in a format.

    Args:
        labeled: The result.
        name: One of `FORMATS`.
        folder: Made if there is none; files in it are replaced.

    Returns:
        The files or folders that were written.

    Raises:
        ConfigError: There is no such format, or it does not fit what is labeled.
    """
    if name not in FORMATS:
        raise ConfigError(f"there is no format {name!r}; choose one of {', '.join(FORMATS)}")
    if not labeled.classes and name in OF_CLASSES:
        fitting = ", ".join(one for one in FORMATS if one not in OF_CLASSES)
        raise ConfigError(f"the format {name} is for classes, and these are texts; use {fitting}")
    folder.mkdir(parents=True, exist_ok=True)
    return FORMATS[name](labeled, folder)


def with_content(labeled: Labeled) -> "pa.Table":
    """Return the table of items with the texts that were labeled, where they are texts."""
    items = labeled.tables.items
    if labeled.kind not in ("text", "number"):
        return items
    texts = [labeled.load(number).text for number in range(items.num_rows)]
    return items.add_column(2, "text", pa.array(texts, pa.string()))


def write_csv(table: "pa.Table", file: TextIO) -> None:
    """Write a table as CSV, lists as JSON; texts stay as they are, also those of a formula.

    Args:
        table: Of a result.
        file: Open for text, without translation of line ends.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table.column_names)
    for batch in table.to_batches(1_000):
        writer.writerows(
            [_json(value) if isinstance(value, list) else value for value in row]
            for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)
        )


def _tables(labeled: Labeled) -> "dict[str, pa.Table]":
    return {
        "items": with_content(labeled),
        "labels": labeled.tables.labels,
        "workers": labeled.tables.workers,
    }


def _parquet(labeled: Labeled, folder: Path) -> list[Path]:
    written = []
    for name, table in _tables(labeled).items():
        pq.write_table(table, folder / f"{name}.parquet")
        written.append(folder / f"{name}.parquet")
    return written


def _arrow(labeled: Labeled, folder: Path) -> list[Path]:
    written = []
    for name, table in _tables(labeled).items():
        path = folder / f"{name}.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        written.append(path)
    return written


def _csv(labeled: Labeled, folder: Path) -> list[Path]:
    written = []
    for name, table in _tables(labeled).items():
        path = folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            write_csv(table, file)
        written.append(path)
    return written


def _label_studio(labeled: Labeled, folder: Path) -> list[Path]:
    """Tasks with everybody's answer as annotations, and the label, if any, as a prediction."""
    answers = labeled.answers()
    data = _Content(labeled, folder)
    path = folder / "label-studio.json"
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, row in enumerate(labeled.rows()):
            task = {
                "id": row["item"],
                "data": data.of(row) | {"name": row["name"]},
                "annotations": [
                    {
                        "completed_by": answer["worker"],
                        "lead_time": answer["seconds"],
                        "result": [
                            _choice(answer["label"])
                            if labeled.classes
                            else _written(answer["text"])
                        ],
                    }
                    for answer in answers.get(row["item"], [])
                ],
                "predictions": []
                if row.get("label") is None
                else [
                    {
                        "model_version": METHOD,
                        "score": row["confidence"],
                        "result": [_choice(row["label"])],
                    }
                ],
            }
            file.write(("," if number else "") + "\n" + _json(task))
        file.write("\n]\n")
    return [path, *data.written]


def _choice(label: str) -> dict[str, Any]:
    return {
        "from_name": "label",
        "to_name": "item",
        "type": "choices",
        "value": {"choices": [label]},
    }


def _written(text: str) -> dict[str, Any]:
    return {
        "from_name": "text",
        "to_name": "item",
        "type": "textarea",
        "value": {"text": [text]},
    }


def _argilla(labeled: Labeled, folder: Path) -> list[Path]:
    """Records with everybody's responses, and the label, if any, as a suggestion."""
    answers = labeled.answers()
    data = _Content(labeled, folder)
    path = folder / "argilla.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for row in labeled.rows():
            record = {
                "id": str(row["item"]),
                "fields": data.of(row),
                "responses": {
                    labeled.column: [
                        {"value": answer[labeled.column], "user_id": f"worker-{answer['worker']}"}
                        for answer in answers.get(row["item"], [])
                    ]
                },
                "suggestions": {}
                if row.get("label") is None
                else {
                    "label": {
                        "value": row["label"],
                        "score": row["confidence"],
                        "agent": f"truthmark {METHOD}",
                    }
                },
                "metadata": {
                    name: row[name] for name in ("name", "margin") if row.get(name) is not None
                },
            }
            file.write(_json(record) + "\n")
    return [path, *data.written]


def _coco(labeled: Labeled, folder: Path) -> list[Path]:
    """The class of each picture, as COCO keeps categories; without boxes."""
    _require_kind(labeled, "image", "coco")
    data = _Content(labeled, folder)
    numbers = {name: number for number, name in enumerate(labeled.classes, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for row in labeled.rows():
        item = labeled.load(row["item"])
        width, height = _size(item)
        images.append(
            {
                "id": row["item"],
                "file_name": data.of(row)["image"],
                "width": width,
                "height": height,
            }
        )
        if row["label"] is not None:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": row["item"],
                    "category_id": numbers[row["label"]],
                    "score": row["confidence"],
                }
            )
    value = {
        "info": {"description": labeled.title, **labeled.tables.provenance},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }
    path = folder / "coco.json"
    path.write_text(_json(value) + "\n", "utf-8")
    return [path, *data.written]


def _image_folder(labeled: Labeled, folder: Path) -> list[Path]:
    """A folder a class, as torchvision and Hugging Face read it; only what has a label."""
    _require_kind(labeled, "image", "image-folder")
    folders = {name: _file_name(name) for name in labeled.classes}
    if len({*folders.values()}) < len(folders):
        raise ConfigError("two classes have the same name as folders; choose another format")
    for name in folders.values():
        (folder / name).mkdir(parents=True, exist_ok=True)
    for row in labeled.rows():
        if row["label"] is not None:
            item = labeled.load(row["item"])
            name = f"{row['item']:07}-{Path(_file_name(row['name'])).stem[:80]}"
            (folder / folders[row["label"]] / f"{name}{item.media.suffix}").write_bytes(item.data)
    return [folder / name for name in folders.values()]


def _trl(labeled: Labeled, folder: Path) -> list[Path]:
    """What was preferred, as TRL takes preferences; ties and what has no label are left out."""
    _require_kind(labeled, "pair", "trl")
    path = folder / "preference.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for row in labeled.rows():
            if row["label"] not in labeled.classes[:2]:
                continue
            first, second = (part.text for part in labeled.load(row["item"]).pair)
            is_first = row["label"] == labeled.classes[0]
            chosen, rejected = (first, second) if is_first else (second, first)
            record = {
                "chosen": chosen,
                "rejected": rejected,
                "margin": row["margin"],
                "confidence": row["confidence"],
            }
            file.write(_json(record) + "\n")
    return [path]


FORMATS: Final[Mapping[str, Callable[[Labeled, Path], list[Path]]]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "csv": _csv,
    "label-studio": _label_studio,
    "argilla": _argilla,
    "coco": _coco,
    "image-folder": _image_folder,
    "trl": _trl,
}

OF_CLASSES: Final = ("coco", "image-folder", "trl")


class _Content:
    """Items as fields of a record; pictures and sounds are written as files beside it."""

    def __init__(self, labeled: Labeled, folder: Path) -> None:
        self._labeled, self._folder = labeled, folder / "items"
        self.written: list[Path] = []

    def of(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Return what was labeled."""
        item = self._labeled.load(row["item"])
        if item.media is Media.PAIR:
            return {
                f"{name}_{key}": value
                for name, part in zip(("first", "second"), item.pair, strict=True)
                for key, value in self._one(part, f"{row['item']}-{name}").items()
            }
        return self._one(item, str(row["item"]))

    def _one(self, item: Item, name: str) -> dict[str, str]:
        if item.media in (Media.TEXT, Media.JSON):
            return {"text": item.text}
        if not self.written:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.written.append(self._folder)
        path = self._folder / f"{name}{item.media.suffix}"
        path.write_bytes(item.data)
        return {self._labeled.kind: f"items/{path.name}"}


def _size(item: Item) -> tuple[int, int]:
    with open_picture(item) as picture:
        return picture.size


def _require_kind(labeled: Labeled, kind: Kind, name: str) -> None:
    if labeled.kind != kind:
        raise ConfigError(
            f"the format {name} is for items that are {kind}; these are {labeled.kind}"
        )


def _file_name(name: str) -> str:
    return _UNSAFE.sub("_", name).strip("._") or "_"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
