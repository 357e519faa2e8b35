# SPDX-License-Identifier: Apache-2.0
"""`truthmark node`: the daemon that validators run."""

import importlib.util
from collections.abc import Mapping, Sequence

import click

from truthmark.cli.command import State, group, resolve_address
from truthmark.cli.output import info
from truthmark.cli.param_types import AMOUNT, DURATION, Choice
from truthmark.cli.stake import stake
from truthmark.errors import ConfigError

__all__ = ["node", "stake"]

_PORT = click.IntRange(0, 65_535)


@group()
def node() -> None:
    """The daemon that keeps shares and bytes for sellers, and delivers to buyers."""


@node.command()
@click.option(
    "--as",
    "roles",
    multiple=True,
    type=Choice(["custodian", "receiver", "relay", "watch"]),
    help="What the node does.  [default: custodian]",
)
@click.option("--validator", metavar="ACCOUNT", help="Whose operator you are.  [default: you]")
@click.option("--dry-run", is_flag=True, default=None, help="Decide and log, but send nothing.")
@click.option("--notify", metavar="URL", help="Where messages to you are posted, as JSON.")
@click.option("--status-port", type=_PORT, help="Of /health and /metrics, on loopback; 0: any.")
@click.option("--blocks-port", type=_PORT, help="Where kept blocks are served to buyers; 0: any.")
@click.option("--blocks-host", help="Where the block server listens.  [default: 127.0.0.1]")
@click.option(
    "--poll",
    type=click.FloatRange(0.05, 60),
    help="Seconds between rounds.  [default: half a block]",
)
@click.option(
    "--margin",
    type=DURATION,
    help="Nothing is posted this close to a deadline.  [default: 5 blocks]",
)
@click.option(
    "--gas-reserve", metavar="ETH", help="With less, no new obligation is taken.  [default: 0.01]"
)
@click.option(
    "--extend/--no-extend", default=None, help="Stay for further periods.  [default: yes]"
)
@click.option(
    "--max-acceptance",
    type=DURATION,
    help="How long stake may be locked before a custody is complete.  [default: 1d]",
)
@click.option(
    "--max-waiting",
    type=click.IntRange(1),
    help="Custodies of one seller that may be incomplete at once.  [default: 4]",
)
@click.option(
    "--min-bond", multiple=True, type=AMOUNT, help='The least bond of a seller, such as "10 TUSD".'
)
@click.option(
    "--confirmations",
    multiple=True,
    metavar="PRICE=BLOCKS",
    help='How long to wait for expensive purchases, such as "1000 TUSD=30".',
)
@click.option(
    "--settle-wait",
    type=DURATION,
    help="How long settlements wait for each other.  [default: 10min]",
)
@click.option(
    "--bounty",
    "bounties",
    multiple=True,
    type=click.IntRange(1),
    metavar="NUMBER",
    help="Which of your bounties a receiver runs.  [default: all]",
)
@click.option(
    "--withdraw/--no-withdraw",
    default=None,
    help="Pay out what comes back to a receiver.  [default: yes]",
)
@click.option("--receiver-host", help="Where a receiver listens.  [default: 127.0.0.1]")
@click.option(
    "--receiver-port",
    type=_PORT,
    help="Where labelers bring a receiver their files; 0: any.  [default: nowhere]",
)
@click.option("--relay-host", help="Where a relay listens.  [default: 127.0.0.1]")
@click.option("--relay-port", type=_PORT, help="0: any.  [default: any]")
@click.option(
    "--relay-db", metavar="URL", help="A relay's database.  [default: SQLite in the home folder]"
)
@click.option("--public-url", metavar="URL", help="Under which others reach a relay.")
@click.option(
    "--certificate", metavar="FILE", help="In PEM, to answer over HTTPS.  [default: plain HTTP]"
)
@click.option("--certificate-key", metavar="FILE", help="The key of that certificate.")
@click.option(
    "--relay-min-fee",
    multiple=True,
    type=AMOUNT,
    help='What strangers pay a relay for each worker, as "0.05 TUSD".  [default: none are served]',
)
@click.option(
    "--relay-for",
    "relay_requesters",
    multiple=True,
    metavar="ACCOUNT",
    help="Whose bounties a relay serves for any fee, beside your own.",
)
@click.option(
    "--relay-fetch/--no-relay-fetch",
    default=None,
    help="Bring papers of bounties from your storage, where nobody uploads them.  [default: no]",
)
@click.option(
    "--watch-min-fee",
    multiple=True,
    type=AMOUNT,
    help='What bounties pay to who posts labels, as "0.05 TUSD".  [default: all are watched]',
)
@click.option("--log-json", is_flag=True, help="Log JSON lines.")
def run(
    state: State,
    /,
    roles: Sequence[str],
    validator: str | None,
    log_json: bool,
    relay_requesters: Sequence[str],
    **given: bool | float | str | Sequence[str] | None,
) -> None:
    """Run until SIGTERM or Ctrl-C.

    Start it again at any time, also after a crash.

    Every option can also stand in node.toml in the home folder (settle_wait = 600), or in the
    environment (TRUTHMARK_NODE_SETTLE_WAIT); durations are seconds there.
    """
    needed = ("prometheus_client", "fastapi", "uvicorn", "sqlalchemy")
    if any(importlib.util.find_spec(name) is None for name in needed):
        raise ConfigError("the node needs more packages; pip install 'truthmark[node]'")
    # `truthmark stake`, which stands here too, needs no daemon.
    from truthmark.node.daemon import Node
    from truthmark.node.logs import set_up_logs
    from truthmark.node.settings import load_node_settings

    set_up_logs(as_json=log_json)
    with state.session() as session:
        if validator is not None:
            validator = resolve_address(session, validator)
        settings = load_node_settings(
            session.home,
            session.profile,
            roles=roles,
            validator=validator,
            relay_requesters=tuple(resolve_address(session, name) for name in relay_requesters),
            **given,
        )

        def ready(urls: Mapping[str, str]) -> None:
            who = settings.validator or session.address
            info(f"{' and '.join(settings.roles)} {who} runs")
            if status := urls.get("status"):
                info(f"status: {status}/health and {status}/metrics")
            if blocks := urls.get("blocks"):
                info(f"blocks: gateway:{blocks}")
            if receiver := urls.get("receiver"):
                info(f"receiver: {receiver}")
            if relay := urls.get("relay"):
                info(f"relay: {settings.public_url or relay}")

        daemon = Node(session, settings, on_ready=ready)
        daemon.stop_on_signals()
        daemon.run()
