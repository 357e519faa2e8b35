# SPDX-License-Identifier: Apache-2.0
"""What lies on this machine's disk for data sets, why, and what nothing needs any more.

Needed is what a listing of one's own, a custody whose stakes are not all free again, or a purchase
that is not settled yet may still ask for; and whatever was touched within a day, because a command
may be at work on it. What was bought and checked is freed only where that is said: it may be the
last copy.
"""

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from truthmark.cid import CID, raw_cid
from truthmark.codec.sampling import preview_asked
from truthmark.errors import CodecError, ConfigError, StorageError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import EpochState, Version
from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus, bits
from truthmark.session import Session
from truthmark.storage import LocalStore, MultiStore

if TYPE_CHECKING:
    from truthmark.codec import Manifest

RESTING_SECONDS = 86_400
"""What was touched since may be in use."""

CACHE_SECONDS = 3_600
"""Blocks of no pinned file that are younger may be parts of one that is being stored."""

_UNFINISHED = (PurchaseStatus.PAID, PurchaseStatus.DELIVERED)
_GONE = ".gone-"
_NAMED = 5
"""Versions that are named in one line."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Something on the disk.

    Attributes:
        kind: "listing", "custody", "bought", "fetched", "packed", "pinned", "leftover" or "cache".
        name: Of the version, such as `17@2`, or of the folder.
        size: Bytes on the disk that would be free without it, nearly: files may have other names.
        why: Why it is there, in a few words.
        is_needed: Whether it must stay.
        paths: Folders and files of its own.
        roots: Files in the store.
    """

    kind: str
    name: str
    size: int
    why: str
    is_needed: bool
    paths: tuple[Path, ...] = field(default=(), repr=False)
    roots: tuple[CID, ...] = field(default=(), repr=False)

    def is_freed(self, *, bought: bool) -> bool:
        """Whether `free` takes it away; with `bought` also what was bought and checked."""
        return not self.is_needed and (bought or self.kind != "bought")


def find_stored(session: Session) -> list[Stored]:
    """Return what lies in home folder and local store, the largest first.

    Raises:
        ChainError: The chain cannot be read, and without it nothing is known to be needless.
    """
    return _Finder(session).look()


def free(session: Session, stored: Sequence[Stored]) -> int:
    """Take things away that `find_stored` found needless; return the bytes that are free now.

    Looks once more before it does: what is needed by now stays, and so do files that another data
    set shares. May be killed at any point: what is half gone is found as a leftover.

    Args:
        session: Whose home and store.
        stored: What `find_stored` returned.

    Raises:
        ConfigError: One of them is needed.
        StorageError: Somebody is writing to the store, or a file cannot be removed.
    """
    if any(entry.is_needed for entry in stored):
        raise ConfigError("something of this is needed; list it again")
    home, store = session.home, local_store(session)
    finder = _Finder(session)
    wanted = {(entry.kind, entry.name) for entry in stored}
    chosen = [e for e in finder.look() if (e.kind, e.name) in wanted and not e.is_needed]
    going = {entry.name for entry in chosen}
    shared = {root for root, refs in finder.users.items() if refs - going}
    freed = 0
    for entry in chosen:
        for path in entry.paths:
            gone = home / f"{_GONE}{secrets.token_hex(8)}"
            freed += _size([path])
            with contextlib.suppress(FileNotFoundError):
                path.rename(gone)
            if gone.is_dir():
                shutil.rmtree(gone, ignore_errors=True)
            else:
                gone.unlink(missing_ok=True)
        roots = [root for root in entry.roots if root not in shared]
        if roots and store is not None:
            for root in roots:
                store.unpin(root)
            freed += store.free(roots)
    if store is not None and any(entry.kind == "cache" for entry in chosen):
        freed += store.gc(older_than=CACHE_SECONDS)
    return freed


def local_store(session: Session) -> LocalStore | None:
    """Return the local store that this home writes to, if it has one."""
    storage = session.storage
    stores = storage.stores if isinstance(storage, MultiStore) else [storage]
    return next((store for store in stores if isinstance(store, LocalStore)), None)


