# SPDX-License-Identifier: Apache-2.0
"""What every call of the market and of staking costs, from receipts of real transactions.

    python -m bench.gas            measure, print, record
    python -m bench.gas --check    measure and compare with what is recorded; exit 1 if it differs

The chain is anvil: a test framework that runs calls without transactions keeps slots warm between
them and reports too little. Unless a row says otherwise there are four custodians, two of which
must deliver, and token and accounts are known to the ledger already, as they are for everybody but
the first.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode

from bench.gas_royalties import measure_royalties
from bench.gas_verdicts import measure_verdicts
from bench.report import RESULTS, ROOT, Figure, exit_code, markdown, page_table, read, write
from tests.utils.drafts import (
    FEE_BPS,
    Listing,
    Place,
    Purchase,
    deliver_arguments,
    dispute_arguments,
    draft_evidence,
    draft_listing,
    draft_purchase,
    make_content,
    make_part,
    word_of,
)
from tests.utils.permits import (
    NO_ADMISSION,
    NO_PERMIT,
    NO_VOUCHER,
    address_of_role,
    sign_admission,
    sign_permit,
    sign_voucher,
)
from truthmark.chain.abi import Artifact, load_artifact
from truthmark.testing.anvil import AnvilProcess, start_anvil
from truthmark.testing.network import load_test_artifact

DOCUMENT = ROOT / "docs" / "gas.md"
RECORD = RESULTS / "gas.json"
TOLERANCE = 0.01
START = 2_000_000_000
INITIAL_BALANCE = 10**18
TICKET = 5_000
UNBONDING = 60
BATCH = 20
GAS_LIMIT = 2**24
"""The most that one transaction may use (EIP-7825)."""

LIST = "list with bond"
BUY = "buy by allowance"
# name of a row -> what Ocean Protocol does for the same end, and its gas
OCEAN = {
    LIST: ("Ocean Protocol: publish", 1_580_000),
    BUY: ("Ocean Protocol: buy and order", 281_000),
}


# ---------------------------------------------------------------- the chain


class Contract:
    """A contract on anvil, called by transactions of any account."""

    def __init__(self, chain: AnvilProcess, artifact: Artifact, *args: Any) -> None:
        self.chain = chain
        self.artifact = artifact
        data = artifact.creation_code(args)
        receipt = transact(chain, {"from": address_of_role("deployer"), "data": "0x" + data.hex()})
        self.address = str(receipt["contractAddress"])

    def send(self, name: str, *args: Any, sender: str) -> int:
        """Send a transaction and return the gas that its receipt says."""
        data = self.artifact.function(name, args, {}).encode(args)
        request = {"from": sender, "to": self.address, "data": "0x" + data.hex()}
        return int(transact(self.chain, request)["gasUsed"], 16)


def transact(chain: AnvilProcess, request: dict[str, str]) -> dict[str, Any]:
    """Send a transaction, see that it succeeded, and return its receipt."""
    digest = chain.rpc("eth_sendTransaction", {**request, "gas": hex(GAS_LIMIT), "gasPrice": "0x0"})
    receipt: Any = None
    while receipt is None:
        # Mined at once, but not always before the next question is answered.
        receipt = chain.rpc("eth_getTransactionReceipt", digest)
    if receipt["status"] != "0x1":
        trace: Any = chain.rpc("debug_traceTransaction", digest, {"tracer": "callTracer"})
        output = bytes.fromhex(trace.get("output", "0x")[2:])
        reason = decode(["string"], output[4:])[0] if len(output) > 4 else trace.get("error")
        raise RuntimeError(f"a transaction of the gas table failed: {reason}")
    return dict(receipt)


# ------------------------------------------------------------- the contracts


@dataclass
class Bench:
    """Everything deployed, everybody funded, and the rows measured so far."""

    chain: AnvilProcess
    token: Contract
    staking: Contract
    registry: Contract
    checks: Contract
    proofs: Contract
    market: Contract
    judge: Contract
    openings: Contract
    reviews: Contract
    board: Contract
    intake: Contract
    place: Place
    custodians: list[str]
    seller: str
    buyer: str
    stranger: str
    figures: list[Figure]
    number: int = 0

    @property
    def now(self) -> int:
        block: Any = self.chain.rpc("eth_getBlockByNumber", "latest", False)
        return int(block["timestamp"], 16)

    def travel(self, seconds: int) -> None:
        self.chain.rpc("evm_increaseTime", seconds)
        self.chain.rpc("evm_mine")

    def row(self, name: str, gas: int, floor: int | None = None, *, each: int = 1) -> None:
        """Record a figure: the gas of a transaction, or of each of what it did."""
        value = round(gas / each)
        peer, peer_value = OCEAN.get(name, (None, None))
        self.figures.append(
            Figure(
                name=name,
                value=value,
                unit="gas",
                floor=floor,
                peer=peer,
                peer_value=peer_value,
                ratio=round(value / peer_value, 4) if peer_value else None,
                holds=value <= floor if floor else None,
            )
        )

    # Steps that several rows need.

    def draft(self, n: int = 4, **more: Any) -> Listing:
        self.number += 1
        defaults: dict[str, Any] = {
            "seller": self.seller,
            "payee": address_of_role("payee"),
            "token": self.token.address,
            "now": self.now,
            "custodians": self.custodians[:n],
            "dealing": self.number,
            "manifest": word_of("manifest", self.number),
        }
        return draft_listing(self.place, **{**defaults, **more})

    def list_version(self, listing: Listing) -> int:
        return self.registry.send("list_version", *listing.list_arguments(), sender=self.seller)

    def accept(self, listing: Listing, index: int) -> int:
        arguments = (*listing.accepting, index)
        return self.registry.send("accept", *arguments, sender=listing.custodians[index - 1])

    def create(self, n: int = 4, **more: Any) -> Listing:
        listing = self.draft(n, **more)
        self.list_version(listing)
        for index in range(1, n + 1):
            self.accept(listing, index)
        return listing

    def draft_purchase(self, listing: Listing, **more: Any) -> Purchase:
        self.number += 1
        return draft_purchase(listing, self.buyer, self.number, **more)

    def buy(self, listing: Listing) -> Purchase:
        purchase = self.draft_purchase(listing)
        self.market.send("buy", *purchase.arguments(), sender=self.buyer)
        return purchase

    def buy_many(self, listing: Listing, count: int = BATCH) -> list[Purchase]:
        return [self.buy(listing) for _ in range(count)]

    def deliver(self, index: int, purchases: Sequence[Purchase]) -> int:
        parts = [make_part(purchase, index) for purchase in purchases]
        arguments = deliver_arguments(purchases[0].listing, index, parts)
        return self.market.send("deliver", *arguments, sender=self.stranger)

    def settle(self, purchases: Sequence[Purchase]) -> int:
        receipts = [purchase.receipt.astuple() for purchase in purchases]
        listing = purchases[0].listing
        return self.market.send("settle", *listing.keeping, receipts, sender=self.stranger)

    def refund(self, purchases: Sequence[Purchase]) -> int:
        listing = purchases[0].listing
        receipts = [purchase.receipt.astuple() for purchase in purchases]
        arguments = (listing.terms.astuple(), listing.custody.astuple(), receipts)
        return self.market.send("refund", *arguments, sender=self.stranger)

    def fund(self, token: Contract) -> None:
        """Give those who pay money that registry and market may take."""
        for account in (self.seller, self.buyer, self.stranger):
            token.send("mint", account, INITIAL_BALANCE, sender=account)
            for spender in (self.registry, self.market):
                token.send("approve", spender.address, INITIAL_BALANCE, sender=account)


def deploy(chain: AnvilProcess) -> Bench:
    """Deploy everything, and give every account what it needs."""
    role = address_of_role
    owner = role("owner")
    dollar = load_test_artifact("TestToken")
    token = Contract(chain, dollar, "Test Dollar", "TUSD", 6)
    stake_token = Contract(chain, dollar, "Stake", "STK", 18)
    staking = Contract(
        chain, load_artifact("ValidatorStaking"), stake_token.address, TICKET, UNBONDING, owner
    )
    proofs = Contract(chain, load_artifact("DeliveryProofs"))
    judge = Contract(chain, load_artifact("ShardJudge"))
    openings = Contract(chain, load_artifact("Openings"))
    board = Contract(chain, load_artifact("BountyBoard"), owner, role("treasury"))
    intake = Contract(chain, load_artifact("BountyIntake"), board.address)
    bounty_proofs = Contract(chain, load_artifact("BountyProofs"), board.address)
    board.send("fix_parts", intake.address, bounty_proofs.address, sender=owner)
    checks = Contract(chain, load_artifact("ListingChecks"), board.address)
    registry = Contract(
        chain,
        load_artifact("DatasetRegistry"),
        owner,
        staking.address,
        checks.address,
        60,
        7 * 86_400,
    )
    market = Contract(
        chain,
        load_artifact("DatasetMarket"),
        registry.address,
        proofs.address,
        judge.address,
        intake.address,
        role("treasury"),
    )
    reviews = Contract(chain, load_artifact("Reviews"), market.address)
    registry.send("fix_market", market.address, sender=owner)
    registry.send("set_fee_bps", FEE_BPS, sender=owner)
    staking.send("fix_slashers", [registry.address], sender=owner)
    custodians = sorted((role(f"custodian {i}") for i in range(15)), key=lambda it: int(it, 16))
    chain_id: Any = chain.rpc("eth_chainId")
    bench = Bench(
        chain=chain,
        token=token,
        staking=staking,
        registry=registry,
        checks=checks,
        proofs=proofs,
        market=market,
        judge=judge,
        openings=openings,
        reviews=reviews,
        board=board,
        intake=intake,
        place=Place(int(chain_id, 16), registry.address, market.address),
        custodians=custodians,
        seller=role("seller"),
        buyer=role("buyer"),
        stranger=role("stranger"),
        figures=[],
    )
    bench.fund(token)
    for custodian in custodians:
        stake_token.send("mint", custodian, INITIAL_BALANCE, sender=custodian)
        stake_token.send("approve", staking.address, INITIAL_BALANCE, sender=custodian)
        register = staking.send("register", custodian, b"\x11" * 32, sender=custodian)
        stake = staking.send("stake", 4, sender=custodian)
        if custodian == custodians[-1]:
            bench.row("stake: register a validator", register)
            bench.row("stake: four tickets", stake)
    return bench


# ------------------------------------------------------------------ the rows


def measure_listing(bench: Bench) -> None:
    """List, accept, change and end versions."""
    first = bench.draft()
    bench.row("list with bond, the token's first", bench.list_version(first), 250_000)
    listing = bench.draft()
    bench.row(LIST, bench.list_version(listing), 200_000)
    bench.row("accept, the first", bench.accept(listing, 1), 110_000)
    bench.row("accept, one between", bench.accept(listing, 2), 110_000)
    bench.accept(listing, 3)
    bench.row("accept, the last, which makes the custody live", bench.accept(listing, 4), 110_000)

    further = bench.draft()
    arguments = further.list_arguments(listing.terms)
    bench.row(
        "list a further version",
        bench.registry.send("list_version", *arguments, sender=bench.seller),
    )
    direct = bench.draft(custodians=())
    bench.row("list with bond, direct mode", bench.list_version(direct))
    drafted = bench.draft(terms=listing.terms, epoch=1)
    opened = bench.registry.send("open_custody", *drafted.opening, sender=bench.seller)
    bench.row("open a further custody", opened)

    terms = listing.terms.astuple()
    reprice = bench.registry.send("reprice", terms, listing.price + 1, sender=bench.seller)
    bench.row("reprice", reprice)
    paused = bench.registry.send("set_version_paused", terms, True, sender=bench.seller)
    bench.row("pause a version", paused)
    bench.registry.send("set_version_paused", terms, False, sender=bench.seller)
    bench.registry.send("top_up", terms, 10**6, sender=bench.stranger)
    topped_up = bench.registry.send("top_up", terms, 10**6, sender=bench.stranger)
    bench.row("top up a keeping balance", topped_up)

    bench.travel(listing.custody.end - bench.now - listing.custody.period_seconds // 3 + 1)
    votes = []
    for index in (1, 2, 3):
        sender = listing.custodians[index - 1]
        votes.append(bench.registry.send("extend", *listing.keeping, index, sender=sender))
    bench.row("extend, a vote", votes[1])
    bench.row("extend, the vote that takes effect", votes[2])
    joining = bench.registry.send(
        "join_extension", *listing.keeping[1:], 4, sender=listing.custodians[3]
    )
    bench.row("extend, joining", joining)

    lapsed = bench.registry.send("lapse", *drafted.keeping, sender=bench.stranger)
    bench.row("give up a custody that lapsed", lapsed)
    retire = bench.registry.send("retire", terms, sender=bench.seller)
    bench.row("retire", retire)
    bench.travel(2 * 7 * 86_400)
    release = bench.registry.send("release", *listing.keeping, sender=bench.stranger)
    bench.row("release of four custodians", release)
    bench.row("close a version", bench.registry.send("close_version", terms, sender=bench.stranger))


def measure_buying(bench: Bench) -> None:
    """Buy in every way."""
    listing = bench.create()
    bench.buy(listing)
    purchase = bench.draft_purchase(listing)
    by_allowance = bench.market.send("buy", *purchase.arguments(), sender=bench.buyer)
    bench.row(BUY, by_allowance, 115_000)
    expiry = bench.now + 10**6
    # The permit sets the allowance again, as it does for who never gave one.
    bench.token.send("approve", bench.market.address, 0, sender=bench.buyer)
    permit = sign_permit(
        bench.token.address,
        bench.place.chain_id,
        "buyer",
        bench.market.address,
        listing.cost,
        expiry,
    )
    purchase = bench.draft_purchase(listing)
    arguments = purchase.arguments(permit, NO_VOUCHER, NO_ADMISSION)
    by_permit = bench.market.send("buy", *arguments, sender=bench.buyer)
    bench.row("buy by permit", by_permit, 145_000)
    bench.token.send("approve", bench.market.address, INITIAL_BALANCE, sender=bench.buyer)

    voucher = sign_voucher(listing, bench.buyer, listing.price // 2, expiry)
    purchase = bench.draft_purchase(listing, price=listing.price // 2)
    arguments = purchase.arguments(NO_PERMIT, voucher, NO_ADMISSION)
    by_voucher = bench.market.send("buy", *arguments, sender=bench.buyer)
    bench.row("buy by voucher", by_voucher, 145_000)

    gated = bench.create(gate=address_of_role("gate"))
    admission = sign_admission(gated, bench.buyer, expiry)
    purchase = bench.draft_purchase(gated)
    arguments = purchase.arguments(NO_PERMIT, NO_VOUCHER, admission)
    admitted = bench.market.send("buy", *arguments, sender=bench.buyer)
    bench.row("buy through a gate", admitted)

    other = Contract(bench.chain, load_test_artifact("TestToken"), "Other", "OTH", 6)
    bench.fund(other)
    listing = bench.create(token=other.address)
    purchase = bench.draft_purchase(listing)
    first = bench.market.send("buy", *purchase.arguments(), sender=bench.buyer)
    bench.row("buy by allowance, the token's first", first)


def measure_delivering(bench: Bench) -> None:
    """Deliver, settle and refund, alone and in batches."""
    listing = bench.create()
    # Known accounts: what a first settlement leaves behind.
    (known,) = bench.buy_many(listing, 1)
    bench.deliver(1, [known])
    bench.deliver(2, [known])
    bench.travel(listing.terms.inspection_seconds + 1)
    new_accounts = bench.settle([known])

    (alone,) = bench.buy_many(listing, 1)
    bench.row("deliver alone, the first part", bench.deliver(1, [alone]), 62_000)
    bench.row("deliver alone, the part that completes", bench.deliver(2, [alone]), 62_000)
    batch = bench.buy_many(listing)
    first = bench.deliver(1, batch)
    bench.row("deliver, each of 20, first parts", first, 31_000, each=BATCH)
    second = bench.deliver(2, batch)
    bench.row("deliver, each of 20, parts that complete", second, 31_000, each=BATCH)
    sixteen = bench.draft(15, threshold=8)
    bench.list_version(sixteen)
    for index in range(1, 16):
        bench.accept(sixteen, index)
    (many,) = bench.buy_many(sixteen, 1)
    bench.row("deliver alone, 8 of 15 custodians", bench.deliver(1, [many]), 62_000)

    bench.travel(listing.terms.inspection_seconds + 1)
    bench.row("settle", bench.settle([alone]), 90_000)
    bench.row("settle, new accounts", new_accounts)
    bench.row("settle, each of 20", bench.settle(batch), 15_000, each=BATCH)
    (confirmed,) = bench.buy_many(listing, 1)
    bench.deliver(1, [confirmed])
    bench.deliver(2, [confirmed])
    arguments = (*listing.keeping, confirmed.receipt.astuple())
    confirm = bench.market.send("confirm", *arguments, sender=bench.buyer)
    bench.row("confirm", confirm)

    token = bench.token.address
    custodian = listing.custodians[0]
    paid = bench.market.send("withdraw", token, custodian, 0, sender=bench.stranger)
    bench.row("withdraw, the account's first", paid)
    listing = bench.create()
    late = bench.buy_many(listing, 1 + BATCH)
    bench.travel(listing.terms.delivery_seconds + 1)
    bench.refund(late[:1])
    bench.row("refund, each of 20, custody closed already", bench.refund(late[1:]), each=BATCH)
    listing = bench.create()
    (late_one,) = bench.buy_many(listing, 1)
    bench.travel(listing.terms.delivery_seconds + 1)
    bench.row("refund, four custodians fined", bench.refund([late_one]))
    entry = bench.market.send("withdraw", token, bench.buyer, 0, sender=bench.stranger)
    bench.row("withdraw", entry)


def measure_disputing(bench: Bench) -> None:
    """Dispute one shard of a thousand."""
    content = make_content(7, 1_000, frozenset({999}))
    rows = (("the first", 2, 4, None), ("", 2, 4, 160_000), ("", 1, 1, None), ("", 8, 15, None))
    for note, threshold, n, floor in rows:
        listing = bench.create(n, threshold=threshold, content=content)
        purchase = bench.buy(listing)
        for index in range(1, threshold + 1):
            bench.deliver(index, [purchase])
        parts = {j: make_part(purchase, j) for j in range(1, threshold + 1)}
        arguments = dispute_arguments(purchase, draft_evidence(purchase, parts, 999))
        gas = bench.market.send("dispute_key", *arguments, sender=bench.stranger)
        name = f"dispute, t = {threshold}, 1,000 shards"
        bench.row(f"{name}, {note}" if note else name, gas, floor)
        if note:
            bench.row("refund of a delivered purchase, version revoked", bench.refund([purchase]))


def measure_staking(bench: Bench) -> None:
    """Take stake out again."""
    validator = bench.custodians[-1]
    bench.row("stake: one ticket more", bench.staking.send("stake", 1, sender=validator))
    bench.travel(1)
    ticket = 4 * len(bench.custodians)
    bench.row("stake: unbond a ticket", bench.staking.send("unbond", [ticket], sender=validator))
    bench.travel(UNBONDING)
    taken = bench.staking.send("withdraw_tickets", [ticket], sender=validator)
    bench.row("stake: withdraw a ticket", taken)


PARTS: tuple[Callable[[Bench], None], ...] = (
    measure_listing,
    measure_buying,
    measure_delivering,
    measure_disputing,
    measure_staking,
    measure_royalties,
    measure_verdicts,
)


def measure() -> list[Figure]:
    """Measure every row on a fresh chain."""
    extra = ("--auto-impersonate", "--base-fee", "0", "--gas-price", "0")
    with start_anvil(extra=(*extra, "--timestamp", str(START))) as chain:
        bench = deploy(chain)
        for part in PARTS:
            part(bench)
    return sorted(bench.figures, key=lambda it: it.floor is None)


# ----------------------------------------------------------------- the record


def recorded() -> list[Figure]:
    """Return what is recorded; nothing before the first time."""
    return read("gas") if RECORD.exists() else []


def changes(before: Sequence[Figure], after: Sequence[Figure]) -> list[str]:
    """Return what differs by more than the tolerance, or is missing on one side."""
    old, new = ({it.name: it for it in figures} for figures in (before, after))
    lines = [f"{name}: measured, but not recorded" for name in new.keys() - old.keys()]
    lines += [f"{name}: recorded, but not measured" for name in old.keys() - new.keys()]
    for name in old.keys() & new.keys():
        was, now = old[name].value, new[name].value
        if abs(now - was) > TOLERANCE * was:
            lines.append(f"{name}: {was:,} recorded, {now:,} now ({now / was - 1:+.1%})")
        if old[name].floor != new[name].floor:
            lines.append(f"{name}: another promise than recorded")
    return sorted(lines)


def document(figures: Sequence[Figure]) -> str:
    """Return docs/gas.md."""
    return f"""# Gas

