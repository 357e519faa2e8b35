# SPDX-License-Identifier: Apache-2.0
"""The tour in Python is executed, cell by cell."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

TOUR = Path(__file__).resolve().parents[2] / "docs" / "tour.ipynb"


def test_tour__executed__no_cell_fails(tmp_path: Path) -> None:
    notebook = nbformat.read(TOUR, as_version=4)
    client = NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    ran = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in ran)
