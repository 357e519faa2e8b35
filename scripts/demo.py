# SPDX-License-Identifier: Apache-2.0
"""The main job on real input: labels bought from strangers, data sold by a seller who is gone.

    make demo                     or  python -m scripts.demo
    make demo APP=1               leaves the app running on the same network

Handwritten digits are labeled for money by programs that nobody trusts (scripts/_demo/labeling.py).
The labels, the same digits as a folder of images and as a table, and a real crowd-labelled table
are packed, listed with 2 of 3 custodians (processes of their own) and bought by somebody who
has only the command line, after the seller's machine with its keys has been moved away. A liar
sells random bytes, noise and hidden rot to people whose computers look first
(scripts/_demo/samples.py). Then what cannot happen is tried. The closing report is also written
to build/demo/report.json.
"""

import importlib.util
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pandas as pd
import pyarrow as pa
from pyarrow import parquet
from rich.console import Console

import truthmark
from scripts._demo.accounts import addresses, spent_gas, wealth
from scripts._demo.cannot import what_cannot_happen
from scripts._demo.labeling import Bench, Labeled, play
from scripts._demo.network import DemoNetwork
from scripts._demo.report import Report, Row, Transcript
from scripts._demo.samples import play as play_samples
from scripts._demo.samples import turned_digits
from truthmark.bounty.client import BountyClient
from truthmark.errors import NotForSaleError
from truthmark.flows.royalties import draw
from truthmark.market.catalogue import Catalogue
from truthmark.market.choosing import CustodyWish
from truthmark.market.drafts.terms import NO_ROYALTY, Royalty
from truthmark.market.entries import Version
from truthmark.market.fetch import Fetcher
from truthmark.market.flows import listing
from truthmark.market.flows.sampling import open_sample
from truthmark.market.preview import PreviewState
from truthmark.market.purchase import Buyer
from truthmark.market.records import PurchaseStatus
from truthmark.market.seller import Seller
from truthmark.market.settlement import Settlement
from truthmark.session import Session
from truthmark.testing.bounties import BountyNetwork
from truthmark.testing.role_market import CUSTODIANS

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "demo"
PRICES = {
    "images": "12 TUSD",
    "table": "8 TUSD",
    "crowd": "5 TUSD",
    "noisy": "9 TUSD",
    "labels": "15 TUSD",
}
SAMPLED = "noisy"
"""The one that is large enough for chance to draw from; the others are sold blind."""
ROYALTY_BPS = 1_000


def main(arguments: Sequence[str] = ()) -> int:
    """Run the demonstration; return the exit code.

    Args:
        arguments: `--app` leaves everything for sale and the app running on it, until Ctrl-C.
    """
    shows_app = "--app" in arguments
    console = Console(width=min(110, Console().width) if sys.stdout.isatty() else 110)
    report = Report()
    transcript = Transcript(report, console)
    begin = time.monotonic()
    with (
        transcript.section("A chain, the contracts, test money"),
        transcript.progress_bar("deploying") as advance,
    ):
        network = DemoNetwork(BUILD, advance)
        logging.basicConfig(filename=BUILD / "nodes.log", level=logging.INFO)
    try:
        _play(network, transcript, retires=not shows_app)
        report.figures["seconds"] = round(time.monotonic() - begin, 1)
        report.save(BUILD / "report.json")
        transcript.close(
            {"time": f"{report.figures['seconds']} s", "report": "build/demo/report.json"}
        )
        if shows_app:
            _open_again(transcript, network)
            transcript.info("the app runs until Ctrl-C; its address:")
            network.run_app()
    finally:
        network.close()
    return 0


