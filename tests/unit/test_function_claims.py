"""The claims about the function near the data, on made-up networks."""

import dataclasses

import numpy as np
import pytest
from claim_cases import made_up, values_and_conditions

from minimascope.analysis.claims import CLAIMS, claims, claims_measured, finding
from minimascope.analysis.evidence import (
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_APPLICABLE,
    SUPPORTED,
)
from minimascope.components import RECORDINGS

TIGHTER, COMPLEX = 10, 11
SHARPNESS = "fisher_rao_norm"


def network(boundaries, jacobians, error=0.1):
    """A network whose first condition is the baseline."""
    names = ("baseline", "sam", "noise")
    rows = zip(boundaries, jacobians, strict=True)
    means = {
        name: {"boundary_distance": b, "jacobian_norm": j, "test_accuracy": 0.9}
        for name, (b, j) in zip(names, rows, strict=False)
    }
    return made_up(means, error)


def points(sharpness, complexity, error, name="vit"):
    """A network whose conditions have these means."""
    rows = {
        f"c{i}": {SHARPNESS: s, "jacobian_norm": c, "test_accuracy": 1 - e}
        for i, (s, c, e) in enumerate(zip(sharpness, complexity, error, strict=True))
    }
    return made_up(rows, baseline="", network=name)


@pytest.mark.parametrize(
    ("boundaries", "jacobians", "expected"),
    [
        ((5, 3, 2), (1, 3, 4), SUPPORTED),
        # One condition is wider than the baseline.
        ((5, 3, 7), (1, 3, 4), CONTRADICTED),
        # One is less complex.
        ((5, 3, 2), (3, 1, 5), CONTRADICTED),
        ((5, 3, 4.9), (1, 3, 4), INCONCLUSIVE),
    ],
)
def test_all_conditions_have_to_be_tighter_and_more_complex(boundaries, jacobians, expected):
    assert finding(CLAIMS[TIGHTER], network(boundaries, jacobians)).verdict == expected


def test_conditions_that_are_no_regularised_controls_do_not_count():
    """The condition called noise is wider and simpler than the baseline."""
    whole = network((5, 3, 7), (2, 3, 1))
    assert finding(CLAIMS[TIGHTER], whole).verdict == CONTRADICTED
    found = finding(CLAIMS[TIGHTER], dataclasses.replace(whole, regularised=("sam",)))
    assert found.verdict == SUPPORTED
    assert "surely in 1 of 1 regularised condition," in found.numbers
    assert found.numbers.endswith("since they do not only regularise more: noise")
    none = dataclasses.replace(whole, regularised=())
    assert finding(CLAIMS[TIGHTER], none).verdict == NOT_APPLICABLE
    assert TIGHTER not in set(claims([none])["claim"])


def test_a_control_whose_seeds_are_not_matched_does_not_count():
    whole = network((5, 3, 7), (2, 3, 1))
    found = finding(CLAIMS[TIGHTER], dataclasses.replace(whole, unmatched=("noise",)))
    assert found.verdict == SUPPORTED


def test_the_table_of_conditions_says_which_are_controls():
    values, conditions = values_and_conditions(np.random.default_rng(0))
    rows = values[values["measure"] == SHARPNESS].assign(measure="jacobian_norm")
    sam = conditions.assign(regularised=conditions["condition"].eq("baseline_sam"))
    found = claims_measured(rows, sam, rows.iloc[:0], smallest_differences={}, recordings=[])
    [row] = found[found["claim"] == TIGHTER].to_dict("records")
    assert "1 regularised condition," in row["numbers"]


def test_both_halves_of_the_claim_have_a_verdict_of_their_own():
    found = finding(CLAIMS[TIGHTER], network((5, 3, 2), (3, 1, 2)))
    assert found.verdict == CONTRADICTED
    assert "Tighter boundaries than the baseline: surely in 2 of 2 regularised" in found.numbers
    assert "by itself supported. A more complex function" in found.numbers
    assert "surely in 0 of 2 regularised conditions, surely not in 2" in found.numbers
    assert "Jacobian norm (training data) of sam is" in found.decisive


