# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty run`: a requester's relay and receiver in one, until everybody is paid."""

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from truthmark.bounty.phases import phase_of
from truthmark.cli.command import State, command
from truthmark.cli.output import info
from truthmark.errors import ConfigError
from truthmark.text import format_duration

if TYPE_CHECKING:
    from rich.table import Table

    from truthmark.node.receiver import ReceiverRole
    from truthmark.node.role import Role

_PORT = click.IntRange(0, 65_535)


@command("run")
@click.argument("bounty", required=False, metavar="[BOUNTY|FOLDER]")
@click.option("--relay-host", help="Where your relay listens.  [default: as labelers reach it]")
@click.option("--relay-port", type=_PORT, help="Likewise; 0: any.")
@click.option("--receiver-host", help="Where you take files while somebody's relay is away.")
@click.option("--receiver-port", type=_PORT, help="Likewise; 0: any.")
@click.option("--notify", metavar="URL", help="Where messages to you are posted, as JSON.")
@click.option("--status-port", type=_PORT, help="Of /health and /metrics, on loopback; 0: any.")
@click.option(
    "--withdraw/--no-withdraw", default=None, help="Pay out what comes back.  [default: yes]"
)
@click.option(
    "--poll",
    type=click.FloatRange(0.05, 60),
    help="Seconds between looks.  [default: half a block]",
)
def run_bounty(state: State, /, bounty: str | None, **given: Any) -> None:
    """Run your bounties until everybody is paid: BOUNTY, or all of this home.

    Serves labelers where the terms name you as the relay, fetches and acknowledges their labels,
    scores in time, pays out. Ctrl-C or a crash does no harm: start it again. It says when this
    computer must be on.
    """
    if importlib.util.find_spec("prometheus_client") is None:
        raise ConfigError("this needs more packages; pip install 'truthmark[node]'")
    from truthmark.bounty.flows.own_bounties import bounties_to_run, find_over
    from truthmark.bounty.flows.run_lock import run_lock
    from truthmark.node.daemon import Node
    from truthmark.node.places import is_own_relay, not_served, place_of
    from truthmark.node.receiver import ReceiverRole
    from truthmark.node.settings import load_node_settings

    with state.session(signs=True) as session:
        if bounty is not None and (over := find_over(session, bounty)):
            info(over)
            return
        chosen = bounties_to_run(session, bounty)
        workspaces = [workspace for _, workspace in chosen]
        is_relay = any(is_own_relay(session, workspace) for workspace in workspaces)
        numbers = [number for number, _ in chosen]
        given = place_of(session, workspaces) | {
            name: value for name, value in given.items() if value is not None
        }
        settings = load_node_settings(
            session.home,
            session.profile,
            roles=("relay", "receiver") if is_relay else ("receiver",),
            # Without a name also what is created meanwhile, such as a later wave.
            bounties=() if bounty is None else numbers,
            **given,
        )

        def ready(urls: Mapping[str, str]) -> None:
            if url := urls.get("relay"):
                public = settings.public_url or url
                info(f"labelers reach your relay at {public}")
                if public.startswith("https:") and url.startswith("http:"):
                    info(f"let what answers there hand on to {url}, where it listens")
                for other in not_served(session, workspaces, public):
                    info(
                        f"mind: some of these bounties say {other}; have that lead here too, or "
                        "run each by its number"
                    )
            if url := urls.get("receiver"):
                info(f"labelers bring you files at {url} while the relay is away")
            if url := urls.get("status"):
                info(f"status: {url}/health and {url}/metrics")

        with _display() as show, run_lock(session, numbers, is_all=bounty is None):

            def after(roles: Sequence["Role"]) -> bool:
                (receiver,) = (role for role in roles if isinstance(role, ReceiverRole))
                show(receiver)
                return receiver.is_over

            node = Node(session, settings, ready, on_round=after, say=info)
            node.stop_on_signals()
            node.run()
        if node.was_stopped:
            raise click.Abort
        for number, workspace in chosen:
            if workspace.progress.get("ended") != "REFUNDED":
                info(f"now look at the labels: truthmark bounty result {number}")


# ---------------------------------------------------------------------------- progress


@contextlib.contextmanager
def _display() -> "Iterator[Callable[[ReceiverRole], None]]":
    """Give what shows how far all is, on a terminal; else nothing."""
    if not sys.stderr.isatty():
        yield lambda receiver: None
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:
        yield lambda receiver: live.update(_table(receiver), refresh=True)


def _table(receiver: "ReceiverRole") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("bounty", "joined", "committed", "labels here", "signed for", "now", "until"):
        table.add_column(head, overflow="fold")
    for number, run in sorted(receiver.runs.items()):
        seen = receiver.seen.get(number)
        if seen is None:
            continue
        counts, phase = run.counts(seen.record), phase_of(seen.record, seen.mark, seen.now)
        left = "" if phase.until is None else f"in {format_duration(phase.until - seen.now)}"
        table.add_row(
            str(number),
            str(counts.joined),
            str(counts.committed),
            str(counts.received),
            str(counts.acknowledged),
            phase.says,
            left,
        )
    return table
