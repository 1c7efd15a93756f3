"""Rank correlations: p-values of all orders, intervals that agree with them and hold."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from minimascope.analysis.rank_correlation import fewest_of, rank_correlation
from simulate_intervals import (
    CLOSED_FORM,
    CONDITIONS,
    HERE,
    SLOPE,
    correlations_table,
    coverage_of_correlations,
)

MEASURES = Path(__file__).parents[2] / "docs" / "measures.md"


@pytest.fixture(scope="module")
def covered():
    return coverage_of_correlations()


def drawn(n, strength=0.5, seed=0):
    x, noise = np.random.default_rng([seed, n]).normal(size=(2, n))
    return x, strength * x + np.sqrt(1 - strength**2) * noise


@pytest.mark.parametrize("n", [5, 6, 7])
def test_the_p_value_of_few_points_counts_all_orders(n):
    x = np.arange(n)
    every = np.array([stats.spearmanr(x, order).statistic for order in permutations(x)])
    random = np.random.default_rng(0)
    for order in (random.permutation(n) for _ in range(20)):
        found = rank_correlation(x, order)
        assert found["value"] == pytest.approx(stats.spearmanr(x, order).statistic)
        expected = np.mean(np.abs(every) >= abs(found["value"]) - 1e-9)
        assert found["p_value"] == pytest.approx(expected)


# The smallest ρ that is significant at 0.05, two-sided (Zar 1972, table 1).
@pytest.mark.parametrize(
    ("n", "critical"),
    [(5, 1.0), (6, 0.886), (7, 0.786), (8, 0.738), (9, 0.7), (10, 0.648), (11, 0.618), (12, 0.587)],
)
def test_critical_values_are_those_of_published_tables(n, critical):
    x = np.arange(n)
    random = np.random.default_rng(1)
    orders = [x, *(x[np.argsort(x + random.normal(scale=0.25 * n, size=n))] for _ in range(3000))]
    found = [rank_correlation(x, order) for order in orders]
    significant = [f["value"] for f in found if f["p_value"] <= 0.05 and f["value"] > 0]
    others = [f["value"] for f in found if f["p_value"] > 0.05]
    assert round(min(significant), 3) == critical
    assert max(others) < critical - 0.0005


@pytest.mark.parametrize("n", [13, 20, 100])
def test_the_p_value_of_more_points_is_that_of_scipy(n):
    x, y = drawn(n)
    y = y.round(1)
    found = rank_correlation(x, y)
    assert (found["value"], found["p_value"]) == pytest.approx(tuple(stats.spearmanr(x, y)))


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=5, max_size=16),
    st.booleans(),
)
def test_the_interval_excludes_zero_exactly_where_p_is_at_most_5_percent(points, steep):
    x, y = np.transpose(points).astype(float)
    found = rank_correlation(x, y + 3 * x if steep else y)
    if found["note"]:
        assert np.isnan(found["lower"])
    else:
        assert (found["lower"] * found["upper"] > 0) == (found["p_value"] <= 0.05)
        assert -1 <= found["lower"] <= found["value"] + 1e-12
        assert found["value"] - 1e-12 <= found["upper"] <= 1


@pytest.mark.parametrize("n", CONDITIONS)
def test_a_perfect_order_has_an_interval_up_to_one_or_is_too_few(n):
    x = np.arange(n)
    found, reverse = rank_correlation(x, x**3), rank_correlation(x, -x)
    assert found["value"] == pytest.approx(1)
    if n < 5:
        assert np.isnan([found["lower"], found["upper"], found["p_value"]]).all()
        assert found["note"] == f"too few: no order of {n} conditions reaches p = 0.05"
    else:
        assert 0 < found["lower"] < 1 == found["upper"]
        assert (reverse["lower"], reverse["upper"]) == (-1, -found["lower"])


def test_intervals_narrow_with_more_points():
    widths = []
    for n in (5, 6, 8, 10, 12, 13, 18, 36, 100):
        order = np.arange(n)
        order[[0, -1]] = order[[-1, 0]]
        x = np.concatenate([order, order + n])
        found = rank_correlation(np.arange(2 * n), x)
        widths.append(found["upper"] - found["lower"])
    assert widths == sorted(widths, reverse=True)


def test_equal_values_count_as_whichever_order_says_least():
    x, y = np.arange(6.0), np.array([0.0, 0, 0, 1, 1, 1])
    found = rank_correlation(x, y)
    least = rank_correlation(x, [2, 1, 0, 5, 4, 3])
    assert (found["lower"], found["p_value"]) == (least["lower"], least["p_value"])
    assert found["upper"] == 1
    assert found["value"] == pytest.approx(stats.spearmanr(x, y).statistic)
    # All orders of three equal values each: 2 of 20 are as far apart.
    assert found["p_value"] >= 2 / 20
    twice = rank_correlation([0.0, 0, 1, 2, 3, 4], [0.0, 0, 1, 2, 3, 4])
    assert twice["p_value"] == rank_correlation(x, [1, 0, 2, 3, 4, 5])["p_value"]


@pytest.mark.parametrize("n", [6, 12, 13, 36])
def test_heavy_tails_and_the_order_of_rows_change_nothing(n):
    x, y = drawn(n)
    found = rank_correlation(x, y)
    assert rank_correlation(np.exp(5 * x), np.sinh(4 * y)) == found
    assert rank_correlation(x[::-1], y[::-1]) == found
    swapped, mirrored = rank_correlation(y, x), rank_correlation(x, -y)
    for name, opposite in (("value", "value"), ("lower", "upper"), ("upper", "lower")):
        assert swapped[name] == pytest.approx(found[name])
        assert mirrored[name] == pytest.approx(-found[opposite])


@pytest.mark.parametrize("tests", [1, 3, 4, 15, 18, 19, 20, 126, 127])
def test_it_takes_so_many_points_for_a_perfect_order_to_be_sure_of_many_correlations(tests):
    def sure(n):
        p_values = [rank_correlation(range(n), range(n))["p_value"], *[1.0] * (tests - 1)]
        return multipletests(p_values, 0.05, "holm")[0][0]

    n = fewest_of(tests)
    assert sure(n)
    assert n == 5 or not sure(n - 1)


@pytest.mark.parametrize(
    ("x", "y", "note", "n"),
    [
        ([1.0, 2.0], [0.1, 0.2], "fewer than 3 conditions", 2),
        ([], [], "fewer than 3 conditions", 0),
        ([1.0, 2.0, np.nan, np.inf], [0.1, 0.2, 0.3, 0.4], "fewer than 3 conditions", 2),
        ([1.0, 1.0, 1.0], [0.1, 0.2, 0.3], "x is the same for all conditions", 3),
        ([1.0, 2.0, 3.0], [0.1, 0.1, 0.1], "y is the same for all conditions", 3),
    ],
)
def test_what_has_no_correlation_has_a_note(x, y, note, n):
    found = rank_correlation(x, y)
    assert (found["note"], found["n"]) == (note, n)
    assert np.isnan([found[key] for key in ("value", "lower", "upper", "p_value")]).all()


def test_intervals_of_correlations_cover_the_truth(covered):
    ours = covered[HERE]
    # Three standard errors of 1,000 studies are two percentage points.
    assert ours.loc[5:].to_numpy().min() >= 0.93
    assert ours[0.0].loc[8:].max() <= 0.97
    assert ours.loc[:4].isna().all(axis=None)
    # The closed form that it is made from does not with few conditions.
    assert covered.loc[6, (CLOSED_FORM, 0.9)] < 0.9


def test_intervals_of_slopes_cover_the_truth_with_as_many_conditions_as_those_of_correlations(
    covered,
):
    assert covered[SLOPE].loc[5:].sub(0.95).abs().max(axis=None) <= 0.021
    assert covered[SLOPE].loc[:4].isna().all(axis=None)


def test_the_table_of_coverage_in_the_docs_is_this_one(covered):
    assert "\n".join(correlations_table(covered)) in MEASURES.read_text()
