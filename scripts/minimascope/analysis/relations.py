"""How sharpness is related to accuracy over all models of a study."""

import pandas as pd

from .correlations import correlations
from .model_table import evaluations_of, sharpness_of
from .variance import variance_shares


def relations(
    measures: pd.DataFrame, models: pd.DataFrame, *, minimum_train_accuracy: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the correlations and the shares of variance of a study.

    Args:
        measures: rows of `collect.tidy`, whose measures are taken.
        models: rows of `model_table.model_table`.
        minimum_train_accuracy: see `model_table.converged`.
    """
    sharpness, minimum = sharpness_of(measures), {"minimum_train_accuracy": minimum_train_accuracy}
    found = correlations(models, sharpness, evaluations_of(measures), **minimum)
    return found, variance_shares(models, sharpness, **minimum)
