# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty label`: one sitting, from the first item to labels that are delivered."""

from pathlib import Path

import click

from truthmark.bounty.answer_log import AnswerLog
from truthmark.bounty.flows.answer_sheet import read_sheet, write_sheet
from truthmark.bounty.flows.handing_out import WatchNode
from truthmark.bounty.flows.item_shelf import ItemShelf
from truthmark.bounty.flows.labeling import Labeling, Run, Stage
from truthmark.bounty.flows.paying import pay_all
from truthmark.bounty.pairs import is_swapped
from truthmark.bounty.relays import relay_client
from truthmark.cli.bounty_offers import pay_line, relay_option
from truthmark.cli.command import State, command, json_option
from truthmark.cli.labeling_screen import Screen
from truthmark.cli.output import amount_json, echo, echo_json, info, progress_bar
from truthmark.cli.param_types import BOUNTY, FILE, PLACE
from truthmark.cli.writing_screen import WritingScreen
from truthmark.errors import BountyError, ConfigError, TruthmarkError
from truthmark.session import Session
from truthmark.text import format_duration, format_time, plural
from truthmark.waiting import Deadline


@command()
@click.argument("bounty", type=BOUNTY)
@click.option(
    "--answers",
    type=FILE,
    help='CSV of item, answer (a class or text, or "skip") instead of keys.',
)
@click.option(
    "--export",
    type=PLACE,
    metavar="FOLDER",
    help="Write your items there, with items.csv, and end: for scripts that make --answers.",
)
@click.option(
    "--partial", is_flag=True, help="Commit the batches that are complete, though others are not."
)
@click.option("--stay", is_flag=True, help="Stay until you are paid, and prove what is wrong.")
@click.option(
    "--leave-with",
    "nodes",
    multiple=True,
    metavar="URL",
    help="Leave commit and sealed labels with this watch node, which acts for you; several times.",
)
@click.option(
    "--reveal",
    is_flag=True,
    help="Give watch nodes what they need to prove a lie for you; they can read your labels then.",
)
@relay_option
@json_option
def label(
    state: State,
    bounty: int,
    answers: Path | None,
    export: Path | None,
    partial: bool,
    stay: bool,
    nodes: tuple[str, ...],
    reveal: bool,
    relay: str | None,
    as_json: bool,
) -> None:
    """Label BOUNTY, which you have joined, in one sitting.

    Your labels are signed, put on chain, and handed out: this waits for it. Stopped at any point,
    the same command goes on; nothing that you answered is lost.
    """
    with (
        state.session() as session,
        Labeling(session, bounty, relay=relay, say=info, bar=progress_bar) as labeling,
    ):
        stage = labeling.wait({*Stage} - {Stage.WAITING}, told=_tell)
        if stage is Stage.OUTSIDE:
            raise BountyError(f"join first: truthmark bounty join {bounty}")
        if stage is Stage.LABELING:
            run = labeling.place()
            shelf = labeling.open_items(run)
            shelf.fetch(run.items)
            if export is not None:
                write_sheet(export, run, shelf)
                echo(str(export))
                info(
                    f"{plural(len(run.items), 'item')}; fill in the column answer of items.csv,"
                    " and give it as --answers"
                )
                return
            with labeling.answers() as log:
                if not _answer(session, labeling, run, shelf, log, answers, partial):
                    info(
                        f"your answers are kept; go on until {format_time(run.last_call)}:"
                        f" truthmark bounty label {bounty}"
                    )
                    return
                labeling.commit(log)
        elif answers is not None or export is not None:
            raise BountyError(f"bounty {bounty} is {stage}; there is nothing to answer now")
        if nodes:
            _leave(labeling, nodes, reveal)
        ends = set() if stay else {Stage.DELIVERED, Stage.SCORED}
        stage = labeling.wait(ends, told=_tell)
        report(session, labeling, bounty, stage, pays=stay, as_json=as_json)


