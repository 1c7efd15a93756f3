"""Print what the intervals behind the claims on acoustic scenes hold in simulated studies.

Three tables for docs/claims.md: differences of two correlations over the same conditions; both
within several networks; and shares of the variance of a response in designs that are not balanced,
with how often one share is wrongly found larger than another.
"""

import math
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from minimascope.analysis.dependent_correlations import difference_of_correlations
from minimascope.analysis.evidence import LEVEL, SIGNIFICANT
from minimascope.analysis.quadratic_forms import Sums, basis, interval, p_larger
from minimascope.analysis.rank_correlation import rank_correlation
from minimascope.analysis.variance import dummies_of, error_columns, pairs_of, without
from minimascope.analysis.within_networks import correlation_within

CONDITIONS = (8, 12, 16, 19, 38)
# Correlations of sharpness with both evaluations, and of these with each other.
TOGETHER = ((0.0, 0.0, 0.8), (0.5, 0.5, 0.8), (0.3, 0.6, 0.8), (0.0, 0.6, 0.6))
# Numbers of conditions of each network, and how far networks are apart, in standard deviations.
NETWORKS, APART = ((13, 6), (8, 8), (5, 5, 5), (3, 3, 3), (8, 8, 8, 8, 8, 8)), 2.0
STUDIES = 2000
BOOTSTRAPS = 400
RATES, OPTIMIZERS = (1e-3, 1e-4), ("sgd", "adam", "kfac", "gdtuo")
ERROR = 0.5


def correlations_table() -> list[str]:
    """Return the coverage of differences of correlations as lines of Markdown.

    Of our interval and of the percentile bootstrap over conditions. Evaluations are normal
    together with sharpness; the truth is that of Spearman's ρ, 6/π arcsin(r / 2).
    """
    names = [f"{first:g}, {second:g}; {both:g}" for first, second, both in TOGETHER]
    lines = [
        f"| conditions | {' | '.join(f'{name} | bootstrap' for name in names)} |",
        "|---:|" + "---:|" * (2 * len(names)),
    ]
    for n in CONDITIONS:
        shares = [share for case in TOGETHER for share in _coverage(n, case)]
        lines.append(f"| {n} | {' | '.join(f'{100 * share:.1f} %' for share in shares)} |")
    return lines


def _coverage(n: int, case: tuple[float, float, float]) -> tuple[float, float]:
    first, second, both = case
    random = np.random.default_rng([n, *(round(100 * strength) for strength in case)])
    matrix = np.array([[1, first, second], [first, 1, both], [second, both, 1]])
    root = np.linalg.cholesky(matrix)
    truth = 6 / math.pi * (math.asin(second / 2) - math.asin(first / 2))
    held = np.zeros(2)
    for _ in range(STUDIES):
        x, inside, outside = root @ random.normal(size=(3, n))
        found = difference_of_correlations(x, outside, inside)
        ends = (found["lower"], found["upper"]), _bootstrap(random, x, outside, inside)
        held += [low <= truth <= high for low, high in ends]
    return tuple(held / STUDIES)


def _bootstrap(random: np.random.Generator, *variables: np.ndarray) -> np.ndarray:
    """Return the percentile interval over draws of conditions with replacement."""
    n = len(variables[0])
    drawn = random.integers(0, n, (BOOTSTRAPS, n))
    x, first, second = (stats.rankdata(variable[drawn], axis=1) for variable in variables)
    differences = _rows(x, first) - _rows(x, second)
    return np.nanquantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])


