# SPDX-License-Identifier: Apache-2.0
"""From what somebody writes as MODEL to a program that labels."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from truthmark.agents.agent import Agent
from truthmark.errors import AgentError

TIMEOUT: Final = 30.0
"""Seconds for an item, where nothing else is said."""

_PICKLES: Final = frozenset({".pkl", ".pickle", ".joblib", ".sav"})


def open_agent(model: str, *, timeout: float = TIMEOUT) -> Agent:
    """Open a program that labels.

    Args:
        model: `package.module:object`, a `.onnx` file, a URL, or a command.
        timeout: Seconds for an item, of URLs and commands.

    Raises:
        AgentError: There is no such thing, or it cannot label.
        ConfigError: A library is missing.
    """
    from truthmark.agents.command import CommandAgent
    from truthmark.agents.endpoint import EndpointAgent
    from truthmark.agents.function import FunctionAgent, takes_an_item
    from truthmark.agents.model import IMPORT_PATH, ModelAgent, load_object
    from truthmark.agents.onnx import OnnxAgent

    if urlsplit(model).scheme in ("http", "https"):
        return EndpointAgent(model, timeout=timeout)
    suffix = Path(model).suffix.lower()
    if suffix == ".onnx":
        return OnnxAgent(Path(model))
    if suffix in _PICKLES:
        raise AgentError(
            f"{model} is a pickle, which runs whatever it holds; load it in a module of your own"
            " and name that as package.module:object"
        )
    if IMPORT_PATH.fullmatch(model):
        found = load_object(model)
        is_function = takes_an_item(found) and not hasattr(found, "predict_proba")
        return FunctionAgent(found, model) if is_function else ModelAgent(found, model)
    return CommandAgent(model, timeout=timeout)