def _tell(stage: Stage) -> None:
    if stage not in (Stage.OUTSIDE, Stage.LABELING):
        info(f"{stage}")


def _answer(
    session: Session,
    labeling: Labeling,
    run: Run,
    shelf: ItemShelf,
    log: AnswerLog,
    answers: Path | None,
    partial: bool,
) -> bool:
    """Take answers; returns whether they are to be committed."""
    if answers is not None:
        for item, answer in read_sheet(answers, run).items():
            if isinstance(answer, str):
                if log.texts.get(item) != answer:
                    log.write(item, answer)
            elif log.codes.get(item) != answer:
                log.answer(item, answer)
    else:
        offer = labeling.offer()
        left = Deadline(run.last_call - session.chain.time())

        def status(seconds: float | None) -> str:
            pay = pay_line(session, offer, seconds)
            time_left = f"{format_duration(int(left.left))} left" if left.left else "time is over"
            return f"{pay} · {time_left}" if pay else time_left

        screen = (Screen if run.document.classes else WritingScreen)(
            run.items,
            run.document.classes,
            log,
            shelf.item,
            title=run.document.title,
            guidelines=run.document.guidelines,
            status=status,
            is_judged=not run.terms.is_team,
            is_swapped=lambda item: (
                run.document.kind == "pair"
                and bool(run.document.classes)
                and is_swapped(run.seed, run.place.worker, item)
            ),
        )
        if not screen.run() and not partial:
            return False
    missing = sum(item not in log.codes for item in run.items)
    if missing and not partial:
        raise BountyError(
            f"{missing} of {plural(len(run.items), 'item')} have no answer; add them, or commit the"
            " complete batches with --partial"
        )
    return True


def _leave(labeling: Labeling, urls: tuple[str, ...], reveals: bool) -> None:
    nodes = []
    for url in urls:
        key = None
        if reveals:
            with relay_client.RelayClient(url) as client:
                said = client.info()
            mine = {url.rstrip("/"), said.url.rstrip("/")}
            key = next((node.key for node in said.watch if node.url.rstrip("/") in mine), None)
            if key is None:
                raise ConfigError(f"{url} names no key of its own; leave it without --reveal")
        nodes.append(WatchNode(url, key))
    for url in labeling.leave_with(nodes):
        info(f"left with {url}, which acts for you when this is off")


def report(
    session: Session, labeling: Labeling, bounty: int, stage: Stage, *, pays: bool, as_json: bool
) -> None:
    """Say how far a labeler is and what they get; where it has ended, pay that out if asked to."""
    if stage is Stage.MISSED:
        raise BountyError(f"bounty {bounty} is over without your labels")
    earned = labeling.earned()
    entry = labeling.folder.entry
    assert entry is not None, "or there was nothing to label"
    if stage is Stage.ENDED and pays:
        try:
            session.require_account()
            pay_all(session, bounty, payees=[entry.payee], say=info)
        except TruthmarkError as error:
            info(f"not paid out yet ({error}); anyone may: truthmark bounty payout {bounty}")
    if as_json:
        echo_json(
            {
                "bounty": bounty,
                "stage": stage.name.lower(),
                "payee": entry.payee,
                "earned": None
                if earned is None
                else {
                    **amount_json(session, earned.units, earned.token),
                    "share": earned.share,
                    "is_final": earned.is_final,
                },
            }
        )
        return
    echo(f"bounty {bounty}: {stage}")
    if earned is not None:
        shown = session.profile.amount(earned.units, earned.token)
        would = "you get" if earned.is_final else "by the score you get"
        echo(f"{would} {shown}, {earned.share:.0%} of the full price, at {entry.payee}")
    if stage in (Stage.DELIVERED, Stage.SCORED):
        phase = labeling.phase()
        until = f" until {format_time(phase.until)}" if phase.until is not None else ""
        info(f"{phase.says}{until}; then: {phase.then}")
        info(
            "a wrong score is disproved by you or a watch node of yours: truthmark bounty label"
            f" {bounty} --stay"
        )
