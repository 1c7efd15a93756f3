"""Ensembles of the networks of one condition: their probabilities averaged over seeds.

Lakshminarayanan et al. 2017 (arXiv:1612.01474), deep ensembles. An ensemble is evaluated as its
members are, and its gain is how much better it is than they are on average.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from ..errors import InputError
from .metrics import SCORES, calibration_of_samples, expected_calibration_error
from .predictions import Predictions, check_same_samples
from .robustness import mean_corruption_accuracy

CONDITION = ("dataset", "network", "condition")
COLUMNS = [
    *(*CONDITION, "view", "measure", "unit", "protocol", "members", "n", "ensemble"),
    *("members_mean", "members_error", "best_member", "gain", "gain_error", "seconds"),
]
# Units of the measures, and whether larger values are better.
MEASURES = {name: (score.unit, score.higher_is_better) for name, score in SCORES.items()}
MEASURES["test_ece"] = "fraction", False
RESAMPLES = 1000
# Between the names of networks that predict together.
AND = " + "
# Resamples at a time, each with a count for every sample.
BATCH = 50


def ensemble_of(members: Sequence[Predictions]) -> Predictions:
    """Return what the members predict together: their probabilities, averaged.

    Its logits are the logarithms of these, so that every measure of logits is one of it.

    Raises:
        InputError: there are fewer than two members, or they are not about the same samples.
    """
    first = members[0]
    if len(members) < 2:
        name = "/".join(first.run[key] for key in CONDITION)
        raise InputError(f"ensemble: a single network of {name}; give two seeds or more")
    check_same_samples(members)
    logits = np.stack([member.logits for member in members]).astype(np.float64)
    together = special.logsumexp(special.log_softmax(logits, axis=-1), axis=0)
    run = {key: first.run[key] for key in CONDITION}
    return Predictions(run, together - np.log(len(members)), first.labels, first.view)


def ensemble_table(
    predictions: Iterable[Predictions],
    corrupted: Iterable[tuple[Mapping[str, Any], np.ndarray]],
    bins: int,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Return a row for every condition and measure: members, ensemble, gain with its error.

    A gain is the ensemble's value minus the mean of its members', or the other way round where
    less is better: positive where the ensemble is better. Its error is that of the test samples
    (see `gain_error`), the seeds being what they are; ``members_error`` is that over seeds.

    Args:
        predictions: of all models, those of a condition one after the other.
        corrupted: documents of ensembles on corrupted copies, and where these and their members
            are right (`corrupted_ensembles.corrupted_hits`).
        bins: of the expected calibration error.
        resamples: of the bootstrap.

    Raises:
        InputError: see `ensemble_of`.
    """
    rows = []
    conditions = groupby(predictions, key=lambda model: [model.run[key] for key in CONDITION])
    for _, members in conditions:
        rows += ensemble_rows(list(members), bins, resamples)
    for document, shares in corrupted:
        if document["corruptions"]:
            origin = {**document["run"], "view": "clean", "seconds": document["seconds"]}
            rows.append(origin | measure_corrupted(shares, document["corruptions"], resamples))
    table = pd.DataFrame(rows, columns=COLUMNS)
    order = table[list(CONDITION)].drop_duplicates()
    return order.merge(table, on=list(CONDITION))


def ensemble_rows(
    members: Sequence[Predictions], bins: int, resamples: int = RESAMPLES
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one condition (see `ensemble_table`)."""
    together = ensemble_of(members)
    models = [together, *members]
    for measure, (unit, higher_is_better) in MEASURES.items():
        start = time.perf_counter()
        scores = [score(measure, model, bins) for model in models]
        values, parts = map(np.stack, zip(*scores, strict=True))
        row = compared(values, parts, unit, higher_is_better, resamples)
        origin = {**together.run, "view": together.view, "measure": measure}
        yield {**origin, **row, "seconds": time.perf_counter() - start}


def score(measure: str, model: Predictions, bins: int) -> tuple[float, np.ndarray]:
    """Return a measure and what it is made of.

    That is an array [n, k]: the measure is the sum of the absolute values of its k means over
    samples.
    """
    if measure in SCORES:
        parts = SCORES[measure].of_samples(model.logits, model.labels)
        return float(parts.mean()), parts[:, None]
    index, confidence, correct = calibration_of_samples(model.logits, model.labels, bins)
    parts = np.zeros((len(index), bins))
    parts[np.arange(len(index)), index] = confidence - correct
    return expected_calibration_error(model.logits, model.labels, bins), parts


def measure_corrupted(
    shares: np.ndarray, rows: Sequence[dict[str, Any]], resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Return corruption accuracy in percent, as columns of a row of `ensemble_table`.

    The error of the gain is that of images, each counted with all of its corrupted copies.

    Args:
        shares: see `corrupted_ensembles.corrupted_hits`.
        rows: those of the ensemble.
        resamples: of the bootstrap.
    """
    named = mean_corruption_accuracy(rows)
    values = 100 * shares.mean(axis=1)
    row = compared(values, 100 * shares[..., None], named.unit, True, resamples)
    return {"measure": named.measure, **row}


def compared(
    values: np.ndarray,
    parts: np.ndarray,
    unit: str,
    higher_is_better: bool,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Return ensemble, members and gain as columns of a row of `ensemble_table`.

    Args:
        values: [1 + members], those of the ensemble and of each member.
        parts: [1 + members, n, k], what the values are made of (see `score`).
        unit: of the values.
        higher_is_better: whether larger values are better.
        resamples: of the bootstrap.
    """
    ensemble, members = float(values[0]), values[1:]
    mean = float(members.mean())
    return {
        "unit": unit,
        "protocol": "corrected",
        "members": len(members),
        "n": parts.shape[1],
        "ensemble": ensemble,
        "members_mean": mean,
        "members_error": float(stats.sem(members)),
        "best_member": float(members.max() if higher_is_better else members.min()),
        "gain": ensemble - mean if higher_is_better else mean - ensemble,
        "gain_error": gain_error(parts, resamples),
    }


def gain_error(parts: np.ndarray, resamples: int = RESAMPLES) -> float:
    """Return the standard error of the difference between ensemble and mean member.

    Args:
        parts: [1 + members, n, k], those of the ensemble first (see `score`).
        resamples: of the bootstrap.
    """
    return difference_error(
        parts, lambda values: values[:, 0] - values[:, 1:].mean(axis=1), resamples
    )


def difference_error(
    parts: np.ndarray, difference: Callable[[np.ndarray], np.ndarray], resamples: int = RESAMPLES
) -> float:
    """Return the standard error of a difference between models over test samples.

    That is its standard deviation over bootstrap resamples of the samples (SciPy), the same for
    all models, with a fixed seed; NaN for a single sample.

    Args:
        parts: [models, n, k], what the values of the models are made of (see `score`).
        difference: of values [resamples, models], [resamples].
        resamples: how many.
    """
    models, n, width = parts.shape
    if n < 2:
        return float("nan")
    flat = parts.transpose(1, 0, 2).reshape(n, models * width)

    def drawn_difference(drawn: np.ndarray, axis: int) -> np.ndarray:
        drawn = np.moveaxis(drawn, axis, -1).astype(np.int64)
        counts = [np.bincount(rows, minlength=n) for rows in drawn.reshape(-1, n)]
        means = (np.stack(counts) @ flat / n).reshape(-1, models, width)
        return difference(np.abs(means).sum(axis=2)).reshape(drawn.shape[:-1])

    found = stats.bootstrap(
        (np.arange(n),),
        drawn_difference,
        n_resamples=resamples,
        batch=BATCH,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(found.standard_error)
