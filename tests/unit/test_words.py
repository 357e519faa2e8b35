# SPDX-License-Identifier: Apache-2.0
"""One word for one thing: words that were given up do not come back (docs/glossary.md)."""

import re
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
    # English
    r"anybody": "anyone, or the role's name",
    r"who(?:so)?ever": "anyone who, or the role's name",
    r"anew": "again",
    r"dear(?:er|est)?": "expensive",
    r"he|him|his|himself|she|her|hers|herself": "they, them, their",
    r"hitherto|thereof|wherefrom|lest|albeit": "plain words",
    # a sale
    r"wind(?:s|ing)?[ _]up": "close",
    r"complain(?:s|ts?|ing|ed)?|complain_\w+": "dispute",
    r"keepers?|lockers?|fix_lockers": "custodian, slasher",
    r"dut(?:y|ies)": "obligation",
    r"is_away|set_away": "is_unavailable",
    r"samples? of the seller|seller's samples": "examples",
    r"CustodyOffers?": "ValidatorOffer or CustodyRequest",
    r"Upkeep": "Settlement",
    r"SecondDoor|PURSE|close_matter|_let_go|_look_around|_consider|_tend": "docs/glossary.md",
    r"stake_words|send_order|is_dear|require_noted|AS_IT_IS": "docs/glossary.md",
    r"nobody can cheat": "without having to trust anyone",
    # a bounty
    r"void gold|gold is void|VOID": "excluded; a listing is REVOKED",
    r"committee seats?": "committee place",
    r"bounty receipts?|receipt of a bounty": "acknowledgement",
}
WORDS = {
    word: re.compile(rf"(?<![A-Za-z]){word if word.isalpha() else f'(?:{word})'}(?![A-Za-z])", flags)
    for word, flags in ((w, 0 if w != w.lower() else re.IGNORECASE) for w in GIVEN_UP)
}


def uses(text: str) -> list[str]:
    """Return what of `text` should be said in other words."""
    for quoted in QUOTED:
        text = text.replace(quoted, "")
    return [
        f"{number}: {found[0]!r}; say {GIVEN_UP[word]}"
        for word, pattern in WORDS.items()
        for number, line in enumerate(text.splitlines(), 1)
        for found in pattern.finditer(line)
    ]


def test_words__given_up__do_not_come_back() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *KINDS], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no git checkout, so which files are ours is not known; clone it")
    paths = [name for name in listed.stdout.decode().split("\0") if name]
    assert len(paths) > 300
    found = [
        f"{name}:{use}"
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
        ("self.fix_lockers(lockers)", 2),
        ("This is here; other heirs adhere to it.", 0),
        ("endeared, hearsay, the_theme", 0),
        ("a void of meaning, VOIDABLE", 0),
    ],
)
def test_uses__a_text__finds_whole_words_only(text: str, count: int) -> None:
    assert len(uses(text)) == count
