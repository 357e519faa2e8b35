# SPDX-License-Identifier: Apache-2.0
"""`truthmark balance` and `truthmark withdraw`."""

import click

from truthmark.cli.command import State, command, json_option, resolve_address
from truthmark.cli.output import amount_json, echo, echo_json, info, print_fields
from truthmark.cli.param_types import ACCOUNT, TOKEN, UNITS
from truthmark.config.units import to_checksum_address
from truthmark.errors import ChainError, ChainUnavailableError, ConfigError, TransactionPendingError
from truthmark.market.settlement import LEDGERS, Settlement
from truthmark.session import Session

_NAMED = 3
"""How many addresses stand in one line; anyone can list in ever new tokens."""


@command()
@click.argument("account", type=ACCOUNT, required=False)
@json_option
def balance(state: State, account: str | None, as_json: bool) -> None:
    """Show what ACCOUNT has, and what the contracts hold for it.

    ACCOUNT is an address or the name of an account; the one that signs if left out.
    """
    with state.session() as session:
        address = resolve_address(session, account) if account is not None else session.address
        gas = session.chain.balance(address)
        settlement = Settlement(session)
        own, others = settlement.tokens_of(address)
        balances = settlement.held(own + others, address)
        if unread := [token for token, held in balances.items() if held is None]:
            info(f"left out, as it cannot be read: {_some(unread)}")
        found = [
            (token, held, settlement.credits(token, address))
            for token, held in balances.items()
            if held is not None
        ]
        if as_json:
            echo_json(
                {
                    "account": address,
                    "gas": {"wei": str(gas), "text": str(session.profile.native(gas))},
                    "tokens": [
                        {
                            "held": amount_json(session, held, token),
                            "credits": amount_json(session, sum(owed.values()), token),
                            "credits_by": {
                                role: amount_json(session, units, token)
                                for role, units in owed.items()
                            },
                        }
                        for token, held, owed in found
                    ],
                }
            )
            return
        show = session.profile.amount
        print_fields([("account", address), ("for gas", session.profile.native(gas))])
        for token, held, owed in found:
            if held or owed or token in {t.address for t in session.profile.tokens}:
                echo(f"  {show(held, token)}")
            for role, units in owed.items():
                echo(f"    and {show(units, token)} to withdraw from {LEDGERS[role]}")
        if any(owed for token, _, owed in found if token in own):
            info("`truthmark withdraw` pays it out")
        _tell_of_others([token for token, _, owed in found if owed and token in others])


@command()
@click.option("--token", type=TOKEN, help="Only this token, by symbol or address.")
@click.option(
    "--amount",
    type=UNITS,
    help='Only this much, such as "25 USDC", if the token cannot move all of it at once.',
)
@click.option(
    "--for",
    "account",
    type=ACCOUNT,
    help="Pay out another account's money, to that account; you pay the gas.",
)
@json_option
def withdraw(
    state: State, token: str | None, amount: str | None, account: str | None, as_json: bool
) -> None:
    """Pay out all that the contracts hold for the account.

    In the profile's tokens, and those in which the account itself has sold or bought. Anyone can
    credit it with others, whose code may cost gas for nothing; name one with --token to have it.
    """
    with state.session(sends=True) as session:
        address = resolve_address(session, account) if account is not None else session.address
        show, settlement = session.profile.amount, Settlement(session)
        own, others = settlement.tokens_of(address)
        wanted = 0
        if token is not None:
            own, others = [_read_token(session, token)], []
        if amount is not None:
            only, wanted = _read_wanted(session, amount, own[0] if token is not None else None)
            own, others = [only], []
        paid, failed = [], []
        for each in own:
            units = sum(settlement.credits(each, address).values())
            if not units:
                continue
            units = wanted or units
            try:
                settlement.withdraw(each, address, wanted)
            except (ChainUnavailableError, TransactionPendingError):
                raise  # which is not the token's doing
            except ChainError as error:
                failed.append(f"{show(units, each)} ({error})")
                continue
            paid.append((each, units))
            if not as_json:
                echo(f"{show(units, each)} paid to {address}")
        if as_json:
            echo_json([amount_json(session, units, each) for each, units in paid])
        left = [each for each in others if settlement.credits(each, address)]
        _tell_of_others(left)
        if failed:
            raise ChainError(
                f"not paid out: {', '.join(failed)}; try again with --token SYMBOL or ADDRESS, and "
                "with a smaller --amount if the token does not move all of it at once"
            )
        if not paid and not left:
            info(f"nothing is owed to {address}")


def _tell_of_others(tokens: list[str]) -> None:
    """Say in which tokens something is owed that are paid out only when they are named."""
    if tokens:
        info(
            f"more is owed in tokens of strangers: {_some(tokens)}; `truthmark withdraw --token "
            "ADDRESS` pays one out, if you trust it"
        )


def _some(tokens: list[str]) -> str:
    more = f" and {len(tokens) - _NAMED} more" if len(tokens) > _NAMED else ""
    return ", ".join(tokens[:_NAMED]) + more


def _read_wanted(session: Session, text: str, token: str | None) -> tuple[str, int]:
    """Return the token's address and the units of an amount to take out, more than none."""
    listed = {known.address for known in session.profile.tokens}
    if text.isdecimal():
        if token is None or token in listed:
            raise ConfigError(f'{text} of what? Write it like "25 USDC", or name the --token')
        return token, int(text)  # as `balance` shows what is owed in a token of a stranger
    token = token or session.profile.parse_amount(text)[0].address
    return token, session.profile.read_amount(text, token)


def _read_token(session: Session, text: str) -> str:
    """Return the address of a token of the profile, or the one that is written."""
    if text.lower().startswith("0x"):
        return to_checksum_address(text)
    return session.profile.token(text).address
