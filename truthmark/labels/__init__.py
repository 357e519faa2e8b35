# SPDX-License-Identifier: Apache-2.0
"""Labels of many people made one label an item, and how good they are.

Described in docs/labels.md. No chain and no storage. Names are imported when they are first used:
importing this package costs nothing, and `goldw`, scoring and permutation need no extra.
"""

from typing import TYPE_CHECKING

from truthmark.lazy import lazy_names

if TYPE_CHECKING:
    from truthmark.labels.accounts import better_on_gold, coinciding_errors
    from truthmark.labels.agreement import (
        class_table,
        cohen_kappa,
        confusion,
        krippendorff_alpha,
        vote_margins,
        wilson,
        worker_table,
    )
    from truthmark.labels.answers import LabelsWarning
    from truthmark.labels.auto import Auto
    from truthmark.labels.base import Aggregator
    from truthmark.labels.bayes import EBCC, IBCC
    from truthmark.labels.bwa import BWA
    from truthmark.labels.confidence import calibrated_confidence
    from truthmark.labels.crowdlab import CROWDLAB
    from truthmark.labels.dawid_skene import DawidSkene, OneCoinDawidSkene
    from truthmark.labels.files import read_answers, read_gold, read_predictions
    from truthmark.labels.glad import GLAD
    from truthmark.labels.gold_weighted import GoldWeighted
    from truthmark.labels.goldw import Votes, Weighted
    from truthmark.labels.integers import ln_milli, ln_milli_of
    from truthmark.labels.mace import MACE
    from truthmark.labels.methods import METHODS
    from truthmark.labels.voting import MajorityVote, Wawa, ZeroBasedSkill

_MODULES = {
    "accounts": ("better_on_gold", "coinciding_errors"),
    "agreement": (
        "class_table",
        "cohen_kappa",
        "confusion",
        "krippendorff_alpha",
        "vote_margins",
        "wilson",
        "worker_table",
    ),
    "answers": ("LabelsWarning",),
    "auto": ("Auto",),
    "base": ("Aggregator",),
    "bayes": ("EBCC", "IBCC"),
    "bwa": ("BWA",),
    "confidence": ("calibrated_confidence",),
    "crowdlab": ("CROWDLAB",),
    "dawid_skene": ("DawidSkene", "OneCoinDawidSkene"),
    "files": ("read_answers", "read_gold", "read_predictions"),
    "glad": ("GLAD",),
    "gold_weighted": ("GoldWeighted",),
    "goldw": ("Votes", "Weighted"),
    "integers": ("ln_milli", "ln_milli_of"),
    "mace": ("MACE",),
    "methods": ("METHODS",),
    "voting": ("MajorityVote", "Wawa", "ZeroBasedSkill"),
}

__all__ = [
    "BWA",
    "CROWDLAB",
    "EBCC",
    "GLAD",
    "IBCC",
    "MACE",
    "METHODS",
    "Aggregator",
    "Auto",
    "DawidSkene",
    "GoldWeighted",
    "LabelsWarning",
    "MajorityVote",
    "OneCoinDawidSkene",
    "Votes",
    "Wawa",
    "Weighted",
    "ZeroBasedSkill",
    "better_on_gold",
    "calibrated_confidence",
    "class_table",
    "cohen_kappa",
    "coinciding_errors",
    "confusion",
    "krippendorff_alpha",
    "ln_milli",
    "ln_milli_of",
    "read_answers",
    "read_gold",
    "read_predictions",
    "vote_margins",
    "wilson",
    "worker_table",
]


__getattr__, __dir__ = lazy_names(globals(), _MODULES)
