# SPDX-License-Identifier: Apache-2.0
"""Deployment: a plan is data, and each of its steps is done, checked and recorded.

The record is a JSON file, written after every transaction. Running a plan again with the same
record skips what is recorded, after checking that it is still there; what was sent but not yet
recorded when a run was killed is found again through the journal.

Usage example::

    plan = Plan(
        parameters=("owner", "treasury"),
        steps=(
            Step("registry", "DatasetRegistry", (Param("owner"),)),
            Step(
                "market",
                "DatasetMarket",
                (Ref("registry"), Param("treasury")),
                calls=(Invoke("fix_market", (Ref("market"),), target="registry"),),
                checks=(Expect("REGISTRY", Ref("registry")),),
            ),
        ),
    )
    record = deploy(plan, {...}, JournalDeployer(chain, journal), Path("deployments/x.json"))
    record.to_profile(base_profile).save(settings.home / "profiles")
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from truthmark.chain.abi import Artifact, load_artifact
from truthmark.chain.connection import Chain
from truthmark.chain.journal import Journal
from truthmark.chain.transactions import Intent, TransactionReceipt
from truthmark.config.files import write_atomically
from truthmark.config.profile import ChainProfile, ContractInfo
from truthmark.errors import ChainMismatchError, ConfigError, RevertedError
from truthmark.hashing import keccak256


@dataclass(frozen=True)
class Ref:
    """The address of a step's contract."""

    step: str


@dataclass(frozen=True)
class Param:
    """A value that differs from network to network."""

    name: str


@dataclass(frozen=True)
class Invoke:
    """A transaction that belongs to a step.

    Attributes:
        function: Its name.
        args: May hold `Ref` and `Param` at any depth.
        target: Step whose contract is called, if not this one's.
    """

    function: str
    args: tuple[Any, ...] = ()
    target: str | None = None


@dataclass(frozen=True)
class Expect:
    """What a view must return once a step is done.

    Attributes:
        function: Its name.
        value: What it must return.
        args: Of the view.
        target: Step whose contract is asked, if not this one's.
    """

    function: str
    value: Any
    args: tuple[Any, ...] = ()
    target: str | None = None


@dataclass(frozen=True)
class Step:
    """A contract to deploy, and what to do and check right after.

    Attributes:
        name: Its role in the chain profile.
        artifact: The compiled contract or its name.
        args: Of the constructor.
        calls: In order.
        checks: Of every later run too.
    """

    name: str
    artifact: str | Artifact
    args: tuple[Any, ...] = ()
    calls: tuple[Invoke, ...] = ()
    checks: tuple[Expect, ...] = ()

    def load(self) -> Artifact:
        """Return the compiled contract."""
        return load_artifact(self.artifact) if isinstance(self.artifact, str) else self.artifact


@dataclass(frozen=True)
class Plan:
    """Steps in their order, and the names of the parameters that they take."""

    steps: tuple[Step, ...]
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent:
    """A transaction of a deployment.

    Attributes:
        tx_hash: As 0x text.
        block: Where it is.
        gas_used: Units of gas.
        args: What was passed, as JSON.
    """

    tx_hash: str
    block: int
    gas_used: int
    args: Any = ()


@dataclass(frozen=True)
class StepRecord:
    """What became of a step.

    Attributes:
        artifact: Name of the compiled contract.
        address: With ERC-55 capitals.
        deployed: The transaction.
        code_hash: keccak256 of the code on chain.
        creation_hash: keccak256 of the compiled creation code, without arguments.
        compiler: That made it.
        commit: Of the source, where it was told.
        calls: By function and target, those that are done.
    """

    artifact: str
    address: str
    deployed: Sent
    code_hash: str
    creation_hash: str
    compiler: str
    commit: str
    calls: Mapping[str, Sent] = field(default_factory=dict)


