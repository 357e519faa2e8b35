# SPDX-License-Identifier: Apache-2.0
"""Who the visitor acts as, and their session with keys."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import streamlit as st

from app import views
from app.services.reading import is_local, shared_session
from truthmark.config.settings import load_settings
from truthmark.errors import ChainUnavailableError, ConfigError
from truthmark.keys.accounts import Wallet
from truthmark.market.catalogue import Catalogue
from truthmark.session import Session, is_devnet, known_passphrase, open_session
from truthmark.testing.network import ROLES

_SESSION, _ROLE, _ACCOUNT, _TYPED = (
    f"services.{name}" for name in ("session", "role", "account", "typed")
)


def roles() -> tuple[str, ...]:
    """Return the roles of a local development network, whose homes lie beside each other."""
    if not is_local():
        return ()
    session = shared_session()
    folder = session.home.parent
    if not is_devnet(session.settings) or not (folder / "devnet.json").is_file():
        return ()
    return tuple(role for role in ROLES if (folder / role / "config.toml").is_file())


def role() -> str:
    """Return the role that the visitor plays; that of the machine's settings at first."""
    known = roles()
    chosen = _chosen(_ROLE, "role", lambda: known)
    if chosen is None:
        chosen = load_settings().home.name
    return chosen if chosen in known else (known[0] if known else "")


def choose_role(name: str) -> None:
    """Play another role from now on."""
    st.session_state[_ROLE] = name
    st.session_state[_ACCOUNT] = None


def account_names() -> tuple[str, ...]:
    """Return the accounts of this machine by name."""
    return tuple(account.alias for account in my_session().wallet.accounts())


def _names_in(home: Path) -> tuple[str, ...]:
    return tuple(account.alias for account in Wallet(load_settings(home).keystore).accounts())


def choose_account(name: str) -> None:
    """Act as another account of this machine from now on."""
    st.session_state[_ACCOUNT] = name


def remember_choice() -> None:
    """Put who was chosen into the page's address, so that loading it again changes nobody."""
    for key, name in ((_ROLE, "role"), (_ACCOUNT, "account")):
        chosen = st.session_state.get(key)
        if st.query_params.get(name) == chosen:
            continue
        if chosen is None:
            del st.query_params[name]
        else:
            st.query_params[name] = chosen


def _chosen(key: str, name: str, known: Callable[[], Sequence[str]]) -> str | None:
    """Return what was chosen in this visit or, as it begins, what the page's address says.

    Later the address counts no more: what it names is taken only if it is known, and once.
    """
    if key not in st.session_state:
        named = st.query_params.get(name)
        st.session_state[key] = named if named and named in known() else None
    return st.session_state[key]  # type: ignore[no-any-return]


def account() -> views.Account | None:
    """Return who acts; None where no account can: on a server of others, or before there is one.

    Where the chain is away, the page goes on with what it has, and says so where it needs more.

    Raises:
        ConfigError: The settings name an account that is not there.
        ChainError: The chain cannot be read.
    """
    if not is_local():
        return None
    session = my_session()
    if session.settings.account is None:
        return None
    try:
        balances = _balances(session)
    except ChainUnavailableError:
        balances = ("What it has cannot be read now.",)
    return views.Account(
        name=session.settings.account,
        address=session.address,
        balances=balances,
        is_locked=_is_locked(session),
    )


def _balances(session: Session) -> tuple[str, ...]:
    profile, address = session.profile, session.address
    held = session.chain.batch(
        [session.token(token.address).functions.balanceOf(address) for token in profile.tokens]
    )
    amounts = [
        str(profile.amount(units, token.address))
        for units, token in zip(held, profile.tokens, strict=True)
    ]
    return (*amounts, str(profile.native(session.chain.balance(address))))


def acting_as() -> str:
    """Return the address that acts, where nobody has to be asked for it; empty where none can."""
    return (my_session().known_address or "") if is_local() else ""


def unlock(passphrase: str) -> None:
    """Open the account's file for this visit.

    Raises:
        PassphraseError: It is not the one.
    """
    st.session_state[_TYPED] = passphrase
    try:
        _ = my_session().signer
    finally:
        del st.session_state[_TYPED]


def my_session() -> Session:
    """Return the visitor's own session, which may open keys of this machine.

    Raises:
        ConfigError: This is not the visitor's own machine.
    """
    if not is_local():
        raise ConfigError("this server holds no user's keys; run the app on your own machine")
    home = load_settings().home
    if name := role():
        home = home.parent / name
    chosen = _chosen(_ACCOUNT, "account", lambda: _names_in(home))
    wanted = (home, chosen)
    held = st.session_state.get(_SESSION)
    if held is not None:
        if held[0] == wanted:
            return held[1]  # type: ignore[no-any-return]
        held[1].close()
    session = open_session(home, ask_passphrase=_passphrase, account=chosen)
    if session.settings.account is None and (known := session.wallet.accounts()):
        session = open_session(home, ask_passphrase=_passphrase, account=known[0].alias)
    st.session_state[_SESSION] = (wanted, session)
    return session


def asks_passphrase() -> bool:
    """Whether accounts of this machine open only by what is typed."""
    return known_passphrase(my_session().settings) is None


@contextmanager
def acting_session(name: str, passphrase: str = "") -> Iterator[Session]:
    """Give the session of an account of this machine that only sends something once.

    Args:
        name: Of the account; the one that acts if empty.
        passphrase: Of the other account.

    Raises:
        ConfigError: This is not the visitor's own machine.
    """
    session = my_session()
    if not name or name == session.settings.account:
        yield session
        return

    def ask(account: str) -> str:
        if found := passphrase or known_passphrase(session.settings):
            return found
        raise ConfigError(f"the account {account} is locked; type its passphrase here")

    with Session(replace(session.settings, account=name), ask_passphrase=ask) as acting:
        yield acting


def _passphrase(_: str) -> str:
    typed = st.session_state.get(_TYPED)
    if passphrase := typed or known_passphrase(shared_session().settings):
        return str(passphrase)
    raise ConfigError("the account is locked; type its passphrase under your account's name")


def _is_locked(session: Session) -> bool:
    if "signer" in session.__dict__ or known_passphrase(session.settings):
        return False
    names = {n for a in session.wallet.accounts() for n in (a.alias, a.address)}
    return session.settings.account in names


def my_synced_session() -> Session:
    """Return the visitor's session, as far as the chain is now."""
    session = my_session()
    Catalogue.of(session).sync()
    return session
