# SPDX-License-Identifier: Apache-2.0
"""`truthmark doctor`: looks at all that commands need, and says what to do."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import click

from truthmark.chain.connection import connect_chain
from truthmark.chain.replies import hex_int
from truthmark.cid import raw_cid
from truthmark.cli import layout
from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import echo_json, width
from truthmark.config.files import write_atomically
from truthmark.errors import ConfigError, TruthmarkError
from truthmark.hashing import sha256
from truthmark.keys.accounts import SOURCES
from truthmark.keys.backups import uncovered
from truthmark.market.catalogue import Catalogue
from truthmark.session import Session
from truthmark.text import format_duration, plural

_BUG = 70
"""Of errors that nobody foresaw, as the root says it."""
_CLOCK_SECONDS = 120
_RESERVE_GAS = 1_000_000
"""Units for half a dozen purchases or a listing with its custody."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found.

    Attributes:
        name: What was checked.
        result: `ok`, `note` or `FAIL`.
        text: What was found.
        advice: What to do about it; empty where nothing.
        exit_code: Of the error, for scripts.
    """

    name: str
    result: str
    text: str
    advice: str = ""
    exit_code: int = 0


@command()
@json_option
def doctor(state: State, as_json: bool) -> None:
    """Check that everything works, and say what to do.

    Looks at settings, account, backups, storage, chain, contracts, clock, gas and index. Says what
    to do about whatever is not well. Exits with the code of the first failure.
    """
    checks = run_checks(state)
    if as_json:
        echo_json(
            [
                {"name": c.name, "result": c.result, "text": c.text, "advice": c.advice}
                for c in checks
            ]
        )
    else:
        most = max(len(check.name) for check in checks)
        for check in checks:
            first = f"{check.result.ljust(4)}  {check.name.ljust(most)}  "
            advice = layout.wrap(check.advice, width(), f"{' ' * len(first)}→ ")
            for line in layout.wrap(check.text, width(), first) + (advice if check.advice else []):
                click.echo(line)
    if failed := [check for check in checks if check.result == "FAIL"]:
        raise SystemExit(failed[0].exit_code)


def run_checks(state: State) -> list[Check]:
    """Run all checks, each by itself; those that need what failed say so."""
    steps: tuple[tuple[str, Callable[[Session], Iterator[Check]], str], ...] = (
        ("settings", _settings, ""),
        ("home", _home, "settings"),
        ("account", _account, "settings"),
        ("backup", _backup, "settings"),
        ("storage", _storage, "settings"),
        ("chain", _chain, "settings"),
        ("contracts", _contracts, "chain"),
        ("clock", _clock, "contracts"),
        ("gas", _gas, "contracts"),
        ("index", _index, "contracts"),
        ("transactions", _transactions, "contracts"),
    )
    found: list[Check] = []
    failed: set[str] = set()
    with contextlib.ExitStack() as stack:
        session: Session | None = None
        try:
            session = stack.enter_context(state.session())
        except (TruthmarkError, OSError) as error:
            found.append(_failure("settings", error))
            failed.add("settings")
        for name, step, needed in steps:
            if name in failed:
                continue
            if needed in failed or session is None:
                failed.add(name)
                text = f"not looked at, as it needs the {needed}"
                found.append(Check(name, "note", text, f"mend the {needed} first"))
                continue
            try:
                found += step(session)
            except Exception as error:
                failed.add(name)
                found.append(_failure(name, error))
    return found


def _failure(name: str, error: Exception) -> Check:
    """Split an error's line into what is wrong and what to do."""
    if isinstance(error, TruthmarkError):
        text, _, advice = str(error).rpartition("; ")
        return Check(name, "FAIL", text or advice, advice if text else "", error.exit_code)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        text = f"{place}{error.strerror or error}"
        return Check(name, "FAIL", text, "check the path and its rights", 1)
    return Check(name, "FAIL", f"{type(error).__name__}: {error}", "please report this", _BUG)


def _settings(session: Session) -> Iterator[Check]:
    profile = session.profile
    yield Check("settings", "ok", f"{session.home}, profile {profile.name}")


