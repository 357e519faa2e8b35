# SPDX-License-Identifier: Apache-2.0
"""The tours in Python are executed, cell by cell."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [pytest.mark.chain]

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", ["tour", "labels-tour"])
def test_tour__executed__no_cell_fails(name: str, tmp_path: Path) -> None:
    notebook = nbformat.read(DOCS / f"{name}.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    ran = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in ran)
