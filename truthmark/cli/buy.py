# SPDX-License-Identifier: Apache-2.0
"""`truthmark fetch`, `buy` and `get`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from truthmark.cli.after import settle_dispute, take_money_back
from truthmark.cli.browse import dataset_json, purchase_json
from truthmark.cli.command import State, command, find_version, json_option, yes_option
from truthmark.cli.dataset import files_json, format_option
from truthmark.cli.opening import is_opened, require_free, require_room, write_out
from truthmark.cli.output import amount_json, ask, echo, echo_json, info, progress_bar
from truthmark.cli.param_types import AMOUNT, DATASET
from truthmark.cli.vouchers import read_admission, read_voucher
from truthmark.errors import CodecError, ConfigError, DeliveryError, MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.text import clean, format_duration, format_time, plural

if TYPE_CHECKING:
    from truthmark.market.entries import Purchase, Version
    from truthmark.market.purchase import Buyer, Opened
    from truthmark.market.quote import Quote
    from truthmark.session import Session

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _pay_options(function: _F) -> _F:
    for option in reversed(
        (
            click.option(
                "--max-price",
                type=AMOUNT,
                help='The most to pay, fees included, such as "25 TUSD".',
            ),
            click.option("--voucher", type=_FILE, help="A price that the seller offered you."),
            click.option("--admission", type=_FILE, help="A pass of the data set's gate."),
            click.option("--again", is_flag=True, help="Pay once more for what you bought before."),
            yes_option,
            json_option,
        )
    ):
        function = option(function)
    return function


@command()
@click.argument("dataset", type=DATASET)
@json_option
@click.pass_obj
def fetch(state: State, dataset: str, as_json: bool) -> None:
    """Download DATASET, encrypted, and check it.

    Every byte must be the one that the seller committed to. Free, and needs no account.
    """
    from truthmark.market.fetch import Fetcher

    with state.session() as session:
        version = find_version(session, dataset)
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
@click.pass_obj
def buy(
    state: State,
    dataset: str,
    max_price: str | None,
    voucher: Path | None,
    admission: Path | None,
    again: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Fetch, check and pay for DATASET.

    `truthmark get` then waits for the key and opens it. What you bought before is not bought
    again, unless you say --again, which pays each time.
    """
    from truthmark.market.purchase import Buyer

    with state.session(signs=True) as session:
        version = find_version(session, dataset)
        buyer = Buyer(session, info)
        limit = _limit(buyer, version, max_price, yes=yes, again=again)
        _, purchase = _fetch_and_pay(
            session, buyer, version, limit, voucher, admission, yes=yes, again=again
        )
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
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option(
    "--to",
    "elsewhere",
    type=click.Path(file_okay=False, path_type=Path),
    help="The same as FOLDER; what was bought can be opened anywhere, again and again.",
)
@format_option
@_pay_options
@click.pass_obj
def get(
    state: State,
    dataset: str,
    folder: Path | None,
    elsewhere: Path | None,
    kind: Any,
    max_price: str | None,
    voucher: Path | None,
    admission: Path | None,
    again: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Buy DATASET and open it in the new FOLDER.

    Looks for room, fetches and checks it, asks before it pays, waits for the key, and decrypts. If
    it is interrupted, run it again: it goes on where it stopped, and nothing is paid for or fetched
    twice, unless you say --again, which pays each time. What was bought before is opened in another
    FOLDER at no cost.
    """
    from truthmark.market.purchase import Buyer, WrongKeyDispute

    if folder is not None and elsewhere is not None:
        raise click.UsageError("name one folder, as FOLDER or with --to")
    folder = folder or elsewhere
    if folder is None:
        raise click.UsageError("say where to open it: the name of a new FOLDER")
    with state.session(signs=True) as session:
        version = find_version(session, dataset)
        if is_opened(session, version, folder, kind):
            info(f"{version.ref} is in {folder} already")
            if as_json:
                echo_json({**dataset_json(session, version), "folder": str(folder)})
            return
        # Before anything is paid for.
        require_free(folder)
        require_room(session, version, folder)
        buyer = Buyer(session, info)
        limit = _limit(buyer, version, max_price, yes=yes, again=again)
        try:
            ciphertext, purchase = _fetch_and_pay(
                session, buyer, version, limit, voucher, admission, yes=yes, again=again
            )
            purchase = _wait(session, buyer, purchase)
            opened = buyer.receive(version, purchase, ciphertext)
        except WrongKeyDispute as dispute:
            settle_dispute(session, buyer, dispute, yes=yes)
            raise AssertionError("settle_dispute raises") from dispute
        except DeliveryError as error:
            paid = buyer.find_purchase(version)
            if paid is None:
                raise
            take_money_back(session, version, paid, error, yes=yes)
            raise AssertionError("take_money_back raises") from error
        try:
            _write(session, opened, folder, kind, as_json=as_json)
        except (CodecError, OSError):
            line = f"`truthmark get {version.ref} --to FOLDER`"
            info(f"{version.ref} stays yours: {line} opens it elsewhere, and nothing is paid again")
            raise


def _fetch_and_pay(
    session: "Session",
    buyer: "Buyer",
    version: "Version",
    limit: int | None,
    voucher: Path | None,
    admission: Path | None,
    *,
    yes: bool,
    again: bool,
) -> "tuple[Path, Purchase]":
    purchase = None if again else buyer.find_earlier(version)
    note = read_voucher(session, version, voucher)
    if purchase is None:  # what stands in the way is better said before a long download
        quote = buyer.quote(version, voucher=note, max_total=limit)
        buyer.require_affordable(quote, limit)
    with progress_bar("fetching") as on_fetch:
        folder = buyer.fetch(version, on_fetch)
    info("fetched; every byte is the one that the seller committed to")
    if purchase is not None:
        info("it was bought before; nothing is paid again")
        return folder, purchase
    quote = buyer.quote(version, voucher=note, max_total=limit)
    buyer.require_affordable(quote, limit)
    if not _agree(session, quote, yes=yes):
        raise MarketError("nothing was bought")
    purchase = buyer.buy(
        quote,
        max_total=quote.total if limit is None else limit,
        voucher=note,
        admission=read_admission(session, version, admission),
        again=again,
    )
    info("paid; the money goes to the seller only after the key came and you could check it")
    return folder, purchase


def _wait(session: "Session", buyer: "Buyer", purchase: "Purchase") -> "Purchase":
    from truthmark.market.records import PurchaseStatus

    if purchase.status is PurchaseStatus.PAID:
        until = format_time(purchase.deadline, session.chain.time())
        info(f"waiting for the key, which comes until {until}; you may stop this and go on later")
    with progress_bar("parts of the key", "parts") as on_parts:
        return buyer.wait(purchase, on_parts)


def _write(session: "Session", opened: "Opened", folder: Path, kind: Any, *, as_json: bool) -> None:
    """Decrypt into the folder and tell what is there."""
    from truthmark.codec import open_container
    from truthmark.market.drafts.order import purchase_cost
    from truthmark.market.records import PurchaseStatus

    version, purchase = opened.version, opened.purchase
    cost = purchase_cost(purchase.receipt.price, opened.epoch.custody)
    info("the key is verified and opens every part")
    with open_container(opened.folder, cek=opened.cek) as container:
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
    info(f"{plural(len(files), 'file')}{holds}; README.md tells more")
    if purchase.status is PurchaseStatus.DELIVERED:
        info(f"the seller is paid after {format_time(purchase.deadline)}")


def _limit(
    buyer: "Buyer", version: "Version", max_price: str | None, *, yes: bool, again: bool
) -> int | None:
    """Return the most that may be paid, if it was said; with `yes` it must be.

    Raises:
        ConfigError: It was not said, or is in another token.
    """
    from truthmark.market.surface import read_amount

    if max_price is not None:
        return read_amount(buyer.session, max_price, version.terms.token)
    if yes and (again or buyer.find_purchase(version) is None):
        raise ConfigError('with --yes say how much it may cost, such as --max-price "25 TUSD"')
    return None


def _agree(session: "Session", quote: "Quote", *, yes: bool) -> bool:
    """Show what it costs, and ask."""
    version, custody = quote.version, quote.epoch.custody
    show, token = session.profile.format_amount, version.terms.token
    info(f"{version.ref} costs {show(quote.price, token)}")
    if quote.total > quote.price:
        info(
            f"and {show(custody.fee, token)} for each of {custody.threshold} custodians: "
            f"{show(quote.total, token)} in all"
        )
    if custody.is_direct:
        _warn_of_silence(session, version)
    return ask(
        f"the key is kept by {custody.custodians_text}; pay {show(quote.total, token)}?", yes=yes
    )


def _warn_of_silence(session: "Session", version: "Version") -> None:
    """Say that a seller who has to deliver seems to be gone, before they are paid."""
    from truthmark.market.life import is_seller_silent, seller_seen_at

    if is_seller_silent(session, version):
        info(
            f"beware: {version.terms.seller} must deliver it and was last seen on the chain "
            f"{format_time(seller_seen_at(session, version))}; if the key does not come within "
            f"{format_duration(version.terms.delivery_seconds)}, your money comes back by "
            "`truthmark refund`, less gas"
        )


def _custodians(session: "Session", purchase: "Purchase") -> str:
    """Return in words who keeps the key of a purchase."""
    return Catalogue.of(session).epoch(purchase.custody_id).custody.custodians_text
