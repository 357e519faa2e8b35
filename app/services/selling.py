# SPDX-License-Identifier: Apache-2.0
"""Packing, backing up, listing, and waiting for custodians."""

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import streamlit as st

from app import views
from app.services.accounts import my_session, my_synced_session
from app.services.browsing import tokens
from app.services.file_names import file_name
from app.services.markdown import plain
from app.services.reading import find_version, shared_reader
from app.services.texts import counts_of, paragraphs_of, said_of, tables_of
from truthmark.codec import CardPolicy, Manifest, Packed
from truthmark.config.units import to_checksum_address
from truthmark.errors import ConfigError, NotForSaleError
from truthmark.flows.royalties import cite_for_sale
from truthmark.keys.backups import is_covered, write_backup
from truthmark.market import redealing
from truthmark.market.catalogue import Catalogue
from truthmark.market.choosing import CustodyWish
from truthmark.market.drafts.terms import NO_ROYALTY, Assurance, Royalty
from truthmark.market.flows import listing, sampling
from truthmark.market.flows.source import SaleSource
from truthmark.market.life import find_signs
from truthmark.market.preview import PreviewState
from truthmark.market.records import ZERO_ADDRESS, bits
from truthmark.market.redealing import MOST_AGAIN, find_lapsed
from truthmark.market.seller import Seller
from truthmark.market.seller_secret import pack_dataset
from truthmark.session import Session
from truthmark.text import clean, format_duration, format_size, format_time
from truthmark.types import Progress, bar_of


def sell_options() -> views.SellOptions:
    """Return what a seller may choose from on this network."""
    session = shared_reader().session
    offering, living = _offering(f"{session.home} {session.profile.name}", session)
    return views.SellOptions(
        tokens=tokens(),
        windows=tuple(
            (
                name,
                f"{name}: the key comes within {format_duration(preset.delivery)}, then "
                f"{format_duration(preset.inspection)} to dispute",
            )
            for name, preset in session.profile.windows.items()
        ),
        custodians=living,
        silent=offering - living,
    )


@st.cache_data(ttl=15, max_entries=8, show_spinner=False)
def _offering(place: str, _session: Session) -> tuple[int, int]:
    """Return how many validators offer custody, and how many of them show life."""
    offers = [offer for offer in Catalogue.of(_session).offers() if offer.is_available]
    signs = find_signs(_session, offers)
    return len(offers), sum(sign.shows_life for sign in signs.values())


@contextlib.contextmanager
def uploaded(name: str, data: bytes) -> Iterator[str]:
    """Give the path of a file with these bytes on this machine, which is gone afterwards."""
    home = my_session().home
    with tempfile.TemporaryDirectory(prefix=".upload-", dir=home) as folder:
        path = Path(folder) / file_name(name, "data")
        path.write_bytes(data)
        yield str(path)


def pack(
    source: str,
    *,
    title: str,
    description: str,
    licence: str,
    examples: int,
    show_columns: bool,
    show_counts: bool,
    preview: bool = True,
    raw: bool = False,
    follow_links: bool = False,
    hidden: bool = False,
    progress: Progress,
) -> views.Packed:
    """Encrypt a file or folder of this machine under a fresh key; nothing becomes public yet.

    Args:
        source: Path of it.
        title: For everybody to see.
        description: For everybody to see.
        licence: An SPDX expression, or `LicenseRef-` and a name.
        examples: First rows of each table for everybody to see.
        show_columns: Whether everybody sees names and types of columns.
        show_counts: Whether everybody sees how many rows and files there are.
        preview: Whether chance draws a sample of it once it is listed, for everybody to see.
        raw: Whether tables are taken as files like all others.
        follow_links: Whether what links in a folder point to is taken.
        hidden: Whether hidden files of a folder are taken.
        progress: Called with bytes done and in all.

    Raises:
        ConfigError: There is no such file, or an option cannot be used.
        CodecError: It cannot be packed.
    """
    session = my_session()
    path = Path(source.strip()).expanduser()
    if not source.strip() or not path.exists():
        raise ConfigError(
            f"there is nothing at {clean(source, 200) or 'no path'}; correct the path"
        )
    folder = session.home / "packed" / f"{path.stem[:40] or 'data'}-{secrets.token_hex(4)}"
    packed = pack_dataset(
        path,
        folder,
        session.vault,
        licence=licence.strip(),
        title=" ".join(title.split()) or path.stem,
        description=description,
        preview=preview,
        raw=raw,
        follow_links=follow_links,
        hidden=hidden,
        card=CardPolicy(schema=show_columns, counts=show_counts, examples=examples),
        progress=progress,
    )
    return _packed(session, packed)


def discard(packed: views.Packed) -> None:
    """Forget what was packed and not listed; its key stays in the vault, where it does no harm."""
    folder = Path(packed.folder)
    if folder.parent == my_session().home / "packed":
        shutil.rmtree(folder, ignore_errors=True)


def _packed(session: Session, packed: Packed) -> views.Packed:
    card, manifest, outlook = packed.card, packed.manifest, packed.outlook
    return views.Packed(
        folder=str(packed.folder),
        title=clean(card["title"], 200),
        description=paragraphs_of(plain(card["description"])),
        licence=clean(card["licence"], 256),
        size=format_size(manifest.size),
        counts=counts_of(card),
        tables=tables_of(card),
        skipped=len(packed.skipped),
        notes=tuple(clean(note, 400) for note in packed.notes),
        sample=tuple(outlook.lines()) if outlook is not None else (),
        needs_backup=not _has_backup(session, manifest),
    )