def _rows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the correlation of each row of x with that of y."""
    x, y = (a - a.mean(axis=1, keepdims=True) for a in (x, y))
    with np.errstate(invalid="ignore"):  # draws of one condition alone have none
        return (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))


def networks_table() -> list[str]:
    """Return wrong verdicts and coverage of correlations within networks as lines of Markdown.

    Each network is as far from the one before in sharpness as in both evaluations. First without
    any correlation within networks: how often all conditions together, and those within networks,
    are sure of one. Then coverage of the interval of ρ, where normal quantities have 0.5, and of
    the interval of a difference, as in `correlations_table`.
    """
    names = [f"{first:g}, {second:g}; {both:g}" for first, second, both in TOGETHER[:3]]
    lines = [
        f"| conditions | pooled, wrong | within, wrong | ρ of 0.5 | {' | '.join(names)} |",
        "|---|" + "---:|" * (3 + len(names)),
    ]
    for sizes in NETWORKS:
        shares = [*_wrong(sizes), _held(sizes), *(_held(sizes, case) for case in TOGETHER[:3])]
        shown = " + ".join(map(str, sizes))
        lines.append(f"| {shown} | {' | '.join(f'{100 * share:.1f} %' for share in shares)} |")
    return lines


def _wrong(sizes: tuple[int, ...]) -> np.ndarray:
    """Return how often p is at most 0.05 without any correlation: pooled, and within networks."""
    random, networks = np.random.default_rng(sizes), np.repeat(range(len(sizes)), sizes)
    sure = np.zeros(2)
    for _ in range(STUDIES):
        x, y = random.normal(size=(2, len(networks))) + APART * networks
        found = rank_correlation(x, y), correlation_within(x, y, networks)
        sure += [one["p_value"] <= 1 - LEVEL for one in found]
    return sure / STUDIES


def _held(sizes: tuple[int, ...], case: tuple[float, float, float] | None = None) -> float:
    """Return how often the interval of ρ, or of the difference of a case, holds the truth."""
    random, networks = np.random.default_rng([*sizes, 1]), np.repeat(range(len(sizes)), sizes)
    first, second, both = case or (0.5, 0.5, 0.8)
    root = np.linalg.cholesky([[1, first, second], [first, 1, both], [second, both, 1]])
    rho, other = (6 / math.pi * math.asin(strength / 2) for strength in (second, first))
    held = 0
    for _ in range(STUDIES):
        x, inside, outside = root @ random.normal(size=(3, len(networks))) + APART * networks
        if case:
            found = difference_of_correlations(x, outside, inside, networks)
        else:
            found = correlation_within(x, outside, networks)
        held += found["lower"] <= (rho - other if case else rho) <= found["upper"]
    return held / STUDIES


def published_design() -> pd.DataFrame:
    """Return the settings of the 38 published models: 19 conditions, two seeds each."""
    of_both = [*product(("sgd",), (1e-3,), (16, 32)), *product(("adam",), RATES, (16, 32))]
    cells = [(*cell, network) for cell in of_both for network in ("cnn10", "cnn14")]
    cells += [("kfac", rate, 16, "cnn10") for rate in (*RATES, 1e-5)]
    cells += [("gdtuo", *cell, "cnn10") for cell in product(RATES, (16, 32))]
    names = ["optimizer", "learning_rate", "batch_size", "network"]
    return pd.DataFrame(cells, columns=names).loc[lambda frame: frame.index.repeat(2)]


def small_design(seeds: int) -> pd.DataFrame:
    """Return the settings of four optimisers at two rates."""
    cells = product(OPTIMIZERS, RATES, range(seeds))
    return pd.DataFrame(cells, columns=["optimizer", "learning_rate", "seed"]).drop(columns="seed")


def shares_table() -> list[str]:
    """Return the coverage of shares of variance, and wrong findings, as lines of Markdown."""
    designs = {
        "38 published models": published_design(),
        "8 conditions, 2 seeds": small_design(2),
        "8 conditions, 3 seeds": small_design(3),
    }
    lines = [
        "| design | effects | optimiser | learning rate | wrongly larger |",
        "|---|---|---:|---:|---:|",
    ]
    for name, design in designs.items():
        for effects in ((1.0, 0.3), (0.5, 1.0), (0.0, 0.0)):
            shares = [f"{100 * share:.1f} %" for share in _of_design(design, effects)]
            shown = "optimiser {:g}, learning rate {:g}".format(*effects)
            lines.append(f"| {name} | {shown} | {' | '.join(shares)} |")
    return lines


def _of_design(design: pd.DataFrame, effects: tuple[float, float]) -> tuple[float, float, float]:
    """Return how often two intervals hold the truth, and how often the lesser share is larger."""
    n = len(design)
    random = np.random.default_rng([n, *(round(10 * effect) for effect in effects)])
    rates = np.log10(design["learning_rate"]) + 3.5
    steps = design["optimizer"].map(dict(zip(OPTIMIZERS, (-1, -0.3, 0.3, 1), strict=True)))
    mean = (effects[0] * steps + effects[1] * rates).to_numpy()
    ones = np.ones((n, 1))
    columns = {name: dummies_of(design[name]) for name in design} | pairs_of(design)
    every = np.column_stack([ones, *columns.values()])
    lost = {
        name: basis(every, np.column_stack([ones, *without(columns, name)]))
        for name in ("optimizer", "learning_rate")
    }
    residual = basis(np.eye(n), np.column_stack([ones, *error_columns(design)]))
    total = ((mean - mean.mean()) ** 2).sum() + (n - 1) * ERROR**2
    truth = {name: (own.T @ mean) @ (own.T @ mean) / total for name, own in lost.items()}
    lesser, larger = sorted(truth, key=truth.get)
    held, wrong = dict.fromkeys(lost, 0), 0
    for _ in range(STUDIES):
        values = mean + ERROR * random.normal(size=n)
        over = ((values - values.mean()) ** 2).sum()
        rest = ((residual.T @ values) ** 2).sum() / over
        for name, own in lost.items():
            share = ((own.T @ values) ** 2).sum() / over
            low, high = interval(Sums(share, own.shape[1], rest, residual.shape[1], n))
            held[name] += low <= truth[name] <= high
        p = p_larger(values, lost[lesser], lost[larger], residual)
        wrong += p <= SIGNIFICANT
    return *(count / STUDIES for count in held.values()), wrong / STUDIES


if __name__ == "__main__":
    for part in (correlations_table(), networks_table(), shares_table()):
        print("\n".join(part), end="\n\n", flush=True)
