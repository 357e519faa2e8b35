# SPDX-License-Identifier: Apache-2.0
"""The loops, compiled by numba: each walks the answers item by item and touches them once.

Shapes: N items, W workers, C classes, n answers. `starts` is (N + 1,), `workers` and `labels` (n,);
the answers of item i are `starts[i]` to `starts[i + 1]`. Sums are taken in that order, so that
results do not depend on how many cores there are.
"""

import math

import numpy as np

from truthmark.errors import ConfigError

try:
    from numba import njit
except ImportError as error:  # pragma: no cover (the tests' environment has it)
    raise ConfigError(
        "this needs numba; install it with `pip install 'truthmark[labels]'`"
    ) from error

EPSILON = 1e-10
"""Probabilities below count as this, as in crowd-kit."""
_SATURATED = 30.0


@njit(cache=True)
def _normalise_logs(row):  # type: ignore[no-untyped-def]
    """Turn logs of weights (C,) into shares, in place."""
    most = row[0]
    for c in range(1, len(row)):
        most = max(most, row[c])
    total = 0.0
    for c in range(len(row)):
        row[c] = math.exp(row[c] - most)
        total += row[c]
    for c in range(len(row)):
        row[c] /= total


@njit(cache=True)
def span(values):  # type: ignore[no-untyped-def]
    """Return the least and the largest of whole numbers, in one pass."""
    least = most = values[0]
    for j in range(len(values)):
        least = min(least, values[j])
        most = max(most, values[j])
    return least, most


@njit(cache=True)
def place(values, least, most, codes):  # type: ignore[no-untyped-def]
    """Return which whole numbers there are, ascending; write the place of each value among them.

    Args:
        values: (n,) int64.
        least: The least of them.
        most: The largest; a table of all between is made.
        codes: (n,) int32, written.
    """
    is_there = np.zeros(most - least + 1, np.uint8)
    for j in range(len(values)):
        code = values[j] - least
        codes[j] = code
        is_there[code] = 1
    found = np.empty(is_there.sum(), np.int64)
    places = np.empty(len(is_there) if len(found) < len(is_there) else 0, np.int32)
    count = 0
    for k in range(len(is_there)):
        if is_there[k]:
            found[count] = least + k
            if len(places):
                places[k] = count
            count += 1
    if len(places):
        for j in range(len(values)):
            codes[j] = places[codes[j]]
    return found


@njit(cache=True)
def is_ascending(values):  # type: ignore[no-untyped-def]
    """Tell whether no whole number is less than the one before."""
    found = True
    for j in range(1, len(values)):
        found &= values[j - 1] <= values[j]
    return found


@njit(cache=True)
def sort_by_item(items, workers, labels, n_items, order):  # type: ignore[no-untyped-def]
    """Write items, workers and labels in the order of items, each item's as they came, (3, n).

    Args:
        items: Item of each answer, shape (answers,).
        workers: Who gave each answer, shape (answers,).
        labels: The class of each answer, shape (answers,).
        n_items: N.
        order: Is written: items, workers and labels in their new order, shape (3, answers).
    """
    ends = np.zeros(n_items + 1, np.int64)
    for j in range(len(items)):
        ends[items[j] + 1] += 1
    for i in range(n_items):
        ends[i + 1] += ends[i]
    for j in range(len(items)):
        end = ends[items[j]]
        ends[items[j]] += 1
        order[0, end] = items[j]
        order[1, end] = workers[j]
        order[2, end] = labels[j]


@njit(cache=True)
def bounds(items, n_items):  # type: ignore[no-untyped-def]
    """Return where the answers of each item begin, and the end, (N + 1,).

    Args:
        items: (n,), ascending; each of 0 to N - 1 is there.
        n_items: N.
    """
    starts = np.zeros(n_items + 1, np.int64)
    for j in range(len(items)):
        starts[items[j] + 1] = j + 1
    return starts


@njit(cache=True)
def count_repeats(items, workers, n_workers):  # type: ignore[no-untyped-def]
    """Return how many answers are by somebody who had answered the item before, and where one is.

    Args:
        items: (n,), ascending.
        workers: (n,).
        n_workers: How many workers there are.
    """
    repeats = 0
    where = -1
    last = np.full(n_workers, -1, np.int32)
    for j in range(len(items)):
        again = last[workers[j]] == items[j]
        last[workers[j]] = items[j]
        repeats += again
        where = j if again else where
    return repeats, where