def _play(network: DemoNetwork, transcript: Transcript, *, retires: bool) -> None:
    first_block = network.net.status().block or 0
    who = addresses(network.net)
    observer = network.net.session("stranger")
    dollar = network.net.profile.token("TUSD").address
    before = {role: wealth(observer, dollar, address) for role, address in who.items()}

    sources = _sources(network.folder / "sources")
    labeled = _label(network, transcript, sources["images"][0] / "train")

    with transcript.section("Three validators stake and offer custody"):
        network.open_seller()
        network.start_custodians()
        for node in network.nodes:
            transcript.info(
                f"{node.role}: process {node.pid}, its status at {node.status_url}/health"
            )

    with transcript.section("The seller packs and lists five data sets, one of them just labeled"):
        seller = network.open_seller()
        versions = {
            name: _sell(transcript, network, seller, name, source, title)
            for name, (source, title) in sources.items()
        }
        _let_sell(network, labeled, seller.address)
        versions["labels"] = _sell(
            transcript,
            network,
            seller,
            "labels",
            labeled.table,
            "Handwritten digits, labeled by programs",
            royalty=Royalty(labeled.posted.bounty_id, ROYALTY_BPS),
        )
        transcript.info(
            f"{ROYALTY_BPS // 100}% of each sale of the labels go to who gave them, by their pay"
        )
        transcript.info(
            "each key is shared among three custodians, of whom any two can hand it over"
        )

    with transcript.section("The seller goes away"):
        away = network.take_seller_away()
        transcript.verified(
            f"no process of the seller runs; their keys and blocks are now in {away.name}",
            "this script moved the folder",
        )

    with transcript.section("A buyer with nothing but the command line gets all five"):
        for name, version in versions.items():
            _buy(transcript, network, name, version)

    _settle(transcript, network, list(versions.values()))
    _royalties(transcript, network, labeled)
    play_samples(network, transcript, versions[SAMPLED])
    what_cannot_happen(transcript, network, versions)
    _update(transcript, network, versions["crowd"], sources["crowd"][0])

    if retires:
        with transcript.section("The seller retires the listings, and the bonds come back"):
            _retire(transcript, network)

    with transcript.section("Everybody takes out what is theirs"):
        _pay_out(transcript, network, observer, who, before, dollar, first_block)


# ------------------------------------------------------------------- selling


def _sources(folder: Path) -> dict[str, tuple[Path, str]]:
    """Build three data sets from the catalogue's recipes, and a larger one from the digits."""
    _recipe("digits/recipe.py").build(folder / "digits")
    crowd = folder / "sp_amt.parquet"
    _recipe("crowd.py").build("sp_amt", crowd)
    noisy = folder / "noisy.parquet"
    parquet.write_table(turned_digits(), noisy)
    return {
        "images": (folder / "digits" / "images", "Handwritten digits, images"),
        "table": (folder / "digits" / "table", "Handwritten digits, table"),
        "crowd": (crowd, "Movie reviews, labelled by a crowd"),
        SAMPLED: (noisy, "Handwritten digits, as cameras see them"),
    }


def _recipe(script: str) -> ModuleType:
    """Return a recipe as a module; datasets/ is no package."""
    path = ROOT / "datasets" / script
    spec = importlib.util.spec_from_file_location("recipe", path)
    assert spec is not None and spec.loader is not None  # the file is there
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _sell(
    transcript: Transcript,
    network: DemoNetwork,
    seller: Session,
    name: str,
    source: Path,
    title: str,
    royalty: Royalty = NO_ROYALTY,
) -> Version:
    packed = network.net.home("seller") / "packed" / name
    with transcript.progress_bar(f"packing {title}") as advance:
        made = truthmark.pack(
            source,
            packed,
            licence="CC-BY-4.0",
            title=title,
            preview=name == SAMPLED,
            session=seller,
            progress=advance,
        )
    version = truthmark.list_dataset(
        packed,
        price=PRICES[name],
        custodians=len(CUSTODIANS),
        threshold=2,
        windows="demo",
        lock="100 TMK",
        penalty="10 TMK",
        bond="20 TUSD",
        period="1d",
        royalty=royalty,
        session=seller,
    )
    if name == SAMPLED:
        seen = open_sample(seller, version, packed)
        assert seen.state is PreviewState.SHOWN, seen
        for line in seen.lines:
            transcript.info(line)
    epoch = Catalogue.of(seller).epochs(version.terms_id)[0]
    with transcript.progress_bar("custodians accept") as advance:
        listing.wait_until_live(
            seller,
            version,
            epoch,
            on_look=lambda accepted: advance(len(accepted), epoch.custody.count),
        )
    transcript.info(
        f"{title}: {made.manifest.size:,} bytes in {made.count} shards, for sale as "
        f"[bold]{version.ref}[/] at {PRICES[name]}"
    )
    return version


def _label(network: DemoNetwork, transcript: Transcript, images: Path) -> Labeled:
    """Have digits labeled for money; see `scripts/_demo/labeling.py`."""
    bounties = BountyNetwork(network.net, network.folder / "labelers")
    try:
        bench = Bench(network.net, bounties, images, network.folder / "bounties")
        return play(bench, transcript)
    finally:
        bounties.close()


