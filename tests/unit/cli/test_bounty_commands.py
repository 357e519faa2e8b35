# SPDX-License-Identifier: Apache-2.0
"""Commands of labelers, on a bounty without a chain: what they say, ask and refuse."""

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils.bounties import REF
from tests.utils.labeling import MARK, PAYEE, Client, World, world
from tests.utils.terminal import terminal
from truthmark.bounty.flows import standing
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import phase_of
from truthmark.cli import bounty_offers, bounty_status
from truthmark.cli.command import State
from truthmark.cli.main import cli
from truthmark.cli.worth import read_worth
from truthmark.errors import ConfigError

__all__ = ["world"]

NUMBER = str(REF.bounty_id)


@dataclass
class Shell:
    """Somebody at the command line of one home."""

    world: World
    home: Path
    capsys: pytest.CaptureFixture[str]
    devnet: bool = True

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run a command; returns what it printed, errors last."""
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["--home", str(self.home), *arguments])
        shown = self.capsys.readouterr()
        assert (ended.value.code or 0) == code, shown.err
        return shown.out + shown.err

    def json(self, *arguments: str) -> Any:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["--home", str(self.home), *arguments, "--json"])
        shown = self.capsys.readouterr()
        assert not ended.value.code, shown.err
        return json.loads(shown.out)


@pytest.fixture
def shell(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    made = Shell(world, tmp_path / "home", capsys)
    monkeypatch.setattr("sys.stdin", io.StringIO())

    @contextlib.contextmanager
    def session(state: State, **_: Any) -> Iterator[Any]:
        yield world.session(made.home, devnet=made.devnet)

    monkeypatch.setattr(State, "session", session)
    world.session(made.home)  # its profile, which arguments are read by
    return made


def join(shell: Shell, *options: str) -> Any:
    return shell.json("bounty", "join", NUMBER, "--payee", PAYEE, *options)


def begun(shell: Shell) -> None:
    join(shell, "--seats", "5")
    shell.world.enroll()


def test_show__all_that_matters__is_said_in_words(shell: Shell) -> None:
    shown = " ".join(shell("bounty", "show", NUMBER).split())
    for text in (
        "Cats and dogs",
        "100 to 200 of 400 text items",
        "a skip is a wrong answer, guessing pays nothing, three quarters",
        "80% of the full price (3 before)",
        "answers cat, dog",
        "an hour about",
        "hard or false gold is found less surely than with 5",
        "bounty practice 7",
    ):
        assert text in shown, text
    found = shell.json("bounty", "show", NUMBER)
    assert found["record"] == {"ended": 3, "flat": 0, "refunded": 1, "paid_share": 0.8}
    assert (found["phase"], found["doubts"], found["doubled_signers"]) == ("joining", [], [])
    assert 0.5 < found["expected_share"] <= 1


def test_show__signer_twice__is_flagged(shell: Shell) -> None:
    join(shell, "--seats", "5")
    shell.world.enroll(times=2)
    assert "stands on the roster twice" in shell("bounty", "show", NUMBER)


def test_list__open_bounties__with_pay_and_record(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shell.world
    brief = bounty_offers.Brief(REF.bounty_id, world.terms, Status.OPEN, MARK, 10)
    monkeypatch.setattr(bounty_offers, "BountyClient", lambda _: None)
    monkeypatch.setattr(bounty_offers, "open_briefs", lambda _: [brief])
    monkeypatch.setattr(bounty_offers, "pasts_of", lambda _: {world.terms.requester: world.past})
    shown = shell("bounty", "list")
    assert "Cats and dogs" in shown and "80% of the full price" in shown and "0.001 TUSD" in shown
    (found,) = shell.json("bounty", "list")
    assert (found["bounty"], found["seats_left"], found["classes"]) == (7, 50, ["cat", "dog"])
    monkeypatch.setattr(bounty_offers, "open_briefs", lambda _: [])
    assert "no bounty can be joined" in shell("bounty", "list")


@pytest.mark.parametrize("known", ["", "\x1b[2J\u202eCats and dogs"], ids=["not here", "hostile"])
def test_status__of_any_bounty__names_it_and_is_safe_to_print(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    record = Client(shell.world).read(REF.bounty_id)
    found = standing.Standing(
        record=record,
        phase=phase_of(record, MARK, 1_000),
        now=1_000,
        title=known,
        workspace=None,
        shares=(),
        **dict.fromkeys(("received", "acknowledged")),
        **dict.fromkeys(("joined", "taken", "committed", "seats_committed"), 0),
        **dict.fromkeys(("paid", "paid_units", "burned_units", "owed_units"), 0),
    )
    monkeypatch.setattr(bounty_status, "standing_of", lambda *_: found)
    shown = shell("bounty", "status", NUMBER)
    assert "Cats and dogs" in shown.splitlines()[0]
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "Cats and dogs" in shell.json("bounty", "status", NUMBER)["title"]


def test_join__doubts__are_said_and_asked(shell: Shell) -> None:
    shell.devnet = False
    shell.world.past = replace(shell.world.past, flat=1)
    said = shell("bounty", "join", NUMBER, "--payee", PAYEE, "--worth", "0.00001 ETH", code=3)
    assert "mind: posting your labels on chain costs more gas" in said
    assert "mind: 1 of the requester's 3 bounties" in said and "add --yes" in said
    assert not shell.world.joins
    assert join(shell, "--worth", "9 ETH", "--yes")["payee"].lower() == PAYEE
    assert len(shell.world.joins) == 1


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (None, "no account is chosen here"),
        (10**14, "has 0.0001 ETH: put that much there before you join"),
        (10**18, "can pay that: it has 1 ETH"),
    ],
)
def test_join__gas_of_the_account__is_said_before_and_asks_nothing(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, held: int | None, told: str
) -> None:
    before = shell.world.session

    def session(home: Path, **options: Any) -> Any:
        made = before(home, **options)
        made.known_address = None if held is None else PAYEE
        made.chain.balance = lambda _: held
        return made

    monkeypatch.setattr(shell.world, "session", session)
    assert told in " ".join(shell("bounty", "join", NUMBER, "--payee", PAYEE).split())
    assert told in " ".join(shell("bounty", "show", NUMBER).split())


def test_join__nobody_to_pay__is_refused(shell: Shell) -> None:
    assert "say who is to be paid" in shell("bounty", "join", NUMBER, code=3)


def test_read_worth__amount_of_gas_money__is_wei_a_unit(world: World, tmp_path: Path) -> None:
    profile = world.session(tmp_path).profile
    assert read_worth(profile, None, world.terms.token) is None
    assert read_worth(profile, " 0.0004 eth", world.terms.token) == 4e8
    for text in ("0.0004", "0.0004 BTC", "x ETH", "0 ETH"):
        with pytest.raises(ConfigError, match=r"says no worth|is worth nothing"):
            read_worth(profile, text, world.terms.token)


def test_practice__at_the_keyboard__says_what_was_right_and_what_that_pays(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal(monkeypatch) as shown:
        shown.press("11\n")
        found = shell.json("bounty", "practice", NUMBER)
    assert (found["right"], found["of"]) == (1, 2) and found["expected_share"] < 0.2
    assert "last: cat · right: It meows." in " ".join(shown.shown.split())
    assert shell.json("bounty", "show", NUMBER)["expected_share"] == found["expected_share"]
    assert not shell.world.calls.count("join")


def test_label__at_the_keyboard_in_two_sittings__is_delivered(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shell.world
    assert "join first" in shell("bounty", "label", NUMBER, code=9)
    begun(shell)
    with terminal(monkeypatch) as shown:
        shown.press("1d1q")
        assert "answers are kept" in shell("bounty", "label", NUMBER) + shown.shown
    assert not world.commits

    monkeypatch.setattr("truthmark.bounty.flows.labeling.time.sleep", lambda _: world.post())
    with terminal(monkeypatch) as shown:
        shown.press("d" * 97 + "\n")
        found = shell.json("bounty", "label", NUMBER)
    assert (found["stage"], found["earned"]) == ("delivered", None)
    flat = " ".join(shown.shown.split())
    assert "3 of 100 answered" in flat and "item 4, " in flat and "an hour" in flat
    assert re.search(r"59 min \d+ s left", flat)
    again = shell("bounty", "label", NUMBER)
    assert "delivered" in again and "a wrong score is disproved by you" in again


def test_label__exported_and_answered_by_a_file__every_mistake_is_told_by_its_line(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(shell)
    folder, given = tmp_path / "export", tmp_path / "answers.csv"
    shell("bounty", "label", NUMBER, "--export", str(folder))
    assert "left alone" in shell("bounty", "label", NUMBER, "--export", str(folder), code=3)
    with (folder / "items.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    assert json.loads((folder / "task.json").read_text())["classes"] == ["cat", "dog"]
    assert (folder / rows[0]["file"]).read_text().startswith(f"item {rows[0]['item']} is")

    def answer(lines: list[str], code: int = 0, *options: str) -> str:
        given.write_text("\n".join(lines) + "\n")
        return shell("bounty", "label", NUMBER, "--answers", str(given), *options, code=code)

    items = [row["item"] for row in rows]
    foreign = next(n for n in range(400) if str(n) not in items)
    good = [f"{item},cat" for item in items]
    for lines, says in (
        (["item;answer"], "needs the columns item and answer"),
        (["item,answer", f"{foreign},cat"], f"line 2 of {given}: '{foreign}' is no item of yours"),
        (["item,answer", "x,cat"], "'x' is no item"),
        (["item,answer", good[0], good[0]], "was answered before"),
        (["item,answer", good[0], f"{items[1]},cta"], "'cta' is no class; did you mean cat?"),
        (["item,answer", f"{items[1]},\x1b[2J"], "is no class; write one of cat, dog"),
    ):
        assert says in answer(lines, 3)
    unfilled = (folder / "items.csv").read_text().splitlines()
    assert "100 of 100 items have no answer" in answer(unfilled, 9)
    assert "99 of 100 items have no answer" in answer(["item,answer", *good[:1], items[1]], 9)
    assert "99 of 100 items have no answer" in answer(["item,answer", good[0]], 9)
    assert not shell.world.commits
    monkeypatch.setattr("truthmark.bounty.flows.labeling.time.sleep", lambda _: shell.world.post())
    shown = answer(["item,answer", *good[:50], f"{items[50]},skip"], 0, "--partial")
    assert "delivered" in shown
    assert [commit.seats for commit in shell.world.commits] == [2]
    assert "there is nothing to answer now" in answer(["item,answer", *good], 9)


def test_label__no_terminal__says_what_to_give(shell: Shell) -> None:
    begun(shell)
    assert "--answers FILE" in shell("bounty", "label", NUMBER, code=3)


def test_label__stay__ends_with_what_was_earned(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shell.world
    begun(shell)
    labeling = world.labeling(shell.home)
    labeling.advance()
    world.answer_all(labeling)

    def pass_time(_: float) -> None:
        if not world.record.commits.standing:
            world.post()
        elif world.record.status is Status.LABEL:
            world.now = MARK + 5_000
            world.score()
        else:
            world.record = replace(world.record, status=Status.SETTLED)

    monkeypatch.setattr("truthmark.bounty.flows.labeling.time.sleep", pass_time)
    shown = " ".join(shell("bounty", "label", NUMBER, "--stay").split())
    assert f"you get 0.1 TUSD, 100% of the full price, at {PAYEE}".lower() in shown.lower()
    assert "not paid out yet" in shown and "truthmark bounty payout 7" in shown


def test_agent_run__command__labels_and_is_delivered(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shell.world
    (tmp_path / "reading.py").write_text("def label(text):\n    return text.split()[-1]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def pass_time(_: float) -> None:
        if world.record.status is Status.OPEN:
            world.enroll()
        elif world.commits:
            world.post()

    monkeypatch.setattr("truthmark.bounty.flows.labeling.time.sleep", pass_time)
    run = ("agent", "run", "reading:label", "--payee", PAYEE)
    assert "say what to label" in shell(*run, code=3)
    assert "say what the program can answer" in shell(*run, "--all", code=3)
    found = shell.json(*run, "--bounty", NUMBER, "--seats", "5")
    assert found["stage"] == "delivered"
    (opened,) = [world.opened()[w] for w in [world.commits[0].worker]]
    assert opened.codes.size == 100
