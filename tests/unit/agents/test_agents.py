# SPDX-License-Identifier: Apache-2.0
"""Programs that label: each kind answers, and each way to misbehave is told in words."""

import io
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import numpy as np
import pytest

from tests.utils import onnx_models
from tests.utils.waiting import wait_for
from truthmark.agents import endpoint
from truthmark.agents.agent import Task
from truthmark.agents.model import ModelAgent
from truthmark.agents.opening import open_agent
from truthmark.agents.replies import read_text, read_value
from truthmark.bounty.items import Item, Media
from truthmark.errors import AgentError, ConfigError

TASK = Task(7, ("bad", "good", "mixed"), "text")
TEXT = Item.of_text("all fine")
PYTHON = sys.executable


def row(*values: float) -> Item:
    return Item(Media.JSON, json.dumps(values).encode())


# ----------------------------------------------------------------------------- replies


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("good", 1),
        (" good \n", 1),
        ('"good"', 1),
        ("2", 2),
        ("skip", 3),
        ("null", 3),
        ("[0.1, 0.2, 0.7]", 2),
        ("[0.5, 0.5, 0]", 0),
        ('{"good": 0.9, "bad": 0, "mixed": 0.1}', 1),
        ('{"answer": "mixed"}', 2),
        ('{"probabilities": [0, 1, 0]}', 1),
        ('{"answer": null}', 3),
    ],
)
def test_read_text__an_answer__is_its_code(text: str, code: int) -> None:
    assert read_text(text, TASK.classes) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "-1",
        "1.0",
        "true",
        "Good",
        "good bad",
        "[1, 2]",
        "[1, 2, NaN]",
        "[1, 2, Infinity]",
        '[1, 2, "3"]',
        '{"good": 1}',
        '{"answer": "no"}',
        "[[1, 0, 0]]",
        "[" * 100_000,
        "[1, 2, 1" + "0" * 400 + "]",
        "\x1b[31mgood",
    ],
)
def test_read_text__no_answer__is_refused_in_a_line_without_escapes(text: str) -> None:
    with pytest.raises(AgentError) as refused:
        read_text(text, TASK.classes)
    assert "\x1b" not in str(refused.value) and len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (" a cat\n", "a cat"),
        ("one\r\ntwo", "one\ntwo"),
        ('[{"x": 1}]', '[{"x": 1}]'),
        ('{"x": 1, "y": 2}', '{"x": 1, "y": 2}'),
        ('{"answer": "a cat"}', "a cat"),
        ('{"answer": null}', 0),
        ("null", "null"),
        ("{broken", "{broken"),
    ],
)
def test_read_text__texts_are_asked__the_whole_reply_is_one(text: str, answer: int | str) -> None:
    assert read_text(text, ()) == answer


@pytest.mark.parametrize("text", ["", " \n", '{"answer": ""}', '{"answer": 5}', "a\x1b[0m"])
def test_read_text__texts_are_asked_and_none_came__refused(text: str) -> None:
    with pytest.raises(AgentError, match=r"empty|no text|control character"):
        read_text(text, ())


def test_model__texts_are_asked__cannot_do_the_task() -> None:
    class Model:
        def predict_proba(self, items: list[Any]) -> list[list[float]]:
            return [[1.0] for _ in items]

    with pytest.raises(AgentError, match="gives classes, and bounty 7 asks for texts"):
        ModelAgent(Model()).prepare(Task(7, (), "text"))


def test_read_value__names_that_are_numbers__are_names_first() -> None:
    assert read_text("1", ("1", "0")) == 0
    assert read_value(1, ("1", "0")) == 1


# ------------------------------------------------------------------------------ models


class Constant:
    """Always says the second of its classes."""

    classes_: ClassVar = np.array(["good", "bad", "mixed"])

    def predict_proba(self, items: list[Any]) -> Any:
        return [[0.1, 0.7, 0.2]] * len(items)


def test_model__own_order_of_classes__is_followed() -> None:
    agent = ModelAgent(Constant())
    agent.prepare(TASK)
    assert agent.answer(TASK, [TEXT, TEXT]) == [0, 0]


def test_model__what_it_gets__is_text_rows_bytes_and_tuples() -> None:
    seen: list[Any] = []

    class Watching:
        def predict_proba(self, items: Any) -> Any:
            seen.append(items)
            return np.eye(3)[[0] * len(items)]

    agent = ModelAgent(Watching)  # a class is made first
    picture = Item(Media.PNG, b"\x89PNG")
    agent.answer(TASK, [TEXT])
    agent.answer(TASK, [row(1, 2), Item(Media.JSON, b'{"a": 3, "b": null}')])
    agent.answer(TASK, [picture, Item.of_pair(TEXT, picture)])
    assert seen[0] == ["all fine"]
    np.testing.assert_array_equal(seen[1], [[1.0, 2.0], [3.0, np.nan]])
    assert seen[2] == [b"\x89PNG", ("all fine", b"\x89PNG")]


