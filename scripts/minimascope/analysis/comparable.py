"""What claims are tested on: the conditions of a network, and whether two of them differ."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import special

from .model_table import CONDITION, require
from .numbers import ROUNDING
from .printed import printed_errors
from .statistics import paired_differences

SAM = "_sam"
PRINTED_BASELINE = "baseline"
DISAGREEMENT = "prediction_disagreement"
# A number, its standard error, and the degrees of freedom of that.
Estimate = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Comparable:
    """The conditions of one network that are compared with one baseline.

    Attributes:
        dataset: its data set.
        network: its name.
        baseline: condition that the others are compared with, "" for none.
        conditions: all of them, the baseline among them.
        without_sam: for a condition with SAM the one that differs in having none.
        means: [condition, measure], NaN where there is none.
        errors: their standard errors, likewise.
        p_larger: of two conditions by one measure, (measure, first, second), the one-sided p-value
            that first is larger.
        seeds: of each value, the fewest and the most.
        method: what errors and p-values are.
        source: of print, the paper; otherwise empty.
        left_out: printed values that are in doubt.
    """

    dataset: str
    network: str
    baseline: str
    conditions: tuple[str, ...]
    without_sam: Mapping[str, str]
    means: pd.DataFrame
    errors: pd.DataFrame
    p_larger: Mapping[tuple[str, str, str], float]
    seeds: tuple[int, int]
    method: str
    source: str = ""
    left_out: int = 0
    units: Mapping[str, str] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)


def measured(values: pd.DataFrame, conditions: pd.DataFrame) -> Iterator[Comparable]:
    """Yield what a study measured: each network, once for each baseline that it has.

    A sweep can have several: the cells of the baseline that other cells are compared with.
    Differences are paired by seed, their errors have n - 1 degrees of freedom.

    Raises:
        InputError: a column is missing.
    """
    require(values, [*CONDITION, "seed", "measure", "value", "unit"], "values")
    require(conditions, [*CONDITION, "baseline", "without_sam"], "conditions")
    for (dataset, network), rows in values.groupby(["dataset", "network"], sort=False):
        here = (conditions["dataset"] == dataset) & (conditions["network"] == network)
        of_network = conditions[here].set_index("condition")
        without_sam = of_network["without_sam"].dropna().to_dict()
        for baseline, names in _by_baseline(of_network["baseline"]):
            own = rows[rows["condition"].isin(names)]
            order = tuple(own["condition"].unique())
            seeds = own.groupby(["condition", "measure"])["value"]
            counts = seeds.count()[lambda found: found > 0]
            yield Comparable(
                dataset,
                network,
                baseline,
                order,
                {a: b for a, b in without_sam.items() if a in order and b in order},
                seeds.mean().unstack().reindex(order),
                seeds.sem().unstack().reindex(order),
                _paired(own),
                (int(counts.min()), int(counts.max())),
                "paired t over seeds",
                units=_first(own, "unit"),
                families=_first(own, "family"),
            )


def in_print(printed: pd.DataFrame) -> Iterator[Comparable]:
    """Yield what each paper prints of each network, from rows of `printed.printed_values`.

    Values of single seeds are not printed, so differences are of two means, with Welch's errors and
    degrees of freedom; seeds that go together in both would make them smaller. The errors are those
    of `printed.printed_errors`. That of the prediction disagreement takes pairs of seeds as
    independent; it is given the largest error that sharing seeds can lead to. Values in doubt are
    left out. What the tables hold of one of a paper's networks they need not hold of another.
    """
    keys = ["source", "dataset", "architecture"]
    controls = printed.groupby("source")["control"].unique()
    for (source, dataset, network), rows in printed.groupby(keys, sort=False):
        certain = rows[~rows["uncertain"]]
        estimates = {
            (row["metric"], row["control"]): _printed(row) for row in certain.to_dict("records")
        }
        order = tuple(controls[source])
        table = certain.pivot(index="control", columns="metric", values="mean")
        errors = pd.Series({key[::-1]: error for key, (_, error, _) in estimates.items()})
        yield Comparable(
            dataset,
            network,
            PRINTED_BASELINE,
            order,
            {
                name: name.removesuffix(SAM)
                for name in order
                if name.endswith(SAM) and name.removesuffix(SAM) in order
            },
            table.reindex(order),
            errors.unstack().reindex(order) if len(errors) else table.reindex(order),
            {
                (metric, first, second): p_above_zero(*welch(found, estimates[metric, second]))
                for (metric, first), found in estimates.items()
                for second in order
                if second != first and (metric, second) in estimates
            },
            (int(rows["n_seeds"].min()), int(rows["n_seeds"].max())),
            "Welch's t of printed means and standard errors",
            source,
            len(rows) - len(certain),
        )


def p_above_zero(value: float, error: float, df: float) -> float:
    """Return the one-sided p-value of Student's t test that a number is above zero.

    Without a standard error, or with one of zero, which no sample that varies has, the number is
    evidence of nothing: 1.
    """
    if math.isnan(value) or math.isnan(error) or error <= ROUNDING * abs(value):
        return 1.0
    return float(special.stdtr(df, -value / error))


def welch(first: Estimate, second: Estimate) -> Estimate:
    """Return the difference of two independent estimates (Welch 1947, Satterthwaite 1946)."""
    a, b = first[1] ** 2, second[1] ** 2
    df = (a + b) ** 2 / (a**2 / first[2] + b**2 / second[2])
    return first[0] - second[0], math.sqrt(a + b), df


def _printed(row: Mapping[str, object]) -> Estimate:
    seeds = row["n_seeds"]
    error, deviation = printed_errors(row)
    if row["metric"] == DISAGREEMENT:
        # If each model adds its own share to all its pairs: Var(mean) = 2 Var(pair) / seeds.
        error = math.hypot(deviation * math.sqrt(2 / seeds), row["rounding"])
    return row["mean"], error, seeds - 1


def _by_baseline(baselines: pd.Series) -> Iterator[tuple[str, list[str]]]:
    """Yield each baseline with the conditions that are compared with it, itself first.

    A baseline of others is not compared with another baseline.
    """
    # A column without any name is read as one of numbers.
    named = list(baselines.dropna().unique())
    if not named:
        yield "", list(baselines.index)
    for baseline in named:
        others = baselines.index[baselines == baseline]
        yield baseline, [baseline, *(name for name in others if name not in named)]


def _paired(rows: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    found = {}
    for measure, group in rows.groupby("measure", sort=False):
        seeds = group.pivot(index="seed", columns="condition", values="value")
        values = seeds.to_numpy()
        for i, first in enumerate(seeds):
            # Of all other conditions at once, since there are as many pairs as conditions squared.
            differences = paired_differences(values[:, [i]], values)
            for second, column in zip(seeds, differences.T, strict=True):
                own = column[np.isfinite(column)]
                if second != first and len(own):
                    error = own.std(ddof=1) / math.sqrt(len(own)) if len(own) > 1 else math.nan
                    found[measure, first, second] = p_above_zero(own.mean(), error, len(own) - 1)
    return found


def _first(rows: pd.DataFrame, column: str) -> dict[str, str]:
    return rows.drop_duplicates("measure").set_index("measure")[column].to_dict()