def test_one_measure_is_judged_without_the_other():
    both = network((5, 3, 2), (3, 1, 2))
    alone = dataclasses.replace(both, means=both.means.drop(columns="jacobian_norm"))
    found = finding(CLAIMS[TIGHTER], alone)
    assert found.verdict == SUPPORTED
    assert "complex" not in found.numbers


def test_a_factor_of_each_seed_is_seen_where_means_overlap():
    """Seeds vary by a factor of a thousand, pairs by nothing: the test is paired."""
    values, conditions = values_and_conditions(np.random.default_rng(0))
    rows = values[values["measure"] == SHARPNESS].assign(measure="jacobian_norm")
    size = 10.0 ** rows["seed"] * (1 + 0.01 * np.random.default_rng(1).random(len(rows)))
    rows = rows.assign(value=size * rows["condition"].ne("baseline").add(1))
    found = claims_measured(rows, conditions, rows.iloc[:0], smallest_differences={}, recordings=[])
    [row] = found[found["claim"] == TIGHTER].to_dict("records")
    assert "surely in" in row["numbers"]
    assert "boundaries" not in row["numbers"]


def test_claims_whose_measures_were_not_taken_are_left_out():
    without = made_up({"baseline": {SHARPNESS: 1.0}, "sam": {SHARPNESS: 2.0}})
    for data in (without.data, RECORDINGS):
        found = claims([dataclasses.replace(without, data=data)])
        assert not {TIGHTER, COMPLEX} & set(found["claim"])
    assert finding(CLAIMS[TIGHTER], without).verdict == NOT_APPLICABLE
    assert "sharpness.input" in finding(CLAIMS[COMPLEX], without).decisive
    with_both = claims([network((5, 3, 2), (1, 3, 4))])
    assert TIGHTER in set(with_both["claim"])


N = 16
ORDER = np.arange(N, dtype=float)
MIXED = np.random.default_rng(3).permutation(N) / N


@pytest.mark.parametrize(
    ("complexity", "error", "expected"),
    [
        (ORDER, MIXED, SUPPORTED),
        (MIXED, ORDER / N, CONTRADICTED),
        # Closely with the accuracy is with the error, too.
        (MIXED, -ORDER / N, CONTRADICTED),
        (-ORDER, MIXED, CONTRADICTED),
        (MIXED, MIXED[::-1], INCONCLUSIVE),
    ],
)
def test_sharpness_goes_with_what_it_follows(complexity, error, expected):
    noisy = complexity + 0.3 * np.random.default_rng(4).normal(size=N) * np.ptp(complexity) / N
    found = finding(CLAIMS[COMPLEX], points(ORDER + 1, noisy, error))
    assert found.verdict == expected
    assert f"over {N} conditions" in found.numbers


def test_networks_that_differ_in_sharpness_and_complexity_support_nothing():
    """Over all conditions both rise from network to network; within each they do not."""
    shift, order = 100.0, np.array([3.0, 0, 6, 1, 7, 2, 5, 4])
    steps, error = np.arange(8.0), np.array([5.0, 2, 7, 0, 3, 6, 1, 4]) / 10
    low = points(steps, order, error, "vit")
    high = points(shift + steps, shift + order, error, "resnet18")
    found = finding(CLAIMS[COMPLEX], low, high)
    assert found.verdict == INCONCLUSIVE
    assert "16 conditions within 2 networks" in found.numbers
    rows = claims([low, high])
    assert list(rows.loc[rows["claim"] == COMPLEX, "network"]) == ["vit", "resnet18", "all"]


def test_too_few_conditions_have_no_interval():
    found = finding(CLAIMS[COMPLEX], points(ORDER[:5] + 1, ORDER[:5], MIXED[:5]))
    assert found.verdict == INCONCLUSIVE
    assert "has no interval" in found.unsure
