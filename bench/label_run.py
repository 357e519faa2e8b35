# SPDX-License-Identifier: Apache-2.0
"""One run of one method in a process of its own, for bench.labels; prints JSON.

    python bench/label_run.py crowdkit|truthmark CLASS ANSWERS.npz OPTIONS

Runs in two environments, so it imports nothing of bench. Compiling is not counted: a small set goes
before. Time is the processor's, the best of three where it is short, so that other work on the
machine does not count. `peak` is the process's largest memory, `grown` how much of that came with
the first fit.
"""

import importlib
import json
import math
import resource
import sys
import time
import warnings

import numpy as np
import pandas as pd

REPEATS = 3
LONG = 5  # seconds; what takes longer runs once
MODULES = {"crowdkit": "crowdkit.aggregation", "truthmark": "truthmark.labels"}


def main():
    """Run and print."""
    warnings.filterwarnings("ignore")
    library, name, path, options = sys.argv[1:]
    kind = getattr(importlib.import_module(MODULES[library]), name)
    options = json.loads(options)
    with np.load(path) as arrays:
        data = pd.DataFrame({column: arrays[column] for column in ("task", "worker", "label")})
    kind(**{**options, "n_iter": 1} if "n_iter" in options else options).fit_predict(data[:500])
    before = _peak()
    seconds, peak, labels = math.inf, 0, None
    for _ in range(REPEATS):
        start = time.process_time()
        labels = kind(**options).fit_predict(data)
        took = time.process_time() - start
        peak = peak or _peak()
        seconds = min(seconds, took)
        if took > LONG:
            break
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peak": peak,
                "grown": peak - before,
                "labels": labels.sort_index().astype(int).to_list() if len(labels) < 50_000 else [],
            }
        )
    )


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
