"""Made-up tables of measures, of pairs of models and of conditions, for the tests of tables."""

import io

import numpy as np
import pandas as pd

from minimascope.analysis.summary import PAIR_MEASURES

FAMILIES = {"fisher_rao_norm": "forward"} | dict.fromkeys(
    ("sam_sharpness", "sam_sharpness_published", "sam_sharpness_null"), "perturbation"
)
NO_PAIRS = pd.DataFrame(
    columns=[
        *("dataset", "network", "condition_a", "seed_a", "condition_b", "seed_b", "view"),
        *PAIR_MEASURES,
    ]
)


def measure_rows(values, **columns):
    """Rows of `collect.tidy` of {(condition, measure): values of the seeds 0, 1, …}."""
    row = {"dataset": "digits", "network": "vit", "view": "clean", "unit": "1", "n": 100}
    row |= {"protocol": "corrected", "standard_error": np.nan, "noise_floor": np.nan}
    rows = [
        {"condition": condition, "measure": measure, "seed": seed, "value": value}
        | {"family": FAMILIES.get(measure, "evaluation"), "converged": True, "trained": True}
        for (condition, measure), numbers in values.items()
        for seed, value in enumerate(numbers)
    ]
    return pd.DataFrame(rows).assign(**row | columns)


def pair_rows(values, condition="baseline"):
    """The pairs of models of a condition, from {(seed, seed): disagreement}."""
    rows = [
        {"seed_a": a, "seed_b": b, "prediction_disagreement": value}
        | {"jensen_shannon_divergence": value / 2, "l2_distance": 3 * value}
        for (a, b), value in values.items()
    ]
    both = {"condition_a": condition, "condition_b": condition}
    return pd.DataFrame(rows).assign(dataset="digits", network="vit", view="clean", **both)


def condition_rows(names, baselines, **columns):
    """Which condition each is compared with."""
    row = {"dataset": "digits", "network": "vit", "without_sam": None, "matched": True}
    row |= {"adopted": False, "regularised": True}
    return pd.DataFrame({"condition": names, "baseline": baselines}).assign(**row | columns)


def read_again(frame):
    """The frame as the workflow hands it over: written as CSV and read."""
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)))
