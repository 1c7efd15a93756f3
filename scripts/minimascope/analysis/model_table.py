"""One row per trained model: what it was trained with, and all its measures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ..errors import InputError
from .collect import RUN
from .tables import at_minima

# Columns of a table of models and what they are called in the table of conditions.
SETTINGS = {
    "base_condition": "base_condition",
    "optimizer": "optimizer.name",
    "learning_rate": "optimizer.lr",
    "batch_size": "batch_size",
}
RECIPE = ["optimizer", "learning_rate", "batch_size"]
ACCURACIES = ("test_accuracy", "accuracy_in_domain", "accuracy_out_of_domain")
CONDITION = ["dataset", "network", "condition"]


def conditions_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows of `conditions.condition_rows` with settings in alphabetical order."""
    table, names = pd.DataFrame(rows), [*CONDITION, "base_condition"]
    return table[[*names, *table.columns.difference(names)]]


def model_table(measures: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """Return one row per trained model, without the initial weights.

    Columns are ``dataset``, ``network``, ``condition``, ``seed``, ``base_condition``,
    ``optimizer``, ``learning_rate``, ``batch_size``, ``trained`` (see `trained.with_trained`) and
    one per measure, NaN if a model lacks it. If there are several views of the data, values are
    those of the view that `tables.at_minima` chooses.

    Raises:
        InputError: a column is missing, a model has two values of one measure, or a condition is
            not in the table of conditions.
    """
    require(measures, [*RUN, "view", "measure", "value", "trained"], "measures")
    require(conditions, [*CONDITION, *SETTINGS.values()], "conditions")
    rows = at_minima(measures)
    twice = rows[rows.duplicated([*RUN, "measure"])]
    if len(twice):
        row = twice.iloc[0]
        raise InputError(
            f"measures: two values of {row['measure']} for seed {row['seed']} of"
            f" {row['condition']}; keep one of them"
        )
    values = rows.set_index([*RUN, "measure"])["value"].unstack()
    values = values[rows["measure"].unique()].rename_axis(columns=None).reset_index()
    values = values.merge(rows[[*RUN, "trained"]].drop_duplicates(), on=RUN, validate="one_to_one")
    names = {name: column for column, name in SETTINGS.items()}
    settings = conditions[[*CONDITION, *SETTINGS.values()]].rename(columns=names)
    models = settings.merge(values, on=CONDITION, how="right", validate="one_to_many")
    unknown = models.loc[models["base_condition"].isna(), "condition"]
    if len(unknown):
        raise InputError(f"conditions: no condition '{unknown.iloc[0]}'; write the table again")
    first = [*RUN, *SETTINGS, "trained"]
    return models[[*first, *models.columns.drop(first)]]


def factors(models: pd.DataFrame) -> list[str]:
    """Return which of the columns that models were trained with set them apart.

    ``optimizer``, ``learning_rate``, ``batch_size`` and ``network`` count where they take two
    values or more. ``base_condition`` (SAM, weight decay, augmentation, …) counts where models that
    are equal in optimiser, learning rate and batch size differ in it; elsewhere it is no more than
    another name of these three.
    """
    varying = [name for name in (*RECIPE, "network") if models[name].nunique() > 1]
    bases = models.groupby(["dataset", *RECIPE])["base_condition"].nunique()
    return [*varying, "base_condition"] if (bases > 1).any() else varying


def accuracies_of(models: pd.DataFrame) -> list[str]:
    """Return those of `ACCURACIES` that a table of models holds."""
    return [name for name in ACCURACIES if name in models]


def require(frame: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Raise an `InputError` that names the first column that the table lacks."""
    missing = [column for column in columns if column not in frame]
    if missing:
        raise InputError(f"{name}: no column '{missing[0]}'; add it")
