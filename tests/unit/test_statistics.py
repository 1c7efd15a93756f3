"""Paired comparisons with the baseline, against SciPy and plain loops."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from table_frames import NO_PAIRS, condition_rows, measure_rows, pair_rows, read_again

from minimascope.analysis.render import html, markdown
from minimascope.analysis.statistics import (
    COLUMNS,
    NO_BASELINE,
    statistics,
    text,
)
from minimascope.analysis.summary import seed_values
from minimascope.errors import InputError

CONDITIONS = ("baseline", "sam", "noise")
CONDITION_ROWS = condition_rows(CONDITIONS, [None, "baseline", "baseline"])


def values_frame(seeds=7, measures=("test_accuracy", "sam_sharpness")):
    random = np.random.default_rng(2)
    values = {
        (condition, measure): 5 + np.arange(seeds) + i + 0.1 * random.random(seeds)
        for measure in measures
        for i, condition in enumerate(CONDITIONS)
    }
    return measure_rows(values, unit="fraction")


def compared(values, conditions=CONDITION_ROWS, **smallest_differences):
    return statistics(values, conditions, smallest_differences=smallest_differences)


def test_rows_hold_the_numbers_of_numpy_and_scipy():
    values = values_frame()
    table = compared(values, sam_sharpness=0.5)
    assert list(table.columns) == COLUMNS
    assert len(table) == 2 * 2
    row = table[(table["measure"] == "sam_sharpness") & (table["condition"] == "noise")].iloc[0]
    part = values[values["measure"] == "sam_sharpness"].pivot(index="seed", columns="condition")
    noise, baseline = part["value", "noise"], part["value", "baseline"]
    assert row["difference"] == pytest.approx((noise - baseline).mean())
    assert row["standard_error"] == pytest.approx((noise - baseline).std() / np.sqrt(7))
    expected = stats.ttest_rel(noise, baseline)
    assert row["p_value"] == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (row["lower"], row["upper"]) == pytest.approx((interval.low, interval.high))
    assert row["share"] == pytest.approx((noise - baseline).mean() / baseline.mean())
    for end in row[["share_lower", "share_upper"]]:
        assert stats.ttest_rel(noise, (1 + end) * baseline).pvalue == pytest.approx(0.05)
    assert (row["n"], row["tests"], row["smallest_difference"]) == (7, 2, 0.5)
    assert (row["verdict"], row["level"], row["unit"]) == ("larger", 0.95, "fraction")


def test_conditions_that_are_not_matched_are_compared_as_independent():
    values = values_frame(seeds=6).query("not (condition == 'sam' and seed > 3)")
    rows = CONDITION_ROWS.assign(matched=[True, False, True])
    table = compared(values, rows, sam_sharpness="3 %").set_index(["measure", "condition"])
    part = values[values["measure"] == "sam_sharpness"].groupby("condition")["value"]
    sam, baseline = (part.get_group(name).to_numpy() for name in ("sam", "baseline"))
    row = table.loc["sam_sharpness", "sam"]
    expected = stats.ttest_ind(sam, baseline, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert row["difference"] == pytest.approx(sam.mean() - baseline.mean())
    assert row["p_value"] == pytest.approx(expected.pvalue)
    assert (row["lower"], row["upper"]) == pytest.approx((interval.low, interval.high))
    assert row["lower"] < row["difference"] < row["upper"]
    for end in row[["share_lower", "share_upper"]]:
        tested = stats.ttest_ind(sam, (1 + end) * baseline, equal_var=False)
        assert tested.pvalue == pytest.approx(0.05)
    assert row["share_lower"] < row["share"] < row["share_upper"]
    assert (row["n"], row["pairing"]) == (4, "none")
    # The others are paired as they were.
    same = [column for column in COLUMNS if column not in ("p_holm", "measure", "condition")]
    paired = compared(values, sam_sharpness="3 %").set_index(["measure", "condition"])
    pd.testing.assert_series_equal(
        table.loc[("sam_sharpness", "noise"), same], paired.loc[("sam_sharpness", "noise"), same]
    )
    said = markdown(text(table.reset_index()))
    assert "Adopted, and not matched by seed: sam; there it is the difference of" in said
    assert "Adopted" not in markdown(text(paired.reset_index()))


def test_a_baseline_that_is_not_matched_has_independent_differences():
    table = compared(values_frame(), CONDITION_ROWS.assign(matched=[False, True, True]))
    assert set(table["pairing"]) == {"none"}
    assert table["p_value"].notna().all()


@pytest.mark.parametrize("seeds", [0, 1])
def test_too_few_networks_that_are_not_matched_have_no_interval(seeds):
    values = values_frame().query(f"not (condition == 'sam' and seed >= {seeds})")
    lost = measure_rows({("sam", "test_accuracy"): [1.0]}).assign(seed=9, trained=False)
    values = pd.concat([values, lost]) if seeds == 0 else values
    rows = CONDITION_ROWS.assign(matched=[True, False, True])
    row = compared(values, rows).set_index(["measure", "condition"]).loc["test_accuracy", "sam"]
    assert row[["lower", "upper", "p_value", "share_lower"]].isna().all()
    assert (row["verdict"], row["n"]) == ("too few", seeds)


def test_p_values_of_a_measure_are_corrected_by_holms_plain_loop():
    values = values_frame(seeds=8)
    values.loc[values["condition"] == "noise", "value"] -= 3 * (values["seed"] % 4 != 0)
    # One that cannot be tested has no share in the correction.
    few = values[(values["condition"] == "sam") & (values["seed"] < 1)].assign(condition="few")
    conditions = condition_rows([*CONDITIONS, "few"], [None, *["baseline"] * 3])
    table = compared(pd.concat([values, few]), conditions)
    for _, rows in table.groupby("measure"):
        found = rows.set_index("condition")
        smaller, larger = sorted(found["p_value"].dropna())
        assert smaller < larger
        expected = {smaller: 2 * smaller, larger: min(1, max(2 * smaller, larger))}
        for name in ("sam", "noise"):
            assert found.at[name, "p_holm"] == pytest.approx(expected[found.at[name, "p_value"]])
        assert np.isnan(found.at["few", "p_holm"])
        assert found.at["few", "verdict"] == "too few"
        assert set(found["tests"]) == {2}


@pytest.mark.parametrize(
    ("shift", "spread", "expected"),
    [(1.0, 0.1, "larger"), (-1.0, 0.1, "smaller"), (0.1, 0.1, "no difference"), (1, 3, "open")],
)
def test_verdicts_are_of_what_matters(shift, spread, expected):
    """5 % of the baseline's mean of 10 by default: a certain difference of 0.1 is none."""
    noise = spread * np.array([-1, -0.5, 0, 0.5, 1])
    values = {("baseline", "sam_sharpness"): np.full(5, 10.0)}
    values["sam", "sam_sharpness"] = 10 + shift + noise
    row = compared(measure_rows(values)).iloc[0]
    assert (row["verdict"], row["smallest_difference"]) == (expected, pytest.approx(0.5))
    shown = markdown(text(compared(measure_rows(values))))
    bold = f"**{expected}**" if expected in ("larger", "smaller") else expected
    assert f" {bold} " in shown


