"""Correlations against SciPy on single resamples, and what has none."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from minimascope.analysis import correlations as module
from minimascope.analysis.correlations import COLUMNS, correlate, correlations, interval
from minimascope.errors import InputError

SCIPY = {
    "spearman": stats.spearmanr,
    "pearson": stats.pearsonr,
    "kendall": stats.kendalltau,
}


EVALUATIONS = ["test_accuracy", "accuracy_in_domain"]


def pairs(n=20, ties=False):
    random = np.random.default_rng(3)
    x = random.lognormal(4, 1, n)
    y = 0.5 + 0.05 * np.log(x) + 0.05 * random.normal(size=n)
    return (x.round(-2), y.round(1)) if ties else (x, y)


def models(networks=("cnn10", "cnn14"), n=10):
    x, y = pairs(n * len(networks))
    return pd.DataFrame(
        {
            "dataset": "scenes",
            "network": np.repeat(networks, n),
            "asc_sharpness": x,
            "test_accuracy": y,
            "accuracy_in_domain": 1 - y,
            "trained": True,
        }
    )


def rows(x, y, **options):
    return {row["statistic"]: row for row in correlate(x, y, **options)}


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("statistic", SCIPY)
def test_value_and_p_are_those_of_scipy(statistic, ties):
    x, y = pairs(ties=ties)
    row = rows(x, y, resamples=50)[statistic]
    expected = SCIPY[statistic](x, y)
    assert (row["value"], row["p_value"]) == pytest.approx(tuple(expected), rel=1e-9)
    assert row["n"] == 20
    assert row["note"] == ""


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("statistic", SCIPY)
def test_a_statistic_over_draws_is_that_of_each_resample(statistic, ties):
    x, y = pairs(12, ties)
    draws = np.random.default_rng(0).integers(12, size=(40, 12))
    found = module.STATISTICS[statistic][1](x, y, draws)
    expected = [SCIPY[statistic](x[drawn], y[drawn]).statistic for drawn in draws]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("statistic", SCIPY)
def test_resamples_that_drew_equal_values_have_no_correlation(statistic):
    x, y = np.array([0.1, 0.1, 0.1, 7.0]), np.array([1.0, 2.0, 3.0, 4.0])
    draws = np.array([[0, 1, 2], [3, 3, 3], [0, 1, 3]])
    # The mean of three times 0.1 is not 0.1 in floating point.
    assert x[draws[0]].mean() != 0.1
    found = module.STATISTICS[statistic][1](x, y, draws)
    assert np.isnan(found).tolist() == [True, True, False]


@pytest.mark.parametrize("statistic", SCIPY)
def test_the_interval_is_the_percentile_bootstrap_of_scipy(statistic):
    x, y = pairs(30)
    row = rows(x, y)[statistic]
    low, high = stats.bootstrap(
        (x, y),
        lambda a, b: SCIPY[statistic](a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=500,
        method="percentile",
        rng=5,
    ).confidence_interval
    assert (row["lower"], row["upper"]) == pytest.approx((low, high), abs=0.06)
    assert row["lower"] < row["value"] < row["upper"]


def test_accuracies_equal_but_for_rounding_errors_are_ties():
    y = np.array([0.1 + 0.2, 0.3, 0.5, 0.4])
    assert y[0] != y[1]
    x = np.array([2.0, 1.0, 4.0, 3.0])
    row = rows(x, y, resamples=10)["kendall"]
    assert row["value"] == pytest.approx(stats.kendalltau(x, [0.3, 0.3, 0.5, 0.4]).statistic)
    # Small sharpness keeps its digits.
    assert rows(x * 1e-15, y, resamples=10)["kendall"]["value"] == row["value"]


@pytest.mark.parametrize("y", [[1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 2.0], [4.0, 3.0, 1.0, 2.0]])
def test_the_p_value_of_few_models_counts_all_orders(y):
    x = np.array([0.1, 0.2, 0.3, 0.4])
    value = stats.spearmanr(x, y).statistic
    orders = [stats.spearmanr(x, order).statistic for order in permutations(y)]
    expected = np.mean(np.abs(orders) >= abs(value) - 1e-9)
    row = rows(x, y, resamples=10)["spearman"]
    assert (row["value"], row["p_value"]) == pytest.approx((value, expected))


def test_the_same_models_have_the_same_interval_again():
    x, y = pairs()
    assert correlate(x, y) == correlate(x, y)


@pytest.mark.parametrize(
    ("x", "y", "note", "n"),
    [
        ([1.0, 2.0], [0.1, 0.2], "fewer than 3 models", 2),
        ([], [], "fewer than 3 models", 0),
        ([1.0, 2.0, np.nan, np.inf], [0.1, 0.2, 0.3, 0.4], "fewer than 3 models", 2),
        ([1.0, 1.0, 1.0], [0.1, 0.2, 0.3], "sharpness is the same for all models", 3),
        ([1.0, 2.0, 3.0], [0.1, 0.1, 0.1], "evaluation is the same for all models", 3),
    ],
)
def test_what_has_no_correlation_has_a_note(x, y, note, n):
    for row in correlate(x, y):
        assert (row["note"], row["n"]) == (note, n)
        assert np.isnan([row[key] for key in ("value", "lower", "upper", "p_value")]).all()


def test_an_interval_tells_which_resamples_it_lacks():
    lower, upper, note = interval(np.array([0.1, np.nan, 0.3, 0.2]))
    assert (lower, upper) == pytest.approx((0.105, 0.295))
    assert note == "1 of 4 resamples are the same for all models, left out"
    assert interval(np.full(3, 1.0))[2] == "all resamples are alike: the interval has no width"
    assert interval(np.full(3, np.nan))[2] == "no resample has a correlation"


def test_all_networks_and_each_of_them_have_rows():
    table = correlations(models(), ["asc_sharpness"], EVALUATIONS, resamples=20)
    assert list(table.columns) == COLUMNS
    sizes = table.groupby("network", sort=False)["n"].agg(["size", "first"])
    assert sizes.to_dict() == {
        "size": {"all": 6, "cnn10": 6, "cnn14": 6},
        "first": {"all": 20, "cnn10": 10, "cnn14": 10},
    }
    one = table[(table["network"] == "cnn14") & (table["statistic"] == "pearson")]
    part = models().iloc[10:]
    expected = np.corrcoef(part["asc_sharpness"], part["test_accuracy"])[0, 1]
    assert one["value"].tolist() == pytest.approx([expected, -expected])
    other = pd.concat([models(), models(("vit",)).assign(dataset="digits")])
    apart = correlations(other, ["asc_sharpness"], EVALUATIONS, resamples=20)
    sizes = apart[apart["dataset"] == "digits"].groupby("network")["n"].first()
    assert sizes.to_dict() == {"all": 10}


def test_models_that_did_not_train_are_left_out_and_counted():
    some = models(("cnn10",), 10).assign(trained=[False] * 3 + [True] * 7)
    table = correlations(some, ["asc_sharpness"], EVALUATIONS, resamples=20)
    assert set(table["n"]) == {7}
    assert set(table["left_out"]) == {3}
    kept = models(("cnn10",), 10).iloc[3:]
    expected = stats.spearmanr(kept["asc_sharpness"], kept["test_accuracy"]).statistic
    assert table["value"].iloc[0] == pytest.approx(expected)


def test_a_measure_that_is_missing_is_named():
    with pytest.raises(InputError, match="models: no column 'hessian_trace'"):
        correlations(models(), ["hessian_trace"], EVALUATIONS)
