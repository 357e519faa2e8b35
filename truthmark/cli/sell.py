# SPDX-License-Identifier: Apache-2.0
"""`truthmark list` and `truthmark renew`: put a data set up for sale, and keep it there."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from truthmark.cli.browse import dataset_json
from truthmark.cli.command import (
    State,
    command,
    find_version,
    json_option,
    resolve_address,
    yes_option,
)
from truthmark.cli.custody import (
    acceptance_seconds,
    agree,
    custody_arguments,
    custody_options,
    keeping_limit,
    wait_or_deal_again,
)
from truthmark.cli.dataset import is_packed, pack_options, require_licence
from truthmark.cli.output import ask_text, echo, echo_json, info, progress_bar
from truthmark.cli.pack_options import Packing
from truthmark.cli.param_types import ACCOUNT, AMOUNT, DATASET, DURATION, WINDOWS
from truthmark.errors import ConfigError, MarketError
from truthmark.keys.backups import check_place, is_covered, place_for, write_backup
from truthmark.market.catalogue import Catalogue
from truthmark.text import format_duration, format_time, plural

if TYPE_CHECKING:
    from truthmark.codec import Manifest
    from truthmark.market.entries import Epoch, Version
    from truthmark.session import Session


_RENEW_SECONDS = 3_600
"""What `renew` grants custodians to accept."""


@command("list")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--price", type=AMOUNT, required=True, help='Such as "25 TUSD".')
@custody_options
@click.option(
    "--windows",
    type=WINDOWS,
    metavar="NAME",
    default="careful",
    show_default=True,
    help="Time for delivery and for checking: demo, small or careful.",
)
@click.option(
    "--bond", type=AMOUNT, help="What you lose if the key turns out wrong; trust for buyers."
)
@click.option(
    "--gate", type=ACCOUNT, help="Account that must admit each buyer (`truthmark admit`)."
)
@click.option("--payee", type=ACCOUNT, help="Who is paid; you if left out.")
@click.option("--update", type=DATASET, help="List it as the next version of this one.")
@click.option("--packed", type=click.Path(path_type=Path), help="Where to pack SOURCE.")
@click.option(
    "--backup",
    type=click.Path(path_type=Path),
    help="New file, or folder for one, with a backup of the key.",
)
@click.option(
    "--accept-within",
    type=DURATION,
    help="How long custodians have to accept; at most 7d.  [default: as --windows has it]",
)
@pack_options
@yes_option
@json_option
@click.pass_obj
def list_dataset(
    state: State,
    /,
    source: Path,
    price: str,
    windows: str,
    bond: str | None,
    gate: str | None,
    payee: str | None,
    update: str | None,
    packed: Path | None,
    backup: Path | None,
    accept_within: int | None,
    max_keeping: str | None,
    deal_again: bool,
    yes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Put data up for sale.

    SOURCE is a file or folder of data, which is packed first, or a folder that was packed.

    Custodians keep parts of the key, so that you can go offline; with --custodians direct you keep
    it and deliver by `truthmark deliver --follow`. Shows what keeping costs, and asks before it
    pays. Waits until it can be bought. If it is interrupted, the same command goes on, as long as
    SOURCE is what it was.
    """
    from truthmark.codec import read_manifest
    from truthmark.market.records import ZERO_ADDRESS
    from truthmark.market.seller import Seller
    from truthmark.market.surface import choose_custody, folder_size, read_amount

    with state.session(signs=True) as session:
        profile = session.profile
        token, amount = profile.parse_amount(price)
        if not is_packed(source):
            require_licence(options["licence"])
        custody = custody_arguments(session, options)
        times = profile.windows[windows]
        acceptance = acceptance_seconds(accept_within, times.acceptance, deals_again=deal_again)
        times = replace(times, acceptance=acceptance)
        secured = read_amount(session, bond, token.address)
        limit = keeping_limit(session, max_keeping, token.address, yes=yes)
        common: dict[str, Any] = {
            "token": token,
            "windows": times,
            "bond": secured,
            "gate": resolve_address(session, gate) if gate is not None else ZERO_ADDRESS,
            "payee": resolve_address(session, payee) if payee is not None else None,
        }
        # What an earlier run sent comes first: where it was listed, nothing is paid any more.
        session.journal.resume()
        Catalogue.of(session).sync()
        siblings = (
            Catalogue.of(session).siblings(find_version(session, update))
            if update is not None
            else []
        )
        seller = Seller(session)
        pay = partial(agree, session, token.address, limit=limit, bond=secured, yes=yes)
        work = Packing(session, source, packed, options)
        folder = source if is_packed(source) else work.find(siblings)
        if folder is None:
            # What would be refused later is refused before a large source is packed for nothing.
            Catalogue.of(session).require_unpaused()
            pay(choose_custody(session, token, times, 0, **custody), is_asked=False)
            _check_backup(session, backup, yes=yes)
            folder = work.pack(siblings[0] if siblings else None, yes=yes)
        manifest = read_manifest(folder)
        _insist_on_backup(state, session, manifest, backup, yes=yes)
        listed = seller.find_listed(manifest, **common)
        if listed is None:
            choice = choose_custody(session, token, times, folder_size(folder), **custody)
            if not pay(choice):
                raise MarketError("nothing was listed")
            with progress_bar("storing") as progress:
                listed = seller.list_dataset(
                    folder,
                    price=amount,
                    offer=choice.offer,
                    validators=choice.validators,
                    previous=siblings[0] if siblings else None,
                    progress=progress,
                    **common,
                )
        else:
            with progress_bar("storing") as progress:
                seller.publish(folder, progress)
        version = Catalogue.of(session).version(f"0x{listed.terms.terms_id.hex()}")
        if not listed.receipts:
            seller.require_running(version)
            info("it was listed before; nothing was sent")
        epoch = wait_or_deal_again(
            session, version, listed.epoch, is_agreed=deal_again, max_keeping=limit
        )
        _tell(session, version, epoch, as_json)


