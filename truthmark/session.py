# SPDX-License-Identifier: Apache-2.0
"""One person's (or daemon's) connection to a market: settings, chain, storage, index, secrets."""

import contextlib
import fcntl
import logging
import os
import shlex
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote

from truthmark.config.files import open_lock
from truthmark.config.profile import DEVNET_CHAIN_ID, ChainProfile
from truthmark.config.settings import DEVNET_PASSPHRASE, Settings, load_settings
from truthmark.errors import ConfigError, RevertedError
from truthmark.hashing import keccak256
from truthmark.keys.accounts import Wallet, private_key_from
from truthmark.keys.typed import TypedData, sign

if TYPE_CHECKING:
    from truthmark.chain.connection import Chain
    from truthmark.chain.contracts import Call, Contract
    from truthmark.chain.journal import Journal
    from truthmark.chain.public_http import Networks
    from truthmark.chain.transactions import TransactionReceipt
    from truthmark.index.follower import Follower
    from truthmark.keys.accounts import Account
    from truthmark.keys.vault import Vault
    from truthmark.storage.block_storage import Storage

log = logging.getLogger(__name__)

_P = TypeVar("_P")

_PROBE_BYTES = 16 * 1024
_LEAST_BYTES = 4 * 1024 * 1024

AskPassphrase = Callable[[str], str]
"""Asks for the passphrase of a keystore file; given the account's name."""


def is_devnet(settings: Settings) -> bool:
    """Return whether the profile is a development chain's, whose keys protect nothing."""
    try:
        profile = settings.chain_profile()
    except ConfigError:
        return False
    return profile.name == "devnet" and profile.chain_id == DEVNET_CHAIN_ID


def private_networks(settings: Settings) -> "Networks":
    """Return the networks that strangers' addresses may lead to, though they are not public.

    All on a development chain, else those of the setting `private_hosts`.
    """
    import ipaddress

    from truthmark.chain.public_http import ALL_NETWORKS

    if is_devnet(settings):
        return ALL_NETWORKS
    return [ipaddress.ip_network(text, strict=False) for text in settings.private_hosts]


def known_passphrase(settings: Settings) -> str | None:
    """Return the passphrase for which nobody has to be asked, if there is one.

    It is in `TRUTHMARK_PASSPHRASE`; on a devnet it is "devnet" where that is not set.
    """
    named = os.environ.get("TRUTHMARK_PASSPHRASE")
    if named:
        return named
    return DEVNET_PASSPHRASE if is_devnet(settings) else None


class Signer:
    """An account whose private key is on this machine.

    Args:
        private_key: 32 bytes.
    """

    def __init__(self, private_key: bytes) -> None:
        """Take a private key."""
        from eth_account import Account

        self._account = Account.from_key(private_key)
        self._private_key = private_key

    @property
    def address(self) -> str:
        """The account's checksummed address."""
        return str(self._account.address)

    @property
    def private_key(self) -> bytes:
        """The 32 bytes, for secrets that follow from them; never shown, sent or stored."""
        return self._private_key

    def sign_transaction(self, transaction_dict: Any) -> Any:
        """Sign a transaction, as the journal asks."""
        return self._account.sign_transaction(transaction_dict)

    def sign_typed(self, message: TypedData) -> bytes:
        """Sign EIP-712 typed data; 65 bytes."""
        return sign(message, self._private_key)


