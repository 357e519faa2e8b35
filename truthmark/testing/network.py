# SPDX-License-Identifier: Apache-2.0
"""A whole local network in one folder: a chain, the contracts, test money, roles with homes."""

import atexit
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from truthmark.config.files import write_atomically
from truthmark.config.profile import (
    DEMO_WINDOWS,
    DEVNET_BEACON_BLOCKS,
    DEVNET_CHAIN_ID,
    STANDARD_WINDOWS,
    ChainProfile,
    TokenInfo,
)
from truthmark.config.settings import DEVNET_PASSPHRASE, load_settings, save_settings
from truthmark.errors import ConfigError
from truthmark.market.catalogue import Catalogue
from truthmark.session import Session, Signer, is_devnet
from truthmark.testing.anvil import MNEMONIC, AnvilProcess, start_anvil
from truthmark.testing.custodians import (
    NodeProcess,
    find_port,
    register_custodian,
    start_custodian,
    start_relay,
)
from truthmark.types import Progress

if TYPE_CHECKING:
    from truthmark.market.entries import Version
    from truthmark.testing.seeding import Seeded

ROLES = (
    "owner",
    "treasury",
    "seller",
    "buyer",
    "custodian1",
    "custodian2",
    "custodian3",
    "custodian4",
    "copycat",
    "stranger",
    "buyer2",
    "buyer3",
    "requester",
    "relay",
    "watch",
    "labeler",
)
"""Each has a funded account and a home folder of its own."""

TICKET = 100 * 10**18
UNBONDING_SECONDS = 86_400
MIN_WINDOW = 5
MAX_WINDOW = 90 * 86_400
_STATE_FILE = "devnet.json"
_STAKE = 10**6 * 10**18
_DOLLARS = 10**5 * 10**6
_TOKENS: dict[str, tuple[str, str, int]] = {
    "dollar": ("Test Dollar", "TUSD", 6),
    "euro": ("Test Euro", "TEUR", 18),
}


@dataclass(frozen=True)
class Status:
    """How a devnet is doing."""

    url: str
    is_running: bool
    block: int | None
    time: int | None


