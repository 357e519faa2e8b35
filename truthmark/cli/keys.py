# SPDX-License-Identifier: Apache-2.0
"""`truthmark keys`: let somebody else open what you bought."""

from pathlib import Path

import click

from truthmark.cli.command import State, group, json_option
from truthmark.cli.output import echo, echo_json, info, progress_bar
from truthmark.cli.param_types import DATASET, NEW_FILE
from truthmark.errors import MarketError
from truthmark.keys.handing import HandedKey
from truthmark.market.purchase import Buyer
from truthmark.market.records import PurchaseStatus
from truthmark.text import format_time


@group()
def keys() -> None:
    """Keys of what you bought, to open it elsewhere."""


@keys.command()
@click.argument("dataset", type=DATASET)
@click.argument("file", type=NEW_FILE, required=False)
@json_option
def export(state: State, dataset: str, file: Path | None, as_json: bool) -> None:
    """Write the key of DATASET, which you bought, into the new FILE.

    Prints it if FILE is left out. Anyone who has it can open DATASET, and nothing else: no key of
    your account is in it. `truthmark dataset open --key FILE` takes it, and so can readers in other
    languages (docs/format.md says how). The licence says to whom you may give it.
    """
    with state.version(dataset, signs=True) as (session, version):
        buyer = Buyer(session, info)
        purchase = buyer.require_purchase(version)
        if purchase.status is PurchaseStatus.PAID:
            until = format_time(purchase.deadline, session.chain.time())
            raise MarketError(
                f"the key of {version.ref} has not come yet; try again, at the latest at {until}"
            )
        with progress_bar("fetching") as progress:
            folder = buyer.fetch(version, progress)
        buyer.receive(version, purchase, folder)  # a key that opens nothing is handed to nobody
        key = HandedKey(
            version.terms.public_key, buyer.key_point(version, purchase), dataset=version.ref
        )
    if file is not None:
        key.save(file)
    if as_json or file is None:
        echo_json({**key.to_record(), "file": None if file is None else str(file)})
    else:
        echo(str(file))
    info(f"anyone who has this key can open {version.ref}: keep it as carefully as the data")
    info(f"the encrypted data, which anyone may have, is in {folder}")