class Session:
    """Everything that a client of the market works with; each part is opened when first used.

    Args:
        settings: What this person has chosen.
        ask_passphrase: Asked when an account's keystore file has to be opened; if not given,
            `TRUTHMARK_PASSPHRASE` is taken, and on a devnet its well-known passphrase.
        signer: The account, if it is not the one that the settings name.
        say: Told what a person should know; logged if not given.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ask_passphrase: AskPassphrase | None = None,
        signer: Signer | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Remember the settings; nothing is opened yet."""
        self._say = say or log.warning
        self._temporary: Path | None = None
        self.settings = settings
        self._ask_passphrase = ask_passphrase
        self._signer = signer
        self._parts: dict[type, object] = {}
        self._making = threading.RLock()

    def __repr__(self) -> str:
        """Show whose session with what it is."""
        with contextlib.suppress(ConfigError):
            return f"<Session with {self.profile.name}, home {self.home}>"
        return f"<Session without a network, home {self.home}>"

    @property
    def home(self) -> Path:
        """The folder of everything that is kept."""
        return self.settings.home

    @cached_property
    def profile(self) -> ChainProfile:
        """What is true of the chosen network."""
        return self.settings.chain_profile()

    @cached_property
    def chain(self) -> "Chain":
        """The chain, whose contracts were checked to be the profile's."""
        from truthmark.chain.connection import connect_chain

        return connect_chain(self.profile, timeout=self.settings.rpc_timeout)

    @cached_property
    def storage(self) -> "Storage":
        """Where blocks are."""
        from truthmark.storage import open_storage

        return open_storage(self.settings.storage, home=self.home)

    @cached_property
    def vault(self) -> "Vault":
        """Where secrets are kept."""
        from truthmark.keys.vault import Vault

        return Vault(self.home / "vault")

    @cached_property
    def wallet(self) -> Wallet:
        """The accounts' keystore files."""
        return Wallet(self.settings.keystore)

    @property
    def index_url(self) -> str:
        """URL of the index, in SQLite or PostgreSQL."""
        from truthmark.index.database import default_index_url

        return self.settings.index_url or default_index_url(self.profile, self.index_folder)

    @cached_property
    def follower(self) -> "Follower":
        """Keeps the index of the chain's logs."""
        from truthmark.index.follower import Follower

        return Follower(self.chain, self.index_url)

    def part(self, kind: type[_P], make: Callable[[], _P]) -> _P:
        """Return this session's one of something that is built on it, such as its catalogue.

        Args:
            kind: What it is.
            make: Makes it when it is first asked for.
        """
        with self._making:
            if kind not in self._parts:
                self._parts[kind] = make()
            return cast(_P, self._parts[kind])

    @cached_property
    def index_folder(self) -> Path:
        """Where the index and the cards that were read are kept: in the home, if that will do.

        Reading must not fail because a home cannot be written, or its disk is full: what can be
        made again from chain and storage is then kept in a folder that goes with the session.
        """
        folder = self.home / "index"
        problem = _why_not_written(folder)
        if problem is None:
            return folder
        self._say(
            f"{folder} cannot be written ({problem}); the index is kept for this command only"
        )
        self._temporary = Path(tempfile.mkdtemp(prefix="truthmark-"))
        made = self._temporary / folder.name
        made.mkdir()
        for path in folder.glob("*.sqlite"):
            # What was read before need not be read again. Opened so, SQLite writes nothing there.
            with contextlib.suppress(sqlite3.Error, OSError):
                old = sqlite3.connect(f"file:{quote(str(path))}?immutable=1", uri=True)
                with (
                    contextlib.closing(old),
                    contextlib.closing(sqlite3.connect(made / path.name)) as new,
                ):
                    old.backup(new)
        return made

    @cached_property
    def signer(self) -> Signer:
        """The account that signs.

        Raises:
            ConfigError: None was chosen.
            KeysError: Its key cannot be read.
        """
        if self._signer is not None:
            return self._signer
        self.require_account()
        source = str(self.settings.account)
        named = self._named(source)
        return self._open(named.alias if named is not None else source)

    def signer_of(self, source: str) -> Signer:
        """Return another account of this home, by name or address.

        Raises:
            KeysError: There is none of that name, or its key cannot be read.
        """
        named = self._named(source)
        if named is None:
            self.wallet.require(source)
        return self._open(named.alias if named is not None else source)

    def _named(self, source: str) -> "Account | None":
        """Return the keystore account that a name or an address stands for."""
        for account in self.wallet.accounts():
            if source == account.alias or source.lower() == str(account.address).lower():
                return account
        return None

    def _open(self, source: str) -> Signer:
        ask = self._ask_passphrase or self._find_passphrase
        return Signer(private_key_from(source, self.wallet, ask))

    def _find_passphrase(self, account: str) -> str:
        known = known_passphrase(self.settings)
        if known is None:
            raise ConfigError(
                f"the passphrase of account {account} is needed and nobody can be asked; set "
                "TRUTHMARK_PASSPHRASE, or pass ask_passphrase"
            )
        return known

    @property
    def address(self) -> str:
        """The account's address; a keystore file is opened for it only if it does not say it."""
        return self.known_address or self.signer.address

    def require_account(self) -> None:
        """Check that an account was chosen, and is here; asks nobody.

        Raises:
            ConfigError: None was chosen.
            KeysError: There is none of that name.
        """
        source = self.settings.account
        if self._signer is not None:
            return
        if source is None:
            raise ConfigError(
                "no account is chosen; name one with --account, or make one with "
                "`truthmark wallet new NAME`",
                page="no account is chosen; choose one in the menu at the top, or make one with "
                "`truthmark wallet new NAME` in a terminal",
            )
        if source != "stdin" and ":" not in source and self._named(source) is None:
            self.wallet.require(source)

    @property
    def known_address(self) -> str | None:
        """The account's address where nobody has to be asked for it, else None."""
        if self._signer is not None or "signer" in self.__dict__:
            return self.signer.address
        source = self.settings.account
        if source is None:
            return None
        if source.startswith("env:") and os.environ.get(source[4:]):
            return self.signer.address
        named = self._named(source)
        return None if named is None else named.address

    def address_of(self, account: "Account") -> str:
        """Return the address of a keystore account, opening its file if it does not say it.

        Raises:
            KeysError: The passphrase is not the one.
        """
        if account.address is not None:
            return account.address
        if self.settings.account == account.alias:
            return self.signer.address
        return self._open(account.alias).address

    @cached_property
    def journal(self) -> "Journal":
        """The account's transactions."""
        from truthmark.chain.journal import Journal

        return Journal(
            self.chain,
            self.signer,
            self.home / "journal",
            max_gas_price=int(self.settings.max_gas_price_gwei * 10**9),
        )

    def token(self, address: str) -> "Contract":
        """Return an ERC-20 with permit at an address."""
        from truthmark.chain.abi import load_artifact

        return self.chain.at(address, load_artifact("ProtocolToken"), "token")

    def send(
        self,
        call: "Call",
        key: str,
        purpose: str,
        not_after: int | None = None,
        nonce: int | None = None,
    ) -> "TransactionReceipt":
        """Send a call through the journal, once under its key, and wait until it counts.

        What is on its way, or done, under this key is not sent again, also where the call differs
        (proofs are random).

        Raises:
            ChainError: It was refused or is not confirmed; the message says what to do.
        """
        done = self.journal.result(key)
        if done is not None and done.succeeded:
            return done
        if any(intent.key == key for intent in self.journal.pending()):
            return self.journal.wait(key)
        return self.journal.send(call.intent(key, purpose, not_after=not_after, nonce=nonce))

    def submit(self, call: "Call", key: str, purpose: str) -> bool:
        """Do as `send`, but do not wait: for daemons, who look again in their next round.

        Returns:
            Whether it went out now.

        Raises:
            ChainError: It was refused or cannot be sent; the message says what to do.
        """
        done = self.journal.result(key)
        if done is not None and done.succeeded:
            return False
        if any(intent.key == key for intent in self.journal.pending()):
            return False
        self.journal.submit(call.intent(key, purpose))
        return True

    def submit_repeatable(self, call: "Call", purpose: str) -> bool:
        """Do as `send_repeatable`, but do not wait; see `submit`."""
        for intent in self.journal.pending():
            if (intent.to, intent.data) == (call.contract.address, call.data):
                return False
        return self.submit(call, self._repeatable_key(call), purpose)

    def send_repeatable(
        self, call: "Call", purpose: str, *, pays: bool = False
    ) -> "TransactionReceipt":
        """Send a call that may be given again later, and wait until it counts.

        Repeating a command that was killed means the same order: what it sent is waited for.

        Args:
            call: What to call.
            purpose: Said to people.
            pays: It moves money each time; where it was refused before, two endpoints must say so.

        Raises:
            ChainError: It was refused or is not confirmed; the message says what to do.
        """
        for intent in self.journal.pending():
            if (intent.to, intent.data) == (call.contract.address, call.data):
                return self.journal.wait(intent.key)
        if pays:
            self.journal.require_refused(call.contract.address, call.data)
        return self.send(call, self._repeatable_key(call), purpose)

    def _repeatable_key(self, call: "Call") -> str:
        # The place in the account's history tells this order from the same one given before.
        nonce = self.chain.rpc.call("eth_getTransactionCount", self.address, "latest")
        digest = keccak256(call.contract.address.encode() + call.data).hex()
        return f"{call.function.name}:{digest}:{nonce}"

    def held(self, token: str) -> int:
        """Return what the account has of a token, in its smallest unit."""
        return int(self.token(token).functions.balanceOf(self.address).call())

    def allow(self, token: str, spender: str, amount: int) -> None:
        """Make sure that `spender` may take `amount` of the account's tokens.

        Raises:
            ChainError: The token refuses, or the chain cannot be written.
        """
        if amount == 0:
            return
        contract = self.token(token)
        allowed = contract.functions.allowance(self.address, spender).call()
        if allowed >= amount:
            return
        approve = contract.functions.approve
        purpose = f"allow {self.profile.amount(amount, token)} to be taken"
        try:
            self.send_repeatable(approve(spender, amount), purpose)
        except RevertedError:
            if allowed == 0:
                raise
            # Some tokens take a new allowance only where there is none.
            self.send_repeatable(approve(spender, 0), "end an older allowance")
            self.send_repeatable(approve(spender, amount), purpose)

    @contextlib.contextmanager
    def exclusive(self, what: str) -> Iterator[None]:
        """Let only one process and thread of this home at a time do something; others wait.

        Args:
            what: Its name, as of a file.

        Raises:
            ConfigError: The home folder cannot be written.
        """
        with open_lock(self.home / "locks" / f"{self.profile.chain_id}-{what}") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def close(self) -> None:
        """Close what was opened."""
        if "storage" in self.__dict__:
            self.storage.close()
        if "follower" in self.__dict__:
            self.follower.index.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _why_not_written(folder: Path) -> str | None:
    """Return why nothing can be kept in a folder; None where it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Rights alone do not tell: the disk may be full, or read-only.
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
        if shutil.disk_usage(folder).free < _LEAST_BYTES:
            return "the disk is full"
    except OSError as error:
        return error.strerror or str(error)
    if any(not os.access(path, os.W_OK) for path in folder.glob("*.sqlite")):
        return "its files are read-only"
    return None


def connect(
    home: Path | str | None = None,
    *,
    ask_passphrase: AskPassphrase | None = None,
    signer: Signer | None = None,
    **settings: object,
) -> Session:
    """Open a session with the market of a chain that answers.

    Args:
        home: The home folder; `TRUTHMARK_HOME` or this system's place for data if not given.
        ask_passphrase: Asked when an account's keystore file has to be opened; if not given,
            `TRUTHMARK_PASSPHRASE` is taken, and on a devnet its well-known passphrase.
        signer: The account, if it is not the one that the settings name.
        settings: Any of `truthmark.config.settings.Settings`, such as `profile="devnet"`.

    Raises:
        ConfigError: There is no such home folder, or a setting is unknown or cannot be used.
        ChainError: The chain does not answer, or is not the profile's.

    Usage example::

        >>> with truthmark.connect(profile="devnet") as session:  # doctest: +SKIP
        ...     print(session.chain.height())
    """
    if home is not None and not Path(home).expanduser().is_dir():
        raise ConfigError(
            f"there is no home folder {home}; name another, or make it: "
            f"`truthmark --home {shlex.quote(str(home))} init`",
            page=f"there is no home folder {home}; make it by `truthmark init`",
        )
    given: dict[str, Any] = dict(settings)
    session = open_session(home, ask_passphrase=ask_passphrase, signer=signer, **given)
    try:
        session.chain.height()
    except BaseException:
        session.close()
        raise
    return session


@contextlib.contextmanager
def given_or_own(session: Session | None) -> Iterator[Session]:
    """Use the given session, or one of its own that is closed at the end."""
    if session is not None:
        yield session
    else:
        with connect() as own:
            yield own


def open_session(
    home: Path | str | None = None,
    *,
    ask_passphrase: AskPassphrase | None = None,
    signer: Signer | None = None,
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Session:
    """Open a session without a look at the chain, for what needs none.

    Args:
        home: As for `connect`, like the others.
        ask_passphrase: As there.
        signer: As there.
        say: Told what a person should know; logged if not given.
        settings: As there.

    Raises:
        ConfigError: A setting is unknown or cannot be used.
    """
    folder = None if home is None else Path(home)
    return Session(
        load_settings(folder, **settings), ask_passphrase=ask_passphrase, signer=signer, say=say
    )
