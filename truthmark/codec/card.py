# SPDX-License-Identifier: Apache-2.0
"""The card: what a seller makes public about a dataset, as far as the seller wants."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from truthmark.arrow import pa
from truthmark.codec.limits import MAX_CARD_SIZE
from truthmark.codec.manifest import from_canonical_json, to_canonical_json
from truthmark.codec.sampling import FIELD, PreviewAsked
from truthmark.errors import CodecError, LimitError, MalformedError

FORMAT: Final = "tmk1-card"
MAX_TITLE_SIZE: Final = 200
MAX_DESCRIPTION_SIZE: Final = 20_000
MAX_SAMPLES: Final = 100
_MAX_CELL_SIZE: Final = 200


@dataclass(frozen=True, slots=True)
class CardPolicy:
    """What `pack` may make public.

    Paths are never public: in an image folder they are the labels.

    Attributes:
        schema: names and types of the columns of tables.
        counts: how many files, rows and bytes each split has.
        examples: how many first rows of each table, at most 100. Zero by default: examples are
            given away.
        extra: more fields of the seller's own, any JSON object.
    """

    schema: bool = True
    counts: bool = True
    examples: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class TableFacts:
    """What the packer learnt of one table."""

    split: str | None
    schema: "pa.Schema"
    rows: int
    examples: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the packer knows of one file."""

    split: str | None
    size: int


def make_card(
    policy: CardPolicy,
    *,
    title: str,
    description: str,
    licence: str,
    files: Sequence[FileFacts],
    tables: Sequence[TableFacts],
    preview: PreviewAsked | None = None,
) -> bytes:
    """Return the card as canonical JSON.

    Raises:
        LimitError: a text or the whole is too long.
        MalformedError: `policy.extra` is not JSON.
    """
    if len(title) > MAX_TITLE_SIZE or len(description) > MAX_DESCRIPTION_SIZE:
        raise LimitError(
            f"card: title or description is longer than {MAX_TITLE_SIZE} and "
            f"{MAX_DESCRIPTION_SIZE} characters; shorten it"
        )
    card: dict[str, Any] = {
        "format": FORMAT,
        "title": title,
        "description": description,
        "licence": licence,
        "splits": sorted({split for split in _splits(files, tables) if split}),
        "extra": dict(policy.extra),
    }
    if preview is not None:
        card["extra"][FIELD] = preview.to_json()
    if policy.counts:
        card["counts"] = _counts(files, tables)
    if policy.schema:
        card["tables"] = [
            {"split": table.split, "columns": _columns(table.schema)} for table in tables
        ]
    if policy.examples:
        card["examples"] = [table.examples for table in tables]
    data = to_canonical_json(card, "card")
    if len(data) > MAX_CARD_SIZE:
        raise LimitError(f"card: {len(data)} bytes, at most {MAX_CARD_SIZE}; show fewer examples")
    return data


def read_card(data: bytes) -> dict[str, Any]:
    """Read a card from outside; its texts are the seller's and must be escaped where shown.

    Raises:
        LimitError: it is larger than 1 MiB.
        MalformedError: it is not a card.
    """
    if len(data) > MAX_CARD_SIZE:
        raise LimitError(f"card: {len(data)} bytes, at most {MAX_CARD_SIZE} are read")
    card = from_canonical_json(data, "card")
    texts = ("title", "description", "licence")
    if card.get("format") != FORMAT or any(not isinstance(card.get(key), str) for key in texts):
        raise MalformedError("card: is not a TMK1 card; get it again")
    if len(card["title"]) > MAX_TITLE_SIZE or len(card["description"]) > MAX_DESCRIPTION_SIZE:
        raise LimitError("card: its title or description is longer than allowed; get it again")
    return card


def example_rows(table: "pa.Table", count: int) -> list[dict[str, Any]]:
    """Return the first `count` rows as short JSON values.

    Raises:
        CodecError: a value cannot be shown, such as a date after the year 9999.
    """
    try:
        rows = table.slice(0, min(count, MAX_SAMPLES)).to_pylist()
    except (
        pa.ArrowException,
        LookupError,
        NotImplementedError,
        OverflowError,
        ValueError,
    ) as error:
        reason = " ".join(str(error).split())[:160]
        raise CodecError(
            f"card: a row cannot be shown as an example ({reason}); pack without examples"
        ) from error
    return [{str(key): _cell(value) for key, value in row.items()} for row in rows]


def _counts(files: Sequence[FileFacts], tables: Sequence[TableFacts]) -> list[dict[str, Any]]:
    return [
        {
            "split": split or None,
            "files": sum(1 for file in files if (file.split or "") == split),
            "bytes": sum(file.size for file in files if (file.split or "") == split),
            "tables": sum(1 for table in tables if (table.split or "") == split),
            "rows": sum(table.rows for table in tables if (table.split or "") == split),
        }
        for split in sorted(_splits(files, tables))
    ]


def _splits(files: Sequence[FileFacts], tables: Sequence[TableFacts]) -> set[str]:
    # What is in no split counts as the split "".
    return {file.split or "" for file in files} | {table.split or "" for table in tables}


def _columns(schema: "pa.Schema") -> list[dict[str, str]]:
    return [{"name": field.name, "type": str(field.type)} for field in schema]


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value[:_MAX_CELL_SIZE]).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): _cell(item) for key, item in list(value.items())[:20]}
    if isinstance(value, list):
        return [_cell(item) for item in value[:20]]
    text = str(value)
    return text if len(text) <= _MAX_CELL_SIZE else text[:_MAX_CELL_SIZE] + "…"
