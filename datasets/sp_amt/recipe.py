# SPDX-License-Identifier: Apache-2.0
"""`python datasets/sp_amt/recipe.py TARGET` writes the table (see crowd.py)."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import crowd  # noqa: E402

if TYPE_CHECKING:
    import pyarrow as pa


def build(target: Path) -> "pa.Table":
    """Write the table of the CSV files in this folder to the Parquet file `target`."""
    return crowd.build(HERE.name, HERE, target)


if __name__ == "__main__":
    sys.exit(crowd.run_command_line(HERE))
