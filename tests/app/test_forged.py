# SPDX-License-Identifier: Apache-2.0
"""Addresses that somebody made up, and files that are called what nobody calls a file."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from app import ask_views, services
from app.services import drafts, selling
from app.services.file_names import file_name
from tests.app.conftest import MAIN, SECONDS, Start
from tests.app.screen import page
from tests.utils.app_market import AppMarket
from tests.utils.injections import HOSTILE, OWNED
from truthmark.codec.names import check_path

FORGED = (
    *(
        "",
        " ",
        "0",
        "-1",
        "99999",
        "1@",
        "@1",
        "1@1@1",
        "7@9",
        "1.0",
        "1e3",
        "0x1",
        "+1",
        "１",
        "٧",
    ),
    *(
        "²",
        "½",
        "Ⅷ",
        "NaN",
        "None",
        "true",
        "1;2",
        "1,2",
        "1 OR 1=1",
        "1'--",
        "%31",
        "%00",
        "1\x00",
    ),
    *("../../etc/passwd", "..\\..\\x", "/etc/passwd", "file:///etc/passwd", "//evil.example"),
    *(
        "https://evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        f"<script>{OWNED}</script>",
    ),
    *("1#code=1", "1?role=seller", "1&role=seller", "\u202e1", "1\u200b", "\n1\r\nX: y", "9" * 18),
    *("9" * 400, "x" * 70_000, "é" * 300, "\U0001f600", "truthmark://31337/0x0/1@1"),
)
"""What stands in an address where a page expects a number or a name."""

KINDS = (
    *("", "0", "-1", "99999", "7@9", "1.0", "１", "²", "1'--", "1\x00", "../../etc/passwd"),
    *(f"<script>{OWNED}</script>", "1?role=seller", "\u202e1", "9" * 400, "x" * 70_000),
)
"""One of each kind of these, for pages that read them as another page does."""

FILES = (
    *(
        "a.txt",
        "",
        ".",
        "..",
        "...",
        "/",
        "a/",
        "../a.txt",
        "../../../../etc/passwd",
        "/etc/passwd",
    ),
    *(
        "..\\..\\a.txt",
        "C:\\Windows\\a.txt",
        "\\\\host\\share\\a.txt",
        "a/../../b.txt",
        "~/.ssh/id",
    ),
    *(
        "a\x00.txt",
        "a\n.txt",
        "a\r\n.txt",
        "\x1b[31mred.txt",
        "a\tb.txt",
        "\x7f.txt",
        "a\udcff.txt",
    ),
    *(
        "\u202egnp.exe",
        "a\u200b.txt",
        "\ufeffa.txt",
        "é.txt",
        "e\u0301.txt",
        "A.TXT",
        "a.txt ",
        "a.txt.",
    ),
    *(
        " a.txt",
        ".hidden",
        ".env",
        ".git/config",
        "x" * 5_000,
        "x" * 300 + ".csv",
        "é" * 200 + ".csv",
    ),
    *(
        "a." + "y" * 300,
        "con",
        "CON.txt",
        "nul.csv",
        "aux",
        "form.json",
        "offer.json",
        "$(reboot).txt",
    ),
    *("`id`.txt", "a;b.txt", "-rf", "--help.csv", "%2e%2e%2fa.txt", "a?b*c.txt", "a|b.txt"),
    *("\U0001f600.txt", *HOSTILE[:6]),
)
"""Names that a browser, or somebody who plays one, gives a file."""


def test_cases__there_are_as_many_as_are_asked_for() -> None:
    assert len(set(FORGED)) >= 30
    assert set(KINDS) < set(FORGED)
    assert len(set(FILES)) >= 40


# --------------------------------------------------------------------------- addresses


@pytest.mark.chain
@pytest.mark.parametrize(
    ("name", "parameter", "cases"),
    [
        ("dataset", "dataset", FORGED),
        ("bounty", "bounty", FORGED),
        ("asked", "bounty", KINDS),  # all that are no numbers bring the same list
        ("new_bounty", "ask", KINDS),  # all of them: test_find_form below
        ("label", "bounty", KINDS),  # read by the same lines as of the page before
    ],
    ids=["dataset", "bounty", "asked", "new_bounty", "label"],
)
def test_address__forged__shows_nothing_of_it_and_nobody_elses(
    start: Start, market: AppMarket, name: str, parameter: str, cases: tuple[str, ...]
) -> None:
    at = start(name)
    for forged in cases:
        at.query_params[parameter] = forged
        at.switch_page(f"app_pages/{name}.py").run()
        assert not at.exception, forged
        said = page(at)
        assert 10 < len(said) < 20_000, forged
        assert "Traceback" not in said and "root:" not in said, forged
        assert all(len(error.value) < 1_000 for error in at.error), forged
        elements = [*at.markdown, *at.caption, *at.error, *at.info, *at.title]
        assert not any(getattr(element, "allow_html", False) for element in elements), forged
        assert str(market.net.home("seller")) not in said, forged


@pytest.mark.chain
@pytest.mark.parametrize("parameter", ["role", "account"])
def test_address__role_or_account_is_forged__nobody_else_acts(
    start: Start, market: AppMarket, parameter: str
) -> None:
    start()
    address = market.session("buyer").address
    for forged in FORGED[:4] + FORGED[28:36]:  # each is a visit of its own
        at = AppTest.from_file(MAIN, default_timeout=SECONDS)
        at.query_params[parameter] = forged
        at.run()
        assert not at.exception, forged
        assert address in page(at), forged
        assert parameter not in at.query_params, forged


def test_find_form__forged_name__reads_nothing_outside_of_the_forms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setattr(drafts, "my_session", lambda: SimpleNamespace(home=home))
    form = ask_views.AskForm("abc", token="TUSD", title="mine")
    drafts.save_form(form)
    # Somebody else's form, where a path that climbs would come.
    outside = tmp_path / "other" / "asks" / "abc"
    outside.mkdir(parents=True)
    (outside / "form.json").write_text((home / "asks" / "abc" / "form.json").read_text())
    climbing = ["../abc", "../../other/asks/abc", str(outside), "abc/../abc", "./abc", "abc/"]
    for forged in (*FORGED, *climbing):
        with pytest.raises(services.TruthmarkError):
            drafts.find_form(forged)
    assert drafts.find_form("abc") == form


# ------------------------------------------------------------------------ names of files


@pytest.mark.parametrize("name", FILES, ids=range(len(FILES)))
def test_file_name__whatever_a_browser_sends__is_a_plain_name(name: str) -> None:
    found = file_name(name, "file-3")
    assert found and found == found.strip() and not found.startswith(".")
    assert Path(found).name == found and len(found.encode()) <= 200
    assert found.isprintable()
    if found.partition(".")[0].lower() not in ("con", "nul", "aux"):  # of another system's
        check_path(found)
    suffix = Path(name.replace("\\", "/")).suffix
    if suffix in (".txt", ".csv") and name.rpartition("/")[2].isprintable():
        assert found.endswith(suffix) or name.endswith((" ", "."))


def test_keep_files__hostile_names__each_is_kept_and_none_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setattr(drafts, "my_session", lambda: SimpleNamespace(home=home))
    form = ask_views.AskForm("abc", token="TUSD")
    drafts.save_form(form)
    # The last come to names that were taken by the first, also as they are numbered.
    names = [*FILES, "2-a.txt", "1-2-a.txt", "a.txt", "a.txt", f"{len(FILES) + 4}-a.txt", "a.txt"]
    sent = [(name, f"content {number}".encode()) for number, name in enumerate(names)]
    folder = Path(drafts.keep_files(form, sent))
    assert folder == home / "asks" / "abc" / "dropped"
    kept = [path.read_bytes() for path in folder.iterdir()]
    assert sorted(kept) == sorted(data for _, data in sent)
    every = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert every == {*folder.iterdir(), home / "asks" / "abc" / "form.json"}
    assert drafts.find_form("abc") == form


def test_uploaded__hostile_names__is_one_file_that_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selling, "my_session", lambda: SimpleNamespace(home=tmp_path))
    for name in FILES:
        with selling.uploaded(name, b"data") as path:
            assert Path(path).read_bytes() == b"data"
            assert Path(path).parent.parent == tmp_path
        assert list(tmp_path.iterdir()) == []
