# SPDX-License-Identifier: Apache-2.0
"""Answers on disk: one by one, in whole lines, by one program at a time."""

import errno
import os
from pathlib import Path

import pytest

from truthmark.bounty.answer_log import AnswerLog
from truthmark.errors import BountyError


def test_log__opened_again__has_the_last_word_on_each_item(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.log"
    with AnswerLog(path) as log:
        log.answer(5, 1, 2.04)
        log.answer(6, 0)
        log.answer(7, 2, 1e9)
        log.answer(5, 2, 3.0)
        log.flag(6, "blurred")
        log.flag(7, "x" * 1000)
        log.flag(7, "")
        assert log.undo() == 5
        assert log.undo() == 7
        log.answer(9, 1, 0.5)
    with AnswerLog(path) as log:
        assert log.codes == {6: 0, 9: 1}
        assert log.to_notes() == {"seconds": {"9": 0.5}, "flags": {"6": "blurred"}}
        assert [log.undo(), log.undo(), log.undo()] == [9, 6, None]


def test_log__line_cut_off_by_a_crash__is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "answers.log"
    with AnswerLog(path) as log:
        log.answer(1, 1)
    whole = path.read_bytes()
    for cut in range(1, 20):
        path.write_bytes(whole + b'{"item":2,"code":0,"seconds":0.0}\n'[:cut])
        with AnswerLog(path) as log:
            assert log.codes == {1: 1}
            log.answer(3, 0)
        with AnswerLog(path) as log:
            assert log.codes == {1: 1, 3: 0}


@pytest.mark.parametrize("line", [b"garbage", b"[]", b'{"code":1}', b'{"item":"x","code":1}'])
def test_log__damaged_line__is_told_with_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "answers.log"
    path.write_bytes(b'{"item":1,"code":1}\n' + line + b"\n")
    with pytest.raises(BountyError, match="line 2 of"):
        AnswerLog(path)


def test_log__two_programs__the_second_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.log"
    with AnswerLog(path), pytest.raises(BountyError, match="another program"):
        AnswerLog(path)
    AnswerLog(path).close()


def test_log__disk_full__nothing_half_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers.log"
    with AnswerLog(path) as log:
        log.answer(1, 1)
        size = path.stat().st_size

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(BountyError, match="No space left"):
                log.answer(2, 1)
        assert path.stat().st_size == size and log.codes == {1: 1}
        log.answer(2, 0)
    with AnswerLog(path) as log:
        assert log.codes == {1: 1, 2: 0}