@njit(cache=True)
def tally(starts, workers, labels, weights, n_classes):  # type: ignore[no-untyped-def]
    """Return the sum of the workers' weights for each item and class, (N, C).

    Args:
        starts: Where each item's answers begin, shape (N + 1,).
        workers: Who gave each answer, shape (answers,).
        labels: The class of each answer, shape (answers,).
        weights: Of the workers, shape (W,).
        n_classes: C.
    """
    n_items = len(starts) - 1
    sums = np.zeros((n_items, n_classes))
    for i in range(n_items):
        for j in range(starts[i], starts[i + 1]):
            sums[i, labels[j]] += weights[workers[j]]
    return sums


@njit(cache=True)
def vote(items, workers, labels, weights, shares):  # type: ignore[no-untyped-def]
    """Let workers vote, by their weights (W,).

    Args:
        items: (n,), ascending.
        workers: (n,).
        labels: (n,).
        weights: (W,).
        shares: (N, C), written: each class's share of an item's weights.

    Returns:
        The first of the classes with the largest share, (N,); how often the answers of each worker
        are that class, (W,).
    """
    n_items, n_classes = shares.shape
    best = np.empty(n_items, np.int64)
    right = np.zeros(len(weights), np.int64)
    total = np.zeros(len(weights), np.int64)
    shares[:] = 0.0
    # Unsigned, as places that count from the end would have to be looked for in each row.
    for j in range(len(items)):
        shares[np.uint32(items[j]), np.uint32(labels[j])] += weights[np.uint32(workers[j])]
    # Sums instead of branches: what an answer says cannot be foreseen.
    for i in range(n_items):
        row = shares[i]
        whole = 0.0
        top = 0
        most = row[0]
        for c in range(n_classes):
            value = row[c]
            whole += value
            top = c if value > most else top
            most = value if value > most else most
        best[i] = top
        if whole != 0.0:
            for c in range(n_classes):
                row[c] /= whole
        else:
            row[:] = 1.0 / n_classes
            best[i] = 0
    for j in range(len(items)):
        w = np.uint32(workers[j])
        total[w] += 1
        right[w] += np.int64(labels[j] == best[np.uint32(items[j])])
    return best, right / total


@njit(cache=True)
def spread(starts, workers, labels, posterior, counts):  # type: ignore[no-untyped-def]
    """Add each item's posterior (N, C) to the counts (W, C, C) of who said what of it.

    Args:
        starts: Where each item's answers begin, shape (N + 1,).
        workers: Who gave each answer, shape (answers,).
        labels: The class of each answer, shape (answers,).
        posterior: Share of each class by item, shape (N, C).
        counts: Is added to, shape (W, C, C).
    """
    n_classes = posterior.shape[1]
    for i in range(len(starts) - 1):
        for j in range(starts[i], starts[i + 1]):
            for c in range(n_classes):
                counts[workers[j], labels[j], c] += posterior[i, c]


@njit(cache=True)
def sweep(  # type: ignore[no-untyped-def]
    starts, workers, labels, logs, prior, gold, posterior, counts, mass, weighed
):
    """Find each item's posterior and count answers by it; the step of all confusion models.

    A class may have several groups (EBCC); then there are G = C·M states, those of class c from
    c·M on. Otherwise G = C.

    Args:
        starts: Of the answers, as everywhere here.
        workers: See `starts`.
        labels: See `starts`.
        logs: (W, C, G) log of how often a worker says a label where the state is g.
        prior: (G,) log of the states' shares.
        gold: (N,) known classes, -1 where there is none.
        posterior: (N, C), written.
        counts: (W, C, G), added to.
        mass: (G,) sum of the states' posteriors, added to.
        weighed: (C,) the classes' posteriors, each item as often as it has answers, added to.

    Returns:
        The entropy of classes alone, with what is below EPSILON counted as that; and of states.
    """
    n_classes = posterior.shape[1]
    n_states = len(prior)
    groups = n_states // n_classes
    state = np.empty(n_states)
    of_classes = 0.0
    of_states = 0.0
    for i in range(len(starts) - 1):
        for g in range(n_states):
            state[g] = prior[g]
        for j in range(starts[i], starts[i + 1]):
            row = logs[workers[j], labels[j]]
            for g in range(n_states):
                state[g] += row[g]
        first, last = 0, n_states
        if gold[i] >= 0:
            first, last = gold[i] * groups, (gold[i] + 1) * groups
        most = state[first]
        for g in range(first, last):
            most = max(most, state[g])
        total = 0.0
        for g in range(n_states):
            if first <= g < last:
                state[g] = math.exp(state[g] - most)
                total += state[g]
            else:
                state[g] = 0.0
        for c in range(n_classes):
            share = 0.0
            for g in range(c * groups, (c + 1) * groups):
                state[g] /= total
                share += state[g]
                mass[g] += state[g]
                if state[g] > 0.0:
                    of_states -= state[g] * math.log(state[g])
            posterior[i, c] = share
            weighed[c] += share * (starts[i + 1] - starts[i])
            share = max(share, EPSILON)
            of_classes -= share * math.log(share)
        for j in range(starts[i], starts[i + 1]):
            kept = counts[workers[j], labels[j]]
            for g in range(n_states):
                kept[g] += state[g]
    return of_classes, of_states


