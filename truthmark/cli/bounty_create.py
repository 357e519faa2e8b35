# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty create`: pays for labels, and gives the items to the relay."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from truthmark.bounty.document import Kind
from truthmark.bounty.facts import estimate_facts
from truthmark.bounty.flows.asks import OWN_RELAY_URL, Ask, Posted, Proposal
from truthmark.bounty.flows.following import follow_up
from truthmark.bounty.flows.posting import post_bounty
from truthmark.bounty.sources.opening import open_items_of
from truthmark.bounty.team import invitation_link, read_team
from truthmark.bounty.terms import NO_ACCOUNT
from truthmark.bounty.waves import parse_waves
from truthmark.cli.bounty_asking import (
    classes_option,
    full_option,
    label_within_option,
    read_classes,
    read_gold,
    read_guidelines,
    read_predictions,
    rounds_option,
    seconds_option,
    source_options,
    tell_reading,
    text_option,
    times_option,
)
from truthmark.cli.command import State, command, json_option, resolve_address, yes_option
from truthmark.cli.output import ask as ask_yes
from truthmark.cli.output import echo, echo_json, info, progress_bar, table
from truthmark.cli.param_types import ACCOUNT, AMOUNT, BOUNTY, DURATION, FILE, SOURCE
from truthmark.cli.worth import read_worth, worth_option
from truthmark.errors import ConfigError
from truthmark.session import Session
from truthmark.text import format_duration, plural


@command()
@click.argument("source", type=SOURCE, required=False)
@classes_option
@text_option
@click.option("--price", type=AMOUNT, help='For a label, such as "0.05 TUSD".')
@source_options
@click.option("--like", type=BOUNTY, help="Ask again what is unsure of that bounty of yours.")
@click.option("--gold", type=FILE, help="CSV of item and answer: what you know; see `gold`.")
@click.option("--gold-count", type=click.IntRange(2, 2048), help="How much of it judges people.")
@click.option("--against", type=FILE, help="CSV of a model's answers: gold where it is at chance.")
@click.option("--practice", type=click.IntRange(0, 30), help="How many known items to learn from.")
@click.option(
    "--team", type=FILE, help="A name or address a line: people you know. No gold, no bond."
)
@rounds_option
@full_option
@times_option
@label_within_option
@click.option("--join-within", type=DURATION, help="How long there is to join.")
@click.option("--title", help="One line; the name of SOURCE unless given.")
@click.option("--guidelines", type=FILE, help="What to answer when: a text or Markdown.")
@click.option("--licence", default="CC0-1.0", show_default=True, help="What labelers grant.")
@click.option("--flag", "flags", multiple=True, help="Warning of content, such as violence.")
@click.option("--relay", metavar="URL", help="Somebody's relay; your own `bounty run` if left out.")
@click.option(
    "--relay-url",
    "relay_urls",
    multiple=True,
    metavar="URL",
    help=f"Where labelers reach your own.  [default: {OWN_RELAY_URL}]",
)
@click.option(
    "--upload/--no-upload",
    "uploads",
    default=True,
    help="With --relay: bring it the items, or let it fetch them from your storage.",
)
@click.option(
    "--receiver-url",
    "receiver_urls",
    multiple=True,
    metavar="URL",
    help="With --relay: where labelers bring you files while that is away.",
)
@click.option("--gate", type=ACCOUNT, help="Contract that admits labelers.")
@click.option("--public", is_flag=True, help="Everybody may read the items.")
@click.option(
    "--waves", metavar="2+2+3", help="Labels an item by wave: later ones ask unsure items."
)
@click.option("--below", type=click.IntRange(1), metavar="MARGIN", help="Which items are unsure.")
@seconds_option
@worth_option
@click.option("--batch", type=click.IntRange(1, 64), help="Items that are dealt out together.")
@click.option("--leave-out", is_flag=True, help="Leave out what is broken or equal, unasked.")
@click.option("--max-total", type=AMOUNT, help="The most to pay in, bond included.")
@click.option("--again", is_flag=True, help="Create another one of the same.")
@yes_option
@json_option
def create(
    state: State,
    /,
    source: Path | None,
    classes: str | None,
    text: bool,
    price: str | None,
    like: int | None,
    column: str | None,
    kind: Kind | None,
    names: str | None,
    gold: Path | None,
    against: Path | None,
    team: Path | None,
    labels_per_item: int | None,
    label_within: int | None,
    join_within: int | None,
    title: str | None,
    guidelines: Path | None,
    relay_urls: tuple[str, ...],
    gate: str | None,
    public: bool,
    waves: str | None,
    worth: str | None,
    leave_out: bool,
    yes: bool,
    as_json: bool,
    **rest: Any,
) -> None:
    """Have SOURCE labeled, and pay for it.

    SOURCE is a table (CSV, TSV, JSON lines, Parquet, Arrow) or a folder of pictures, sounds or
    texts. Pictures become copies: upright, small, without place and time. Shows what it costs and
    what guessing would pay, and asks before it pays. Run `truthmark bounty run` then.

    If it is interrupted, the same command goes on, and nothing is paid twice.

    With --like instead of SOURCE, items of an earlier bounty with a margin below --below are asked
    again, with gold of their own: known answers that were none before, and those of --gold.
    """
    with state.session(signs=True) as session:
        if like is not None:
            posted = follow_up(
                session,
                like,
                agree=partial(_agree, session, yes=yes),
                below=rest["below"],
                rounds=labels_per_item,
                price=price,
                known=read_gold(gold),
                changes={"max_total": rest["max_total"], "unattended": yes},
                say=info,
                bar=progress_bar,
            )
            _tell(posted, None, as_json=as_json)
            return
        if source is None or price is None:
            raise ConfigError(
                'name what is labeled and a price: SOURCE --price "0.05 TUSD", or --like 12'
            )
        if text and classes is not None:
            raise ConfigError("say either what may be answered, or --text")
        items = open_items_of(source, column=column, kind=kind, names=names)
        token, _ = session.profile.parse_amount(price)
        ask = Ask(
            title=title or source.resolve().name,
            guidelines=read_guidelines(guidelines, title or source.resolve().name),
            classes=() if text else read_classes(classes, items.kind),
            price=price,
            known=read_gold(gold),
            against=read_predictions(against),
            team=() if team is None else tuple(read_team(team)),
            rounds=labels_per_item,
            label_seconds=label_within,
            join_seconds=join_within,
            relay_urls=relay_urls or (OWN_RELAY_URL,),
            gate=resolve_address(session, gate) if gate is not None else NO_ACCOUNT,
            worth=read_worth(session.profile, worth, token.address),
            encrypted=not public,
            waves=parse_waves(waves or ""),
            leaves_out=leave_out,
            unattended=yes,
            **rest,
        )
        posted = post_bounty(
            session,
            items,
            ask,
            agree=partial(_agree, session, yes=yes),
            say=info,
            bar=progress_bar,
        )
        _tell(posted, ask.relay, as_json=as_json)


