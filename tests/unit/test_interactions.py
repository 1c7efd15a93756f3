"""What SAM adds to a condition beside the baseline, and along its radius; by SciPy and NumPy."""

import math
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from table_frames import condition_rows, measure_rows, read_again

from minimascope.analysis.interactions import (
    COLUMNS,
    NOTHING,
    interaction_tables,
    interactions,
    published_interactions,
    text,
)
from minimascope.analysis.render import html, markdown
from minimascope.analysis.sam_radius import along_radius

PUBLISHED = Path(__file__).parents[2] / "resources" / "published"
SQUARE = ("baseline", "baseline_sam", "noise", "noise_sam")


def square(random, effect=0.0, seeds=5, measure="fisher_rao_norm"):
    """A study in which SAM multiplies the baseline by 5 / 4, and a condition by e^effect as much.

    Of an accuracy it adds 0.1 to the baseline, and that and an effect to the condition.
    """
    if measure == "fisher_rao_norm":
        means = (4.0, 5.0, 6.0, 7.5 * math.exp(effect))
        drawn = [mean * np.exp(0.2 * random.normal(size=seeds)) for mean in means]
    else:
        means = (0.4, 0.5, 0.6, 0.7 + effect)
        drawn = [mean + 0.02 * random.normal(size=seeds) for mean in means]
    values = measure_rows({(name, measure): own for name, own in zip(SQUARE, drawn, strict=True)})
    conditions = condition_rows(SQUARE, (None, "baseline", "baseline", "baseline"))
    conditions["without_sam"] = [None, "baseline", None, "noise"]
    conditions["sam.rho"] = [None, 0.05, None, 0.05]
    return values, conditions.assign(base_condition=SQUARE, like_base_condition=True)


def by_condition(values):
    return values.pivot(index="seed", columns="condition", values="value")


@pytest.mark.parametrize(
    ("measure", "scale"), [("fisher_rao_norm", "ln"), ("test_accuracy", "linear")]
)
def test_the_interaction_is_scipys_test_of_one_contrast_a_seed(measure, scale):
    values, conditions = square(np.random.default_rng(2), 0.1, seeds=7, measure=measure)
    [found] = interactions(values, conditions, {}).to_dict("records")
    seeds = by_condition(values)
    seeds = np.log(seeds) if scale == "ln" else seeds
    contrast = (seeds["noise_sam"] - seeds["noise"]) - (seeds["baseline_sam"] - seeds["baseline"])
    test = stats.ttest_1samp(contrast, 0)
    assert found["interaction"] == pytest.approx(contrast.mean())
    assert found["standard_error"] == pytest.approx(contrast.sem())
    assert found["p_value"] == pytest.approx(test.pvalue)
    ends = test.confidence_interval(0.95)
    assert (found["lower"], found["upper"]) == pytest.approx(tuple(ends))
    smallest = math.log(1.05) if scale == "ln" else 0.01
    assert found["smallest_difference"] == pytest.approx(smallest)
    assert (found["n"], found["pairing"], found["scale"]) == (7, "by seed", scale)
    assert [found[name] for name in ("condition", "with_sam", "baseline", "baseline_with_sam")] == [
        *("noise", "noise_sam", "baseline", "baseline_sam")
    ]


@pytest.mark.parametrize(("effect", "verdict"), [(3.0, "larger"), (-3.0, "smaller"), (0.0, "open")])
def test_an_interaction_that_matters_has_a_side(effect, verdict):
    values, conditions = square(np.random.default_rng(0), effect)
    assert list(interactions(values, conditions, {})["verdict"]) == [verdict]


def test_a_factor_that_matters_is_above_each_conditions_own_share_of_noise():
    """A floor of 30 is a tenth of the sharp condition's mean, and ten times the baseline's."""
    values, conditions = square(np.random.default_rng(4))
    sharp = values["condition"].isin(["noise", "noise_sam"])
    values.loc[sharp, "value"] *= 50
    floors = values["condition"].map({"noise": 30.0, "baseline": 1.0})
    [found] = interactions(values.assign(noise_floor=floors), conditions, {}).to_dict("records")
    means = by_condition(values).mean()
    noise = max(30 / means["noise"], 1 / means["baseline"])
    assert 30 / means["baseline"] > 5 > 1 > noise
    assert found["smallest_difference"] == pytest.approx(math.log1p(noise))


def test_a_sharp_condition_that_sam_multiplies_by_as_much_is_no_interaction():
    """From 1 to 2 and from 100 to 200: differences of 1 and 100, and a factor of 2 each."""
    starts = dict(zip(SQUARE, (1.0, 2.0, 100.0, 200.0), strict=True))
    random = np.random.default_rng(0)
    values = measure_rows(
        {
            (name, "fisher_rao_norm"): start * np.exp(0.005 * random.normal(size=6))
            for name, start in starts.items()
        }
    )
    _, conditions = square(random)
    assert list(interactions(values, conditions, {})["verdict"]) == ["no difference"]


