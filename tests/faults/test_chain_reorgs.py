# SPDX-License-Identifier: Apache-2.0
"""Random histories with reorganisations: the index always equals one made from nothing."""

import random
from pathlib import Path

import pytest

from tests.utils.indexing import content, rebuild, trade
from tests.utils.token_chain import token_chain
from truthmark.index import follower as follower_module
from truthmark.index.follower import Follower

SEEDS = [*range(20), *(pytest.param(seed, marks=pytest.mark.assure) for seed in range(20, 500))]


@pytest.mark.parametrize("seed", SEEDS)
def test_sync__random_history__index_equals_a_rebuild(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chooser = random.Random(seed)
    monkeypatch.setattr(follower_module, "NEAR_BLOCKS", chooser.choice([1, 4, 16, 128]))
    monkeypatch.setattr(follower_module, "_LOCAL_BLOCKS", 0)
    monkeypatch.setattr(follower_module, "_FIRST_RANGE", chooser.choice([1, 3, 10, 2000]))
    url = f"sqlite:///{tmp_path / 'index.sqlite'}"
    with token_chain(tmp_path) as (process, chain):
        follower = Follower(chain, url)
        for _ in range(chooser.randrange(4, 10)):
            trade(chain, chooser, chooser.randrange(1, 12))
            height = chain.height()
            match chooser.randrange(6):
                case 0:
                    follower.sync(to=chooser.randrange(height + 1))
                case 1:
                    follower.index.close()
                    follower = Follower(chain, url)
                case 2:
                    process.rpc("anvil_reorg", chooser.randrange(1, height), [])
                case 3:
                    process.rpc("anvil_rollback", chooser.randrange(1, height))
                case _:
                    follower.sync()
            if chooser.random() < 0.3:
                follower.sync()
                assert content(follower.index) == rebuild(chain, tmp_path)
        follower.sync()
        assert content(follower.index) == rebuild(chain, tmp_path)
        follower.index.close()
