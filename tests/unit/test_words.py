# SPDX-License-Identifier: Apache-2.0
"""One word for one thing: words that were given up do not come back (docs/glossary.md)."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KINDS = ("*.py", "*.vy", "*.vyi", "*.md", "*.toml", "*.yml", "Makefile")
ELSEWHERE = (
    "CHANGELOG.md",  # what was renamed stands there under its old name
    "datasets/",  # other people's words
    "docs/glossary.md",  # names the words that are not to be used
    "tests/unit/test_words.py",
)
QUOTED = (
    '"Hello" she said',  # rows of CSV files
    "Dear John",
    "Whoever has it can read the data",  # a buyer's key hangs on every letter of this
)

GIVEN_UP = {
    "anyone, or the role's name": "anybody",
    "anyone who, or the role's name": "whoever, whosoever",
    "again": "anew",
    "expensive": "dear, dearer, dearest",
    "they, them, their": "he, him, his, himself, she, her, hers, herself",
    "a plain word": "hitherto, thereof, wherefrom, lest, albeit",
    "close": "wind up, winds up, winding up",
    "dispute": "complain, complains, complaint, complaints",
    "custodian": "keeper, keepers",
    "slasher": "locker, lockers",
    "obligation": "duty, duties",
    "examples": "seller's samples, samples of the seller",
    "ValidatorOffer or CustodyRequest": "CustodyOffer",
    "Settlement": "Upkeep",
    "resolve": "close_matter",
    "stake_packing": "stake_words",
    "is_over_budget, require_parts_recorded": "is_dear, require_noted",
    "ProxyToken, INITIAL_BALANCE": "SecondDoor, PURSE",
    "without having to trust anyone": "nobody can cheat",
    "excluded; a listing is revoked": "void gold, gold is void",
    "committee place": "committee seat, committee seats",
    "acknowledgement": "bounty receipt, bounty's receipt",
}
"""What to say, and what not."""
LETTERS = {code: chr(code).lower() if chr(code).isalpha() else " " for code in range(128)}
"""Case does not matter, nor what stands between words: `is_away` is `is away`."""


def plain(text: str) -> str:
    return f" {' '.join(text.translate(LETTERS).split())} "


WORDS = [(plain(old), new) for new, olds in GIVEN_UP.items() for old in olds.split(",")]


def uses(text: str) -> list[str]:
    """Return what of `text` should be said in other words."""
    for quoted in QUOTED:
        text = text.replace(quoted, "")
    words = plain(text)
    return [f"say {new!r}, not {old.strip()!r}" for old, new in WORDS if old in words]


def test_words__given_up__do_not_come_back() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *KINDS], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no git checkout, so which files are ours is not known; clone it")
    paths = [name for name in listed.stdout.decode().split("\0") if name]
    assert len(paths) > 300
    found = [
        f"{name}: {use}"
        for name in paths
        if not name.startswith(ELSEWHERE) and (ROOT / name).is_file()
        for use in uses((ROOT / name).read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("A buyer pays, and anybody may settle.", 1),
        ("def test_leaver__at_his_own_end__is_free(): ...", 1),
        ("The custodian, her share", 1),
        ("self.fix_lockers(lockers)", 1),
        ("This is here; other heirs adhere to it.", 0),
        ("endeared, hearsay, the_theme", 0),
        ("a void between two words", 0),
    ],
)
def test_uses__a_text__finds_whole_words_only(text: str, count: int) -> None:
    assert len(uses(text)) == count
