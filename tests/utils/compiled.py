# SPDX-License-Identifier: Apache-2.0
"""Contracts for titanoboa, compiled once for all processes that run the same sources.

    python -m tests.utils.compiled      compile all, on all cores, and what aggregates labels

titanoboa's own cache analyses a contract and all its modules at every load, to find out whether
they have changed, and has each process that finds nothing compile for itself.
"""

import fcntl
import gc
import hashlib
import os
import pickle
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import boa
from boa.contracts.vyper.vyper_contract import VyperContract, VyperDeployer
from vyper.compiler.settings import anchor_settings
from vyper.ir import compile_ir
from vyper.semantics.namespace import get_namespace

from tests.utils.contracts import CONTRACTS

ROOT = CONTRACTS.parent
FOLDER = ROOT / "build" / "compiled"

# Vyper makes it when it compiles first; titanoboa, which calls internal functions, needs it before.
get_namespace()


def _constructor_map(contract: Any) -> Any:
    """Tell which source each byte of a constructor is of."""
    data = contract.compiler_data
    if not hasattr(data, "constructor_map"):
        with anchor_settings(data.settings):
            _, data.constructor_map = compile_ir.assembly_to_evm(data.assembly)
    return data.constructor_map


# titanoboa assembles a contract again each time it is deployed.
VyperContract._deployment_source_map = property(_constructor_map)


@cache
def deployer(name: str) -> Any:
    """Compile a contract, unless somebody has.

    Args:
        name: Its path under contracts/ without the ending, for example `test/TestToken`.

    Returns:
        A titanoboa deployer: `.deploy(...)` and `.at(address)`.
    """
    source = str(CONTRACTS / f"{name}.vy")
    path = _folder() / f"{name.replace('/', '-')}.pickle"
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            # Its own cache takes what was compiled with other interfaces, where only an interface
            # names them, for the same: so it is not to outlive these sources.
            boa.interpret.set_cache_dir(str(_folder() / "titanoboa"))
            found = boa.load_partial(source)
            _ = found.compiler_data.source_map, _constructor_map(found)  # they are kept with it
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_bytes(pickle.dumps(found.compiler_data))
            unfinished.rename(path)
            return found
    # Millions of objects, none of them garbage: not to be searched while they come, nor ever again.
    gc.disable()
    try:
        data = pickle.loads(path.read_bytes())
    finally:
        gc.enable()
    gc.freeze()
    return VyperDeployer(data, filename=source)


def compile_all() -> None:
    """Compile all contracts and mocks that nobody has, long ones first."""
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        kernels = processes.submit(_compile_kernels)
        list(processes.map(_compile, _names()))
        kernels.result()


def load_all() -> None:
    """Have all in this process, and in those that are forked from it."""
    for name in _names():
        deployer(name)


def _names() -> list[str]:
    sources = [*CONTRACTS.glob("*.vy"), *CONTRACTS.glob("test/*.vy")]
    sources.sort(key=lambda path: -path.stat().st_size)
    return [path.relative_to(CONTRACTS).with_suffix("").as_posix() for path in sources]


def _compile(name: str) -> None:
    gc.disable()  # it would look for garbage a quarter of the time, and find little
    deployer(name)


def _compile_kernels() -> None:
    """Use each way to aggregate once: numba keeps what it has compiled, beside the source."""
    import pandas as pd

    from tests.utils.made_crowds import make_crowd
    from truthmark.labels.methods import METHODS, aggregate

    answers, truth = make_crowd()
    predictions = pd.DataFrame(1 / 3, index=truth.index, columns=list("abc"))
    for name, method in METHODS.items():
        gold = truth.iloc[:20] if method.takes_gold else None
        aggregate(name, answers, gold, predictions=predictions if name == "crowdlab" else None)


@cache
def _folder() -> Path:
    """Return the folder of these very sources and tools; those of others are removed."""
    digest = hashlib.sha256(sys.version.encode() + (ROOT / "requirements.lock").read_bytes())
    for path in sorted(CONTRACTS.rglob("*.vy*")):
        text = path.read_bytes()
        digest.update(f"{path} {len(text)}\0".encode() + text)
    folder = FOLDER / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    for other in FOLDER.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return folder


if __name__ == "__main__":
    compile_all()
