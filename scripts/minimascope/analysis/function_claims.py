"""What is known of the claims about the function that a network learnt, near the training data.

How tight its decision boundaries are, is the mean distance of samples to them; how complex it is,
the mean norm of the Jacobian of its logits. Points of correlations are the conditions' means,
within networks, as in `scene_claims`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .comparable import Comparable
from .correlations import DECIMALS
from .dependent_correlations import difference_of_correlations
from .evidence import SIGNIFICANT, Evidence, all_of, unknown
from .findings import (
    Finding,
    Part,
    difference_in_words,
    judged,
    measure_label,
    sharpness_of,
    shown_mean,
    single,
)
from .numbers import format_interval, format_number
from .partial_correlation import partial_correlation
from .scene_claims import names_of, points_of
from .tables import MAIN_MEASURES
from .within_networks import where_all_vary
from .wording import counted, in_words, listed

BOUNDARY, COMPLEXITY = "boundary_distance", "jacobian_norm"
ACCURACY, ERROR = "test_accuracy", "test error"
# Of each measure, in words: what the papers say of regularised conditions.
SAID = {BOUNDARY: "tighter boundaries", COMPLEXITY: "a more complex function"}
# Measures of the function, which are no sharpness of the loss, whatever their family is called.
OF_FUNCTION = (BOUNDARY, COMPLEXITY)


def tighter_and_more_complex(network: Comparable) -> Finding:
    """Return what is known of regularised conditions being tighter and more complex.

    That is, the boundary distance of each is smaller than the baseline's and its Jacobian norm
    larger, by more than what matters, paired by seed. Of what was not measured the claim says
    nothing, nor of conditions that are no regularised controls, which the numbers name.
    """
    parts: list[Part] = []
    said = []
    for measure in (name for name in SAID if network.has_any(name)):
        own = [single(_more(network, measure, name)) for name in network.regularised]
        parts += own
        said.append(_counted(measure, own))
    compared = (network.baseline, *network.regularised)
    if others := [name for name in network.conditions if name not in compared]:
        said.append(f"Not counted, since they do not only regularise more: {listed(others)}")
    return judged(all_of, parts, ". ".join(said), "comparisons")


def _more(network: Comparable, measure: str, name: str) -> Evidence:
    """Return what is known of a condition being tighter, or more complex, than the baseline."""
    label = measure_label(network, measure)
    difference = network.differences.get((measure, name, network.baseline))
    if difference is None:
        return unknown(f"{label} of {name} and {network.baseline} cannot be compared")
    text = (
        f"{label} of {name} is {shown_mean(network, name, measure)}, of {network.baseline}"
        f" {shown_mean(network, network.baseline, measure)}; {difference_in_words(difference)}"
    )
    return difference.smaller(text) if measure == BOUNDARY else difference.larger(text)


def _counted(measure: str, parts: Sequence[Part]) -> str:
    """Return in words how many comparisons by one measure are sure, either way, and all joined."""
    found = [part.evidence for part in parts]
    surely = sum(each.p_for <= SIGNIFICANT for each in found)
    surely_not = sum(each.p_against <= SIGNIFICANT for each in found)
    return (
        f"{SAID[measure].capitalize()} than the baseline: surely in {surely} of"
        f" {counted(len(found), 'regularised condition')}, surely not in {surely_not}; of all of"
        f" them by itself {all_of(found).verdict}"
    )


def with_complexity_not_error(*networks: Comparable) -> Finding:
    """Return what is known of sharpness going with complexity rather than with the test error.

    By each measure of sharpness that is two statements: at equal test error sharper conditions are
    more complex (partial rank correlation above zero), and sharpness goes with complexity more
    closely than with the error, be that upwards or downwards. Of two partial correlations of the
    same three quantities the larger one in size belongs to the larger plain one, since
    (1 - r_se²) (1 - ρ_sc²) = 1 - R² = (1 - r_sc²) (1 - ρ_se²); so the comparison is that of the
    plain ones, r_sc > r_se and r_sc > -r_se (`difference_of_correlations`).
    """
    parts, said = [], []
    for measure in _main(sharpness_of(*networks)):
        found, numbers = _of_measure(networks, measure)
        parts.append(single(found, in_words(measure, "sharpness")))
        said.append(numbers)
    points = points_of(networks, {"n": _usable(networks)})
    numbers = f"Spearman's ρ over {points}: {'; '.join(said)}"
    return judged(all_of, parts, numbers, "measures of sharpness")


def _of_measure(networks: Sequence[Comparable], measure: str) -> tuple[Evidence, str]:
    """Return what is known by one measure of sharpness, and its correlations in words."""
    x, complexity, error = (_values(networks, name) for name in (measure, COMPLEXITY, ACCURACY))
    error, names = -error, names_of(networks)
    sharp, complex_ = in_words(measure, "sharpness"), in_words(COMPLEXITY, "sharpness")
    words = (sharp, complex_, ERROR)
    with_complexity = partial_correlation(x, complexity, error, names, words)
    with_error = partial_correlation(x, error, complexity, names, (sharp, ERROR, complex_))
    closer = [
        difference_of_correlations(x, complexity, sign * error, names, words) for sign in (1, -1)
    ]
    shown = (
        f"{sharp} with complexity at equal error {_shown(with_complexity)}, with error at equal"
        f" complexity {_shown(with_error)}"
    )
    statements = [
        _above(with_complexity, f"{sharp} with complexity at equal test error"),
        _above(closer[0], f"{sharp} with complexity minus with the test error"),
        _above(closer[1], f"{sharp} with complexity minus with the test accuracy"),
    ]
    return all_of(statements), shown


def _above(found: Mapping[str, Any], said: str) -> Evidence:
    """Return what is known of a correlation, or a difference of two, being above zero."""
    if np.isnan(found["p_value"]):
        return unknown(f"ρ of {said} has no interval: {found['note']}")
    half = found["p_value"] / 2
    p_for = half if found["value"] > 0 else 1 - half
    text = f"ρ of {said} is {_shown(found)}"
    return Evidence(p_for, 1 - p_for, text, text)


def _shown(found: Mapping[str, Any]) -> str:
    if np.isnan(found["p_value"]):
        return format_number(found["value"], ".2f")
    return format_interval(found["value"], found["lower"], found["upper"], ".2f")


def _main(measures: Sequence[str]) -> list[str]:
    """Return the papers' measures of sharpness, or all where there are none of these."""
    measures = [name for name in measures if name not in OF_FUNCTION]
    return [name for name in MAIN_MEASURES if name in measures] or measures


def _values(networks: Sequence[Comparable], measure: str) -> np.ndarray:
    """Return the means of a measure, of all conditions of all networks."""
    found = np.concatenate([network.means[measure].to_numpy(float) for network in networks])
    return found.round(DECIMALS) if measure == ACCURACY else found


def _usable(networks: Sequence[Comparable]) -> int:
    columns = (_values(networks, name) for name in (COMPLEXITY, ACCURACY))
    return int(where_all_vary(names_of(networks), *columns).sum())
