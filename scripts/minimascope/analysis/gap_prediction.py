"""How well measures predict the generalisation gap: granulated Kendall's τ, robust sign error.

Both ask of pairs of networks that differ in one setting (`environments.pairs_of`) whether the one
with the larger measure has the larger gap. Kendall's τ averages over them (Jiang et al. 2020,
Fantastic Generalization Measures and Where to Find Them, ICLR); the sign error is that of the worst
environment (Dziugaite et al. 2020, In Search of Robust Measures of Generalization, NeurIPS).
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .collect import RUN
from .differences import mean_over_seeds, t_interval
from .environments import Pairs, pairs_of, settings_of
from .evidence import LEVEL, SIGNIFICANT
from .model_table import CONDITION, require
from .predictors import Predictor, predictors_in
from .tables import at_minima

GAP, ACCURACY = "generalisation_gap", "test_accuracy"
TAU, ENVIRONMENT, MEAN, MOST, WORST = (
    *("kendall_tau", "sign_error", "sign_error_mean", "sign_error_90", "sign_error_worst"),
)
# The share of environments that `MOST` is the largest sign error of.
QUANTILE = 0.9
# The share of an environment's seeds whose gaps have to differ by more than noise.
CLEAR = 0.5
ALL_AXES = "all"
COLUMNS = [
    *("dataset", "network", "measure", "kind", "statistic", "axis", "first", "second", "value"),
    *("lower", "upper", "level", "n_seeds", "n_pairs", "n_environments", "in_noise", "note"),
]
# Values that differ by a smaller share are equal.
EQUAL = 1e-12
ONE_SEED = "one seed"
NO_SPREAD = "all seeds agree"
IN_NOISE = "gaps differ by less than their noise"


def gap_prediction(measures: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """Return how well each of `predictors.predictors_in` predicts the gap, network by network.

    ``statistic`` is

    - "kendall_tau": of an ``axis`` the mean of Kendall's τ along it, over all values of the other
      settings and over seeds (ψ of Jiang et al.); of "all" the mean over axes (Ψ). Equal values
      count as neither concordant nor discordant.
    - "sign_error": of an environment (``first``, ``second``) the share of seeds in which the
      measure has the other sign than the gap; equal measures count one half. Pairs whose gaps
      differ by less than their noise (`_noise`) are left out (``in_noise``), and so are
      environments in which most do.
    - "sign_error_worst", "sign_error_90", "sign_error_mean": of all environments, and of those
      along each axis, the largest one, the smallest that nine in ten do not exceed, the mean.

    Seeds are the independent units. Intervals of τ and of the mean are Student's t over seeds, of
    an environment exact binomial ones (Clopper and Pearson 1934), of the worst and of nine in ten
    environments the same of binomial intervals that hold all at once (Bonferroni). docs/measures.md
    says what they promise.

    Args:
        measures: rows of `collect.tidy`.
        conditions: rows of `model_table.conditions_table`.

    Raises:
        InputError: a column is missing.
    """
    require(measures, [*RUN, "view", "measure", "family", "value", "n", "trained"], "measures")
    require(conditions, [*CONDITION, "base_condition", "matched"], "conditions")
    rows = at_minima(measures)
    predictors = predictors_in(rows)
    found: list[dict[str, Any]] = []
    for (dataset, network), own in rows[rows["trained"]].groupby(
        ["dataset", "network"], sort=False
    ):
        here = (conditions["dataset"] == dataset) & (conditions["network"] == network)
        settings = settings_of(conditions[here & conditions["matched"].astype(bool)])
        models = _models(own[own["condition"].isin(settings.index)])
        there = {name: each for name, each in predictors.items() if name in models}
        place = {"dataset": dataset, "network": network, "level": LEVEL}
        found += [place | row for row in _of_network(models, settings, there)]
    return pd.DataFrame(found, columns=COLUMNS)


def _models(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each network with its measures, and the number of its test samples, n."""
    values = rows.pivot(index=["condition", "seed"], columns="measure", values="value")
    tested = rows[rows["measure"] == ACCURACY].set_index(["condition", "seed"])["n"]
    values = values.assign(n=tested.reindex(values.index))
    # In the study's order, so that its first condition of a pair comes first.
    return values.reindex(rows["condition"].unique(), level="condition").reset_index()


