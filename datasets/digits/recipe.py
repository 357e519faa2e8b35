# SPDX-License-Identifier: Apache-2.0
"""Handwritten digits from the installed scikit-learn, as an image folder and as a table.

Needs no network: `python datasets/digits/recipe.py TARGET` writes

* `TARGET/images/{train,test}/`: a PNG an image, and metadata.csv (file_name,label);
* `TARGET/table/{train,test}.parquet`: pixels (64 numbers from 0 to 16, row by row), label;
* `TARGET/README.md`: the card, by which `datasets.load_dataset(TARGET)` finds the images.
"""

import argparse
import csv
import hashlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from entries import RecipeError, huggingface_metadata, read_entry, run, written_whole  # noqa: E402

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["RecipeError", "build"]


def build(target: Path) -> None:
    """Write the image folder, the table and the card into the new folder `target`.

    Raises:
        RecipeError: scikit-learn's digits are not the catalogue's, or `target` exists.
    """
    import pyarrow.parquet as pq

    entry = read_entry(HERE.name)
    pixels, labels = _load()
    with written_whole(target) as scratch:
        (scratch / "table").mkdir(parents=True)
        first = 0
        for split, expected in entry["splits"].items():
            rows = slice(first, first + expected["rows"])
            first = rows.stop
            _check(split, pixels[rows], labels[rows], expected["content_sha256"])
            _write_images(scratch / "images" / split, rows.start, pixels[rows], labels[rows])
            table = _to_table(pixels[rows], labels[rows], entry)
            pq.write_table(table, scratch / "table" / f"{split}.parquet", compression="zstd")
        shutil.copy(HERE / "README.md", scratch)


def _load() -> "tuple[NDArray[np.uint8], NDArray[np.uint8]]":
    """Return the pixels (n × 64, 0 to 16) and the labels (n, 0 to 9), in scikit-learn's order."""
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.data.astype(np.uint8), digits.target.astype(np.uint8)


def _check(
    split: str, pixels: "NDArray[np.uint8]", labels: "NDArray[np.uint8]", sha256: str
) -> None:
    """Compare content, not files: the bytes of a PNG or Parquet file depend on who wrote it."""
    digest = hashlib.sha256()
    for image, label in zip(pixels, labels, strict=True):
        digest.update(image.tobytes() + label.tobytes())
    if digest.hexdigest() != sha256:
        raise RecipeError(
            f"scikit-learn's digits ({split}) have changed: install the scikit-learn that "
            f"requirements.lock names; content SHA-256 is {digest.hexdigest()}, not {sha256}"
        )


def _write_images(
    folder: Path, first: int, pixels: "NDArray[np.uint8]", labels: "NDArray[np.uint8]"
) -> None:
    """Write one 8×8 grey PNG an image, white ink on black, and metadata.csv.

    0…16 is spread over 0…255 by rounding; `(grey * 16 + 127) // 255` gives it back exactly.
    """
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        metadata = csv.writer(file, lineterminator="\n")
        metadata.writerow(["file_name", "label"])
        greys = ((pixels.astype(np.uint16) * 255 + 8) // 16).astype(np.uint8).reshape(-1, 8, 8)
        for number, (grey, label) in enumerate(zip(greys, labels, strict=True), start=first):
            name = f"{number:04}.png"
            Image.fromarray(grey).save(folder / name)
            metadata.writerow([name, int(label)])


def _to_table(
    pixels: "NDArray[np.uint8]", labels: "NDArray[np.uint8]", entry: dict[str, Any]
) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    size = pixels.shape[1]
    features = {
        # "Sequence" is what releases of `datasets` before 4 know; later ones read it as a List.
        "pixels": {
            "feature": {"dtype": "uint8", "_type": "Value"},
            "length": size,
            "_type": "Sequence",
        },
        "label": {"names": [label["name"] for label in entry["classes"]], "_type": "ClassLabel"},
    }
    return pa.table(
        {
            "pixels": pa.FixedSizeListArray.from_arrays(pa.array(pixels.ravel()), size),
            "label": pa.array(labels.astype(np.int64)),
        }
    ).replace_schema_metadata(
        {
            **huggingface_metadata(features),
            "license": entry["license"],
            "source": f"{entry['source']['citation']} Changed: see the card.",
        }
    )


def _main() -> int:
    parser = argparse.ArgumentParser(description="Write the digits as images and as a table.")
    parser.add_argument("target", type=Path, help="the folder to make")
    target: Path = parser.parse_args().target

    def recipe() -> str:
        build(target)
        return f"{target}: image folder in images/, Parquet in table/, card in README.md"

    return run(recipe)


if __name__ == "__main__":
    sys.exit(_main())