def _returns(value: Any) -> Any:
    class Model:
        def predict_proba(self, items: Any) -> Any:
            if isinstance(value, Exception):
                raise value
            return value

    return Model()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (ZeroDivisionError("x"), "fails .ZeroDivisionError"),
        ([[0.1, 0.9]], "of shape"),
        ([[0.1, 0.9, 0]] * 2, "of shape"),
        ([[0.1, np.nan, 0]], "no probabilities"),
        ("garbage", "of shape"),
    ],
)
def test_model__misbehaving__is_told(value: Any, says: str) -> None:
    with pytest.raises(AgentError, match=says):
        ModelAgent(_returns(value)).answer(TASK, [TEXT])


def test_model__other_classes__cannot_do_the_task() -> None:
    agent = ModelAgent(Constant())
    with pytest.raises(AgentError, match="knows the classes"):
        agent.prepare(Task(7, ("cat", "dog", "cow"), "text"))


def test_open__import_path__is_found_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_labeler.py").write_text(
        "class Model:\n"
        "    def predict_proba(self, items):\n"
        "        return [[0, 0, 1]] * len(items)\n"
        "def make():\n    return Model()\nnumber = 5\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for path in ("my_labeler:Model", "my_labeler:make"):
        with open_agent(path) as agent:
            assert agent.answer(TASK, [TEXT]) == [2]
    for path, says in (
        ("my_labeler:number", "no predict_proba"),
        ("my_labeler:nothing", "cannot be loaded"),
        ("no_such_module:x", "cannot be loaded"),
        ("model.pkl", "is a pickle"),
        ("no-such-program --flag", "no program of this machine"),
        ("'unclosed", "mend its quotes"),
        ("nothing.onnx", "there is no file"),
    ):
        with pytest.raises(AgentError, match=says):
            open_agent(path)


def test_function__one_item__one_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_function.py").write_text(
        "import numpy as np\n"
        "def label(text):\n"
        "    if text == 'broken':\n"
        "        raise ValueError('no')\n"
        "    return {'all fine': 'good', 'x': np.array([0, 0, 1.0]), 'y': np.int64(1)}.get(text)\n"
        "def wrong(text, strict=False):\n"
        "    return object()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    agent = open_agent("my_function:label")
    items = [TEXT, *map(Item.of_text, ("x", "y", "anything else"))]
    assert agent.answer(TASK, items) == [1, 2, 1, 3]
    with pytest.raises(AgentError, match=r"fails .ValueError: no"):
        agent.answer(TASK, [Item.of_text("broken")])
    with pytest.raises(AgentError, match="is no answer"):
        open_agent("my_function:wrong").answer(TASK, [TEXT])


# -------------------------------------------------------------------------------- ONNX


def _onnx(tmp_path: Path, data: bytes) -> Any:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    return open_agent(str(path))


def test_onnx__rows_of_numbers__give_the_likeliest_class(tmp_path: Path) -> None:
    agent = _onnx(tmp_path, onnx_models.softmax(3))
    assert agent.answer(TASK, [row(1, 2, 3), row(9, 2, 3)]) == [2, 0]
    with pytest.raises(AgentError, match="fails"):
        agent.answer(TASK, [row(1, 2)])
    with pytest.raises(AgentError, match="neither"):
        agent.answer(TASK, [TEXT])


def test_onnx__texts__give_classes_by_number(tmp_path: Path) -> None:
    agent = _onnx(tmp_path, onnx_models.lookup(["all fine", "awful"], [1, 0]))
    assert agent.answer(TASK, [TEXT, Item.of_text("awful")]) == [1, 0]
    with pytest.raises(AgentError, match="is none"):
        agent.answer(TASK, [Item(Media.PNG, b"")])
    with pytest.raises(AgentError, match="is no answer"):
        agent.answer(TASK, [Item.of_text("never heard of")])