def test_the_noise_floor_of_the_values_is_the_least_that_matters():
    values = {("baseline", "sam_sharpness"): np.full(3, 10.0)}
    values["sam", "sam_sharpness"] = np.array([11.0, 11.1, 11.2])
    rows = measure_rows(values)
    floors = np.where(rows["condition"] == "sam", 2.0, 0.1)
    found = compared(seed_values(rows.assign(standard_error=floors), NO_PAIRS)).iloc[0]
    assert (found["smallest_difference"], found["verdict"]) == (2, "no difference")


def test_a_condition_that_shares_no_seed_with_the_baseline_is_named_and_not_compared():
    values = values_frame(seeds=4)
    alone = values["condition"] == "sam"
    found = compared(values.assign(seed=values["seed"] + 10 * alone))
    rows = found[found["condition"] == "sam"]
    assert set(rows["note"]) == {"no seed in common with the baseline, of those that trained"}
    assert (rows["n"].max(), set(rows["verdict"])) == (0, {"too few"})
    shown = markdown(text(found))
    assert "Not compared: sam (no seed in common with the baseline" in shown
    assert "| sam" not in shown
    only = markdown(text(found[found["condition"] == "sam"]))
    assert only.startswith("vit on digits: Not compared: sam")


def test_a_value_that_is_not_finite_counts_in_no_difference():
    values = values_frame(seeds=4)
    broken = values.assign(value=values["value"].where(values["seed"] > 0, np.inf))
    pd.testing.assert_frame_equal(compared(broken), compared(values[values["seed"] > 0]))


