# SPDX-License-Identifier: Apache-2.0
"""`truthmark list` and `truthmark renew`: put a data set up for sale, and keep it there."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from truthmark.cli.backups import is_covered, write_backup
from truthmark.cli.base import (
    State,
    command,
    find_version,
    json_option,
    resolve_address,
    yes_option,
)
from truthmark.cli.browse import dataset_json
from truthmark.cli.dataset import is_packed, pack_options, pack_source
from truthmark.cli.output import ask, ask_text, bar, duration, moment, out, out_json, plural, say
from truthmark.cli.types import DURATION
from truthmark.errors import ConfigError, MarketError, PriceError

if TYPE_CHECKING:
    from truthmark.codec import Manifest
    from truthmark.market.catalogue import Epoch, Version
    from truthmark.market.selling import CustodyOffer
    from truthmark.market.session import Session

_F = TypeVar("_F", bound=Callable[..., Any])


def custody_options(function: _F) -> _F:
    """Add the options that say who keeps the key; they arrive as `choose_custody` takes them."""
    for option in reversed(
        (
            click.option(
                "--custodians",
                default="auto",
                show_default=True,
                metavar="auto|direct|ADDRESS,…",
                help="Who keeps the key: those whose offers fit best, you yourself, or these.",
            ),
            click.option(
                "--count",
                type=click.IntRange(1, 16),
                default=4,
                show_default=True,
                help="With auto: how many custodians.",
            ),
            click.option(
                "--threshold",
                type=click.IntRange(1, 8),
                default=2,
                show_default=True,
                help="How many of them it takes to deliver.",
            ),
            click.option("--fee", help="For each delivery to a buyer, at the least."),
            click.option("--keeping-fee", help="For each custodian and term, at the least."),
            click.option(
                "--max-keeping",
                metavar="AMOUNT",
                help="The most to pay all custodians at once for keeping the key; with --yes "
                "nothing if left out.",
            ),
            click.option("--lock", help="Stake that each risks.  [default: 100 TMK]"),
            click.option("--penalty", help="What silence costs.  [default: a tenth of the lock]"),
            click.option(
                "--term",
                "term_seconds",
                type=DURATION,
                default="90d",
                show_default=True,
                help="How long they stay.",
            ),
            click.option(
                "--terms",
                type=click.IntRange(1, 1_000),
                default=4,
                show_default=True,
                help="How often they may, at most.",
            ),
        )
    ):
        function = option(function)
    return function


@command("list")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--price", required=True, help='Such as "25 TUSD".')
@custody_options
@click.option(
    "--windows",
    default="careful",
    show_default=True,
    help="Time for delivery and for checking: demo, small or careful.",
)
@click.option("--bond", help="What you lose if the key turns out wrong; trust for buyers.")
@click.option("--gate", help="Account that must admit each buyer (`truthmark admit`).")
@click.option("--payee", help="Who is paid; you if left out.")
@click.option("--update", metavar="DATASET", help="List it as the next version of this one.")
@click.option("--packed", type=click.Path(path_type=Path), help="Where to pack SOURCE.")
@click.option(
    "--backup",
    type=click.Path(path_type=Path),
    help="New file, or folder for one, with a backup of the key.",
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
    max_keeping: str | None,
    yes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Put data up for sale.

    SOURCE is a file or folder of data, which is packed first, or a folder that was packed.

    Custodians keep parts of the key, so that you can go offline; with --custodians direct you keep
    it and deliver by `truthmark deliver --watch`. Shows what keeping costs, and asks before it
    pays. Waits until it can be bought. If it is interrupted, list the packed folder to go on.
    """
    from truthmark.codec import read_manifest
    from truthmark.market.records import ZERO_ADDRESS
    from truthmark.market.seller import Seller
    from truthmark.market.surface import folder_size, read_amount

    with state.session() as session:
        profile = session.profile
        token, amount = profile.parse_amount(price)
        if windows not in profile.windows:
            raise ConfigError(
                f"there are no windows {windows!r} on {profile.name}; choose one of "
                f"{', '.join(profile.windows)}"
            )
        secured = read_amount(session, bond, token.address)
        limit = _keeping_limit(session, max_keeping, token.address, yes=yes)
        gatekeeper = resolve_address(session, gate) if gate is not None else ZERO_ADDRESS
        paid = resolve_address(session, payee) if payee is not None else None
        session.catalogue.sync()
        previous = (
            session.catalogue.siblings(find_version(session, update))[0]
            if update is not None
            else None
        )
        custody = _custody_arguments(session, options)
        folder = source
        if not is_packed(source):
            folder = _pack(state, session, source, packed, previous, options, yes=yes)
        manifest = read_manifest(folder)
        _insist_on_backup(state, session, manifest, backup, yes=yes)
        from truthmark.market.surface import choose_custody

        validators, offer = choose_custody(
            session, token, profile.windows[windows], folder_size(folder), **custody
        )
        # What an earlier run sent comes first: where it was listed, nothing is paid any more.
        session.journal.resume()
        session.catalogue.sync()
        if not session.catalogue.with_key(manifest.public_key) and not _agree(
            session, token.address, len(validators), offer, limit, bond=secured, yes=yes
        ):
            raise MarketError("nothing was listed")
        with bar("storing") as progress:
            listed = Seller(session).list_dataset(
                folder,
                price=amount,
                token=token,
                windows=profile.windows[windows],
                offer=offer,
                validators=validators,
                bond=secured,
                gate=gatekeeper,
                payee=paid,
                previous=previous,
                progress=progress,
            )
        version = session.catalogue.version(f"0x{listed.terms.terms_id.hex()}")
        if not listed.receipts:
            say("it was listed before; nothing was sent")
        _wait_until_live(session, listed.epoch)
        _tell(session, version, listed.epoch, as_json)


