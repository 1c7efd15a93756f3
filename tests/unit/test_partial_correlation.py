"""The partial rank correlation against residuals, simulations and its own symmetries."""

import math

import numpy as np
import pytest
from scipy import stats

from minimascope.analysis.partial_correlation import partial_correlation


def of_residuals(x, y, given):
    """What is left of ranks after a regression on the ranks of the third, correlated."""
    x, y, given = (stats.rankdata(values) for values in (x, y, given))
    line = np.column_stack([np.ones(len(given)), given])
    left = [values - line @ np.linalg.lstsq(line, values)[0] for values in (x, y)]
    return np.corrcoef(*left)[0, 1]


@pytest.mark.parametrize("n", [4, 6, 12, 30])
def test_it_is_the_correlation_of_the_residuals_of_ranks(n):
    random = np.random.default_rng(n)
    x, y, given = random.normal(size=(3, n)).round(1) + random.normal(size=n).round(1)
    found = partial_correlation(x, y, given)
    assert found["value"] == pytest.approx(of_residuals(x, y, given))
    assert math.isnan(found["lower"]) == (n < 6)


def test_a_common_cause_leaves_nothing_and_no_network_counts_as_one():
    random = np.random.default_rng(0)
    given = random.normal(size=400)
    x, y = (given + 0.5 * random.normal(size=400) for _ in range(2))
    assert stats.spearmanr(x, y)[0] > 0.6
    assert abs(partial_correlation(x, y, given)["value"]) < 0.15
    # Two networks far apart in all three.
    networks = np.repeat(["a", "b"], 200)
    shift = 50.0 * (networks == "b")
    moved = partial_correlation(x + shift, y + shift, given, networks)
    assert moved["value"] == partial_correlation(x, y, given, networks)["value"]


def test_interval_and_p_value_agree_and_turn_with_the_sign():
    for seed in range(60):
        x, y, given = np.random.default_rng(seed).normal(size=(3, 9))
        y = y + x * (seed % 3)
        found, turned = partial_correlation(x, y, given), partial_correlation(-x, y, given)
        assert (found["lower"] > 0 or found["upper"] < 0) == (found["p_value"] <= 0.05)
        assert turned["lower"] == pytest.approx(-found["upper"])
        assert found["lower"] <= found["value"] <= found["upper"]


def test_quantities_of_one_order_cannot_be_told_apart():
    x, given = np.arange(8.0), np.arange(8.0) ** 3
    found = partial_correlation(
        x, [1, 0, 2, 3, 4, 5, 6, 7], given, names=("sharpness", "y", "error")
    )
    assert math.isnan(found["value"])
    assert found["note"] == "sharpness has the order of error"


def test_six_conditions_are_never_quite_sure():
    given = [3, 5, 0, 4, 1, 2]
    found = partial_correlation(range(6), range(6), given)
    assert found["value"] == pytest.approx(1)
    assert found["p_value"] > 1 / math.factorial(6)
    assert found["upper"] == 1


def test_the_interval_holds_what_it_promises():
    """At n = 12, the third explains half of both; simulation error 1.3 %."""
    random, truth, held = np.random.default_rng(5), 0.0, 0
    for _ in range(300):
        given = random.normal(size=12)
        x, y = (given + random.normal(size=12) for _ in range(2))
        found = partial_correlation(x, y, given)
        held += found["lower"] <= truth <= found["upper"]
    assert held / 300 > 0.91
