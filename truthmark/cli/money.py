# SPDX-License-Identifier: Apache-2.0
"""`truthmark balance` and `truthmark withdraw`."""

from typing import TYPE_CHECKING

import click

from truthmark.cli.base import State, command, json_option, resolve_address
from truthmark.cli.output import amount_json, facts, out, out_json, say

if TYPE_CHECKING:
    from truthmark.market.session import Session

_WHERE = {"registry": "listings", "market": "sales", "staking": "stake"}


@command()
@click.argument("account", required=False)
@json_option
@click.pass_obj
def balance(state: State, account: str | None, as_json: bool) -> None:
    """Show what ACCOUNT has, and what the market owes it.

    ACCOUNT is an address or the name of an account; the one that signs if left out.
    """
    from truthmark.market.upkeep import Upkeep

    with state.session() as session:
        address = resolve_address(session, account) if account is not None else session.address
        gas = session.chain.balance(address)
        found = []
        upkeep = Upkeep(session)
        for token in tokens_of(session):
            held = session.token(token).functions.balanceOf(address).call()
            found.append((token, held, upkeep.owed(token, address)))
        if as_json:
            out_json(
                {
                    "account": address,
                    "gas": {"wei": str(gas), "text": session.profile.format_native(gas)},
                    "tokens": [
                        {
                            "held": amount_json(session, held, token),
                            "owed": amount_json(session, sum(owed.values()), token),
                            "owed_by": {
                                role: amount_json(session, units, token)
                                for role, units in owed.items()
                            },
                        }
                        for token, held, owed in found
                    ],
                }
            )
            return
        show = session.profile.format_amount
        facts([("account", address), ("for gas", session.profile.format_native(gas))])
        for token, held, owed in found:
            if held or owed or token in {t.address for t in session.profile.tokens}:
                out(f"  {show(held, token)}")
            for role, units in owed.items():
                out(f"    and {show(units, token)} to withdraw from {_WHERE[role]}")
        if any(owed for _, _, owed in found):
            say("`truthmark withdraw` pays it out")


@command()
@click.option("--token", help="Only this token, by symbol or address.")
@click.option(
    "--for",
    "account",
    metavar="ACCOUNT",
    help="Pay out another account's money, to that account; you pay the gas.",
)
@json_option
@click.pass_obj
def withdraw(state: State, token: str | None, account: str | None, as_json: bool) -> None:
    """Pay out all that the market owes the account."""
    from truthmark.market.upkeep import Upkeep

    with state.session() as session:
        address = resolve_address(session, account) if account is not None else session.address
        session.journal.resume()
        wanted = [session.profile.token(token).address] if token is not None else tokens_of(session)
        upkeep = Upkeep(session)
        paid = []
        for each in wanted:
            if units := sum(upkeep.owed(each, address).values()):
                upkeep.withdraw(each, address)
                paid.append((each, units))
        if as_json:
            out_json([amount_json(session, units, each) for each, units in paid])
            return
        for each, units in paid:
            out(f"{session.profile.format_amount(units, each)} paid to {address}")
        if not paid:
            say(f"nothing is owed to {address}")


def tokens_of(session: "Session") -> list[str]:
    """Return the profile's tokens and those in which anything was ever listed, as addresses."""
    session.catalogue.sync()
    own = [token.address for token in session.profile.tokens]
    return own + [token for token in session.catalogue.tokens() if token not in own]
