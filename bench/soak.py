# SPDX-License-Identifier: Apache-2.0
"""Bounties by the dozen, over and over: `python -m bench.soak --minutes 120 --bounties 50`.

A node that is relay, receiver and watch, in a process of its own, on a local chain; programs label
over HTTP, as they would anywhere, and each leaves its commit with the watch node. All bounties of a
turn are led from posting to the last payout at once, while chain time is moved on; then the next
turn begins, until the minutes are over. What grows with time shows in the second quarter against
the last: memory is the mean of each, descriptors the most. What a new turn's items hold open
is bounded by what a relay keeps open of items at all.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pandas as pd

from bench.report import ROOT, Report
from truthmark.agents.agent import Agent, Task
from truthmark.agents.running import Wish, join, label
from truthmark.bounty.answers import Known
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import LabelClass
from truthmark.bounty.flows.asks import Ask, Posted
from truthmark.bounty.flows.handing_out import WatchNode
from truthmark.bounty.flows.labeling import Labeling, Stage
from truthmark.bounty.flows.posting import post_bounty
from truthmark.bounty.items import Item
from truthmark.bounty.payouts import Status
from truthmark.bounty.sources.memory import frame_source
from truthmark.config.settings import DEVNET_PASSPHRASE, load_settings
from truthmark.errors import BountyError, TruthmarkError
from truthmark.hashing import keccak256
from truthmark.keys.curve import address_of, multiply, random_scalar
from truthmark.node.relay.papers import MAX_OPEN
from truthmark.session import Session
from truthmark.testing.network import Devnet

ITEMS, GOLD, ROUNDS = 60, 30, 2
CLASSES = ("cat", "dog")
SKILL = 0.9
PATIENCE = 600
"""Seconds in which each step of a turn must come about."""


@dataclass
class Watched:
    """The node, and what it said of itself.

    Attributes:
        url: Where it answers.
        watch: Likewise, for deposits.
        samples: What it used, about every second.
    """

    process: "subprocess.Popen[str]"
    url: str
    watch: WatchNode
    samples: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def start(cls, home: Path) -> Self:
        """Start it on a home; it answers when this returns.

        Raises:
            RuntimeError: It ended; its log says why.
        """
        with (home / "node.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.soak_node", str(home)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.wait()
            raise RuntimeError(f"the node ended: {(home / 'node.log').read_text('utf-8')[-2000:]}")
        facts = json.loads(line)
        watch = WatchNode(facts["url"], bytes.fromhex(facts["key"]))
        made = cls(process, facts["url"], watch)
        threading.Thread(target=made._read, daemon=True).start()
        return made

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.samples.append(json.loads(line))

    def close(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait()


class Program(Agent):
    """A labeler that reads the answer in the text, and errs where chance says so.

    Args:
        name: Of its chance.
    """

    batch = 64

    def __init__(self, name: str) -> None:
        """Take a name."""
        self.name = name

    def answer(self, task: Task, items: Sequence[Item]) -> list[int]:
        """Return a class for each text."""
        return [self._one(item.text) for item in items]

    def _one(self, text: str) -> int:
        errs = keccak256(f"{self.name} {text}".encode())[0] >= 256 * SKILL
        return CLASSES.index(text.split()[-1]) ^ errs


class Labeler:
    """A program with a home of its own, which takes part in every bounty.

    Args:
        net: The chain.
        home: Of it.
        node: Where bounties are served.
    """

    def __init__(self, net: Devnet, home: Path, node: Watched) -> None:
        """Make the home."""
        net.profile.save(home / "profiles")
        settings = load_settings(
            home, profile=net.profile.name, storage=(f"local:{home / 'store'}",)
        )
        self.session = Session(settings, ask_passphrase=lambda _: DEVNET_PASSPHRASE)
        self.payee = address_of(multiply(random_scalar()))
        self.agent, self.node = Program(home.name), node
        self.labelings: dict[int, Labeling] = {}
        self.stages: dict[int, Stage] = {}
        self.failures: Counter[str] = Counter()

    def join(self, bounties: Sequence[Posted]) -> None:
        """Ask for a place in each."""
        self.labelings = {
            one.bounty_id: Labeling(self.session, one.bounty_id, relay=self.node.url)
            for one in bounties
        }
        for one in bounties:
            wish = Wish(self.payee, seats=one.terms.min_run, agrees=True)
            self._try(lambda wish=wish, one=one: join(self.agent, self._of(one), wish))

    def _of(self, posted: Posted) -> Labeling:
        return self.labelings[posted.bounty_id]

    def advance(self) -> None:
        """Do in each what can be done now."""
        for number, labeling in self.labelings.items():
            self._try(lambda number=number, labeling=labeling: self._advance(number, labeling))

    def _advance(self, number: int, labeling: Labeling) -> None:
        stage = labeling.advance()
        if stage is Stage.LABELING:
            label(self.agent, labeling)
            stage = labeling.advance()
            labeling.leave_with([self.node.watch])
        self.stages[number] = stage

    def _try(self, step: Callable[[], object]) -> None:
        """Do a step; what fails is counted, and tried again in the next round."""
        try:
            step()
        except TruthmarkError as error:
            self.failures[str(error)[:120]] += 1

    def leave(self) -> None:
        """End the turn."""
        for labeling in self.labelings.values():
            labeling.close()
        self.labelings, self.stages = {}, {}


class Soak:
    """Turns of bounties, one after the other.

    Args:
        net: The chain.
        node: What is watched.
        bounties: A turn.
        folder: For labelers' homes.
    """

    def __init__(self, net: Devnet, node: Watched, bounties: int, folder: Path) -> None:
        """Prepare; nothing is posted yet."""
        self.net, self.node, self.bounties, self.folder = net, node, bounties, folder
        self.requester = net.session("requester")
        self.observer = BountyClient(net.session("stranger"))
        self.labelers: list[Labeler] = []
        self.ends: Counter[str] = Counter()
        self.turns = 0
        self._pool = ThreadPoolExecutor(4)

    def turn(self) -> None:
        """Lead as many bounties from their posting to their end.

        Raises:
            RuntimeError: A step does not come about in time.
        """
        begun = time.monotonic()
        posted = [self._post(number) for number in range(self.bounties)]
        needed = posted[0].terms.seats // posted[0].terms.min_run
        while len(self.labelers) < needed:
            home = self.folder / f"labeler-{len(self.labelers)}"
            self.labelers.append(Labeler(self.net, home, self.node))
        list(self._pool.map(lambda labeler: labeler.join(posted), self.labelers))
        self._until(posted, Stage.COMMITTED, Stage.RELEASING, what="everybody to label")
        self._wait(lambda: self._count(posted, committed=True), "the relay to post commits")
        self._warp(posted, "commit")
        self._until(posted, Stage.DELIVERED, what="signatures for labels")
        self._warp(posted, "post")
        self._wait(lambda: self._count(posted, Status.SCORED), "scores")
        self.net.warp(posted[0].terms.challenge_seconds + 2)
        over = (Status.SETTLED, Status.HALF, Status.FLAT, Status.PROVEN, Status.REFUNDED)
        self._wait(lambda: self._count(posted, *over), "payouts")
        self._wait(lambda: bool(self.node.samples) and self._running() == 0, "the node to be done")
        self.ends.update(self.observer.read(one.bounty_id).status.name for one in posted)
        for labeler in self.labelers:
            labeler.leave()
        self.turns += 1
        print(f"turn {self.turns}: {time.monotonic() - begun:.0f} s, {self.node.samples[-1]}")

    def close(self) -> None:
        """Let go of everything."""
        self._pool.shutdown()
        for labeler in self.labelers:
            labeler.session.close()

    def _post(self, number: int) -> Posted:
        names = [f"{self.turns}-{number}-{item}" for item in range(ITEMS)]
        truth = [CLASSES[keccak256(name.encode())[0] % 2] for name in names]
        texts = [f"item {name} is {answer}" for name, answer in zip(names, truth, strict=True)]
        source = frame_source(pd.DataFrame({"name": names, "text": texts}), names="name")
        ask = Ask(
            title=f"Cats and dogs {self.turns}-{number}",
            guidelines="Say what it is.",
            classes=tuple(map(LabelClass, CLASSES)),
            price="0.02 TUSD",
            known={name: Known(answer) for name, answer in zip(names, truth, strict=True)},
            gold_count=GOLD,
            rounds=ROUNDS,
            relay=self.node.url,
            unattended=True,
        )
        return post_bounty(self.requester, source, ask, agree=lambda proposal: True)

    def _until(self, posted: Sequence[Posted], *stages: Stage, what: str) -> None:
        """Let labelers go on until each has come so far in each bounty."""
        numbers = [one.bounty_id for one in posted]

        def done() -> bool:
            list(self._pool.map(Labeler.advance, self.labelers))
            return all(
                labeler.stages.get(number) in stages
                for labeler in self.labelers
                for number in numbers
            )

        self._wait(done, what)

    def _count(self, posted: Sequence[Posted], *statuses: Status, committed: bool = False) -> bool:
        """Whether all are at one of some statuses, or all of their workers have committed."""
        try:
            records = [self.observer.read(one.bounty_id) for one in posted]
        except BountyError:  # a block came between two questions; it is asked again
            return False
        if committed:
            workers = len(self.labelers)
            return all(len(record.commits.standing) >= workers for record in records)
        return all(record.status in statuses for record in records)

    def _running(self) -> float:
        return self.node.samples[-1]["running"]

    def _warp(self, posted: Sequence[Posted], name: str) -> None:
        """Let chain time go on beyond a deadline of all."""
        last = max(
            getattr(one.terms.deadlines(self.observer.mark(one.bounty_id)), name) for one in posted
        )
        now = self.net.status().time
        assert now is not None  # the chain runs
        self.net.warp(max(1, last + 2 - now))

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            if self.node.process.poll() is not None:
                raise RuntimeError("the node has ended")
            if time.monotonic() > deadline:
                stages = Counter(str(s) for one in self.labelers for s in one.stages.values())
                failures = sum((one.failures for one in self.labelers), Counter())
                raise RuntimeError(
                    f"waited in vain for {what}: {dict(stages)}, {failures.most_common(3)}"
                )
            time.sleep(0.2)


def main(arguments: list[str] | None = None) -> int:
    """Soak, and write the table; return 1 if a figure does not hold."""
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=120, help="a turn that began ends later")
    parser.add_argument("--bounties", type=int, default=50, help="at once")
    options = parser.parse_args(arguments)
    report = Report("soak")
    soak(report, options.minutes, options.bounties)
    return report.write()


def soak(report: Report, minutes: float, bounties: int) -> None:
    """Run turns until the minutes are over, and add what was found."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        net = closing.enter_context(Devnet.start(folder / "net"))
        node = Watched.start(net.home("requester"))
        closing.callback(node.close)
        run = Soak(net, node, bounties, folder)
        closing.callback(run.close)
        begun = time.monotonic()
        while not run.turns or time.monotonic() - begun < 60 * minutes:
            run.turn()
        seconds = time.monotonic() - begun
    failures: Counter[str] = sum((one.failures for one in run.labelers), Counter())
    for text, count in failures.most_common(5):
        print(f"{count} × {text}", file=sys.stderr)
    add(report, node.samples, run.ends, failures.total(), seconds, bounties, run.turns)


