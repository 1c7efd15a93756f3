"""Print what intervals of partial correlations and of Kendall's τ hold in simulated studies.

Two tables: Spearman's ρ given a third quantity, for docs/claims.md; and the mean over seeds of
granulated Kendall's τ and of the sign error, for docs/measures.md.
"""

import math

import numpy as np

from minimascope.analysis.differences import mean_over_seeds, t_interval
from minimascope.analysis.evidence import LEVEL
from minimascope.analysis.partial_correlation import partial_correlation

STUDIES = 1500
CONDITIONS = (6, 12, 24)
# Normal correlations of both quantities with the third one, and of both given the third one.
GIVEN = ((0, 0, 0), (0.5, 0.5, 0), (0.8, 0.8, 0), (0.8, -0.8, 0), (0.5, 0.5, 0.5), (0, 0, 0.8))
SEEDS = (3, 5, 10)
# Pairs of cells, and how far seeds vary beside the cells' own differences.
PAIRS, SPREADS = 24, (0.5, 1.0, 2.0)
OF_SEEDS, LONG = 4000, 200_000


def partial_table() -> list[str]:
    """Return the coverage of partial correlations as lines of Markdown.

    Quantities are normal together; the truth is the partial correlation of Spearman's ρ,
    6/π arcsin(r / 2). Studies without an interval count as held.
    """
    names = [f"{first:g}, {second:g}; {own:g}" for first, second, own in GIVEN]
    lines = [f"| conditions | {' | '.join(names)} |", "|---:|" + "---:|" * len(names)]
    for n in CONDITIONS:
        shares = [f"{100 * _held(n, case):.1f} %" for case in GIVEN]
        lines.append(f"| {n} | {' | '.join(shares)} |")
    return lines


def _held(n: int, case: tuple[float, float, float]) -> float:
    first, second, own = case
    seed = [n, int(100 * first), int(100 * (second + 1)), int(100 * own)]
    random = np.random.default_rng(seed)
    plain = own * math.sqrt((1 - first**2) * (1 - second**2)) + first * second
    matrix = np.array([[1, plain, first], [plain, 1, second], [first, second, 1]])
    root, ranks = np.linalg.cholesky(matrix), 6 / math.pi * np.arcsin(matrix / 2)
    (_, xy, xz), (_, _, yz), _ = ranks
    truth = (xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2))
    held = 0
    for _ in range(STUDIES):
        found = partial_correlation(*(root @ random.normal(size=(3, n))))
        held += math.isnan(found["lower"]) or found["lower"] <= truth <= found["upper"]
    return held / STUDIES


def seeds_table() -> list[str]:
    """Return the coverage of means of signs over seeds as lines of Markdown.

    The sign of each of 24 pairs, which the same cells of each seed have, is that of a fixed
    difference and a seed's own normal one. Of studies whose seeds all agree there is no interval;
    these are counted apart.
    """
    lines = ["| seeds | " + " | ".join(f"{s:g} | none" for s in SPREADS) + " |"]
    lines.append("|---:|" + "---:|" * (2 * len(SPREADS)))
    for n in SEEDS:
        cells = []
        for spread in SPREADS:
            held, none = _of_signs(n, spread)
            cells += [f"{100 * held:.1f} %", f"{100 * none:.1f} %"]
        lines.append(f"| {n} | {' | '.join(cells)} |")
    return lines


def _of_signs(n: int, spread: float) -> tuple[float, float]:
    """Return how often intervals hold the mean, of those that are there, and how often none is."""
    random = np.random.default_rng([n, round(10 * spread)])
    fixed = random.normal(size=PAIRS)

    def taus(*size: int) -> np.ndarray:
        return np.sign(fixed + spread * random.normal(size=(*size, PAIRS))).mean(axis=-1)

    truth = taus(LONG).mean()
    lower, upper = t_interval(*mean_over_seeds(taus(n, OF_SEEDS)))
    there = np.isfinite(lower)
    held = (lower <= truth) & (truth <= upper)
    return held[there].mean(), 1 - there.mean()


if __name__ == "__main__":
    print(f"{100 * LEVEL:.0f} % intervals\n")
    for part in (seeds_table(), partial_table()):
        print("\n".join(part), end="\n\n", flush=True)
