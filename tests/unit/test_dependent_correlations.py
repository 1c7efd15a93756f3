"""Differences of correlations that share a variable, against the delta method and simulations."""

import math
from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from minimascope.analysis.dependent_correlations import difference_of_correlations
from minimascope.analysis.rank_correlation import rank_correlation


def drawn(seed, n=20, strengths=(0.3, 0.6, 0.7)):
    first, second, both = strengths
    matrix = np.array([[1, first, second], [first, 1, both], [second, both, 1]])
    noise = np.random.default_rng(seed).normal(size=(3, n))
    return np.linalg.cholesky(matrix) @ noise


def delta_method(matrix):
    """The correlation of r01 and r02 in large normal samples, by numeric derivatives.

    Of sample covariances cov(s_ij, s_kl) = (σ_ik σ_jl + σ_il σ_jk) / n (Isserlis 1918).
    """
    pairs = list(combinations_with_replacement(range(3), 2))
    spread = np.array(
        [
            [matrix[i, a] * matrix[j, b] + matrix[i, b] * matrix[j, a] for a, b in pairs]
            for i, j in pairs
        ]
    )

    def r(sums, a, b):
        at = dict(zip(pairs, sums, strict=True))
        return at[a, b] / math.sqrt(at[a, a] * at[b, b])

    center, step = np.array([matrix[pair] for pair in pairs]), 1e-6
    gradients = np.array(
        [
            [(r(center + e, 0, b) - r(center - e, 0, b)) / (2 * step) for e in step * np.eye(6)]
            for b in (1, 2)
        ]
    )
    covariance = gradients @ spread @ gradients.T
    return covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1])


@pytest.mark.parametrize("strengths", [(0.3, 0.6, 0.7), (-0.5, 0.4, 0.1), (0.0, 0.0, 0.8)])
def test_the_interval_is_zous_with_the_correlation_of_the_delta_method(strengths):
    x, first, second = drawn(4, strengths=strengths)
    own, other = rank_correlation(x, first), rank_correlation(x, second)
    matrix = stats.spearmanr(np.column_stack([x, first, second])).statistic
    c = delta_method(matrix)
    a, b = own["value"] - own["lower"], other["upper"] - other["value"]
    d, e = own["upper"] - own["value"], other["value"] - other["lower"]
    value = own["value"] - other["value"]
    found = difference_of_correlations(x, first, second)
    assert found["value"] == pytest.approx(value)
    assert found["lower"] == pytest.approx(value - math.sqrt(a**2 + b**2 - 2 * c * a * b), abs=1e-6)
    assert found["upper"] == pytest.approx(value + math.sqrt(d**2 + e**2 - 2 * c * d * e), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 30))
def test_an_interval_excludes_zero_exactly_where_p_is_at_most_one_in_twenty(seed, n):
    found = difference_of_correlations(*drawn(seed, n))
    holds = found["lower"] <= 0 <= found["upper"]
    assert holds == (found["p_value"] > 0.05)
    assert found["lower"] <= found["value"] <= found["upper"]


def test_the_difference_the_other_way_round_is_the_negative_one():
    x, first, second = drawn(7)
    there, back = (
        difference_of_correlations(x, *own) for own in ((first, second), (second, first))
    )
    assert back["value"] == pytest.approx(-there["value"])
    assert back["lower"] == pytest.approx(-there["upper"])
    assert back["p_value"] == pytest.approx(there["p_value"])


def test_an_evaluation_differs_in_nothing_from_itself():
    x, first, _ = drawn(8)
    found = difference_of_correlations(x, first, first)
    assert (found["value"], found["p_value"]) == (0, 1)
    assert found["lower"] <= 0 <= found["upper"]


def test_points_that_are_not_finite_are_left_out():
    x, first, second = drawn(9)
    holed = first.copy()
    holed[3] = np.nan
    kept = np.arange(20) != 3
    expected = difference_of_correlations(x[kept], first[kept], second[kept])
    assert difference_of_correlations(x, holed, second) == expected
    assert expected["n"] == 19


def test_few_points_have_no_interval_and_say_why():
    found = difference_of_correlations(*drawn(1, 4))
    assert math.isnan(found["lower"])
    assert "no order of 4 conditions" in found["note"]
    assert difference_of_correlations(*drawn(1, 2))["note"] == "fewer than 3 conditions"


@pytest.mark.parametrize("n", [8, 16, 38])
def test_intervals_hold_the_true_difference_as_often_as_they_promise(n):
    """400 studies: the error of the share is 1.1 %; a bootstrap holds it in 93 % at n = 8."""
    truth = 6 / math.pi * (math.asin(0.3) - math.asin(0.15))
    held = 0
    for seed in range(400):
        x, first, second = drawn([n, seed], n, (0.3, 0.6, 0.8))
        found = difference_of_correlations(x, second, first)
        held += found["lower"] <= truth <= found["upper"]
    assert held / 400 >= 0.95 - 0.033
