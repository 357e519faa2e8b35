# SPDX-License-Identifier: Apache-2.0
"""A look at a version's sample: what is asked for, drawn, open and right, as this computer sees it.

Nobody is trusted. The word of chance is of a header that two endpoints have and that was hashed
here; which keys are public comes from the index of events, of which two endpoints tell; the rest
follows from hashes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from truthmark.codec.sampling import PreviewAsked
from truthmark.errors import UnableError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.preview import across
from truthmark.market.preview.beacon import Beacon, read_beacon
from truthmark.market.preview.bounds import Bounds
from truthmark.market.preview.exposures import MAX_BYTES, try_exposed
from truthmark.market.preview.figures import Draws, figures_of
from truthmark.market.preview.found import Preview
from truthmark.market.preview.older import Allowance, named_by, unknown_older, unserved
from truthmark.market.preview.opening import MAX_DOWNLOAD, EndError
from truthmark.market.preview.public import Public, published_of, read_heading, read_public
from truthmark.market.preview.remembered import Remembered, Shown
from truthmark.market.preview.sampling import Sample, open_sample, prepare
from truthmark.market.preview.states import PreviewState
from truthmark.market.records import PurchaseStatus
from truthmark.session import Session
from truthmark.text import plural

_DESCRIBED = (PreviewState.SHOWN, PreviewState.SMALL, PreviewState.PARTIAL)


def look(session: Session, version: Version, *, max_download: int = MAX_DOWNLOAD) -> Preview:
    """Look at the sample of a version; costs nothing and needs no wallet.

    Args:
        session: Where to look.
        version: At what.
        max_download: Bytes of the sample, and of the index, that may be fetched.

    Raises:
        ChainError: The chain cannot be read, or endpoints disagree.
        NotForSaleError: It is not listed any more.
        ConfigError: The home cannot be used.
        UnableError: This computer lacks something that it takes; of the version that says nothing,
            and nothing is remembered.
    """
    catalogue, remembered = Catalogue.of(session), Remembered.of(session)
    catalogue.sync_agreed()
    seen = published_of(session, version)
    try:
        found = _Look(session, version, max_download).run()
    except MemoryError as error:
        raise UnableError(
            f"this computer has too little free memory to look at {version.ref}; close programs, "
            "or raise their limits"
        ) from error
    remembered.note_stands(version.terms_id, found.state, found.why)
    remembered.note_seen(version.terms_id, seen)
    return found


def remembered_states(
    session: Session, terms_ids: Sequence[bytes]
) -> dict[bytes, tuple[PreviewState, str]]:
    """Return how versions stood at the last look of this computer, and why; asks nobody."""
    return Remembered.of(session).stands(terms_ids)


def names_taken(
    session: Session,
    public: Public,
    listed: int,
    allowance: Allowance,
    *,
    must_know: bool = False,
) -> set[bytes]:
    """Return the names of segments that older versions of the listing have shown.

    Args:
        session: Where to look.
        public: Of the version whose card names the older ones.
        listed: The block in which this version was first listed.
        allowance: What looking at them may take.
        must_know: Refuse where an older version cannot be looked at. Sellers must: who opens what
            is wanted without it, and then what is wanted with it, shows twice as much.

    Raises:
        MarketError: `must_know`, and one cannot be fetched now.
        EndError: PARTIAL: they take more than one look may.
    """
    if public.asked is None or not public.asked.previous:
        return set()
    named = named_by(session, public.version, public.asked, allowance)
    for version in unknown_older(session, named, allowance, must_know=must_know):
        allowance.known[version.terms_id] = _shown_by(
            session, version, allowance, must_know=must_know
        )
    found: set[bytes] = set()
    for version in named:
        shown = allowance.known[version.terms_id]
        # By then, or its seller could wait for this version's word, and open of many older ones
        # those with which it misses what is bad.
        if shown is not None and shown.block <= listed:
            found |= shown.names
    return found


def _shown_by(
    session: Session, version: Version, allowance: Allowance, *, must_know: bool
) -> Shown | None:
    """Return what the draws of an older version could meet, if it is SHOWN."""
    allowance.spend(0)
    look = _Look(session, version, MAX_DOWNLOAD, allowance)
    found = look.run()
    # Also where something rotten was opened of it since: that changes no draw.
    if (shown := Remembered.of(session).shown(version.terms_id)) is not None:
        return shown
    if look.is_short and found.state is PreviewState.PARTIAL:
        allowance.spend(allowance.left + 1)
    if must_know and found.state is PreviewState.UNREACHABLE:
        raise unserved(version, found.why)
    return None


def read_seed(session: Session, version: Version) -> Beacon:
    """Return what chance says of a version, if it has spoken; see `read_beacon`."""
    return read_beacon(session.chain, Catalogue.of(session).index, version)


class _Look:
    """One look at one version."""

    def __init__(
        self,
        session: Session,
        version: Version,
        max_download: int,
        allowance: Allowance | None = None,
    ) -> None:
        self._session, self._version = session, version
        self._max = max_download
        self._is_first = allowance is None
        self._allowance = Allowance() if allowance is None else allowance
        self._remembered = Remembered.of(session)
        self._sample: Sample | None = None
        self._found = Preview(PreviewState.BLIND, "", version.ref)
        self.is_short = False

    def run(self) -> Preview:
        """Return how it stands.

        Raises:
            UnableError: This computer cannot tell.
        """
        try:
            public = self._read()
        except EndError as end:
            return replace(self._found, state=end.state, why=end.why)
        public.opening.patience = self._allowance.patience
        result = self._judge(public)
        if result.state is not PreviewState.BAD:
            result = self._tried(public) or result
        self._spend(public.opening.source.fetched)
        found = replace(self._found, state=result.state, why=result.why)
        if self._sample is None or result.state not in _DESCRIBED or not self._is_first:
            return found
        return self._described(found, public, self._sample)

    def _read(self) -> Public:
        """Fetch what is public, within what may be fetched."""
        if self._is_first:
            return read_public(self._session, self._version, max_download=self._max)
        heading = self._allowance.headings.pop(self._version.terms_id, None)
        if heading is None:
            heading = read_heading(self._session, self._version)
            self._spend(heading.size)
        limit = self._limit()
        if heading.manifest.index_size <= limit:
            self._spend(heading.manifest.index_size)
        public = read_public(self._session, self._version, max_download=limit, heading=heading)
        public.opening.max_download = self._limit()
        return public

    def _limit(self) -> int:
        """Return how many bytes may be fetched, and note whether an allowance makes them fewer."""
        if self._is_first or self._allowance.left >= self._max:
            return self._max
        self.is_short = True
        return max(0, self._allowance.left)

    def _spend(self, size: int) -> None:
        if not self._is_first:
            self._allowance.left -= size

    def _judge(self, public: Public) -> EndError:
        """Draw, open and judge the sample; return in which state that ends."""
        if public.asked is None:
            return EndError(PreviewState.BLIND, public.blind)
        self._found = replace(self._found, draws=public.asked.draws)
        beacon = read_seed(self._session, self._version)
        if beacon.seed is None:
            return EndError(
                PreviewState.WAITING,
                f"chance speaks in block {beacon.block}, which is final in "
                f"{plural(beacon.blocks_left, 'block')}",
            )
        self._found = replace(self._found, since=beacon.spoken_at)
        try:
            taken = names_taken(self._session, public, beacon.listed, self._allowance)
            sample = prepare(public.opening, public.asked, taken, beacon.seed)
            self._sample = sample
            why = open_sample(public.opening, sample, max_download=self._limit())
        except EndError as end:
            return end
        self._note_shown(public, sample)
        if self._is_first and self._takes_from_broken(public.asked):
            return EndError(
                PreviewState.PARTIAL,
                "something rotten was opened of an older version from which it takes over parts",
            )
        return EndError(PreviewState.SHOWN, why)

    def _note_shown(self, public: Public, sample: Sample) -> None:
        """Remember what newer versions may take over, if all find it so.

        Not all fetch as much as this look may have: what only some find SHOWN would have others
        expect other draws of newer versions.
        """
        manifest = public.manifest
        if max(len(sample.wanted) * manifest.shard_size, manifest.index_size) > MAX_DOWNLOAD:
            return
        last = max((public.published.blocks[i] for i in sample.wanted), default=0)
        self._remembered.note_shown(self._version.terms_id, Shown(last, frozenset(sample.names)))

    def _takes_from_broken(self, asked: PreviewAsked) -> bool:
        # It changes no draw, or who plants something rotten could choose by it what is drawn.
        return any(self._remembered.broken(cid.digest) for cid in asked.previous)

    def _tried(self, public: Public) -> EndError | None:
        """Try what others have opened."""
        right = self._sample.opened if self._sample is not None else ()
        broken = try_exposed(
            public.opening,
            public.published,
            _readers(self._session, self._version),
            self._remembered,
            is_right=right,
            max_bytes=self._left_for_exposures(public),
        )
        if broken is None:
            return None
        return EndError(PreviewState.BROKEN, f"{broken.why}; opened by {broken.publisher}")

    def _left_for_exposures(self, public: Public) -> int:
        if self._is_first:
            return MAX_BYTES
        return max(0, min(MAX_BYTES, self._allowance.left - public.opening.source.fetched))

    def _described(self, found: Preview, public: Public, sample: Sample) -> Preview:
        """Add what the sample says."""
        draws = across.draws_of(sample)
        return replace(
            found,
            parts=sample.parts,
            bounds=Bounds.of(sample.draws) if sample.draws else None,
            segments=len(sample.opened),
            rows=sample.rows,
            tables=sample.tables,
            files=sample.files,
            findings=tuple(self._findings(sample)),
            contradictions=tuple(contradictions(public.card, sample, draws)),
            figures=figures_of(draws, sample.columns),
            unsampled=sample.unsampled,
            taken_over=sample.taken_over,
            since=None,
        )

    def _findings(self, sample: Sample) -> list[str]:
        found = []
        if sample.strata.taken_over:
            count = len(sample.strata.taken_over)
            found.append(
                f"{count:,} of {sample.structure.units:,} parts are those of an older version, "
                f"which was sampled then; what is said of the rest is of {sample.new_share:.0%}"
            )
        for stratum in sample.strata.left_out:
            found.append(f"not sampled: {stratum.name!r}, {plural(stratum.units, 'part')}")
        if sample.checked:
            found.append(
                f"{plural(sample.checked, 'file')} were opened as what their names say; "
                f"{sample.unopened:,} do not open"
            )
        return [*found, *sample.oddities, *self._rows_elsewhere(sample)]

    def _rows_elsewhere(self, sample: Sample) -> list[str]:
        """Tell of equal rows, in the sample and in those of other listings."""
        found = []
        equal = across.equal_rows(sample.facts)
        if equal.different is not None:
            found.append(
                f"{plural(equal.pairs, 'pair')} of equal rows among {equal.rows:,}: as if there "
                f"were about {equal.different:,.0f} different rows"
            )
        marks = {
            mark
            for table in sample.facts.values()
            for segment in table.segments.values()
            for mark in segment.marks
        }
        elsewhere = self._remembered.with_marks(marks)
        self._remembered.note_marks(self._version.terms_id, marks)
        others = Catalogue.of(self._session).versions(terms_ids=list(elsewhere))
        for other in others:
            if other.listing_id != self._version.listing_id:
                when = "earlier" if other.listing_id < self._version.listing_id else "later"
                found.append(
                    f"{elsewhere[other.terms_id]:,} of {len(marks):,} sampled rows stand in the "
                    f"sample of {other.ref} too, which was listed {when}"
                )
        return found


def contradictions(
    card: Mapping[str, Any], sample: Sample, draws: Mapping[str, Draws]
) -> list[str]:
    """Return the claims of a card that segment 0 or the sample contradicts, a line each."""
    entries = sample.structure.entries
    return [
        *across.false_counts(card, entries),
        *across.false_columns(card, entries, sample.columns),
        *across.false_figures(card, draws),
    ]


def _readers(session: Session, version: Version) -> Collection[str]:
    """Return who has bought a version and was not refunded, in lower case."""
    return {
        purchase.receipt.buyer.lower()
        for purchase in Catalogue.of(session).purchases(terms_id=version.terms_id)
        if purchase.status not in (PurchaseStatus.PAID, PurchaseStatus.REFUNDED)
    }
