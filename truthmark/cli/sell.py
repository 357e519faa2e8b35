# SPDX-License-Identifier: Apache-2.0
"""`truthmark list` and `truthmark renew`: put a data set up for sale, and keep it there."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from truthmark import codec
from truthmark.cli.browse import dataset_json
from truthmark.cli.command import State, command, json_option, resolve_address, yes_option
from truthmark.cli.custody import agree, custody_options, custody_wish
from truthmark.cli.dataset import pack_options, pack_source, require_licence
from truthmark.cli.output import ask_text, echo, echo_json, info, progress_bar
from truthmark.cli.param_types import (
    ACCOUNT,
    AMOUNT,
    BOUNTY,
    DATASET,
    DURATION,
    PERCENT,
    PLACE,
    SOURCE,
    WINDOWS,
)
from truthmark.codec.limits import is_packed
from truthmark.errors import ConfigError
from truthmark.keys.backups import check_place, is_covered, place_for, write_backup
from truthmark.market.assurance import arbiter_text, guarantee_text
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.terms import Assurance, Royalty
from truthmark.market.entries import Epoch, Version
from truthmark.market.flows import listing
from truthmark.market.flows.source import SaleSource
from truthmark.market.records import ZERO_ADDRESS
from truthmark.session import Session
from truthmark.text import format_duration, format_time, plural


@command("list")
@click.argument("source", type=SOURCE)
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
    "--bond",
    type=AMOUNT,
    help="Money that you lose if the key is proved wrong; a reason for buyers to trust you.",
)
@click.option(
    "--guarantee",
    type=PERCENT,
    help='What a buyer who finds it bad may have burned of the price, such as "50%".  [default: '
    "nothing]",
)
@click.option(
    "--arbiter",
    type=ACCOUNT,
    help="Who may end the sale of bad data by their own judgement.  [default: nobody]",
)
@click.option(
    "--gate", type=ACCOUNT, help="Account that must admit each buyer (`truthmark admit`)."
)
@click.option("--payee", type=ACCOUNT, help="Who is paid; you if left out.")
@click.option("--update", type=DATASET, help="List it as the next version of this one.")
@click.option("--bounty", type=BOUNTY, help="The bounty that made it; its labelers get a royalty.")
@click.option("--royalty", type=PERCENT, help='Their part of every sale, such as "5%".')
@click.option("--packed", type=PLACE, help="Where to pack SOURCE.")
@click.option(
    "--backup",
    type=PLACE,
    help="New file, or folder for one, with a backup of the key.",
)
@click.option(
    "--accept-within",
    type=DURATION,
    help="How long custodians may take to accept; at most 7d.  [default: as --windows says]",
)
@pack_options
@yes_option
@json_option
def list_dataset(
    state: State,
    /,
    source: Path,
    price: str,
    windows: str,
    bond: str | None,
    guarantee: int | None,
    arbiter: str | None,
    gate: str | None,
    payee: str | None,
    update: str | None,
    bounty: int | None,
    royalty: int | None,
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
    pays. Opens the parts that chance picks once it is listed, which takes some minutes on most
    chains, and waits until it can be bought. If it is interrupted, run it again: it continues, as
    long as SOURCE has not changed.

    With --bounty and --royalty a part of every sale goes to those who labeled the data, each by
    what their labels earned.
    """
    owed = Royalty(bounty or 0, royalty or 0)
    owed.require_sound()
    guarantee_bps = guarantee or 0
    with state.session(signs=True) as session:
        work = SaleSource(
            session,
            source,
            packed,
            options,
            pack=partial(pack_source, vault=session.vault, options=options, yes=yes),
            say=info,
            bar=progress_bar,
        )
        wish = custody_wish(session, options)
        if not is_packed(source):
            require_licence(options["licence"])
        judge = resolve_address(session, arbiter) if arbiter is not None else ZERO_ADDRESS
        info(guarantee_text(guarantee_bps))
        info(arbiter_text(judge))
        ask = listing.Ask(
            price=price,
            custody=wish,
            max_keeping=max_keeping,
            unattended=yes,
            windows=windows,
            acceptance_seconds=accept_within,
            deals_again=deal_again,
            bond=bond,
            gate=resolve_address(session, gate) if gate is not None else ZERO_ADDRESS,
            payee=resolve_address(session, payee) if payee is not None else None,
            update=update,
            royalty=owed,
            assurance=Assurance(guarantee_bps, judge),
        )
        if owed.bounty:
            from truthmark.flows.royalties import cite_for_sale

            cite_for_sale(session, owed, say=info)
        version, epoch = listing.list_dataset(
            session,
            work,
            ask,
            agree=partial(agree, session, yes=yes),
            secure=partial(_secure, state, session, backup, yes=yes),
            say=info,
            bar=progress_bar,
        )
        _tell(session, version, epoch, as_json)


def _secure(
    state: State,
    session: Session,
    backup: Path | None,
    manifest: "codec.Manifest | None",
    *,
    yes: bool,
) -> None:
    """Make sure that the key is in a backup, as `listing.Secure` says.

    Raises:
        ConfigError: It is not, and nobody says where to put one; before packing, as after it.
    """
    if manifest is not None:
        _insist_on_backup(state, session, manifest, backup, yes=yes)
    elif backup is not None:
        check_place(session.home, backup)
    elif yes:
        raise ConfigError(
            "without a backup of the key you could lose what you sell; add --backup FILE"
        )


def _insist_on_backup(
    state: State, session: Session, manifest: "codec.Manifest", backup: Path | None, *, yes: bool
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


def _tell(session: Session, version: Version, epoch: Epoch, as_json: bool) -> None:
    """Say what is for sale now and what is left to do."""
    if as_json:
        echo_json(dataset_json(session, version))
        return
    show = session.profile.amount
    terms = version.terms
    fee = version.price * terms.fee_bps // 10_000 + version.price * terms.royalty_bps // 10_000
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
    help="How long custodians may take to accept; at most 7d.  [default: 1h, or 10min with "
    "--deal-again]",
)
@yes_option
@json_option
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
    with state.session(signs=True) as session:
        wish = custody_wish(session, options)
        version = Catalogue.of(session).find(dataset)
        epoch = listing.renew(
            session,
            version,
            wish,
            agree=partial(agree, session, yes=yes),
            max_keeping=max_keeping,
            unattended=yes,
            acceptance_seconds=accept_within,
            deals_again=deal_again,
            say=info,
            bar=progress_bar,
        )
        _tell(session, version, epoch, as_json)
