# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty join`: asks for a place, after saying what speaks against it."""

from typing import Any

import click

from truthmark.bounty.flows.labeling import Agree, Labeling
from truthmark.bounty.flows.offers import own_gas
from truthmark.cli.bounty_offers import pay_line, relay_option
from truthmark.cli.command import (
    State,
    command,
    json_option,
    option_group,
    resolve_address,
    yes_option,
)
from truthmark.cli.output import ask, echo_json, info, print_fields
from truthmark.cli.param_types import ACCOUNT, BOUNTY
from truthmark.cli.worth import read_worth, worth_option
from truthmark.errors import ConfigError
from truthmark.session import Session

join_options = option_group(
    click.option("--payee", type=ACCOUNT, help="Who is paid; the account in use unless given."),
    click.option(
        "--seats", type=click.IntRange(1, 63), help="How many batches at most; as many as allowed."
    ),
    click.option("--code", default="", help="Your invitation, where the requester sent one."),
    click.option(
        "--as",
        "account",
        default="",
        metavar="ACCOUNT",
        help="Label as this account, as where a gate wants it; with a fresh key for each bounty"
        " unless given.",
    ),
)
"""What is asked for with a place."""


@command()
@click.argument("bounty", type=BOUNTY)
@join_options
@worth_option
@relay_option
@yes_option
@json_option
def join(
    state: State,
    bounty: int,
    payee: str | None,
    seats: int | None,
    code: str,
    account: str,
    worth: str | None,
    relay: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Ask for a place in BOUNTY. That costs nothing, and needs no gas.

    You label with a fresh key that this home keeps, and are paid at any address.
    """
    with state.session() as session, Labeling(session, bounty, relay=relay, say=info) as labeling:
        offer = labeling.offer()
        if labeling.folder.entry is None:
            info(own_gas(session, offer.record, seats or offer.terms.max_run))
        labeling.join(
            payee=payee_of(session, payee),
            seats=seats,
            code=code,
            account=account,
            worth=read_worth(session.profile, worth, offer.terms.token),
            agree=agree_by(yes),
        )
        entry = labeling.folder.entry
        assert entry is not None, "join keeps it"
        shown: dict[str, Any] = {
            "bounty": bounty,
            "signer": entry.signer,
            "payee": entry.payee,
            "seats": entry.seats,
            "relay": entry.relay,
        }
        if as_json:
            echo_json(shown)
            return
        print_fields([*shown.items(), ("pays", pay_line(session, offer))])
        info(f"when labeling begins: truthmark bounty label {bounty}")


def agree_by(yes: bool) -> Agree:
    """Return what asks a person whether to go on in spite of doubts."""

    def agree(doubts: list[str]) -> bool:
        for doubt in doubts:
            info(f"mind: {doubt}")
        return ask("join all the same?", yes=yes)

    return agree


def payee_of(session: Session, text: str | None) -> str:
    """Return who is to be paid.

    Raises:
        ConfigError: Nobody is named.
    """
    if text is not None:
        return resolve_address(session, text)
    address = session.known_address
    if address is None:
        raise ConfigError(
            "say who is to be paid: --payee ADDRESS, or make an account: truthmark wallet new NAME"
        )
    return address
