# SPDX-License-Identifier: Apache-2.0
"""A requester clicks through all of it: paying, inviting, what came, and asking again."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from app.services import asked, labels, waves
from tests.app.conftest import Start, opener
from tests.app.screen import button, click, has_button, page, shown
from tests.app.test_buying import held
from tests.utils.app_market import AppMarket
from tests.utils.bounty_crew import answers_by_skill, label_bounty
from tests.utils.injections import HOSTILE
from truthmark.bounty.client import BountyClient
from truthmark.bounty.exports import write_csv
from truthmark.bounty.flows.asks import Posted
from truthmark.bounty.payouts import Status
from truthmark.bounty.team import parse_team
from truthmark.errors import ConfigError
from truthmark.text import clean

pytestmark = pytest.mark.chain

TEXTS = 120


def fits(text: str) -> bool:
    """Whether somebody can be invited by this name alone."""
    try:
        (member,) = parse_team(text, "the test")
    except (ConfigError, ValueError):
        return False
    return not member.account and bool(clean(member.name, 100))


def names() -> list[str]:
    """Return hostile names of people, as they are kept; no two of them look the same."""
    kept = [parse_team(text, "the test")[0].name for text in HOSTILE if fits(text)]
    # Some of the longest are cut; a remark begins with #.
    more = [f"{text[:60]} {n}" for n, text in enumerate(HOSTILE) if not fits(text)]
    kept += [parse_team(text, "the test")[0].name for text in more if fits(text)]
    return list({clean(name, 100): name for name in kept}.values())


@dataclass
class Run:
    """What the pages would have started as a process of its own."""

    numbers: list[int] = field(default_factory=list)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Note which bounties are run; that the process does its work is tried in a browser."""
    run = Run()
    monkeypatch.setattr(asked, "run", run.numbers.append)
    monkeypatch.setattr(waves, "run", run.numbers.append)
    return run


