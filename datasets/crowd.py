# SPDX-License-Identifier: Apache-2.0
"""The recipe of the crowd sets: answers and gold labels become one Parquet table, a row an answer.

`python datasets/crowd.py NAME TARGET` for a set that is shipped, and
`python datasets/crowd.py NAME SOURCE TARGET` for one whose files you have in the folder SOURCE.

Columns: `item` and `worker` (text), `label` (what this worker answered) and `truth` (the gold
label; null where an item has none), both as indices into the classes, whose names travel in the
schema. Rows keep the order of answer.csv.
"""

import argparse
import csv
import sys
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from entries import (  # noqa: E402
    RecipeError,
    check_file,
    huggingface_metadata,
    read_entry,
    run,
    written_whole,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RecipeError", "build", "majority_vote_accuracy", "read_table"]


def read_table(name: str, source: Path | None = None) -> "pa.Table":
    """Return the table of crowd set `name` from answer.csv and truth.csv in a folder.

    Args:
        name: As in the catalogue.
        source: The folder; the set's own for None, if it is shipped.

    Raises:
        RecipeError: A file is missing or differs from its checksum in the catalogue.
    """
    import pyarrow as pa

    entry = read_entry(name)
    source = source or HERE / name
    for file_name, file in entry["files"].items():
        check_file(source / file_name, file["sha256"])
    index = {label["code"]: position for position, label in enumerate(entry["classes"])}
    truth = {row["item"]: index[row["truth"]] for row in _read_csv(source / "truth.csv")}
    answers = _read_csv(source / "answer.csv")
    return pa.table(
        {
            "item": pa.array([row["item"] for row in answers], pa.string()),
            "worker": pa.array([row["worker"] for row in answers], pa.string()),
            "label": pa.array([index[row["label"]] for row in answers], pa.int64()),
            "truth": pa.array([truth.get(row["item"]) for row in answers], pa.int64()),
        }
    ).replace_schema_metadata(_metadata(entry))


def majority_vote_accuracy(table: "pa.Table") -> Fraction:
    """Return the share of items with truth that a plain majority of the answers gets right.

    Where k classes tie for the most answers and the truth is among them, the item counts 1/k.
    """
    votes: dict[str, Counter[int]] = defaultdict(Counter)
    truth: dict[str, int] = {}
    for row in table.to_pylist():
        if row["truth"] is not None:
            votes[row["item"]][row["label"]] += 1
            truth[row["item"]] = row["truth"]
    credit = Fraction(0)
    for item, count in votes.items():
        most = max(count.values())
        leaders = [label for label, answers in count.items() if answers == most]
        if truth[item] in leaders:
            credit += Fraction(1, len(leaders))
    return credit / len(truth)


def build(name: str, target: Path, source: Path | None = None) -> "pa.Table":
    """Write crowd set `name`, read as by `read_table`, to the Parquet file `target`.

    Raises:
        RecipeError: The input is not the catalogue's, or `target` exists.
    """
    import pyarrow.parquet as pq

    table = read_table(name, source)
    with written_whole(target) as scratch:
        pq.write_table(table, scratch, compression="zstd")
    return table


def _main() -> int:
    parser = argparse.ArgumentParser(description="Write the table of a crowd set.")
    parser.add_argument("name", help="of the set, as in catalogue.json")
    parser.add_argument(
        "source", type=Path, nargs="?", help="folder with answer.csv and truth.csv, if not shipped"
    )
    parser.add_argument("target", type=Path, help="the Parquet file to write")
    arguments = parser.parse_args()

    def recipe() -> str:
        entry = read_entry(arguments.name)
        if "workers" not in entry:
            raise RecipeError(f"{arguments.name} is no crowd set: run {entry['recipe']}")
        table = build(arguments.name, arguments.target, arguments.source)
        percent = float(majority_vote_accuracy(table) * 100)
        return (
            f"{arguments.target}: {table.num_rows:,} answers, {len(entry['classes'])} classes; "
            f"a majority vote is right on {percent:.2f} % of the items with truth"
        )

    return run(recipe)


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _metadata(entry: dict[str, Any]) -> dict[str, str]:
    text = {"dtype": "string", "_type": "Value"}
    label = {"names": [label["name"] for label in entry["classes"]], "_type": "ClassLabel"}
    features = {"item": text, "worker": text, "label": label, "truth": label}
    return {
        **huggingface_metadata(features),
        "license": entry["license"],
        "source": f"{entry['source']['name']}, {entry['source']['url']}; changed: see the card",
    }


if __name__ == "__main__":
    sys.exit(_main())
