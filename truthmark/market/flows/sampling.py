# SPDX-License-Identifier: Apache-2.0
"""The sample on both sides: a seller opens it, a buyer sees it before anything is paid."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from truthmark import codec
from truthmark.codec.limits import CARD_NAME
from truthmark.codec.sampling import LEAST_DRAWS, SMALL_SEGMENTS, PreviewAsked, preview_asked
from truthmark.errors import NotForSaleError, UnsampledError
from truthmark.market.catalogue import Catalogue
from truthmark.market.fetch import Fetcher, require_of
from truthmark.market.preview import OnGet, OnList, Preview, PreviewState, look
from truthmark.market.preview.beacon import Beacon
from truthmark.market.preview.looking import read_seed
from truthmark.market.preview.sampling import LEAST_COVERED, Sample
from truthmark.market.preview.strata import (
    MAX_FILES_SHARDS,
    Structure,
    files_shards,
    find_strata,
)
from truthmark.market.publishing import Publisher
from truthmark.market.seller_secret import seller_cek
from truthmark.session import Session, is_devnet
from truthmark.text import format_duration, plural
from truthmark.types import Bar, Say, no_bar, quiet

if TYPE_CHECKING:
    from truthmark.market.entries import Version

AgreeUnsampled = Callable[[Preview], bool]
"""Asked before data is taken of which too little was seen; a no ends the flow."""


def nobody(found: Preview) -> bool:
    """Agree to nothing: nobody is there who could."""
    return False


def require_seen(
    session: Session,
    version: "Version",
    *,
    blind: bool = False,
    agree: AgreeUnsampled = nobody,
    waits: bool = False,
    say: Say = quiet,
    bar: Bar = no_bar,
) -> Preview:
    """Look at a version's sample, and refuse what the table of states says not to buy.

    Args:
        session: Who looks.
        version: At what.
        blind: It was said that it may be data of which too little was seen.
        agree: Else asked that.
        waits: Wait for a seller who has not opened the sample yet.
        say: Told what was found.
        bar: Shows how long it takes until chance has picked.

    Returns:
        What was found.

    Raises:
        UnsampledError: Too little of it was seen, and nobody agreed to that.
        NotForSaleError: Something of it is bad, cannot be had, or is not opened yet.
    """
    is_told = False
    while True:
        found = look(session, version)
        rule = found.rule
        if rule.on_get is OnGet.WAIT and waits:
            if not is_told:
                say(f"{rule.meaning} Waiting for it; Ctrl-C stops only the waiting")
                is_told = True
            wait_for_chance(session, version, bar=bar)
            time.sleep(session.profile.poll_seconds)
            Catalogue.of(session).sync()
            continue
        break
    for line in found.lines:
        say(line)
    if rule.on_get is OnGet.GO or (rule.on_get is OnGet.ASK and (blind or agree(found))):
        return found
    if rule.on_get is OnGet.ASK:
        seen = f"{version.ref}: {rule.meaning}"
        raise UnsampledError(
            f"{seen} Nothing was bought; add --blind to buy it all the same",
            page=f"{seen} Nothing was bought; say that you buy it all the same",
        )
    raise NotForSaleError(f"{version.ref} is not bought: {rule.meaning} {found.why}")


def open_sample(
    session: Session,
    version: "Version",
    folder: Path | None = None,
    *,
    waits: bool = True,
    say: Say = quiet,
    bar: Bar = no_bar,
) -> Preview:
    """Open what chance picks of a version that the account sells, and look at it as buyers will.

    Repeated after a kill it goes on where it was. Where no sample was asked for nothing is opened.

    Args:
        session: The seller's.
        version: What is sold.
        folder: With all of it, packed; fetched if not given.
        waits: Wait until chance has picked; else nothing is opened before.
        say: Told what happens.
        bar: Shows how long it takes until chance has picked.

    Returns:
        What any buyer's computer finds now.

    Raises:
        NotForSaleError: What was opened is not what was committed to: nobody will buy this.
        MarketError: The folder has other data.
        TruthmarkError: As `Publisher.publish`.
    """
    found = look(session, version)
    if found.state is PreviewState.WAITING:
        if waits:
            wait_for_chance(session, version, say=say, bar=bar)
        elif read_seed(session, version).seed is None:
            _wake(session)
            return found
        if folder is None:
            folder = Fetcher(session).fetch(version)
        require_of(version, codec.read_manifest(folder), folder)
        cek = seller_cek(session.vault, version.terms.public_key)
        with codec.open_container(folder, cek=cek) as container:
            wanted = Publisher(session).publish(version, container)
        if wanted.keys:
            say(f"chance picked {plural(wanted.shards, 'part')}; they are open for everybody now")
        found = look(session, version)
    if found.rule.on_list is OnList.STOP:
        raise NotForSaleError(
            f"{version.ref}: {found.rule.meaning} {found.why}; nobody will buy it"
        )
    if found.state is not PreviewState.WAITING:
        for line in found.lines:
            say(line)
    return found


def asks_for_sample(folder: Path) -> bool:
    """Whether the card of a packed folder asks for a sample.

    Raises:
        CodecError: It cannot be understood.
    """
    return _asked(folder) is not None


def will_be_shown(session: Session, folder: Path) -> bool:
    """Whether a packed folder is sampled well enough for every custodian, if its seller opens it.

    Raises:
        CodecError: The folder is not what `pack` made.
        KeysError: The vault does not have its secret.
    """
    asked = _asked(folder)
    if asked is None or asked.draws < LEAST_DRAWS:
        return False
    manifest = codec.read_manifest(folder)
    cek = seller_cek(session.vault, manifest.public_key)
    with codec.open_container(folder, cek=cek) as container:
        entries = [file.entry for file in container.files]
        structure = Structure(container.index, entries, manifest.shard_size)
        is_read = len(files_shards(container.index)) <= MAX_FILES_SHARDS
    # What older versions have shown counts as seen, so all of it is what there is to see.
    strata = find_strata(structure, asked.draws)
    sample = Sample(asked, seed=b"", structure=structure, strata=strata)
    is_enough = structure.units >= SMALL_SEGMENTS and sample.unsampled <= 1 - LEAST_COVERED
    return is_read and is_enough


def _asked(folder: Path) -> PreviewAsked | None:
    return preview_asked(codec.read_card((folder / CARD_NAME).read_bytes()))


def wait_for_chance(
    session: Session, version: "Version", *, say: Say = quiet, bar: Bar = no_bar
) -> Beacon:
    """Wait until the block whose word picks the sample is final; on most chains some minutes.

    Raises:
        ChainError: The chain cannot be read, or two endpoints disagree.
    """
    beacon = read_seed(session, version)
    if beacon.seed is not None:
        return beacon
    total = beacon.blocks_left
    about = format_duration(max(1, int(total * session.profile.block_time)))
    say(
        f"chance picks the parts to open by block {beacon.block}: {plural(total, 'block')} to go, "
        f"about {about}; Ctrl-C stops only the waiting, and the same command goes on"
    )
    with bar("until chance has picked", "blocks") as progress:
        while beacon.seed is None:
            if progress is not None:
                progress(total - beacon.blocks_left, total)
            _let_pass(session)
            Catalogue.of(session).sync()
            beacon = read_seed(session, version)
    return beacon


def _let_pass(session: Session) -> None:
    """Wait a moment; a chain of development on which nothing happens gets a block."""
    before = session.chain.block().number
    time.sleep(session.profile.poll_seconds)
    if session.chain.block().number == before:
        _wake(session)


def _wake(session: Session) -> None:
    """Let a chain of development go on, on which nothing may happen by itself."""
    if is_devnet(session.settings):
        session.chain.rpc.call("evm_mine")
