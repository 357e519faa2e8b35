# SPDX-License-Identifier: Apache-2.0
"""What a relay keeps, in SQLite and in PostgreSQL alike."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from truthmark.bounty.commits import Commit
from truthmark.bounty.relay_models import DepositRequest, Invitation, Offer, code_hash
from truthmark.bounty.roster import Row, gap
from truthmark.config.units import to_checksum_address
from truthmark.errors import BountyError, ConfigError, StorageError
from truthmark.node.relay import schema as t
from truthmark.node.relay.rows import Wish
from truthmark.node.relay.store import RelayStore

SEED = b"\x05" * 32


def account(number: int) -> str:
    return to_checksum_address(f"0x{number:040x}")


WISHES = [Wish(account(n + 1), account(n + 101), 4) for n in range(5)]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/relay.sqlite"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def store(url: str) -> Iterator[RelayStore]:
    made = RelayStore(url, "here")
    yield made
    made.close()


def join(store: RelayStore, who: int, code: str | None = None) -> Any:
    return store.join(7, WISHES[who], b"s" * 65, code, 100 + who, lambda _: True)


def test_store__opened_again__has_all_that_was_accepted(url: str) -> None:
    store = RelayStore(url, "here")
    offer = Offer(number=1, items_secret=b"\x01" * 32, webhooks=["https://a.example/x"])
    token = store.offer(7, b"\x02" * 32, offer)
    join(store, 0)
    store.commit(7, SEED, Commit(3, 2, b"\x03" * 32), b"s" * 65, 9)
    assert store.put_file(7, 3, b"\x03" * 32, b"file")
    assert store.put_acknowledgement(7, 3, b"\x03" * 32, b"a" * 65)
    store.add_notices(7, offer.webhooks, "{}", 5)
    batch = store.plan_commit(7, SEED, [Commit(3, 2, b"\x03" * 32)])
    store.close()
    again = RelayStore(url, "here")
    served = again.served(7)
    assert served is not None and served.offer == offer and not served.is_over
    assert again.is_requester(7, token) and not again.is_requester(7, token + "x")
    assert not again.is_requester(8, token)
    assert [entry.wish for entry in again.joins(7)] == [WISHES[0]]
    assert [entry.batch for entry in again.commits(7, SEED)] == [0]
    assert again.commits(7, b"\x06" * 32) == []
    assert again.open_batches(7, "commit") == [batch] and again.open_batches(7, "enroll") == []
    assert again.file(7, 3) == b"file" and again.files(7) == [(3, 4, b"\x03" * 32)]
    assert again.acknowledgements(7) == {3: b"\x03" * 32}
    assert [notice.url for notice in again.due_notices(5)] == ["https://a.example/x"]
    again.end(7)
    assert [one.bounty_id for one in again.all_served(is_over=True)] == [7]
    assert again.all_served(is_over=False) == []
    again.close()


def test_store__of_another_board_or_no_database__is_refused(url: str, tmp_path: Path) -> None:
    RelayStore(url, "here").close()
    with pytest.raises(ConfigError, match="another chain, board or account"):
        RelayStore(url, "there")
    for wrong in ("nothing", "mysql://x/y", "sqlite://", f"sqlite:///{tmp_path}/none/none.db"):
        with pytest.raises(ConfigError, match="relay_db"):
            RelayStore(wrong, "here")


def test_offer__other_terms_of_the_same_number__replace_all(store: RelayStore) -> None:
    store.offer(7, b"\x02" * 32, Offer(number=5))
    join(store, 0)
    store.offer(7, b"\x03" * 32, Offer(number=1))
    assert store.joins(7) == []
    assert store.served(7).terms_hash == b"\x03" * 32  # type: ignore[union-attr]


def test_join__waits_in_order_and_leaves_with_its_batch(store: RelayStore) -> None:
    store.offer(7, b"\x02" * 32, Offer(number=1))
    for who in (2, 0, 1):
        join(store, who)
    assert join(store, 2) == join(store, 2)
    with pytest.raises(BountyError, match="all seats are taken"):
        store.join(7, WISHES[3], b"s" * 65, None, 9, lambda joins: len(joins) < 3)
    rows = [Row(WISHES[n].signer, WISHES[n].payee, 4) for n in (2, 0)]
    batch = store.plan_enroll(7, [rows[0], gap(2), rows[1]], is_last=False)
    assert batch.rows == [rows[0], gap(2), rows[1]]
    assert [(e.wish, e.batch) for e in store.joins(7)] == [
        (WISHES[2], 0),
        (WISHES[0], 0),
        (WISHES[1], None),
    ]
    store.drop(7, batch)
    assert all(entry.batch is None for entry in store.joins(7))
    second = store.plan_enroll(7, rows, is_last=True)
    assert (second.number, second.is_last) == (1, True)
    store.finish(7, second)
    assert store.open_batches(7, "enroll") == []


def test_offer__invitation_taken_back__removes_who_waits_and_leaves_who_is_sent(
    store: RelayStore,
) -> None:
    codes = [f"a-secret-code-{n}" for n in range(3)]
    invited = [Invitation(code_hash=code_hash(code), name=f"P{n}") for n, code in enumerate(codes)]
    store.offer(7, b"\x02" * 32, Offer(number=1, invitations=invited))
    for who in range(2):
        join(store, who, codes[who])
    store.plan_enroll(7, [Row(WISHES[0].signer, WISHES[0].payee, 4)], is_last=False)
    store.offer(7, b"\x02" * 32, Offer(number=2, invitations=invited[2:]))
    assert [bool(entry.reason) for entry in store.joins(7)] == [False, True]
    assert join(store, 1, codes[2]).reason is None
    assert [name for _, name, _ in store.guests(7)] == ["P2"]


def test_join__many_at_once_with_one_code__lets_one_in(store: RelayStore) -> None:
    invited = [Invitation(code_hash=code_hash("a-secret-code"))]
    store.offer(7, b"\x02" * 32, Offer(number=1, invitations=invited))
    found: list[str] = []

    def come(who: int) -> None:
        try:
            join(store, who, "a-secret-code")
            found.append("in")
        except BountyError:
            found.append("out")

    threads = [threading.Thread(target=come, args=(who,)) for who in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["in", "out", "out", "out", "out"]
    assert len(store.joins(7)) == 1


def test_put_file__other_commitment__takes_its_place_and_copies_do_not(store: RelayStore) -> None:
    assert store.put_file(7, 0, b"\x01" * 32, b"one")
    assert not store.put_file(7, 0, b"\x01" * 32, b"one with other notes")
    assert store.file(7, 0) == b"one"
    assert store.put_file(7, 0, b"\x02" * 32, b"two")
    assert store.file(7, 0) == b"two"
    assert store.file(7, 1) is None and store.acknowledgement(7, 1) is None


def test_put_deposit__second_commit__is_refused(store: RelayStore) -> None:
    given: dict[str, Any] = {"seats": 2, "signature": b"s" * 65, "file": "AAAA"}
    first = DepositRequest(commitment=b"\x01" * 32, **given)
    assert store.put_deposit(7, SEED, 0, first).state == "kept"
    with pytest.raises(BountyError, match="the first one counts"):
        store.put_deposit(7, SEED, 0, DepositRequest(commitment=b"\x02" * 32, **given))
    store.set_deposit_state(7, SEED, 0, "overridden")
    assert store.deposit(7, SEED, 0).state == "overridden"  # type: ignore[union-attr]
    store.drop_deposits(7)
    assert store.deposit(7, SEED, 0) is None and store.deposited() == []


def test_put_deposit__other_seed__is_another_one_beside_it(store: RelayStore) -> None:
    given: dict[str, Any] = {"seats": 2, "signature": b"s" * 65, "file": "AAAA"}
    other = b"\x06" * 32
    store.put_deposit(7, SEED, 0, DepositRequest(commitment=b"\x01" * 32, **given))
    store.put_deposit(7, other, 0, DepositRequest(commitment=b"\x02" * 32, **given))
    store.set_deposit_state(7, other, 0, "waiting")
    assert store.deposit(7, SEED, 0).state == "kept"  # type: ignore[union-attr]
    (kept,) = store.deposits(7, other)
    assert (kept.commit.commitment, kept.state) == (b"\x02" * 32, "waiting")
    assert store.deposited() == [7]
    store.drop_deposits(7)
    assert not store.deposits(7, SEED) and not store.deposits(7, other)


def test_notices__too_many__are_not_kept(
    store: RelayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("truthmark.node.relay.store._MAX_NOTICES", 3)
    for _ in range(3):
        store.add_notices(7, ["https://a.example", "https://b.example"], "{}", 5)
    assert store.due_notices(4) == []
    first, second = store.due_notices(5)
    store.delay_notice(first.number, 60)
    store.drop_notice(second.number)
    assert store.due_notices(59) == []
    assert [notice.tries for notice in store.due_notices(60)] == [1]


def test_store__database_gone__is_said_in_a_line(store: RelayStore) -> None:
    t.metadata.drop_all(store._engine)
    with pytest.raises(StorageError, match="nothing that was accepted is lost"):
        store.joins(7)
    with pytest.raises(StorageError, match="cannot be used now"):
        store.put_file(7, 0, b"", b"")
