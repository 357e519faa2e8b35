# SPDX-License-Identifier: Apache-2.0
"""What `truthmark/bounty` and `truthmark/labels` offer says what it takes, gives and raises."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    p for room in ("bounty", "labels") for p in (ROOT / "truthmark" / room).rglob("*.py")
)
NUMBERS = re.compile(r"(int|float|tuple|dict|list|bytes|Ints|Floats|Mask|np\.)")
SAYS = re.compile(r"^(Return|Yield|Tell)|(Returns|Yields):\n|\breturns?\b", re.M)
"""How a docstring says what numbers mean that come back; of a class its own docstring does."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def offered(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, Function]]:
    """Yield the public functions of a module, and the public methods of its public classes."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from offered(node.body, f"{owner}{node.name}.")
        elif isinstance(node, Function) and not node.name.startswith("_"):
            yield f"{owner}{node.name}", node


def faults(function: Function) -> list[str]:
    """Return what the docstring of a function leaves out."""
    if any(
        re.search("property|overload|override|setter", ast.unparse(d))
        for d in function.decorator_list
    ):
        return []
    text = ast.get_docstring(function) or ""
    found = []
    asked = function.args
    names = [a.arg for a in (*asked.posonlyargs, *asked.args, *asked.kwonlyargs)]
    names = [name for name in names if name not in ("self", "cls")]
    if len(names) > 1:
        section = text.partition("Args:\n")[2].partition("\n\n")[0]
        found += [f"Args: {n}" for n in names if not re.search(rf"^    {n}: \S", section, re.M)]
    if any(isinstance(node, ast.Raise) and node.exc is not None for node in _own(function)):
        found += [] if "Raises:\n" in text else ["Raises"]
    kind = "None" if function.returns is None else ast.unparse(function.returns).strip("'")
    if NUMBERS.match(kind) and not SAYS.search(text):
        found.append("Returns")
    return found


def _own(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions within it."""
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            left += ast.iter_child_nodes(node)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "truthmark")))
def test_docstrings__public_functions__say_all(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    told = [f"{name}: {', '.join(lacks)}" for name, f in offered(tree.body) if (lacks := faults(f))]
    assert not told, "\n".join(told)


def test_faults__what_is_left_out__is_named() -> None:
    source = """
def told(a, b):
    \'\'\'Return a sum.

    Args:
        a: One.
        b: Two.
    \'\'\'
    def inner():
        raise ValueError
    return a + b

class Shop:
    def sell(self, what, price) -> int:
        \'\'\'Sell it.

        Args:
            what: Which.
        \'\'\'
        if not price:
            raise ValueError("free")

    @property
    def _hidden(self): ...
"""
    found = {name: faults(f) for name, f in offered(ast.parse(source).body)}
    assert found == {"told": [], "Shop.sell": ["Args: price", "Raises", "Returns"]}
