# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty practice`: items whose answers are known, judged on this machine alone."""

import tempfile
from pathlib import Path

import click

from truthmark.bounty.answer_log import AnswerLog
from truthmark.bounty.flows.labeling import Labeling
from truthmark.cli.bounty_offers import pay_line, relay_option
from truthmark.cli.command import State, command, json_option
from truthmark.cli.labeling_screen import Screen
from truthmark.cli.output import echo, echo_json, info, progress_bar
from truthmark.cli.param_types import BOUNTY
from truthmark.errors import BountyError
from truthmark.text import clean, plural


@command()
@click.argument("bounty", type=BOUNTY)
@relay_option
@json_option
def practice(state: State, bounty: int, relay: str | None, as_json: bool) -> None:
    """Try BOUNTY on items with known answers; nobody learns how it went."""
    with (
        state.session() as session,
        Labeling(session, bounty, relay=relay, say=info, bar=progress_bar) as labeling,
        tempfile.TemporaryDirectory(prefix="practice-") as folder,
        AnswerLog(Path(folder) / "answers.log") as log,
    ):
        document = labeling.offer().document
        if not document.practice:
            raise BountyError(f"bounty {bounty} has nothing to practice on; see `bounty show`")
        shelf = labeling.shown_items(document)
        known = {entry.item: entry for entry in document.practice}

        def comment(item: int, code: int) -> str:
            entry = known[item]
            said = (
                " · right"
                if code == entry.answer
                else (f" · no, it is {clean(document.classes[entry.answer].name, 60)}")
            )
            return said + (f": {clean(entry.explanation, 500)}" if entry.explanation else "")

        screen = Screen(
            list(known),
            document.classes,
            log,
            shelf.shown,
            title=document.title,
            guidelines=document.guidelines,
            comment=comment,
            is_judged=True,
        )
        if not screen.run():
            return
        right = sum(log.codes[item] == entry.answer for item, entry in known.items())
        labeling.folder.keep_practice(right / len(known))
        offer = labeling.offer()
        if as_json:
            echo_json(
                {
                    "bounty": bounty,
                    "right": right,
                    "of": len(known),
                    "expected_share": offer.outlook.mean,
                }
            )
            return
        echo(f"{right} of {plural(len(known), 'item')} right")
        look = offer.outlook
        pays = pay_line(session, offer)
        echo(
            f"who is right as often gets about {look.mean:.0%} of the full price"
            f" ({look.low:.0%} to {look.high:.0%})" + (f", {pays}" if pays else "")
        )
