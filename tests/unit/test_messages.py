# SPDX-License-Identifier: Apache-2.0
"""Errors speak to those who read them: of options on the command line, of the page in the app."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from truthmark import errors
from truthmark.codec.refusals import no_table

ROOT = Path(__file__).resolve().parents[2]
OPTION = re.compile(r"(?<![\w-])--[a-z]")
# A whole command can be run by those who see it on a page; an option alone cannot.
COMMAND = re.compile(r"`truthmark [a-z][^`]*`")
# What the app has no page for.
OTHERS = ("cli", "labels", "node", "testing")
STAKING = "truthmark.market.validator"


def modules() -> list[str]:
    paths = [p.relative_to(ROOT) for p in sorted((ROOT / "truthmark").rglob("*.py"))]
    paths += [p.relative_to(ROOT) for p in sorted((ROOT / "app").rglob("*.py"))]
    kept = [p for p in paths if p.parts[1] not in OTHERS]
    names = [".".join(p.with_suffix("").parts).removesuffix(".__init__") for p in kept]
    return [name for name in names if name != STAKING]


def said(node: ast.AST, module: object) -> str:
    """Return the fixed parts of an expression, also those that stand under a name of the module."""
    parts = []
    for child in ast.walk(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            parts.append(child.value)
        elif isinstance(child, ast.Name) and isinstance(getattr(module, child.id, None), str):
            parts.append(getattr(module, child.id))
    return " ".join(parts)


def names_option(text: str) -> bool:
    return bool(OPTION.search(COMMAND.sub("", text)))


def silent_constants(tree: ast.Module) -> set[int]:
    """Return docstrings and what is under a name, whose every use in an error is looked at."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            found.add(id(node.value))
        if isinstance(node, ast.Assign | ast.AnnAssign) and node in tree.body and node.value:
            found |= {id(child) for child in ast.walk(node.value)}
    return found


def wrong_in(name: str) -> Iterator[str]:
    path = ROOT / Path(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    source = path.read_text()
    tree = ast.parse(source)
    if "Error" not in source and not OPTION.search(source):
        return
    module = importlib.import_module(name) if name.startswith("truthmark") else object()
    looked_at = silent_constants(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if not isinstance(getattr(errors, called, None), type):
            continue
        looked_at |= {id(child) for child in ast.walk(node)}
        page = next((k.value for k in node.keywords if k.arg == "page"), None)
        if page is not None and names_option(said(page, module)):
            yield f"{name}:{node.lineno}: words for pages name an option"
        if page is None and any(names_option(said(arg, module)) for arg in node.args):
            yield f"{name}:{node.lineno}: names an option and has no words for pages"
    if name.startswith(("app.", "truthmark.cli.")):
        return  # they name options on purpose: in commands for a terminal, and where options are
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in looked_at and names_option(node.value):
            yield f"{name}:{node.lineno}: an option outside of any error: {node.value!r}"


def test_messages__all_that_the_app_can_show__name_no_options():
    assert [wrong for name in modules() for wrong in wrong_in(name)] == []


@pytest.mark.parametrize("kind", [errors.CodecError, errors.StorageError, errors.NodeError])
def test_error__with_words_for_pages__has_both(kind: type[errors.TruthmarkError]):
    error = kind("pay with --again", page="agree to pay")
    assert (str(error), error.page) == ("pay with --again", "agree to pay")
    assert kind("no").page == ""


def test_no_table__to_sell_it_raw__is_said_to_both():
    error = no_table("it is none, or")
    assert str(error) == "it is none, or pack it byte for byte with --raw"
    assert error.page == "it is none, or have it packed byte for byte"