def _let_sell(network: DemoNetwork, labeled: Labeled, seller: str) -> None:
    """Let the seller sell what a bounty made: its requester alone can."""
    with network.net.session("requester") as requester:
        BountyClient(requester).cite(labeled.posted.bounty_id, labeled.posted.terms, seller)


# -------------------------------------------------------------------- buying


def _buy(transcript: Transcript, network: DemoNetwork, name: str, version: Version) -> None:
    target = network.folder / "bought" / name
    network.run_cli(
        "buyer",
        *("get", version.ref, str(target)),
        *("--yes", "--max-price", "20 TUSD"),
        *(() if name == SAMPLED else ("--blind",)),
        storage=network.storage("buyer"),
    )
    transcript.info(f"[bold]truthmark get {version.ref} {target.relative_to(ROOT)}[/]")
    frame = _frame(target)
    transcript.show(frame.head(3).to_string(max_colwidth=40))
    label = "label" if "label" in frame else frame.columns[-1]
    counts = frame[label].value_counts().sort_index()
    transcript.info(f"{len(frame):,} rows; by {label}: {counts.to_dict()}")
    transcript.report.figures[name] = {
        "rows": len(frame),
        "classes": {str(key): int(value) for key, value in counts.items()},
    }
    transcript.verified(
        "every block by its hash, all of them by the root on the chain", "the buyer"
    )
    transcript.verified(
        "both parts of the key, by their proofs", "the market contract, and the buyer"
    )
    transcript.verified("that the key opens every committed shard", "the buyer, before opening one")


def _frame(folder: Path) -> pd.DataFrame:
    """Read what was written, as anyone would: labels of images, or the table's rows."""
    tables = sorted(folder.rglob("*.parquet"))
    if tables:
        return pd.concat([pd.read_parquet(path) for path in tables], ignore_index=True)
    lists = sorted(folder.rglob("metadata.csv"))
    return pd.concat([pd.read_csv(path) for path in lists], ignore_index=True)


def _settle(transcript: Transcript, network: DemoNetwork, versions: list[Version]) -> None:
    with transcript.section("The inspection ends, and the custodians' nodes settle"):
        stranger = network.net.session("stranger")
        network.warp(max(v.terms.inspection_seconds for v in versions) + 5)
        deadline = time.monotonic() + 60
        while True:
            Catalogue.of(stranger).sync()
            purchases = Catalogue.of(stranger).purchases()
            if all(p.status is PurchaseStatus.SETTLED for p in purchases):
                break
            if time.monotonic() > deadline:
                raise RuntimeError("the nodes did not settle; see build/demo/custodian1/node.log")
            time.sleep(0.3)
        transcript.verified(
            f"{len(purchases)} purchases are settled", "any node; it needs nobody's leave"
        )


def _royalties(transcript: Transcript, network: DemoNetwork, labeled: Labeled) -> None:
    with transcript.section("A stranger draws the royalties of the labelers"):
        stranger = network.net.session("stranger")
        Catalogue.of(stranger).sync()
        due = {
            payee: units
            for drawn in draw(stranger, labeled.posted.bounty_id)
            for payee, units in drawn.paid.items()
        }
        dollar = network.net.profile.token("TUSD").address
        show = network.net.profile.amount
        for one in labeled.crowd:
            if one.payee in due:
                transcript.info(f"{one.program.name}: {show(due[one.payee], dollar)}")
        transcript.report.figures["royalties"] = sum(due.values())
        transcript.verified(
            f"{show(sum(due.values()), dollar)} for {len(due)} labelers, each by their pay",
            "the market contract, by the bounty's score",
        )


# -------------------------------------------------------------------- update


def _update(transcript: Transcript, network: DemoNetwork, version: Version, source: Path) -> None:
    """Sell a second version and show that only what changed travels."""
    with transcript.section("The seller returns with an update"):
        network.bring_seller_back()
        seller = network.open_seller()
        Catalogue.of(seller).sync()
        table = parquet.read_table(source)
        more = pa.concat_tables([table, table.slice(table.num_rows - 200)])
        grown = network.folder / "sources" / "grown" / source.name
        grown.parent.mkdir()
        parquet.write_table(more, grown)
        home = network.net.home("seller") / "packed"
        made = truthmark.pack(
            grown,
            home / "crowd-2",
            licence="CC-BY-4.0",
            title="Movie reviews, labelled by a crowd",
            preview=False,
            previous=home / "crowd",
            session=seller,
        )
        second = truthmark.list_dataset(
            home / "crowd-2", price="1 TUSD", windows="demo", update=version.ref, session=seller
        )
        assert network.seller_blocks is not None
        buyer = network.net.session(
            "buyer",
            storage=(
                f"local:{network.net.home('buyer') / 'store'}",
                f"gateway:{network.seller_blocks.url}",
            ),
        )
        Catalogue.of(buyer).sync()
        new = Fetcher(buyer).missing_bytes(second)
        Fetcher(buyer).fetch(second)
        transcript.verified(
            f"{second.ref} takes over {made.inherited} of {made.count} shards; of "
            f"{made.manifest.size:,} bytes the buyer downloaded {new:,}",
            "the buyer's store, before and after",
        )
        transcript.report.figures["update"] = {
            "shards": made.count,
            "inherited": made.inherited,
            "bytes": made.manifest.size,
            "downloaded": new,
        }


