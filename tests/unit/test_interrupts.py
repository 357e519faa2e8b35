# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C that was swallowed."""

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from truthmark.cli import interrupts
from truthmark.cli.output import ask


@pytest.fixture(autouse=True)
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(interrupts, "_was_interrupted", False)
    before = signal.getsignal(signal.SIGINT)
    interrupts.listen()
    yield
    signal.signal(signal.SIGINT, before)


def test_ask__interrupt_swallowed_by_a_library__is_not_answered_by_yes() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        ask("pay 5 TUSD?", yes=True)


def test_ask__nothing_happened__yes_is_yes() -> None:
    assert ask("pay 5 TUSD?", yes=True)
