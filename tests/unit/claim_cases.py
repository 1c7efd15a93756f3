"""Made-up networks for the tests of claims."""

import pandas as pd

from minimascope.analysis.comparable import Comparable, Estimate

SHARPNESS = ("fisher_rao_norm", "sam_sharpness")
EVALUATIONS = ("test_accuracy", "test_ece")


def made_up(means, error=0.1, df=9, baseline="baseline", network="vit", without_sam=None):
    """A network whose every difference has the same standard error.

    Args:
        means: of each condition, by measure.
    """
    table = pd.DataFrame(means).T
    without_sam = without_sam or {
        name: name.removesuffix("_sam")
        for name in means
        if name.endswith("_sam") and name.removesuffix("_sam") in means
    }
    return Comparable(
        "digits",
        network,
        baseline,
        tuple(means),
        without_sam,
        table,
        table * 0 + error,
        {
            (measure, first, second): Estimate(
                table.at[first, measure] - table.at[second, measure], error, df
            )
            for measure in table
            for first in means
            for second in means
            if first != second and table.loc[[first, second], measure].notna().all()
        },
        (df + 1, df + 1),
        "paired t over seeds",
    )


def row(sharpness, accuracy=0.5, ece=0.1):
    """The measures of one condition; sharpness is one number for all, or one each."""
    numbers = sharpness if isinstance(sharpness, tuple) else (sharpness,) * len(SHARPNESS)
    evaluations = dict(zip(EVALUATIONS, (accuracy, ece), strict=True))
    return dict(zip(SHARPNESS, numbers, strict=True)) | evaluations


def values_and_conditions(random, effect=0.0, seeds=5, names=("baseline", "baseline_sam", "noise")):
    """Tables of a made-up study whose conditions are ever sharper and better.

    Args:
        random: draws each seed's deviation, of 1.
        effect: of each condition over the one before.
    """
    measures = {"fisher_rao_norm": "forward", "sam_sharpness": "perturbation"}
    measures |= {"test_accuracy": "evaluation"}
    values = pd.DataFrame(
        {
            "dataset": "digits",
            "network": "vit",
            "condition": name,
            "seed": seed,
            "family": family,
            "measure": measure,
            "value": 10 + effect * i + random.normal(),
            "unit": "1",
            "protocol": "corrected",
        }
        for measure, family in measures.items()
        for i, name in enumerate(names)
        for seed in range(seeds)
    )
    conditions = pd.DataFrame(
        {
            "dataset": "digits",
            "network": "vit",
            "condition": names,
            "baseline": [None if name == "baseline" else "baseline" for name in names],
            "without_sam": ["baseline" if name == "baseline_sam" else None for name in names],
        }
    )
    return values, conditions
