# SPDX-License-Identifier: Apache-2.0
"""`truthmark voucher` and `truthmark admit`: a price or a pass for one account, as a file."""

import json
from pathlib import Path
from typing import Any

import click

from truthmark.cli.command import State, command, resolve_address
from truthmark.cli.output import amount_json, info
from truthmark.cli.param_types import ACCOUNT, AMOUNT, DATASET, DURATION, NEW_FILE
from truthmark.errors import ConfigError, MarketError
from truthmark.keys.typed import admission
from truthmark.market.permit_files import permit_head
from truthmark.market.purchase import new_nonce
from truthmark.market.records import ZERO_ADDRESS
from truthmark.market.seller import Seller
from truthmark.text import format_time

_OUT = click.option("--out", "target", type=NEW_FILE, help="Write it to a file.")
_VALID = click.option(
    "--valid", type=DURATION, default="30d", show_default=True, help="How long it is valid."
)


@command()
@click.argument("dataset", type=DATASET)
@click.argument("buyer", type=ACCOUNT)
@click.option(
    "--price", type=AMOUNT, required=True, help='At most the listed one, such as "0 TUSD".'
)
@_VALID
@_OUT
def voucher(
    state: State, dataset: str, buyer: str, price: str, valid: int, target: Path | None
) -> None:
    """Offer DATASET to BUYER at a special price, once.

    Give the voucher to the buyer: `truthmark buy --voucher FILE`.
    """
    with state.version(dataset, signs=True) as (session, version):
        if version.terms.seller.lower() != session.address.lower():
            raise ConfigError(f"{version.ref} is sold by {version.terms.seller}; use that account")
        account = resolve_address(session, buyer)
        amount = session.profile.read_amount(price, version.terms.token)
        if amount > version.price:
            listed = session.profile.amount(version.price, version.terms.token)
            raise ConfigError(f"{version.ref} costs {listed}; a voucher's price is at most that")
        expiry = session.chain.sure_time() + valid
        _, _, nonce, signature = Seller(session).write_voucher(
            version, account, amount, expiry, new_nonce()
        )
        _write(
            {
                **permit_head(session, version, account, "voucher"),
                "price": amount_json(session, amount, version.terms.token),
                "expiry": expiry,
                "nonce": "0x" + nonce.hex(),
                "signature": "0x" + signature.hex(),
            },
            target,
        )
        info(f"counts once, for {account} alone, until {format_time(expiry)}")


@command()
@click.argument("dataset", type=DATASET)
@click.argument("buyer", type=ACCOUNT)
@_VALID
@_OUT
def admit(state: State, dataset: str, buyer: str, valid: int, target: Path | None) -> None:
    """Admit the account BUYER to DATASET, whose gate you are.

    Give the pass to the buyer: `truthmark buy --admission FILE`.
    """
    with state.version(dataset, signs=True) as (session, version):
        if version.terms.gate == ZERO_ADDRESS:
            raise MarketError(f"{version.ref} has no gate: everybody may buy it as it is")
        if version.terms.gate.lower() != session.address.lower():
            raise ConfigError(
                f"the gate of {version.ref} is {version.terms.gate}; use that account"
            )
        account = resolve_address(session, buyer)
        expiry = session.chain.sure_time() + valid
        message = admission(
            chain_id=session.profile.chain_id,
            market=session.chain.market.address,
            terms_id=version.terms_id,
            account=account,
            expiry=expiry,
        )
        signature = session.signer.sign_typed(message)
        _write(
            {
                **permit_head(session, version, account, "admission"),
                "expiry": expiry,
                "signature": "0x" + signature.hex(),
            },
            target,
        )
        info(f"counts for {account} alone, until {format_time(expiry)}")


def _write(value: dict[str, Any], target: Path | None) -> None:
    text = json.dumps(value, indent=2)
    if target is None:
        click.echo(text)
        return
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError as error:
        raise ConfigError(f"{target} exists and is left alone; choose another name") from error
    info(f"written to {target}")