class Devnet:
    """A local network; `start` makes one, `Devnet.open` finds one that is running.

    Attributes:
        folder: Where everything of it is.
        chain: The anvil process.
        profile: The chain profile that all roles use.
        custodians: Nodes that `start_custodians` started.
        relay: The node that `start_relay` started.
    """

    def __init__(
        self,
        folder: Path,
        chain: AnvilProcess,
        profile: ChainProfile,
        custodians: Sequence[NodeProcess] = (),
        relay: NodeProcess | None = None,
    ) -> None:
        """Describe a network that exists; use `start` or `open`."""
        self.folder = folder
        self.chain = chain
        self.profile = profile
        self.custodians = list(custodians)
        self.relay = relay

    @classmethod
    def start(
        cls,
        folder: Path | str,
        *,
        port: int | None = None,
        block_time: int | None = 1,
        custodians: int = 0,
        detach: bool = False,
        progress: Progress | None = None,
    ) -> Self:
        """Start a chain, or go on with the folder's own, deploy what is missing, fund the roles.

        Args:
            folder: Made if there is none.
            port: Where the chain listens; a free port, or the one before, if not given.
            block_time: Seconds between blocks that come even where nothing happens, beside one for
                each transaction; None: time stands still between transactions.
            custodians: How many nodes to start, each with stake and an offer; 4 at most.
            detach: Leave chain and nodes running when this process ends.
            progress: Called with steps done and in all.

        Raises:
            ConfigError: A devnet is running in this folder already, or there is no anvil.
        """
        folder = Path(folder).expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True)
        if _read(folder) and cls.open(folder).chain.is_running():
            raise ConfigError(
                f"a devnet is running in {folder} already; stop it with `truthmark devnet down`"
            )
        known = _read(folder)
        is_resumed = (folder / "chain.state").exists()
        chain = start_anvil(
            port=port or (known or {}).get("port"),
            block_time=block_time,
            state=folder / "chain.state",
            log=folder / "chain.log",
            detach=detach,
            extra=(
                *("--order", "fifo"),
                *(("--mixed-mining",) if block_time else ()),
                *_clock(folder / "chain.state"),
            ),
        )
        try:
            profile = _deploy(folder, chain, progress, is_resumed=is_resumed)
            devnet = cls(folder, chain, profile)
            devnet._save()
            for role in ROLES:
                devnet._prepare_home(role)
        except BaseException:
            chain.stop()
            raise
        try:
            devnet.start_custodians(custodians, detach=detach)
        except BaseException:
            devnet.stop()
            raise
        return devnet

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Find the devnet of a folder, running or not.

        Raises:
            ConfigError: There never was one, or one of another version.
        """
        folder = Path(folder).expanduser().absolute()
        known = _read(folder)
        if known is None:
            raise ConfigError(f"there is no devnet in {folder}; make one: `truthmark devnet up`")
        try:
            chain = AnvilProcess(known["url"], known["pid"], Path(known["log"]))
            nodes = [NodeProcess(**entry) for entry in known["custodians"]]
            relay = NodeProcess(**known["relay"]) if known["relay"] else None
            profile = ChainProfile.from_dict(known["profile"])
        except (KeyError, TypeError) as error:
            raise ConfigError(
                f"{folder / _STATE_FILE} is of another version of truthmark; delete the folder"
            ) from error
        return cls(folder, chain, profile, nodes, relay)

    @classmethod
    def of(cls, session: Session) -> Self | None:
        """Return the running network of which a session's home is a role's; None for any other.

        A session that was pointed at another chain, whatever its home, belongs to none.

        Raises:
            ConfigError: The network was made by another version.
        """
        folder, profile = session.home.parent, session.profile
        if not is_devnet(session.settings) or not (folder / _STATE_FILE).is_file():
            return None
        found = cls.open(folder)
        is_same = (profile.rpc, profile.genesis) == (found.profile.rpc, found.profile.genesis)
        return found if is_same and found.chain.is_running() else None

    def _save(self) -> None:
        """Write down what `open` reads."""
        chain = self.chain
        state = {
            "url": chain.url,
            "port": int(chain.url.rsplit(":", 1)[1]),
            "pid": chain.pid,
            "log": str(chain.log),
            "profile": self.profile.to_dict(),
            "custodians": [_noted(node) for node in self.custodians],
            "relay": _noted(self.relay) if self.relay is not None else None,
        }
        write_atomically(self.folder / _STATE_FILE, json.dumps(state, indent=2).encode())

    def start_custodians(
        self, count: int, *, storage: Sequence[str] = (), detach: bool = False
    ) -> list[NodeProcess]:
        """Register the first `count` custodians where need be, and start their nodes.

        Args:
            count: 1 to 4; 0 starts none.
            storage: What nodes read from beside a store of their own; if nothing is given they
                share the network's store.
            detach: Leave them running when this process ends.

        Raises:
            ConfigError: There are not as many custodian roles, or a node did not start.
        """
        roles = [role for role in ROLES if role.startswith("custodian")]
        if not 0 <= count <= len(roles):
            raise ConfigError(f"a devnet has 0 to {len(roles)} custodians, not {count}")
        for role in roles[:count]:
            with self.session(role) as session:
                port = find_port(session)
                register_custodian(session, f"http://127.0.0.1:{port}")
            own = (f"local:{self.home(role) / 'store'}", *storage) if storage else ()
            self.custodians.append(start_custodian(role, self.home(role), port=port, storage=own))
            self._save()
        if count and not detach:
            atexit.register(self.stop_custodians)
        return self.custodians

    def stop_custodians(self) -> None:
        """End the custodians' nodes."""
        atexit.unregister(self.stop_custodians)
        for node in self.custodians:
            node.stop()
        self.custodians = []
        if self.folder.exists():
            self._save()

    def start_relay(self, *, detach: bool = False) -> NodeProcess:
        """Start the relay of a seeded network, with which labelers join its open bounties.

        Args:
            detach: Leave it running when this process ends.

        Raises:
            ConfigError: It did not start.
        """
        self.relay = start_relay("relay", self.home("relay"))
        self._save()
        if not detach:
            atexit.register(self.stop_relay)
        return self.relay

    def stop_relay(self) -> None:
        """End the relay's node."""
        atexit.unregister(self.stop_relay)
        if self.relay is not None:
            self.relay.stop()
        self.relay = None
        if self.folder.exists():
            self._save()

    def seed(self, progress: Progress | None = None) -> "Seeded":
        """Fill the network with every state of market and bounties, unless that was done before.

        All of it goes through the protocol, with days of the chain's clock let pass.

        Args:
            progress: Called with steps done and in all.

        Returns:
            What is there.

        Raises:
            ConfigError: An earlier seeding was interrupted, custodians' nodes run already, or
                packages are missing.
            TruthmarkError: A step was refused.
        """
        from truthmark.testing.seeding import Seeded, seed

        if self.custodians and Seeded.read(self.folder) is None:
            raise ConfigError(
                "a network is seeded before its custodians' nodes are started; stop it by"
                " `truthmark devnet down`, then `truthmark devnet up --seeded`"
            )
        return seed(self, progress)

    def wait_until_live(self, version: "Version") -> None:
        """Wait until all custodians of a version's newest custody have accepted.

        Raises:
            NotForSaleError: They did not.
        """
        from truthmark.market.flows import listing

        with self.session("stranger") as session:
            Catalogue.of(session).sync()
            newest = Catalogue.of(session).epochs(version.terms_id)[-1]
            listing.wait_until_live(session, version, newest)

    def stop(self) -> None:
        """Stop nodes and chain; its state stays in the folder for the next `start`."""
        self.stop_custodians()
        self.stop_relay()
        self.chain.stop()

    def remove(self) -> None:
        """Stop the chain and delete the folder with everything in it."""
        self.stop()
        shutil.rmtree(self.folder)

    def status(self) -> Status:
        """Look how it is doing."""
        if not self.chain.is_running():
            return Status(self.chain.url, False, None, None)
        block: Any = self.chain.rpc("eth_getBlockByNumber", "latest", False)
        return Status(self.chain.url, True, int(block["number"], 16), int(block["timestamp"], 16))

    def warp(self, seconds: int) -> int:
        """Let chain time pass, and return it afterwards (Unix time)."""
        self.chain.rpc("evm_increaseTime", seconds)
        self.chain.rpc("evm_mine")
        now = self.status().time
        assert now is not None  # it has just answered
        return now

    def fund(self, address: str, tokens: Mapping[str, int], wei: int = 0) -> None:
        """Give an account what it asks for.

        Args:
            address: Whose.
            tokens: Amounts in the smallest unit, by the address of a token of the profile.
            wei: Of what gas is paid in.

        Raises:
            ChainError: A token refuses, or the chain does not answer.
        """
        from truthmark.chain.abi import load_artifact

        if wei:
            held = int(str(self.chain.rpc("eth_getBalance", address, "latest")), 16)
            self.chain.rpc("anvil_setBalance", address, hex(held + wei))
        stake = self.profile.stake_token
        with self.session("owner") as session:
            for token, units in tokens.items():
                if token == stake:
                    artifact = load_artifact("ProtocolToken")
                    give = session.chain.at(token, artifact, "token").functions.transfer
                else:
                    artifact = load_test_artifact("TestToken")
                    give = session.chain.at(token, artifact, "token").functions.mint
                session.send_repeatable(give(address, units), f"fund {address}")

    def home(self, role: str) -> Path:
        """Return a role's home folder: what TRUTHMARK_HOME may be set to.

        Raises:
            ConfigError: There is no such role.
        """
        if role not in ROLES:
            raise ConfigError(f"there is no role {role}; choose one of {', '.join(ROLES)}")
        return self.folder / role

    def session(self, role: str, **settings: object) -> Session:
        """Return a session as a role.

        Args:
            role: One of `ROLES`.
            settings: Any of `truthmark.config.settings.Settings`.
        """
        return Session(
            load_settings(self.home(role), **settings), ask_passphrase=lambda _: DEVNET_PASSPHRASE
        )

    def _prepare_home(self, role: str) -> None:
        """Give a role its account, profile and settings; what is there stays."""
        from truthmark.keys.accounts import Wallet

        home = self.home(role)
        home.mkdir(exist_ok=True)
        self.profile.save(home / "profiles")
        wallet = Wallet(home / "accounts", work=2)
        if all(account.alias != role for account in wallet.accounts()):
            wallet.add(role, role_key(role), DEVNET_PASSPHRASE)
        if not (home / "config.toml").exists():
            store = f"local:{self.folder / 'store'}"
            chosen = {"profile": self.profile.name, "account": role, "storage": [store]}
            save_settings(home, chosen)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def role_address(role: str) -> str:
    """Return a role's address.

    Raises:
        ConfigError: There is no such role.
    """
    return Signer(role_key(role)).address


