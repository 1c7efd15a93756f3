"""Intervals of shares of variance and their comparison, against matrices and simulations."""

import numpy as np
import pytest
from scipy import stats

from minimascope.analysis.quadratic_forms import Sums, basis, interval, p_larger

N = 24


@pytest.fixture(scope="module")
def design():
    """Projections [n, n] of two crossed settings that are not balanced, and of the residual."""
    random = np.random.default_rng(3)
    first = np.eye(4)[random.integers(0, 4, N)]
    second = np.eye(3)[random.integers(0, 3, N)]
    ones = np.ones((N, 1))

    def onto(*blocks):
        columns = np.column_stack(blocks)
        return columns @ np.linalg.pinv(columns)

    full = onto(ones, first, second)
    return {
        "first": full - onto(ones, second),
        "second": full - onto(ones, first),
        "residual": np.eye(N) - full,
        "total": np.eye(N) - onto(ones),
        "blocks": (ones, first, second),
    }


def rank(projection):
    return round(np.trace(projection))


def one_of(projection):
    """A vector of length 1 in the space of a projection."""
    vector = projection @ np.arange(N)
    return vector / np.sqrt(vector @ vector)


def in_errors(values, form, error):
    """y'My over its standard error, from the whole matrix of the form."""
    square = form @ form
    moved = max(values @ square @ values - error * np.trace(square), 0)
    return values @ form @ values / np.sqrt(4 * error * moved + 2 * error**2 * np.trace(square))


def sums_of(values, design, name="first"):
    over = values @ design["total"] @ values
    share, rest = (values @ design[key] @ values / over for key in (name, "residual"))
    return Sums(share, rank(design[name]), rest, rank(design["residual"]), N)


def test_a_basis_spans_what_columns_add_to_others(design):
    ones, first, second = design["blocks"]
    own = basis(np.column_stack([ones, first, second]), np.column_stack([ones, second]))
    np.testing.assert_allclose(own @ own.T, design["first"], atol=1e-10)
    nothing = basis(np.column_stack([ones, second]), np.column_stack([ones, first, second]))
    assert nothing.shape == (N, 0)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.7])
def test_the_statistic_of_a_share_is_that_of_the_whole_form(design, share):
    """In the mean lie the settings' share and what errors leave to others, all of the total."""
    values = np.random.default_rng(5).normal(size=N) + design["blocks"][1] @ [0, 1, 2, 3]
    values /= np.sqrt(values @ design["total"] @ values)
    sums = sums_of(values, design)
    form = design["first"] - share * design["total"]
    form = form - sums.df / sums.df_rest * design["residual"]
    error = values @ design["residual"] @ values / sums.df_rest
    others = design["total"] - design["first"] - design["residual"]
    left = max(1 - share - (N - 1) * error, 0)
    mean = np.sqrt(share) * one_of(design["first"]) + np.sqrt(left) * one_of(others)
    variance = 4 * error * mean @ form @ form @ mean + 2 * error**2 * np.trace(form @ form)
    assert sums.statistic(share) == pytest.approx(values @ form @ values / np.sqrt(variance))


def test_an_interval_ends_where_the_statistic_is_students(design):
    values = np.random.default_rng(6).normal(size=N) + design["blocks"][1] @ [0, 1, 2, 3]
    sums = sums_of(values, design)
    lower, upper = interval(sums)
    t = stats.t.ppf(0.975, sums.df_rest)
    assert sums.statistic(lower) == pytest.approx(t)
    assert sums.statistic(upper) == pytest.approx(-t)
    assert lower < sums.adjusted < upper


def test_intervals_begin_above_zero_where_the_f_test_rejects_no_share(design):
    first, ends = design["blocks"][1], set()
    for seed in range(60):
        values = np.random.default_rng([1, seed]).normal(size=N) + 0.3 * first @ [0, 1, 2, 3]
        sums = sums_of(values, design)
        lower, upper = interval(sums)
        lost, left = (values @ design[key] @ values for key in ("first", "residual"))
        f_value = (lost / sums.df) / (left / sums.df_rest)
        assert (lower > 0) == (stats.f.sf(f_value, sums.df, sums.df_rest) <= 0.025)
        assert lower < upper < 1
        ends.add(lower > 0)
    assert ends == {True, False}


def test_intervals_hold_the_true_share_as_often_as_they_promise(design):
    mean = design["blocks"][1] @ [0, 1, 2, 3] + design["blocks"][2] @ [0, 0.5, 1]
    total = mean @ design["total"] @ mean + (N - 1)
    for name in ("first", "second"):
        truth, held = mean @ design[name] @ mean / total, 0
        for seed in range(600):
            values = mean + np.random.default_rng([7, seed]).normal(size=N)
            lower, upper = interval(sums_of(values, design, name))
            held += lower <= truth <= upper
        assert held / 600 >= 0.95 - 0.03


def test_which_of_two_shares_is_larger_is_the_test_of_the_whole_form(design):
    ones, first, second = design["blocks"]
    every = np.column_stack([ones, first, second])
    own = basis(every, np.column_stack([ones, second]))
    other = basis(every, np.column_stack([ones, first]))
    rest = basis(np.eye(N), every)
    values = np.random.default_rng(8).normal(size=N) + first @ [0, 1, 2, 3]
    k = (own.shape[1] - other.shape[1]) / rest.shape[1]
    form = design["first"] - design["second"] - k * design["residual"]
    error = values @ design["residual"] @ values / rest.shape[1]
    expected = stats.t.sf(in_errors(values, form, error), rest.shape[1])
    assert p_larger(values, own, other, rest) == pytest.approx(expected)
    assert p_larger(values, other, own, rest) == pytest.approx(1 - expected)


def test_equal_shares_are_seldom_found_unequal(design):
    ones, first, second = design["blocks"]
    every = np.column_stack([ones, first, second])
    own = basis(every, np.column_stack([ones, second]))
    other = basis(every, np.column_stack([ones, first]))
    rest = basis(np.eye(N), every)
    # Scaled so that both sums of squares of the mean are the same.
    mean, mirrored = own[:, 0], other[:, 0]
    forms = design["first"] - design["second"]
    a, b, c = mirrored @ forms @ mirrored, 2 * mean @ forms @ mirrored, mean @ forms @ mean
    both = 4 * (mean + max(np.roots([a, b, c]).real) * mirrored)
    assert abs(both @ forms @ both) < 1e-9
    found = sum(
        p_larger(both + np.random.default_rng([9, s]).normal(size=N), own, other, rest) <= 0.025
        for s in range(600)
    )
    assert found / 600 <= 0.025 + 0.02
