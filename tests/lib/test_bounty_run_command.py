# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty run` and `status`: relay and receiver in a process that gets killed."""

import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.utils.cli import Person
from tests.utils.devnets import net
from tests.utils.relay_chain import sign_labels
from tests.utils.relays import PAYEES, commit_request, join_request, make_papers, team_terms
from tests.utils.waiting import wait_for
from truthmark.bounty.client import BountyClient
from truthmark.bounty.labeler import SignedCommit
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.secrets import new_secrets
from truthmark.bounty.workspace import Workspace
from truthmark.errors import RelayError
from truthmark.testing.network import Devnet
from truthmark.testing.ports import free_port

__all__ = ["net"]

pytestmark = pytest.mark.chain

BOUNTY_ERROR = 9


class Team:
    """Three labelers, and a requester at a command line."""

    def __init__(self, net: Devnet, folder: Path) -> None:
        self.net, self.folder = net, folder
        session = net.session("requester")
        self.requester, self.stranger = BountyClient(session), BountyClient(net.session("stranger"))
        self.person = Person(net.home("requester"))
        self.url = f"http://127.0.0.1:{free_port()}"
        made = new_secrets(session.vault)
        self.workspace = Workspace.of_key(session.home, made.key)
        papers = make_papers(
            self.workspace.folder, secret=made.items_secret, relay_urls=(self.url,)
        )
        self.terms = team_terms(
            papers.document,
            requester=session.address,
            relay=session.address,
            receiver=made.receiver,
            token=net.profile.tokens[1].address,
            salt=made.terms_salt,
            key_x=made.key.x,
            key_y=made.key.y,
            tip=5,
        )
        self.workspace.save_document(papers.document)
        self.workspace.save_terms(self.terms)
        self.number = self.requester.create(self.terms)
        self.ref = BountyRef(net.profile.chain_id, self.requester.board.address, self.number)
        self.workspace.save_ref(self.ref)
        self.relay = RelayClient(self.url)
        self.processes: list[subprocess.Popen[str]] = []

    def start(self) -> "subprocess.Popen[str]":
        process = self.person.start("bounty", "run", self.number, "--poll", "0.05")
        self.processes.append(process)
        wait_for(self.is_served, "a relay")
        return process

    def kill(self) -> None:
        """Kill the last process, which may still be writing, and see it end."""
        self.processes[-1].kill()
        self.processes[-1].communicate()

    def is_served(self) -> bool:
        assert self.processes[-1].poll() is None, self.processes[-1].communicate()
        try:
            return self.relay.status(self.number).has_data
        except RelayError:
            return False

    def record(self) -> Record:
        return self.stranger.read(self.number)

    def wait_for_status(self, status: Status) -> None:
        state = self.stranger.board.functions.state(self.number)
        wait_for(lambda: state.call().status == status, status.name, 280)

    def wait_for_commits(self, count: int) -> None:
        state = self.stranger.board.functions.state(self.number)
        wait_for(lambda: state.call().committers == count, "the commits", 280)

    def label(self, worker: int) -> SignedCommit:
        return sign_labels(self.stranger, self.number, self.terms, worker, self.folder)

    def commit(self, signed: SignedCommit) -> None:
        self.relay.commit(self.number, commit_request(signed))


