# SPDX-License-Identifier: Apache-2.0
"""The methods by the names that the command line gives them, and what each needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from truthmark.errors import ConfigError, did_you_mean
from truthmark.labels.auto import Auto
from truthmark.labels.base import Aggregator
from truthmark.labels.bayes import EBCC, IBCC
from truthmark.labels.bwa import BWA
from truthmark.labels.crowdlab import CROWDLAB
from truthmark.labels.dawid_skene import DawidSkene, OneCoinDawidSkene
from truthmark.labels.glad import GLAD
from truthmark.labels.gold_weighted import GoldWeighted
from truthmark.labels.mace import MACE
from truthmark.labels.voting import MajorityVote, Wawa, ZeroBasedSkill


@dataclass(frozen=True, slots=True)
class Method:
    """One method.

    Attributes:
        make: makes it.
        needs_gold: it does nothing without.
        takes_gold: it uses gold, where there is some.
    """

    make: Callable[[], Aggregator]
    needs_gold: bool = False
    takes_gold: bool = False


METHODS: dict[str, Method] = {
    "majority": Method(MajorityVote),
    "wawa": Method(Wawa),
    "zbs": Method(ZeroBasedSkill),
    "dawid-skene": Method(DawidSkene, takes_gold=True),
    "one-coin": Method(OneCoinDawidSkene, takes_gold=True),
    "ibcc": Method(IBCC, takes_gold=True),
    "ebcc": Method(EBCC, takes_gold=True),
    "glad": Method(GLAD),
    "mace": Method(MACE),
    "bwa": Method(BWA, takes_gold=True),
    "crowdlab": Method(CROWDLAB),
    "goldw": Method(GoldWeighted, needs_gold=True, takes_gold=True),
    "auto": Method(Auto, needs_gold=True, takes_gold=True),
}


def aggregate(
    name: str,
    data: pd.DataFrame,
    gold: "pd.Series[Any] | None" = None,
    *,
    predictions: pd.DataFrame | None = None,
    shares: "pd.Series[Any] | None" = None,
) -> Aggregator:
    """Return a method of `METHODS`, fitted.

    Args:
        name: Of the method.
        data: The answers.
        gold: The right label of some tasks, by task.
        predictions: Of a model, for `crowdlab`.
        shares: Of classes, for `goldw`.

    Raises:
        ConfigError: There is no such method, it lacks something, or it cannot use what is given.
    """
    method = METHODS.get(name)
    if method is None:
        raise ConfigError(f"there is no method {name!r}{did_you_mean(name, METHODS)}")
    for what, given, is_used in (
        ("gold", gold, method.takes_gold),
        ("predictions", predictions, name == "crowdlab"),
        ("shares", shares, name == "goldw"),
    ):
        if given is not None and not is_used:
            raise ConfigError(f"{name} uses no {what}; leave them out, or choose another method")
    if method.needs_gold and gold is None:
        raise ConfigError(f"{name} needs gold: the right label of some tasks; add --gold FILE")
    model = method.make()
    if name == "crowdlab":
        return model.fit(data, predictions)
    if name == "goldw":
        return model.fit(data, gold, shares)
    return model.fit(data, gold) if method.takes_gold else model.fit(data)
