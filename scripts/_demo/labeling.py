# SPDX-License-Identifier: Apache-2.0
"""The labeling half of the demonstration: from images to labels that are paid for.

One bounty is honest and whole. In a second one the requester lies about one answer, and a labeler
disproves it; in a third the requester falls silent. Their clocks run together.
"""

import csv
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np

from scripts._demo.cheats import Copier, Liar
from scripts._demo.labelers import DIGITS, Digits, programs
from scripts._demo.report import Transcript
from truthmark.bounty.answers import Known
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import LabelClass
from truthmark.bounty.exports import export
from truthmark.bounty.flows.asks import Ask, Posted
from truthmark.bounty.flows.labeling import Stage
from truthmark.bounty.flows.paying import pay_all
from truthmark.bounty.flows.posting import post_bounty
from truthmark.bounty.flows.results import collect_result, labeled_of
from truthmark.bounty.payouts import Payment, Status
from truthmark.bounty.record import Record
from truthmark.bounty.result_tables import answers_of
from truthmark.bounty.sources.opening import open_items_of
from truthmark.bounty.terms import Deadlines
from truthmark.labels import DawidSkene, MajorityVote
from truthmark.testing.bounties import BountyNetwork, Labeler, Program, advance_all, join_all
from truthmark.testing.network import Devnet

POSTED: Final = 400
KNOWN: Final = 120
GOLD: Final = 100
SMALL: Final = 60
PRICE: Final = "0.02 TUSD"


@dataclass(frozen=True)
class Labeled:
    """What came of the honest bounty.

    Attributes:
        posted: As its requester has it.
        record: By the chain.
        crowd: Who labeled it, but for the copier.
        table: Parquet: a row an item, with its label.
    """

    posted: Posted
    record: Record
    crowd: list[Labeler]
    table: Path


