# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty estimate`: what labels would cost, take and pay; without an account."""

from pathlib import Path

import click

from truthmark.bounty.document import Kind
from truthmark.bounty.facts import estimate_facts
from truthmark.bounty.planning import TIMES, Gas, Plan, estimate, fees_for, warnings_of, with_times
from truthmark.bounty.shape import ROUNDS, advised_gold, shape_open, shape_team
from truthmark.bounty.sources.found import Reading, take
from truthmark.bounty.sources.opening import open_items_of
from truthmark.bounty.team import read_team
from truthmark.bounty.terms import MAX_HASHES
from truthmark.chain.replies import hex_int
from truthmark.cli.bounty_asking import (
    estimate_json,
    full_option,
    label_within_option,
    price_option,
    read_classes,
    rounds_option,
    seconds_option,
    source_options,
    tell_reading,
    text_option,
    times_option,
)
from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import echo_json, info, print_fields, progress_bar
from truthmark.cli.param_types import FILE, SOURCE, Read
from truthmark.cli.worth import read_worth, worth_option
from truthmark.errors import ChainError, ConfigError
from truthmark.labels.scoring import MAX_CLASSES

_GWEI = 10**9
_COIN = 3_000
"""What the coin that pays gas is taken to be worth in tokens, where nobody says."""


def _read_count(text: str, state: State) -> int:
    count = int(text) if text.isascii() and text.isdecimal() else len(read_classes(text))
    if not 2 <= count <= MAX_CLASSES:
        raise ConfigError(f"an item may have 2 to {MAX_CLASSES} answers, not {count}")
    return count


@command("estimate")
@click.argument("source", type=SOURCE, required=False)
@click.option("--items", type=click.IntRange(1), help="How many, instead of SOURCE.")
@price_option
@click.option(
    "--classes",
    "count",
    metavar="N",
    type=Read("classes", _read_count),
    default="2",
    show_default=True,
    help="How many answers an item may have, or the answers as for `create`.",
)
@text_option
@source_options
@click.option("--gold-count", type=click.IntRange(2, 2048), help="How many answers you would know.")
@click.option("--team", type=FILE, help="A name or address a line: people you know.")
@rounds_option
@full_option
@times_option
@label_within_option
@seconds_option
@click.option("--gas-price", type=click.FloatRange(0), metavar="GWEI", help="Instead of today's.")
@worth_option
@json_option
def estimate_(
    state: State,
    /,
    source: Path | None,
    items: int | None,
    price: str,
    count: int,
    text: bool,
    column: str | None,
    kind: Kind | None,
    names: str | None,
    gold_count: int | None,
    team: Path | None,
    labels_per_item: int | None,
    full: int,
    times: str,
    label_within: int | None,
    seconds_per_item: float | None,
    gas_price: float | None,
    worth: str | None,
    as_json: bool,
) -> None:
    """Show what labeling SOURCE would cost, take and pay. Needs no account.

    Also what people get who only guess, and what those get who know: by the very rule that pays.
    """
    profile = state.profile
    token, units = profile.parse_amount(price)
    if text:
        if team is None:
            raise ConfigError("texts are for people you know; name them: --team FILE")
        count = 0
    if (source is None) == (items is None):
        raise ConfigError("name what is labeled, or say how many: --items 2000")
    if source is not None:
        with progress_bar("reading", "items") as progress:
            opened = open_items_of(source, column=column, kind=kind, names=names)
            reading = Reading(skipped=list(opened.skipped))
            reading.names = [found.name for found in take(opened, progress, reading)]
        tell_reading(reading)
        items = len(reading.names)
    assert items is not None, "checked above"
    if team is not None:
        people = len(read_team(team))
        shape = shape_team(
            items, people=people, rounds=labels_per_item, **({"most": MAX_HASHES} if text else {})
        )
    else:
        rounds = labels_per_item or ROUNDS
        gold = gold_count or advised_gold(items, rounds)
        shape = shape_open(items, rounds=rounds, gold=gold)
    value = read_worth(profile, worth, token.address)
    if value is None:
        value = 10**18 / _COIN / 10**token.decimals
        info(f"taking 1 {profile.native_symbol} for {_COIN} {token.symbol}; say it by --worth")
    wei = int(gas_price * _GWEI) if gas_price is not None else _gas_price(state)
    plan = Plan.make(
        shape,
        classes=count,
        price=units,
        full=full,
        fees=fees_for(shape, count, Gas(wei, value)),
        times=with_times(TIMES[times], label=label_within),
    )
    terms = plan.example(token.address)
    found = estimate(terms, seconds_per_item=seconds_per_item)
    warnings = warnings_of(terms, found)
    if as_json:
        echo_json(estimate_json(terms, found) | {"warnings": warnings})
        return
    print_fields(estimate_facts(profile, terms, found))
    for line in warnings:
        info(f"mind: {line}")
    if gold_count is None and not terms.is_team:
        info(f"with {shape.gold} known answers, as advised; label them by `truthmark bounty gold`")


def _gas_price(state: State) -> int:
    """Return today's, or a usual one where no chain answers."""
    try:
        with state.session() as session:
            return int(session.chain.rpc.parsed("eth_gasPrice", (), hex_int))
    except (ChainError, ConfigError):
        info("no chain answers; taking 1 gwei for a unit of gas; say it by --gas-price")
        return _GWEI
