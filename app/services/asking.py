# SPDX-License-Identifier: Apache-2.0
"""What a requester asks, and what it would cost, take and pay."""

import base64
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Final

from app import ask_views as views
from app.services.accounts import my_session
from app.services.amounts import rounded_up
from app.services.knowing import known_of, predictions_of, seconds_of
from app.services.reading import is_local, shared_reader
from app.services.shelves import shelf_of
from app.services.windows import must_be_on
from truthmark.bounty.document import LabelClass
from truthmark.bounty.facts import estimate_facts
from truthmark.bounty.flows.asks import Ask
from truthmark.bounty.flows.posting import plan_bounty
from truthmark.bounty.items import Item
from truthmark.bounty.planning import TIMES, Estimate, estimate, warnings_of
from truthmark.bounty.shape import ROUNDS, advised_gold
from truthmark.bounty.team import Member, parse_team
from truthmark.bounty.terms import NO_ACCOUNT, Terms
from truthmark.bounty.waves import parse_waves
from truthmark.config.units import parse_units, to_checksum_address
from truthmark.errors import ConfigError
from truthmark.session import Session
from truthmark.text import clean, format_duration

MOST_TYPED: Final = 5_000
"""Characters of a field."""
_MOST_EXAMPLES: Final = 20


def classes_in(text: str) -> tuple[tuple[str, str], ...]:
    """Return the answers that stand in a text, a line each, with their keys."""
    found = []
    for line in text.splitlines():
        name, sign, key = line.rpartition("=")
        whole = (name.strip(), key.strip()) if sign else (line.strip(), "")
        if any(whole):
            found.append(whole)
    return tuple(found)


def typed_preview(form: views.AskForm, title: str, guidelines: str, examples: str) -> views.Preview:
    """Return a bounty as labelers would see it, on texts that were typed; keeps nothing.

    Args:
        form: With the classes.
        title: Of the bounty.
        guidelines: Likewise.
        examples: Texts to be labeled, one a line.

    Raises:
        ConfigError: The classes cannot be answered, or there is no text.
        BountyError: A text cannot be shown.
    """
    require_classes(form)
    texts = [line.strip() for line in examples.splitlines() if line.strip()][:_MOST_EXAMPLES]
    if not texts:
        raise ConfigError("type an item or two, one a line; then you can try the page on them")
    items = tuple(base64.b64encode(Item.of_text(text).to_bytes()).decode() for text in texts)
    return views.Preview(title, guidelines, form.classes, "text", items)


def commands(form: views.AskForm) -> tuple[str, ...]:
    """Return the lines that ask on one's own machine what a form says.

    Raises:
        ConfigError: The classes cannot be answered, or cannot stand in one line.
    """
    require_classes(form)
    if any("," in name or "=" in name for name, _ in form.classes):
        raise ConfigError(
            "an answer has a comma or =, which separate answers in a command; say it in other words"
        )
    classes = shlex.quote(",".join(name + (f"={key}" if key else "") for name, key in form.classes))
    price = shlex.quote(f"{form.price.strip()} {form.token}")
    known = "--team team.txt" if form.is_team else "--gold photos.gold.csv"
    return (
        *(() if form.is_team else (f"truthmark bounty gold ./photos --classes {classes}",)),
        f"truthmark bounty create ./photos --classes {classes} --price {price} {known}",
        "truthmark bounty run",
    )


def times() -> tuple[tuple[str, str], ...]:
    """Return how long the steps may take: names, and what they mean."""
    return tuple(
        (
            name,
            f"{format_duration(it.join)} to join, {format_duration(it.label)} to label; then"
            f" {format_duration(it.score)} in which this computer must be on at some time, and"
            f" {format_duration(it.challenge)} to object",
        )
        for name, it in TIMES.items()
    )


def cost(form: views.AskForm, items: int | None = None) -> views.Cost:
    """Return what a form would cost, take and pay at today's prices.

    Args:
        form: What is filled in.
        items: How many, where no items were read.

    Raises:
        ConfigError: Something cannot be understood.
        BountyError: There is too little gold, or there are too few people.
    """
    session = _reader()
    count = items if items is not None else len(shelf_of(form).names)
    ask = ask_of(form, session) if items is None else _ask_without_items(form, session)
    gold, said = _gold_of(ask, count, is_guess=items is not None)
    plan, idle = plan_bounty(session, ask, items=count, gold=gold)
    token, _ = session.profile.parse_amount(ask.price)
    terms = plan.example(token.address)
    found = estimate(terms, seconds_per_item=ask.seconds_per_item)
    warnings = warnings_of(terms, found)
    if idle:
        warnings.append(f"there is no work for {idle} of those who are invited")
    return cost_view(session, terms, found, warnings, said)