def test_what_matters_in_its_unit_is_taken_as_a_factor_of_the_baseline():
    values, conditions = square(np.random.default_rng(0))
    mean = by_condition(values)["baseline"].mean()
    [found] = interactions(values, conditions, {"fisher_rao_norm": 3.0}).to_dict("records")
    assert found["smallest_difference"] == pytest.approx(math.log(1 + 3 / mean))


def test_values_without_a_logarithm_stay_open_with_a_note():
    values, conditions = square(np.random.default_rng(0), effect=3.0)
    lost = (values["condition"] == "noise") & (values["seed"] == 1)
    below = values.assign(value=values["value"].where(~lost, -1.0))
    found = interactions(below, conditions, {})
    [row] = found.to_dict("records")
    assert (row["verdict"], row["n"]) == ("open", 5)
    assert row["note"] == "values at or below zero have no logarithm"
    assert np.isnan(row["interaction"])
    assert "no logarithm" in markdown(text(read_again(found), along_radius(values, conditions)))


def test_sam_has_the_same_radius_on_both_sides():
    values, conditions = square(np.random.default_rng(0))
    wide = values[values["condition"] == "noise_sam"].assign(condition="noise_wide")
    row = conditions[conditions["condition"] == "noise_sam"].assign(condition="noise_wide")
    row["sam.rho"] = 0.5
    both = pd.concat([values, wide]), pd.concat([conditions, row])
    assert list(interactions(*both, {})["with_sam"]) == ["noise_sam"]


def test_seeds_that_did_not_train_and_unmatched_conditions_are_left_out():
    values, conditions = square(np.random.default_rng(0))
    stuck = values.assign(
        trained=(values["condition"] != "noise_sam") | (values["seed"] > 1),
    )
    assert list(interactions(stuck, conditions, {})["n"]) == [3]
    adopted = conditions.assign(matched=conditions["condition"] != "noise")
    assert interactions(values, adopted, {}).empty
    adopted = conditions.assign(matched=conditions["condition"] != "baseline")
    assert interactions(values, adopted, {}).empty


def test_without_a_pair_besides_the_baseline_the_text_says_so():
    values, conditions = square(np.random.default_rng(0))
    alone = conditions["condition"] != "noise_sam"
    here = values["condition"] != "noise_sam"
    found, along = interaction_tables(values[here], conditions[alone], smallest_differences={})
    assert found.empty
    assert list(found.columns) == COLUMNS
    assert text(found, along) == [NOTHING]


def test_the_text_shows_estimate_interval_and_verdict():
    values, conditions = square(np.random.default_rng(0), effect=3.0)
    found, along = interaction_tables(values, conditions, smallest_differences={})
    shown = markdown(text(read_again(found), along))
    assert "**larger**" in shown
    assert "(condition with SAM − condition) − (baseline with SAM − baseline)" in shown
    assert "× 1.05" in shown
    assert "Welch" not in shown
    assert "ρ = 0" not in shown
    assert "<b>larger</b>" in html(text(found, along))


def published(*names):
    return [
        pd.read_csv(PUBLISHED / f"{name}.csv", dtype=str, keep_default_na=False) for name in names
    ]


def test_published_interactions_are_of_four_independent_means():
    """Fisher–Rao norm, ResNet-18, CIFAR-10, 2026: (5.571 / 3.940) / (0.107 / 0.032) = 0.423."""
    found, _ = published_interactions(*published("deep_models", "sam_rho_sweep"))
    key = ["source", "dataset", "network", "measure", "condition"]
    cell = found.set_index(key).loc[
        ("function_centric_2026", "cifar10", "resnet18", "fisher_rao_norm", "augmentation")
    ]
    expected = math.log((5.571 / 3.940) / (0.107 / 0.032))
    assert cell["interaction"] == pytest.approx(expected)
    half = 0.0005 / math.sqrt(3)
    errors = np.array([0.035, 0.207, 0.006, 0.001])
    variances = (errors**2 + half**2) * 10 / 9 + half**2
    variances /= np.array([5.571, 3.940, 0.107, 0.032]) ** 2
    assert cell["standard_error"] == pytest.approx(math.sqrt(variances.sum()))
    df = variances.sum() ** 2 / (variances**2 / 9).sum()
    width = stats.t.ppf(0.975, df) * cell["standard_error"]
    assert cell["upper"] - cell["lower"] == pytest.approx(2 * width)
    p = 2 * stats.t.sf(-expected / cell["standard_error"], df)
    assert cell["p_value"] == pytest.approx(p)
    # SAM adds more to the sharp condition, and multiplies it by less.
    assert (cell["verdict"], cell["pairing"], cell["scale"]) == ("smaller", "none", "ln")