def _agree(session: Session, proposal: Proposal, *, yes: bool) -> bool:
    """Show what it costs, and ask."""
    tell_reading(proposal.reading)
    for line in proposal.warnings:
        info(f"mind: {line}")
    if proposal.idle:
        info(f"mind: there is no work for {proposal.idle} of those who are invited")
    if proposal.gold:
        info("gold: " + ", ".join(f"{count} × {name}" for name, count in proposal.gold.items()))
    for name, value in estimate_facts(session.profile, proposal.terms, proposal.estimate):
        if value is not None:
            info(f"{name}: {value}")
    total = session.profile.amount(proposal.estimate.total, proposal.terms.token)
    left = proposal.reading.left_out
    leaving = f", leaving {plural(left, 'item')} out" if left else ""
    return ask_yes(f"pay {total} in{leaving}?", yes=yes)


def _tell(posted: Posted, relay: str | None, *, as_json: bool) -> None:
    """Say what was created, who is invited how, and what comes next."""
    urls = posted.workspace.document.relay_urls
    guests = posted.workspace.guests
    relay = urls[0] if urls else relay or ""
    links = [invitation_link(relay, posted.bounty_id, guest.code) for guest in guests]
    if as_json:
        echo_json(
            {
                "bounty": posted.bounty_id,
                "is_new": posted.is_new,
                "workspace": str(posted.workspace.folder),
                "relay_urls": list(urls),
                "is_offered": posted.is_offered,
                "guests": [
                    {"name": one.name, "account": one.account, "code": one.code, "link": link}
                    for one, link in zip(guests, links, strict=True)
                ],
            }
        )
        return
    echo(str(posted.bounty_id))
    if guests:
        within = format_duration(posted.terms.join_seconds)
        info(f"send each of them their link, to join within {within}; a code serves one person:")
        table([(one.name, link) for one, link in zip(guests, links, strict=True)], ("who", "link"))
        info("or, for who labels in a terminal, their line:")
        line = f"truthmark bounty join {posted.bounty_id} --relay {relay}"
        table(
            [(one.name, f"{line} --code {one.code}" if one.code else line) for one in guests],
            ("who", "command"),
        )
    if not posted.is_offered:
        info(f"now keep it running: truthmark bounty run {posted.bounty_id}")
    info("keep your secrets safe: truthmark wallet backup FILE; without them nobody can be scored")
