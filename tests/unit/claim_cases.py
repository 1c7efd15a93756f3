"""Made-up networks for the tests of claims."""

from itertools import product

import pandas as pd
from table_frames import condition_rows, measure_rows

from minimascope.analysis.comparable import Comparable
from minimascope.analysis.differences import Difference, Estimate
from minimascope.analysis.measure_names import describe

SHARPNESS = ("fisher_rao_norm", "sam_sharpness")
EVALUATIONS = ("test_accuracy", "test_ece")


def difference_of(value, error, df, smallest):
    """A difference, where the smallest one that matters is a number."""
    sides = (Estimate(value + sign * smallest, error, df) for sign in (-1, 1))
    return Difference(Estimate(value, error, df), smallest, *sides)


def made_up(means, error=0.1, df=9, baseline="baseline", network="vit", smallest=0.0):
    """A network whose every difference has the same standard error.

    Args:
        means: of each condition, by measure.
        error: of differences and means.
        df: degrees of freedom.
        baseline: its condition.
        network: its name.
        smallest: difference that matters, of all measures.
    """
    table = pd.DataFrame(means).T
    plain = {name: name.removesuffix("_sam") for name in means if name.endswith("_sam")}
    return Comparable(
        "digits",
        network,
        baseline,
        tuple(means),
        {name: other for name, other in plain.items() if other in means},
        table,
        table * 0 + error,
        {
            (measure, first, second): difference_of(
                table.at[first, measure] - table.at[second, measure], error, df, smallest
            )
            for measure in table
            for first in means
            for second in means
            if first != second and table.loc[[first, second], measure].notna().all()
        },
        {measure: describe(measure) for measure in table},
        (df + 1, df + 1),
        "paired t over seeds",
        regularised=tuple(name for name in means if name != baseline),
    )


def named(rows, error):
    """A network of up to three conditions, the first of which is the baseline."""
    return made_up(dict(zip(("baseline", "sam", "noise"), rows, strict=False)), error)


def row(sharpness, accuracy=0.5, ece=0.1):
    """The measures of one condition; sharpness is one number for all, or one each."""
    numbers = sharpness if isinstance(sharpness, tuple) else (sharpness,) * len(SHARPNESS)
    return dict(zip((*SHARPNESS, *EVALUATIONS), (*numbers, accuracy, ece), strict=True))


def values_and_conditions(random, effect=0.0, seeds=5, names=("baseline", "baseline_sam", "noise")):
    """Tables of a made-up study whose conditions are ever sharper and better.

    Args:
        random: draws each seed's deviation, of 1.
        effect: of each condition over the one before.
    """
    values = {
        (name, measure): 10 + effect * i + random.normal(size=seeds)
        for measure in (*SHARPNESS, "test_accuracy")
        for i, name in enumerate(names)
    }
    baselines = [None if name == "baseline" else "baseline" for name in names]
    without = ["baseline" if name == "baseline_sam" else None for name in names]
    return measure_rows(values), condition_rows(names, baselines, without_sam=without)


def outcome_rows(verdicts, **place):
    """Rows of outcomes with these verdicts: by condition, evaluation and measure of sharpness."""
    places = product(("sam", "weight_decay"), EVALUATIONS, SHARPNESS)
    rows = [
        {"condition": condition, "evaluation": evaluation, "sharpness": measure, "verdict": verdict}
        for (condition, evaluation, measure), verdict in zip(places, verdicts, strict=False)
    ]
    where = {"source": "", "dataset": "scenes", "network": "resnet18"}
    return pd.DataFrame(rows).assign(**where | place)