def _open_again(transcript: Transcript, network: DemoNetwork) -> None:
    """Leave a market in which what was sold can be bought again, and bounties in every state."""
    with network.open_seller() as seller:
        Catalogue.of(seller).sync()
        sold = {v.terms_id for v in Catalogue.of(seller).versions(seller=seller.address)}
    with (
        transcript.section("Others sell, ask and label; some days pass"),
        transcript.progress_bar("seeding") as advance,
    ):
        seeded = network.net.seed(advance)
        network.net.start_relay()
    transcript.info(f"bounty {seeded.bounties['open']} can be joined; the relay runs")
    with transcript.section("The custodians run again, and the seller deals them the keys"):
        # What people list in the app is in the buyer's store, as all that it writes.
        network.start_custodians(f"local:{network.net.home('buyer') / 'store'}")
        with network.open_seller() as seller:
            Catalogue.of(seller).sync()
            mine = Catalogue.of(seller).versions(terms_ids=list(sold))
            for version in mine:
                if not _is_kept(seller, version):
                    _renew(seller, version)
            Catalogue.of(seller).sync()
            if left := sold - Catalogue.of(seller).buyable(list(sold)):
                raise RuntimeError(f"{len(left)} listings cannot be bought after all")
        transcript.verified(f"{len(mine)} versions can be bought now", "the index, block by block")


def _is_kept(seller: Session, version: Version) -> bool:
    """Whether custodians keep a key, so that no process of the seller's has to run."""
    try:
        return not Buyer(seller).quote(version).epoch.custody.is_direct
    except NotForSaleError:
        return False


def _renew(seller: Session, version: Version) -> None:
    """Deal a key for a month, and wait until all have accepted."""
    listing.renew(
        seller,
        version,
        CustodyWish(custodians=None, period_seconds=30 * 86_400),
        agree=lambda costs: True,
        unattended=True,
        acceptance_seconds=seller.profile.windows["demo"].acceptance,
    )


# ------------------------------------------------------------------- closing


def _retire(transcript: Transcript, network: DemoNetwork) -> None:
    """End the seller's versions; after both windows anyone may credit the bonds."""
    with network.open_seller() as seller:
        Catalogue.of(seller).sync()
        mine = [v for v in Catalogue.of(seller).versions() if v.terms.seller == seller.address]
        for version in mine:
            Seller(seller).retire(version)
        network.warp(max(v.terms.delivery_seconds + v.terms.inspection_seconds for v in mine) + 5)
        for version in mine:
            Seller(seller).close(version)
        bonds = sum(version.terms.bond for version in mine)
        shown = seller.profile.amount(bonds, mine[0].terms.token)
        transcript.verified(
            f"{len(mine)} versions ended; {shown} of bonds are free again", "the registry"
        )


def _pay_out(
    transcript: Transcript,
    network: DemoNetwork,
    observer: Session,
    who: dict[str, str],
    before: dict[str, int],
    dollar: str,
    first_block: int,
) -> None:
    Catalogue.of(observer).sync()
    for role, address in who.items():
        if Settlement(observer).credits(dollar, address):
            Settlement(observer).withdraw(dollar, address)
            transcript.info(f"{role}: paid out by a stranger, to {address}")
    gas, functions = spent_gas(observer, first_block)
    for role, address in who.items():
        change = wealth(observer, dollar, address) - before[role]
        used = gas.get(address.lower(), 0)
        if change or used:
            shown = str(network.net.profile.amount(abs(change), dollar))
            transcript.report.rows.append(
                Row(
                    role,
                    shown if change < 0 else "",
                    shown if change > 0 else "",
                    used,
                )
            )
    for name, used in sorted(functions.items()):
        transcript.gas(name, used)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