@njit(cache=True)
def sweep_coin(  # type: ignore[no-untyped-def]
    starts, workers, labels, wrong, gain, prior, gold, posterior, right, mass, weighed
):
    """Do what `sweep` does where a worker errs alike in all classes.

    Args:
        starts: Of the answers, as everywhere here.
        workers: See `starts`.
        labels: See `starts`.
        wrong: (W,) log of how often a worker says one given wrong class.
        gain: (W,) log of how often they are right, less that.
        prior: (C,) log of the classes' shares.
        gold: (N,) known classes, -1 where there is none.
        posterior: (N, C), written.
        right: (W,) posteriors of what the workers said, added to.
        mass: (C,) sum of the posteriors, added to.
        weighed: (C,) the posteriors, each item as often as it has answers, added to.

    Returns:
        The entropy, with what is below EPSILON counted as that.
    """
    n_classes = posterior.shape[1]
    entropy = 0.0
    for i in range(len(starts) - 1):
        row = posterior[i]
        base = 0.0
        for c in range(n_classes):
            row[c] = prior[c]
        for j in range(starts[i], starts[i + 1]):
            base += wrong[workers[j]]
            row[labels[j]] += gain[workers[j]]
        if gold[i] >= 0:
            for c in range(n_classes):
                row[c] = 1.0 if c == gold[i] else 0.0
        else:
            _normalise_logs(row)
        for c in range(n_classes):
            mass[c] += row[c]
            weighed[c] += row[c] * (starts[i + 1] - starts[i])
            share = max(row[c], EPSILON)
            entropy -= share * math.log(share)
        for j in range(starts[i], starts[i + 1]):
            right[workers[j]] += row[labels[j]]
    return entropy


@njit(cache=True)
def glad_posterior(starts, workers, labels, alphas, betas, prior, posterior):  # type: ignore[no-untyped-def]
    """Write GLAD's posterior (N, C): abilities `alphas` (W,), logs of ease `betas` (N,).

    Args:
        starts: Where each item's answers begin, shape (N + 1,).
        workers: Who gave each answer, shape (answers,).
        labels: The class of each answer, shape (answers,).
        alphas: Abilities, shape (W,).
        betas: Logs of the items' ease, shape (N,).
        prior: (C,) log of the classes' shares.
        posterior: Is written, shape (N, C).
    """
    n_classes = posterior.shape[1]
    others = math.log(n_classes - 1)
    for i in range(len(starts) - 1):
        row = posterior[i]
        ease = math.exp(betas[i])
        for c in range(n_classes):
            row[c] = prior[c]
        for j in range(starts[i], starts[i + 1]):
            # log σ - log (1 - σ) is the logit itself.
            row[labels[j]] += alphas[workers[j]] * ease + others
        _normalise_logs(row)


@njit(cache=True)
def glad_value(starts, workers, labels, alphas, betas, posterior):  # type: ignore[no-untyped-def]
    """Return the expected log-likelihood of the answers, without the priors of parameters.

    Args:
        starts: Where each item's answers begin, shape (N + 1,).
        workers: Who gave each answer, shape (answers,).
        labels: The class of each answer, shape (answers,).
        alphas: Abilities, shape (W,).
        betas: Logs of the items' ease, shape (N,).
        posterior: Share of each class by item, shape (N, C).
    """
    others = math.log(posterior.shape[1] - 1)
    value = 0.0
    for i in range(len(starts) - 1):
        ease = math.exp(betas[i])
        for j in range(starts[i], starts[i + 1]):
            logit = alphas[workers[j]] * ease
            if logit > _SATURATED:
                above = logit
            elif logit < -_SATURATED:
                above = 0.0
            else:
                above = math.log1p(math.exp(logit))
            is_right = posterior[i, labels[j]]
            value += is_right * (logit - above) - (1.0 - is_right) * (above + others)
    return value