def _check_backup(session: "Session", backup: Path | None, *, yes: bool) -> None:
    """Refuse before packing what `_insist_on_backup` would refuse after it.

    Raises:
        ConfigError: There is no place for a backup, and nobody who could name one.
    """
    if backup is not None:
        check_place(session.home, backup)
    elif yes:
        raise ConfigError(
            "without a backup of the key you could lose what you sell; add --backup FILE"
        )


def _insist_on_backup(
    state: State, session: "Session", manifest: "Manifest", backup: Path | None, *, yes: bool
) -> None:
    """Make sure that the key of what is listed is in a backup.

    Raises:
        ConfigError: It is not, and nobody says where to put one.
    """
    name = f"{manifest.public_key.x:064x}"
    session.vault.get("seller-secret", name)
    if backup is None:
        if is_covered(session.home, "seller-secret", name):
            return
        if yes:
            raise ConfigError(
                "without a backup of the key you could lose what you sell; add --backup FILE, or "
                "run `truthmark wallet backup FILE` and list the packed folder"
            )
        info("without a backup of the key you could lose what you sell")
        backup = Path(ask_text("new file for the backup", "--backup FILE") or "backup.tmkb")
    if backup.is_dir():
        backup = backup / f"truthmark-{name[:16]}.tmkb"
    place = place_for(session.home, backup, "seller-secret", name)
    if place is None:
        return
    if place != backup:
        info(f"{backup} is a backup without this key and is left alone; the new one is {place}")
    count = write_backup(session.home, place, state.new_passphrase)
    info(f"{plural(count, 'secret')} saved in {place}; keep it off this machine")


def _tell(session: "Session", version: "Version", epoch: "Epoch", as_json: bool) -> None:
    """Say what is for sale now and what is left to do."""
    if as_json:
        echo_json(dataset_json(session, version))
        return
    show = session.profile.format_amount
    terms = version.terms
    fee = version.price * terms.fee_bps // 10_000
    echo(version.ref)
    info(
        f"for sale as {version.ref} at {show(version.price, terms.token)}; each sale pays you "
        f"{show(version.price - fee, terms.token)}"
    )
    if epoch.custody.is_direct:
        info(
            "keep `truthmark deliver --follow` running: what is not delivered within "
            f"{format_duration(terms.delivery_seconds)} is refunded"
        )
    else:
        info(
            f"{epoch.custody.threshold} of {epoch.custody.count} custodians deliver it until "
            f"{format_time(epoch.custody.end)}; you can go offline"
        )


@command()
@click.argument("dataset", type=DATASET)
@custody_options
@click.option(
    "--accept-within",
    type=DURATION,
    help="How long custodians have to accept; at most 7d.  [default: 1h, or 10min with "
    "--deal-again]",
)
@yes_option
@json_option
@click.pass_obj
def renew(
    state: State,
    /,
    dataset: str,
    accept_within: int | None,
    max_keeping: str | None,
    deal_again: bool,
    yes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Give the key of DATASET to custodians again.

    For a listing whose custodians failed, left, or stay no longer. Those who have it now go on
    until their time ends. Asks before it pays. If it is interrupted while custodians accept, run
    it again: it goes on waiting, and nothing is paid twice.
    """
    from truthmark.config.profile import Windows
    from truthmark.market.fetch import Fetcher
    from truthmark.market.redealing import fees_due, take_fees_back
    from truthmark.market.seller import Seller, is_dealt
    from truthmark.market.surface import choose_custody

    with state.session(signs=True) as session:
        custody = custody_arguments(session, options)
        version = find_version(session, dataset)
        limit = keeping_limit(session, max_keeping, version.terms.token, yes=yes)
        # `choose_custody` takes a token to know its address and symbol, which a seller's has.
        token = session.profile.token(version.terms.token)
        windows = Windows(
            version.terms.delivery_seconds,
            version.terms.inspection_seconds,
            acceptance_seconds(accept_within, _RENEW_SECONDS, deals_again=deal_again),
        )
        size = Fetcher(session).manifest(version.terms.manifest).size
        seller = Seller(session)
        fresh = seller.fresh_custody(version)
        if not fresh:
            Catalogue.of(session).require_unpaused()
        choice = choose_custody(session, token, windows, size, **custody, fresh=fresh)
        validators, offer = choice.validators, choice.offer
        if not (fresh and is_dealt(fresh, validators, offer)) and not agree(
            session,
            token.address,
            choice,
            limit=limit,
            credit=fees_due(session, version),
            yes=yes,
        ):
            raise MarketError("nothing was changed")
        if returned := take_fees_back(session, version):
            shown = session.profile.format_amount(returned, token.address)
            info(f"{shown} came back: what was paid to custodians who did not accept")
        opened = seller.open_custody(
            version,
            offer=offer,
            validators=validators,
            acceptance_seconds=windows.acceptance,
        )
        if not opened.receipts:
            info("the key was dealt before; nothing was sent (--custodians names others)")
        epoch = wait_or_deal_again(
            session,
            version,
            opened.epoch,
            is_agreed=deal_again,
            max_keeping=limit,
            first=opened.epoch.custody.epoch,
        )
        _tell(session, version, epoch, as_json)