def write(path: Path, rows: list[tuple[object, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def truth(name: str) -> int:
    return int(name) % 2


def known(path: Path, numbers: range) -> Path:
    rows: list[tuple[object, ...]] = [("item", "answer")]
    return write(path, [*rows, *((str(n), ("good", "bad")[n % 2]) for n in numbers)])


def texts(folder: Path) -> Path:
    """Return a table whose texts, and whose answers' reasons, are hostile."""
    rows: list[tuple[object, ...]] = [("text",)]
    rows += [(f"{HOSTILE[n % len(HOSTILE)]} {n}",) for n in range(TEXTS)]
    return write(folder / "texts.csv", rows)


def filled(at: AppTest, source: Path, title: str) -> AppTest:
    """Fill in items and question."""
    click(at, "Begin")
    at.text_input(key="ask_path").input(str(source))
    at.text_input(key="ask_column").input("text")
    click(at, "Read")
    click(at, "Next")
    at.text_input(key="ask_title").input(title)
    at.text_area(key="ask_classes").input("good\nbad")
    at.text_area(key="ask_guidelines").input("Is it good?").run()
    return click(at, "Next")


def pay(at: AppTest) -> tuple[AppTest, int]:
    """Go from the price to the bounty's own page; return its number."""
    click(at, "Next")
    assert "Everything is made ready now, all but sent: nothing is paid yet." in page(at)
    click(at, "Make it ready")
    assert not at.error, [shown(error.value) for error in at.error]
    click(at, "Change it")
    assert at.text_input(key="ask_price").value == "0.05"
    click(at, "Next")
    click(at, "Make it ready")
    click(at, "Pay ")
    return at, asked.asked()[0].number


# -------------------------------------------------------------------- anyone may label


@dataclass
class Labeled:
    """A bounty for anyone that was asked, labeled and ended."""

    number: int
    folder: Path


@pytest.fixture(scope="module")
def labeled(market: AppMarket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labeled]:
    """Ask by clicking, and let a crew label all of it, with remarks that are hostile."""
    folder = tmp_path_factory.mktemp("asked")
    with pytest.MonkeyPatch.context() as patch:
        run = Run()
        patch.setattr(asked, "run", run.numbers.append)
        start = opener(market.net, patch, page="new_bounty", role="requester")
        session = market.session("requester")
        had = held(market, "requester")
        at = filled(start(), texts(folder), "For anyone")
        at.radio(key="ask_who").set_value("Anyone").run()
        at.text_input(key="ask_given").input(str(known(folder / "known.csv", range(80))))
        click(at, "Use them")
        assert not at.error, [shown(error.value) for error in at.error]
        click(at, "Next")
        at.text_input(key="ask_price").input("0.05")
        at.selectbox(key="ask_token").select("TUSD")
        at.text_input(key="ask_worth").input("0.0003").run()
        at, number = pay(at)
        assert run.numbers == [number]
        client = BountyClient(session)
        terms = client.read(number).terms
        assert not terms.is_team and 0.9 * TEXTS <= terms.items <= TEXTS  # some are practice
        assert held(market, "requester") == had - terms.pot - terms.bond
        said = page(start("asked", role="requester", bounty=str(number)))
        assert "For anyone" in said and "Invitations" not in said
        workspace = asked.find_workspace(session, number)
        posted = Posted(number, workspace, terms, is_new=True, is_offered=False)
        answer = answers_by_skill(truth, (0.95, 0.9, 0.8, 0.6), 2)
        remarks = {"flags": {str(n): text for n, text in enumerate(HOSTILE)}}
        label_bounty(market.net, session, posted, answer, folder / "labelers", notes=remarks)
        client.payout(client.read(number))
        assert client.read(number).status is Status.SETTLED
    yield Labeled(number, folder)


def look(start: Start, labeled: Labeled, part: str = "") -> AppTest:
    at = start("asked", role="requester", bounty=str(labeled.number))
    if part:
        at.button_group(key="asked_part").select(part).run()
        assert not at.exception
    return at


def test_asked__labelers__each_has_a_row_with_what_they_get(start: Start, labeled: Labeled) -> None:
    at = look(start, labeled, "Labelers")
    (frame,) = (it.value for it in at.dataframe)
    assert list(frame["labeler"]) == list(range(len(frame))) and len(frame) >= 2
    assert frame["labels"].sum() >= 0.9 * TEXTS
    assert all(str(gets).endswith(" TUSD") for gets in frame["gets"])
    assert frame["right"].between(0, 100).all()
    assert (frame["from"] <= frame["right"]).all() and (frame["right"] <= frame["to"]).all()


def test_asked__unclear_items_and_flags__hostile_remarks_are_shown_as_they_are(
    start: Start, labeled: Labeled
) -> None:
    at = look(start, labeled, "Unclear items")
    items, flags = (it.value for it in at.dataframe)
    assert list(items["margin"]) == sorted(items["margin"])
    assert "What labelers remarked" in page(at)
    assert {clean(text, 500) for text in flags["says"]} == set(flags["says"])
    assert len(set(flags["says"])) >= 30
    assert set(flags["says"]) <= {clean(text, 500) for text in HOSTILE}
    assert not any(getattr(it, "allow_html", False) for it in (*at.markdown, *at.caption, *at.text))


def test_asked__download__is_a_table_of_all_items(start: Start, labeled: Labeled) -> None:
    at = look(start, labeled, "Use them")
    (download,) = at.get("download_button")
    assert download.proto.label == "Download the items with their labels (CSV)"
    table = labels.table_of(labeled.number, lambda done, total: None)
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    assert {row["name"] for row in rows} <= set(map(str, range(TEXTS)))
    assert 0.9 * TEXTS <= len(rows) == len({row["name"] for row in rows})
    right = sum(row["label"] == ("good", "bad")[truth(row["name"])] for row in rows)
    assert right >= 0.8 * len(rows)
    at.text_input(key=f"asked_folder_{labeled.number}").input(str(labeled.folder / "out"))
    click(at, "Write")
    assert "Written: " in page(at)
    assert (labeled.folder / "out" / "result.json").exists()


def test_table_of__texts_that_begin_as_formulas__are_as_the_command_writes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", 'a\r\n"b", c']
    table = pa.table({"name": texts, "texts": [[text] for text in texts], "label": [None] * 5})
    brought = SimpleNamespace(tables=SimpleNamespace(items=table))
    monkeypatch.setattr(labels, "_brought", lambda *_: brought)
    written = io.StringIO(newline="")
    write_csv(table, written)
    found = labels.table_of(7, lambda done, total: None).decode()
    assert found == written.getvalue()
    rows = list(csv.DictReader(io.StringIO(found, newline="")))
    assert [row["name"] for row in rows] == texts
    assert [json.loads(row["texts"]) for row in rows] == [[text] for text in texts]


def test_asked__wave__is_reviewed_and_paid_by_clicking(
    start: Start, market: AppMarket, labeled: Labeled, started: Run
) -> None:
    at = look(start, labeled, "Unclear items")
    at.number_input(key=f"asked_below_{labeled.number}").set_value(1_000_000)
    at.text_input(key=f"asked_given_{labeled.number}").input(
        str(known(labeled.folder / "more.csv", range(TEXTS)))
    )
    click(at, "What would it cost?")
    assert not at.error, [shown(error.value) for error in at.error]
    had = held(market, "requester")
    assert has_button(at, "Pay ")
    click(at, "Pay ")
    (number,) = started.numbers
    terms = BountyClient(market.session("requester")).read(number).terms
    assert held(market, "requester") == had - terms.pot - terms.bond
    assert 0 < terms.items < TEXTS + 1
    said = page(start("asked", role="requester", bounty=str(number)))
    assert f"It asks again what was unsure in bounty {labeled.number}." in said
    # The same wave is not paid twice.
    at = look(start, labeled, "Unclear items")
    at.number_input(key=f"asked_below_{labeled.number}").set_value(1_000_000)
    at.text_input(key=f"asked_given_{labeled.number}").input(str(labeled.folder / "more.csv"))
    button(at, "What would it cost?").click().run()
    assert f"as bounty {number}" in page(at) and not has_button(at, "Pay ")


# --------------------------------------------------------------------------- a team


def test_asked__team_with_hostile_names__is_invited_again_and_taken_back_by_clicking(
    start: Start, market: AppMarket, started: Run, tmp_path: Path
) -> None:
    people = names()
    assert len(people) >= 40
    at = filled(start("new_bounty", role="requester"), texts(tmp_path), "For a team")
    at.text_area(key="ask_people").input("\n".join(people))
    click(at, "Next")
    at.text_input(key="ask_price").input("0.05").run()
    at, number = pay(at)
    assert started.numbers == [number]
    at = start("asked", role="requester", bounty=str(number))
    said = page(at)
    assert all(clean(name, 100) in said for name in people)
    assert not any(getattr(it, "allow_html", False) for it in (*at.markdown, *at.caption))
    before = {entry.name: entry.link for entry in asked.invitations(number)}
    assert list(before) == [clean(name, 100) for name in people]
    assert all(link in said for link in before.values())
    # A new link for one; the old one is gone, the others stay.
    first, second = list(before)[:2]
    at.button(key=f"asked_again_{number}_{first}").click().run()
    assert not at.exception
    after = {entry.name: entry.link for entry in asked.invitations(number)}
    assert after[first] != before[first] and before[first] not in page(at)
    assert {**after, first: ""} == {**before, first: ""}
    # One is taken back, and somebody else comes in their place.
    at.button(key=f"asked_revoke_{number}_{second}").click().run()
    assert not at.exception and before[second] not in page(at)
    for name, is_kept in (("Carol", True), ("Carol", False), ("   ", False)):
        at.text_input(key=f"asked_invite_name_{number}").input(name)
        click(at, "Invite")
        assert bool(at.error) is not is_kept, name
    guests = [entry.name for entry in asked.invitations(number)]
    assert guests == [first, *list(before)[2:], "Carol"]
    assert asked.invitations(number)[-1].link in page(at)
    # By an account of their own they need no link.
    account = market.session("buyer").address
    at.text_input(key=f"asked_invite_name_{number}").input(account)
    click(at, "Invite")
    last = asked.invitations(number)[-1]
    assert last.is_by_account and "#code=" not in last.link
    assert not [b for b in at.button if b.key == f"asked_again_{number}_{last.name}"]
