# SPDX-License-Identifier: Apache-2.0
"""`truthmark agent run`: labels with a program."""

from contextlib import closing

import click

from truthmark.agents import running
from truthmark.agents.agent import Agent
from truthmark.agents.opening import TIMEOUT, open_agent
from truthmark.bounty.document import Document
from truthmark.bounty.flows.labeling import Labeling, Stage
from truthmark.cli.bounty_join import join_options, payee_of
from truthmark.cli.bounty_label import report
from truthmark.cli.bounty_offers import relay_option
from truthmark.cli.command import State, command, json_option, yes_option
from truthmark.cli.output import echo_json, info, progress_bar
from truthmark.cli.param_types import BOUNTY
from truthmark.cli.worth import read_worth
from truthmark.errors import ConfigError
from truthmark.session import Session


@command()
@click.argument("model")
@click.option("--bounty", type=BOUNTY, help="Which.")
@click.option("--all", "everything", is_flag=True, help="Every open one that fits, unattended.")
@click.option("--max", "limit", type=click.IntRange(1), help="With --all: join so many, and end.")
@click.option(
    "--at-once",
    type=click.IntRange(1, 32),
    default=running.AT_ONCE,
    show_default=True,
    help="With --all: how many bounties are answered at the same time.",
)
@click.option("--classes", metavar="A,B,…", help="With --all: only where these are the answers.")
@click.option("--text", is_flag=True, help="With --all: only where texts are asked.")
@click.option("--kind", help="With --all: only text, image, audio, pair or number.")
@click.option(
    "--least-practice",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="PART",
    help="Join only where so much of the practice is right, such as 0.8.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 3_600),
    default=TIMEOUT,
    show_default=True,
    help="Seconds for an item, of a URL or a command.",
)
@join_options
@click.option(
    "--worth",
    metavar="AMOUNT",
    help='What one token of --bounty is worth in what gas is paid in, such as "0.0004 ETH".',
)
@click.option("--stay", is_flag=True, help="Stay until it is paid, and prove what is wrong.")
@relay_option
@yes_option
@json_option
def run(
    state: State,
    model: str,
    bounty: int | None,
    everything: bool,
    limit: int | None,
    at_once: int,
    classes: str | None,
    text: bool,
    kind: str | None,
    least_practice: float,
    timeout: float,
    payee: str | None,
    seats: int | None,
    code: str,
    account: str,
    worth: str | None,
    stay: bool,
    relay: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Label with a program.

    MODEL is package.module:object with predict_proba, a .onnx file, a URL to which items are
    posted, or a command that reads an item and prints an answer. docs/label.md has what each gets.
    """
    if (bounty is None) != everything:
        raise ConfigError("say what to label: --bounty N, or --all")
    if everything and (classes is None) != text:
        raise ConfigError(
            "with --all say what the program can answer, either --classes cat,dog or --text; it"
            " would label what it was not made for"
        )
    with open_agent(model, timeout=timeout) as agent, state.session() as session:
        wish = running.Wish(
            payee=payee_of(session, payee),
            seats=seats,
            code=code,
            account=account,
            agrees=yes,
            least_practice=least_practice,
        )
        if bounty is None:
            crew = running.Crew(
                session,
                agent,
                wish,
                fits=_fits(classes or "", kind),
                limit=limit,
                relay=relay,
                at_once=at_once,
                say=info,
            )
            with closing(crew):
                crew.run()
            if as_json:
                stages = {str(n): stage.name.lower() for n, stage in crew.stages.items()}
                echo_json({"bounties": stages})
            return
        with Labeling(session, bounty, relay=relay, say=info, bar=progress_bar) as labeling:
            running.take_part(
                agent,
                labeling,
                lambda: _join(session, agent, labeling, wish, worth),
                told=_tell,
                say=info,
                bar=progress_bar,
            )
            stage = labeling.wait(set() if stay else {Stage.DELIVERED, Stage.SCORED}, told=_tell)
            report(session, labeling, bounty, stage, pays=stay, as_json=as_json)


def _tell(stage: Stage) -> None:
    info(str(stage))


def _join(
    session: Session, agent: Agent, labeling: Labeling, wish: running.Wish, worth: str | None
) -> None:
    if worth is not None:
        token = labeling.offer().terms.token
        value = read_worth(session.profile, worth, token)
        assert value is not None, "it was said"
        wish.worth[token.lower()] = value
    running.join(agent, labeling, wish, say=info)


def _fits(classes: str, kind: str | None) -> running.Judge:
    wanted = {name.strip() for name in classes.split(",") if name.strip()}

    def fits(document: Document) -> bool:
        is_kind = kind is None or document.kind == kind
        return is_kind and {entry.name for entry in document.classes} == wanted

    return fits