class Bench:
    """The bounties of the demonstration, and who takes part in them.

    Args:
        net: The chain and its roles.
        network: Relay, watch node, labelers.
        images: The digits: PNG files, and metadata.csv with their labels.
        folder: Where folders of items are made.
    """

    def __init__(self, net: Devnet, network: BountyNetwork, images: Path, folder: Path) -> None:
        """Read the digits."""
        self.net, self.network, self.folder = net, network, folder
        self.requester = net.session("requester")
        self.observer = BountyClient(net.session("stranger"))
        self.names, self.digits = _labels(images)
        self.images = images
        self._marks: dict[int, int] = {}

    def programs(self) -> list[Program]:
        """Return labelers that learned from digits which are not posted."""
        files = [(self.images / name).read_bytes() for name in self.names[POSTED:]]
        return programs(files, self.digits[POSTED:])

    def post(self, title: str, count: int, known: int, gold: int, rounds: int) -> Posted:
        """Post a bounty on the first digits; the requester knows some of them."""
        folder = self.folder / title.replace(" ", "-")
        folder.mkdir(parents=True)
        for name in self.names[:count]:
            shutil.copy(self.images / name, folder)
        ask = Ask(
            title=title,
            guidelines="Which digit is it? One that nobody can read is a skip.",
            classes=tuple(LabelClass(str(digit)) for digit in range(DIGITS)),
            price=PRICE,
            known={
                name: Known(str(digit))
                for name, digit in zip(self.names[:known], self.digits, strict=False)
            },
            gold_count=gold,
            rounds=rounds,
            relay=self.network.relay_url,
            times="small",
            unattended=True,
        )
        return post_bounty(self.requester, open_items_of(folder), ask, agree=lambda proposal: True)

    def read(self, posted: Posted) -> Record:
        """Return what the chain says of a bounty."""
        return self.observer.read(posted.bounty_id)

    def committed(self, posted: Posted) -> int:
        """Return how many workers' commits are on the chain."""
        return len(self.read(posted).commits.standing)

    def deadlines(self, posted: Posted) -> Deadlines:
        """Return until when what is possible."""
        number = posted.bounty_id
        if number not in self._marks:  # of the seed, which is drawn by now
            self._marks[number] = self.observer.mark(number)
        return posted.terms.deadlines(self._marks[number])

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Wait until something holds, while nobody but the nodes does anything."""
        advance_all([], done, what=what)

    def is_at(self, posted: Posted, *statuses: Status) -> Callable[[], bool]:
        """Return a question: whether a bounty is at one of some statuses."""
        return lambda: self.read(posted).status in statuses

    def warp_past(self, deadline: int) -> None:
        """Let chain time go on beyond a deadline."""
        now = self.net.status().time
        assert now is not None  # the chain runs
        self.net.warp(max(1, deadline + 2 - now))


def _labels(images: Path) -> tuple[list[str], Digits]:
    with (images / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    digits = np.array([int(row["label"]) for row in rows])
    return [row["file_name"] for row in rows], digits


# --------------------------------------------------------------------------- the story


def play(bench: Bench, transcript: Transcript) -> Labeled:
    """Post three bounties, have them labeled, and bring each to its end."""
    with transcript.section("A requester posts digits to be labeled, with hidden gold"):
        cases = _post(bench, transcript)
    with transcript.section("Programs label them, by models, by dice and by copying"):
        crowd = _label(bench, transcript, cases)
    with transcript.section("The relay leaves one out whose labeler has left, and is overridden"):
        _commit(bench, transcript, cases, crowd)
    with transcript.section("Labels are handed out; one score is a lie, and one never comes"):
        _score(bench, transcript, cases, crowd)
    with transcript.section("Labelers are paid, at addresses that never held gas"):
        record = _pay(bench, transcript, cases, crowd)
    with transcript.section("What the labels are worth, against the truth that nobody was told"):
        tables = _weigh(bench, transcript, cases.true)
    return Labeled(cases.true, record, crowd.true, tables)


@dataclass(frozen=True)
class Cases:
    """The three bounties."""

    true: Posted
    lied: Posted
    silent: Posted

    @property
    def all(self) -> tuple[Posted, Posted, Posted]:
        """All of them."""
        return self.true, self.lied, self.silent


@dataclass(frozen=True)
class Crowd:
    """Who labels.

    Attributes:
        true: In the honest bounty.
        lied: In that whose requester lies; the first has an account with gas.
        silent: In that whose requester falls silent.
        copier: In the honest bounty, with the labels of another.
    """

    true: list[Labeler]
    lied: list[Labeler]
    silent: list[Labeler]
    copier: Copier

    @property
    def all(self) -> list[Labeler]:
        """All but the copier."""
        return [*self.true, *self.lied, *self.silent]

    @property
    def leaver(self) -> Labeler:
        """The one whose machine is off after labeling."""
        return next(one for one in self.true if one.program.kind == "leaves")


def _post(bench: Bench, transcript: Transcript) -> Cases:
    cases = Cases(
        bench.post("Handwritten digits", POSTED, KNOWN, GOLD, rounds=3),
        bench.post("A few digits and a lie", SMALL, SMALL, SMALL // 2, rounds=2),
        bench.post("A few digits and silence", SMALL, SMALL, SMALL // 2, rounds=2),
    )
    show = bench.net.profile.amount
    for one in cases.all:
        terms = one.terms
        transcript.info(
            f"bounty {one.bounty_id}: {terms.items} images, {terms.rounds} labels each at {PRICE};"
            f" {terms.gold_count} of them are gold; {show(terms.pot + terms.bond, terms.token)}"
            " paid in"
        )
    transcript.verified("that the gold cannot be changed later", "its hash, on the chain")
    return cases


def _label(bench: Bench, transcript: Transcript, cases: Cases) -> Crowd:
    network = bench.network
    true = [network.labeler(program, cases.true.bounty_id) for program in bench.programs()]
    best = [one.program for one in true][:4]

    def few(posted: Posted, first: str) -> list[Labeler]:
        count = posted.terms.seats // posted.terms.min_run
        accounts = [first, *[""] * (count - 1)]
        return [
            network.labeler(program, posted.bounty_id, account=account)
            for program, account in zip(cycle(best), accounts, strict=False)
        ]

    crowd = Crowd(
        true,
        few(cases.lied, "labeler"),
        few(cases.silent, ""),
        Copier(network.relay_url, bench.observer, cases.true),
    )
    crowd.copier.join()
    join_all(crowd.all)
    network.leave_out(crowd.leaver)
    with transcript.progress_bar("labeling") as bar:
        advance_all(
            crowd.all,
            lambda: all(one.seats and one.stage is not Stage.LABELING for one in crowd.all),
            what="everybody to label",
            progress=bar,
        )
    labels = sum(one.seats * cases.true.terms.batch for one in true)
    transcript.info(
        f"{len(true)} programs gave {labels:,} labels of the first bounty; nobody can read one"
        " before its hash is on the chain for good"
    )
    return crowd


def _commit(bench: Bench, transcript: Transcript, cases: Cases, crowd: Crowd) -> None:
    leaver, copier = crowd.leaver, crowd.copier
    taken = leaver.labeling.leave_with([bench.network.watch_node])
    assert taken  # or nobody would act for them
    leaver.is_away = True
    transcript.info(f"{leaver.program.name}: off, after leaving its commit with a watch node")
    bench.net.warp(130)  # the relay collects for two minutes, and then posts
    bench.until(lambda: bench.committed(cases.true) >= len(crowd.true) - 1, "the relay to post")
    copier.copy(crowd.true[0].worker)
    last = bench.deadlines(cases.true).label
    bench.warp_past(last - 100)
    bench.until(lambda: bench.committed(cases.true) >= len(crowd.true), "the copy's commit")
    assert leaver.worker not in bench.read(cases.true).commits.standing
    bench.warp_past(max(bench.deadlines(one).label for one in cases.all))
    bench.until(
        lambda: leaver.worker in bench.read(cases.true).commits.standing, "the node to override"
    )
    transcript.verified(
        "the commit that the relay left out is on the chain after all",
        "the contract, by its labeler's signature",
    )
    bench.warp_past(max(bench.deadlines(one).commit for one in cases.all))


def _score(bench: Bench, transcript: Transcript, cases: Cases, crowd: Crowd) -> None:
    liar = Liar(bench.requester, bench.observer, cases.lied, bench.network.relay_url)
    with bench.network.receiver(cases.true.bounty_id):
        with transcript.progress_bar("handing out") as bar:

            def is_delivered() -> bool:
                liar.collect()
                here = [*crowd.true, *crowd.lied]
                return all(one.is_away or one.stage is Stage.DELIVERED for one in here)

            advance_all(crowd.all, is_delivered, what="signatures for labels", progress=bar)
        crowd.copier.hand_out(crowd.true[0].worker)
        # For who has no signature half-way, the relay posts the sealed labels on chain.
        times = [bench.deadlines(one) for one in cases.all]
        bench.warp_past(max((time.commit + time.post) // 2 for time in times))
        bench.until(
            lambda: len(bench.read(cases.silent).posted) >= len(crowd.silent),
            "the relay to post sealed labels",
        )
        transcript.verified(
            f"{len(crowd.silent)} workers whom nobody signed for delivered on chain, sealed",
            "the contract, which pays the relay for it",
        )
        bench.warp_past(max(time.post for time in times))
        bench.until(bench.is_at(cases.true, Status.SCORED, Status.SCORED_HALF), "the score")
        victim = crowd.lied[0]
        text = liar.score(victim.worker)
        advance_all(
            [victim], bench.is_at(cases.lied, Status.PROVEN), what="the labeler to disprove the lie"
        )
        transcript.refused(text, "its labeler opened that one answer; all are paid in full")
        bench.warp_past(max(bench.deadlines(one).score for one in cases.all))
        bench.observer.end(cases.silent.bounty_id, cases.silent.terms)
        assert bench.read(cases.silent).status is Status.FLAT
        transcript.refused("never to score", "time is over; all are paid in full, and the bond")
        bench.until(
            bench.is_at(cases.true, Status.SETTLED, Status.HALF), "the first bounty to be settled"
        )


def _pay(bench: Bench, transcript: Transcript, cases: Cases, crowd: Crowd) -> Record:
    profile, session = bench.net.profile, bench.observer.session
    for posted in cases.all:
        pay_all(session, posted.bounty_id)
    record = bench.read(cases.true)
    paid = {payment.worker: payment for payment in record.payments()}
    token = record.terms.token
    kinds: dict[str, list[Payment]] = defaultdict(list)
    for one in crowd.true:
        kinds[one.program.kind].append(paid[one.worker])
        assert session.chain.balance(one.payee) == 0
        held = session.token(token).functions.balanceOf(one.payee).call()
        assert held == paid[one.worker].total
    kinds["copier"].append(paid[crowd.copier.worker])
    by_kind = {}
    for kind, found in kinds.items():
        seats = sum(int(record.committed[payment.worker]) for payment in found)
        by_kind[kind] = {
            "labelers": len(found),
            "a label": sum(payment.price for payment in found) / (seats * record.terms.batch),
            "of full": sum(p.price for p in found) / sum(p.price + p.withheld for p in found),
        }
    transcript.report.figures["pay"] = by_kind
    for kind, row in by_kind.items():
        unit = profile.amount(round(row["a label"]), token)
        transcript.info(
            f"{kind}: {row['labelers']}, {unit} a label, {row['of full']:.0%} of the full price"
        )
    transcript.verified(
        f"each of {len(paid)} payments by the published score", "this script, and the contract"
    )
    return record


def _weigh(bench: Bench, transcript: Transcript, posted: Posted) -> Path:
    """Write the result, as `truthmark bounty result` does, and hold it against the truth."""
    brought = collect_result(bench.requester, posted.bounty_id)
    assert not brought.finding.problems and brought.tables is not None
    labeled = labeled_of(bench.requester, brought)
    tables = export(labeled, "parquet", bench.folder / "result")
    truth = dict(zip(bench.names, bench.digits.tolist(), strict=True))
    items = brought.tables.items.to_pandas()
    items = items[~items["is_gold"]]
    answers = answers_of(brought.result, brought.finding).data
    found = {
        "majority": MajorityVote().fit_predict(answers),
        "Dawid-Skene": DawidSkene().fit_predict(answers),
        "weighed by gold (goldw)": items.set_index("item")["label"].astype(int),
    }
    wanted = items.set_index("item")["name"].map(truth)
    accuracy = {
        name: float((labels.reindex(wanted.index).astype(int) == wanted).mean())
        for name, labels in found.items()
    }
    transcript.report.figures["accuracy"] = accuracy
    for name, part in accuracy.items():
        transcript.info(f"{name}: {part:.1%} of {len(wanted)} items that are no gold are right")
    transcript.verified(
        "every commitment, label, entry of the score and payout, from scratch",
        "truthmark bounty verify, and anyone with the result",
    )
    return next(path for path in tables if path.name.startswith("items"))
