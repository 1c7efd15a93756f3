"""How much of the variance of sharpness and accuracy goes with each training setting."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS, RegressionResults
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

from .model_table import CONDITION, accuracies_of, factors, require
from .quadratic_forms import Sums, interval
from .rank_correlation import POINTS

COLUMNS = [
    *("dataset", "response", "scale", "factor", "kind", "value", "lower", "upper"),
    *("f_value", "p_value", "df", "df_residual", "n", "left_out", "note"),
]
ONE_WAY, JOINT, TOTAL, INTERACTION = "one-way", "joint", "total", "interaction"
# Between the names of two settings that interact.
TIMES = " × "
# Rows of the joint model besides its factors.
MODEL, RESIDUAL = "model", "residual"
SATURATED = "as many settings as models: no residual to test against"
EXACT = "determined exactly: no residual to test against"
# Share of variance up to which rounding alone goes.
ROUNDING = 1e-12


def variance_shares(models: pd.DataFrame, sharpness: Sequence[str]) -> pd.DataFrame:
    """Return the shares of variance of sharpness and accuracies that training settings explain.

    Of the logarithm of each measure of sharpness (``scale`` "ln") and of each accuracy ("1"), by
    each of `model_table.factors` as categories, learning rates too, over all models of a data set:

    - ``kind`` "one-way": η², the sum of squares between groups over the total one, with its F
      test. In a design that is not balanced these shares overlap.
    - "joint": of a linear model of all factors without interactions, what is lost without one
      (its type II sum of squares) over the total one, with its F test; R² of all ("model") and
      1 - R² ("residual"). What factors explain together counts for none of them, so that shares
      need not add up to R².
    - "total": of a linear model of all factors and their interactions in pairs, what is lost
      without one and all its interactions (as the total effect of a sensitivity analysis, Homma
      and Saltelli 1996); "interaction": what is lost without the interaction of two. Less what
      the residual alone adds to them on average (Kelley's ε², 1935), and not below 0.

    ``lower`` and ``upper`` bound the share that the settings would have over endless seeds, with
    the error of `error_columns`; see `quadratic_forms.interval`. They are of these settings, in the
    numbers that the design has of each, and say nothing about others.

    A share that the design cannot tell is NaN, and ``note`` says why. A share of the size of
    rounding is 0. F tests take models as independent draws, so that a data set with several seeds
    of a condition has none (NaN); nor has a model that leaves no residual (`SATURATED`, `EXACT`).

    Args:
        models: one row each; ``left_out`` counts those that did not train.
        sharpness: columns of it.

    Raises:
        InputError: a column is missing.
    """
    require(models, [*CONDITION, "trained", *sharpness], "models")
    scales = dict.fromkeys(sharpness, "ln") | dict.fromkeys(accuracies_of(models), "1")
    rows = []
    for dataset, group in models.groupby("dataset", sort=False):
        kept = group[group["trained"]]
        replicated = kept.duplicated(CONDITION).any()
        untested = dict.fromkeys(("f_value", "p_value"), np.nan) if replicated else {}
        origin = {"dataset": dataset, "left_out": len(group) - len(kept)}
        for response, scale in scales.items():
            found = shares(kept, response, scale)
            names = {"response": response, "scale": scale}
            rows += [origin | names | row | untested for row in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def shares(models: pd.DataFrame, response: str, scale: str) -> list[dict[str, Any]]:
    """Return the rows of one response of one data set; see `variance_shares`.

    Models without a finite response, on the scale "ln" also without a positive one, are left out.
    """
    values = models[response].astype(float)
    usable = np.isfinite(values) & ((values > 0) | (scale != "ln"))
    values = np.log(values[usable]) if scale == "ln" else values[usable]
    note = f"fewer than {POINTS} models" if len(values) < POINTS else ""
    if not note and np.ptp(values) == 0:
        note = "is the same for all models"
    if note:
        kinds = (ONE_WAY, JOINT)
        rows = [_row(name, kind, note=note) for kind in kinds for name in factors(models)]
    else:
        settings = models.loc[usable, factors(models[usable])]
        dummies = {name: dummies_of(settings[name]) for name in settings}
        constant = _fit(values)
        rows = [_lost(name, ONE_WAY, _fit(values, dummies[name]), constant) for name in dummies]
        rows += _joint(values, dummies) if dummies else []
        rows += _with_interactions(values, settings, dummies)
        rest, df_rest = error_of(values, settings) if dummies else (0.0, 0)
        rows = [_bounded(row, len(values), rest, df_rest) for row in rows]
    return [row | {"n": len(values)} for row in rows]


def error_of(values: pd.Series, settings: pd.DataFrame) -> tuple[float, int]:
    """Return what `error_columns` leave of the variance of values, as a share, and its df."""
    fitted = _fit(values, *error_columns(settings))
    return (1 - fitted.rsquared if fitted.df_resid else 0.0), int(fitted.df_resid)


def error_columns(settings: pd.DataFrame) -> list[np.ndarray]:
    """Return the columns of the model whose residual is the error of shares.

    It has a mean for each combination of settings or, where no two models have equal ones, all
    settings and their interactions in pairs.
    """
    cells = settings.groupby(list(settings), observed=True).ngroup()
    return [dummies_of(cells)] if cells.duplicated().any() else [*pairs_of(settings).values()]


def pairs_of(settings: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the columns of the two settings, and of their interaction, for each pair.

    Of a single setting its own alone.
    """
    if settings.shape[1] == 1:
        [name] = settings
        return {name: dummies_of(settings[name])}
    return {
        TIMES.join(pair): dummies_of(settings.groupby([*pair], observed=True).ngroup())
        for pair in combinations(settings, 2)
    }


def without(columns: Mapping[str, np.ndarray], factor: str) -> list[np.ndarray]:
    """Return the columns of settings and interactions that a setting has no part in."""
    return [block for name, block in columns.items() if factor not in name.split(TIMES)]


def _with_interactions(
    values: pd.Series, settings: pd.DataFrame, dummies: Mapping[str, np.ndarray]
) -> Iterator[dict[str, Any]]:
    """Yield each factor with all its interactions, and each interaction, of two or more factors."""
    if len(dummies) < 2:
        return
    columns = {**dummies, **pairs_of(settings)}
    full = _fit(values, *columns.values())
    for name in dummies:
        yield _lost(name, TOTAL, full, _fit(values, *without(columns, name)))
    for name in pairs_of(settings):
        others = [block for other, block in columns.items() if other != name]
        yield _lost(name, INTERACTION, full, _fit(values, *others))


def _bounded(row: dict[str, Any], n: int, rest: float, df_rest: int) -> dict[str, Any]:
    """Return a row with its interval; of one with interactions without what noise adds to it."""
    if row["factor"] in (MODEL, RESIDUAL) or not row["df"] > 0 or not df_rest or rest <= ROUNDING:
        return row
    sums = Sums(row["value"], int(row["df"]), rest, df_rest, n)
    value = row["value"] if row["kind"] in (ONE_WAY, JOINT) else max(sums.adjusted, 0.0)
    return row | dict(zip(("lower", "upper"), interval(sums), strict=True)) | {"value": value}


def _joint(values: pd.Series, dummies: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the joint model: each factor, all of them and the residual."""
    full, constant = _fit(values, *dummies.values()), _fit(values)
    for name in dummies:
        others = {other: columns for other, columns in dummies.items() if other != name}
        without = _fit(values, *others.values())
        note = _confounding(dummies[name], others, int(without.df_resid - full.df_resid))
        yield _lost(name, JOINT, full, without, note)
    yield _lost(MODEL, JOINT, full, constant)
    note = _without_residual(full)
    rest = 0.0 if note else 1 - full.rsquared
    yield _row(RESIDUAL, JOINT, rest, df_residual=int(full.df_resid), note=note)


def _lost(
    name: str, kind: str, full: RegressionResults, without: RegressionResults, note: str = ""
) -> dict[str, Any]:
    """Return the row of what a model loses without something: an F test of both."""
    df_residual = int(full.df_resid)
    df = int(without.df_resid) - df_residual
    if not df:
        return _row(name, kind, df=0, df_residual=df_residual, note=note)
    share = full.rsquared - without.rsquared
    known = {"value": share if share > ROUNDING else 0.0, "df": df, "df_residual": df_residual}
    if untested := _without_residual(full):
        note = f"{note}; {untested}" if note else untested
        return _row(name, kind, **known, note=note)
    f_value, p_value, _ = full.compare_f_test(without)
    return _row(name, kind, **known, f_value=f_value, p_value=p_value, note=note)


def _without_residual(full: RegressionResults) -> str:
    """Return why a model leaves nothing to test against, or nothing."""
    if not full.df_resid:
        return SATURATED
    return EXACT if 1 - full.rsquared <= ROUNDING else ""


def _confounding(own: np.ndarray, others: Mapping[str, np.ndarray], df: int) -> str:
    """Return what keeps a factor's levels from being told apart, or nothing.

    Args:
        own: columns of the factor.
        others: those of all others.
        df: how many of its degrees of freedom the others leave it.
    """
    levels = own.shape[1]
    if df == levels:
        return ""
    culprits = [
        other for other, columns in others.items() if _rank(columns, own) - _rank(columns) < levels
    ]
    partners = " and with ".join(culprits) or "the other factors together"
    if not df:
        return f"confounded with {partners}: no share of its own"
    return f"partly confounded with {partners}: {df} of {levels} degrees of freedom are its own"


def dummies_of(factor: pd.Series) -> np.ndarray:
    """Return a column of 0 and 1 for each level but the first, [n, levels - 1]."""
    return pd.get_dummies(factor, drop_first=True, dtype=float).to_numpy()


def _rank(*blocks: np.ndarray) -> int:
    return int(np.linalg.matrix_rank(np.column_stack([np.ones(len(blocks[0])), *blocks])))


def _fit(values: pd.Series, *blocks: np.ndarray) -> RegressionResults:
    """Fit a constant and effects of all levels by least squares."""
    with warnings.catch_warnings():
        # Factors that are confounded have no single solution, but a single fit.
        warnings.simplefilter("ignore", SingularMatrixWarning)
        return OLS(values.to_numpy(), np.column_stack([np.ones(len(values)), *blocks])).fit()


def _row(factor: str, kind: str, value: float = np.nan, **known: object) -> dict[str, Any]:
    """Return a row in which what is not known is NaN, or an empty note."""
    unknown = ("lower", "upper", "f_value", "p_value", "df", "df_residual")
    nothing = dict.fromkeys(unknown, np.nan)
    return {"factor": factor, "kind": kind, "value": value, **nothing, "note": "", **known}