@njit(cache=True)
def glad_gradient(starts, workers, labels, alphas, betas, posterior, by_alpha, by_beta):  # type: ignore[no-untyped-def]
    """Add the slopes of `glad_value` along `alphas` (W,) and `betas` (N,).

    Args:
        starts: Where each item's answers begin, shape (N + 1,).
        workers: Who gave each answer, shape (answers,).
        labels: The class of each answer, shape (answers,).
        alphas: Abilities, shape (W,).
        betas: Logs of the items' ease, shape (N,).
        posterior: Share of each class by item, shape (N, C).
        by_alpha: Is added to, shape (W,).
        by_beta: Is added to, shape (N,).
    """
    for i in range(len(starts) - 1):
        ease = math.exp(betas[i])
        for j in range(starts[i], starts[i + 1]):
            ability = alphas[workers[j]]
            miss = posterior[i, labels[j]] - 1.0 / (1.0 + math.exp(-ability * ease))
            by_alpha[workers[j]] += miss * ease
            by_beta[i] += miss * ability * ease


@njit(cache=True)
def sweep_mace(starts, workers, labels, knows, copies, posterior, known, copied):  # type: ignore[no-untyped-def]
    """Do MACE's step: who knows the answer, and what they say who do not.

    Args:
        starts: Of the answers, as everywhere here.
        workers: See `starts`.
        labels: See `starts`.
        knows: (W,) how often a worker answers by knowing.
        copies: (W, C) how often they say a class without knowing.
        posterior: (N, C), written.
        known: (W,) expected answers by knowing, added to.
        copied: (W, C) expected answers without, added to.

    Returns:
        The log of the answers' likelihood.
    """
    n_classes = posterior.shape[1]
    log_likelihood = 0.0
    for i in range(len(starts) - 1):
        row = posterior[i]
        for c in range(n_classes):
            row[c] = 1.0 / n_classes
        for j in range(starts[i], starts[i + 1]):
            w = workers[j]
            total = 0.0
            for c in range(n_classes):
                row[c] *= copies[w, labels[j]] + (knows[w] if c == labels[j] else 0.0)
                total += row[c]
            # Products of many answers would be below what a float holds.
            for c in range(n_classes):
                row[c] /= total
            log_likelihood += math.log(total)
        for j in range(starts[i], starts[i + 1]):
            w, c = workers[j], labels[j]
            said = row[c] * knows[w] / (knows[w] + copies[w, c])
            known[w] += said
            copied[w, c] += 1.0 - said
    return log_likelihood


@njit(cache=True)
def average_class(starts, workers, labels, c, gold, shape, slack, pull, n_workers, rounds):  # type: ignore[no-untyped-def]
    """Average one class against all others, weighing workers by their deviations (BWA).

    Args:
        starts: Of the answers, as everywhere here.
        workers: See `starts`.
        labels: See `starts`.
        c: The class.
        gold: (N,) known classes, -1 where there is none.
        shape: Prior answers of a worker.
        slack: How much further off those are than the votes are apart.
        pull: Prior answers of an item, at the mean of all.
        n_workers: W.
        rounds: How often at most.

    Returns:
        How far each item is of that class, (N,), and the workers' weights, (W,).
    """
    n_items = len(starts) - 1
    value = np.zeros(n_items)
    spread_of_all = 0.0
    for i in range(n_items):
        count = starts[i + 1] - starts[i]
        for j in range(starts[i], starts[i + 1]):
            if labels[j] == c:
                value[i] += 1.0
        if count:
            value[i] /= count
        spread_of_all += count * value[i] * (1.0 - value[i])
    scale = shape * slack * spread_of_all / len(labels)
    per_worker = np.zeros(n_workers)
    for j in range(len(workers)):
        per_worker[workers[j]] += 1.0
    weights = np.ones(n_workers)
    for _ in range(rounds):
        mean = 0.0
        for i in range(n_items):
            if gold[i] >= 0:
                value[i] = 1.0 if gold[i] == c else 0.0
            mean += value[i]
        mean /= n_items
        errors = np.zeros(n_workers)
        for i in range(n_items):
            for j in range(starts[i], starts[i + 1]):
                miss = value[i] - (1.0 if labels[j] == c else 0.0)
                errors[workers[j]] += miss * miss
        for w in range(n_workers):
            weights[w] = (shape + per_worker[w]) / max(scale + errors[w], EPSILON)
        is_settled = True
        for i in range(n_items):
            above = pull * mean
            below = pull
            for j in range(starts[i], starts[i + 1]):
                below += weights[workers[j]]
                if labels[j] == c:
                    above += weights[workers[j]]
            new = above / below
            if abs(new - value[i]) > 1e-8 + 1e-3 * abs(new):
                is_settled = False
            value[i] = new
        if is_settled:
            break
    return value, weights
