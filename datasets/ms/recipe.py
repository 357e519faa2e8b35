# SPDX-License-Identifier: Apache-2.0
"""`python datasets/ms/recipe.py SOURCE TARGET` writes the table (see crowd.py)."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import crowd  # noqa: E402

if TYPE_CHECKING:
    import pyarrow as pa


def build(source: Path, target: Path) -> "pa.Table":
    """Write the table of answer.csv and truth.csv in `source` to the Parquet file `target`."""
    return crowd.build(HERE.name, source, target)


if __name__ == "__main__":
    sys.exit(crowd.run_command_line(HERE))