STUDIES = 2000


def test_an_interaction_that_is_none_is_found_in_five_percent_of_studies():
    random = np.random.default_rng(4)
    parts = [square(random, seeds=4) for _ in range(STUDIES)]
    values = pd.concat([own.assign(network=str(i)) for i, (own, _) in enumerate(parts)])
    conditions = pd.concat([own.assign(network=str(i)) for i, (_, own) in enumerate(parts)])
    held = interactions(values, conditions, {})
    share = (held["p_value"] <= 0.05).mean()
    assert len(held) == STUDIES
    assert abs(share - 0.05) <= 3 * math.sqrt(0.05 * 0.95 / STUDIES)
    # By more than what matters on one side: one side of what matters, in fewer than 2.5 %.
    assert (held["verdict"] == "larger").mean() <= 0.025


# Along SAM's radius


RADII = (0.0, 0.05, 0.25, 0.5)


def sweep(values, radii=RADII):
    """A study of values, [seed, radius], whose first condition has no SAM."""
    names = ["plain", *(f"sam{rho}" for rho in radii[1:])]
    rows = measure_rows(
        {(name, "fisher_rao_norm"): own for name, own in zip(names, values.T, strict=True)}
    )
    conditions = condition_rows(names, [None, *["plain"] * (len(names) - 1)])
    conditions["without_sam"] = [None, *["plain"] * (len(names) - 1)]
    conditions["sam.rho"] = [None, *radii[1:]]
    return rows, conditions.assign(base_condition="plain", like_base_condition=True)


def page(values):
    """Page's statistic and the share of all orders within seeds that reach it."""
    count = values.shape[1]
    weights = np.arange(1, count + 1)

    def statistic(ranks):
        return sum(weights @ np.array(own) for own in ranks)

    observed = statistic(stats.rankdata(values, axis=1))
    orders = list(permutations(range(1, count + 1)))
    every = [statistic(ranks) for ranks in product(orders, repeat=len(values))]
    return observed, np.mean([one >= observed for one in every])


def test_the_trend_is_pages_test_counted_over_all_orders():
    values = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 9.0], [4.0, 5.0, 6.0, 7.0]])
    [found] = along_radius(*sweep(values)).to_dict("records")
    statistic, p = page(values[:, 1:])
    assert found["page_l"] == statistic
    assert found["p_rises"] == pytest.approx(p)
    assert found["verdict"] == "rises on the whole"
    assert found["radii"] == "0, 0.05, 0.25, 0.5"
    assert (found["n"], found["n_seeds"], found["without_sam"]) == (4, 3, "plain")
    assert (found["first_mean"], found["last_mean"]) == (2.0, pytest.approx(20 / 3))
    [falls] = along_radius(*sweep(values[:, [0, 3, 2, 1]])).to_dict("records")
    assert falls["p_falls"] == pytest.approx(p)
    assert falls["verdict"] == "falls on the whole"


def test_having_sam_or_not_makes_no_trend():
    """With SAM all radii are alike: orders within seeds are as they come."""
    values = np.array([[0.0, 5.0, 6.0, 7.0], [0.0, 7.0, 5.0, 6.0], [0.0, 6.0, 7.0, 5.0]])
    tripled = np.tile(values, (4, 1))
    [found] = along_radius(*sweep(tripled)).to_dict("records")
    assert found["verdict"] == "open"
    assert found["p_rises"] > 0.3
    assert found["first_mean"] == 0


@pytest.mark.parametrize(
    ("seeds", "radii", "note"),
    [
        (1, 4, "a test takes two seeds or more"),
        (3, 3, "a test takes 3 radii above zero or more"),
        (2, 4, "so few seeds and radii can never be sure: the smallest p-value is 0.028"),
        (2, 5, ""),
        (3, 4, ""),
    ],
)
def test_too_few_seeds_and_radii_are_said(seeds, radii, note):
    values = np.tile(np.arange(float(radii)), (seeds, 1))
    found = along_radius(*sweep(values, (0.0, 0.05, 0.25, 0.5, 1.0)[:radii]))
    assert list(found["note"]) == [note]
    assert (found["verdict"].iloc[0] == "open") == bool(note)


def test_the_order_of_conditions_in_the_tables_changes_nothing():
    values, conditions = sweep(np.random.default_rng(0).normal(size=(4, 4)))
    found = along_radius(values, conditions)
    again = along_radius(values.sample(frac=1, random_state=1), conditions[::-1])
    pd.testing.assert_frame_equal(again, found)


