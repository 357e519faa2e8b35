# SPDX-License-Identifier: Apache-2.0
"""Programs that label digits: real models that learned from little, and those who would not work.

All of them see what any labeler sees: the bytes of the images of their own run.
"""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from truthmark.agents.agent import Agent, Task
from truthmark.bounty.items import Item
from truthmark.hashing import keccak256
from truthmark.testing.bounties import Program

Digits = NDArray[np.int64]

DIGITS = 10
KINDS = ("honest", "weak", "leaves", "guesser", "ring", "newcomer")


class DigitReader(Agent):
    """A program that says of each image which digit it shows.

    Args:
        read: Takes images (PNG), returns a digit for each.
    """

    batch = 64

    def __init__(self, read: Callable[[Sequence[bytes]], Digits]) -> None:
        """Take what answers."""
        self.read = read

    def answer(self, task: Task, items: Sequence[Item]) -> list[int]:
        """Return a digit for each image."""
        return [int(digit) for digit in self.read([item.data for item in items])]


def pixels(images: Sequence[bytes]) -> NDArray[np.float64]:
    """Return images as rows of 64 grey values from 0 to 1."""
    rows = []
    for image in images:
        with Image.open(io.BytesIO(image)) as opened:
            rows.append(np.asarray(opened.convert("L"), float).ravel() / 255)
    return np.array(rows)


def programs(known: Sequence[bytes], digits: Digits) -> list[Program]:
    """Return fourteen labelers.

    Args:
        known: Images that are not in the bounty; each model learns from some of them.
        digits: What they show.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    features = pixels(known)

    def trained(name: str, model: Any, count: int, kind: str = "honest") -> Program:
        chosen = np.random.default_rng(count).permutation(len(digits))[:count]
        model.fit(features[chosen], digits[chosen])
        agent = DigitReader(lambda images: model.predict(pixels(images)))
        return Program(f"{name}, {count} examples", kind, agent)

    def drawn(name: str, kind: str, rule: Callable[[bytes], int]) -> Program:
        agent = DigitReader(lambda images: np.array([rule(image) for image in images]))
        return Program(name, kind, agent)

    rng = np.random.default_rng(11)
    return [
        trained("support vectors", SVC(gamma=1.0), 600),
        trained("forest", RandomForestClassifier(100, random_state=2), 500),
        trained("neighbours", KNeighborsClassifier(3), 300),
        trained("regression", LogisticRegression(max_iter=500), 200),
        trained("discriminant", LinearDiscriminantAnalysis("lsqr", "auto"), 150),
        trained("few neighbours", KNeighborsClassifier(1), 100),
        trained("bayes", GaussianNB(var_smoothing=1e-2), 60, "weak"),
        trained("one tree", DecisionTreeClassifier(random_state=8), 80, "weak"),
        drawn("always three", "guesser", lambda image: 3),
        drawn("dice", "guesser", lambda image: int(rng.integers(DIGITS))),
        # Two accounts that agree with each other without looking.
        drawn("ring, first", "ring", _by_hash),
        drawn("ring, second", "ring", _by_hash),
        trained(
            "discriminant, which leaves", LinearDiscriminantAnalysis("lsqr", "auto"), 250, "leaves"
        ),
        drawn("newcomer with dice", "newcomer", lambda image: int(rng.integers(DIGITS))),
    ]


def _by_hash(image: bytes) -> int:
    return keccak256(image)[0] % DIGITS