@pytest.fixture
def team(net: Devnet, tmp_path: Path) -> Iterator[Team]:
    made = Team(net, tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.communicate()


def test_bounty_run__killed_twice__pays_everybody_once(team: Team) -> None:
    team.start()
    for who in range(3):
        team.relay.join(team.number, join_request(team.ref, team.terms, who))
    team.wait_for_status(Status.DRAWN)
    team.net.chain.rpc("anvil_mine", "0x4")
    team.wait_for_status(Status.LABEL)
    status = team.person("bounty", "status", team.number, "--json").ok().json
    assert (status["phase"], status["joined"], status["seats_taken"]) == ("labeling", 3, 10)
    team.kill()

    team.start()
    signed = [team.label(worker) for worker in range(3)]
    for one in signed:
        team.commit(one)
    team.wait_for_commits(3)
    record = team.record()
    for one in signed[:2]:  # the third is away, and nobody has their labels
        wait_for(lambda one=one: _handed_out(team, one, record), "the file")  # type: ignore[misc]
        wait_for(
            lambda one=one: team.relay.acknowledgement(team.number, one.commit.worker),  # type: ignore[misc]
            "the signature",
        )
    team.kill()
    team.net.warp(3600 + 600 + 601)
    assert team.person("bounty", "status", team.number, "--json").ok().json["acknowledged"] == 2

    process = team.start()
    team.wait_for_status(Status.SCORED)
    team.net.warp(3601)
    err = process.communicate(timeout=300)[1]
    assert process.returncode == 0, err
    assert "must be on at some time between" in err
    assert f"now look at the labels: truthmark bounty result {team.number}" in err
    record, board = team.record(), team.stranger.board.functions
    assert record.status is Status.SETTLED
    full = [int(row.seats) * 400 for row in record.roster.rows]
    paid = [board.balances(team.terms.token, payee).call() for payee in PAYEES[:3]]
    assert paid == [full[0], full[1], 0]
    assert board.balances(team.terms.token, team.terms.requester).call() == 0  # withdrawn
    shown = team.person("bounty", "status", team.number).ok().out
    assert "settled: everybody whose labels arrived is paid in full" in shown
    assert "is over, and everybody is paid" in team.person("bounty", "run", team.number).ok().err


def _handed_out(team: Team, one: SignedCommit, record: Record) -> bool:
    try:
        team.relay.put_file(team.number, one.file(record))
    except RelayError:  # the relay has not seen the commit yet
        return False
    return True


def test_bounty_run__ctrl_c__ends_cleanly_and_goes_on_later(team: Team) -> None:
    process = team.start()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "stopped; run the same command again to go on"
    folder = team.folder / "elsewhere"
    team.person("bounty", "run", folder).refused(BOUNTY_ERROR, "no folder of a bounty")
    team.person("bounty", "run", "99999").refused(BOUNTY_ERROR, "nothing of bounty 99999")
    team.person("bounty", "status", "99999").refused(BOUNTY_ERROR, "there is no bounty 99999")


class Killer:
    """Kills the process again and again, and starts it again, until it is told to stop."""

    def __init__(self, team: Team, seed: int) -> None:
        self.team, self.rng, self.kills = team, random.Random(seed), 0
        self.stopped = threading.Event()
        self.process = team.person.start("bounty", "run", team.number, "--poll", "0.05")
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self) -> None:
        while not self.stopped.is_set():
            # Mostly when it is at work; a start takes seconds, and more on a busy machine.
            if self.rng.random() > 0.2:
                while not (self.stopped.is_set() or self.is_served() or self.has_ended):
                    time.sleep(0.05)
            self.stopped.wait(self.rng.uniform(0, 4))
            if not self.has_ended:
                self.process.kill()
                self.kills += 1
            self.process.communicate()
            self.process = self.team.person.start("bounty", "run", self.team.number)
        self.team.processes.append(self.process)

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def is_served(self) -> bool:
        try:
            return self.team.relay.status(self.team.number).has_data
        except RelayError:
            return False

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join()


def _until_taken(act: Callable[[], object]) -> None:
    def taken() -> bool:
        try:
            act()
        except RelayError:
            return False
        return True

    wait_for(taken, "a relay that takes it", 280)


@pytest.mark.assure
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("seed", range(8))
def test_bounty_run__killed_at_any_time__pays_everybody_once(team: Team, seed: int) -> None:
    token = team.terms.token
    had = team.requester.session.held(token)  # after pot and bond
    killer = Killer(team, seed)
    try:
        for who in range(3):
            request = join_request(team.ref, team.terms, who)
            _until_taken(lambda request=request: team.relay.join(team.number, request))  # type: ignore[misc]
        team.wait_for_status(Status.DRAWN)
        team.net.chain.rpc("anvil_mine", "0x4")
        team.wait_for_status(Status.LABEL)
        signed = [team.label(worker) for worker in range(3)]
        for one in signed:
            _until_taken(lambda one=one: team.commit(one))  # type: ignore[misc]
        team.wait_for_commits(3)
        record = team.record()
        for one in signed:
            _until_taken(lambda one=one: team.relay.put_file(team.number, one.file(record)))  # type: ignore[misc]
            wait_for(
                lambda one=one: _signature(team, one.commit.worker),  # type: ignore[misc]
                "the signature",
                280,
            )
        team.net.warp(3600 + 600 + 601)
        team.wait_for_status(Status.SCORED)
        team.net.warp(3601)
        team.wait_for_status(Status.SETTLED)
    finally:
        killer.stop()
    process = team.processes[-1]
    err = process.communicate(timeout=300)[1]
    # Killed after the last payment, it has nothing left to do.
    assert process.returncode == 0, err
    record, session = team.record(), team.stranger.session
    session.follower.sync()
    events = session.follower.index.events
    paid = events("bounty_board", "PaidOut", bounty_id=team.number)
    assert len(events("bounty_board", "Scored", bounty_id=team.number)) == 1
    assert sum(row.args["workers"] for row in paid) == 3
    board = team.stranger.board.functions
    full = [int(row.seats) * 400 for row in record.roster.rows]
    assert [board.balances(token, payee).call() for payee in PAYEES[:3]] == full
    back = team.requester.session.held(token) - had
    assert back == team.terms.pot - sum(full)  # relay's fee and tip are the requester's own
    assert killer.kills > 2


def _signature(team: Team, worker: int) -> bytes | None:
    try:
        return team.relay.acknowledgement(team.number, worker)
    except RelayError:
        return None
