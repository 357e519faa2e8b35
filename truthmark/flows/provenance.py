# SPDX-License-Identifier: Apache-2.0
"""What a listing that names a bounty may say of where its data come from.

The registry lets a seller name a bounty only if its requester agreed. Whether it is the requester
who sells, and how the bounty ended, is read here, from the chain alone.
"""

from dataclasses import dataclass

from truthmark.bounty.flows.board import NO_WORK, Brief, Work, indexed_briefs, works_of
from truthmark.bounty.payouts import Status
from truthmark.keys.abi_hash import address_bytes
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.session import Session
from truthmark.text import plural


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is known of the bounty that terms name.

    Attributes:
        bounty: Its number.
        requester: Who asked for the labels.
        is_requesters: Whether that account sells this data.
        status: How the bounty stands.
        items: How many items were to be labeled.
        rounds: How often each.
        work: What was done for it.
    """

    bounty: int
    requester: str
    is_requesters: bool
    status: Status
    items: int
    rounds: int
    work: Work

    @property
    def is_shown(self) -> bool:
        """Whether it counts as a provenance: sold by its requester, and SETTLED."""
        return self.is_requesters and self.status is Status.SETTLED

    @property
    def lines(self) -> list[str]:
        """What to show a person; nothing that the chain does not say."""
        if not self.is_requesters:
            return [
                f"pays a royalty to bounty {self.bounty}, which another account asked for "
                f"({self.requester}): that says nothing of where this data comes from"
            ]
        if self.status is not Status.SETTLED:
            return [
                f"its seller asked for labels in bounty {self.bounty}, which is not settled "
                f"({self.status.name.lower().replace('_', ' ')}): no score of it stands"
            ]
        paid = self.work.paid
        earned = "" if paid is None else f"; their labels earned {paid:.1%} of the full price"
        return [
            f"its seller asked for labels in bounty {self.bounty}, which is settled: "
            f"{plural(self.items, 'item')}, {plural(self.rounds, 'label')} for each asked, "
            f"{plural(self.work.seats, 'seat')} handed in{earned}",
            "that says who asked for labels, not that these are they",
        ]


def provenance_of(session: Session, version: Version) -> Provenance | None:
    """Return what is known of the bounty that a version names; None where it names none.

    `sync` the catalogue before.
    """
    return provenances(session, [version]).get(version.terms_id)


def provenances(session: Session, versions: list[Version]) -> dict[bytes, Provenance]:
    """Return the same of many versions, by the ids of their terms, from the index alone."""
    wanted = {version.terms.bounty for version in versions if version.terms.bounty}
    if not wanted:
        return {}
    index = Catalogue.of(session).index
    known = {brief.bounty_id: brief for brief in indexed_briefs(index)}
    works = works_of(index)
    return {
        version.terms_id: _read(version, brief, works.get(brief.bounty_id, NO_WORK))
        for version in versions
        if (brief := known.get(version.terms.bounty)) is not None
    }


def _read(version: Version, brief: Brief, work: Work) -> Provenance:
    requester = brief.terms.requester
    return Provenance(
        bounty=brief.bounty_id,
        requester=requester,
        is_requesters=address_bytes(requester) == address_bytes(version.terms.seller),
        status=brief.status,
        items=brief.terms.items,
        rounds=brief.terms.rounds,
        work=work,
    )
