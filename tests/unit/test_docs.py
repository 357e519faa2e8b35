# SPDX-License-Identifier: Apache-2.0
"""The documents hang together: each page is found, each link leads somewhere, no error lacks.

What `make docs` builds strictly is held here without what it needs.
"""

import inspect
import re
import tomllib
from pathlib import Path

import pytest
import yaml

import truthmark
from truthmark import errors
from truthmark.errors import TruthmarkError

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
_FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2", re.M | re.S)
_LINK = re.compile(r"\[[^][]*\]\(([^)\s]+)\)", re.S)


def in_navigation(entry: object) -> set[str]:
    """Return all pages of a part of the navigation."""
    if isinstance(entry, str):
        return {entry}
    parts = entry.values() if isinstance(entry, dict) else entry
    assert isinstance(parts, list) or hasattr(parts, "__iter__")
    return {page for part in parts for page in in_navigation(part)}


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as Python-Markdown names them."""
    text = _FENCE.sub("", page.read_text())
    names = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.M):
        plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading)
        names.add(re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower()))
    return names


def test_navigation__pages__are_all_there_is() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert in_navigation(settings["nav"]) == pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links__of_a_page__lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text()))
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link} leads nowhere"
        if page.is_relative_to(DOCS):
            assert target.is_relative_to(DOCS), f"{link} leads out of what `make docs` builds"
        if anchor:
            assert anchor in anchors(target), f"{link}: there is no such heading"


def test_errors_page__classes__are_those_of_the_library() -> None:
    classes = [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, TruthmarkError)
    ]
    lines = []
    for kind in sorted(classes, key=lambda kind: inspect.getsourcelines(kind)[1]):
        depth = sum(issubclass(parent, TruthmarkError) for parent in kind.__mro__) - 2
        means = (inspect.getdoc(kind) or "").splitlines()[0].rstrip(".")
        lines.append(
            f"| {'· ' * depth if depth > 0 else ''}`{kind.__name__}` | {kind.exit_code} | {means} |"
        )
    shown = [line for line in (DOCS / "errors.md").read_text().splitlines() if "`" in line]
    assert [line for line in shown if line.startswith("| ")] == lines


def test_reference__stable_names__are_all_there() -> None:
    text = (DOCS / "api.md").read_text()
    shown = set(re.findall(r"^::: truthmark\.(\w+)", text, re.M))
    assert shown == set(truthmark.__all__)


def test_reference__packages__have_a_page_each() -> None:
    packages = {path.parent.name for path in (ROOT / "truthmark").glob("*/__init__.py")}
    # What people run rather than import, and what only tries things out.
    pages = {path.stem for path in (DOCS / "api").glob("*.md")}
    assert pages == packages - {"cli", "testing"}


def test_architecture__modules_of_a_sale_and_a_bounty__are_there() -> None:
    page = (DOCS / "architecture.md").read_text()
    walks = page[page.index("## One sale") : page.index("## To add")]
    for line in walks.splitlines():
        # What comes later says "will be" before it is named.
        for name in re.findall(r"`([a-z]+/[a-z_/]+)`", line.partition("will be")[0]):
            place = ROOT / "truthmark" / name
            assert place.is_dir() or place.with_suffix(".py").is_file(), name


def test_architecture__diagram__is_what_lint_holds() -> None:
    page = (DOCS / "architecture.md").read_text()
    diagram = page[page.index("```\ncli") + 4 :].partition("```")[0]
    # Up to the gap that ends the names; brackets only say that a layer may be absent.
    shown = [re.split(r"\s{2,}", line)[0] for line in diagram.strip().splitlines()]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    held = [re.sub(r"[()]", "", layer) for layer in layers]
    assert [sorted(re.findall(r"\w+|[|:]", line)) for line in shown] == [
        sorted(re.findall(r"\w+|[|:]", line)) for line in held
    ]


def test_docs__tests_that_are_cited__are_there() -> None:
    files = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "tests").rglob("*.py")}
    names = {path.name for path in files.values()}
    functions = {
        name for path in files.values() for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    for page in PAGES:
        text = page.read_text().partition("## To add")[0]  # whose names are examples
        for cited in re.findall(r"`(tests/[\w/]+\.py|test_\w+\.py)`", text):
            assert cited in files or cited in names, f"{page.name} cites {cited}"
        for cited in re.findall(r"`(test_\w+__)…`", text):
            assert any(name.startswith(cited) for name in functions), f"{page.name} cites {cited}"
