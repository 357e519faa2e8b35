# SPDX-License-Identifier: Apache-2.0
"""Compile the contracts into the library, or check that what is there is what they compile to.

    python tools/artifacts.py            write the artifacts
    python tools/artifacts.py --check    compare them with a fresh compile; exit 1 on a difference

An artifact holds all that the library and a reviewer need: ABI, creation code, size of the
deployed code, where each variable lies, and the hash of every source. It is the same on every
machine, so a change of ABI, storage layout or size shows in the diff of the commit that makes it.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vyper
from vyper.compiler import CompilerData
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.output import build_abi_output, build_layout_output

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
# Of the mocks the library carries those that a local network deploys; tests compile the others.
PLACES = {
    "*.vy": ROOT / "truthmark" / "chain" / "artifacts",
    "test/Test*.vy": ROOT / "truthmark" / "testing" / "artifacts",
}

Artifact = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Write or check all artifacts; return the exit code."""
    check = arguments == ["--check"]
    if arguments and not check:
        print(__doc__)
        return 2
    fresh = {path: compile_contract(source) for source, path in contracts()}
    if not check:
        for path, artifact in fresh.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(to_text(artifact))
        for path in leftovers(fresh):
            path.unlink()
        print(f"{len(fresh)} contracts compiled")
        return 0
    problems = [f"{path.relative_to(ROOT)}: its contract is gone" for path in leftovers(fresh)]
    for path, artifact in fresh.items():
        recorded = json.loads(path.read_text()) if path.exists() else {}
        problems += [
            f"{path.relative_to(ROOT)}: {line}" for line in differences(recorded, artifact)
        ]
    if problems:
        print(*problems, "run `make artifacts` and commit what it changes", sep="\n")
    return 1 if problems else 0


def contracts() -> Iterator[tuple[Path, Path]]:
    """Yield the source of each contract that the library carries, and its artifact's path."""
    for pattern, folder in PLACES.items():
        for source in sorted(CONTRACTS.glob(pattern)):
            yield source, folder / f"{source.stem}.json"


def leftovers(fresh: dict[Path, Artifact]) -> list[Path]:
    """Return the artifacts whose contracts are no more."""
    return sorted(
        path for folder in PLACES.values() for path in folder.glob("*.json") if path not in fresh
    )


def compile_contract(source: Path) -> Artifact:
    """Compile a contract as `vyper -p contracts` does, modules of site-packages included."""
    roots = [*(Path(entry) for entry in reversed(sys.path) if entry), CONTRACTS]
    bundle = FilesystemInputBundle(roots)
    with bundle.search_path(source.parent):
        return describe(CompilerData(bundle.load_file(source), bundle))


def describe(data: CompilerData) -> Artifact:
    """Tell what a contract was compiled to."""
    runtime, layout = data.bytecode_runtime, _without_paths(build_layout_output(data))
    inputs = [*data.resolved_imports.compiler_inputs, data.file_input]
    immutables = sum(length for _, length in _leaves(layout.get("code_layout", {}), "length"))
    return {
        "abi": build_abi_output(data),
        "bytecode": f"0x{data.bytecode.hex()}",
        "compiler": f"vyper {vyper.__version__}",
        # What the chain stores, and limits: immutables lie behind the code.
        "deployed_size": len(runtime) + immutables,
        "layout": layout,
        "sources": dict(sorted(_hash(item.resolved_path, item.contents) for item in inputs)),
    }


def to_text(artifact: Artifact) -> str:
    """Write an artifact in its one canonical form."""
    return json.dumps(artifact, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def differences(recorded: Artifact, fresh: Artifact) -> list[str]:
    """Say in words in what two artifacts differ."""
    if not recorded:
        return ["is missing"]
    lines = [
        f"{change} {what} {name}"
        for what, read in (("ABI entry", _abi_entries), ("variable", _variables))
        for change, name in _changes(read(recorded), read(fresh))
    ]
    old, new = recorded.get("sources", {}), fresh["sources"]
    lines += [f"{change} source {name}" for change, name in _changes(old, new)]
    if recorded.get("bytecode") != fresh["bytecode"]:
        sizes = f"{recorded.get('deployed_size')} -> {fresh['deployed_size']}"
        lines.append(f"changed bytecode (deployed size {sizes})")
    if not lines and to_text(recorded) != to_text(fresh):
        lines.append("differs")
    return lines


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str]]:
    changed = [name for name in old.keys() & new.keys() if old[name] != new[name]]
    return [
        *(("removed", name) for name in sorted(old.keys() - new.keys())),
        *(("added", name) for name in sorted(new.keys() - old.keys())),
        *(("changed", name) for name in sorted(changed)),
    ]


def _abi_entries(artifact: Artifact) -> dict[str, Any]:
    def types(entry: Artifact) -> str:
        return ",".join(part["type"] for part in entry.get("inputs", ()))

    return {f"{e['type']} {e.get('name', '')}({types(e)})": e for e in artifact.get("abi", ())}


def _variables(artifact: Artifact) -> dict[str, Any]:
    layout = artifact.get("layout", {})
    return {
        f"{kind} {name}": variable
        for kind, variables in layout.items()
        for name, variable in _leaves(variables, "type")
    }


def _leaves(tree: dict[str, Any], key: str, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the variables of a layout: the whole entry for "type", else the value of `key`."""
    for name, branch in tree.items():
        where = f"{path}.{name}" if path else name
        if isinstance(branch.get("type"), str):
            yield where, branch if key == "type" else branch[key]
        else:
            yield from _leaves(branch, key, where)


def _without_paths(layout: Any) -> Any:
    """Reduce the file names by which Vyper calls interface types to the interfaces' names."""
    if isinstance(layout, dict):
        return {name: _without_paths(branch) for name, branch in layout.items()}
    return re.sub(r"[\w./-]*/(\w+)\.vyi", r"\1", layout) if isinstance(layout, str) else layout


def _hash(path: Path, text: str) -> tuple[str, str]:
    """Name a source by its place in contracts/ or in the package that it comes from."""
    if path.is_relative_to(CONTRACTS):
        name = path.relative_to(CONTRACTS)
    else:
        root = max(
            (e for e in map(Path, sys.path) if path.is_relative_to(e)), key=lambda e: len(e.parts)
        )
        name = path.relative_to(root)
    return name.as_posix(), hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
