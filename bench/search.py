# SPDX-License-Identifier: Apache-2.0
"""How long searches take among 10,000 listings: `python -m bench.search`.

The index holds the listings of fifty sellers, a third of them repriced; the cards were read before.
Best of five.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import truthmark
from bench.report import Report
from tests.utils.offline_market import OfflineMarket, address, kept, listed, make_terms
from truthmark.market.cards import Card, Cards
from truthmark.market.entries import Version
from truthmark.waiting import Deadline

LISTINGS = 10_000
LIMIT = 1.0
CARD = {
    "description": "A few words about the data. " * 40,
    "licence": "CC-BY-4.0",
    "tables": [{"columns": [{"name": f"column {i}", "type": "int64"} for i in range(20)]}],
}


def main() -> int:
    """Measure, write the table, and return 1 if a figure does not hold."""
    report = Report("search")
    with tempfile.TemporaryDirectory() as folder:
        offline = OfflineMarket(Path(folder))
        fill(offline)
        session = offline.session
        for name, search in (
            ("first 50 of all", lambda: truthmark.search(session=session, limit=50)),
            ("50 by word", lambda: truthmark.search("seventy", session=session, limit=50)),
            ("no hit in any card", lambda: truthmark.search("nothing", session=session)),
            (
                "word, price and seller",
                lambda: truthmark.search(
                    "words", max_price="0.5 TUSD", seller=address(0xA7), session=session
                ),
            ),
            ("one version by its name", lambda: offline.catalogue.version("5000@1")),
        ):
            report.add(f"{name}, of {LISTINGS:,}", best(search), "s", at_most=LIMIT)
        offline.close()
    return report.write()


def fill(offline: OfflineMarket) -> None:
    """List everything, and keep every card."""
    entries: list[tuple[str, str, dict[str, Any]]] = []
    for i in range(1, LISTINGS + 1):
        terms = make_terms(i, seller=address(0xA0 + i % 50))
        entries.append(("registry", "VersionListed", listed(terms, i, 1, 1_000 * i)))
        entries += kept(terms)
        if i % 3 == 0:
            repriced = {"terms_id": terms.terms_id, "price": 50 * i}
            entries.append(("registry", "VersionRepriced", repriced))
    offline.log_all(entries)
    path = offline.session.home / "index" / "cards.sqlite"

    def read(version: Version) -> Card:
        title = f"Title {'seventy' * (version.listing_id % 70 == 0)}"
        return Card.from_content({**CARD, "title": title}, 1 << 20)

    cards = Cards(path, read)
    versions = offline.catalogue.versions()
    assert len(cards.fetch(versions, Deadline(600))) == LISTINGS


def best(search: Callable[[], object]) -> float:
    """Return the least seconds of five runs."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        search()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