class _Finder:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._store = local_store(session)
        self._pins = set(self._store.pins()) if self._store is not None else set()
        self._home = session.home
        self._accounts = {str(a.address).lower() for a in session.wallet.accounts()}
        with contextlib.suppress(ConfigError):
            self._accounts.add(str(session.address).lower())
        self._kept = {p.name for p in (self._home / "node" / "kept").glob("[0-9a-f]*")}
        Catalogue.of(session).sync()
        self._all = {v.terms_id: v for v in Catalogue.of(session).versions()}
        # Of each file in the store, the versions that have it, no matter who sells them.
        self.users: dict[CID, set[str]] = {}
        # By terms, each found once: a version is named by many newer ones, and these by others.
        self._judged: dict[bytes, tuple[str, str, bool]] = {}
        self._named: dict[bytes, tuple[CID, ...]] = {}

    def look(self) -> list[Stored]:
        """Return all that is there, the largest first."""
        found = [*self.versions(), *self.packed(), *self.leftovers()]
        return sorted(found, key=lambda stored: (-stored.size, stored.kind, stored.name))

    # ---------------------------------------------------------------- versions

    def versions(self) -> Iterable[Stored]:
        """Yield what is there of versions, and the rest of the store."""
        seen: set[CID] = set()
        # The newest first: whether an older one is needed may depend on these.
        for version in sorted(self._all.values(), key=lambda it: it.number, reverse=True):
            entry = self._version(version)
            if entry is not None:
                seen.update(entry.roots)
                yield entry
        if self._store is None:
            return
        yield from self._pinned(self._store, self._pins - seen)
        if size := self._store.loose_bytes(older_than=CACHE_SECONDS):
            why = "blocks that were read, of nothing that is kept"
            yield Stored("cache", "store", size, why, False)

    def _pinned(self, store: LocalStore, pins: set[CID]) -> Iterable[Stored]:
        """Yield what others who share the store pinned: of versions, and of nothing that is listed.

        Each in one line: their blocks by name would say nothing to anyone.
        """
        of_versions = {pin for pin in pins if pin in self.users}
        for pinned in (of_versions, pins - of_versions):
            if not pinned:
                continue
            refs = sorted(
                {ref for pin in pinned for ref in self.users.get(pin, ())}, key=_by_number
            )
            why = "pinned, and of nothing that is listed here"
            if refs:
                more = f" and {len(refs) - _NAMED} more" if len(refs) > _NAMED else ""
                why = f"pinned by others who share the store: {', '.join(refs[:_NAMED])}{more}"
            size = _size(path for pin in pinned for path in store.paths(pin))
            name = f"{len(pinned)} {'file' if len(pinned) == 1 else 'files'} in the store"
            yield Stored("pinned", name, size, why, True)

    def _version(self, version: Version) -> Stored | None:
        folder = self._home / "datasets" / version.terms_id.hex()
        manifest = self._manifest(version, folder)
        roots = self._roots(version, manifest)
        for root in roots:
            self.users.setdefault(root, set()).add(version.ref)
        if not folder.is_dir() and not roots:
            return None
        kind, why, is_needed = self._judge(version)
        if kind in ("bought", "fetched"):
            # Buyers pin nothing: what is pinned is kept by somebody who shares the store.
            roots = tuple(root for root in roots if root not in self._pins)
            if not folder.is_dir() and not roots:
                return None
        paths = (folder,) if folder.is_dir() else ()
        places = [path for root in roots for path in self._paths(root)]
        if not is_needed and _is_fresh([*paths, *places]):
            why, is_needed = f"{why}; touched within a day", True
        return Stored(kind, version.ref, _size([*paths, *places]), why, is_needed, paths, roots)

    def _judge(self, version: Version) -> tuple[str, str, bool]:
        """Return kind, reason, and whether it is needed."""
        if version.terms_id not in self._judged:
            self._judged[version.terms_id] = self._judge_once(version)
        return self._judged[version.terms_id]

    def _judge_once(self, version: Version) -> tuple[str, str, bool]:
        catalogue = Catalogue.of(self._session)
        purchases = catalogue.purchases(terms_id=version.terms_id)
        epochs = catalogue.epochs(version.terms_id)
        states = catalogue.states(epochs)
        status, _ = catalogue.status(version)
        is_mine = version.terms.seller.lower() in self._accounts
        in_custody = version.terms_id.hex() in self._kept or any(
            custodian.lower() in self._accounts and not epoch.custody.is_direct
            for epoch in epochs
            for custodian in epoch.custodians
        )
        bought = [p for p in purchases if p.receipt.buyer.lower() in self._accounts]
        is_open = any(p.status in _UNFINISHED for p in purchases)
        is_running = status in (VersionStatus.OPEN, VersionStatus.PAUSED)
        obligations = status is not VersionStatus.REVOKED and any(map(_is_unreleased, states))
        if is_mine and (is_running or obligations or is_open):
            return "listing", "you sell it" if is_running else "sales or custodies run on", True
        if in_custody and (obligations or is_open):
            until = max((state.end for state in states), default=0)
            return "custody", f"keeping it was promised, at least until {until}", True
        if any(p.status in _UNFINISHED for p in bought):
            return "bought", "the purchase is not settled yet", True
        if (is_mine or in_custody) and self._is_taken_over(version):
            why = "a newer version takes over from it, so its sample must stay"
            return "listing" if is_mine else "custody", why, True
        if any(p.status.has_key for p in bought):
            return "bought", "bought, and the time to dispute is over", False
        if is_mine:
            return "listing", "you sell it no more, and no custody needs it", False
        if in_custody:
            return "custody", "the obligation to keep it is over", False
        return "fetched", "fetched, and not bought", False

    def _is_taken_over(self, version: Version) -> bool:
        """Whether a newer version that stays names it as one that its sample builds on.

        Without it nobody can see any more what that version need not show again.
        """
        cid = raw_cid(version.terms.manifest)
        return any(
            cid in self._older_named_by(newer) and self._judge(newer)[2]
            for newer in self._all.values()
            if newer.listing_id == version.listing_id and newer.number > version.number
        )

    def _older_named_by(self, version: Version) -> tuple[CID, ...]:
        if version.terms_id not in self._named:
            self._named[version.terms_id] = self._read_older_named_by(version)
        return self._named[version.terms_id]

    def _read_older_named_by(self, version: Version) -> tuple[CID, ...]:
        from truthmark.codec import read_card

        manifest = self._manifest(version, self._home / "datasets" / version.terms_id.hex())
        if manifest is None or self._store is None:
            return ()
        with contextlib.suppress(CodecError, StorageError):
            card = read_card(self._store.read_range(manifest.card, 0, manifest.card_size))
            asked = preview_asked(card)
            return () if asked is None else asked.previous
        return ()

    def _manifest(self, version: Version, folder: Path) -> "Manifest | None":
        from truthmark.codec import Manifest, read_manifest

        with contextlib.suppress(CodecError, OSError):
            return read_manifest(folder)
        if self._store is not None:
            cid = raw_cid(version.terms.manifest)
            with contextlib.suppress(CodecError, StorageError):
                return Manifest.from_bytes(self._store.read_block(cid))
        return None

    def _roots(self, version: Version, manifest: "Manifest | None") -> tuple[CID, ...]:
        if self._store is None or manifest is None or manifest.digest != version.terms.manifest:
            return ()
        parts = [manifest.container, manifest.index, manifest.card, manifest.cid]
        parts += [
            raw_cid(epoch.custody.sealed_shares)
            for epoch in Catalogue.of(self._session).epochs(version.terms_id)
            if not epoch.custody.is_direct
        ]
        return tuple(cid for cid in parts if cid in self._pins or self._paths(cid))

    def _paths(self, root: CID) -> list[Path]:
        return [] if self._store is None else self._store.paths(root)

    # ----------------------------------------------------------------- folders

    def packed(self) -> Iterable[Stored]:
        """Yield the folders that `list` packed into."""
        from truthmark.codec import read_manifest

        listed = {v.terms.manifest: v for v in self._all.values()}
        for folder in _entries(self._home / "packed"):
            if folder.name.startswith("."):
                continue
            try:
                version = listed.get(read_manifest(folder).digest)
            except (CodecError, OSError):
                yield Stored("packed", str(folder), _size([folder]), "not known to be packed", True)
                continue
            if version is None:
                why, is_needed = "packed, not listed yet", True
            else:
                # Without it `list` would not know that it listed this source before.
                kind, _, is_needed = self._judge(version)
                is_needed = is_needed or kind != "listing"
                why = f"packed and listed as {version.ref}"
            yield Stored("packed", str(folder), _size([folder]), why, is_needed, (folder,))

    def leftovers(self) -> Iterable[Stored]:
        """Yield what a command that was killed left behind."""
        for folder in (self._home, self._home / "packed", self._home / "datasets"):
            for path in _entries(folder):
                is_gone = path.name.startswith(_GONE)
                if not is_gone and not path.name.startswith((".upload-", ".tmp-")):
                    continue
                is_fresh = not is_gone and _is_fresh([path])
                why = "left by a command that was ended" + (", or in use" if is_fresh else "")
                yield Stored("leftover", str(path), _size([path]), why, is_fresh, (path,))


def _is_unreleased(state: EpochState) -> bool:
    """Whether a custody may still be accepted, or some custodian's stake stands for it."""
    if state.status is CustodyStatus.OPENED:
        return True
    if state.status not in (CustodyStatus.LIVE, CustodyStatus.CLOSED):
        return False
    return bool(set(bits(state.accepted)) - set(bits(state.released)))


def _by_number(ref: str) -> tuple[int, ...]:
    return tuple(int(part) for part in ref.split("@"))


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            yield from (entry for entry in path.rglob("*") if entry.is_file())
        elif path.is_file():
            yield path


def _size(paths: Iterable[Path]) -> int:
    """Return bytes on the disk; a file with several names among them counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path in _files(paths):
        with contextlib.suppress(FileNotFoundError):
            state = path.stat()
            seen[state.st_dev, state.st_ino] = state.st_blocks * 512
    return sum(seen.values())


def _is_fresh(paths: Iterable[Path]) -> bool:
    limit = time.time() - RESTING_SECONDS
    for path in _files(paths):
        with contextlib.suppress(FileNotFoundError):
            if max(path.stat().st_mtime, path.stat().st_ctime) > limit:
                return True
    return False
