# SPDX-License-Identifier: Apache-2.0
"""Builds the wheel: flit's, with the app in it as `truthmark/_app`.

In the clone the app stands beside the library, not in it: nothing of the library may import it.
What is installed has one top-level package alone, so that nobody's own `app` is in the way.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from flit_core import buildapi
from flit_core.buildapi import (  # what builds an editable one, or none, is flit's
    build_editable,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_NEEDED = ("pyproject.toml", "README.md")
_FOLDERS = ("LICENSES", "truthmark")
_APP = ("app", ".streamlit")
build_sdist = buildapi.build_sdist


def build_wheel(
    wheel_directory: str,
    config_settings: Mapping[str, object] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel into a folder; return its name."""
    target = Path(wheel_directory).absolute()
    skipped = shutil.ignore_patterns("__pycache__", "node_modules")
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        for file in _NEEDED:
            shutil.copy2(file, tree / file)
        for folder in _FOLDERS:
            shutil.copytree(folder, tree / folder, ignore=skipped)
        for folder in _APP:
            shutil.copytree(folder, tree / "truthmark" / "_app" / folder, ignore=skipped)
        with contextlib.chdir(tree):
            return str(buildapi.build_wheel(str(target), config_settings))