def test_onnx__pictures__are_scaled_to_what_it_takes(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.zeros((40, 60), np.uint8)
    pixels[20:, :30] = 255  # below, at the left
    buffer = io.BytesIO()
    image.fromarray(pixels).save(buffer, "PNG")
    picture = Item(Media.PNG, buffer.getvalue())
    agent = _onnx(tmp_path, onnx_models.flatten(1, 2, 2))
    task = Task(7, ("a", "b", "c", "d"), "image")
    assert agent.answer(task, [picture]) == [2]
    with pytest.raises(AgentError, match="cannot be read"):
        agent.answer(task, [Item(Media.PNG, b"no picture")])


def test_onnx__other_number_of_classes_or_no_model__is_told(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="2 probabilities came for 3"):
        _onnx(tmp_path, onnx_models.softmax(2)).answer(TASK, [row(1, 2)])
    with pytest.raises(AgentError, match="no ONNX model"):
        _onnx(tmp_path, b"garbage")


# ---------------------------------------------------------------------------- commands


def test_command__item_on_standard_input__answer_on_output() -> None:
    script = "import sys; print('good' if 'fine' in sys.stdin.read() else 'bad')"
    agent = open_agent(f'{PYTHON} -c "{script}"')
    assert agent.answer(TASK, [TEXT, Item.of_text("x")]) == [1, 0]


def test_command__place_of_a_file__gets_its_path_and_what_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRUTHMARK_PASSPHRASE", "secret")
    monkeypatch.setenv("MY_KEY", "0x" + "ab" * 32)
    script = tmp_path / "script.py"
    script.write_text(
        "import json, os, pathlib, sys\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "assert path.suffix == '.png' and path.read_bytes() == b'\\x89PNG'\n"
        "assert os.environ['LABEL_MEDIA'] == 'image/png' and os.environ['LABEL_BOUNTY'] == '7'\n"
        "assert json.loads(os.environ['LABEL_CLASSES']) == ['bad', 'good', 'mixed']\n"
        "assert not [n for n in os.environ if n.startswith('TRUTHMARK_') or n == 'MY_KEY']\n"
        "print('[0, 0, 1]')\n"
    )
    agent = open_agent(f"{PYTHON} {script} {{}}")
    assert agent.answer(TASK, [Item(Media.PNG, b"\x89PNG")]) == [2]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("print('wrong')", "is no answer"),
        ("pass", "is no answer"),
        ("import sys; sys.exit('broken: \\x1b[2Jno model')", "ended with code 1: broken"),
        ("import os; os.kill(os.getpid(), 9)", "ended with code -9"),
        ("print('x' * 100000)", "longer than"),
        ("import sys; sys.stdout.buffer.write(bytes(range(128, 256)))", "is no answer"),
    ],
)
def test_command__misbehaving__is_told(script: str, says: str) -> None:
    agent = open_agent(f'{PYTHON} -c "{script}"')
    with pytest.raises(AgentError, match=says) as refused:
        agent.answer(TASK, [TEXT])
    assert "\x1b" not in str(refused.value)


def test_command__hanging__is_ended_with_what_it_started(tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = tmp_path / "hang.sh"
    # No Python: on a busy machine that alone may take longer to start than an answer may.
    script.write_text(f"sleep 600 &\necho $! > '{child}'\nsleep 600\n")
    agent = open_agent(f"sh {script}", timeout=1.5)
    with pytest.raises(AgentError, match=r"no answer within 1.5 s"):
        agent.answer(TASK, [TEXT])
    pid = int(child.read_text())
    wait_for(lambda: not _is_running(pid), "the end of what the command started")


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z" and Path(f"/proc/{pid}").exists()


# --------------------------------------------------------------------------- endpoints


class _Handler(BaseHTTPRequestHandler):
    replies: ClassVar[list[tuple[int, bytes]]] = []
    seen: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append({**self.headers, "body": body.decode("latin-1")})
        status, reply = self.replies.pop(0) if self.replies else (200, b"good")
        if status == 0:  # hang up
            self.connection.close()
            return
        self.send_response(status)
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(endpoint, "_PAUSE", 0.0)
    _Handler.replies, _Handler.seen = [], []
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}/label"
    made.shutdown()
    made.server_close()


def test_endpoint__item_posted__answer_back(server: str) -> None:
    _Handler.replies = [(200, b'{"answer": "mixed"}'), (503, b"busy"), (0, b""), (200, b"[1,0,0]")]
    with open_agent(server) as agent:
        assert agent.answer(TASK, [TEXT, TEXT]) == [2, 0]
    first = _Handler.seen[0]
    assert first["body"] == "all fine" and first["Content-Type"].startswith("text/plain")
    assert json.loads(unquote(first["Label-Classes"])) == list(TASK.classes)
    assert first["Label-Bounty"] == "7"


@pytest.mark.parametrize(
    ("replies", "says"),
    [
        ([(200, b"wrong")], "is no answer"),
        ([(200, b"x" * 200_000)], "too much"),
        ([(404, b"not here\x1b[2J")], "status 404"),
        ([(302, b"")], "status 302"),
        ([(500, b"broken")] * 3, "status 500: broken"),
        ([(0, b"")] * 3, "does not answer"),
        ([(200, b"\xff\xfe\x00")], "is no answer"),
    ],
)
def test_endpoint__misbehaving__is_told(
    server: str, replies: list[tuple[int, bytes]], says: str
) -> None:
    _Handler.replies = replies
    with open_agent(server) as agent, pytest.raises(AgentError, match=says) as refused:
        agent.answer(TASK, [TEXT])
    assert "\x1b" not in str(refused.value)


def test_onnx__no_onnxruntime__says_which_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"truthmark\[agents\]"):
        open_agent(str(tmp_path / "model.onnx"))