def _has_backup(session: Session, manifest: Manifest) -> bool:
    return is_covered(session.home, "seller-secret", f"{manifest.public_key.x:064x}")


def back_up(file: str, passphrase: str) -> int:
    """Write all of the account's secrets into a new encrypted file; return how many.

    Raises:
        ConfigError: The file is there already, or there is no passphrase.
        KeysError: It cannot be written.
    """
    if not passphrase or not file.strip():
        raise ConfigError("a backup needs a file and a passphrase; choose both")
    session = my_session()
    target = Path(file.strip()).expanduser().absolute()
    return write_backup(session.home, target, lambda _: passphrase)


def list_packed(
    packed: views.Packed,
    *,
    price: Decimal,
    token: str,
    windows: str,
    custodians: int,
    threshold: int,
    days: int,
    bond: Decimal,
    deals_again: bool,
    guarantee: Decimal = Decimal(0),
    arbiter: str = "",
    royalty: tuple[int, Decimal] = (0, Decimal(0)),
    progress: Progress,
) -> str:
    """Put packed data up for sale and return its name, such as `17@1`.

    Args:
        packed: What `pack` returned.
        price: In units of `token`.
        token: Symbol of the sale token.
        windows: Name of a preset.
        custodians: How many keep the key; 0: the seller.
        threshold: How many of them make the key.
        days: How long they stay.
        bond: What the seller puts up, in units of `token`.
        deals_again: Whether `deal_again` may come, so that custodians have ten minutes only.
        guarantee: Per cent of the price that a buyer may have burned.
        arbiter: Address of who may end the sale of bad data; empty for nobody.
        royalty: The bounty that made it, if one did, and how many per cent of each sale go to
            those who labeled it.
        progress: Called with bytes stored and to be stored.

    Raises:
        TruthmarkError: There are not enough custodians, a contract refuses, there is no backup,
            or the account is locked.
    """
    session = my_session()
    bounty, part = royalty
    owed = Royalty(bounty, int(part * 100)) if bounty and part else NO_ROYALTY
    if owed.bounty:
        cite_for_sale(session, owed)

    def secure(manifest: Manifest | None) -> None:
        if manifest is not None and not _has_backup(session, manifest):
            raise ConfigError(
                "without a backup you could lose what you sell; make the backup first"
            )

    version, _ = listing.list_dataset(
        session,
        SaleSource(session, Path(packed.folder)),
        listing.Ask(
            price=f"{price:f} {token}",
            custody=CustodyWish(
                custodians=custodians, threshold=threshold, period_seconds=days * 86_400
            ),
            unattended=True,
            windows=windows,
            deals_again=deals_again,
            bond=f"{bond:f} {token}" if bond else None,
            royalty=owed,
            assurance=Assurance(
                int(guarantee * 100),
                to_checksum_address(arbiter.strip()) if arbiter.strip() else ZERO_ADDRESS,
            ),
        ),
        agree=lambda costs: True,
        secure=secure,
        bar=bar_of(progress),
        waits=False,
    )
    return version.ref


def open_sample(ref: str) -> str:
    """Open what chance has picked of a listing of the account, if it has picked by now.

    Returns:
        What is still awaited, in words; empty where the sample is open, or none was asked for.

    Raises:
        TruthmarkError: It cannot be opened, or is bad, or the account is locked.
    """
    session = my_synced_session()
    version = find_version(session, ref)
    found = sampling.open_sample(session, version, waits=False)
    return clean(found.why, 300) if found.state is PreviewState.WAITING else ""


def acceptance(ref: str) -> views.Acceptance:
    """Return how far the custodians of a version's newest custody are.

    Raises:
        ChainError: The chain cannot be read.
    """
    session = my_synced_session()
    version = find_version(session, ref)
    epoch = Catalogue.of(session).epochs(version.terms_id)[-1]
    problem, is_live = "", False
    try:
        is_live = Seller(session).is_live(epoch)
    except NotForSaleError as error:
        problem = said_of(error)
    accepted = bits(Catalogue.of(session).states([epoch])[0].accepted)
    lapsed = {e.custody_id for e, _ in find_lapsed(session, version)}
    return views.Acceptance(
        len(accepted),
        epoch.custody.count,
        is_live,
        epoch.custody.is_direct,
        problem,
        missing=tuple(a for j, a in enumerate(epoch.custodians, 1) if j not in accepted),
        until=format_time(epoch.custody.accept_until, Catalogue.of(session).index.tip().timestamp),
        can_deal_again=epoch.custody_id in lapsed and epoch.custody.epoch < MOST_AGAIN,
    )


def deal_again(ref: str) -> None:
    """Deal the key of a version to others than those who did not accept, for no more than before.

    Raises:
        TruthmarkError: There are not enough others, they ask more, or the account is locked.
    """
    session = my_synced_session()
    version = find_version(session, ref)
    redealing.deal_again(session, version, Catalogue.of(session).epochs(version.terms_id)[-1])