@dataclass(frozen=True)
class DeploymentRecord:
    """A deployment, as far as it has come.

    Attributes:
        deployment: A random name; transactions are named by it, so that a second deployment on
            the same chain is not taken for the first.
        chain_id: Of the chain.
        genesis: Hash of its block 0.
        parameters: As JSON.
        steps: Those that are done, by name.
    """

    deployment: str
    chain_id: int
    genesis: str
    parameters: Mapping[str, Any]
    steps: Mapping[str, StepRecord] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "DeploymentRecord":
        """Read a record.

        Raises:
            ConfigError: It cannot be read.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            steps = {name: _step_record(entry) for name, entry in data["steps"].items()}
            return cls(**{f.name: data[f.name] for f in fields(cls)} | {"steps": steps})
        except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"cannot use deployment record {path} ({error!r}); name another file"
            ) from error

    def save(self, path: Path) -> None:
        """Write the record, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(self), indent=2).encode() + b"\n")

    def to_profile(self, base: ChainProfile, roles: Sequence[str] | None = None) -> ChainProfile:
        """Return a chain profile with this deployment's contracts.

        Args:
            base: Says the rest.
            roles: Steps that are contracts of the protocol; all if not given.
        """
        contracts = {
            name: ContractInfo(step.address, step.artifact, step.code_hash, step.deployed.block)
            for name, step in self.steps.items()
            if roles is None or name in roles
        }
        return replace(base, chain_id=self.chain_id, genesis=self.genesis, contracts=contracts)


class Deployer(Protocol):
    """What a deployment needs of a chain and an account."""

    @property
    def chain_id(self) -> int:
        """Of the chain."""

    @property
    def genesis(self) -> bytes:
        """Hash of block 0."""

    def deploy(self, key: str, artifact: Artifact, args: Sequence[Any]) -> tuple[str, Sent]:
        """Deploy a contract, at most once under `key`, and return its address."""

    def invoke(
        self, key: str, artifact: Artifact, address: str, function: str, args: Sequence[Any]
    ) -> Sent:
        """Send a transaction to a contract, at most once under `key`."""

    def read(self, artifact: Artifact, address: str, function: str, args: Sequence[Any]) -> Any:
        """Call a view."""

    def code(self, address: str) -> bytes:
        """Return the code at an address."""


class JournalDeployer:
    """Deploys through the transaction journal."""

    def __init__(self, chain: Chain, journal: Journal) -> None:
        self._chain = chain
        self._journal = journal

    @property
    def chain_id(self) -> int:
        """Of the chain."""
        return self._chain.profile.chain_id

    @property
    def genesis(self) -> bytes:
        """Hash of block 0."""
        return self._chain.genesis

    def deploy(self, key: str, artifact: Artifact, args: Sequence[Any]) -> tuple[str, Sent]:
        """Deploy a contract, at most once under `key`, and return its address.

        Raises:
            RevertedError: The constructor refuses.
        """
        data = artifact.creation_code(args)
        purpose = f"deploy {artifact.name}"
        receipt = self._journal.send(Intent(key, None, data, purpose=purpose))
        if receipt.contract_address is None:
            raise RevertedError(f"{artifact.name} was not deployed; look at {receipt.tx_hash}")
        return receipt.contract_address, _sent(receipt)

    def invoke(
        self, key: str, artifact: Artifact, address: str, function: str, args: Sequence[Any]
    ) -> Sent:
        """Send a transaction to a contract, at most once under `key`.

        Raises:
            RevertedError: The contract refuses.
        """
        contract = self._chain.at(address, artifact)
        call = getattr(contract.functions, function)(*args)
        return _sent(self._journal.send(call.intent(key)))

    def read(self, artifact: Artifact, address: str, function: str, args: Sequence[Any]) -> Any:
        """Call a view."""
        return getattr(self._chain.at(address, artifact).functions, function)(*args).call()

    def code(self, address: str) -> bytes:
        """Return the code at an address."""
        return self._chain.code(address)


