# SPDX-License-Identifier: Apache-2.0
"""A model in an ONNX file, run by onnxruntime (the extra `agents`).

It has one input, whose type says what it takes: texts (string, shape [N] or [N, 1]), rows of
numbers (float or double, [N, F]), or pictures (float, [N, 1 or 3, H, W], [N, H, W, 1 or 3],
[N, H, W], or [N, H·W] where items are pictures; 0 is black, 1 is white). Its output is a row of
probabilities or scores an item, as scikit-learn's converters give it too; failing that, a class an
item by number or name.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from truthmark.agents.agent import Agent, Answer, Task
from truthmark.agents.features import features_of
from truthmark.agents.replies import read_probabilities, read_value, require_classes
from truthmark.bounty.decoding import open_picture
from truthmark.bounty.items import Item, Media
from truthmark.errors import AgentError, ConfigError
from truthmark.text import clean

if TYPE_CHECKING:
    import numpy.typing as npt

_FLOATS: Final = {"tensor(float)": np.float32, "tensor(double)": np.float64}
_TEXT: Final = "tensor(string)"
_PICTURES: Final = frozenset({Media.JPEG, Media.PNG, Media.WEBP, Media.GIF})


class OnnxAgent(Agent):
    """A model in an ONNX file.

    Args:
        path: The file.

    Raises:
        AgentError: It is no such model, or takes something else.
        ConfigError: onnxruntime is not installed.
    """

    batch = 64

    def __init__(self, path: Path) -> None:
        """Load the model."""
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigError(
                "models in ONNX files need onnxruntime; install `truthmark[agents]`"
            ) from error
        self._name = path.name
        if not path.is_file():
            raise AgentError(f"there is no file {path}; name the model's")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no common class but this
            raise AgentError(f"{path} is no ONNX model ({clean(error, 200)})") from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in (*_FLOATS, _TEXT):
            raise AgentError(f"{path.name} must have one input, of floats or texts")
        self._input = inputs[0]
        known = self._input.shape[0] if self._input.shape else None
        if isinstance(known, int):
            self.batch = known if known > 0 else 1
            if self.batch != 1:
                raise AgentError(f"{path.name} takes {known} items at once; export it for any")

    def answer(self, task: Task, items: Sequence[Item]) -> list[Answer]:
        """Run the model on all of them at once."""
        given = self._features(items)
        try:
            outputs = self._session.run(None, {self._input.name: given})
        except Exception as error:  # its errors have no common class but this
            raise AgentError(f"{self._name} fails ({clean(error, 200)})") from error
        rows = self._rows(task, outputs, len(items))
        if rows is not None:
            require_classes(task, self._name)
            return [read_probabilities(row, task.classes) for row in rows]
        for output in outputs:
            values = np.asarray(output).reshape(-1).tolist()
            if len(values) == len(items):
                return [read_value(value, task.classes) for value in values]
        raise AgentError(f"{self._name} gives neither a row nor a class for each item")

    def _rows(self, task: Task, outputs: list[Any], count: int) -> list[list[float]] | None:
        """Return a row of numbers an item, of whichever output holds them."""
        for output in outputs:
            if isinstance(output, list) and len(output) == count and _are_maps(output):
                return [[row[name] for name in _names(row, task)] for row in output]
        for output in outputs:
            if isinstance(output, np.ndarray) and output.dtype.kind == "f" and output.ndim == 2:
                rows: list[list[float]] = output.tolist()
                if len(rows) == count and output.shape[1] > 1:
                    return rows
        return None

    def _features(self, items: Sequence[Item]) -> Any:
        if self._input.type == _TEXT:
            if any(item.media not in (Media.TEXT, Media.JSON) for item in items):
                raise AgentError(f"{self._name} takes texts, and an item is none")
            texts = np.array([item.text for item in items], object)
            return texts[:, None] if len(self._input.shape) == 2 else texts
        kind = _FLOATS[self._input.type]
        if all(item.media in _PICTURES for item in items):
            return np.stack([self._picture(item) for item in items]).astype(kind)
        rows = features_of(items)
        if not isinstance(rows, np.ndarray):
            raise AgentError(f"{self._name} takes numbers or pictures, and an item is neither")
        return rows.astype(kind)

    def _picture(self, item: Item) -> "npt.NDArray[np.float64]":
        """Return a picture in the shape that the model takes."""
        shape = [
            size if isinstance(size, int) and size > 0 else 0 for size in self._input.shape[1:]
        ]
        if len(shape) == 1 and shape[0]:
            side = math.isqrt(shape[0])
            if side * side != shape[0]:
                raise AgentError(
                    f"{self._name} takes {shape[0]} numbers, which are no square picture"
                )
            return _pixels(item, side, side, 1).reshape(-1)
        if len(shape) == 2 and all(shape):
            return _pixels(item, shape[0], shape[1], 1)[:, :, 0]
        if len(shape) == 3 and shape[0] in (1, 3) and all(shape):
            return _pixels(item, shape[1], shape[2], shape[0]).transpose(2, 0, 1)
        if len(shape) == 3 and shape[2] in (1, 3) and all(shape):
            return _pixels(item, shape[0], shape[1], shape[2])
        raise AgentError(f"{self._name} does not say which size of picture it takes; export it so")


def _pixels(item: Item, height: int, width: int, channels: int) -> "npt.NDArray[np.float64]":
    try:
        with open_picture(item) as opened:
            picture = opened.convert("L" if channels == 1 else "RGB").resize((width, height))
    except ImportError as error:
        raise ConfigError("pictures need pillow; install `truthmark[images]`") from error
    except Exception as error:  # a damaged picture may raise anything
        raise AgentError(f"a picture cannot be read ({clean(error, 200)}); skip it") from error
    return np.asarray(picture, np.float64).reshape(height, width, channels) / 255


def _are_maps(output: list[Any]) -> bool:
    return all(isinstance(row, Mapping) for row in output)


def _names(row: Mapping[Any, float], task: Task) -> list[Any]:
    """Return the keys of a row in the order of the classes."""
    by_name = {str(key): key for key in row}
    if set(by_name) == set(task.classes):
        return [by_name[name] for name in task.classes]
    numbers = [str(number) for number in range(len(task.classes))]
    if set(by_name) == set(numbers):
        return [by_name[number] for number in numbers]
    raise AgentError(
        f"the model knows the classes {clean(list(row), 120)}, and asked are"
        f" {clean(list(task.classes), 120)}"
    )