`make gas` measures this from receipts of real transactions on anvil, writes this page and
`bench/results/gas.json`, and fails where a promise is broken. A change of more than 1 % without a
new record fails the tests.

Unless a row says otherwise there are four custodians, two of which must deliver, and token and
accounts are known to the ledger already, as they are for everybody but the first. Ocean Protocol's
figures are of its contracts doing the same: publishing, and buying a token and ordering with it.

{page_table(figures)}
## Bounties

Measured by `python -m bench.gas_bounties`. A worker has 500 labels in ten seats of fifty; there are
five rounds and two classes (in a team of one, one round and no gold), and 20, 200 and 2,000 gold
items for 10, 100 and 1,000 workers; at 1,000 the relay posts quarters. Requester, relay, payer and
treasury are known to the ledger. Human Protocol's figures are of its contracts doing the same for
as many workers.

{page_table(read("gas_bounties"))}"""


def main(arguments: Sequence[str]) -> int:
    """Measure; then record, or compare with the record."""
    if list(arguments) not in ([], ["--check"]):
        print(__doc__)
        return 2
    figures = measure()
    print(markdown(figures))
    if arguments:
        differences = changes(recorded(), figures)
        print(*differences, sep="\n")
        return 1 if differences else 0
    write("gas", figures)
    DOCUMENT.write_text(document(figures), "utf-8")
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
