# SPDX-License-Identifier: Apache-2.0
"""What the app says of bounties and their items, without a chain and without a browser."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image

from app import bounty_views as views
from app import services
from app.components.bounty_card import when
from app.components.clock import clock
from app.services import bounties, one_bounty, reading, wallets
from app.services.samples import sample_of
from tests.utils.bounties import REF
from tests.utils.injections import HOSTILE
from tests.utils.labeling import PAYEE, Client, World, world
from tests.utils.offline_board import created, enrolled, until
from tests.utils.offline_market import OfflineMarket, address
from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.board import Past, indexed_briefs, pasts_of
from truthmark.bounty.flows.labeling import Labeling
from truthmark.bounty.headings import Heading, Headings
from truthmark.bounty.items import Item, Media
from truthmark.bounty.payouts import Status
from truthmark.bounty.score import Score, seats_of_gold
from truthmark.bounty.terms import Terms
from truthmark.chain.abi import load_artifact
from truthmark.chain.contracts import Contract
from truthmark.config.units import to_checksum_address
from truthmark.errors import BountyError

__all__ = ["world"]

# ------------------------------------------------------------------- disproving a score


@pytest.fixture
def labeling(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Labeling:
    """Provide a labeler who has delivered, as the app has them; the requester scores next."""
    made = world.delivered(tmp_path / "home")

    @contextmanager
    def opened(number: int) -> Iterator[Labeling]:
        assert number == REF.bounty_id
        yield world.labeling(tmp_path / "home", account="labeler")

    monkeypatch.setattr(one_bounty, "_labeling", opened)
    monkeypatch.setattr(one_bounty, "BountyClient", lambda _: Client(world))
    monkeypatch.setattr(one_bounty, "is_local", lambda: True)
    return made


def lie_about(world: World, worker: int) -> None:
    """Post a score that has one answer of a worker, on gold, as the other class."""

    def entries(score: Score) -> np.ndarray:  # type: ignore[type-arg]
        seats = seats_of_gold(world.record.assignment, world.record.roster, score.gold)
        changed = score.entries.copy()
        gold, round_ = np.argwhere(seats.holders == worker)[0]
        changed[gold, round_] = 1 - changed[gold, round_]
        return changed

    world.score(entries=entries)


def test_disprove__score_has_another_answer__is_said_in_words_and_proven(
    world: World, labeling: Labeling
) -> None:
    entry = labeling.folder.entry
    assert entry is not None
    worker = world.record.roster.worker_of(entry.signer)
    lie_about(world, worker)
    found = services.challenge_of(REF.bounty_id)
    assert found is not None
    assert f"the score says that labeler {worker} said" in found.wrongs[0]
    assert services.disprove(REF.bounty_id).endswith("TUSD")
    assert [name for name, _ in world.sent] == ["prove"]


def test_disproving__by_a_wallet__sends_the_proof_and_takes_its_reward(
    world: World, labeling: Labeling, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = labeling.folder.entry
    assert entry is not None
    world.score()
    assert services.disproving(REF.bounty_id, PAYEE) == ()
    worker = world.record.roster.worker_of(entry.signer)
    lie_about(world, worker)
    assert services.disproving(REF.bounty_id, "") == ()

    class Offline(BountyClient):
        """Has the contracts, and asks none."""

        def __init__(self, session: object) -> None:
            self._contracts = [
                Contract(None, role, PAYEE, load_artifact(name))  # type: ignore[arg-type]
                for role, name in (("board", "BountyBoard"), ("proofs", "BountyProofs"))
            ]

        board = property(lambda self: self._contracts[0])
        proofs = property(lambda self: self._contracts[1])

    monkeypatch.setattr(wallets, "BountyClient", Offline)
    (action,) = services.disproving(REF.bounty_id, PAYEE)
    proof, taken = action.calls
    board, proofs = (it.artifact for it in Offline(None)._contracts)
    shown = proofs.functions["prove_answer"][0].decode_arguments(bytes.fromhex(proof.data[2:]))
    assert shown[0] == REF.bounty_id
    # Who pays: the wallet gas alone, no coin goes along; the contract rewards who sends it.
    assert [call.value for call in action.calls] == [0, 0]
    assert board.functions["withdraw"][0].decode_arguments(bytes.fromhex(taken.data[2:])) == [
        *(world.terms.token, to_checksum_address(PAYEE), 0)
    ]
    assert dict(action.details)["Paid to"] == to_checksum_address(PAYEE)
    assert dict(action.details)["Costs you"].startswith("gas alone")
    assert world.sent == []


def test_kept__score_was_disproved__is_offered_by_what_the_chain_has(
    world: World, labeling: Labeling, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, held = replace(world.record, status=Status.PROVEN), {"bounty_board": 5_000_000}
    rows = [SimpleNamespace(args={"challenger": PAYEE.lower()})]
    asked: list[object] = []
    index = SimpleNamespace(events=lambda *names, **equal: asked.append((names, equal)) or rows)
    session = SimpleNamespace(
        follower=SimpleNamespace(index=index), profile=labeling.session.profile
    )
    settlement = SimpleNamespace(credits=lambda token, account: held)
    monkeypatch.setattr(one_bounty, "Settlement", lambda _: settlement)
    monkeypatch.setattr(one_bounty, "amount_of", lambda _, units, token: f"{units} of {token}")
    found = one_bounty._kept(session, record)  # type: ignore[arg-type]
    assert found == views.Kept(
        REF.bounty_id, to_checksum_address(PAYEE), f"5000000 of {record.terms.token}"
    )
    assert asked == [(("bounty_board", "LieProven"), {"bounty_id": REF.bounty_id})]
    held.clear()  # taken out
    assert one_bounty._kept(session, record) is None  # type: ignore[arg-type]
    held["bounty_board"] = 1
    rows.clear()  # the index is behind
    assert one_bounty._kept(session, record) is None  # type: ignore[arg-type]
    asked.clear()
    assert one_bounty._kept(session, world.record) is None  # type: ignore[arg-type]
    assert asked == []


def test_disprove__score_is_right__finds_nothing(world: World, labeling: Labeling) -> None:
    world.score()
    found = services.challenge_of(REF.bounty_id)
    assert found is not None and found.wrongs == ()
    with pytest.raises(BountyError, match="nothing can be proven wrong"):
        services.disprove(REF.bounty_id)
    assert world.sent == []


def test_disprove__no_longer_under_challenge__is_not_tried(
    world: World, labeling: Labeling
) -> None:
    world.score()
    world.record = replace(world.record, status=Status.SETTLED)
    assert services.challenge_of(REF.bounty_id) is None
    with pytest.raises(BountyError):
        services.disprove(REF.bounty_id)


def test_my_results__scored__answers_stand_beside_what_the_score_says(
    world: World, labeling: Labeling
) -> None:
    entry = labeling.folder.entry
    assert entry is not None
    worker = world.record.roster.worker_of(entry.signer)
    lie_about(world, worker)
    session = SimpleNamespace(**vars(labeling.session) | {"known_address": PAYEE})
    labeling.session = session  # type: ignore[assignment]
    page = one_bounty._results(labeling, labeling.offer(), labeling.phase())
    (result,) = page
    assert (result.worker, result.batches, result.of_batches) == (worker, 10, 10)
    assert result.pay is not None and not result.is_final
    disputed = [line for line in result.lines if line.is_disputed]
    assert len(disputed) == 1
    assert disputed[0].own == disputed[0].right != disputed[0].said


# ------------------------------------------------------------------------ a long list


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[OfflineMarket]:
    made = OfflineMarket(tmp_path)
    yield made
    made.close()


class Board:
    """A thousand bounties, of which some are open, behind the app's reader."""

    def __init__(self, offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch) -> None:
        steps = (Status.DRAWN, Status.LABEL, Status.SCORED, Status.SETTLED, Status.FLAT)
        entries = []
        for number in range(1, 1_001):
            entries.append(
                created(
                    number,
                    requester=address(0x100 + number % 50),
                    token=offline.session.profile.tokens[0].address,
                    price=10_000 + number,
                    join_seconds=8_000_000,
                    document=number.to_bytes(32, "big"),
                )
            )
            if number % 2:
                entries += until(number, steps[number % 5])
            elif number % 4:
                entries.append(enrolled(number, 5))
        offline.log_all(entries)
        self.reads = 0

        def look(terms: Terms) -> Heading:
            self.reads += 1
            number = int.from_bytes(terms.document, "big")
            if number % 100 == 0:
                raise BountyError("it contradicts the terms")
            return Heading(f"Title {number}", "image", 2.0, f"title {number}", '["a", "b"]', "[]")

        path = offline.session.home / "headings.sqlite"
        reader = SimpleNamespace(session=offline.session, headings=Headings(path, look))
        found = reading.Board(
            {b.bounty_id: b for b in indexed_briefs(offline.index)}, pasts_of(offline.index)
        )
        now = max(brief.mark for brief in found.briefs.values())
        monkeypatch.setattr(bounties, "shared_reader", lambda: reader)
        monkeypatch.setattr(bounties, "board", lambda _: found)
        monkeypatch.setattr(bounties, "chain_now", lambda _: now)
        monkeypatch.setattr(bounties, "PATIENCE_SECONDS", 3_600)