def deploy(
    plan: Plan,
    parameters: Mapping[str, Any],
    deployer: Deployer,
    path: Path,
    *,
    commit: str = "",
    report: Callable[[str], None] | None = None,
) -> DeploymentRecord:
    """Do what is left of a plan: do, check, record.

    Args:
        plan: What to deploy.
        parameters: For the plan's `Param`s.
        deployer: Sends transactions.
        path: Of the record; made if there is none.
        commit: Of the contracts' source, for the record.
        report: Called with a line about each thing that was done or skipped.

    Raises:
        ConfigError: The plan, its parameters and the record do not fit together.
        ChainMismatchError: A recorded contract is not there, or a check fails.
        RevertedError: A contract refuses.
        ChainError: The chain cannot be reached.
    """
    say = report or (lambda line: None)
    record = _begin(plan, parameters, deployer, path)
    for step in plan.steps:
        artifact = step.load()
        if step.name in record.steps:
            _check_recorded(step, artifact, record.steps[step.name], deployer)
            say(f"{step.name}: there already, at {record.steps[step.name].address}")
        else:
            args = _resolve(step.args, record)
            key = f"deploy:{record.deployment}:{step.name}"
            address, sent = deployer.deploy(key, artifact, args)
            code = deployer.code(address)
            if not code:
                raise ChainMismatchError(f"{step.name} has no code at {address}; run again")
            entry = StepRecord(
                artifact=artifact.name,
                address=address,
                deployed=replace(sent, args=_plain(args)),
                code_hash="0x" + keccak256(code).hex(),
                creation_hash="0x" + keccak256(artifact.bytecode).hex(),
                compiler=artifact.compiler,
                commit=commit,
            )
            record = _save_step(record, step.name, entry, path)
            say(f"{step.name}: deployed at {address} for {sent.gas_used} gas")
        for name, call in _named_calls(step):
            if name in record.steps[step.name].calls:
                continue
            target, target_artifact = _target(plan, record, call.target or step.name)
            args = _resolve(call.args, record)
            key = f"deploy:{record.deployment}:{step.name}:{name}"
            sent = deployer.invoke(key, target_artifact, target.address, call.function, args)
            done = {**record.steps[step.name].calls, name: replace(sent, args=_plain(args))}
            entry = replace(record.steps[step.name], calls=done)
            record = _save_step(record, step.name, entry, path)
            say(f"{step.name}: called {name} for {sent.gas_used} gas")
        _expect(plan, step, record, deployer)
    return record


def check(plan: Plan, deployer: Deployer, path: Path) -> DeploymentRecord:
    """Check that a recorded deployment is complete, there, and as planned; change nothing.

    Raises:
        ConfigError: The record cannot be read or lacks a step.
        ChainMismatchError: A contract is not there or another one, or a check fails.
    """
    record = DeploymentRecord.load(path)
    _same_chain(record, deployer, path)
    for step in plan.steps:
        entry = record.steps.get(step.name)
        if entry is None or any(name not in entry.calls for name, _ in _named_calls(step)):
            raise ConfigError(f"{step.name} is not fully deployed; run the deployment again")
        _check_recorded(step, step.load(), entry, deployer)
        _expect(plan, step, record, deployer)
    return record


def describe(plan: Plan, parameters: Mapping[str, Any], path: Path | None = None) -> list[str]:
    """Say line by line what `deploy` would do; nothing is asked or sent.

    Raises:
        ConfigError: A parameter is missing, or the record cannot be read.
    """
    _check_parameters(plan, parameters)
    steps = DeploymentRecord.load(path).steps if path and path.exists() else {}
    record = DeploymentRecord("", 0, "", parameters, steps)
    lines = []
    for step in plan.steps:
        artifact = step.load()
        entry = steps.get(step.name)
        args = ", ".join(str(_plain(_resolve(arg, record, strict=False))) for arg in step.args)
        if entry:
            lines.append(f"skip    {step.name} = {artifact.name} at {entry.address}")
        else:
            size = len(artifact.bytecode)
            lines.append(f"deploy  {step.name} = {artifact.name}({args}), {size} bytes to send")
        for name, call in _named_calls(step):
            if entry and name in entry.calls:
                continue
            args = ", ".join(str(_plain(_resolve(a, record, strict=False))) for a in call.args)
            lines.append(f"call    {call.target or step.name}.{call.function}({args})")
        for expect in step.checks:
            value = _plain(_resolve(expect.value, record, strict=False))
            lines.append(f"check   {expect.target or step.name}.{expect.function} = {value}")
    return lines


def _begin(
    plan: Plan, parameters: Mapping[str, Any], deployer: Deployer, path: Path
) -> DeploymentRecord:
    """Read the record, or start one before anything is sent."""
    _check_parameters(plan, parameters)
    if not path.exists():
        record = DeploymentRecord(
            deployment=secrets.token_hex(8),
            chain_id=deployer.chain_id,
            genesis="0x" + deployer.genesis.hex(),
            parameters=_plain(dict(parameters)),
        )
        record.save(path)
        return replace(record, parameters=parameters)
    record = DeploymentRecord.load(path)
    _same_chain(record, deployer, path)
    if record.parameters != _plain(dict(parameters)):
        raise ConfigError(
            f"deployment record {path} was made with other parameters; "
            "use those, or name another file to deploy again"
        )
    return replace(record, parameters=parameters)


