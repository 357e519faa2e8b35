# SPDX-License-Identifier: Apache-2.0
"""Labelers at the command line: a bounty on anvil with a real relay and a requester's receiver."""

import csv
import json
from pathlib import Path

import pytest

from tests.utils.cli import Person
from tests.utils.devnets import net
from tests.utils.label_bounty import ITEMS, Posted, Rounds
from tests.utils.waiting import wait_for
from truthmark.bounty.client import BountyClient
from truthmark.node.relay.refusals import UnsettledError
from truthmark.node.relay.relay import Relay
from truthmark.surface import Bounty
from truthmark.testing.network import Devnet

__all__ = ["net"]

pytestmark = pytest.mark.chain

PAYEE = "0x" + "f1" * 20
LABELERS = ("labeler", "stranger", "buyer")


MODEL = """\
class Model:
    classes_ = ["cat", "dog"]

    def predict_proba(self, items):
        return [[0.9, 0.1] if "meows" in item else [0.2, 0.8] for item in items]
"""


def test_bounty__two_people_and_a_program_at_the_command_line__label_and_are_paid(
    net: Devnet, tmp_path: Path
) -> None:
    owner = net.session("requester").address
    rounds = Rounds(net, owner)
    try:
        posted = Posted(net, rounds.server.url)
        number = posted.number
        first, second, third = (Person(net.home(role)) for role in LABELERS)
        (offered,) = first("bounty", "list", "--json").ok().json
        assert (offered["bounty"], offered["seats_left"]) == (number, 36)
        shown = first("bounty", "show", number).ok().out
        assert "three quarters of the way from guessing to perfect" in shown
        first("bounty", "label", number).refused(9, "join first")
        joined = first(
            "bounty", "join", number, "--payee", PAYEE, "--relay", rounds.server.url, "--json"
        ).ok()
        assert joined.json["payee"].lower() == PAYEE
        second("bounty", "join", number).ok()
        (tmp_path / "my_model.py").write_text(MODEL)
        agent = third.start(
            *("agent", "run", "my_model:Model", "--bounty", number, "--json", "--stay"),
            *("--least-practice", "1"),
            cwd=tmp_path,
        )
        for person, wrong in ((first, 0), (second, 3)):
            folder = tmp_path / f"export{wrong}"
            person("bounty", "label", number, "--export", folder).ok()
            with (folder / "items.csv").open() as file:
                rows = list(csv.DictReader(file))
            assert len(rows) == ITEMS
            given = tmp_path / f"answers{wrong}.csv"
            lines = ["item,answer"]
            for at, row in enumerate(rows):
                is_dog = "barks" in (folder / row["file"]).read_text()
                answer = "skip" if at < wrong else ("dog" if is_dog else "cat")
                lines.append(f"{row['item']},{answer}")
            given.write_text("\n".join(lines[:-1]) + "\n")
            person("bounty", "label", number, "--answers", given).refused(9, "have no answer")
            given.write_text("\n".join(lines) + "\n")
            done = person("bounty", "label", number, "--answers", given, "--json").ok()
            assert done.json["stage"] == "delivered"
            assert "the requester has signed for your labels" in done.err
        net.warp(3_600 + 600 + 601)
        client = BountyClient(net.session("stranger"))
        wait_for(lambda: client.read(number).score is not None, "the score")
        scored = first("bounty", "label", number, "--json").ok().json
        assert (scored["stage"], scored["earned"]["share"]) == ("scored", 1.0)
        net.warp(3_601)
        said, told = agent.communicate(timeout=300)
        assert agent.returncode == 0, told
        assert json.loads(said)["earned"]["is_final"]
        stayed = second("bounty", "label", number, "--stay", "--json").ok().json
        assert stayed["stage"] == "ended" and stayed["earned"]["is_final"]
        paid = second("bounty", "payout", number, "--everybody", "--json").ok().json
        token = net.session("stranger").token(posted.terms.token).functions
        held = token.balanceOf(PAYEE).call()
        assert held == ITEMS * 1_000  # at an address that never had gas
        assert all(entry["payee"].lower() != PAYEE or entry["units"] for entry in paid["paid"])
        assert not client.board.functions.balances(posted.terms.token, PAYEE).call()
        agent_home = third("bounty", "label", number, "--json").ok().json
        assert agent_home["stage"] == "ended"
    finally:
        rounds.close()
    assert not rounds.problems, rounds.problems


# ------------------------------------------------------------------------------- texts

