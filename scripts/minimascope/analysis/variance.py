"""How much of the variance of sharpness and accuracy goes with each training setting."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from .correlations import MODELS
from .model_table import accuracies_of, converged, factors, require

COLUMNS = [
    "dataset",
    "response",
    "scale",
    "factor",
    "kind",
    "value",
    "f_value",
    "p_value",
    "df",
    "df_residual",
    "n",
    "left_out",
    "note",
]
ONE_WAY, JOINT = "one-way", "joint"
# Rows of the joint model besides its factors.
MODEL, RESIDUAL = "model", "residual"
SATURATED = "as many settings as models: no residual to test against"


def variance_shares(
    models: pd.DataFrame, sharpness: Sequence[str], *, minimum_train_accuracy: float = 0.0
) -> pd.DataFrame:
    """Return the shares of variance of sharpness and accuracies that training settings explain.

    Of the logarithm of each measure of sharpness (``scale`` "ln") and of each accuracy ("1"), by
    each of `model_table.factors` as categories, learning rates too, over all models of a data set:

    - ``kind`` "one-way": η², the sum of squares between groups over the total one, with its F
      test. In a design that is not balanced these shares overlap.
    - "joint": of a linear model of all factors without interactions, what is lost without one
      (its type II sum of squares) over the total one, with its F test; R² of all ("model") and
      1 - R² ("residual"). What factors explain together counts for none of them, so that shares
      need not add up to R².

    A share that the design cannot tell is NaN, and ``note`` says why.

    Args:
        models: rows of `model_table`.
        sharpness: columns of it.
        minimum_train_accuracy: see `model_table.converged`; ``left_out`` counts the others.

    Returns:
        Data frame with the columns `COLUMNS`.

    Raises:
        InputError: a column is missing, also that of the training accuracy with a minimum of it.
    """
    require(models, ["dataset", *sharpness], "models")
    scales = dict.fromkeys(sharpness, "ln") | dict.fromkeys(accuracies_of(models), "1")
    rows = []
    for dataset, group in models.groupby("dataset", sort=False):
        kept = converged(group, minimum_train_accuracy)
        origin = {"dataset": dataset, "left_out": len(group) - len(kept)}
        for response, scale in scales.items():
            found = shares(kept, response, scale)
            rows += [origin | {"response": response, "scale": scale} | row for row in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def shares(models: pd.DataFrame, response: str, scale: str) -> list[dict[str, Any]]:
    """Return the rows of one response of one data set; see `variance_shares`.

    Models without a finite response, on the scale "ln" also without a positive one, are left out.
    """
    values = models[response].astype(float)
    usable = np.isfinite(values) & ((values > 0) | (scale != "ln"))
    values = np.log(values[usable]) if scale == "ln" else values[usable]
    note = f"fewer than {MODELS} models" if len(values) < MODELS else ""
    if not note and np.ptp(values) == 0:
        note = "is the same for all models"
    if note:
        kinds = (ONE_WAY, JOINT)
        rows = [_row(name, kind, note=note) for kind in kinds for name in factors(models)]
    else:
        settings = models.loc[usable, factors(models[usable])]
        rows = [_one_way(values, settings[name]) for name in settings]
        rows += _joint(values.to_numpy(), settings)
    return [row | {"n": len(values)} for row in rows]


def _one_way(values: pd.Series, factor: pd.Series) -> dict[str, Any]:
    groups = [group.to_numpy() for _, group in values.groupby(factor)]
    within = sum(((group - group.mean()) ** 2).sum() for group in groups)
    share = 1 - within / ((values - values.mean()) ** 2).sum()
    df, df_residual = len(groups) - 1, len(values) - len(groups)
    if not df_residual:
        return _row(factor.name, ONE_WAY, share, df=df, df_residual=0, note=SATURATED)
    f_value, p_value = stats.f_oneway(*groups)
    return _row(factor.name, ONE_WAY, share, f_value, p_value, df, df_residual)


def _joint(values: np.ndarray, settings: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows of the joint model: each factor, all of them and the residual."""
    if settings.empty:
        return
    dummies = {name: _dummies(settings[name]) for name in settings}
    full, constant = _fit(values, dummies), _fit(values, {})
    for name in dummies:
        others = {other: columns for other, columns in dummies.items() if other != name}
        without = _fit(values, others)
        note = _confounding(dummies, name, full.rank - without.rank)
        yield _lost(name, full, without, constant.error, note)
    yield _lost(MODEL, full, constant, constant.error)
    note = "" if full.df_residual else SATURATED
    share = full.error / constant.error
    yield _row(RESIDUAL, JOINT, share, df_residual=full.df_residual, note=note)


def _lost(name: str, full: "_Fit", without: "_Fit", total: float, note: str = "") -> dict[str, Any]:
    """Return the row of what the joint model loses without something: an F test of both."""
    df, df_residual = full.rank - without.rank, full.df_residual
    if not df:
        return _row(name, JOINT, df=0, df_residual=df_residual, note=note)
    share = (without.error - full.error) / total
    if not df_residual:
        note = f"{note}; {SATURATED}" if note else SATURATED
        return _row(name, JOINT, share, df=df, df_residual=0, note=note)
    with np.errstate(divide="ignore"):
        f_value = (without.error - full.error) / df / (full.error / df_residual)
    p_value = stats.f.sf(f_value, df, df_residual)
    return _row(name, JOINT, share, f_value, p_value, df, df_residual, note)


def _confounding(dummies: Mapping[str, np.ndarray], name: str, df: int) -> str:
    """Return what keeps a factor's levels from being told apart, or nothing.

    Args:
        dummies: columns of all factors.
        name: of the factor.
        df: how many of its degrees of freedom the other factors leave it.
    """
    own = dummies[name].shape[1]
    if df == own:
        return ""
    culprits = [
        other
        for other, columns in dummies.items()
        if other != name and _rank(columns, dummies[name]) - _rank(columns) < own
    ]
    partners = " and with ".join(culprits) or "the other factors together"
    if not df:
        return f"confounded with {partners}: no share of its own"
    return f"partly confounded with {partners}: {df} of {own} degrees of freedom are its own"


def _dummies(factor: pd.Series) -> np.ndarray:
    """Return a column of 0 and 1 for each level but the first, [n, levels - 1]."""
    codes, levels = pd.factorize(factor, sort=True)
    return (codes[:, None] == np.arange(1, len(levels))).astype(float)


def _rank(*blocks: np.ndarray) -> int:
    return int(np.linalg.matrix_rank(np.hstack([np.ones((len(blocks[0]), 1)), *blocks])))


class _Fit(NamedTuple):
    """Sum of squared errors of a linear model, and the rank of its design."""

    error: np.float64
    rank: int
    df_residual: int


def _fit(values: np.ndarray, dummies: Mapping[str, np.ndarray]) -> _Fit:
    """Fit a constant and effects of all levels by least squares."""
    design = np.hstack([np.ones((len(values), 1)), *dummies.values()])
    # Factors that are confounded have no single solution, but a single fit.
    effects, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    error = ((values - design @ effects) ** 2).sum()
    return _Fit(error, int(rank), len(values) - int(rank))


def _row(
    factor: str,
    kind: str,
    value: float = np.nan,
    f_value: float = np.nan,
    p_value: float = np.nan,
    df: float = np.nan,
    df_residual: float = np.nan,
    note: str = "",
) -> dict[str, Any]:
    tested = {"f_value": f_value, "p_value": p_value, "df": df, "df_residual": df_residual}
    return {"factor": factor, "kind": kind, "value": value, **tested, "note": note}
