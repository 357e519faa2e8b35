# SPDX-License-Identifier: Apache-2.0
"""A bounty on anvil from its items to tables, to anyone's check, and to a second wave."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from app.ask_views import Offer
from app.services import waves
from tests.lib.test_bounty_posting import post, yes
from tests.utils.bounty_crew import answers_by_skill, label_bounty
from tests.utils.cli import Person
from tests.utils.devnets import net
from truthmark.bounty.answers import Known
from truthmark.bounty.document import LabelClass
from truthmark.bounty.flows import posting
from truthmark.bounty.flows.asks import Ask, Posted
from truthmark.bounty.flows.following import follow_up, job_of, next_wave, post_next_wave
from truthmark.bounty.flows.results import collect_result
from truthmark.bounty.waves import BELOW
from truthmark.errors import BountyError, ConfigError, PriceError
from truthmark.surface import Bounty
from truthmark.testing.network import Devnet

__all__ = ["net"]

pytestmark = pytest.mark.chain

NAMES = [f"t{number}" for number in range(240)]
ASK = Ask(
    title="Good texts",
    guidelines="Is it good?",
    classes=(LabelClass("good"), LabelClass("bad")),
    price="0.05 TUSD",
    known={name: Known(("good", "bad")[n % 2]) for n, name in enumerate(NAMES[:160])},
    waves=(2, 2),
    practice=0,
    unattended=True,
)


def truth(name: str) -> int:
    return int(name[1:]) % 2


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "texts.csv"
    path.write_text("id,text\n" + "".join(f"{name},text of {name}\n" for name in NAMES))
    return path


@pytest.fixture(scope="module")
def settled(net: Devnet, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Posted:
    """A bounty of two labels an item that has ended, of people who are right in nine of ten."""
    with net.session("requester") as session:
        posted = post(session, table, ASK)
        answer = answers_by_skill(truth, (0.95, 0.9, 0.85, 0.6), 2)
        label_bounty(net, session, posted, answer, tmp_path_factory.mktemp("labelers"))
    return posted


def test_result__settled_bounty__tables_formats_and_a_file_that_anyone_checks(
    net: Devnet, settled: Posted, tmp_path: Path
) -> None:
    requester, stranger = Person(net.home("requester")), Person(net.home("stranger"))
    out, number = tmp_path / "out", settled.bounty_id
    shown = requester("bounty", "result", number, "--to", out, "--json").ok().json
    assert (shown["status"], shown["problems"]) == ("SETTLED", [])
    assert shown["summary"]["labels"] == 2 * settled.terms.items
    items = pd.read_parquet(out / "items.parquet").set_index("name")
    right = items["label"] == [("good", "bad")[truth(name)] for name in items.index]
    assert right.mean() > 0.7  # the seed, and so who judges what, is another one each time
    assert items["text"]["t7"] == "text of t7"
    assert items["confidence"].between(0, 1).all()
    # Less what workers agreed was wrong: the skills are such that some of it is.
    assert 60 <= items["is_gold"].sum() <= settled.terms.gold_count
    workers = pd.read_parquet(out / "workers.parquet")
    assert workers["share_of_price"].max() > 0.7

    checked = stranger("bounty", "verify", out / "result.json", "--json").ok().json
    assert checked["problems"] == [] and checked["labels_made"]
    assert [p["units"] for p in checked["payments"]] == workers["paid_units"].tolist()
    text = stranger("bounty", "verify", out / "result.json").ok()
    assert "each root built again" in text.out and "everything holds" in text.err
    bare = stranger("bounty", "verify", number).ok()
    assert "not checked" in bare.out
    stranger("bounty", "verify", out / "result.json", "--offline").ok()

    lied = json.loads((out / "result.json").read_text())
    worker = next(iter(lied["workers"].values()))
    worker["sealed"] = worker["sealed"][:-2] + ("00" if worker["sealed"][-2:] != "00" else "01")
    (out / "lie.json").write_text(json.dumps(lied))
    stranger("bounty", "verify", out / "lie.json").refused(9, "do not trust")
    (out / "junk.json").write_text("{}")
    stranger("bounty", "verify", out / "junk.json").refused(9)
    stranger("bounty", "verify", out / "none.json").refused(3)
    stranger("bounty", "verify", "12", "--offline").refused(3)
    stranger("bounty", "result", number).refused(9, "home folder")
    requester("bounty", "result", number, "--format", "csv").refused(3, "--to")
    requester("bounty", "result", number, "--to", out, "--format", "x").refused(3)
    requester("bounty", "result", number, "--to", out, "--format", "coco").refused(3, "image")


def test_bounty__from_python__status_result_and_what_is_wrong_with_it(
    net: Devnet, settled: Posted, tmp_path: Path
) -> None:
    with net.session("requester") as session:
        bounty = Bounty(settled.bounty_id, session=session)
        result = bounty.result()
        assert bounty.status().record.status.name == "SETTLED"
        assert len(result.labels) == 2 * settled.terms.items
        assert list(result.workers["gold_right"] <= result.workers["gold"])
        assert not result.problems
        written = result.save(tmp_path / "saved", "csv", "argilla")
        assert all(path.exists() for path in written)
        assert str(settled.bounty_id) in repr(result)
    with pytest.raises(ConfigError):
        Bounty(0)


def test_review_wave__requester_answers_more__is_judged_and_priced_by_that(
    net: Devnet, settled: Posted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, below = settled.bounty_id, 1_000_000
    with net.session("requester") as session:
        for name in ("my_session", "my_synced_session"):
            monkeypatch.setattr(waves, name, lambda: session)
        monkeypatch.setattr(waves, "item_of", lambda _, item: SimpleNamespace(number=item))

        def price(given: str = "") -> Offer:
            return waves.review_wave(number, below, 2, given, lambda done, total: None)

        before, mark = price(), waves.own_mark(number)
        # Those that were gold before are not asked again: no answer to them would count.
        workspace, desk = settled.workspace, waves.WaveDesk(number, below)
        wanted = len(NAMES) - len(workspace.gold.items)
        asked = set()
        for _ in range(12):
            item = desk.look().item
            assert item is not None
            asked.add(item.number)
            desk.answer(item.number, truth(workspace.names[item.number]), 1.0)
        assert not asked & set(workspace.gold.items.tolist())
        assert desk.look().known == 12 < wanted
        assert waves.own_mark(number) != mark
        after = price()
        new = {workspace.names[item] for item in asked} - set(ASK.known)
        golds = [sum(part for _, part in offer.gold) for offer in (before, after)]
        assert golds[1] == golds[0] + len(new) and new
        assert after.cost.gas > before.cost.gas and after.cost.chances != before.cost.chances
        # A file of answers counts beside them, and what more it takes is in the price.
        given = tmp_path / "more.csv"
        words = [("good", "bad")[truth(name)] for name in NAMES]
        pd.DataFrame({"item": NAMES, "answer": words}).to_csv(given, index=False)
        more = price(str(given))
        assert more.cost.total != after.cost.total
        with pytest.raises(PriceError):
            waves.fund_wave(number, below, 2, str(given), after.cost.total, lambda *_: None)
        for _ in range(12):
            desk.undo()
        assert waves.own_mark(number) == mark


def test_follow_up__unsure_items__asked_again_with_gold_of_their_own(
    net: Devnet, settled: Posted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with net.session("requester") as session:
        assert next_wave(session, settled.workspace) == (2, 1)
        # Nobody sees the fees of a later wave who could say no.
        with monkeypatch.context() as expensive:
            fees_for = posting.fees_for
            expensive.setattr(
                posting, "fees_for", lambda *a, **o: fees_for(*a, **(o | {"relay_asks": 10**9}))
            )
            with pytest.raises(PriceError, match="relay fee"):
                post_next_wave(session, settled.workspace)
            assert next_wave(session, settled.workspace) == (2, 1)
        posted = post_next_wave(session, settled.workspace)
        assert posted is not None and posted.is_new
        assert next_wave(session, settled.workspace) is None
        assert post_next_wave(session, settled.workspace) is None
        names = posted.workspace.names
        first_gold = {settled.workspace.names[n] for n in settled.workspace.gold.items.tolist()}
        second_gold = {names[n] for n in posted.workspace.gold.items.tolist()}
        assert second_gold and not first_gold & second_gold
        before = collect_result(session, settled.bounty_id)
        margins = before.tables.items.to_pandas().set_index("name")["margin"]
        asked = [name for name in names if name not in ASK.known]
        assert all(margins[name] < BELOW for name in asked)
        assert len(names) < settled.terms.items
        assert posted.workspace.document.wave_of == settled.bounty_id
        assert posted.workspace.document.items.manifest != settled.workspace.document.items.manifest

        label_bounty(net, session, posted, answers_by_skill(truth, (1.0,), 2, 1), tmp_path)
        job = job_of(session, posted.bounty_id)
        labels = job.joined.labels.labels.tolist()
        first = settled.workspace.names
        right = [label == truth(name) for label, name in zip(labels, first, strict=True)]
        alone = before.tables.items.to_pandas()["label"]
        earlier = [
            label == ("good", "bad")[truth(n)] for label, n in zip(alone, first, strict=True)
        ]
        assert sum(right) > sum(earlier)
    requester = Person(net.home("requester"))
    requester("bounty", "result", posted.bounty_id, "--to", tmp_path / "second").ok()
    table = pd.read_parquet(tmp_path / "second" / "job.parquet")
    assert list(table["label"]) == [("good", "bad")[label] for label in labels]
    assert list(table["waves"]) == [1 + (name in set(names)) for name in first]


def test_follow_up__nothing_unsure_or_not_scored__refused(
    net: Devnet, table: Path, settled: Posted
) -> None:
    with net.session("requester") as session:
        with pytest.raises(BountyError, match="nothing to ask again"):
            follow_up(session, settled.bounty_id, agree=yes, below=1)
        early = post(session, table, replace(ASK, title="Early", waves=()))
        with pytest.raises(BountyError, match=r"no score|no labels|no wave"):
            follow_up(session, early.bounty_id, agree=yes)
