# SPDX-License-Identifier: Apache-2.0
"""A bounty posted on anvil, killed at every write and every send: created once, paid once."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.utils.cli import Person
from tests.utils.devnets import net
from truthmark.bounty import relay_client
from truthmark.bounty.answers import Known
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import LabelClass
from truthmark.bounty.flows import posting
from truthmark.bounty.flows.asks import Ask, Posted, Proposal
from truthmark.bounty.flows.posting import post_bounty
from truthmark.bounty.items import item_key
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.relay_models import RelayInfo
from truthmark.bounty.secrets import find_secrets
from truthmark.bounty.sources.opening import open_items_of
from truthmark.bounty.team import Member
from truthmark.bounty.workspace import Workspace
from truthmark.chain.rpc import RpcClient
from truthmark.errors import BountyError, ConfigError, PriceError
from truthmark.session import Session
from truthmark.testing.network import Devnet

__all__ = ["net"]

pytestmark = pytest.mark.chain

NAMES = [f"t{number}" for number in range(120)]
ASK = Ask(
    title="Good texts",
    guidelines="Is it good?",
    classes=(LabelClass("good"), LabelClass("bad")),
    price="0.05 TUSD",
    known={name: Known("good" if n % 4 else "bad") for n, name in enumerate(NAMES) if n % 2 == 0},
    unattended=True,
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "texts.csv"
    path.write_text("id,text\n" + "".join(f"{name},text of {name}\n" for name in NAMES))
    return path


def yes(proposal: Proposal) -> bool:
    return True


def post(session: Session, table: Path, ask: Ask = ASK, **options: Any) -> Posted:
    options.setdefault("agree", yes)
    return post_bounty(session, open_items_of(table, names="id"), ask, **options)


def created(session: Session) -> int:
    client = BountyClient(session)
    session.follower.sync()
    rows = session.follower.index.events("bounty_board", "BountyCreated")
    mine = client.session.address.lower()
    terms = [row.args["terms"].requester for row in rows]
    return sum(f"0x{requester:040x}" == mine for requester in terms)


def test_post__bounty_with_gold__all_of_it_is_stored_and_paid_once(
    net: Devnet, table: Path
) -> None:
    with net.session("requester") as session:
        token = session.profile.token("TUSD").address
        before, known = session.held(token), created(session)
        seen: list[Proposal] = []
        posted = post(session, table, agree=lambda proposal: bool(seen.append(proposal)) or True)
        terms = posted.terms
        assert posted.is_new and not posted.is_offered
        assert session.held(token) == before - terms.pot - terms.bond
        assert created(session) == known + 1
        record = BountyClient(session).read(posted.bounty_id)
        assert record.terms.hash == terms.hash == seen[0].terms.hash

        workspace = Workspace.find(session.home, record.ref)
        document, gold = workspace.document, workspace.gold
        document.require_fits(terms)
        secrets = find_secrets(session.vault, terms.key)
        assert gold.commitment(secrets.gold_salt) == terms.gold_commitment
        assert terms.receiver == secrets.receiver
        answers = [ASK.known[workspace.names[item]].answer for item in gold.items.tolist()]
        assert answers == [ASK.classes[answer].name for answer in gold.answers.tolist()]
        assert sum(seen[0].gold.values()) == len(gold)
        # Practice is shown to everyone, and neither labeled nor gold.
        assert len(document.practice) == 6
        with workspace.open_items() as items:
            shown = [items.example(n).text.removeprefix("text of ") for n in range(items.shown)]
            first = items.item(0, item_key(secrets.items_secret, 0)).text
        assert not {*shown} & {*workspace.names}
        assert len(shown) + terms.items == len(NAMES)
        assert first == f"text of {workspace.names[0]}"
        for entry in document.practice:
            assert ASK.classes[entry.answer].name == ASK.known[shown[entry.item]].answer
        # What others need comes from storage by what the terms say.
        storage = session.storage
        assert storage.read_block(document.cid) == document.to_bytes()
        assert storage.has(document.items.manifest) and storage.has(document.items.data)


def test_post__the_same_again__nothing_is_sent_unless_it_is_said(net: Devnet, table: Path) -> None:
    ask = replace(ASK, title="Again")
    with net.session("requester") as session:
        token = session.profile.token("TUSD").address
        first = post(session, table, ask)
        paid, nonce = session.held(token), _nonce(session)
        same = post(session, table, replace(ask, worth=5.0, max_total="1 TUSD"))
        assert (same.bounty_id, same.is_new) == (first.bounty_id, False)
        assert (session.held(token), _nonce(session)) == (paid, nonce)
        other = post(session, table, replace(ask, again=True))
        assert other.is_new and other.bounty_id > first.bounty_id
        assert other.terms.key != first.terms.key
        assert session.held(token) == paid - other.terms.pot - other.terms.bond


def _nonce(session: Session) -> int:
    return int(session.chain.rpc.call("eth_getTransactionCount", session.address, "latest"), 16)


class KilledError(BaseException):
    """Stands for a kill: nothing in the code may catch it."""


def test_post__killed_at_every_write__created_once_and_paid_once(
    net: Devnet, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = replace(ASK, title="Killed while writing")
    fsync, left = os.fsync, [0]

    def write_or_die(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError
        fsync(descriptor)

    with net.session("requester") as session:
        token = session.profile.token("TUSD").address
        before, known = session.held(token), created(session)
    monkeypatch.setattr(os, "fsync", write_or_die)
    for kills in range(200):
        left[0] = kills
        # Another process each time: nothing is remembered but what is on disk.
        with net.session("requester") as session:
            try:
                posted = post(session, table, ask)
            except KilledError:
                continue
            break
    monkeypatch.undo()
    assert kills > 10
    with net.session("requester") as session:
        assert created(session) == known + 1
        assert session.held(token) == before - posted.terms.pot - posted.terms.bond
        board = BountyClient(session).board.address
        allowed = session.token(token).functions.allowance(session.address, board).call()
        assert allowed == 0
        assert not [w for w in Workspace.all(session.home) if w.is_blank]
        # What is here opens what is on chain.
        workspace = Workspace.find(session.home, BountyClient(session).read(posted.bounty_id).ref)
        secrets = find_secrets(session.vault, posted.terms.key)
        with workspace.open_items() as items:
            assert items.item(0, item_key(secrets.items_secret, 0)).text.startswith("text of")


@pytest.mark.parametrize("when", ["before", "after"])
def test_post__killed_at_every_send__created_once_and_paid_once(
    net: Devnet, table: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    ask = replace(ASK, title=f"Killed {when} sending")
    with net.session("requester") as session:
        token = session.profile.token("TUSD").address
        before, known = session.held(token), created(session)
    kills = 0
    call: Callable[..., Any] = RpcClient.call
    deadly = [1]

    def send_or_die(self: RpcClient, method: str, *arguments: Any) -> Any:
        if method != "eth_sendRawTransaction":
            return call(self, method, *arguments)
        deadly[0] -= 1
        if deadly[0] == 0 and when == "before":
            raise KilledError
        reply = call(self, method, *arguments)
        if deadly[0] == 0:
            raise KilledError
        return reply

    monkeypatch.setattr(RpcClient, "call", send_or_die)
    for at in (1, 1, 2, 2, 0):
        deadly[0] = at
        with net.session("requester") as session:
            try:
                posted = post(session, table, ask)
            except KilledError:
                kills += 1
    assert kills >= 2
    with net.session("requester") as session:
        assert created(session) == known + 1
        assert session.held(token) == before - posted.terms.pot - posted.terms.bond


def test_post__not_agreed_or_too_expensive__nothing_is_sent(net: Devnet, table: Path) -> None:
    ask = replace(ASK, title="No")
    with net.session("requester") as session:
        nonce = _nonce(session)
        with pytest.raises(BountyError, match="nothing was created"):
            post(session, table, ask, agree=lambda proposal: False)
        with pytest.raises(PriceError, match="more than 1 TUSD"):
            post(session, table, replace(ask, max_total="1 TUSD"))
        with pytest.raises(PriceError, match="pay in more"):
            post(session, table, replace(ask, price="9000 TUSD"))
        with pytest.raises(BountyError, match="too few"):
            post(session, table, replace(ask, gold_count=6))
        with pytest.raises(ConfigError, match="texts cannot be judged on known answers"):
            post(session, table, replace(ask, classes=()))
        with pytest.raises(ConfigError, match="two classes or more"):
            post(session, table, replace(ask, classes=ask.classes[:1]))
        assert _nonce(session) == nonce


def test_post__broken_items_and_nobody_there__refused_unless_allowed(
    net: Devnet, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text\n" + "".join(f"{n},text of {n}\n" for n in NAMES) + "x,\n")
    ask = replace(ASK, title="Broken")
    with net.session("requester") as session:
        with pytest.raises(BountyError, match=r"such as x \(has an empty cell\); mend the source"):
            post(session, path, ask)
        posted = post(session, path, replace(ask, leaves_out=True))
        assert posted.terms.items == len(NAMES) - 6


def test_post__team__no_gold_no_bond_and_an_invitation_each(net: Devnet, table: Path) -> None:
    team = (Member("Ann"), Member("Bob"), Member("Eve", "0x" + "11" * 20))
    with net.session("requester") as session:
        posted = post(session, table, replace(ASK, title="Team", known={}, team=team))
        terms, guests = posted.terms, posted.workspace.guests
        assert terms.is_team and terms.bond == 0 and terms.rounds == 3
        assert [(guest.name, bool(guest.code), guest.account) for guest in guests] == [
            ("Ann", True, ""),
            ("Bob", True, ""),
            ("Eve", False, team[2].account),
        ]
        again = post(session, table, replace(ASK, title="Team", known={}, team=team))
        assert again.workspace.guests == guests


class OneRelay:
    """A relay that says of itself what a test wants; it is offered nothing."""

    fixed: ClassVar[dict[str, Any]] = {}

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> "OneRelay":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def require_private(self) -> None:
        pass

    def info(self, requester: str | None = None) -> RelayInfo:
        assert requester is not None, "the relay is asked about the requester"
        return RelayInfo(**self.fixed)


def test_post__relay_would_not_serve_it__nothing_is_paid(
    net: Devnet, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = replace(ASK, title="For a relay", relay="http://127.0.0.1:1")
    account = "0x" + "a1" * 20
    with net.session("requester") as session:
        token = session.profile.token("TUSD").address
        good = {
            "chain_id": session.profile.chain_id,
            "board": BountyClient(session).board.address,
            "account": account,
            "url": "",
            "version": "1",
            "roles": ["relay"],
            "watch": [],
            "min_fees": {token: 7 * 10**6},
        }
        monkeypatch.setattr(relay_client, "RelayClient", OneRelay)
        monkeypatch.setattr(posting, "offer_to", lambda *_, **__: None)
        before, nonce = session.held(token), _nonce(session)
        for wrong, says in (
            ({"min_fees": {}}, "does not serve"),
            ({"roles": ["watch"]}, "serves no bounties"),
            ({"max_bytes": 10}, "takes 10"),
            ({"board": account}, "another network"),
        ):
            OneRelay.fixed = good | wrong
            with pytest.raises(BountyError, match=says):
                post(session, table, ask)
        # Agreed to, and then killed: what the relay wants by then counts.
        OneRelay.fixed = good
        with monkeypatch.context() as killed:
            killed.setattr(posting, "_store", _kill)
            with pytest.raises(KilledError):
                post(session, table, ask)
        OneRelay.fixed = good | {"min_fees": {}}
        with pytest.raises(BountyError, match="does not serve"):
            post(session, table, ask)
        assert (session.held(token), _nonce(session)) == (before, nonce)
        OneRelay.fixed = good | {"min_fees": {token: 9 * 10**6}}
        seen: list[Proposal] = []
        posted = post(session, table, ask, agree=lambda it: bool(seen.append(it)) or True)
        assert len(seen) == 1 and posted.is_offered
        assert (posted.terms.relay_fee, posted.terms.relay.lower()) == (9 * 10**6, account)
        # A relay that knows its requester asks for nothing.
        OneRelay.fixed = good | {"min_fees": {}, "knows_requester": True}
        assert post(session, table, replace(ask, title="Known")).is_new
    with pytest.raises(ConfigError, match="not encrypted"), net.session("requester") as session:
        monkeypatch.setattr(relay_client, "RelayClient", RelayClient)
        post(session, table, replace(ask, title="Open", relay="http://192.0.2.1.example"))


def _kill(*_: object) -> None:
    raise KilledError


def test_create__command_line__asks_shows_and_says_what_is_next(net: Devnet, table: Path) -> None:
    requester = Person(net.home("requester"))
    gold = table.with_name("gold.csv")
    gold.write_text("item,answer\n" + "".join(f"{n},{k.answer}\n" for n, k in ASK.known.items()))
    command = ("bounty", "create", table, "--id", "id", "--classes", "good,bad", "--gold", gold)
    command += ("--price", "0.05 TUSD")
    shown = requester(*command, stdin="n\n").refused(9, "nothing was created")
    for words in ("570 (114 items × 5)", "who guesses: gets", "gold: ", "which comes back"):
        assert words in shown.err, shown.err
    done = requester(*command, stdin="y\n").ok()
    number = done.out.strip()
    assert f"truthmark bounty run {number}" in done.err
    again = requester(*command, "--yes", "--json").ok().json
    assert (again["bounty"], again["is_new"]) == (int(number), False)

    team = table.with_name("team.txt")
    team.write_text("Ann\nBob\n")
    command = ("bounty", "create", table, "--classes", "good,bad", "--price", "0.05 TUSD")
    done = requester(*command, "--team", team, "--yes").ok()
    assert done.out.count("--code") == 2
    requester(*command, "--team", team, "--gold-count", 5, "--yes").refused(3, "no gold")
    requester(*command, "--yes").refused(9, "bounty gold")
    requester(*command, "--waves", "2-2", "--yes").refused(3, "2+2+3")