def test_one_seed_two_radii_and_seeds_that_did_not_train_make_no_trend():
    values = np.arange(12.0).reshape(3, 4)
    [alone] = along_radius(*sweep(values[:1])).to_dict("records")
    assert (alone["verdict"], alone["note"]) == ("open", "a test takes two seeds or more")
    assert along_radius(*sweep(values[:, :2], RADII[:2])).empty
    rows, conditions = sweep(values)
    stuck = rows.assign(trained=(rows["seed"] > 0) | (rows["condition"] != "sam0.25"))
    assert list(along_radius(stuck, conditions)["n_seeds"]) == [2]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("lost", [[0], [0, 1, 2]])
def test_seeds_that_did_not_train_without_sam_are_part_of_the_trend_all_the_same(lost):
    values = np.arange(12.0).reshape(3, 4)
    rows, conditions = sweep(values)
    stuck = rows.assign(trained=~rows["seed"].isin(lost) | (rows["condition"] != "plain"))
    [whole] = along_radius(rows, conditions).to_dict("records")
    [found] = along_radius(stuck, conditions).to_dict("records")
    for name in ("n_seeds", "page_l", "p_rises", "verdict", "note"):
        assert found[name] == whole[name]
    assert found["verdict"] == "rises on the whole"
    assert found["spearman"] == pytest.approx(1)
    # Means are of the same seeds at all radii.
    kept = np.delete(values, lost, axis=0)
    first, last = (kept[:, 0].mean(), kept[:, -1].mean()) if len(kept) else (np.nan, 7.0)
    assert found["first_mean"] == pytest.approx(first, nan_ok=True)
    assert found["last_mean"] == pytest.approx(last)


@pytest.mark.filterwarnings("error")
def test_a_radius_at_which_no_seed_trained_is_told_and_equal_values_have_no_correlation():
    rows, conditions = sweep(np.arange(12.0).reshape(3, 4))
    stuck = rows.assign(trained=rows["condition"] != conditions["condition"].iloc[-1])
    [found] = along_radius(stuck, conditions).to_dict("records")
    assert found["note"] == "no seed trained, and has a value, at all radii above zero"
    assert (found["n_seeds"], found["verdict"]) == (0, "open")
    assert np.isnan([found["first_mean"], found["last_mean"], found["spearman"]]).all()
    along = read_again(along_radius(stuck, conditions))
    assert "no seed trained" in markdown(text(interactions(stuck, conditions, {}), along))
    assert along_radius(rows.assign(trained=False), conditions).empty
    [alike] = along_radius(*sweep(np.ones((3, 5)), (*RADII, 1.0))).to_dict("records")
    assert np.isnan(alike["spearman"])
    assert alike["verdict"] == "open"


def test_cells_of_a_sweep_without_a_counterpart_that_has_no_sam_are_one_trend():
    rows, conditions = sweep(np.arange(12.0).reshape(3, 4))
    swept = conditions[1:].assign(without_sam=None, base_condition="sam0.05")
    [found] = along_radius(rows, swept).to_dict("records")
    assert (found["without_sam"], found["radii"]) == ("sam0.05", "0.05, 0.25, 0.5")
    other = swept.assign(like_base_condition=[True, False, True])
    assert along_radius(rows, other).empty


def test_a_condition_without_sam_that_is_not_matched_is_no_part_of_the_trend():
    rows, conditions = sweep(np.arange(12.0).reshape(3, 4))
    adopted = conditions.assign(matched=conditions["condition"] != "plain")
    [found] = along_radius(rows, adopted).to_dict("records")
    assert found["radii"] == "0.05, 0.25, 0.5"


def test_trends_that_are_none_are_found_in_five_percent_of_studies_at_most():
    random, sure = np.random.default_rng(1), 0
    for _ in range(400):
        found = along_radius(*sweep(random.normal(size=(3, 5)), (*RADII, 1.0)))
        sure += found["verdict"].iloc[0] != "open"
    assert sure / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_published_means_along_the_radius_decide_nothing():
    """ρ = 0, 0.05 and 0.25 of six: 0.032, 0.107 and 8.712, and no values of single seeds."""
    _, along = published_interactions(*published("deep_models", "sam_rho_sweep"))
    row = along.set_index("measure").loc["fisher_rao_norm"]
    assert (row["radii"], row["first_mean"], row["last_mean"]) == ("0, 0.05, 0.25", 0.032, 8.712)
    assert (row["spearman"], row["verdict"]) == (pytest.approx(1.0), "open")
    assert np.isnan(row["p_rises"])
    shown = markdown(text(*published_interactions(*published("deep_models", "sam_rho_sweep"))))
    assert "Published means are taken as independent of each other" in shown
    assert "ρ = 0 is the condition without SAM" in shown