def test_one_seed_has_a_difference_and_nothing_else():
    table = compared(values_frame(seeds=1))
    row = table.iloc[0]
    assert np.isfinite(row["difference"])
    assert row[["standard_error", "lower", "upper", "p_value"]].isna().all()
    assert (row["verdict"], row["note"]) == ("too few", "an interval takes 2 seeds or more")
    assert "too few" in markdown(text(table))


def test_differences_that_are_all_equal_have_no_interval():
    values = values_frame(seeds=3, measures=("test_accuracy",))
    row = compared(values.assign(value=0.5)).iloc[0]
    assert (row["verdict"], row["difference"]) == ("open", 0)
    assert row[["lower", "upper", "p_value"]].isna().all()
    assert "no spread" in row["note"]


@pytest.mark.parametrize("matched", [True, False])
def test_what_rounding_leaves_of_values_that_cancel_is_zero_and_has_no_share(matched):
    random = np.random.default_rng(0)
    gaps = [100 * (0.9 - 0.8), 100 * (0.1 - 0.2), 0.0]
    assert 0 < abs(np.mean(gaps)) < 1e-13
    values = {
        ("baseline", "generalisation_gap"): gaps,
        ("sam", "generalisation_gap"): random.uniform(3, 9, 3),
        ("noise", "generalisation_gap"): [gaps[1], gaps[2], gaps[0]],
    }
    conditions = CONDITION_ROWS.assign(matched=matched)
    table = compared(measure_rows(values, unit="percentage points"), conditions)
    rows = table.set_index("condition")
    assert (rows["baseline_mean"] == 0).all()
    assert rows[["share", "share_lower", "share_upper"]].isna().all(axis=None)
    assert rows.loc["sam", "difference"] > 3
    assert rows.loc["noise", "difference"] == 0
    assert "10⁻" not in markdown(text(table))


def test_a_small_mean_beside_large_ones_is_no_residue():
    values = {
        ("baseline", "sam_sharpness"): [1e-14, 2e-14, 3e-14],
        ("sam", "sam_sharpness"): [10.0, 20.0, 30.0],
    }
    row = compared(measure_rows(values, unit="loss")).iloc[0]
    assert row["baseline_mean"] == pytest.approx(2e-14)
    assert row["share"] == pytest.approx(1e15)


def test_networks_that_did_not_train_are_left_out_and_counted():
    values = values_frame(seeds=6)
    stuck = (values["condition"] == "sam") & (values["seed"] > 3)
    marked = values.assign(trained=~stuck, value=values["value"].where(~stuck, 1e9))
    whole, found = compared(values[~stuck]), compared(marked)
    pd.testing.assert_frame_equal(found.drop(columns="left_out"), whole.drop(columns="left_out"))
    counts = found.set_index("condition")["left_out"]
    assert (set(counts["sam"]), set(counts["noise"])) == ({2}, {0})
    assert "did not train: up to 2 networks" in markdown(text(found))


def test_a_condition_none_of_whose_networks_trained_has_no_difference():
    values = values_frame(seeds=3)
    found = compared(values.assign(trained=values["condition"] != "sam"))
    row = found[found["condition"] == "sam"].iloc[0]
    assert (row["n"], row["verdict"], row["left_out"]) == (0, "too few", 3)
    assert np.isnan(row["difference"])
    assert markdown(text(found))


