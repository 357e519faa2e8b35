# SPDX-License-Identifier: Apache-2.0
"""What it costs to publish keys, reject, dispute a sealing, rule and review; sizes of contracts."""

from typing import TYPE_CHECKING

from bench.report import SIZE_LIMIT, Figure
from tests.utils.drafts import make_content, sealing_arguments, word_of
from tests.utils.permits import address_of_role

if TYPE_CHECKING:
    from bench.gas import Bench
    from tests.utils.drafts import Listing, Purchase

SMALLER = {"DatasetRegistry": 21_800}
"""Limits of contracts that must keep more room than others."""
SHARDS = 1_000
GUARANTEE_BPS = 5_000
REVIEW = "Rows are as the card says; one label in fifty is wrong, and they told me which ones are."


def measure_verdicts(bench: "Bench") -> None:
    """Say of data what can be said."""
    root = word_of("root")
    for count, floor in ((1, None), (64, 110_000), (512, None)):
        keys = [word_of("key", i) for i in range(count)]
        published = bench.openings.send("publish", root, keys, sender=bench.seller)
        bench.row(f"publish {count} key{'s' if count > 1 else ''}", published, floor)

    listing = bench.create(guarantee_bps=GUARANTEE_BPS)
    # The first burns what nobody has burned before in this token.
    bench.row("reject, the token's first", _reject(bench, listing))
    bench.row("reject", _reject(bench, listing), 130_000)
    purchase = _delivered(bench, listing)
    confirmed = (*listing.keeping, purchase.receipt.astuple())
    bench.market.send("confirm", *confirmed, sender=bench.buyer)
    arguments = (listing.custody.astuple(), purchase.receipt.astuple(), 4, REVIEW)
    reviewed = bench.reviews.send("review", *arguments, sender=bench.buyer)
    bench.row(f"review in {len(REVIEW)} letters", reviewed)

    ruled = bench.create(arbiter=address_of_role("arbiter"))
    terms = ruled.terms.astuple()
    bench.row("rule", bench.market.send("rule", terms, bench.stranger, sender=ruled.terms.arbiter))
    # Of 64 KiB a tree of few shards, or noise of 64 MB would have to be made.
    for kib, shards, floor in (
        (4, SHARDS, 650_000),
        (8, SHARDS, None),
        (16, 16, None),
        (32, 16, None),
        (64, 16, 6_000_000),
    ):
        last = shards - 1
        content = make_content(9, shards, unsealed=frozenset({last}), size=kib * 1_024)
        rotten = bench.create(content=content)
        arguments = sealing_arguments(rotten, last)
        gas = bench.market.send("dispute_sealing", *arguments, sender=bench.stranger)
        bench.row(f"dispute a sealing of {kib} KiB", gas, floor)

    for contract in (
        *(bench.registry, bench.checks, bench.market, bench.proofs, bench.judge),
        *(bench.openings, bench.reviews, bench.staking),
    ):
        code = str(bench.chain.rpc("eth_getCode", contract.address, "latest"))
        size = len(code) // 2 - 1
        name = f"size of {contract.artifact.name}"
        limit = SMALLER.get(contract.artifact.name, SIZE_LIMIT)
        bench.figures.append(
            Figure(name=name, value=size, unit="bytes", floor=limit, holds=size <= limit)
        )


def _reject(bench: "Bench", listing: "Listing") -> int:
    purchase = _delivered(bench, listing)
    arguments = (*listing.keeping, purchase.receipt.astuple())
    return bench.market.send("reject", *arguments, sender=bench.buyer)


def _delivered(bench: "Bench", listing: "Listing") -> "Purchase":
    purchase = bench.buy(listing)
    for index in (1, 2):
        bench.deliver(index, [purchase])
    return purchase