@cache
def role_key(role: str) -> bytes:
    """Return a role's private key, one of anvil's well-known ones.

    Raises:
        ConfigError: There is no such role.
    """
    from eth_account import Account

    if role not in ROLES:
        raise ConfigError(f"there is no role {role}; choose one of {', '.join(ROLES)}")
    Account.enable_unaudited_hdwallet_features()
    path = f"m/44'/60'/0'/0/{ROLES.index(role)}"
    return bytes(Account.from_mnemonic(MNEMONIC, account_path=path).key)


def load_test_artifact(name: str) -> Any:
    """Return a compiled contract that only local networks use."""
    from truthmark.chain.abi import Artifact

    file = resources.files("truthmark.testing").joinpath("artifacts", f"{name}.json")
    return Artifact.from_dict(name, json.loads(file.read_text(encoding="utf-8")))


def _noted(node: NodeProcess) -> dict[str, Any]:
    return {"role": node.role, "pid": node.pid, "status_url": node.status_url, "url": node.url}


def _clock(state: Path) -> tuple[str, ...]:
    """Return what keeps a resumed chain from going back in time to this machine's clock."""
    try:
        last = int(json.loads(state.read_text(encoding="utf-8"))["block"]["timestamp"], 16)
    except (OSError, ValueError, KeyError, TypeError):
        return ()  # a new chain, or a state whose damage anvil reports itself
    return ("--timestamp", str(last + 1)) if last >= int(time.time()) else ()