def _of_network(
    models: pd.DataFrame, settings: pd.DataFrame, predictors: Mapping[str, Predictor]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one network; none where no two of its conditions differ in one setting."""
    if not {GAP, ACCURACY} <= {*models} or not len(pairs := pairs_of(models, settings)):
        return
    gaps = _signs(models[GAP].to_numpy(float), pairs)
    clear = _clear(models, pairs)
    for name, (kind, sign) in predictors.items():
        agreement = sign * _signs(models[name].to_numpy(float), pairs) * gaps
        about = {"measure": name, "kind": kind}
        for row in [*_taus(agreement, pairs), *_errors(agreement, clear, pairs, models)]:
            yield about | row


def _differences(values: np.ndarray, pairs: Pairs) -> np.ndarray:
    return values[pairs.first] - values[pairs.second]


def _signs(values: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Return the sign of each pair's difference, 0 for equal values, NaN where one is missing."""
    with np.errstate(invalid="ignore"):
        differences = _differences(values, pairs)
    size = np.maximum(np.abs(values[pairs.first]), np.abs(values[pairs.second]))
    return np.where(np.abs(differences) <= EQUAL * size, 0.0, np.sign(differences))


def _clear(models: pd.DataFrame, pairs: Pairs) -> np.ndarray:
    """Return which pairs' gaps differ by more than `_noise`, in environments where half of them do.

    Where fewer do, those that do are mostly chance, and would decide a worst environment alone.
    """
    clear = np.abs(_differences(models[GAP].to_numpy(float), pairs)) > _noise(models, pairs)
    share = np.bincount(pairs.environment, clear) / np.bincount(pairs.environment)
    return clear & (share >= CLEAR)[pairs.environment]


def _noise(models: pd.DataFrame, pairs: Pairs) -> np.ndarray:
    """Return what the gaps of a pair differ by through the choice of test samples, in pp.

    That is the half width of the 95 % interval of the difference of two test accuracies p of n
    samples each, as if these were other samples for each network: 1.96 √(Σ p (1 - p) / n). Both
    have the same ones, so that the true noise is smaller where they err on the same samples.
    With p = (k + ½) / (n + 1) no accuracy is without noise.
    """
    n = models["n"].to_numpy(float)
    share = (models[ACCURACY].to_numpy(float) * n + 0.5) / (n + 1)
    variance = share * (1 - share) / n
    z = stats.norm.ppf(1 - SIGNIFICANT)
    return 100 * z * np.sqrt(variance[pairs.first] + variance[pairs.second])


def _taus(agreement: np.ndarray, pairs: Pairs) -> Iterator[dict[str, Any]]:
    """Yield the granulated τ of each axis, and their mean."""
    frame = pd.DataFrame({"value": agreement, "axis": pairs.axis, "seed": pairs.seed})
    frame = frame.assign(line=pairs.line).dropna()
    lines = frame.groupby(["axis", "seed", "line"], sort=False)["value"].mean()
    by_seed = lines.groupby(["axis", "seed"], sort=False).mean().unstack("axis")
    # Of a seed that lacks an axis there is no mean over all of them.
    by_seed[ALL_AXES] = by_seed.mean(axis=1, skipna=False)
    counts = frame["axis"].value_counts()
    for axis, values in by_seed.items():
        pairs_there = len(frame) if axis == ALL_AXES else counts[axis]
        row = {"statistic": TAU, "axis": axis, "n_pairs": pairs_there}
        yield row | _over_seeds(values.dropna().to_numpy(), -1.0)


def _over_seeds(values: np.ndarray, least: float) -> dict[str, Any]:
    """Return the mean of values from ``least`` to 1, with the interval of Student's t."""
    estimate = mean_over_seeds(values)
    ends = [float(np.clip(end, least, 1)) for end in t_interval(*estimate)]
    note = "" if math.isfinite(ends[0]) else (ONE_SEED if len(values) == 1 else NO_SPREAD)
    known = {"value": float(estimate.value), "lower": ends[0], "upper": ends[1]}
    return known | {"n_seeds": len(values), "note": note}


def _errors(
    agreement: np.ndarray, clear: np.ndarray, pairs: Pairs, models: pd.DataFrame
) -> Iterator[dict[str, Any]]:
    """Yield the sign error of each environment, then the worst, nine in ten and the mean."""
    names = models["condition"].to_numpy()
    frame = pd.DataFrame(
        {
            "error": (1 - agreement) / 2,
            "environment": pairs.environment,
            "axis": pairs.axis,
            "seed": pairs.seed,
            "first": names[pairs.first],
            "second": names[pairs.second],
            "in_noise": ~clear,
        }
    ).dropna(subset="error")
    every = _environments(frame)
    for row in every.assign(**_binomial(every, 1)).to_dict("records"):
        note = "" if row["n_seeds"] else IN_NOISE
        yield {"statistic": ENVIRONMENT, "n_environments": 1, "note": note} | row
    for axis in [ALL_AXES, *frame["axis"].unique()]:
        environments, own = (
            table if axis == ALL_AXES else table[table["axis"] == axis] for table in (every, frame)
        )
        for row in _robust(environments, own):
            yield row | {"axis": axis}


def _environments(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each environment: its sign error, and of how many seeds it is wrong.

    ``wrong`` counts equal measures as right, ``not_right`` as wrong.
    """
    frame = frame.assign(
        used=frame["error"].where(~frame["in_noise"]),
        wrong=(frame["error"] == 1) & ~frame["in_noise"],
        not_right=(frame["error"] > 0) & ~frame["in_noise"],
    )
    grouped = frame.groupby("environment", sort=False)
    found = grouped[["axis", "first", "second"]].first()
    found = found.assign(value=grouped["used"].mean(), n_seeds=grouped["used"].count())
    found[["wrong", "not_right", "in_noise"]] = grouped[["wrong", "not_right", "in_noise"]].sum()
    return found.assign(n_pairs=found["n_seeds"])


def _binomial(environments: pd.DataFrame, tests: int) -> dict[str, np.ndarray]:
    """Return exact intervals of sign errors that hold for so many environments all at once.

    An equal measure counts in favour of the measure below, and against it above.
    """
    level, n = SIGNIFICANT / max(tests, 1), environments["n_seeds"].to_numpy(float)
    wrong, not_right = (environments[name].to_numpy(float) for name in ("wrong", "not_right"))
    lower = stats.beta.ppf(level, wrong, n - wrong + 1)
    upper = stats.beta.isf(level, not_right + 1, n - not_right)
    return {
        "lower": np.where(n == 0, np.nan, np.where(wrong == 0, 0.0, lower)),
        "upper": np.where(n == 0, np.nan, np.where(not_right == n, 1.0, upper)),
    }


def _robust(environments: pd.DataFrame, frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the worst of environments, what nine in ten do not exceed, and the mean."""
    known = environments[environments["n_seeds"] > 0]
    counts = {
        "n_pairs": int(known["n_pairs"].sum()),
        "n_environments": len(known),
        "in_noise": int(environments["in_noise"].sum()),
    }
    if known.empty:
        missing = dict.fromkeys(("value", "lower", "upper"), math.nan) | {"n_seeds": 0}
        for statistic in (WORST, MOST, MEAN):
            yield counts | missing | {"statistic": statistic, "note": IN_NOISE}
        return
    ends = known.assign(**_binomial(known, len(known)))[["value", "lower", "upper"]]
    # Of equally bad ones that of the most seeds.
    worst = known.sort_values(["value", "n_seeds"], ascending=False, kind="stable").iloc[0]
    counts["n_seeds"] = frame.loc[~frame["in_noise"], "seed"].nunique()
    counts["note"] = ""
    place = {"first": worst["first"], "second": worst["second"]}
    yield counts | place | {"statistic": WORST} | ends.max().to_dict()
    yield counts | {"statistic": MOST} | ends.apply(_most).to_dict()
    by_seed = frame.loc[~frame["in_noise"]].groupby("seed")["error"].mean().to_numpy()
    yield counts | {"statistic": MEAN} | _over_seeds(by_seed, 0.0)


def _most(values: pd.Series) -> float:
    """Return the smallest of values that nine in ten do not exceed."""
    return float(np.quantile(values, QUANTILE, method="inverted_cdf"))