def test_conditions_without_a_baseline_are_not_compared():
    nothing = compared(values_frame(), read_again(condition_rows(CONDITIONS, None)))
    assert nothing.empty
    assert list(nothing.columns) == COLUMNS
    assert NO_BASELINE in markdown(text(nothing))
    assert NO_BASELINE in html(text(nothing))


def test_cells_of_a_sweep_are_compared_each_with_their_own_baseline():
    table = compared(values_frame(), condition_rows(CONDITIONS, [None, "baseline", "sam"]))
    pairs = table[["condition", "baseline"]].drop_duplicates()
    assert pairs.to_numpy().tolist() == [["sam", "baseline"], ["noise", "sam"]]
    assert "Baseline" in markdown(text(table)).splitlines()[0]


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="conditions: no column 'baseline'"):
        compared(values_frame(), CONDITION_ROWS.drop(columns="baseline"))


@pytest.mark.parametrize("seeds", [2, 7])
def test_measures_of_pairs_are_tested_from_three_seeds_on(seeds):
    random = np.random.default_rng(0)
    pairs = [(a, b) for a in range(seeds) for b in range(a)]
    frame = pd.concat(
        pair_rows(dict(zip(pairs, random.random(len(pairs)), strict=True)), condition)
        for condition in CONDITIONS
    )
    table = compared(seed_values(values_frame(seeds), frame))
    row = table.set_index(["measure", "condition"]).loc[("prediction_disagreement", "sam")]
    if seeds == 2:
        told = "an interval of a measure of pairs takes 3 seeds or more"
        assert (row["verdict"], row["note"]) == ("too few", told)
        return
    means = frame.groupby("condition_a")["prediction_disagreement"].mean()
    assert row["difference"] == pytest.approx(means["sam"] - means["baseline"])
    assert row["lower"] < row["difference"] < row["upper"]


def test_pairs_with_a_network_that_did_not_train_say_nothing_of_the_others():
    random = np.random.default_rng(0)
    pairs = {(a, b): random.random() for a in range(5) for b in range(a)}
    frame = pd.concat(pair_rows(pairs, condition) for condition in CONDITIONS)
    values = values_frame(5)
    stuck = values.assign(trained=(values["condition"] != "sam") | (values["seed"] != 4))
    found = seed_values(stuck, frame)
    rows = found[(found["measure"] == "l2_distance") & (found["condition"] == "sam")]
    others = [3 * value for pair, value in pairs.items() if 4 not in pair]
    assert rows["value"].mean() == pytest.approx(np.mean(others))
    assert rows.set_index("seed")["value"].isna().to_dict() == {0: 0, 1: 0, 2: 0, 3: 0, 4: 1}


@pytest.mark.parametrize(
    ("baseline", "sam", "cell"),
    [
        # Of a mean that is surely not zero, of one that may be, and of one that is almost.
        ([10.0, 10.1, 9.9], [11.0, 11.2, 10.8], "+10 ["),
        ([1.0, 9.0, -4.0], [2.0, 10.1, -3.1], "+50 [unbounded] %"),
        ([1e-6, 1.1e-6, 0.9e-6], [1.0, 1.1, 0.9], "> +1,000 [> +1,000, > +1,000] %"),
        ([1e-6, 1.1e-6, 0.9e-6], [-1.0, -1.1, -0.9], "< −1,000 [< −1,000, < −1,000] %"),
        ([1.0], [10.996], "+1,000 %"),
        ([0.0, 0.0], [1.0, 2.0], "—"),
    ],
)
def test_a_share_of_the_baseline_is_unbounded_or_beyond_a_limit_in_words(baseline, sam, cell):
    values = {("baseline", "sam_sharpness"): baseline, ("sam", "sam_sharpness"): sam}
    rows = condition_rows(["baseline", "sam"], [None, "baseline"])
    [table] = text(compared(measure_rows(values), rows))
    assert table["Of baseline"].iloc[0].startswith(cell)
    assert "unbounded: that mean is itself not surely other than zero" in table.attrs["caption"]