def _custody_arguments(session: "Session", options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of `custody_options` out, as `choose_custody` takes them."""
    text = options.pop("custodians").strip()
    count = options.pop("count")
    names = ("threshold", "fee", "keeping_fee", "lock", "penalty", "term_seconds", "terms")
    arguments = {name: options.pop(name) for name in names}
    custodians: int | Sequence[str]
    if text == "auto":
        custodians = count
    elif text == "direct":
        custodians = 0
    else:
        custodians = [resolve_address(session, part.strip()) for part in text.split(",")]
        if len(set(custodians)) < len(custodians):
            raise ConfigError("a custodian is named twice; name each once")
    many = custodians if isinstance(custodians, int) else len(custodians)
    threshold = arguments["threshold"]
    if many and 2 * threshold - 1 > many:
        raise ConfigError(
            f"{threshold} of {many} custodians will not do: a threshold of {threshold} needs at "
            f"least {2 * threshold - 1}; lower --threshold"
        )
    return {"custodians": custodians, **arguments}


def _keeping_limit(
    session: "Session", max_keeping: str | None, token: str, *, yes: bool
) -> int | None:
    """Return the most that custodians may be paid at once, if it was said; with `yes` nothing.

    Raises:
        PriceError: It is in another token.
    """
    from truthmark.market.surface import read_amount

    return read_amount(session, max_keeping, token) if yes or max_keeping is not None else None


def _agree(
    session: "Session",
    token: str,
    count: int,
    offer: "CustodyOffer",
    limit: int | None,
    *,
    bond: int = 0,
    yes: bool,
) -> bool:
    """Show what is paid now, and what custodians cost each buyer, and ask.

    Raises:
        PriceError: Keeping costs more than the limit.
    """
    if not count and not bond:
        return True
    show = partial(session.profile.format_amount, token_address=token)
    keeping = count * offer.keeping_fee
    if limit is not None and keeping > limit:
        raise PriceError(
            f"keeping costs {show(keeping)} at once with {plural(count, 'custodian')}; allow it "
            f'with --max-keeping "{show(keeping)}", or choose others'
        )
    if count:
        say(
            f"{plural(count, 'custodian')} for {duration(offer.term_seconds)}: you pay "
            f"{show(keeping)} at once for keeping the key"
        )
        say(f"each buyer pays {show(offer.fee)} more for each of {offer.threshold} of them")
    if bond:
        say(f"you put up a bond of {show(bond)}, which is lost if the key turns out wrong")
    paid = f"pay {show(keeping + bond)} now and " if keeping + bond else ""
    return ask(f"{paid}go on?", yes=yes)


def _pack(
    state: State,
    session: "Session",
    source: Path,
    packed: Path | None,
    previous: "Version | None",
    options: dict[str, Any],
    *,
    yes: bool,
) -> Path:
    """Pack a source into a folder of its own, and return that."""
    from truthmark.market.buyer import Buyer

    name = source.resolve().stem or "dataset"
    if previous is not None:
        name += f"-v{previous.number + 1}"
    folder = packed or session.home / "packed" / name
    if is_packed(folder):
        raise ConfigError(
            f"{folder} is packed already; go on with `truthmark list {folder} …`, or give another "
            "place with --packed"
        )
    older = None
    if previous is not None:
        with bar("fetching the version before") as progress:
            older = Buyer(session).fetch(previous, progress)
    made = pack_source(source, folder, session.vault, options, yes=yes, previous=older)
    say(f"packed into {made.folder}")
    return made.folder


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
        say("without a backup of the key you could lose what you sell")
        backup = Path(ask_text("new file for the backup", "--backup FILE") or "backup.tmkb")
    if backup.is_dir():
        backup = backup / f"truthmark-{name[:16]}.tmkb"
        if backup.exists() and is_covered(session.home, "seller-secret", name):
            return
    count = write_backup(state, session.home, backup)
    say(f"{plural(count, 'secret')} saved in {backup}; keep it off this machine")


def _wait_until_live(session: "Session", epoch: "Epoch") -> None:
    """Wait until all custodians have accepted; in direct mode that is at once."""
    from truthmark.market.seller import Seller

    seller = Seller(session)
    if seller.is_live(epoch):
        return
    say(f"waiting for {epoch.custody.count} custodians to accept")
    pause = min(max(session.profile.block_time / 2, 0.2), 5.0)
    with bar("accepted", "custodians") as progress:
        while not seller.is_live(epoch):
            if progress is not None:
                accepted = session.catalogue.states([epoch])[0].accepted.bit_count()
                progress(accepted, epoch.custody.count)
            time.sleep(pause)


def _tell(session: "Session", version: "Version", epoch: "Epoch", as_json: bool) -> None:
    """Say what is for sale now and what is left to do."""
    if as_json:
        out_json(dataset_json(session, version))
        return
    show = session.profile.format_amount
    terms = version.terms
    fee = version.price * terms.fee_bps // 10_000
    out(version.ref)
    say(
        f"for sale as {version.ref} at {show(version.price, terms.token)}; each sale pays you "
        f"{show(version.price - fee, terms.token)}"
    )
    if epoch.custody.lock == 0:
        say(
            "keep `truthmark deliver --watch` running: what is not delivered within "
            f"{duration(terms.delivery_seconds)} is refunded"
        )
    else:
        say(
            f"{epoch.custody.threshold} of {epoch.custody.count} custodians deliver it until "
            f"{moment(epoch.custody.end)}; you can go offline"
        )


@command()
@click.argument("dataset")
@custody_options
@click.option(
    "--accept-within",
    type=DURATION,
    default="1h",
    show_default=True,
    help="How long custodians have to accept; at most 7d.",
)
@yes_option
@json_option
@click.pass_obj
def renew(
    state: State,
    /,
    dataset: str,
    accept_within: int,
    max_keeping: str | None,
    yes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Give the key of DATASET to custodians anew.

    For a listing whose custodians failed, left, or stay no longer. Those who have it now go on
    until their time ends. Asks before it pays. If it is interrupted while custodians accept, run
    it again: it goes on waiting, and nothing is paid twice.
    """
    from truthmark.config import Windows
    from truthmark.market.buyer import Buyer
    from truthmark.market.seller import Seller, is_dealt
    from truthmark.market.surface import choose_custody

    with state.session() as session:
        version = find_version(session, dataset)
        custody = _custody_arguments(session, options)
        limit = _keeping_limit(session, max_keeping, version.terms.token, yes=yes)
        # `choose_custody` takes a token to know its address and symbol, which a seller's has.
        token = session.profile.token(version.terms.token)
        windows = Windows(
            version.terms.delivery_seconds, version.terms.inspection_seconds, accept_within
        )
        size = Buyer(session).manifest(version.terms.manifest).size
        seller = Seller(session)
        fresh = seller.fresh_custody(version)
        validators, offer = choose_custody(session, token, windows, size, **custody, fresh=fresh)
        if not (fresh and is_dealt(fresh, validators, offer)) and not _agree(
            session, token.address, len(validators), offer, limit, yes=yes
        ):
            raise MarketError("nothing was changed")
        opened = seller.open_custody(
            version, offer=offer, validators=validators, acceptance_seconds=accept_within
        )
        if not opened.receipts:
            say("the key was dealt before; nothing was sent (--custodians names others)")
        _wait_until_live(session, opened.epoch)
        _tell(session, version, opened.epoch, as_json)
