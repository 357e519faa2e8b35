# SPDX-License-Identifier: Apache-2.0
"""The file with which anyone can check a bounty to the last label.

It holds what the chain says, and for each worker the sealed labels and S = e·P. Who has S opens the
labels and builds their root; a wrong S gives another root. So nobody has to trust who wrote it. A
file without S lets score, pay and payouts be checked, and no labels.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from truthmark.bounty.commits import Commit, Commits, chunks_of
from truthmark.bounty.gold import Gold
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.roster import Roster
from truthmark.bounty.score import Score
from truthmark.bounty.sealing import SealedRun, run_from_body
from truthmark.bounty.terms import Terms
from truthmark.errors import BountyError, TruthmarkError
from truthmark.types import Point

FORMAT: Final = "truthmark/bounty-result/1"
_WORD: Final = 32


@dataclass(frozen=True, slots=True)
class Result:
    """A bounty with all that opens its labels.

    Attributes:
        record: What the chain says.
        runs: By worker, what they handed out.
        shared: By worker, S.
        gold: What the requester committed to, also where no score was posted.
        gold_salt: Of its commitment, 32 bytes.
        texts: By worker and item, what was written where labels are texts, as far as it came.
    """

    record: Record
    runs: Mapping[int, SealedRun] = field(default_factory=dict)
    shared: Mapping[int, Point] = field(default_factory=dict)
    gold: Gold | None = None
    gold_salt: bytes = bytes(32)
    texts: Mapping[int, Mapping[int, str]] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the file."""
        record, score = self.record, self.record.score
        roster, commits = record.roster, record.commits
        value: dict[str, Any] = {
            "format": FORMAT,
            "chain_id": record.ref.chain_id,
            "board": record.ref.board,
            "bounty": record.ref.bounty_id,
            "terms": record.terms.to_texts(),
            "seed": record.seed.hex(),
            "status": record.status.name,
            "roster": [b"".join(roster.chunks(n)).hex() for n in range(len(roster.calls))],
            "commits": [b"".join(chunks_of(call)).hex() for call in commits.calls],
            "overrides": [commit.pack().hex() for commit in commits.overrides.values()],
            "posted": sorted(record.posted),
            "workers": {
                str(worker): {"root": run.root.hex(), "sealed": run.body.hex()}
                | ({"shared": _point(self.shared[worker])} if worker in self.shared else {})
                | ({"texts": self._texts(worker)} if self.texts.get(worker) else {})
                for worker, run in sorted(self.runs.items())
            },
        }
        if self.gold is not None:
            value["gold"] = {"items": self.gold.pack().hex(), "salt": self.gold_salt.hex()}
        if score is not None:
            value["score"] = {
                "gold": score.gold.pack().hex(),
                "salt": score.salt.hex(),
                "entries": b"".join(score.entry_chunks()).hex(),
                "lines": score.pack_lines().hex(),
            }
        return json.dumps(value, indent=1).encode() + b"\n"

    def _texts(self, worker: int) -> dict[str, str]:
        return {str(item): text for item, text in self.texts[worker].items()}

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read a file.

        Raises:
            BountyError: It is none, or a value in it is none.
        """
        try:
            value = json.loads(data)
            if value["format"] != FORMAT:
                raise BountyError(f"this is no {FORMAT}; update truthmark, or ask for another file")
            return cls._read(value)
        except BountyError:
            raise
        except (
            AttributeError,
            KeyError,
            OverflowError,
            RecursionError,
            TypeError,
            ValueError,
            TruthmarkError,
        ) as error:
            raise BountyError("this is no result of a bounty, or a damaged one") from error

    @classmethod
    def _read(cls, value: dict[str, Any]) -> Self:
        terms = Terms.from_texts(value["terms"])
        overrides = [_commit(text) for text in value["overrides"]]
        score = None
        if "score" in value:
            posted = value["score"]
            score = Score.from_posted(
                terms=terms,
                salt=_word(posted["salt"]),
                gold=_hex(posted["gold"]),
                entries=[_hex(posted["entries"])],
                lines=_hex(posted["lines"]),
            )
        record = Record(
            ref=BountyRef(int(value["chain_id"]), str(value["board"]), int(value["bounty"])),
            terms=terms,
            seed=_word(value["seed"]),
            roster=Roster.from_chunks([[_hex(call)] for call in value["roster"]]),
            commits=Commits.from_chunks([[_hex(call)] for call in value["commits"]], overrides),
            posted=frozenset(map(int, value["posted"])),
            status=Status[value["status"]],
            score=score,
        )
        workers = {int(worker): entry for worker, entry in value["workers"].items()}
        gold = value.get("gold")
        return cls(
            record,
            {
                worker: run_from_body(_word(entry["root"]), _hex(entry["sealed"]))
                for worker, entry in workers.items()
            },
            {
                worker: Point(*(int(part, 16) for part in entry["shared"]))
                for worker, entry in workers.items()
                if "shared" in entry
            },
            Gold.parse(_hex(gold["items"])) if gold else None,
            _word(gold["salt"]) if gold else bytes(32),
            {
                worker: {int(item): _text(text) for item, text in entry["texts"].items()}
                for worker, entry in workers.items()
                if "texts" in entry
            },
        )

    def known_gold(self) -> Gold:
        """Return the gold, from the score or else as the requester gave it."""
        if self.record.score is not None:
            return self.record.score.gold
        none = np.zeros(0, np.int64)
        return self.gold or Gold(none, none)


def _point(point: Point) -> list[str]:
    return [f"{part:064x}" for part in point]


def _hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _word(text: str) -> bytes:
    value = _hex(text)
    if len(value) != _WORD:
        raise BountyError(f"a hash of the result is not {_WORD} bytes; it is damaged")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is needed")
    value.encode()  # what has no UTF-8 is nobody's
    return value


def _commit(text: str) -> Commit:
    (commit,) = Commits.from_chunks([[_hex(text)]]).calls[0]
    return commit
