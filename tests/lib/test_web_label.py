# SPDX-License-Identifier: Apache-2.0
"""Labelers in browsers, as far as pages go without one: a real relay, a real chain, Node."""

import json
from collections.abc import Iterator

import pytest

from tests.utils.devnets import net
from tests.utils.label_bounty import ITEMS, Posted, Rounds, rounds, serve_pages
from tests.utils.node_js import TESTS, run_node
from tests.utils.waiting import wait_for
from truthmark.bounty.client import BountyClient
from truthmark.bounty.label_file import LabelFile, open_notes
from truthmark.bounty.payouts import Status
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.sealing import open_with_key
from truthmark.bounty.secrets import find_secrets
from truthmark.node.relay.server import AppServer
from truthmark.testing.network import Devnet

__all__ = ["net", "rounds"]

pytestmark = pytest.mark.chain

PAYEES = ["0x" + f"f{n}" * 20 for n in range(3)]


@pytest.fixture(scope="module")
def other_server(net: Devnet, rounds: Rounds) -> Iterator[AppServer]:
    """Serve the page beside no relay, as the app does, on a network that names a watch node."""
    with serve_pages(net, rounds.watch_url) as server:
        yield server


def test_labeling_steps__pages_killed_everywhere_or_closed__open_for_the_requester_and_are_paid(
    net: Devnet, rounds: Rounds, other_server: AppServer
) -> None:
    posted = Posted(net, rounds.server.url)
    # Two come by the relay's own page, one by that of another server.
    bases = [rounds.server.url, rounds.server.url, other_server.url]
    wrong = [0, 3, 0]
    asked = {
        "bounty": posted.number,
        "pages": [
            {"base": base, "payee": payee, "wrong": skips, "leaves": base == other_server.url}
            for base, payee, skips in zip(bases, PAYEES, wrong, strict=True)
        ],
        "kills": True,
        "pause": 100,
    }
    pages = json.loads(run_node(str(TESTS / "label.mjs"), stdin=json.dumps(asked)))
    client = BountyClient(net.session("stranger"))
    record = client.read(posted.number)
    secrets = find_secrets(net.session("requester").vault, record.terms.key)
    workers = {row.signer.lower(): n for n, row in enumerate(record.roster.rows)}
    wait_for(lambda: len(RelayClient(rounds.server.url).files(posted.number)) == 3, "all files")
    assert pages[2]["steps"][-1].startswith("committed") and not pages[2]["files"]
    record = client.read(posted.number)
    assert [page["steps"][-1] for page in pages[:2]] == ["done", "done"]
    for page, payee, skips in zip(pages, PAYEES, wrong, strict=True):
        worker = workers[page["address"]]
        assert record.roster.rows[worker].payee.lower() == payee
        # Whatever was killed, one commit was ever sent, and one file; by who stayed, or for them.
        assert len(page["commits"]) == len(page["signed"]) == 1
        (handed_out,) = {*page["files"], page["signed"][0]["file"][2:]}
        file = LabelFile.from_bytes(bytes.fromhex(handed_out))
        assert record.commits.standing[worker].commitment == file.run.commitment
        opened = open_with_key(record.scheme(worker), file.run, secrets.scalar, file.seats)
        run = record.assignment.items_of(int(record.roster.starts[worker]), file.seats)
        wanted = posted.truth[run]
        wanted[:skips] = 2
        assert opened.codes.tolist() == wanted.tolist()
        notes = open_notes(opened.shared, file.notes)
        assert len(notes["seconds"]) == ITEMS
        assert page["lives"] == len(page["kills"]) > 20
    net.warp(3_600 + 600 + 601)
    wait_for(lambda: client.read(posted.number).score is not None, "the score")
    record = client.read(posted.number)
    assert record.status is Status.SCORED
    shares = [
        payment.price / (payment.price + payment.withheld)
        for payment in record.payments(Status.SETTLED)
    ]
    assert sorted(shares)[1:] == [1.0, 1.0] and min(shares) > 0.6  # three skips
    assert not rounds.problems
