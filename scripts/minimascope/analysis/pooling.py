"""Whether a trend over all networks is the reverse of that within each."""

import numpy as np
import pandas as pd

from .comparable import Comparable
from .correlations import ALL_NETWORKS
from .evidence import Evidence, all_of, any_of, unknown
from .findings import (
    PAIRS,
    Finding,
    evaluations_of,
    judged,
    measure_label,
    sharpness_of,
    single,
)
from .numbers import format_interval
from .smallest_difference import SmallestDifference
from .trends import LOG, slope_difference, trends


def pooling_reverses(*networks: Comparable) -> Finding:
    """Return what is known of claim 5: some slope over all networks is the reverse of each one's.

    Points are the conditions' means, see `trends.trends`. A slope counts where over the range of
    sharpness it changes the evaluation by more than the smallest difference that matters.
    """
    means = pd.concat(
        network.means.assign(dataset=network.dataset, network=network.network)
        for network in networks
    )
    found = trends(means, sharpness_of(*networks), evaluations_of(*networks))
    parts = []
    for (measure, evaluation), rows in found.groupby(["sharpness", "evaluation"], sort=False):
        about = (
            f"{measure_label(networks[0], evaluation)} along {measure_label(networks[0], measure)}"
        )
        smallest = networks[0].names[evaluation].smallest_difference
        sides = {row.network: _slope(row, means, smallest, about) for row in rows.itertuples()}
        rises, falls = sides.pop(ALL_NETWORKS)
        up = all_of([rises, *(own_falls for _, own_falls in sides.values())])
        down = all_of([falls, *(own_rises for own_rises, _ in sides.values())])
        parts.append(single(any_of([up, down]), about))
    reversed_ = found[(found["network"] == ALL_NETWORKS) & found["flips"].eq(True)]
    numbers = (
        f"The slope over all networks has the other sign than each network's own in"
        f" {len(reversed_)} of {len(parts)} {PAIRS}"
    )
    return judged(any_of, parts, numbers, PAIRS)


def _slope(
    row: tuple, means: pd.DataFrame, smallest: SmallestDifference, about: str
) -> tuple[Evidence, Evidence]:
    """Return what is known of a slope of `trends` rising, and of it falling, by what matters."""
    over_all = row.network == ALL_NETWORKS
    where = "all networks" if over_all else row.network
    if np.isnan(row.lower):
        nothing = unknown(f"{about} has no sure slope in {where}: {row.note}")
        return nothing, nothing
    points = means if over_all else means[means["network"] == row.network]
    points = points[[row.sharpness, row.evaluation]].dropna()
    x = points[row.sharpness]
    x = np.log10(x) if row.scale == LOG else x
    difference = slope_difference(x, points[row.evaluation], smallest)
    shown = format_interval(row.slope, row.lower, row.upper, ".3g")
    text = f"slope of {about} in {where}: {shown} (n = {row.n})"
    return difference.larger(text), difference.smaller(text)
