# SPDX-License-Identifier: Apache-2.0
"""`truthmark storage`: what data sets take on this disk, and freeing what nothing needs."""

import click

from truthmark.cli.command import State, group, json_option, yes_option
from truthmark.cli.output import echo, echo_json, info, require_yes, table
from truthmark.market.stored import find_stored, free
from truthmark.text import format_size, plural


@group()
def storage() -> None:
    """What data sets take on this disk, and how to free it."""


@storage.command("list")
@json_option
def list_stored(state: State, as_json: bool) -> None:
    """Show what is kept for data sets, and why.

    In the home folder and in the local store; what a Kubo or a gateway holds is not shown.
    """
    with state.session() as session:
        found = find_stored(session)
    if as_json:
        echo_json(
            [
                {
                    "kind": entry.kind,
                    "name": entry.name,
                    "bytes": entry.size,
                    "why": entry.why,
                    "is_needed": entry.is_needed,
                }
                for entry in found
            ]
        )
        return
    if not found:
        info("nothing is kept here")
        return
    table(
        [
            (it.name, format_size(it.size), it.why + ("" if it.is_needed else "; not needed"))
            for it in found
        ],
        ("data set", "size", "why"),
    )
    if any(entry.is_freed(bought=True) for entry in found):
        info("`truthmark storage gc` frees what is not needed (what you bought only with --bought)")


@storage.command()
@click.option(
    "--bought",
    is_flag=True,
    help="Also the ciphertext of what you bought and could check; opening it again means fetching "
    "it again, while a storage keeps it.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be freed.")
@yes_option
@json_option
def gc(state: State, bought: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Free what nothing needs any more.

    It keeps what you sell, what a custody or an unsettled purchase may still need, and what was
    touched within a day. Opened folders are left alone. Asks first.
    """
    with state.session() as session:
        chosen = [entry for entry in find_stored(session) if entry.is_freed(bought=bought)]
        freed = 0
        if chosen and not as_json:
            table(
                [(entry.name, format_size(entry.size), entry.why) for entry in chosen],
                ("data set", "size", "why"),
            )
        if chosen and not dry_run:
            require_yes(f"free {plural(len(chosen), 'thing')}?", "nothing was freed", yes=yes)
            freed = free(session, chosen)
    if as_json:
        names = [{"kind": e.kind, "name": e.name, "bytes": e.size} for e in chosen]
        echo_json({"chosen": names, "freed_bytes": freed})
    elif not chosen:
        info("there is nothing to free")
    elif dry_run:
        info("nothing was freed; without --dry-run it is")
    else:
        echo(f"{format_size(freed)} freed")
