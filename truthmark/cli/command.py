# SPDX-License-Identifier: Apache-2.0
"""What all commands share: common options, the session, passphrases."""

import contextlib
import getpass
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from truthmark.cli.output import info
from truthmark.config.profile import ChainProfile
from truthmark.config.settings import Settings, load_settings
from truthmark.config.units import to_checksum_address
from truthmark.errors import ConfigError, did_you_mean
from truthmark.session import Session, is_devnet, known_passphrase, open_session

if TYPE_CHECKING:
    from truthmark.market.entries import Version


@dataclass
class State:
    """What was said on the command line, for all commands alike."""

    home: Path | None = None
    given: dict[str, Any] = field(default_factory=dict)
    """settings by name, as `truthmark.config.settings.load_settings` takes them"""

    @property
    def settings(self) -> Settings:
        """The settings, with those from the command line."""
        return load_settings(self.home, **self.given)

    @cached_property
    def profile(self) -> ChainProfile:
        """The chain profile in use."""
        return self.settings.chain_profile()

    @contextlib.contextmanager
    def session(self, *, signs: bool = False, sends: bool = False) -> Iterator[Session]:
        """Open a session, and close it at the end.

        Args:
            signs: Whether an account is needed; that there is one is checked before connecting.
            sends: Whether what depends on earlier transactions is sent. Those of a command that
                was killed are waited for first, or it could be done twice.

        Raises:
            ConfigError: No account is chosen.
            KeysError: There is no such account here.
            ChainError: An earlier transaction is not confirmed.
        """
        with open_session(
            self.home, ask_passphrase=self.passphrase, say=info, **self.given
        ) as session:
            if signs or sends:
                session.require_account()
            if sends:
                session.journal.resume()
            yield session

    @contextlib.contextmanager
    def version(
        self, dataset: str, *, signs: bool = False, sends: bool = False
    ) -> Iterator[tuple[Session, "Version"]]:
        """Open a session, and find what is sold under a name.

        Args:
            dataset: The name.
            signs: As for `session`.
            sends: As there.

        Raises:
            NotForSaleError: There is none of this name.
            TruthmarkError: As `session` does.
        """
        from truthmark.market.catalogue import Catalogue  # what has no catalogue loads none

        with self.session(signs=signs, sends=sends) as session:
            yield session, Catalogue.of(session).find(dataset)

    @property
    def is_devnet(self) -> bool:
        """Whether the profile is a development chain's, whose keys protect nothing."""
        try:
            return is_devnet(self.settings)
        except ConfigError:
            return False

    def passphrase(self, what: str) -> str:
        """Return the passphrase that opens something.

        Raises:
            ConfigError: There is no terminal to ask.
        """
        return self._known_passphrase() or ask_hidden(f"passphrase of {what}")

    def new_passphrase(self, what: str) -> str:
        """Return a passphrase to close something with; a person types it twice.

        Raises:
            ConfigError: There is no terminal to ask, or it was typed differently.
        """
        if known := self._known_passphrase():
            return known
        first = ask_hidden(f"new passphrase of {what}")
        if ask_hidden("the same again") != first:
            raise ConfigError("the two passphrases differ; run the command again")
        return first

    def _known_passphrase(self) -> str | None:
        return known_passphrase(self.settings)


def ask_hidden(prompt: str) -> str:
    """Ask for a passphrase at the terminal.

    Raises:
        ConfigError: There is no terminal to ask.
    """
    if not sys.stdin.isatty():
        raise ConfigError(f"the {prompt} is needed; set TRUTHMARK_PASSPHRASE, or use a terminal")
    return getpass.getpass(f"{prompt}: ")


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep a common option in the state."""
    state = ctx.ensure_object(State)
    if value is None or parameter.name is None:
        return
    if parameter.name == "home":
        state.home = value
    elif parameter.name == "debug":
        if value:
            logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    else:
        state.given[parameter.name] = value


def _split(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    parts = None if value is None else tuple(p.strip() for p in value.split(",") if p.strip())
    _keep(ctx, parameter, parts)


def common_options(is_hidden: bool) -> list[click.Parameter]:
    """Return the options that stand before or behind any command."""
    option: Callable[..., click.Option] = partial(
        click.Option, expose_value=False, hidden=is_hidden, is_eager=True
    )
    return [
        option(
            ["--home"],
            type=click.Path(file_okay=False, path_type=Path),
            callback=_keep,
            help="Folder of settings, accounts and secrets.  [env: TRUTHMARK_HOME]",
        ),
        option(["--profile"], callback=_keep, help="Chain profile.  [env: TRUTHMARK_PROFILE]"),
        option(
            ["--account"],
            callback=_keep,
            help="Who signs: an account's name, env:NAME, stdin or keyring:NAME; never a key."
            "  [env: TRUTHMARK_ACCOUNT]",
        ),
        option(
            ["--rpc"],
            callback=_split,
            metavar="URL,…",
            help="Chain endpoints instead of the profile's.  [env: TRUTHMARK_RPC]",
        ),
        option(
            ["--storage"],
            callback=_split,
            metavar="STORE,…",
            help="local, local:FOLDER, kubo:ADDRESS, gateway:URL.  [env: TRUTHMARK_STORAGE]",
        ),
        option(["--debug"], is_flag=True, callback=_keep, help="Log, and show tracebacks."),
    ]


class Command(click.Command):
    """A command that takes the common options too; its function is given the `state` it names."""

    def __init__(self, *args: Any, **options: Any) -> None:
        if "state" in inspect.signature(options["callback"]).parameters:
            options["callback"] = click.pass_obj(options["callback"])
        super().__init__(*args, **options)
        self.params += common_options(is_hidden=True)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # The root shows them; they may stand behind any other command as well.
        self.params += common_options(is_hidden=self.name != "cli")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; where there is none, say which one may have been meant."""
        name = args[0]
        if self.get_command(ctx, name) is None and name[:1] != "-":
            hint = self.elsewhere(ctx, name) or did_you_mean(name, self.list_commands(ctx))
            raise click.UsageError(f"No such command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def elsewhere(self, ctx: click.Context, name: str) -> str:
        """Return where else there is a command of this name, in words; nothing here."""
        return ""


def command(name: str | None = None) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a command of the root; its docstring is the help."""
    return click.command(name, cls=Command)


def group() -> Callable[[Callable[..., Any]], Group]:
    """Make a function a group of commands."""
    return click.group(cls=Group)


def option_group(
    *several: Callable[[Callable[..., Any]], Callable[..., Any]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return one decorator that adds several options, which are shown in this order."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(several):
            function = option(function)
        return function

    return add


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def resolve_address(session: Session, text: str) -> str:
    """Return the address that is written, or that of one of the own accounts.

    Raises:
        ConfigError: It is neither.
    """
    for account in session.wallet.accounts():
        if account.alias == text:
            return session.address_of(account)
    try:
        return to_checksum_address(text)
    except ConfigError as error:
        if text.lower().startswith("0x"):
            raise
        raise ConfigError(
            f"{text!r} is neither an account of this home nor an address; write 0x and 40 digits"
        ) from error