def _gold_of(ask: Ask, items: int, *, is_guess: bool) -> tuple[int, str]:
    """Return with how much gold to compute, and what is to be said of that."""
    if ask.team:
        return 0, ""
    rounds = ask.waves[0] if ask.waves else ask.rounds or ROUNDS
    advised = advised_gold(items, rounds)
    practice = min(10, len(ask.known) // 10)
    known = (len(ask.known) - practice) // max(1, len(ask.waves))
    if is_guess or known < 2:
        return advised, f"computed with {advised} known answers, as advised"
    return known, f"computed with {known} of your {len(ask.known)} answers; {advised} are advised"


def cost_view(
    session: Session, terms: Terms, found: Estimate, warnings: list[str], known: str = ""
) -> views.Cost:
    """Return what terms cost, take and pay, as a page shows it."""
    facts = [
        (name, value)
        for name, value in estimate_facts(session.profile, terms, found, rounded_up)
        if value is not None and not name.startswith("who ")
    ]
    chances = [] if found.guesser is None else [("who guesses", found.guesser)]
    chances += [(f"who is right in {skill:.0%}", it) for skill, it in found.honest.items()]
    now = session.chain.time()
    return views.Cost(
        total=rounded_up(session.profile.amount(found.total, terms.token)),
        facts=tuple(facts),
        chances=tuple(views.Chances(who, it.mean, it.low, it.high) for who, it in chances),
        warnings=tuple(clean(line, 400) for line in warnings),
        must_be_on=must_be_on(terms, now + terms.join_seconds, now, is_latest=True),
        known=known,
        gas=found.requester_gas,
    )


def _reader() -> Session:
    return my_session() if is_local() else shared_reader().session


def ask_of(form: views.AskForm, session: Session) -> Ask:
    """Return what is asked, as the flows take it."""
    title = " ".join(form.title.split()) or Path(form.path.strip()).expanduser().resolve().name
    return replace(
        _ask_without_items(form, session),
        title=title,
        guidelines=form.guidelines.strip() or title,
        known=known_of(form),
        against=predictions_of(form) if form.is_against and not form.is_team else None,
        seconds_per_item=seconds_of(form),
        leaves_out=form.leaves_out,
        unattended=True,
    )


def _ask_without_items(form: views.AskForm, session: Session) -> Ask:
    people: tuple[Member, ...] = ()
    if form.is_team:
        people = tuple(parse_team(form.people, "the list of people"))
    classes = tuple(LabelClass(name.strip(), key.strip()) for name, key in form.classes)
    _require_classes(classes)
    waves = () if form.is_team else parse_waves(form.waves)
    return Ask(
        title="",
        guidelines="",
        classes=classes,
        price=f"{form.price.strip()} {form.token}",
        team=people,
        rounds=None if waves else form.rounds or None,
        waves=waves,
        times=form.times,
        label_seconds=form.label_hours * 3_600 or None,
        gate=to_checksum_address(form.gate.strip()) if form.gate.strip() else NO_ACCOUNT,
        relay_urls=(form.relay_url.strip(),),
        worth=_worth(form, session),
    )


def _require_classes(classes: tuple[LabelClass, ...]) -> None:
    names = [entry.name for entry in classes]
    if len(names) < 2 or not all(names):
        raise ConfigError("name what may be answered, two classes or more")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"the class {clean(twice[0], 60)} is there twice; leave one")
    keys = [entry.key for entry in classes if entry.key]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise ConfigError(f"two classes have the key {clean(twice[0], 10)}; give each its own")
    if any(len(key) != 1 for key in keys):
        raise ConfigError("a key is one letter or digit, or nothing; correct the keys")


def require_classes(form: views.AskForm) -> None:
    """Refuse classes that cannot be answered.

    Raises:
        ConfigError: There are too few, or two are alike.
    """
    _require_classes(tuple(LabelClass(name.strip(), key.strip()) for name, key in form.classes))


def _worth(form: views.AskForm, session: Session) -> float | None:
    if not form.worth.strip():
        return None
    token, _ = session.profile.parse_amount(f"1 {form.token}")
    wei = parse_units(form.worth.strip(), 18)
    if not wei:
        raise ConfigError(f"{clean(form.worth, 40)} is worth nothing; write such as 0.0003")
    return wei / float(10**token.decimals)


def require_people(form: views.AskForm) -> None:
    """Refuse a team that nobody is in, or somebody twice.

    Raises:
        ConfigError: It is.
    """
    parse_team(form.people, "the list of people")