def _home(session: Session) -> Iterator[Check]:
    probe = session.home / ".doctor"
    try:
        write_atomically(probe, bytes(4_096))
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"{session.home} cannot be written ({error.strerror}), so nothing can be bought; "
            "give rights to it, free some space, or choose another one with --home"
        ) from error
    yield Check("home", "ok", "can be written")


def _account(session: Session) -> Iterator[Check]:
    source = session.settings.account
    if source is None:
        raise ConfigError("no account is chosen; make one with `truthmark wallet new NAME`")
    known = {name: a for a in session.wallet.accounts() for name in (a.alias, a.address)}
    if source in known:
        where = known[source].address or "whose file does not say its address"
        yield Check("account", "ok", f"{source}, {where}")
    elif ":" in source or source == "stdin":
        yield Check("account", "ok", f"from {source}")
    else:
        # Says which one is missing, and where.
        session.wallet.account(source)


def _backup(session: Session) -> Iterator[Check]:
    missing = uncovered(session.home, session.vault)
    if missing:
        yield Check(
            "backup",
            "note",
            f"{plural(len(missing), 'key')} of what you packed in no backup",
            "run `truthmark wallet backup FILE`",
        )
    else:
        yield Check("backup", "ok", "no key of what you packed is without one")


def _storage(session: Session) -> Iterator[Check]:
    storage = session.storage
    if not storage.writable:
        yield Check(
            "storage",
            "note",
            f"{storage.name} only reads",
            "add a local or kubo storage if you want to sell",
        )
        return
    probe = b"truthmark doctor"
    cid = raw_cid(sha256(probe))
    storage.put_block(cid, probe)
    storage.read_block(cid)
    yield Check("storage", "ok", f"{storage.name} writes and reads")


def _chain(session: Session) -> Iterator[Check]:
    # Without contracts: whether they are there is another check.
    bare = replace(session.profile, contracts={})
    height = connect_chain(bare, timeout=session.settings.rpc_timeout).height()
    yield Check("chain", "ok", f"chain {session.profile.chain_id} at block {height}")


def _contracts(session: Session) -> Iterator[Check]:
    roles = ", ".join(session.profile.contracts)
    if not roles:
        raise ConfigError(
            f"profile {session.profile.name} names no contracts; get the network's current profile"
        )
    session.chain.height()
    yield Check("contracts", "ok", f"{roles}: the code is what the profile says")


def _clock(session: Session) -> Iterator[Check]:
    ahead = session.chain.time() - int(time.time())
    if abs(ahead) <= max(_CLOCK_SECONDS, 5 * session.profile.block_time):
        yield Check("clock", "ok", "this machine and the chain agree")
        return
    yield Check(
        "clock",
        "note",
        f"chain time is {format_duration(ahead)} {'ahead of' if ahead > 0 else 'behind'} this "
        "machine's",
        "deadlines go by chain time; look whether the chain goes on, and at this machine's clock",
    )


def _gas(session: Session) -> Iterator[Check]:
    if session.settings.account is None:
        return
    held = session.chain.balance(session.address)
    price = session.chain.rpc.parsed("eth_gasPrice", (), hex_int)
    show = session.profile.native
    needed = _RESERVE_GAS * price
    if held < needed:
        yield Check(
            "gas",
            "note",
            f"{show(held)}, less than {show(needed)} for a few transactions",
            f"send {session.profile.native_symbol} to {session.address}",
        )
    else:
        yield Check("gas", "ok", str(show(held)))


def _index(session: Session) -> Iterator[Check]:
    Catalogue.of(session).sync()
    tip = Catalogue.of(session).index.tip()
    yield Check("index", "ok", f"up to block {tip.number}")


def _transactions(session: Session) -> Iterator[Check]:
    if session.settings.account is None:
        return
    try:
        pending = session.journal.pending()
    except TruthmarkError as error:
        if "passphrase" not in str(error):
            raise
        yield Check("transactions", "note", "not looked at without a passphrase", SOURCES)
        return
    if pending:
        yield Check(
            "transactions",
            "note",
            f"{len(pending)} not finished, first: {pending[0].purpose or pending[0].key}",
            "run the command that sent them again",
        )
    else:
        yield Check("transactions", "ok", "none is unfinished")
