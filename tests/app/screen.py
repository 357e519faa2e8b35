# SPDX-License-Identifier: Apache-2.0
"""What a person reads on a page of the app under `AppTest`."""

import re
from typing import Any

from streamlit.testing.v1 import AppTest

_TEXTS = (
    *("title", "header", "subheader", "markdown", "caption", "text", "code"),
    *("error", "warning", "info", "success"),
)
_JOINER = "\N{WORD JOINER}"


def shown(text: str) -> str:
    """Return Markdown as a person reads it: escapes, emphasis and icons are not seen."""
    text = re.sub(r":material/\w+:", "", text)
    text = re.sub(r"(?<!\\):[\w-]+\[((?:\\.|[^\]\\])*)\]", r"\1", text)
    text = re.sub(r"(?<!\\)(\*\*|^#+ )", "", text)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text).replace(_JOINER, "")


def texts(at: AppTest, skip: str | None = None) -> list[str]:
    """Return all that is written on the page; expanders of one label can be left out."""
    return [shown(text) for text in _texts(at._tree, skip)]


def _texts(block: Any, skip: str | None) -> list[str]:
    found = []
    for child in block.children.values():
        if getattr(child, "type", "") == "expander" and child.label == skip:
            continue
        if hasattr(child, "children"):
            found += [child.label] if getattr(child, "label", "") else []
            found += _texts(child, skip)
        else:
            found += [str(getattr(child, name)) for name in ("label", "help") if _has(child, name)]
            if child.type in _TEXTS or child.type in ("heading", "alert", "metric"):
                found.append(str(child.value))
    return found


def _has(element: Any, name: str) -> bool:
    try:
        return bool(getattr(element, name, ""))
    except (AttributeError, ValueError):
        return False


def page(at: AppTest) -> str:
    """Return the page's text as one."""
    return "\n".join(texts(at))


def button(at: AppTest, start: str) -> Any:
    """Return the button whose label begins so."""
    found = [b for b in at.button if shown(b.label).startswith(start)]
    assert len(found) == 1, f"{start!r} is not among {[shown(b.label) for b in at.button]}"
    return found[0]


def has_button(at: AppTest, start: str) -> bool:
    return any(shown(b.label).startswith(start) for b in at.button)


def click(at: AppTest, start: str) -> AppTest:
    """Press a button and look at what comes of it.

    Most listings of tests are too small to sample, which is agreed to before "Buy".
    """
    for box in at.checkbox if start == "Buy" else ():
        if (box.key or "").startswith("dataset_blind") and not box.value:
            box.check().run()
    button(at, start).click().run()
    assert not at.exception
    return at


def bounties_on(at: AppTest) -> list[str]:
    """Return which bounties the cards lead to."""
    return [
        link.proto.query_string.removeprefix("bounty=")
        for link in at.get("page_link")
        if "bounty=" in link.proto.query_string
    ]
