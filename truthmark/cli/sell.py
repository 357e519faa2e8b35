# SPDX-License-Identifier: Apache-2.0
"""`truthmark list` and `truthmark renew`: put a data set up for sale, and keep it there."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from truthmark.cli.backups import check_place, is_covered, place_for, write_backup
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
    yes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Put data up for sale.

    SOURCE is a file or folder of data, which is packed first, or a folder that was packed.

    Custodians keep parts of the key, so that you can go offline; with --custodians direct you keep
    it and deliver by `truthmark deliver --watch`. Shows what keeping costs, and asks before it
    pays. Waits until it can be bought. If it is interrupted, the same command goes on, as long as
    SOURCE is what it was.
    """
    from truthmark.codec import read_manifest
    from truthmark.market.records import ZERO_ADDRESS
    from truthmark.market.seller import Seller
    from truthmark.market.surface import choose_custody, folder_size, read_amount

    with state.session() as session:
        profile = session.profile
        token, amount = profile.parse_amount(price)
        if windows not in profile.windows:
            raise ConfigError(
                f"there are no windows {windows!r} on {profile.name}; choose one of "
                f"{', '.join(profile.windows)}"
            )
        times = profile.windows[windows]
        if accept_within is not None:
            times = replace(times, acceptance=accept_within)
        secured = read_amount(session, bond, token.address)
        limit = _keeping_limit(session, max_keeping, token.address, yes=yes)
        common: dict[str, Any] = {
            "token": token,
            "windows": times,
            "bond": secured,
            "gate": resolve_address(session, gate) if gate is not None else ZERO_ADDRESS,
            "payee": resolve_address(session, payee) if payee is not None else None,
        }
        # What an earlier run sent comes first: where it was listed, nothing is paid any more.
        session.journal.resume()
        session.catalogue.sync()
        siblings = (
            session.catalogue.siblings(find_version(session, update)) if update is not None else []
        )
        custody = _custody_arguments(session, options)
        seller = Seller(session)
        pay = partial(_agree, session, token.address, limit=limit, bond=secured, yes=yes)
        work = _Packing(session, source, packed, options)
        folder = source if is_packed(source) else work.find(siblings)
        if folder is None:
            # What would be refused later is refused before a large source is packed for nothing.
            validators, offer = choose_custody(session, token, times, 0, **custody)
            pay(len(validators), offer, is_asked=False)
            _check_backup(session, backup, yes=yes)
            folder = work.pack(siblings[0] if siblings else None, yes=yes)
        manifest = read_manifest(folder)
        _insist_on_backup(state, session, manifest, backup, yes=yes)
        listed = seller.find_listed(manifest, **common)
        if listed is None:
            validators, offer = choose_custody(
                session, token, times, folder_size(folder), **custody
            )
            if not pay(len(validators), offer):
                raise MarketError("nothing was listed")
            with bar("storing") as progress:
                listed = seller.list_dataset(
                    folder,
                    price=amount,
                    offer=offer,
                    validators=validators,
                    previous=siblings[0] if siblings else None,
                    progress=progress,
                    **common,
                )
        else:
            with bar("storing") as progress:
                seller.publish(folder, progress)
        version = session.catalogue.version(f"0x{listed.terms.terms_id.hex()}")
        if not listed.receipts:
            seller.require_running(version)
            say("it was listed before; nothing was sent")
        _wait_until_live(session, version, listed.epoch)
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
        given = f"{many} {'is' if many == 1 else 'are'} {'chosen' if text == 'auto' else 'named'}"
        raise ConfigError(
            f"a threshold of {threshold} needs at least {2 * threshold - 1} custodians, and "
            f"{given}; take more, or lower it with --threshold {(many + 1) // 2}"
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
    *,
    limit: int | None,
    bond: int = 0,
    yes: bool,
    is_asked: bool = True,
) -> bool:
    """Show what is paid now, and what custodians cost each buyer, and ask.

    Args:
        session: Who pays.
        token: In which is paid.
        count: How many custodians.
        offer: What they get.
        limit: The most to pay them at once, if that was said.
        bond: What the seller puts up.
        yes: Whether it was agreed to before.
        is_asked: Without, only checks that it can be paid.

    Raises:
        PriceError: Keeping costs more than the limit, or all more than the account has.
    """
    from truthmark.market.seller import Seller

    if not count and not bond:
        return True
    show = partial(session.profile.format_amount, token_address=token)
    keeping = count * offer.keeping_fee
    if limit is not None and keeping > limit:
        raise PriceError(
            f"keeping costs {show(keeping)} at once with {plural(count, 'custodian')}; allow it "
            f'with --max-keeping "{show(keeping)}", or choose others'
        )
    parts = [f"a bond of {show(bond)}"] if bond else []
    parts += [f"{show(keeping)} for keeping the key"] if keeping else []
    Seller(session).require_funds(token, keeping + bond, " and ".join(parts))
    if not is_asked:
        return True
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


