# SPDX-License-Identifier: Apache-2.0
"""A follower that is killed again and again ends with the index that one makes undisturbed."""

import multiprocessing
import random
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from tests.utils.indexing import content, rebuild, trade
from tests.utils.token_chain import token_chain
from truthmark.chain.connection import connect_chain
from truthmark.config.profile import ChainProfile
from truthmark.index import follower as follower_module
from truthmark.index.database import EventIndex
from truthmark.index.follower import Follower


def follow(profile: ChainProfile, url: str, ready: Event) -> None:
    follower = Follower(connect_chain(profile), url)
    ready.set()  # opening alone takes longer than what follows, on a busy machine
    follower._range.size = 1  # many small steps: many places to be killed at
    follower_module.MAX_RANGE = 2
    follower.sync()


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.assure)])
def test_sync__killed_at_random_points__index_equals_a_rebuild(kills: int, tmp_path: Path) -> None:
    chooser = random.Random(kills)
    url = f"sqlite:///{tmp_path / 'index.sqlite'}"
    context = multiprocessing.get_context("fork")
    with token_chain(tmp_path) as (process, chain):
        trade(chain, chooser, 30)
        killed = 0
        heights = set()
        while killed < kills:
            ready = context.Event()
            child = context.Process(target=follow, args=(chain.profile, url, ready))
            child.start()
            assert ready.wait(60)
            time.sleep(chooser.uniform(0.0, 0.04))  # a range takes two thousandths
            child.kill()
            child.join()
            killed += child.exitcode == -signal.SIGKILL
            index = EventIndex(chain.profile, url)
            heights.add(index.tip().number)
            rows = content(index)
            assert {row[0] for row in rows["token_transfer"]} <= {row[0] for row in rows["blocks"]}
            index.close()
            if chooser.random() < 0.2:
                process.rpc("anvil_reorg", chooser.randrange(1, 10), [])
            trade(chain, chooser, 15)
        follower = Follower(chain, url)
        follower.sync()
        assert content(follower.index) == rebuild(chain, tmp_path)
        assert len(heights) > kills / 4  # it was killed while it got on
        follower.index.close()
