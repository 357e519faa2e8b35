# SPDX-License-Identifier: Apache-2.0
"""`truthmark sales`, `deliver` and `settle`: what sellers do after listing."""

import shlex
from collections.abc import Sequence

import click

from truthmark.cli.browse import can_be_bought, dataset_json, purchase_json
from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import amount_json, echo, echo_json, info, print_fields, table
from truthmark.cli.param_types import DATASET
from truthmark.cli.titles import titles
from truthmark.codec.limits import is_packed
from truthmark.errors import MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Epoch, Purchase, Version
from truthmark.market.flows.sales import deliver_due, income, own_versions, settle_due
from truthmark.market.flows.sales import follow as follow_sales
from truthmark.market.preview import PreviewState, remembered_states
from truthmark.market.records import PurchaseStatus
from truthmark.market.settlement import inspected
from truthmark.session import Session
from truthmark.text import format_time, plural
from truthmark.types import quiet

_STATUS = {
    "PAID": "to deliver until",
    "DELIVERED": "may dispute until",
    "SETTLED": "settled",
    "REFUNDED": "refunded",
    "REJECTED": "rejected",
}
_OPEN = ("PAID", "DELIVERED")
_RUNNING = ("OPEN", "PAUSED")
_MAX_FOLDERS = 5


@command()
@click.argument("dataset", type=DATASET, required=False)
@json_option
def sales(state: State, dataset: str | None, as_json: bool) -> None:
    """Show what you sell, and the state of each sale."""
    with state.session(signs=True) as session:
        versions = own_versions(session, dataset)
        now = session.chain.time()
        found = [(v, Catalogue.of(session).purchases(terms_id=v.terms_id)) for v in versions]
        if as_json:
            buyable = Catalogue.of(session).buyable([v.terms_id for v in versions])
            echo_json(
                [
                    {
                        **dataset_json(session, version),
                        "can_be_bought": version.terms_id in buyable,
                        "income": amount_json(
                            session, income(version, purchases), version.terms.token
                        ),
                        "purchases": [purchase_json(session, version, p) for p in purchases],
                    }
                    for version, purchases in found
                ]
            )
            return
        if not found:
            _tell_of_nothing(session)
            return
        names = titles(session, versions)
        for version, purchases in found:
            _show(session, version, purchases, names.get(version.terms_id), now)


def _tell_of_nothing(session: Session) -> None:
    """Say what somebody who sells nothing may do; what was packed already may be listed."""
    packed = session.home / "packed"
    folders = (
        sorted(path for path in packed.iterdir() if is_packed(path)) if packed.is_dir() else []
    )
    info(f"{session.address} sells nothing")
    for folder in folders[:_MAX_FOLDERS]:
        line = f'`truthmark list {shlex.quote(str(folder))} --price "25 TUSD"`'
        info(f"packed, but not listed: {line} puts it up for sale")
    if not folders:
        line = '`truthmark list FILE --price "25 TUSD" --licence CC-BY-4.0`'
        info(f"{line} packs a file or folder and puts it up for sale")


def _show(
    session: Session,
    version: Version,
    purchases: Sequence[Purchase],
    title: str | None,
    now: int,
) -> None:
    show, token = session.profile.amount, version.terms.token
    quote, why_not = can_be_bought(session, version)
    epochs = Catalogue.of(session).epochs(version.terms_id)
    custody = epochs[-1].custody if epochs else None
    echo(f"{version.ref}: {title or '(its card is not available)'}")
    is_open, earned = version.status.name in _RUNNING, income(version, purchases)
    print_fields(
        [
            ("price", f"{show(version.price, token)}, {version.status.name.lower()}"),
            ("buyers", "can buy it now" if quote else f"cannot buy it now: {why_not}"),
            (
                "custody",
                f"{'you alone' if custody.is_direct else custody.custodians_text}, until "
                f"{format_time(custody.end, now)}"
                if custody is not None and is_open
                else None,
            ),
            ("sold", f"{plural(len(purchases), 'time')}, earned {show(earned, token)}"),
            *(("to do", line) for line in _todo(version, purchases, epochs, quote is None, now)),
            ("to do", _sample_todo(session, version)),
        ],
        indent=2,
    )
    if purchases:
        table(
            [
                (
                    p.receipt.buyer,
                    show(p.receipt.price, token),
                    _STATUS[p.status.name]
                    + (f" {format_time(p.deadline, now)}" if p.status.name in _OPEN else ""),
                )
                for p in purchases
            ],
            ("buyer", "price", "state"),
            indent=2,
        )


