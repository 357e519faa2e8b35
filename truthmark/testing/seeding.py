# SPDX-License-Identifier: Apache-2.0
"""Fills a local network with every state of market and bounties, each reached as it always is.

What takes days passes by warps of the chain's clock, so what is to stay open comes last. The order
is one story: many begin at once, and each is left where its state is reached.
"""

import contextlib
import importlib.util
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from truthmark.bounty.flows.labeling import Stage
from truthmark.config.files import write_atomically
from truthmark.errors import ConfigError
from truthmark.market.drafts.terms import Royalty
from truthmark.testing.bounties import advance_all
from truthmark.testing.ports import free_port
from truthmark.testing.roles import Network
from truthmark.testing.seed_bounties import TEAM, SeedBounties
from truthmark.testing.seed_market import SeedMarket
from truthmark.types import Progress

_FILE: Final = "seeded.json"
_NODE_FILE: Final = "node.toml"
_NEEDED: Final = ("fastapi", "uvicorn", "sqlalchemy", "prometheus_client", "PIL")
_ROYALTY_BPS: Final = 1_000


@dataclass(frozen=True)
class Seeded:
    """What a seeded network holds.

    Attributes:
        listings: Versions such as 3@1 by what they are: kept, direct, late, paused,
            retired, sampled, copied, royalty.
        purchases: Names of states, with the role that bought and the version: waiting, delivered,
            settled, refunded, disputed.
        bounties: Numbers by state: settled, flat, refunded, scored, labeling, open, team.
        invitations: Codes of the team's bounty, by name.
        relay_port: Where the relay of the bounties listens.
    """

    listings: dict[str, str]
    purchases: dict[str, tuple[str, str]]
    bounties: dict[str, int]
    invitations: dict[str, str]
    relay_port: int

    def lines(self) -> list[str]:
        """Return what is there, and what to try, in words."""
        listings = ", ".join(f"{ref} {name}" for name, ref in self.listings.items())
        purchases = ", ".join(
            f"{name}: {ref} by {role}" for name, (role, ref) in self.purchases.items()
        )
        bounties = ", ".join(f"{number} {name}" for name, number in self.bounties.items())
        (name, code), team = next(iter(self.invitations.items())), self.bounties["team"]
        return [
            f"listings: {listings}",
            f"purchases: {purchases}",
            f"bounties of requester: {bounties}",
            "custodian1 to custodian3 have stake and an offer; seller and labeler have earnings",
            f"the relay is at http://127.0.0.1:{self.relay_port}; try, each as the role's home:",
            f"  as seller: truthmark deliver {self.listings['direct']}; truthmark withdraw",
            f"  as labeler: truthmark bounty join {self.bounties['open']}",
            f"  as stranger, invited as {name}: truthmark bounty join {team} --code {code}",
            f"  as requester: truthmark bounty result {self.bounties['settled']}",
        ]

    @classmethod
    def read(cls, folder: Path) -> "Seeded | None":
        """Return what a network was seeded with; None where it was not.

        Raises:
            ConfigError: Seeding was interrupted.
        """
        file = folder / _FILE
        if not file.exists():
            return None
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            return cls(
                found["listings"],
                {name: (role, ref) for name, (role, ref) in found["purchases"].items()},
                found["bounties"],
                found["invitations"],
                found["relay_port"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"seeding {folder} was interrupted, so some states are missing; delete it with "
                "`truthmark devnet down --remove` and begin again"
            ) from error


def seed(net: Network, progress: Progress | None = None) -> Seeded:
    """Fill a network, unless that was done before.

    Args:
        net: A running network, on which time goes on by itself.
        progress: Called with steps done and in all.

    Raises:
        ConfigError: An earlier seeding was interrupted, or packages are missing.
        TruthmarkError: A step was refused.
    """
    if (found := Seeded.read(net.folder)) is not None:
        return found
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError("seeding runs a relay; pip install 'truthmark[node,images]'")
    # Half a story cannot be told on: what is begun says so until it is whole.
    write_atomically(net.folder / _FILE, b"{}")
    port = free_port()
    with contextlib.ExitStack() as closing:
        closing.enter_context(_logged(net.folder / "seeds" / "log"))
        market = SeedMarket(net)
        closing.callback(market.close)
        bounties = SeedBounties(net, port)
        closing.callback(bounties.close)
        found = _tell(net, market, bounties, port, _counter(progress))
    _keep_relay(net, port)
    write_atomically(net.folder / _FILE, json.dumps(asdict(found), indent=2).encode())
    return found


@contextlib.contextmanager
def _logged(file: Path) -> Iterator[None]:
    """Write down what nodes tell their operators, instead of telling who seeds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handler, log = logging.FileHandler(file), logging.getLogger("truthmark")
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    was = log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield
    finally:
        log.propagate = was
        log.removeHandler(handler)
        handler.close()


def _counter(progress: Progress | None) -> Callable[[], None]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, _STEPS)

    return step


_STEPS: Final = 9


def _tell(
    net: Network, market: SeedMarket, bounties: SeedBounties, port: int, step: Callable[[], None]
) -> Seeded:
    listed = market.fill()
    step()
    listed["copied"] = market.copy(listed["direct"], price="1 TUSD", bond="10 TUSD")
    market.buy("buyer", listed["kept"])
    market.deliver(listed["kept"], "custodian1", "custodian2")
    market.buy("buyer2", listed["copied"])
    market.deliver(listed["copied"], "copycat")
    market.dispute("buyer2", listed["copied"])
    market.buy("buyer3", listed["late"])  # the key does not come
    step()

    settled = bounties.post_digits("Handwritten digits", times="small")
    flat = bounties.post_texts("Opinions whose requester falls silent", times="small")
    scored = bounties.post_texts("Opinions that are scored", times="careful")
    nobody = bounties.post_texts("Opinions that nobody came for", times="small")
    with net.session("labeler") as session:
        labeler = session.address
    crowds = {one.bounty_id: bounties.crowd(one, payee=labeler) for one in (settled, flat, scored)}
    step()
    market.open_sample(listed["sampled"], "buyer", "stranger")
    bounties.label([labeler for crowd in crowds.values() for labeler in crowd])
    bounties.commit(settled, flat, scored, workers=lambda one: len(crowds[one.bounty_id]))
    step()
    bounties.give_up(nobody)
    bounties.score(settled, crowds[settled.bounty_id])
    step()
    bounties.settle(settled)
    bounties.fall_silent(flat)
    bounties.cite(settled, market.session("seller").address)
    listed["royalty"] = market.sell(
        "Handwritten digits, labeled",
        "5 TUSD",
        description="Thirty pictures of digits, and what people say that they show.",
        source=bounties.result(settled),
        royalty=Royalty(settled.bounty_id, _ROYALTY_BPS),
    )
    market.buy("buyer", listed["royalty"])
    market.deliver(listed["royalty"], "seller")
    step()
    bounties.score(scored, crowds[scored.bounty_id])
    step()

    # What is still open comes after all that lets time pass.
    market.settle()
    market.refund("buyer3", listed["late"])
    market.buy("buyer2", listed["direct"])
    market.deliver(listed["direct"], "seller")
    market.buy("buyer", listed["direct"])
    step()
    labeling = bounties.post_digits("Digits that are being labeled", times="careful")
    crowd = bounties.crowd(labeling)
    advance_all(
        crowd[1:], lambda: crowd[1].stage is Stage.COMMITTED, what="one of two to have labeled"
    )
    opened = bounties.post_digits("Digits to be labeled", times="careful")
    team = bounties.post_texts("Opinions for a team", times="careful", team=TEAM)
    step()
    return Seeded(
        {name: version.ref for name, version in listed.items()},
        {
            "waiting": ("buyer", listed["direct"].ref),
            "delivered": ("buyer2", listed["direct"].ref),
            "settled": ("buyer", listed["kept"].ref),
            "refunded": ("buyer3", listed["late"].ref),
            "disputed": ("buyer2", listed["copied"].ref),
        },
        {
            "settled": settled.bounty_id,
            "flat": flat.bounty_id,
            "refunded": nobody.bounty_id,
            "scored": scored.bounty_id,
            "labeling": labeling.bounty_id,
            "open": opened.bounty_id,
            "team": team.bounty_id,
        },
        {guest.name: guest.code for guest in team.workspace.guests},
        port,
    )


def _keep_relay(net: Network, port: int) -> None:
    """Let the relay's home say where it listens and whom it serves, for those who run it later."""
    with net.session("requester") as requester:
        known = requester.address
    lines = ['roles = ["relay"]', f"relay_port = {port}", f'relay_requesters = ["{known}"]']
    write_atomically(net.home("relay") / _NODE_FILE, ("\n".join(lines) + "\n").encode())