class _Packing:
    """Packs a source into a folder of its own, or finds what an earlier run packed.

    Args:
        session: Whose home and vault are used.
        source: A file or folder of data.
        packed: Where it is packed, if that was said.
        options: Those of `pack_options`.
    """

    def __init__(
        self, session: "Session", source: Path, packed: Path | None, options: dict[str, Any]
    ) -> None:
        self._session = session
        self._source = source
        self._packed = packed
        self._options = options

    def find(self, siblings: "Sequence[Version]") -> Path | None:
        """Return the folder into which an earlier run of this command packed, if there is one.

        Args:
            siblings: The listing's versions if this is an update of it, the newest first.

        Raises:
            ConfigError: The folder is there, but made of something else.
        """
        from truthmark.codec import read_manifest

        if len(siblings) > 1:
            # An update that was listed, and interrupted only then, is the newest version by now.
            listed = self._folder(siblings[1])
            if self._is_made_here(listed, siblings[1]):
                key = read_manifest(listed).public_key
                if key == siblings[0].terms.public_key:
                    return self._going_on(listed)
        previous = siblings[0] if siblings else None
        folder = self._folder(previous)
        if not is_packed(folder):
            return None
        if self._is_made_here(folder, previous):
            return self._going_on(folder)
        raise ConfigError(
            f"{folder} is packed already, maybe of other data or with other options; go on with "
            f"`truthmark list {folder} …`, or give another place with --packed"
        )

    def pack(self, previous: "Version | None", *, yes: bool) -> Path:
        """Pack the source, and remember what it was."""
        from truthmark.config import write_atomically
        from truthmark.market.buyer import Buyer

        session, folder = self._session, self._folder(previous)
        older = None
        if previous is not None:
            with bar("fetching the version before") as progress:
                older = Buyer(session).fetch(previous, progress)
        # Before it is read: what changes meanwhile is not what was packed.
        description = self._describe(previous)
        made = pack_source(
            self._source, folder, session.vault, self._options, yes=yes, previous=older
        )
        record = self._record(made.folder)
        record.parent.mkdir(parents=True, exist_ok=True)
        content = {**description, "manifest": str(made.manifest.cid)}
        write_atomically(record, json.dumps(content).encode())
        say(f"packed into {made.folder}")
        return made.folder

    def _folder(self, previous: "Version | None") -> Path:
        if self._packed is not None:
            return self._packed
        name = self._source.resolve().stem or "dataset"
        if previous is not None:
            name += f"-v{previous.number + 1}"
        return self._session.home / "packed" / name

    def _record(self, folder: Path) -> Path:
        name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()
        return self._session.home / "sources" / f"{name[:32]}.json"

    def _is_made_here(self, folder: Path, previous: "Version | None") -> bool:
        """Whether this command packed just this source into a folder, and nothing changed since."""
        from truthmark.codec import read_manifest

        try:
            record = json.loads(self._record(folder).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        if not is_packed(folder) or not isinstance(record, dict):
            return False
        made = record.pop("manifest", None) == str(read_manifest(folder).cid)
        return made and record == self._describe(previous)

    def _describe(self, previous: "Version | None") -> dict[str, Any]:
        """Return what a packed folder is made of, as JSON values; files by size and time."""
        how = {name: value for name, value in self._options.items() if name != "processes"}
        return {
            "source": os.fsencode(self._source.resolve()).hex(),
            "files": _fingerprint(self._source.resolve()),
            "options": hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest(),
            "previous": None if previous is None else "0x" + previous.terms_id.hex(),
        }

    def _going_on(self, folder: Path) -> Path:
        say(f"going on with {folder}, which was packed before")
        return folder


def _fingerprint(source: Path) -> str:
    """Return a digest of the sizes and times of all files of a source, which are not read.

    With their inodes: a file that was put in place of another one may have its size and time.
    """
    found = hashlib.sha256()
    files = [source]
    if source.is_dir():
        files = sorted(Path(top, name) for top, _, names in os.walk(source) for name in names)
    for file in files:
        found.update(os.fsencode(file) + b"\0")
        try:
            known = file.stat()
        except OSError:
            continue  # packing says what is wrong with it
        found.update(f"{known.st_size} {known.st_mtime_ns} {known.st_ino}\0".encode())
    return found.hexdigest()


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
        say("without a backup of the key you could lose what you sell")
        backup = Path(ask_text("new file for the backup", "--backup FILE") or "backup.tmkb")
    if backup.is_dir():
        backup = backup / f"truthmark-{name[:16]}.tmkb"
    place = place_for(session.home, backup, "seller-secret", name)
    if place is None:
        return
    if place != backup:
        say(f"{backup} is a backup without this key and is left alone; the new one is {place}")
    count = write_backup(state, session.home, place)
    say(f"{plural(count, 'secret')} saved in {place}; keep it off this machine")


def _wait_until_live(session: "Session", version: "Version", epoch: "Epoch") -> None:
    """Wait until all custodians have accepted; in direct mode that is at once."""
    from truthmark.market.records import bits
    from truthmark.market.seller import Seller

    seller = Seller(session)
    if seller.is_live(epoch):
        return
    count, until = epoch.custody.count, epoch.custody.accept_until
    say(
        f"waiting for {plural(count, 'custodian')} to accept, which may take until "
        f"{moment(until, session.chain.time())}; Ctrl-C stops only the waiting, and "
        f"`truthmark show {version.ref}` tells how it stands"
    )
    pause = min(max(session.profile.block_time / 2, 0.2), 5.0)
    told = 0
    while not seller.is_live(epoch):
        accepted = bits(session.catalogue.states([epoch])[0].accepted)
        if len(accepted) not in (told, count):
            left = [who for j, who in enumerate(epoch.custodians, 1) if j not in accepted]
            say(f"{len(accepted)} of {count} have accepted; not yet: {', '.join(left)}")
            told = len(accepted)
        time.sleep(pause)
    say(f"{'all ' if count > 1 else ''}{plural(count, 'custodian')} accepted")


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
            session, token.address, len(validators), offer, limit=limit, yes=yes
        ):
            raise MarketError("nothing was changed")
        opened = seller.open_custody(
            version, offer=offer, validators=validators, acceptance_seconds=accept_within
        )
        if not opened.receipts:
            say("the key was dealt before; nothing was sent (--custodians names others)")
        _wait_until_live(session, version, opened.epoch)
        _tell(session, version, opened.epoch, as_json)
