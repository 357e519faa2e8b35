# SPDX-License-Identifier: Apache-2.0
"""The bounties of a seeded network, each led to one state by relay, receiver and labelers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from truthmark.bounty.answers import Known
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import LabelClass
from truthmark.bounty.exports import export
from truthmark.bounty.flows.asks import Ask, Posted
from truthmark.bounty.flows.labeling import Stage
from truthmark.bounty.flows.posting import post_bounty
from truthmark.bounty.flows.results import collect_result, labeled_of
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.sources.memory import frame_source
from truthmark.bounty.sources.opening import open_items_of
from truthmark.bounty.team import Member
from truthmark.bounty.terms import Deadlines
from truthmark.errors import BountyError
from truthmark.testing.bounties import (
    BountyNetwork,
    Labeler,
    Program,
    advance_all,
    join_all,
)
from truthmark.testing.roles import Network
from truthmark.testing.seed_sources import OPINIONS, Reader, opinions, write_digits

TEAM: Final = (Member("Ada"), Member("Grace"), Member("Katherine"))
_PRICE: Final = "0.02 TUSD"
_ITEMS: Final = 33
"""Three of them are for practice."""
_GOLD: Final = 20
_SECONDS: Final = 2.5
"""An answer takes, as a pilot would find."""
_RELAY_WAITS: Final = 130
"""Seconds in which a relay collects commits, and a few more."""


class SeedBounties:
    """The bounties of one network.

    Args:
        net: The network.
        relay_port: Where the relay listens.
    """

    def __init__(self, net: Network, relay_port: int) -> None:
        """Start the relay."""
        self._net, self._folder = net, net.folder / "seeds"
        self.network = BountyNetwork(net, self._folder / "labelers", relay_port=relay_port)
        self._requester = net.session("requester")
        self._observer = BountyClient(net.session("stranger"))

    def close(self) -> None:
        """Stop nodes, close sessions."""
        self.network.close()
        self._requester.close()
        self._observer.session.close()

    # ------------------------------------------------------------------ posting

    def post_texts(self, title: str, *, times: str, team: Sequence[Member] = ()) -> Posted:
        """Post short texts, about which people were pleased or not; gold, or a team."""
        import pandas as pd

        rows = opinions(_ITEMS, seed=sum(title.encode()))
        frame = pd.DataFrame(
            {"name": [f"text {n}" for n in range(_ITEMS)], "text": [text for text, _ in rows]}
        )
        known = {f"text {n}": Known(answer) for n, (_, answer) in enumerate(rows)}
        if team:
            known = dict(list(known.items())[:3])
        source = frame_source(frame, column="text", names="name")
        return self._post(
            source, title, OPINIONS, known, "Was this guest pleased?", times=times, team=tuple(team)
        )

    def post_digits(self, title: str, *, times: str) -> Posted:
        """Post pictures of digits."""
        folder = self._folder / "digits" / title.replace(" ", "-")
        known = {
            name: Known(digit)
            for name, digit in write_digits(folder, _ITEMS, seed=sum(title.encode())).items()
        }
        classes = [str(digit) for digit in range(10)]
        asked = "Which digit is it? One that nobody can read is a skip."
        return self._post(open_items_of(folder), title, classes, known, asked, times=times)

    def _post(
        self,
        source: Any,
        title: str,
        classes: Sequence[str],
        known: dict[str, Known],
        guidelines: str,
        *,
        times: str,
        team: tuple[Member, ...] = (),
    ) -> Posted:
        ask = Ask(
            title=title,
            guidelines=guidelines,
            classes=tuple(map(LabelClass, classes)),
            price=_PRICE,
            known=known,
            gold_count=None if team else _GOLD,
            practice=3,
            team=team,
            rounds=None if team else 2,
            relay=self.network.relay_url,
            times=times,
            seconds_per_item=_SECONDS,
            unattended=True,
        )
        posted = post_bounty(self._requester, source, ask, agree=lambda proposal: True)
        if not posted.is_offered:
            log = self._folder / "log"
            raise BountyError(f"the relay did not take bounty {posted.bounty_id}; see {log}")
        return posted

    # ----------------------------------------------------------------- labeling

    def crowd(self, posted: Posted, *, payee: str = "") -> list[Labeler]:
        """Let as many join as a bounty needs; the first is paid at `payee`."""
        terms = posted.terms
        count = terms.seats // terms.min_run
        labelers = [
            self.network.labeler(
                Program(f"reader {n}", "honest", Reader(0.05 + 0.1 * n, seed=n)),
                posted.bounty_id,
                payee=payee if n == 0 else "",
            )
            for n in range(count)
        ]
        join_all(labelers)
        return labelers

    def label(self, labelers: Sequence[Labeler]) -> None:
        """Label all that is asked, and sign."""
        advance_all(
            labelers,
            lambda: all(one.seats and one.stage is not Stage.LABELING for one in labelers),
            what="everybody to label",
        )

    def commit(self, *all_posted: Posted, workers: Callable[[Posted], int]) -> None:
        """Wait until the relay has put all commits on chain."""
        self._net.warp(_RELAY_WAITS)
        advance_all(
            [],
            lambda: all(len(self.read(one).commits.standing) >= workers(one) for one in all_posted),
            what="the relay to post commits",
        )

    def score(self, posted: Posted, labelers: Sequence[Labeler]) -> None:
        """Hand labels out to the requester's node, and let it score."""
        self.warp_past(self.deadlines(posted).commit)
        with self.network.receiver(posted.bounty_id):
            advance_all(
                labelers,
                lambda: all(one.stage is Stage.DELIVERED for one in labelers),
                what="signatures for labels",
            )
            self.warp_past(self.deadlines(posted).post)
            self._wait(posted, Status.SCORED, Status.SCORED_HALF)

    def settle(self, posted: Posted) -> None:
        """Pay everybody by the score, which nobody challenged; into the ledger, not in hand."""
        times = posted.terms.challenge_seconds
        self.warp_past(self._observer.mark(posted.bounty_id) + times)
        self._end(posted)

    def fall_silent(self, posted: Posted) -> None:
        """Let the requester score never; everybody is paid in full."""
        self.warp_past(self.deadlines(posted).score)
        self._end(posted)

    def give_up(self, posted: Posted) -> None:
        """Close a bounty that nobody joined; its money goes back."""
        self.warp_past(self._observer.mark(posted.bounty_id) + posted.terms.join_seconds)
        self._observer.close_joining(posted.bounty_id, posted.terms)

    def _end(self, posted: Posted) -> None:
        self._observer.end(posted.bounty_id, posted.terms)
        self._observer.payout(self.read(posted))

    # ------------------------------------------------------------------ results

    def result(self, posted: Posted) -> Path:
        """Write what a settled bounty brought, and return the table of items."""
        brought = collect_result(self._requester, posted.bounty_id)
        written = export(labeled_of(self._requester, brought), "csv", self._folder / "result")
        return next(path for path in written if path.name.startswith("items"))

    def cite(self, posted: Posted, seller: str) -> None:
        """Let a seller sell what a bounty made, with a royalty to its labelers."""
        BountyClient(self._requester).cite(posted.bounty_id, posted.terms, seller)

    # ------------------------------------------------------------------ reading

    def read(self, posted: Posted) -> Record:
        """Return what the chain says of a bounty."""
        return self._observer.read(posted.bounty_id)

    def deadlines(self, posted: Posted) -> Deadlines:
        """Return until when what is possible, of a bounty that labels."""
        return posted.terms.deadlines(self._observer.mark(posted.bounty_id))

    def warp_past(self, deadline: int) -> None:
        """Let chain time go on beyond a deadline; not at all where it is over."""
        left = deadline + 2 - self._observer.session.chain.time()
        if left > 0:
            self._net.warp(left)

    def _wait(self, posted: Posted, *statuses: Status) -> None:
        advance_all(
            [],
            lambda: self.read(posted).status in statuses,
            what=f"bounty {posted.bounty_id} to be {statuses[0].name}",
        )
