# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty run`: a requester's relay and receiver in one, until everybody is paid."""

import contextlib
import importlib.util
import ipaddress
import sys
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from truthmark.cli.command import State, command
from truthmark.cli.output import info
from truthmark.errors import BountyError, ConfigError
from truthmark.keys.abi_hash import address_bytes
from truthmark.session import Session
from truthmark.text import clean, format_duration

if TYPE_CHECKING:
    from rich.table import Table

    from truthmark.bounty.workspace import Workspace
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
@click.pass_obj
def run_bounty(state: State, /, bounty: str | None, **given: Any) -> None:
    """Run your bounties until everybody is paid: BOUNTY, or all of this home.

    Serves labelers where the terms name you as the relay, fetches and acknowledges their labels,
    scores in time, pays out. Ctrl-C or a crash does no harm: start it again. It says when this
    computer must be on.
    """
    if importlib.util.find_spec("prometheus_client") is None:
        raise ConfigError("this needs more packages; pip install 'truthmark[node]'")
    from truthmark.bounty.flows.run_lock import run_lock
    from truthmark.node.daemon import Node
    from truthmark.node.receiver import ReceiverRole
    from truthmark.node.settings import load_node_settings

    with state.session(signs=True) as session:
        if bounty is not None and (over := _find_over(session, bounty)):
            info(over)
            return
        chosen = _chosen(session, bounty)
        workspaces = [workspace for _, workspace in chosen]
        is_relay = any(_is_own_relay(session, workspace) for workspace in workspaces)
        place = _receiver_place(session, workspaces)
        numbers = [number for number, _ in chosen]
        if is_relay:
            place |= _place(session, workspaces)
        given = place | {name: value for name, value in given.items() if value is not None}
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
                info(f"labelers reach your relay at {settings.public_url or url}")
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


def _chosen(session: Session, bounty: str | None) -> "list[tuple[int, Workspace]]":
    """Return the bounties to run, with their folders.

    Raises:
        BountyError: There are none.
    """
    from truthmark.bounty import reader
    from truthmark.bounty.flows.running import is_done
    from truthmark.bounty.workspace import Workspace

    chain_id = session.profile.chain_id
    board = getattr(session.chain, reader.BOARD).address
    workspaces = Workspace.all(session.home) if bounty is None else [_workspace_of(session, bounty)]
    found = []
    for workspace in workspaces:
        ref = workspace.ref
        is_here = ref is not None and (ref.chain_id, address_bytes(ref.board)) == (
            chain_id,
            address_bytes(board),
        )
        if ref is not None and is_here and not is_done(workspace):
            found.append((ref.bounty_id, workspace))
    if not found:
        if bounty is not None:
            raise BountyError(
                f"{clean(bounty, 200)} is on no chain of this profile yet; finish"
                " `truthmark bounty create`"
            )
        raise BountyError(
            "there are no bounties of this home, or all are over; create one with `truthmark bounty"
            " create`"
        )
    return found


def _workspace_of(session: Session, bounty: str) -> "Workspace":
    """Return the folder of a bounty that was named by its number, or by its folder."""
    from truthmark.bounty import reader
    from truthmark.bounty.reference import BountyRef
    from truthmark.bounty.workspace import Workspace

    if not bounty.isdecimal():
        return _in_home(session, Workspace(Path(bounty).expanduser().absolute()))
    board = getattr(session.chain, reader.BOARD).address
    ref = BountyRef(session.profile.chain_id, board, int(bounty))
    return Workspace.find(session.home, ref)


def _find_over(session: Session, bounty: str) -> str:
    """Return how a bounty ended, in words, if nothing of it is left to do; else ""."""
    from truthmark.bounty.flows.running import is_done

    workspace = _workspace_of(session, bounty)
    if not is_done(workspace):
        return ""
    ref, ended = workspace.ref, workspace.progress.get("ended")
    number = bounty if ref is None else ref.bounty_id
    if ended == "REFUNDED":
        return f"bounty {number} is over: it did not take place, and the money came back"
    return (
        f"bounty {number} is over, and everybody is paid; its labels: truthmark bounty result"
        f" {number}"
    )


def _in_home(session: Session, workspace: "Workspace") -> "Workspace":
    if not workspace.has_terms:
        raise BountyError(f"{workspace.folder} is no folder of a bounty; name one, or its number")
    if workspace.folder.parent.parent != session.home.absolute():
        raise BountyError(
            f"{workspace.folder} is not in this home; use --home with the one it is in"
        )
    return workspace


def _is_own_relay(session: Session, workspace: "Workspace") -> bool:
    return address_bytes(workspace.terms.relay) == address_bytes(session.address)


def _place(session: Session, workspaces: "Sequence[Workspace]") -> dict[str, Any]:
    """Return where to listen: as the documents tell labelers, who know nothing else."""
    for workspace in workspaces:
        if not _is_own_relay(session, workspace):
            continue
        for url in workspace.document.relay_urls:
            return _listening(url, "relay") | {"public_url": url}
    return {}


def _receiver_place(session: Session, workspaces: "Sequence[Workspace]") -> dict[str, Any]:
    """Return where to take files of labelers, where somebody else's relay may be away."""
    for workspace in workspaces:
        for url in workspace.document.receiver_urls:
            if not _is_own_relay(session, workspace):
                return {"receiver_port": 0} | _listening(url, "receiver")
    return {}


def _listening(url: str, name: str) -> dict[str, Any]:
    """Return the settings of who is to answer at an address."""
    parts = urllib.parse.urlsplit(url)
    is_plain = parts.scheme == "http"
    port = parts.port or (80 if is_plain else None)
    # Behind https:// something else listens there, and hands on to a port of its choice.
    place: dict[str, Any] = {f"{name}_port": port} if is_plain and port else {}
    if not _is_loopback(str(parts.hostname)):
        place[f"{name}_host"] = "0.0.0.0"  # noqa: S104
    return place


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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

    from truthmark.bounty.phases import phase_of

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