def test_find_bounties__thousand__are_filtered_sorted_and_paged(
    offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(offline, monkeypatch)
    found = services.find_bounties()
    assert (found.total, found.hidden, found.pending, found.pages) == (490, 10, 0, 41)
    assert [b.number for b in found.bounties[:3]] == [998, 996, 994]
    assert board.reads == 500
    first = found.bounties[0]
    assert (first.title, first.kind, first.classes) == ("Title 998", "pictures", "a, b")
    assert first.hourly is not None and first.hourly.endswith(" TUSD")
    assert when(first.clock).endswith("or as soon as 55 more batches of 20 are taken")
    best = services.find_bounties(token="TUSD", order=views.Order.BEST_PAID)
    assert [b.number for b in best.bounties[:2]] == [998, 996]
    over = services.find_bounties("title 13", stage=views.Stage.OVER)
    assert over.total and all("13" in b.title for b in over.bounties)
    assert not services.find_bounties(access=views.Access.INVITED).total
    assert services.find_bounties(page=999).page == 41
    assert board.reads == 700  # each document once, and those under way not before they are shown


def test_record_of__each_past__is_told_apart() -> None:
    assert bounties.record_of(Past(3, 1, 0, 0.9)).is_bad
    good = bounties.record_of(Past(3, 0, 1, 0.93))
    assert (good.is_good, good.text) == (True, "paid 93% of the full price in 3 before")
    assert bounties.record_of(Past(0, 0, 2, None)) == views.Record("no record yet")


# --------------------------------------------------------------------------- its items


def picture(size: tuple[int, int] = (8, 8), kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("L", size, 128).save(data, kind, **({"comment": b"secret"} if kind == "GIF" else {}))
    return data.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_sample__text__is_cleaned_and_only_text(text: str) -> None:
    shown = sample_of(Item.of_text(text))
    assert shown.picture is None and shown.sound is None
    assert not set(shown.text) & set("\u202e\u2066\u200b\x1b")


def test_sample__pictures__are_drawn_again_without_what_else_they_hold() -> None:
    small = sample_of(Item(Media.GIF, picture(kind="GIF")))
    assert small.picture is not None and b"secret" not in small.picture
    with Image.open(io.BytesIO(small.picture)) as opened:
        assert (opened.format, opened.size) == ("PNG", (120, 120))
    large = sample_of(Item(Media.JPEG, picture((4_000, 1_000), "JPEG")))
    assert large.picture is not None
    with Image.open(io.BytesIO(large.picture)) as opened:
        assert opened.size == (480, 120)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (Item(Media.PNG, b"<svg onload=alert(1)>"), "This picture is broken."),
        (Item(Media.PNG, picture(kind="GIF")), "This picture is broken."),
        (Item(Media.PNG, picture()[:40]), "This picture is broken."),
        (Item(Media.PNG, picture((40_000, 2_000))), "This picture is too large to be shown here."),
        (Item(Media.TEXT, b"\xff\xfe"), "This item cannot be shown."),
        (Item(Media.PAIR, b"\0\0\0\1x"), "This item cannot be shown."),
    ],
)
def test_sample__what_cannot_be_drawn__says_so(item: Item, said: str) -> None:
    assert sample_of(item) == views.Sample(text=said)


def test_sample__pair__is_two_and_no_deeper() -> None:
    one = Item.of_pair(Item.of_text("left"), Item(Media.MP3, b"sound"))
    shown = sample_of(one)
    assert shown.pair == (
        views.Sample(text="left"),
        views.Sample(sound=b"sound", mime="audio/mpeg"),
    )
    assert sample_of(Item.of_pair(one, one)).text == "This item cannot be shown."


# --------------------------------------------------------------------------- its clock


def test_clock__days__are_said_as_people_do() -> None:
    now = 1_795_990_400  # 2026-11-29 22:13:20 UTC
    assert clock(now, now, UTC) == "22:13"
    assert clock(now + 7_200, now, UTC) == "tomorrow 00:13"
    assert clock(now + 7_200, now, ZoneInfo("America/New_York")) == "19:13"
    assert clock(now + 4 * 86_400, now, UTC) == "3 Dec 22:13"
    assert clock(now + 400 * 86_400, now, UTC) == "3 Jan 2028 22:13"
    assert clock(2**63, now, UTC) == "never"