def _check_parameters(plan: Plan, parameters: Mapping[str, Any]) -> None:
    if missing := set(plan.parameters) - set(parameters):
        raise ConfigError(f"the deployment needs the parameter {min(missing)}")
    if unknown := set(parameters) - set(plan.parameters):
        raise ConfigError(f"the deployment has no parameter {min(unknown)}")


def _same_chain(record: DeploymentRecord, deployer: Deployer, path: Path) -> None:
    here = deployer.chain_id, "0x" + deployer.genesis.hex()
    if (record.chain_id, record.genesis) != here:
        raise ChainMismatchError(
            f"deployment record {path} is of another chain; name another file to deploy here"
        )


def _check_recorded(step: Step, artifact: Artifact, entry: StepRecord, deployer: Deployer) -> None:
    if entry.creation_hash != "0x" + keccak256(artifact.bytecode).hex():
        raise ChainMismatchError(
            f"{step.name} was deployed from other code than {artifact.name} is now; "
            "check out that release, or name another record file to deploy again"
        )
    if "0x" + keccak256(deployer.code(entry.address)).hex() != entry.code_hash:
        raise ChainMismatchError(
            f"{step.name} is not at {entry.address} any more; "
            "name another record file to deploy again"
        )


def _expect(plan: Plan, step: Step, record: DeploymentRecord, deployer: Deployer) -> None:
    for expect in step.checks:
        target, artifact = _target(plan, record, expect.target or step.name)
        args = _resolve(expect.args, record)
        found = _plain(deployer.read(artifact, target.address, expect.function, args))
        wanted = _plain(_resolve(expect.value, record))
        same = found.lower() == wanted.lower() if isinstance(found, str) else found == wanted
        if not same:
            raise ChainMismatchError(
                f"{expect.target or step.name}.{expect.function} is {found}, "
                f"the plan wants {wanted}; do not use this deployment"
            )


def _target(plan: Plan, record: DeploymentRecord, name: str) -> tuple[StepRecord, Artifact]:
    steps = {step.name: step for step in plan.steps}
    if name not in steps or name not in record.steps:
        raise ConfigError(f"the plan uses {name} before it is deployed; reorder its steps")
    return record.steps[name], steps[name].load()


def _named_calls(step: Step) -> Iterator[tuple[str, Invoke]]:
    """Name a step's calls by target, function and, where one is repeated, number."""
    seen: dict[str, int] = {}
    for call in step.calls:
        name = f"{call.target or step.name}.{call.function}"
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name}#{seen[name]}"), call


def _resolve(value: Any, record: DeploymentRecord, *, strict: bool = True) -> Any:
    """Put addresses and parameters in the places of `Ref` and `Param`."""
    if isinstance(value, Ref):
        if value.step in record.steps:
            return record.steps[value.step].address
        if strict:
            raise ConfigError(f"the plan uses {value.step} before it is deployed; reorder it")
        return f"<address of {value.step}>"
    if isinstance(value, Param):
        if value.name not in record.parameters:
            raise ConfigError(f"the plan does not declare its parameter {value.name}")
        return record.parameters[value.name]
    if isinstance(value, Mapping):
        return {key: _resolve(entry, record, strict=strict) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_resolve(entry, record, strict=strict) for entry in value]
    return value


def _plain(value: Any) -> Any:
    """Turn values into what JSON gives back unchanged."""
    if isinstance(value, (bytes, bytearray)):
        return "0x" + bytes(value).hex()
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def _save_step(
    record: DeploymentRecord, name: str, entry: StepRecord, path: Path
) -> DeploymentRecord:
    record = replace(record, steps={**record.steps, name: entry})
    replace(record, parameters=_plain(dict(record.parameters))).save(path)
    return record


def _step_record(entry: Mapping[str, Any]) -> StepRecord:
    calls = {name: Sent(**sent) for name, sent in entry["calls"].items()}
    values = {f.name: entry[f.name] for f in fields(StepRecord)}
    return StepRecord(**values | {"deployed": Sent(**entry["deployed"]), "calls": calls})


def _sent(receipt: TransactionReceipt) -> Sent:
    return Sent(receipt.tx_hash, receipt.block_number, receipt.gas_used)
