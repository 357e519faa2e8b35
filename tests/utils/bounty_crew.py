# SPDX-License-Identifier: Apache-2.0
"""A crew that labels a posted bounty on anvil: relay, labelers and receiver in one place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from truthmark.bounty import labeler
from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.asks import Posted
from truthmark.bounty.label_file import seal_notes
from truthmark.bounty.receiving import receive, true_score
from truthmark.bounty.roster import Row, gap
from truthmark.bounty.secrets import find_secrets
from truthmark.keys.curve import address_of, multiply
from truthmark.keys.vault import Vault
from truthmark.session import Session
from truthmark.testing.network import Devnet


def label_bounty(
    net: Devnet,
    session: Session,
    posted: Posted,
    answer: Callable[[str, int], int],
    folder: Path,
    *,
    ends: bool = True,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Label all of a bounty whose requester is its relay, and score it.

    Args:
        net: Where it is.
        session: Of the requester.
        posted: The bounty.
        answer: Returns a code for the name of an item and a worker.
        folder: For the labelers' vaults.
        ends: Whether the score is posted and stands.
        notes: What each labeler tells the requester beside, such as `flags` by item.
    """
    client, terms = BountyClient(session), posted.terms
    rows: list[Row] = []
    for _ in range(terms.rounds):
        left = terms.per_round
        while left:
            seats = min(terms.max_run, left)
            if seats < terms.min_run:
                rows.append(gap(left))
                break
            signer = address_of(multiply(int.from_bytes(_key(posted, len(rows)), "big")))
            rows.append(Row(signer, signer, seats))
            left -= seats
    client.enroll(posted.bounty_id, terms, rows, closes=True)
    net.chain.rpc("anvil_mine", "0x4")
    client.fix_seed(posted.bounty_id)
    record = client.read(posted.bounty_id)
    names, workspace = posted.workspace.names, posted.workspace
    signed = {}
    for worker, row in enumerate(rows):
        if row.is_gap:
            continue
        place = labeler.find_place(
            record,
            terms.hash,
            signer=row.signer,
            payee=row.payee,
            now=session.chain.time(),
            needed=1,
            mark=client.mark(posted.bounty_id),
        )
        answers = {item: answer(names[item], worker) for item in place.items.tolist() if item >= 0}
        codes = labeler.codes_of(place, answers, terms.classes, terms.batch)
        vault = Vault(folder / f"{posted.bounty_id}-{worker}")
        signed[worker] = labeler.sign_once(vault, record, worker, codes, _key(posted, worker))
    client.commit(posted.bounty_id, terms, [one.commit for one in signed.values()])
    record = client.read(posted.bounty_id)
    secrets = find_secrets(session.vault, terms.key)
    for worker, one in signed.items():
        shared = multiply(secrets.scalar, one.run.point)
        sealed = b"" if notes is None else seal_notes(shared, dict(notes))
        workspace.put_file(worker, replace(one.file(record), notes=sealed).to_bytes())
    if not ends:
        return
    net.warp(terms.label_seconds + terms.grace_seconds + terms.release_seconds + 1)
    score = true_score(
        record,
        gold=workspace.gold,
        salt=secrets.gold_salt,
        received={
            worker: receive(record, worker, one.run, secrets.scalar)
            for worker, one in signed.items()
        },
        acknowledgements={},
    )
    client.score(record, score)
    net.warp(terms.challenge_seconds + 1)
    client.end(posted.bounty_id, terms)


def answers_by_skill(
    truth: Callable[[str], int], skills: Sequence[float], classes: int, seed: int = 0
) -> Callable[[str, int], int]:
    """Return workers who are right as often as their skill says, and err at random."""
    rng = np.random.default_rng(seed)

    def answer(name: str, worker: int) -> int:
        right = truth(name)
        if rng.random() < skills[worker % len(skills)]:
            return right
        return int((right + rng.integers(1, classes)) % classes)

    return answer


def _key(posted: Posted, worker: int) -> bytes:
    return bytes([1 + posted.bounty_id % 200, 1 + worker]) * 16
