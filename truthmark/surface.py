# SPDX-License-Identifier: Apache-2.0
"""The stable surface of bounties: `truthmark.Bounty`, described in docs/python.md."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truthmark.bounty.answers import Known
from truthmark.bounty.document import Kind, LabelClass
from truthmark.bounty.flows.asks import OWN_RELAY_URL, Ask, Job
from truthmark.bounty.flows.posting import post_bounty
from truthmark.bounty.flows.results import Brought, collect_result, save_result
from truthmark.bounty.flows.standing import Standing, standing_of
from truthmark.bounty.result_tables import Tables
from truthmark.bounty.sources.found import ItemSource
from truthmark.bounty.sources.memory import frame_source
from truthmark.bounty.sources.opening import open_items_of
from truthmark.bounty.team import Member
from truthmark.config.units import parse_duration, to_checksum_address
from truthmark.errors import BountyError, ConfigError, RelayUnavailableError
from truthmark.session import Session, connect, given_or_own
from truthmark.types import Bar, Say, no_bar, quiet
from truthmark.waiting import Deadline

if TYPE_CHECKING:
    import pandas as pd

    from truthmark.agents.agent import Agent


@dataclass(frozen=True, slots=True)
class BountyResult:
    """What a bounty brought, checked against the chain.

    Attributes:
        brought: All of it, as the library has it.
    """

    brought: Brought
    _session: Session

    @property
    def items(self) -> "pd.DataFrame":
        """A row an item: item, name, label, margin, confidence, labels, agreement, is_gold.

        Where labels are texts: item, name, texts, labels.
        """
        frame: pd.DataFrame = self._tables.items.to_pandas()
        return frame

    @property
    def labels(self) -> "pd.DataFrame":
        """A row a label: item, name, worker, round, label, seconds, flag.

        Where labels are texts: `text` and `state` (written, skipped, missing) instead of `label`.
        """
        frame: pd.DataFrame = self._tables.labels.to_pandas()
        return frame

    @property
    def workers(self) -> "pd.DataFrame":
        """A row a worker: signer, payee, labels, gold, gold_right, weight, share of the price."""
        frame: pd.DataFrame = self._tables.workers.to_pandas()
        return frame

    @property
    def problems(self) -> list[str]:
        """What is wrong, a line each; empty where all holds."""
        return self.brought.finding.problems

    @property
    def warnings(self) -> list[str]:
        """What to look at before trusting the labels, a line each."""
        return self.brought.warnings

    def save(self, folder: Path | str, *formats: str) -> list[Path]:
        """Write the result file, with which anyone can check it, and tables.

        Args:
            folder: Made if there is none.
            formats: Such as "parquet" (if none is given), "csv", "label-studio", "argilla", "coco",
                "image-folder", "trl".

        Raises:
            ConfigError: There is no such format, or it does not fit what was labeled.
        """
        return save_result(self._session, self.brought, Path(folder), formats)

    def __repr__(self) -> str:
        """Show how much there is."""
        tables = self.brought.tables
        count = 0 if tables is None else tables.labels.num_rows
        return (
            f"<BountyResult of bounty {self.brought.result.record.ref.bounty_id}: {count} labels>"
        )

    @property
    def _tables(self) -> Tables:
        if self.brought.tables is None:
            raise BountyError("no labels came yet; look at the bounty's status")
        return self.brought.tables


class Bounty:
    """A bounty: labels that are bought, or given.

    Args:
        number: Its number.
        session: Whose it is, or who looks; one with the settings of this machine if not given.

    Usage example::

        bounty = truthmark.Bounty.create(
            "photos/", classes=["cat", "dog"], price="0.05 USDC", team=["Ann", "Bob"]
        )
        print(bounty.invitations)
        # … `truthmark bounty run`, until everybody is paid …
        print(bounty.result().items)
    """

    def __init__(self, number: int, *, session: Session | None = None) -> None:
        """Take a number; nothing is asked yet."""
        if isinstance(number, bool) or not isinstance(number, int) or number <= 0:
            raise ConfigError(f"{number!r} is no bounty's number; write one such as 12")
        self.number = number
        self._given = session

    def __repr__(self) -> str:
        """Show which one it is."""
        return f"<Bounty {self.number}>"

    @classmethod
    def create(
        cls,
        source: Any,
        *,
        classes: Sequence[str] = (),
        text: bool = False,
        price: str,
        column: str | None = None,
        kind: Kind | None = None,
        id_column: str | None = None,
        gold: Mapping[str, str] | None = None,
        against: Mapping[str, str] | None = None,
        team: Sequence[str] = (),
        labels_per_item: int | None = None,
        title: str | None = None,
        guidelines: str | None = None,
        times: str = "small",
        label_within: str | None = None,
        full: int = 3,
        relay: str | None = None,
        relay_url: str = OWN_RELAY_URL,
        worth: float | None = None,
        max_total: str | None = None,
        leave_out: bool = False,
        again: bool = False,
        job: Job | None = None,
        session: Session | None = None,
        say: Say = quiet,
        bar: Bar = no_bar,
        **more: Any,
    ) -> "Bounty":
        """Have items labeled, and pay for it; the same again is the same bounty, paid once.

        Args:
            source: A table file or a folder, or a pandas DataFrame.
            classes: What may be answered.
            text: Ask for texts instead, of a team.
            price: Of a label, such as "0.05 USDC".
            column: Of a table: what is labeled.
            kind: What an item is: text, image, audio, pair, number; found out if not given.
            id_column: Of a table: what rows are called; their numbers if not given.
            gold: Known answers by name: people are judged by them.
            against: A model's answers by name: gold is then drawn where it is at chance.
            team: Names or addresses of people one knows; there is no gold then.
            labels_per_item: How many people judge an item.
            title: One line.
            guidelines: What to answer when, in Markdown.
            times: How long the steps take: demo, small, careful.
            label_within: How long there is to label, such as "2d".
            full: At how many quarters of the way the full price is paid, 2 or 3.
            relay: URL of somebody's relay; your own `truthmark bounty run` if not given.
            relay_url: Where labelers reach your own.
            worth: What the token's smallest unit is worth in wei; for fees.
            max_total: The most to pay in, bond included.
            leave_out: Leave out items that are broken or equal.
            again: Create another one where the same was created before.
            job: Which items these are of an earlier bounty.
            session: Of the requester.
            say: Told what happens.
            bar: Shows how far reading and storing are.
            more: As `truthmark.bounty.flows.posting.Ask` has it, such as `batch` or `practice`.

        Raises:
            ConfigError: Something cannot be understood.
            BountyError: There is nothing to label, or too little gold.
            PriceError: It takes more than `max_total`, or than the account has.
            ChainError: The board refuses.
        """
        if text == bool(classes):
            raise ConfigError("say what may be answered: either classes, or text=True")
        items = _source(source, column=column, kind=kind, names=id_column)
        called = title or (
            Path(source).resolve().name if isinstance(source, str | Path) else "items"
        )
        ask = Ask(
            title=called,
            guidelines=called if guidelines is None else guidelines,
            classes=tuple(map(LabelClass, classes)),
            price=price,
            known={str(name): Known(answer) for name, answer in (gold or {}).items()},
            against=None if against is None else {str(n): a for n, a in against.items()},
            team=tuple(map(_member, team)),
            rounds=labels_per_item,
            full=full,
            times=times,
            label_seconds=None if label_within is None else parse_duration(label_within),
            relay=relay,
            relay_urls=(relay_url,),
            worth=worth,
            max_total=max_total,
            leaves_out=leave_out,
            again=again,
            unattended=True,
            **more,
        )
        with given_or_own(session) as here:
            posted = post_bounty(
                here, items, ask, agree=lambda proposal: True, job=job, say=say, bar=bar
            )
        return cls(posted.bounty_id, session=session)

    @property
    def invitations(self) -> dict[str, str]:
        """The codes of a team by name; "" for who joins by their address."""
        from truthmark.bounty.workspace import Workspace

        with given_or_own(self._given) as here:
            workspace = Workspace.find(here.home, standing_of(here, self.number).record.ref)
            return {guest.name: guest.code for guest in workspace.guests}

    def label(
        self,
        answer: "Callable[[Any], str] | Any",
        *,
        payee: str | None = None,
        code: str = "",
        seats: int | None = None,
        relay: str | None = None,
        stay: bool = False,
        accept_doubts: bool = False,
        patience: float = 30.0,
        say: Say = quiet,
        bar: Bar = no_bar,
    ) -> str:
        """Join, label with a program, commit, hand out; goes on where it was after a kill.

        Args:
            answer: A function from an item (a text; bytes of a picture or sound; a pair of these; a
                list of numbers) to a class's name or a text, or None to skip; or an object with
                `predict_proba`; or what `truthmark agent run` takes as MODEL.
            payee: Who is paid; the session's account if not given.
            code: An invitation's.
            seats: How many batches at most.
            relay: Its URL, where the bounty's document names none.
            stay: Return only when it is paid, and prove what the score says wrongly.
            accept_doubts: Join in spite of what speaks against it.
            patience: Seconds to wait for a relay that does not answer, or lacks the bounty, yet.
            say: Told what happens.
            bar: Shows how far labeling is.

        Returns:
            How it stands, in words.

        Raises:
            AgentError: The program cannot label this.
            BountyError: It cannot be joined, or is over.
        """
        from truthmark.agents import running
        from truthmark.bounty.flows.labeling import Labeling, Stage

        with (
            _agent(answer) as agent,
            given_or_own(self._given) as here,
            Labeling(here, self.number, relay=relay, say=say, bar=bar) as labeling,
        ):
            paid = here.address if payee is None else to_checksum_address(payee)
            wish = running.Wish(payee=paid, seats=seats, code=code, agrees=accept_doubts)
            running.take_part(
                agent,
                labeling,
                lambda: _patiently(lambda: running.join(agent, labeling, wish, say=say), patience),
                say=say,
                bar=bar,
            )
            return str(labeling.wait(set() if stay else {Stage.DELIVERED, Stage.SCORED}))

    def status(self) -> Standing:
        """Return how the bounty stands.

        Raises:
            BountyError: There is no such bounty.
            ChainError: The chain cannot be read.
        """
        with given_or_own(self._given) as here:
            return standing_of(here, self.number)

    def result(self, *, bar: Bar = no_bar) -> BountyResult:
        """Return what the bounty brought so far, checked against the chain.

        Raises:
            BountyError: It is somebody else's bounty.
            KeysError: The vault does not have its secrets.
        """
        here = connect() if self._given is None else self._given
        return BountyResult(collect_result(here, self.number, bar=bar), here)


def _source(source: Any, *, column: str | None, kind: Kind | None, names: str | None) -> ItemSource:
    if isinstance(source, ItemSource):
        return source
    if isinstance(source, str | Path):
        return open_items_of(Path(source).expanduser(), column=column, kind=kind, names=names)
    return frame_source(source, column=column, kind=kind, names=names)


def _patiently(ask: Callable[[], None], patience: float) -> None:
    """Ask a relay, again and again while it does not answer, or cannot yet."""
    deadline = Deadline(patience)
    while True:
        try:
            return ask()
        except RelayUnavailableError:
            if deadline.is_over:
                raise
        time.sleep(0.5)


def _agent(answer: Any) -> "Agent":
    from truthmark.agents.agent import Agent
    from truthmark.agents.function import FunctionAgent
    from truthmark.agents.model import ModelAgent
    from truthmark.agents.opening import open_agent

    if isinstance(answer, Agent):
        return answer
    if isinstance(answer, str):
        return open_agent(answer)
    if callable(answer) and not hasattr(answer, "predict_proba"):
        return FunctionAgent(answer)
    return ModelAgent(answer)


def _member(text: str) -> Member:
    if text.lower().startswith("0x"):
        return Member(text, to_checksum_address(text))
    return Member(text)