def add(
    report: Report,
    samples: Sequence[dict[str, Any]],
    ends: Counter[str],
    failures: int,
    seconds: float,
    bounties: int,
    turns: int,
) -> None:
    """Add the figures of what was seen."""
    what = f"{seconds / 60:.0f} minutes, {bounties} bounties at once"
    quarters = [
        samples[len(samples) * part // 4 : len(samples) * (part + 1) // 4] for part in range(4)
    ]
    memory = [_mean(part, "memory") for part in quarters]
    descriptors = [max(sample["descriptors"] for sample in part) for part in quarters]
    last = samples[-1]
    total, settled = sum(ends.values()), ends["SETTLED"]
    report.add(f"{what}: brought to their end in {turns} turns", total, "bounties")
    report.add(f"{what}: that ended SETTLED", 100 * settled / total, "%", at_least=100)
    report.add(
        f"{what}: memory of the node, last quarter",
        memory[3],
        "MiB",
        peer="second quarter",
        peer_value=memory[1],
        at_most=1.1,
    )
    report.add(
        f"{what}: descriptors more than in the second quarter",
        max(0, descriptors[3] - descriptors[1]),
        "descriptors",
        at_most=2 * MAX_OPEN,
    )
    report.add(f"{what}: descriptors at most", max(descriptors), "descriptors")
    report.add(
        f"{what}: processor time of a round", 1000 * last["round_seconds"] / last["rounds"], "ms"
    )
    report.add(f"{what}: processor of the node", 100 * last["seconds"] / seconds, "% of a core")
    report.add(f"{what}: requests answered", last["requests"], "requests")
    report.add(f"{what}: answers from 500 on", last["failed"], "requests", at_most=0)
    report.add(f"{what}: troubles that the node told of and overcame", last["problems"], "troubles")
    report.add(f"{what}: steps of labelers that had to be tried again", failures, "steps")


def _mean(samples: Sequence[dict[str, Any]], name: str) -> float:
    return float(sum(sample[name] for sample in samples) / len(samples))


if __name__ == "__main__":
    os.environ.pop("TRUTHMARK_HOME", None)
    sys.exit(main())
