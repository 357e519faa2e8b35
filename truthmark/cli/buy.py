# SPDX-License-Identifier: Apache-2.0
"""`truthmark fetch`, `buy` and `get`."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from truthmark import codec
from truthmark.cli.after import settle_dispute, take_money_back
from truthmark.cli.browse import dataset_json, purchase_json
from truthmark.cli.command import State, command, json_option, option_group, yes_option
from truthmark.cli.dataset import files_json, format_option
from truthmark.cli.output import amount_json, ask, ask_text, echo, echo_json, info, progress_bar
from truthmark.cli.param_types import AMOUNT, DATASET, FILE, FOLDER
from truthmark.errors import CodecError, DeliveryError, UnableError
from truthmark.market.assurance import arbiter_text, guarantee_text
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Purchase, Version
from truthmark.market.fetch import Fetcher
from truthmark.market.flows import purchasing
from truthmark.market.life import is_seller_silent, seller_seen_at
from truthmark.market.opened import is_opened, require_free, require_room, write_out
from truthmark.market.permit_files import read_admission, read_voucher
from truthmark.market.preview import Preview
from truthmark.market.purchase import Buyer, Opened, WrongKeyDispute
from truthmark.market.quote import Quote
from truthmark.market.records import PurchaseStatus
from truthmark.session import Session
from truthmark.text import clean, format_duration, format_time, plural

_pay_options = option_group(
    click.option(
        "--max-price",
        type=AMOUNT,
        help='The most to pay, fees included, such as "25 TUSD".',
    ),
    click.option("--voucher", type=FILE, help="A price that the seller offered you."),
    click.option("--admission", type=FILE, help="A pass of the data set's gate."),
    click.option(
        "--blind",
        is_flag=True,
        help="Buy it even if nobody, or hardly anyone, but the seller has seen any of it.",
    ),
    click.option("--again", is_flag=True, help="Pay once more for what you bought before."),
    yes_option,
    json_option,
)


@command()
@click.argument("dataset", type=DATASET)
@json_option
def fetch(state: State, dataset: str, as_json: bool) -> None:
    """Download DATASET, encrypted, and check it.

    Checks every byte against what the seller committed to. Costs nothing, and needs no account.
    """
    with state.version(dataset) as (session, version):
        with progress_bar("fetching") as progress:
            folder = Fetcher(session).fetch(version, progress)
        if as_json:
            echo_json({**dataset_json(session, version), "folder": str(folder)})
            return
        echo(str(folder))
        info(f"{version.ref} is here, and every byte is the one that the seller committed to")


@command()
@click.argument("dataset", type=DATASET)
@_pay_options
def buy(state: State, /, dataset: str, yes: bool, as_json: bool, **wanted: Any) -> None:
    """Fetch, check and pay for DATASET.

    `truthmark get` then waits for the key and opens it. What you bought before is not bought
    again, unless you say --again, which pays each time.
    """
    with state.version(dataset, signs=True) as (session, version):
        options = _flow_options(session, version, yes=yes, **wanted)
        _, purchase = purchasing.buy(session, version, **options)
        if as_json:
            echo_json(
                {
                    **purchase_json(session, version, purchase),
                    "custodians": _custodians(session, purchase),
                }
            )
            return
        echo("0x" + purchase.purchase_id.hex())
        info(f"the key comes until {format_time(purchase.deadline, session.chain.time())}")
        info(f"`truthmark get {version.ref} FOLDER` waits for it and opens the data")


@command()
@click.argument("dataset", type=DATASET)
@click.argument("folder", type=FOLDER)
@format_option
@_pay_options
def get(
    state: State, /, dataset: str, folder: Path, kind: Any, yes: bool, as_json: bool, **wanted: Any
) -> None:
    """Buy DATASET and open it in the new FOLDER.

    Looks first at the parts that chance picked and the seller had to open, and refuses what is bad;
    what nobody could look at it buys only with --blind or after a typed yes. Checks for disk space,
    fetches and checks the data, asks before it pays, waits for the key, and
    decrypts. If it is interrupted, run it again: it continues where it stopped, and nothing is paid
    for or fetched twice, unless you say --again, which pays each time. What was bought before is
    opened in another FOLDER at no cost.
    """
    with state.version(dataset, signs=True) as (session, version):
        if is_opened(session, version, folder, kind):
            if as_json:
                echo_json({**dataset_json(session, version), "folder": str(folder)})
            else:
                echo(str(folder))
            info(f"{version.ref} is in {folder} already")
            return
        # Before anything is paid for.
        require_free(folder)
        require_room(session, version, folder)
        options = _flow_options(session, version, yes=yes, **wanted)
        try:
            opened = purchasing.get(session, version, **options)
        except WrongKeyDispute as dispute:
            settle_dispute(session, dispute, yes=yes)
        except DeliveryError as error:
            paid = Buyer(session).find_purchase(version)
            if paid is None:
                raise
            take_money_back(session, version, paid, error, yes=yes)
        try:
            _write(session, opened, folder, kind, as_json=as_json)
        except (CodecError, UnableError, OSError):
            line = f"`truthmark get {version.ref} FOLDER`"
            info(f"{version.ref} stays yours: {line} opens it elsewhere, and nothing is paid again")
            raise


def _write(session: Session, opened: Opened, folder: Path, kind: Any, *, as_json: bool) -> None:
    """Decrypt into the folder and tell what is there."""
    version, purchase = opened.version, opened.purchase
    cost = purchasing.paid(session, purchase)
    info("the key is verified and opens every part")
    with codec.open_container(opened.folder, cek=opened.cek) as container:
        with progress_bar("opening") as progress:
            notes = write_out(session, version, container, folder, kind, progress)
        files = files_json(container)
    for line in notes:
        info(clean(line, 400))
    if as_json:
        echo_json(
            {
                **dataset_json(session, version),
                "folder": str(folder),
                "purchase": "0x" + purchase.purchase_id.hex(),
                "paid": amount_json(session, cost, version.terms.token),
                "custodians": _custodians(session, purchase),
                "files": files,
            }
        )
        return
    echo(str(folder))
    rows = sum(file["rows"] or 0 for file in files)
    holds = f" with {plural(rows, 'row')}" if rows else ""
    more = "; README.md tells more" if (folder / "README.md").exists() else ""
    info(f"{plural(len(files), 'file')}{holds}{more}")
    if purchase.status is PurchaseStatus.DELIVERED:
        info(f"the seller is paid after {format_time(purchase.deadline)}")


def _flow_options(
    session: Session,
    version: Version,
    *,
    max_price: str | None,
    voucher: Path | None,
    admission: Path | None,
    again: bool,
    blind: bool,
    yes: bool,
) -> dict[str, Any]:
    """Return the options of `_pay_options` as `purchasing.buy` takes them."""
    return {
        "agree": partial(_agree, session, yes=yes),
        "max_price": max_price,
        "unattended": yes,
        "voucher": read_voucher(session, version, voucher),
        "admission": read_admission(session, version, admission),
        "again": again,
        "blind": blind,
        "agree_unsampled": partial(_agree_unsampled, yes=yes),
        "say": info,
        "bar": progress_bar,
    }


def _agree(session: Session, quote: Quote, *, yes: bool) -> bool:
    """Show what it costs, and ask."""
    version, custody = quote.version, quote.epoch.custody
    show, token = session.profile.amount, version.terms.token
    info(f"{version.ref} costs {show(quote.price, token)}")
    if quote.total > quote.price:
        info(
            f"and {show(custody.fee, token)} for each of {custody.threshold} custodians: "
            f"{show(quote.total, token)} in all"
        )
    if custody.is_direct:
        _warn_of_silence(session, version)
    info(guarantee_text(version.terms.guarantee_bps))
    info(arbiter_text(version.terms.arbiter))
    return ask(
        f"the key is kept by {custody.custodians_text}; pay {show(quote.total, token)}?", yes=yes
    )


def _agree_unsampled(found: Preview, *, yes: bool) -> bool:
    """Ask for a typed yes; --yes agrees to a price, not to data that nobody could look at."""
    return not yes and ask_text("type yes to buy it all the same", "--blind").lower() == "yes"


def _warn_of_silence(session: Session, version: Version) -> None:
    """Say that a seller who has to deliver seems to be gone, before they are paid."""
    if is_seller_silent(session, version):
        info(
            f"beware: {version.terms.seller} must deliver it and was last seen on the chain "
            f"{format_time(seller_seen_at(session, version))}; if the key does not come within "
            f"{format_duration(version.terms.delivery_seconds)}, your money comes back by "
            "`truthmark refund`, less gas"
        )


def _custodians(session: Session, purchase: Purchase) -> str:
    """Return in words who keeps the key of a purchase."""
    return Catalogue.of(session).epoch(purchase.custody_id).custody.custodians_text
