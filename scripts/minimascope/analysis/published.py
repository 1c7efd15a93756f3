"""Published tables, whose cells come as text: a float does not say how many digits there were."""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import pandas as pd

from ..errors import InputError
from .model_table import require

PUBLISHED_KEY = [
    "source",
    "table",
    "dataset",
    "architecture",
    "pretrained",
    "published_condition",
    "metric",
]
PUBLISHED_COLUMNS = [*PUBLISHED_KEY, "mean", "sem", "n_seeds", "uncertain", "note"]


def numeric(text: pd.DataFrame, columns: Iterable[str], name: str) -> pd.DataFrame:
    """Return a table of text with numbers in some columns, NaN where a cell is empty.

    Raises:
        InputError: a column is missing or holds something else; names table and column.
    """
    columns = list(columns)
    require(text, columns, name)
    numbers = {}
    for column in columns:
        try:
            numbers[column] = pd.to_numeric(text[column])
        except (TypeError, ValueError) as error:
            raise InputError(f"{name}: column '{column}': {error}; give numbers only") from error
    return text.assign(**numbers)


def published_values(text: pd.DataFrame) -> pd.DataFrame:
    """Return a table of published means and standard errors with what their rounding is worth.

    A published number stands for any that is rounded to it: up to half a unit of its last digit
    away, which as a uniform distribution has the standard deviation half / √3. That of ``mean``
    becomes the column ``rounding``, that of ``sem`` ``sem_rounding``. Numbers, ``pretrained`` and
    ``uncertain`` are converted; ``table`` stays text, and cells that are empty are empty text.

    Args:
        text: ``resources/published/deep_models.csv`` or ``sam_rho_sweep.csv``, all cells as text.

    Raises:
        InputError: if a column is missing or holds something else than it should.
    """
    require(text, PUBLISHED_COLUMNS, "published")
    counted = [column for column in ("mean", "sem", "n_seeds", "rho") if column in text]
    published = text.assign(
        rounding=text["mean"].map(_rounding),
        sem_rounding=text["sem"].map(_rounding),
        pretrained=_booleans(text["pretrained"]),
        uncertain=_booleans(text["uncertain"]),
    )
    published = numeric(published, counted, "published")
    if published[counted].isna().any(axis=None):
        raise InputError(f"published: a cell of {', '.join(counted)} is empty; leave such rows out")
    if (published["n_seeds"] < 2).any():
        raise InputError("published: n_seeds below 2 has no standard error; leave such rows out")
    return published


def published_errors(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return a published mean's standard error and the standard deviation over its seeds.

    The square of an error that was rounded is on average the published one's plus the variance of
    rounding: with it an error published as 0.000 is not zero. Published deviations are
    with n, and are brought to n - 1.

    Args:
        row: of `published_values`.
    """
    values = row["n_seeds"]
    if row["metric"] == "prediction_disagreement":
        values *= values - 1  # ordered pairs
    sem = math.hypot(row["sem"], row["sem_rounding"]) * math.sqrt(values / (values - 1))
    return math.hypot(sem, row["rounding"]), sem * math.sqrt(values)


def _rounding(number: str) -> float:
    try:
        return 10.0 ** Decimal(number).as_tuple().exponent / 2 / math.sqrt(3)
    except (InvalidOperation, TypeError) as error:
        raise InputError(f"published: '{number}' is no number; give it as published") from error


def _booleans(text: pd.Series) -> pd.Series:
    truth = text.str.lower().map({"true": True, "false": False})
    if truth.isna().any():
        wrong = text[truth.isna()].iloc[0]
        raise InputError(f"published: column '{text.name}': '{wrong}'; give true or false")
    return truth.astype(bool)
