"""Made-up networks of a sweep for the tests of what predicts their gap."""

from itertools import product

import pandas as pd
from table_frames import measure_rows

RATES, SIZES, BASES = (0.01, 0.1, 1.0), (25, 100), ("baseline", "decay")
FAMILIES = {"log_path_norm": "norms"} | dict.fromkeys(
    ("boundary_distance", "jacobian_norm", "test_jacobian_norm"), "input"
)


def sweep(gap, measures, seeds=3, rates=RATES, sizes=SIZES, bases=BASES, n=10**8):
    """Tables of measures and of conditions of a sweep over rates and sizes of each base condition.

    Args:
        gap: from base, rate, size and seed to the gap, in pp.
        measures: likewise, by name.
        seeds: how many.
        rates: swept.
        sizes: swept.
        bases: conditions.
        n: number of test samples; so many leave gaps without noise.
    """
    cells = {
        f"{base}-{rate:g}-{size}": (base, rate, size)
        for base, rate, size in product(bases, rates, sizes)
    }
    values = {}
    for name, cell in cells.items():
        gaps = [gap(*cell, seed) for seed in range(seeds)]
        values[name, "generalisation_gap"] = gaps
        values[name, "test_accuracy"] = [1 - each / 100 for each in gaps]
        for measure, function in measures.items():
            values[name, measure] = [function(*cell, seed) for seed in range(seeds)]
    conditions = pd.DataFrame(
        {
            "dataset": "digits",
            "network": "vit",
            "condition": list(cells),
            "base_condition": [base for base, _, _ in cells.values()],
            "matched": True,
            "batch_size": [size for _, _, size in cells.values()],
            "optimizer.lr": [rate for _, rate, _ in cells.values()],
            # A setting of the base condition, which no sweep varies.
            "optimizer.weight_decay": [0.1 * (base == "decay") for base, _, _ in cells.values()],
        }
    )
    rows = measure_rows(values, n=n)
    return rows.assign(family=rows["measure"].map(FAMILIES).fillna(rows["family"])), conditions