def _deploy(
    folder: Path, process: AnvilProcess, progress: Progress | None, *, is_resumed: bool
) -> ChainProfile:
    """Deploy the protocol and the test tokens, and fund the roles; done parts are skipped."""
    from truthmark.chain.connection import connect_chain, with_genesis
    from truthmark.chain.deployment import JournalDeployer, Plan, Step, deploy
    from truthmark.chain.journal import Journal
    from truthmark.chain.plan import PROTOCOL

    base = ChainProfile(
        name="devnet",
        chain_id=DEVNET_CHAIN_ID,
        rpc=(process.url,),
        confirmations=1,
        block_time=0.5,
        beacon_blocks=DEVNET_BEACON_BLOCKS,
        windows={"demo": DEMO_WINDOWS, **STANDARD_WINDOWS},
    )
    base = with_genesis(base)
    chain = connect_chain(base)
    owner = Signer(role_key("owner"))
    journal = Journal(chain, owner, folder / "journal")
    deployer = JournalDeployer(chain, journal)
    treasury = Signer(role_key("treasury")).address
    test_token = load_test_artifact("TestToken")
    steps = (
        *PROTOCOL.steps,
        *(Step(name, test_token, arguments) for name, arguments in _TOKENS.items()),
    )
    plan = Plan(steps, PROTOCOL.parameters)
    done = 0
    total = len(steps) + len(ROLES)

    def report(line: str) -> None:
        nonlocal done
        if progress is not None and " called " not in line:
            done += 1
            progress(min(done, total), total)

    record_file = folder / "deployment.json"
    if record_file.exists() and json.loads(record_file.read_text())["genesis"] != (
        "0x" + chain.genesis.hex()
    ):
        if is_resumed:
            raise ConfigError(
                f"the chain in {folder} is not the one that the market was deployed on; restore "
                "its chain.state, or delete the folder to start again"
            )
        # The chain's state is gone, so what was deployed on it is gone too.
        record_file.unlink()
    parameters: Mapping[str, Any] = {
        "deployer": owner.address,
        "owner": owner.address,
        "treasury": treasury,
        "holder": owner.address,
        "ticket": TICKET,
        "unbonding_seconds": UNBONDING_SECONDS,
        "min_window": MIN_WINDOW,
        "max_window": MAX_WINDOW,
    }
    record = deploy(plan, parameters, deployer, record_file, report=report)
    roles = [step.name for step in PROTOCOL.steps]
    profile = record.to_profile(base, roles)
    tokens = [TokenInfo("TMK", profile.stake_token, 18)]
    for name, (_, symbol, decimals) in _TOKENS.items():
        tokens.append(TokenInfo(symbol, record.steps[name].address, decimals))
    profile = replace(profile, tokens=tuple(tokens))
    _fund(journal, chain, profile, report)
    return profile


def _fund(journal: Any, chain: Any, profile: ChainProfile, report: Any) -> None:
    """Give every role stake tokens and test money, once."""
    from truthmark.chain.abi import load_artifact

    token = chain.at(profile.stake_token, load_artifact("ProtocolToken"), "token")
    test_token = load_test_artifact("TestToken")
    for role in ROLES:
        address = Signer(role_key(role)).address
        if role != "owner":
            journal.submit(token.functions.transfer(address, _STAKE).intent(f"fund:{role}:TMK"))
        for entry in profile.tokens[1:]:
            amount = _DOLLARS * 10 ** (entry.decimals - 6)
            contract = chain.at(entry.address, test_token, "token")
            journal.submit(
                contract.functions.mint(address, amount).intent(f"fund:{role}:{entry.symbol}")
            )
        report(f"{role}: funded")
    journal.resume()


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / _STATE_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder / _STATE_FILE} is damaged; delete the folder") from error
    return found
