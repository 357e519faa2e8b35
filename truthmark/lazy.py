# SPDX-License-Identifier: Apache-2.0
"""Modules, and names of a package, that are imported when they are first used."""

import importlib
from collections.abc import Callable, Mapping
from functools import cached_property
from types import ModuleType
from typing import Any


def lazy_names(
    package: dict[str, Any], modules: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__`.

    Not for `truthmark` itself, which loads nothing before the command line listens for Ctrl-C.

    Args:
        package: Its `globals()`, which keep what was imported.
        modules: By module in the package the names that it gives, none of them its own.
    """
    homes = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package['__name__']}.{homes[name]}")
        package[name] = value = getattr(module, name)
        return value

    return get, lambda: sorted({*package, *package["__all__"]})


class LazyModule:
    """A module that is imported when something of it is first used.

    Args:
        name: Of the module.
    """

    def __init__(self, name: str) -> None:
        """Import nothing yet."""
        self._name = name

    @cached_property
    def _module(self) -> ModuleType:
        return importlib.import_module(self._name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
