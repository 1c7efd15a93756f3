"""Corruption by corruption: differences against SciPy, corruption errors against plain loops."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from table_frames import condition_rows, measure_rows, read_again

from minimascope.analysis.collect import corrupted_samples, corruption_accuracies
from minimascope.analysis.corruptions import COLUMNS, corruption_table, text
from minimascope.analysis.render import markdown
from minimascope.errors import InputError

CONDITIONS = ("baseline", "sam", "noise")
CONDITION_ROWS = condition_rows(CONDITIONS, [None, "baseline", "baseline"])
CORRUPTIONS, SEVERITIES, SEEDS = ("fog", "snow", "saturate"), (1, 3), 6


def accuracies_frame(clean=True):
    """Fog costs each network some points, snow more, and saturate nothing."""
    random = np.random.default_rng(5)
    rows = []
    for i, (condition, seed) in enumerate(product(CONDITIONS, range(SEEDS))):
        run = {"dataset": "digits", "network": "vit", "condition": condition, "seed": seed}
        run |= {"n": 200, "origin": "generated"}
        start = 0.9 + 0.01 * random.random() + 0.02 * (i // SEEDS)
        rows += [run | {"corruption": "none", "severity": 0, "accuracy": start}] if clean else []
        for (j, name), severity in product(enumerate(("saturate", "fog", "snow")), SEVERITIES):
            lost = 0.05 * j * severity * (1 + 0.1 * random.random())
            cell = {"corruption": name, "severity": severity, "accuracy": start - lost}
            rows.append(run | cell)
    return pd.DataFrame(rows)


def values_frame(untrained=()):
    values = {(name, "test_accuracy"): np.arange(SEEDS) for name in CONDITIONS}
    frame = measure_rows(values)
    lost = pd.MultiIndex.from_frame(frame[["condition", "seed"]]).isin(list(untrained))
    return frame.assign(trained=~lost)


def found(accuracies=None, values=None, conditions=CONDITION_ROWS, **smallest):
    accuracies = accuracies_frame() if accuracies is None else accuracies
    values = values_frame() if values is None else values
    table = corruption_table(accuracies, values, conditions, smallest_differences=smallest)
    assert list(table.columns) == COLUMNS
    return read_again(table).set_index(["condition", "corruption", "severity"]).sort_index()


def by_seed(condition, corruption, severities=SEVERITIES):
    rows = accuracies_frame().query("condition == @condition and corruption == @corruption")
    rows = rows[rows["severity"].isin(severities)]
    return 100 * rows.groupby("seed")["accuracy"].mean().to_numpy()


def test_a_cell_has_the_accuracy_and_its_difference_from_the_baseline():
    table = found()
    for corruption, severity in product(CORRUPTIONS, SEVERITIES):
        row = table.loc["noise", corruption, str(severity)]
        own, baseline = (by_seed(name, corruption, [severity]) for name in ("noise", "baseline"))
        assert row["accuracy"] == pytest.approx(own.mean())
        assert row["standard_error"] == pytest.approx(stats.sem(own))
        assert row["baseline_accuracy"] == pytest.approx(baseline.mean())
        expected = stats.ttest_rel(own, baseline)
        interval = expected.confidence_interval(0.95)
        assert row["difference"] == pytest.approx((own - baseline).mean())
        assert (row["lower"], row["upper"]) == pytest.approx((interval.low, interval.high))
        assert (row["n"], row["samples"], row["unit"]) == (SEEDS, 200, "percent")
        # As the corruption accuracy has it: one point.
        assert row["smallest_difference"] == 1
        assert row["verdict"] == ("larger" if interval.low > 1 else "open")
    assert table.loc["baseline", "difference"].isna().all()
    assert table.loc["baseline", "corruption_error"].isna().all()


def test_means_are_over_severities_over_corruptions_and_over_both():
    table = found()
    for name in CONDITIONS:
        cells = {
            (corruption, severity): by_seed(name, corruption, [severity]).mean()
            for corruption, severity in product(CORRUPTIONS, SEVERITIES)
        }
        of_fog = [mean for (corruption, _), mean in cells.items() if corruption == "fog"]
        of_third = [mean for (_, severity), mean in cells.items() if severity == 3]
        assert table.loc[(name, "fog", "all"), "accuracy"] == pytest.approx(np.mean(of_fog))
        assert table.loc[(name, "all", "3"), "accuracy"] == pytest.approx(np.mean(of_third))
        everything = np.mean(list(cells.values()))
        assert table.loc[(name, "all", "all"), "accuracy"] == pytest.approx(everything)
        clean = by_seed(name, "none", [0]).mean()
        assert table.loc[(name, "none", "0"), "accuracy"] == pytest.approx(clean)


def test_corruption_errors_are_those_of_hendrycks_and_dietterich():
    """Sums over severities, as in section 4 of their paper, with the baseline for AlexNet."""
    table = found()
    accuracy = accuracies_frame().groupby(["condition", "corruption", "severity"])["accuracy"]
    error = 1 - accuracy.mean()
    for name in ("sam", "noise"):
        errors, relative = {}, {}
        for corruption in CORRUPTIONS:
            own = sum(error[name, corruption, severity] for severity in SEVERITIES)
            reference = sum(error["baseline", corruption, severity] for severity in SEVERITIES)
            errors[corruption] = 100 * own / reference
            own -= len(SEVERITIES) * error[name, "none", 0]
            reference -= len(SEVERITIES) * error["baseline", "none", 0]
            # Saturate costs the baseline nothing, and has no relative error.
            relative |= {corruption: 100 * own / reference} if corruption != "saturate" else {}
        for kind, values in (("corruption_error", errors), ("relative_corruption_error", relative)):
            for corruption in CORRUPTIONS:
                wanted = values.get(corruption, np.nan)
                assert table.loc[(name, corruption, "all"), kind] == pytest.approx(
                    wanted, nan_ok=True
                )
            row = table.loc[name, "all", "all"]
            assert row[kind] == pytest.approx(np.mean(list(values.values())))
            assert row[f"{kind}_n"] == len(values)
            assert row[f"{kind}_lower"] < row[kind] < row[f"{kind}_upper"]


def test_the_ends_of_a_corruption_error_are_ratios_that_a_paired_test_just_rejects():
    row = found().loc["noise", "snow", "all"]
    own, baseline = (100 - by_seed(name, "snow") for name in ("noise", "baseline"))
    for end in ("lower", "upper"):
        ratio = row[f"corruption_error_{end}"] / 100
        assert stats.ttest_rel(own, ratio * baseline).pvalue == pytest.approx(0.05)


def error_by_the_gradient(matched):
    """The error of the mean ratio and its degrees of freedom, from its slope in each mean."""
    errors = {
        of: np.array([100 - by_seed(of, name) for name in CORRUPTIONS])
        for of in ("noise", "baseline")
    }
    means = [own.mean(axis=1) for own in errors.values()]
    step, slopes = 1e-6, [np.zeros(len(CORRUPTIONS)), np.zeros(len(CORRUPTIONS))]
    for side, i in product(range(2), range(len(CORRUPTIONS))):
        up, down = ([mean.copy() for mean in means] for _ in range(2))
        up[side][i] += step
        down[side][i] -= step
        slopes[side][i] = ((up[0] / up[1]).mean() - (down[0] / down[1]).mean()) / (2 * step)
    if matched:
        every = np.concatenate([*errors.values()])
        slope = np.concatenate(slopes)
        return 100 * np.sqrt(slope @ np.cov(every) @ slope / SEEDS), SEEDS - 1
    parts = [s @ np.cov(own) @ s / SEEDS for s, own in zip(slopes, errors.values(), strict=True)]
    df = sum(parts) ** 2 / sum(part**2 / (SEEDS - 1) for part in parts)
    return 100 * np.sqrt(sum(parts)), df


@pytest.mark.parametrize("matched", [True, False])
def test_the_interval_of_the_mean_over_corruptions_is_that_of_the_delta_method(matched):
    row = found(conditions=CONDITION_ROWS.assign(matched=matched)).loc["noise", "all", "all"]
    error, df = error_by_the_gradient(matched)
    width = stats.t.ppf(0.975, df) * error
    ends = row["corruption_error_lower"], row["corruption_error_upper"]
    expected = row["corruption_error"] - width, row["corruption_error"] + width
    assert ends == pytest.approx(expected, rel=1e-4)


STUDIES = 150


def test_the_interval_holds_the_mean_error_where_one_corruption_costs_little():
    """Six corruptions halve an error of 20 points, one multiplies 2 ± 0.2 points by four."""
    random = np.random.default_rng(2)
    baseline, factors = np.array([20.0] * 6 + [2.0]), np.array([0.5] * 6 + [4.0])
    spread = np.array([0.05] * 6 + [0.1])
    rows = []
    for study, seed in product(range(STUDIES), range(5)):
        for condition, means, by in (
            ("baseline", baseline, spread),
            ("sam", baseline * factors, 0.05),
        ):
            drawn = means * (1 + by * random.normal(size=7))
            rows += [
                (str(study), condition, seed, f"c{i}", 1 - error / 100)
                for i, error in enumerate(drawn)
            ]
    frame = pd.DataFrame(rows, columns=["network", "condition", "seed", "corruption", "accuracy"])
    frame = frame.assign(dataset="digits", severity=1, n=200, origin="generated")
    runs = frame[["dataset", "network", "condition", "seed"]].drop_duplicates()
    conditions = pd.concat(
        condition_rows(("baseline", "sam"), [None, "baseline"]).assign(network=str(i))
        for i in range(STUDIES)
    )
    table = corruption_table(
        frame, runs.assign(trained=True), conditions, smallest_differences={}
    ).query("condition == 'sam' and corruption == 'all' and severity == 'all'")
    held = table["corruption_error_lower"].le(100) & table["corruption_error_upper"].ge(100)
    assert len(table) == STUDIES
    assert held.mean() >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / STUDIES)


def test_without_accuracy_on_the_same_samples_there_is_no_relative_error():
    table = found(accuracies_frame(clean=False))
    assert table["corruption_error"].notna().any()
    assert table["relative_corruption_error"].isna().all()


def test_conditions_that_are_not_matched_are_compared_as_independent():
    table = found(conditions=CONDITION_ROWS.assign(matched=[True, False, True]))
    own, baseline = (by_seed(name, "fog", [3]) for name in ("sam", "baseline"))
    interval = stats.ttest_ind(own, baseline, equal_var=False).confidence_interval(0.95)
    row = table.loc["sam", "fog", "3"]
    assert (row["lower"], row["upper"]) == pytest.approx((interval.low, interval.high))
    row = table.loc["sam", "fog", "all"]
    own, baseline = (100 - by_seed(name, "fog") for name in ("sam", "baseline"))
    ratio = row["corruption_error_upper"] / 100
    assert stats.ttest_ind(own, ratio * baseline, equal_var=False).pvalue == pytest.approx(0.05)
    pd.testing.assert_frame_equal(table.loc["noise"], found().loc["noise"])


def test_networks_that_did_not_train_are_left_out_and_counted():
    table = found(values=values_frame([("noise", 2), ("baseline", 0)]))
    row = table.loc["noise", "fog", "3"]
    own, baseline = (by_seed(name, "fog", [3]) for name in ("noise", "baseline"))
    assert row["accuracy"] == pytest.approx(np.delete(own, 2).mean())
    assert row["difference"] == pytest.approx(np.delete(own - baseline, [0, 2]).mean())
    assert (row["n"], row["left_out"]) == (5, 2)
    lost = found(values=values_frame([("sam", seed) for seed in range(SEEDS)]))
    assert lost.loc["sam", ["accuracy", "difference", "corruption_error"]].isna().all(axis=None)
    assert lost.loc["noise", "difference"].notna().all()


def test_a_network_without_values_is_none_that_trained():
    values = values_frame()
    lacks = (values["condition"] == "noise") & (values["seed"] == 2)
    left = found(values=values[~lacks])
    pd.testing.assert_frame_equal(left, found(values=values_frame([("noise", 2)])))
    assert left.loc[("noise", "fog", "3"), "left_out"] == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seeds", [[2], range(SEEDS)])
def test_a_network_that_lacks_a_corruption_is_in_no_mean_over_it(seeds):
    accuracies, whole = accuracies_frame(), found()
    lost = (accuracies["condition"] == "noise") & accuracies["seed"].isin(seeds)
    lost &= (accuracies["corruption"] == "snow") & (accuracies["severity"] == 3)
    table = found(accuracies.assign(accuracy=accuracies["accuracy"].mask(lost)))
    kept = np.delete(np.arange(SEEDS), seeds)
    for corruption, severity in (("snow", "all"), ("all", "3"), ("all", "all")):
        row = table.loc["noise", corruption, severity]
        wanted = [CORRUPTIONS if corruption == "all" else ("snow",)]
        severities = SEVERITIES if severity == "all" else [3]
        own, baseline = (
            np.mean([by_seed(name, each, severities) for each in wanted[0]], axis=0)[kept]
            for name in ("noise", "baseline")
        )
        assert row["n"] == len(kept)
        for key, values in (("accuracy", own), ("difference", own - baseline)):
            expected = values.mean() if len(kept) else np.nan
            assert row[key] == pytest.approx(expected, nan_ok=True)
        if severity == "all" and corruption == "snow":
            ratio = 100 * (100 - own).mean() / (100 - baseline).mean() if len(kept) else np.nan
            assert row["corruption_error"] == pytest.approx(ratio, nan_ok=True)
    assert np.isnan(table.loc[("noise", "all", "all"), "corruption_error"]) == (not len(kept))
    # What has all its values is as it was.
    pd.testing.assert_frame_equal(table.loc[["sam"]], whole.loc[["sam"]])
    pd.testing.assert_frame_equal(table.loc[("noise", "fog"), :], whole.loc[("noise", "fog"), :])


def test_one_seed_has_differences_without_intervals():
    table = found(accuracies_frame().query("seed == 0"))
    row = table.loc["sam", "fog", "3"]
    own, baseline = (by_seed(name, "fog", [3])[0] for name in ("sam", "baseline"))
    assert row["difference"] == pytest.approx(own - baseline)
    assert np.isnan(row["lower"])
    assert row["verdict"] == "too few"
    assert "too few" not in markdown(text(table.reset_index()))


def test_a_study_says_what_matters_in_its_corruption_accuracy():
    table = found(corruption_accuracy_generated=2.5, corruption_accuracy=7.0)
    assert set(table["smallest_difference"].dropna()) == {2.5}


def test_readers_see_conditions_and_corruptions_with_sure_differences_in_bold():
    said = markdown(text(found().reset_index()))
    conditions, corruptions = said.split("| Corruption")
    assert "vit on digits: all corruptions together, at all severities." in conditions
    assert "6 seeds, 200 test samples" in conditions
    assert "Relative: mean over 2 of the corruptions" in conditions
    assert "a relative one below 100 %: corruption costs less than it costs the baseline" in said
    assert "below 100 % is better" not in said
    [row] = [line for line in conditions.splitlines() if line.startswith("| noise")]
    assert "3 of 3" in row
    assert row.count("**") == 2
    [row] = [line for line in corruptions.splitlines() if line.startswith("| snow")]
    difference = found().loc[("noise", "snow", "all"), "difference"]
    assert f"**{difference:.2f}" in row


def test_without_a_baseline_readers_see_accuracies_alone():
    said = markdown(text(found(conditions=CONDITION_ROWS.assign(baseline=None)).reset_index()))
    [header] = [line for line in said.splitlines() if line.startswith("| Condition")]
    assert [cell.strip() for cell in header.split("|")[1:-1]] == ["Condition", "Accuracy (%)"]
    [header] = [line for line in said.splitlines() if line.startswith("| Corruption")]
    assert {cell.strip() for cell in header.split("|")[2:-1]} == {f"{n} (%)" for n in CONDITIONS}
    assert "No condition is compared with another" in said


EVALUATION = {
    "run": {"dataset": "d", "network": "n", "condition": "c", "seed": "3"},
    "details": {
        "corruptions": [
            {"corruption": "fog", "severity": 2, "accuracy": 0.5, "n": 8, "origin": "generated"}
        ]
    },
}


def test_accuracies_of_all_networks_are_collected_and_other_documents_refused():
    table = corruption_accuracies({"a.json": EVALUATION})
    assert table.to_dict("records") == [
        EVALUATION["run"] | {"seed": 3} | EVALUATION["details"]["corruptions"][0]
    ]
    with pytest.raises(InputError, match=r"b\.json: no evaluation with corruptions"):
        corruption_accuracies({"a.json": EVALUATION, "b.json": {"run": {}, "details": {}}})


def test_what_a_sample_is_without_corruption_comes_once():
    def document(name):
        rows = [("none", 0, "x"), (name, 1, name)]
        keys = ("corruption", "severity", "picture")
        pictures = [dict(zip(keys, row, strict=True)) for row in rows]
        return {"dataset": "d", "of": "images", "label": "7", "pictures": pictures}

    table = corrupted_samples({name: document(name) for name in ("fog", "snow")})
    assert table["corruption"].tolist() == ["none", "fog", "snow"]
    assert set(table["label"]) == {"7"}
    with pytest.raises(InputError, match=r"b\.json: no pictures"):
        corrupted_samples({"b.json": {"dataset": "d"}})