WRITERS = ("labeler", "stranger")
SOURCE = [f"line {number} of a page" for number in range(9)]
COMMAND = "python -c \"import sys; print('saw', sys.stdin.read())\""


def test_bounty__texts_of_a_team__reach_the_requester_alone_and_can_be_checked(
    net: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Relay, "put_file", _be_away)
    requester = Person(net.home("requester"))
    rounds = Rounds(net, net.session("requester").address, fetches=True)
    try:
        source, team = tmp_path / "lines.csv", tmp_path / "team.txt"
        source.write_text("text\n" + "\n".join(SOURCE) + "\n")
        team.write_text("Ann\nBob\n")
        create = ("bounty", "create", source, "--text", "--price", "0.05 TUSD")
        requester(*create, "--yes").refused(3, "name a team")
        requester(*create, "--classes", "a,b", "--team", team).refused(3, "say either")
        made = requester(
            *(*create, "--team", team, "--labels-per-item", "2", "--batch", "4", "--yes"),
            *("--relay", rounds.server.url, "--receiver-url", rounds.receiver.url, "--json"),
            "--no-upload",
        ).ok()
        number, codes = made.json["bounty"], [one["code"] for one in made.json["guests"]]
        ann, bob = (Person(net.home(role)) for role in WRITERS)
        shown = ann("bounty", "show", number).ok().out
        assert "a text of your own" in shown and "to the requester alone" in shown
        ann("bounty", "practice", number).refused(9, "nothing to practice on")
        ann("bounty", "join", number, "--code", codes[0]).ok()
        bot = bob.start(
            "agent", "run", COMMAND, "--bounty", number, "--code", codes[1], "--json", "--yes"
        )
        folder, given = tmp_path / "export", tmp_path / "answers.csv"
        ann("bounty", "label", number, "--export", folder).ok()
        with (folder / "items.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(SOURCE)
        assert json.loads((folder / "task.json").read_text())["asks_for_texts"]
        rows[0]["answer"] = "x" * 3_000
        _write(given, rows)
        ann("bounty", "label", number, "--answers", given).refused(3, "at most 2000 letters")
        for row in rows:
            row["answer"] = f"“{(folder / row['file']).read_text()}”,\nby Ann"
        rows[1]["answer"] = "skip"
        _write(given, rows)
        done = ann("bounty", "label", number, "--answers", given, "--json").ok()
        assert done.json["stage"] == "delivered"
        said, told = bot.communicate(timeout=300)
        assert bot.returncode == 0, told
        assert json.loads(said)["stage"] == "delivered"
        client = BountyClient(net.session("stranger"))
        terms = client.read(number).terms
        net.warp(terms.label_seconds + terms.grace_seconds + terms.release_seconds + 1)
        wait_for(lambda: client.read(number).score is not None, "the score")
        net.warp(terms.challenge_seconds + 1)
        wait_for(lambda: client.read(number).status.has_ended, "the end")
        out = tmp_path / "out"
        brought = requester("bounty", "result", number, "--to", out, "--format", "csv").ok()
        assert "17 written · 1 skipped" in brought.out
        with (out / "labels.csv").open(newline="") as file:
            labels = list(csv.DictReader(file))
        found = {(row["name"], row["text"]) for row in labels}
        skipped = SOURCE.index((folder / rows[1]["file"]).read_text())
        for place, line in enumerate(SOURCE):
            name = next(row["name"] for row in labels if row["item"] == str(place))
            assert (name, f"saw {line}") in found
            mine = "" if place == skipped else f"“{line}”,\nby Ann"
            assert (name, mine) in found
        checked = bob("bounty", "verify", out / "result.json").ok().out
        assert "17, each as it was committed to" in checked
        assert "9 items in storage, as list, document and terms name them" in checked
        damaged = json.loads((out / "result.json").read_text())
        texts = damaged["workers"]["0"]["texts"]
        texts[next(iter(texts))] = "what nobody said"
        (out / "result.json").write_text(json.dumps(damaged))
        bob("bounty", "verify", out / "result.json").refused(9, "is not what they committed to")
        paid = bob("bounty", "payout", number, "--everybody", "--json").ok()
        assert paid.json is not None
        mine = Bounty(number, session=net.session("requester"))
        assert {*mine.result().labels["state"]} == {"written", "skipped"}
        requester("bounty", "create", "--like", number, "--yes").refused(9, "asks for texts")
    finally:
        rounds.close()
    assert not rounds.problems, rounds.problems


def _be_away(*_: object) -> None:
    raise UnsettledError("this relay takes no files just now")


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["item", "answer"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
