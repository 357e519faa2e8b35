# SPDX-License-Identifier: Apache-2.0
"""What `truthmark doctor` looks at."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from truthmark.cli.backups import uncovered
from truthmark.cli.output import duration, plural
from truthmark.errors import ConfigError, TruthmarkError

if TYPE_CHECKING:
    from truthmark.cli.base import State
    from truthmark.market.session import Session

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


def run_checks(state: "State") -> list[Check]:
    """Run all checks; where one fails those that need it are left out."""
    found: list[Check] = []
    try:
        with state.session() as session:
            steps: tuple[tuple[str, Callable[[Session], Iterator[Check]]], ...] = (
                ("settings", _settings),
                ("account", _account),
                ("backup", _backup),
                ("storage", _storage),
                ("chain", _chain),
                ("clock", _clock),
                ("gas", _gas),
                ("index", _index),
                ("transactions", _transactions),
            )
            for name, step in steps:
                try:
                    found += step(session)
                except TruthmarkError as error:
                    found.append(_failure(name, error))
                    if name in ("settings", "chain"):
                        break
    except TruthmarkError as error:
        found.append(_failure("settings", error))
    return found


def _failure(name: str, error: TruthmarkError) -> Check:
    """Split an error's line into what is wrong and what to do."""
    text, _, advice = str(error).rpartition("; ")
    return Check(name, "FAIL", text or advice, advice if text else "", error.exit_code)


def _settings(session: "Session") -> Iterator[Check]:
    profile = session.profile
    yield Check("settings", "ok", f"{session.home}, profile {profile.name}")


def _account(session: "Session") -> Iterator[Check]:
    source = session.settings.account
    if source is None:
        raise ConfigError("no account is chosen; make one with `truthmark wallet new NAME`")
    known = {name: a for a in session.wallet.accounts() for name in (a.alias, a.address)}
    if source in known:
        yield Check(
            "account",
            "ok",
            f"{source}, {known[source].address or 'whose file does not say its address'}",
        )
    elif ":" in source or source == "stdin":
        yield Check("account", "ok", f"from {source}")
    else:
        # Says which one is missing, and where.
        session.wallet.account(source)


def _backup(session: "Session") -> Iterator[Check]:
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


def _storage(session: "Session") -> Iterator[Check]:
    from truthmark.cid import raw_cid
    from truthmark.hashing import sha256

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


def _chain(session: "Session") -> Iterator[Check]:
    height = session.chain.height()
    yield Check("chain", "ok", f"chain {session.profile.chain_id} at block {height}")
    roles = ", ".join(session.profile.contracts)
    yield Check("contracts", "ok", f"{roles}: the code is what the profile says")


def _clock(session: "Session") -> Iterator[Check]:
    ahead = session.chain.time() - int(time.time())
    if abs(ahead) <= max(_CLOCK_SECONDS, 5 * session.profile.block_time):
        yield Check("clock", "ok", "this machine and the chain agree")
        return
    yield Check(
        "clock",
        "note",
        f"chain time is {duration(ahead)} {'ahead of' if ahead > 0 else 'behind'} this machine's",
        "deadlines go by chain time; look whether the chain goes on, and at this machine's clock",
    )


def _gas(session: "Session") -> Iterator[Check]:
    from truthmark.chain.rpc import hex_int

    if session.settings.account is None:
        return
    held = session.chain.balance(session.address)
    price = session.chain.rpc.parsed("eth_gasPrice", (), hex_int)
    show = session.profile.format_native
    needed = _RESERVE_GAS * price
    if held < needed:
        yield Check(
            "gas",
            "note",
            f"{show(held)}, less than {show(needed)} for a few transactions",
            f"send {session.profile.native_symbol} to {session.address}",
        )
    else:
        yield Check("gas", "ok", show(held))


def _index(session: "Session") -> Iterator[Check]:
    session.catalogue.sync()
    tip = session.catalogue.follower.index.tip()
    yield Check("index", "ok", f"up to block {tip.number}")


def _transactions(session: "Session") -> Iterator[Check]:
    from truthmark.keys.wallet import SOURCES

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