def _sample_todo(session: Session, version: Version) -> str | None:
    """Return what is to be done about a sample that was not open when it was last looked at."""
    state, _ = remembered_states(session, [version.terms_id]).get(version.terms_id, (None, ""))
    if state is not PreviewState.WAITING or version.status.name not in _RUNNING:
        return None
    return (
        "buyers wait for its sample: the same `truthmark list` as before, or "
        "`truthmark deliver --follow`, opens it"
    )


def _todo(
    version: Version,
    purchases: Sequence[Purchase],
    epochs: Sequence[Epoch],
    is_stuck: bool,
    now: int,
) -> list[str]:
    """Return what the seller of a version should do, the most urgent first."""
    direct = {e.custody_id for e in epochs if e.custody.is_direct}
    waiting = [
        p
        for p in purchases
        if p.status is PurchaseStatus.PAID and p.custody_id in direct and now <= p.deadline
    ]
    lines = []
    if waiting:
        until = format_time(min(p.deadline for p in waiting), now)
        lines.append(f"`truthmark deliver {version.ref}`, before {until}")
    if inspected(purchases, now):
        lines.append(f"`truthmark settle {version.ref}`, then `truthmark withdraw`")
    running = version.status.name in _RUNNING
    if version.status.name == "PAUSED":
        lines.append(f"`truthmark resume {version.ref}` sells it again")
    elif running and is_stuck and epochs:
        waits = now <= epochs[-1].custody.accept_until and not epochs[-1].custody.is_direct
        also = ", if custodians do not accept in time" if waits else ""
        lines.append(f"`truthmark renew {version.ref}` gives the key to custodians again{also}")
    if running and not waiting and epochs and epochs[-1].custody.is_direct:
        lines.append("keep `truthmark deliver --follow` running, as you deliver yourself")
    return lines


@command()
@click.argument("dataset", type=DATASET, required=False)
@click.option("--follow", is_flag=True, help="Keep running: deliver and settle what comes.")
def deliver(state: State, dataset: str | None, follow: bool) -> None:
    """Deliver what was bought from you in direct mode.

    Of all you sell, or of DATASET. With --follow also opens what chance picks of a listing, and
    settles each sale once its buyer could check it. Where custodians keep the key there is nothing
    to deliver: they do.
    """
    with state.session(sends=True) as session:
        versions = own_versions(session, dataset)
        if not follow:
            counts = [deliver_due(session, version, echo) for version in versions]
            if waiting := sum(left for _, left in counts):
                info(
                    f"{plural(waiting, 'sale')} not confirmed enough yet; run it again, or use "
                    "--follow"
                )
            elif not any(done for done, _ in counts):
                info("there is nothing to deliver")
            return
        follow_sales(session, dataset, tell=echo, say=info)


@command()
@click.argument("dataset", type=DATASET, required=False)
@json_option
def settle(state: State, dataset: str | None, as_json: bool) -> None:
    """Settle sales whose inspection window is over.

    The money becomes the seller's. Of all you sell, or of DATASET, which may be another seller's.
    Then `truthmark withdraw`. If DATASET is named it is an error if nothing can be settled.
    """
    with state.session(sends=True) as session:
        versions = (
            [Catalogue.of(session).find(dataset)]
            if dataset is not None
            else own_versions(session, None)
        )
        done = settle_due(session, versions, session.chain.time(), quiet if as_json else echo)
        nothing = "" if done else _why_nothing(session, versions)
        if nothing and dataset is not None:
            raise MarketError(nothing)
        if as_json:
            echo_json(
                [
                    purchase_json(session, version, refreshed)
                    for version, purchase in done
                    for refreshed in Catalogue.of(session).purchases(
                        purchase_id=purchase.purchase_id
                    )
                ]
            )
            return
        info(nothing or "`truthmark withdraw` pays it out")
        for number in sorted({v.terms.bounty for v, _ in done if v.terms.bounty}):
            info(f"labelers get their part by: truthmark royalties draw {number}")


def _why_nothing(session: Session, versions: Sequence[Version]) -> str:
    checking = [
        p
        for v in versions
        for p in Catalogue.of(session).purchases(terms_id=v.terms_id)
        if p.status is PurchaseStatus.DELIVERED
    ]
    if checking:
        first = min(p.deadline for p in checking)
        return (
            f"nothing can be settled yet: a buyer may dispute until "
            f"{format_time(first, session.chain.time())}"
        )
    return "there is nothing to settle"
