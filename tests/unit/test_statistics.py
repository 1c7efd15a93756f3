"""Paired comparisons against plain enumeration and SciPy."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from table_frames import condition_rows, measure_rows, pair_rows, read_again

from minimascope.analysis.render import html, markdown
from minimascope.analysis.statistics import (
    COLUMNS,
    NO_BASELINE,
    bootstrap_interval,
    comparison,
    holm,
    paired_differences,
    rank_biserial,
    signed_rank,
    smallest_p,
    statistics,
    text,
)
from minimascope.analysis.summary import seed_values
from minimascope.errors import InputError

CONDITIONS = ("baseline", "sam", "noise")
CONDITION_ROWS = condition_rows(CONDITIONS, [None, "baseline", "baseline"])
NUMBERS = st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=7)
FEW_EXAMPLES = settings(deadline=None, max_examples=40)


def values_frame(seeds=7, measures=("test_accuracy", "sam_sharpness")):
    random = np.random.default_rng(2)
    values = {
        (condition, measure): 5 + np.arange(seeds) + i + 0.1 * random.random(seeds)
        for measure in measures
        for i, condition in enumerate(CONDITIONS)
    }
    return measure_rows(values, unit="fraction")


def rank_sums(differences):
    """Sums of the ranks above and below zero, by a plain loop."""
    nonzero = [d for d in differences if d != 0]
    ranks = [
        sum(abs(e) < abs(d) for e in nonzero) + (sum(abs(e) == abs(d) for e in nonzero) + 1) / 2
        for d in nonzero
    ]
    pairs = list(zip(nonzero, ranks, strict=True))
    return sum(r for d, r in pairs if d > 0), sum(r for d, r in pairs if d < 0)


@FEW_EXAMPLES
@given(NUMBERS)
def test_rank_biserial_is_the_share_of_rank_sums(differences):
    above, below = rank_sums(differences)
    expected = (above - below) / (above + below) if above + below else 0
    assert rank_biserial(np.array(differences)) == pytest.approx(expected)


@FEW_EXAMPLES
@given(NUMBERS)
def test_the_signed_rank_test_counts_all_changes_of_sign(differences):
    p_value, method = signed_rank(np.array(differences))
    nonzero = [d for d in differences if d]
    if not nonzero:
        assert np.isnan(p_value)
        return
    above, below = rank_sums(nonzero)
    as_extreme = [
        min(rank_sums([s * d for s, d in zip(sign, nonzero, strict=True)])) <= min(above, below)
        for sign in product((-1, 1), repeat=len(nonzero))
    ]
    assert p_value == pytest.approx(np.mean(as_extreme))
    assert method == "exact"
    assert p_value >= smallest_p(len(nonzero)) * (1 - 1e-12)


@pytest.mark.parametrize("seeds", range(1, 12))
def test_the_smallest_p_value_is_that_of_differences_of_one_sign(seeds):
    p_value, _ = signed_rank(np.arange(1.0, seeds + 1))
    assert p_value == pytest.approx(smallest_p(seeds))


def test_many_differences_with_ties_are_approximated():
    differences = np.repeat([1.0, 2.0, -3.0], 10)
    expected = stats.wilcoxon(differences, method="asymptotic").pvalue
    assert signed_rank(differences) == (expected, "normal approximation")
    assert signed_rank(np.arange(1.0, 51))[1] == "exact"


def test_differences_below_rounding_are_none():
    differences = paired_differences([0.1 + 0.2, 1.0, np.nan, np.inf], [0.3, 0.5, 1.0, 1.0])
    assert differences[:2].tolist() == [0.0, 0.5]
    assert np.isnan(differences[2:]).all()
    # Of several conditions at once, each by its own scale.
    both = paired_differences([[0.1 + 0.2, 0.1 + 0.2]], [[0.3, 1e9]])
    assert both[0].tolist() == pytest.approx([0.0, 0.3 - 1e9])
    assert both[0, 0] == 0
    small = paired_differences([2e-15, 3e-15], [1e-15, 5e-15])
    np.testing.assert_allclose(small, [1e-15, -2e-15])
    assert paired_differences([0.0, 0.0], [0.0, 0.0]).tolist() == [0, 0]


def test_the_bootstrap_interval_of_three_seeds_is_that_of_all_27_resamples():
    differences = np.array([1.0, 2.0, 4.0])
    means = [np.mean(draw) for draw in product(differences, repeat=3)]
    expected = np.quantile(means, [0.025, 0.975], method="inverted_cdf")
    assert bootstrap_interval(differences) == pytest.approx(tuple(expected), abs=1e-9)


def test_the_bootstrap_interval_of_many_seeds_is_that_of_a_normal_mean():
    differences = np.random.default_rng(1).normal(3, 2, 400)
    expected = stats.norm.interval(0.95, differences.mean(), stats.sem(differences))
    assert bootstrap_interval(differences) == pytest.approx(expected, abs=0.03)


@FEW_EXAMPLES
@given(st.permutations(range(6)))
def test_the_order_of_seeds_changes_nothing(order):
    random = np.random.default_rng(0)
    first, second = pd.Series(random.normal(size=6)), pd.Series(random.normal(size=6))
    found = comparison(first, second, "test_accuracy")
    again = comparison(first[list(order)], second[list(order)], "test_accuracy")
    assert again == pytest.approx(found)


def test_the_other_direction_has_the_other_sign_and_the_same_p_value():
    random = np.random.default_rng(0)
    first, second = pd.Series(random.normal(size=8)), pd.Series(random.normal(size=8))
    found = comparison(first, second, "test_accuracy")
    back = comparison(second, first, "test_accuracy")
    for name in ("difference", "rank_biserial"):
        assert back[name] == pytest.approx(-found[name])
    assert (back["p_value"], back["smallest_p"]) == (found["p_value"], found["smallest_p"])
    ends = (-found["upper"], -found["lower"])
    assert (back["lower"], back["upper"]) == pytest.approx(ends, abs=0.1)


def test_rows_hold_the_numbers_of_numpy_and_scipy():
    values = values_frame()
    table = statistics(values, CONDITION_ROWS)
    assert list(table.columns) == COLUMNS
    assert len(table) == 2 * 2
    row = table[(table["measure"] == "sam_sharpness") & (table["condition"] == "noise")].iloc[0]
    part = values[values["measure"] == "sam_sharpness"].pivot(index="seed", columns="condition")
    noise, baseline = part["value", "noise"], part["value", "baseline"]
    assert row["difference"] == pytest.approx((noise - baseline).mean())
    assert row["standard_error"] == pytest.approx((noise - baseline).std() / np.sqrt(7))
    assert row["p_value"] == pytest.approx(stats.wilcoxon(noise, baseline).pvalue) == 2**-6
    assert (row["n"], row["tests"], row["smallest_p"]) == (7, 2, 2**-6)
    assert (row["rank_biserial"], row["level"], row["unit"]) == (1, 0.95, "fraction")


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holms_correction_equals_that_of_statsmodels(p_values):
    p_values = np.array(p_values)
    expected = multipletests(p_values, method="holm")[1] if len(p_values) else p_values
    np.testing.assert_allclose(holm(p_values), expected, rtol=1e-12)


def test_p_values_of_a_measure_are_corrected_by_holms_plain_loop():
    values = values_frame(seeds=8)
    values.loc[values["condition"] == "noise", "value"] -= 3 * (values["seed"] % 4 != 0)
    # One that cannot be tested has no share in the correction.
    few = values[(values["condition"] == "sam") & (values["seed"] < 3)].assign(condition="few")
    conditions = condition_rows([*CONDITIONS, "few"], [None, *["baseline"] * 3])
    table = statistics(pd.concat([values, few]), conditions)
    for _, rows in table.groupby("measure"):
        found = rows.set_index("condition")
        smaller, larger = sorted(found["p_value"].dropna())
        assert smaller < larger
        expected = {smaller: 2 * smaller, larger: min(1, max(2 * smaller, larger))}
        for name in ("sam", "noise"):
            assert found.at[name, "p_holm"] == pytest.approx(expected[found.at[name, "p_value"]])
        assert np.isnan(found.at["few", "p_holm"])
        assert set(found["tests"]) == {2}


def test_three_seeds_have_no_p_value_but_the_reason():
    table = statistics(values_frame(seeds=3), CONDITION_ROWS)
    assert table[["p_value", "p_holm"]].isna().all(axis=None)
    assert set(table["note"]) == {"3 pairs cannot reach 0.05: no p-value is below 0.25"}
    for shown in (markdown(text(table)), html(text(table))):
        assert "With 3 seeds no signed-rank test can reach 0.05" in shown
        assert "It takes 6 seeds or more." in shown
    assert "none < 0.25" in markdown(text(table))
    assert "p = 0.25" not in markdown(text(table))


def test_six_seeds_reach_it_alone_but_not_after_holm():
    six = markdown(text(statistics(values_frame(seeds=6), CONDITION_ROWS)))
    assert "With 6 seeds and 2 conditions tested by a measure, no p-value can be below 0.062" in six
    ten = markdown(text(statistics(values_frame(seeds=10), CONDITION_ROWS)))
    assert "whatever the data." not in ten.split("Baseline: baseline.")[1]


def test_equal_pairs_do_not_count_towards_what_a_test_can_reach():
    values = values_frame(seeds=7, measures=("test_accuracy",))
    values.loc[values["seed"] > 2, "value"] = 0.5
    row = statistics(values, CONDITION_ROWS).iloc[0]
    assert row["note"] == (
        "3 pairs that differ (4 are equal) cannot reach 0.05: no p-value is below 0.25"
    )
    assert row["smallest_p"] == 0.25


def test_one_seed_has_a_difference_and_nothing_else():
    table = statistics(values_frame(seeds=1), CONDITION_ROWS)
    row = table.iloc[0]
    assert np.isfinite(row["difference"])
    assert row[["standard_error", "lower", "upper", "p_value"]].isna().all()
    assert markdown(text(table))


def test_conditions_without_a_baseline_are_not_compared():
    nothing = statistics(values_frame(), read_again(condition_rows(CONDITIONS, None)))
    assert nothing.empty
    assert list(nothing.columns) == COLUMNS
    assert NO_BASELINE in markdown(text(nothing))
    assert NO_BASELINE in html(text(nothing))


def test_cells_of_a_sweep_are_compared_each_with_their_own_baseline():
    table = statistics(values_frame(), condition_rows(CONDITIONS, [None, "baseline", "sam"]))
    pairs = table[["condition", "baseline"]].drop_duplicates()
    assert pairs.to_numpy().tolist() == [["sam", "baseline"], ["noise", "sam"]]
    assert "Baseline" in markdown(text(table)).splitlines()[0]


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="conditions: no column 'baseline'"):
        statistics(values_frame(), CONDITION_ROWS.drop(columns="baseline"))


def test_measures_of_pairs_are_compared_but_not_tested():
    random = np.random.default_rng(0)
    pairs = [(a, b) for a in range(7) for b in range(a)]
    frame = pd.concat(
        pair_rows(dict(zip(pairs, random.random(len(pairs)), strict=True)), condition)
        for condition in CONDITIONS
    )
    table = statistics(seed_values(values_frame(), frame), CONDITION_ROWS)
    row = table.set_index(["measure", "condition"]).loc[("prediction_disagreement", "sam")]
    means = frame.groupby("condition_a")["prediction_disagreement"].mean()
    assert row["difference"] == pytest.approx(means["sam"] - means["baseline"])
    assert np.isnan(row[["p_value", "smallest_p"]].astype(float)).all()
    assert "not tested" in markdown(text(table))
