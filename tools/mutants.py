# SPDX-License-Identifier: Apache-2.0
"""Change the contracts in a hundred small ways, one at a time, and see whether fast tests notice.

    python -m tools.mutants          all of them, some two hours of one processor
    python -m tools.mutants 3/20     the third of twenty parts

An operator is turned, a check is left out, a condition is made true. Which ones are chosen is
always the same for the same sources. Each survivor is printed; below the floor, it ends with 1.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from vyper import ast as vy_ast
from vyper.ast import parse_to_ast

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / "build" / "mutants"
COPIED = ("contracts", "tests", "tools", "truthmark", "pyproject.toml", "requirements.lock")
COUNT = 105
FLOOR = 0.95
TURNED = {
    **{"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
    **{"+": "-", "-": "+", "*": "+", "//": "*", "and": "or", "or": "and", "<<": ">>", ">>": "<<"},
}
# Which tests look at a source, by a part of its name; all of tests/unit/contracts at the others.
TESTS = {
    "Bounty": "*bount*",
    "DatasetMarket": "*market*",
    "DatasetRegistry": "*registry*",
    "ListingChecks": "*registry*",
    "DeliveryProofs": "*delivery*",
    "ShardJudge": "*verdicts*",
    "Reviews": "*verdicts*",
    "Openings": "openings*",
    "ValidatorStaking": "staking*",
    "scoring": "scoring*",
    "ledger": "ledger*",
    "merkle": "merkle*",
    "aes_gcm": "aes_gcm*",
    "records": "records*",
    "secp256k1": "secp256k1*",
}


class Mutant(NamedTuple):
    """A piece of a source, and what stands in its place."""

    source: Path
    line: int
    begin: int
    end: int
    text: str


def main(arguments: list[str]) -> int:
    """Test a part of the mutants; return the exit code."""
    number, parts = map(int, arguments[0].split("/")) if arguments else (1, 1)
    chosen = choose()[number - 1 :: parts]
    _copy()
    killed = valid = 0
    for mutant in chosen:
        outcome = _outcome(mutant)
        killed += outcome == "killed"
        valid += outcome != "does not compile"
        old = _line(mutant)[mutant.begin : mutant.end]
        place = f"{mutant.source.relative_to(ROOT)}:{mutant.line}"
        print(f"{outcome:16} {place}: {old!r} -> {mutant.text!r}", flush=True)
    print(f"{killed} of {valid} killed")
    return 0 if killed >= FLOOR * valid else 1


def choose() -> list[Mutant]:
    """Return the mutants, the same for the same sources."""
    sources = [*(ROOT / "contracts").glob("*.vy"), *(ROOT / "contracts").glob("modules/*.vy")]
    found = [mutant for source in sorted(sources) for mutant in mutants(source)]
    return sorted(Random("mutants").sample(found, COUNT))  # noqa: S311 (guards nothing)


def mutants(source: Path) -> Iterator[Mutant]:
    """Yield every small change of a source."""
    tree = parse_to_ast(source.read_text())
    for node in tree.get_descendants((vy_ast.Compare, vy_ast.BinOp)):
        yield from _turned(source, node.left, node.right)
    for node in tree.get_descendants(vy_ast.BoolOp):
        yield from _turned(source, *node.values[:2])
    for node in tree.get_descendants(vy_ast.Assert):
        yield from _replaced(source, node.test, "True")
    for node in tree.get_descendants(vy_ast.If):
        yield from _replaced(source, node.test, "True")


def _turned(source: Path, left: Any, right: Any) -> Iterator[Mutant]:
    if left.end_lineno != right.lineno:
        return
    line = source.read_text().splitlines()[left.end_lineno - 1]
    between = line[left.end_col_offset : right.col_offset]
    operator = between.strip("() ")
    if operator in TURNED:
        begin = left.end_col_offset + between.index(operator)
        end = begin + len(operator)
        yield Mutant(source, left.end_lineno, begin, end, TURNED[operator])


def _replaced(source: Path, node: Any, text: str) -> Iterator[Mutant]:
    line = source.read_text().splitlines()[node.lineno - 1]
    # Vyper parses calls of other contracts under a shorter word, so that columns are others.
    if node.lineno == node.end_lineno and "extcall" not in line and "staticcall" not in line:
        yield Mutant(source, node.lineno, node.col_offset, node.end_col_offset, text)


def _line(mutant: Mutant) -> str:
    return mutant.source.read_text().splitlines()[mutant.line - 1]


def _copy() -> None:
    """Make a tree of its own, so that the sources here are never touched."""
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, TREE / name)
        else:
            shutil.copy(ROOT / name, TREE / name)


def _outcome(mutant: Mutant) -> str:
    copied = TREE / mutant.source.relative_to(ROOT)
    lines = mutant.source.read_text().splitlines(keepends=True)
    line = lines[mutant.line - 1]
    lines[mutant.line - 1] = line[: mutant.begin] + mutant.text + line[mutant.end :]
    copied.write_text("".join(lines))
    try:
        for tests in _tests(mutant.source):
            # What noticed the last mutant often notices its neighbour: it runs first.
            command = [sys.executable, "-m", "pytest", "-q", "-x", "--failed-first", *tests]
            done = subprocess.run(
                command,
                cwd=TREE,
                env={**os.environ, "PYTHONPATH": str(TREE)},
                capture_output=True,
                text=True,
                check=False,
            )
            if "vyper.exceptions" in done.stdout:
                return "does not compile"
            if done.returncode == pytest.ExitCode.TESTS_FAILED:
                return "killed"
            if done.returncode:  # no test has run: nothing is said of the mutant
                raise SystemExit(f"{done.stdout}{done.stderr}\n{' '.join(tests)} cannot be run")
    finally:
        shutil.copy(mutant.source, copied)
    return "SURVIVED"


def _tests(source: Path) -> Iterator[list[str]]:
    """Yield what is run one after the other: first what is about the source, then all else."""
    folder = TREE / "tests" / "unit" / "contracts"
    every = {path for path in folder.glob("test_*.py") if path.stem != "test_faster_evm"}
    pattern = next((glob for part, glob in TESTS.items() if part in source.stem), "*")
    near = set(folder.glob(f"test_{pattern}.py")) & every
    for group in (near, every - near):
        if group:
            yield [str(path.relative_to(TREE)) for path in sorted(group)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
