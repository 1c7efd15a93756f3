"""Correlations within networks, against SciPy, all orders and simulated studies."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from minimascope.analysis.dependent_correlations import difference_of_correlations
from minimascope.analysis.rank_correlation import rank_correlation
from minimascope.analysis.within_networks import correlation_within

SIZES = (6, 4)
NETWORKS = np.repeat(["vit", "cnn"], SIZES)


def drawn(seed, sizes=SIZES, together=0.0):
    """Normal pairs, without a difference between networks."""
    x, noise = np.random.default_rng(seed).normal(size=(2, sum(sizes)))
    return x, together * x + noise


def test_rho_is_the_mean_of_the_networks_by_their_degrees_of_freedom():
    x, y = drawn(0)
    first, second = stats.spearmanr(x[:6], y[:6])[0], stats.spearmanr(x[6:], y[6:])[0]
    found = correlation_within(x, y, NETWORKS)
    assert found["value"] == pytest.approx((5 * first + 3 * second) / 8)
    assert (found["n"], found["note"]) == (10, "")


@pytest.mark.parametrize("tied", [False, True])
def test_the_p_value_is_the_share_of_all_orders_within_networks(tied):
    x, y = drawn(1, sizes=(4, 3), together=1.0)
    if tied:
        y[:2] = y[0]
    networks = np.repeat(["a", "b"], (4, 3))

    def mean(first, second):
        of_both = stats.spearmanr(x[:4], first)[0], stats.spearmanr(x[4:], second)[0]
        return (3 * of_both[0] + 2 * of_both[1]) / 5

    every = [mean(*orders) for orders in product(permutations(y[:4]), permutations(y[4:]))]
    share = (np.abs(every) >= abs(mean(y[:4], y[4:])) - 1e-9).mean()
    # Of 19,999 draws, four standard errors.
    error = 4 * np.sqrt(share * (1 - share) / 19_999)
    assert correlation_within(x, y, networks)["p_value"] == pytest.approx(share, abs=error)


def test_differences_between_networks_and_the_order_of_rows_change_nothing():
    x, y = drawn(2)
    found = correlation_within(x, y, NETWORKS)
    apart = np.where(NETWORKS == "vit", 100.0, 0.0)
    assert correlation_within(x + apart, y + apart, NETWORKS) == found
    order = np.random.default_rng(0).permutation(len(x))
    other = correlation_within(x[order], y[order], NETWORKS[order])
    assert other["p_value"] == found["p_value"]
    for key in ("value", "lower", "upper"):
        assert other[key] == pytest.approx(found[key])


def test_the_interval_excludes_zero_exactly_where_p_is_small():
    sure = []
    for seed in range(60):
        found = correlation_within(*drawn(seed, together=0.8), NETWORKS)
        sure.append(found["p_value"] <= 0.05)
        assert sure[-1] == (found["lower"] > 0 or found["upper"] < 0)
        assert -1 <= found["lower"] <= found["value"] <= found["upper"] <= 1
    assert 0 < sum(sure) < 60


def test_networks_far_apart_are_found_to_correlate_as_seldom_as_promised():
    """Of 400 studies without a correlation within networks 5 % may be sure, with 3.3 % of error."""
    apart = 3 * (NETWORKS == "vit")
    studies = [[values + apart for values in drawn(seed)] for seed in range(400)]
    within = np.mean([correlation_within(*s, NETWORKS)["p_value"] <= 0.05 for s in studies])
    pooled = np.mean([stats.spearmanr(*study).pvalue <= 0.05 for study in studies])
    assert within < 0.083
    assert pooled > 0.5


def test_of_a_single_network_it_is_the_rank_correlation():
    x, y = drawn(3)
    assert correlation_within(x, y, ["vit"] * 10) == rank_correlation(x, y)
    # A network with one condition, or equal values alone, orders nothing.
    alone = correlation_within([*x, 50.0], [*y, 50.0], ["vit"] * 10 + ["cnn"])
    assert alone == rank_correlation(x, y)
    same = correlation_within([*x, 7, 8, 9], [*y, 1, 1, 1], ["vit"] * 10 + ["cnn"] * 3)
    assert same == rank_correlation(x, y)


def test_values_that_differ_between_networks_alone_have_no_correlation():
    x, _ = drawn(4)
    found = correlation_within(x, np.where(NETWORKS == "vit", 2.0, 1.0), NETWORKS)
    assert np.isnan([found["value"], found["lower"], found["upper"], found["p_value"]]).all()
    assert found["note"] == "no network's conditions differ in all of the values"
    # Each evaluation is constant in one of them.
    first, second = (np.where(name == NETWORKS, x, 0.0) for name in ("vit", "cnn"))
    difference = difference_of_correlations(x, first, second, NETWORKS)
    assert np.isnan(difference["value"])
    assert difference["note"] == found["note"]


def test_too_few_orders_have_no_p_value():
    # 2! · 2! · 3! = 24 orders, of which two are perfect.
    found = correlation_within([1, 2, 1, 2, 1, 2, 3], [1, 2, 1, 2, 1, 2, 3], list("aabbccc"))
    assert found["value"] == pytest.approx(1)
    assert np.isnan([found["lower"], found["upper"], found["p_value"]]).all()
    assert found["note"] == ("too few: no order of 7 conditions within 3 networks reaches p = 0.05")
