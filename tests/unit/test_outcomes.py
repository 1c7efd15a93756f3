"""Better or worse and sharper or flatter at once: verdicts, p-values by SciPy, and chance."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from claim_cases import made_up, row, values_and_conditions
from scipy import stats
from table_frames import condition_rows, measure_rows, read_again

from minimascope.analysis.comparable import measured
from minimascope.analysis.differences import Difference, Estimate, paired
from minimascope.analysis.outcomes import (
    ALL,
    COLUMNS,
    NOTHING,
    OUTCOMES,
    SHARE_COLUMNS,
    VERDICTS,
    joint,
    outcome_tables,
    outcomes,
    published_outcome_tables,
    shares,
    sides,
    text,
)
from minimascope.analysis.render import html, markdown
from minimascope.analysis.smallest_difference import SmallestDifference

PUBLISHED = Path(__file__).parents[2] / "resources" / "published"
DELTA = 0.05


def verdicts(other, error=0.01, smallest=0.1):
    """The verdicts of one condition beside a baseline of 1 in sharpness and 0.5 in accuracy."""
    network = made_up({"baseline": row(1.0, 0.5, 0.5), "other": other}, error, smallest=smallest)
    found = outcomes([network])
    return found.set_index(["evaluation", "sharpness"])["verdict"].to_dict()


@pytest.mark.parametrize(
    ("sharpness", "accuracy", "error", "expected"),
    [
        (2.0, 0.9, 0.01, "better and sharper"),
        (0.2, 0.9, 0.01, "better and flatter"),
        (2.0, 0.2, 0.01, "worse and sharper"),
        (0.2, 0.2, 0.01, "worse and flatter"),
        # One of the two surely makes no difference, so that none of the four holds.
        (1.0, 0.9, 0.01, "no joint difference"),
        (2.0, 0.5, 0.01, "no joint difference"),
        (1.0, 0.5, 0.01, "no joint difference"),
        # At the smallest difference that matters, and with large errors, nothing is sure.
        (1.1, 0.9, 0.01, "open"),
        (2.0, 0.9, 0.9, "open"),
        (1.0, 0.5, 0.9, "open"),
    ],
)
def test_both_sides_make_one_of_six_verdicts(sharpness, accuracy, error, expected):
    found = verdicts(row(sharpness, accuracy, 0.5), error)
    assert found["test_accuracy", "fisher_rao_norm"] == expected


def test_a_lower_calibration_error_is_better():
    found = verdicts(row(2.0, 0.9, 0.1))
    assert set(found.values()) == {"better and sharper"}
    found = verdicts(row(2.0, 0.9, 0.9))
    assert found["test_ece", "fisher_rao_norm"] == "worse and sharper"


def one_sided(values, baseline, alternative, share=0.0, number=0.0):
    """SciPy's paired t test of values being beyond what matters on one side of the baseline's."""
    sign = 1 if alternative == "greater" else -1
    reference = (1 + sign * share) * baseline + sign * number
    return stats.ttest_rel(values, reference, alternative=alternative).pvalue


def test_p_values_are_those_of_scipys_paired_tests():
    """Sharpness matters by 5 % of the baseline, accuracy by a hundredth."""
    random = np.random.default_rng(5)
    drawn = {
        (condition, measure): start + shift * effect + spread * random.normal(size=6)
        for condition, effect in (("baseline", 0.0), ("noise", 1.0), ("other", -0.1))
        for measure, start, shift, spread in (
            ("fisher_rao_norm", 2.0, 0.8, 0.1),
            ("test_accuracy", 0.7, 0.06, 0.01),
        )
    }
    values = measure_rows(drawn)
    conditions = condition_rows(("baseline", "noise", "other"), (None, "baseline", "baseline"))
    found = outcomes(measured(values, conditions, {})).set_index("condition")
    for name in ("noise", "other"):
        sharp = drawn[name, "fisher_rao_norm"], drawn["baseline", "fisher_rao_norm"]
        good = drawn[name, "test_accuracy"], drawn["baseline", "test_accuracy"]
        sharper, flatter = (one_sided(*sharp, side, share=0.05) for side in ("greater", "less"))
        better, worse = (one_sided(*good, side, number=0.01) for side in ("greater", "less"))
        got = found.loc[name, ["p_better", "p_worse", "p_sharper", "p_flatter"]].astype(float)
        np.testing.assert_allclose(got, [better, worse, sharper, flatter], rtol=1e-6)
        # The least sure one of the two; of "no joint difference", one of the two, by Bonferroni.
        both = {
            "better and sharper": max(better, sharper),
            "better and flatter": max(better, flatter),
            "worse and sharper": max(worse, sharper),
            "worse and flatter": max(worse, flatter),
            "no joint difference": 2
            * min(max(1 - better, 1 - worse), max(1 - sharper, 1 - flatter)),
        }
        verdict = found.loc[name, "verdict"]
        sure = {key for key, p in both.items() if p <= 0.025}
        assert sure == ({verdict} - {"open"})
        expected = both.get(verdict, math.nan)
        assert found.loc[name, "p_value"] == pytest.approx(expected, rel=1e-6, nan_ok=True)
    assert found["verdict"].nunique() == 2


def test_published_p_values_are_those_of_welchs_tests():
    """ResNet-18 on CIFAR-10, 2026: 0.886 ± 0.001 and 3.940 ± 0.207 against 0.720 and 0.032."""
    found, _ = published_outcome_tables(
        pd.read_csv(PUBLISHED / "deep_models.csv", dtype=str, keep_default_na=False)
    )
    key = ["source", "dataset", "network", "condition", "evaluation", "sharpness"]
    cell = (
        found.set_index(key)
        .sort_index()
        .loc[("function_centric_2026", "cifar10", "resnet18", "augmentation"), :]
    )
    cell = cell.loc["test_accuracy", "fisher_rao_norm"]
    assert cell["verdict"] == "better and sharper"

    def p_above(mean, sem, digits, base, base_sem, factor, less):
        """From rounded means and errors with n, of ten seeds; SciPy takes deviations with n - 1."""
        half = 0.5 * 10.0**-digits / math.sqrt(3)
        first, second = (
            math.hypot(math.hypot(error, half) * math.sqrt(10 / 9), half) * math.sqrt(10)
            for error in (sem, base_sem)
        )
        return stats.ttest_ind_from_stats(
            mean, first, 10, factor * base + less, factor * second, 10, False, "greater"
        ).pvalue

    better = p_above(0.886, 0.001, 3, 0.720, 0.002, 1.0, 0.01)
    sharper = p_above(3.940, 0.207, 3, 0.032, 0.001, 1.05, 0.0)
    assert cell["p_better"] == pytest.approx(better, rel=1e-6)
    assert cell["p_sharper"] == pytest.approx(sharper, rel=1e-6)
    assert cell["p_value"] == pytest.approx(max(better, sharper), rel=1e-6)


def test_the_published_tables_are_counted():
    """By hand from Table 4 (VGG-19, CIFAR-10): all but weight decay alone are better and sharper.

    48 cells are four conditions by four evaluations and three measures; weight decay is within a
    percentage point of the baseline but by ECE: 0.151 ± 0.001 and 0.160 ± 0.001 leave it open.
    """
    found, counted = published_outcome_tables(
        pd.read_csv(PUBLISHED / "deep_models.csv", dtype=str, keep_default_na=False)
    )
    here = counted[(counted["dataset"] == "cifar10") & (counted["network"] == "vgg19")]
    whole = here[here["sharpness"] == ALL].iloc[0]
    assert whole[["cells", "better_and_sharper", "no_joint_difference", "open"]].to_list() == [
        60,
        48,
        9,
        3,
    ]
    assert whole["share_o2"] == pytest.approx(0.8)
    assert whole["share_o1"] == 0
    # Nobody is flatter and better in 2025; in 2026 Tiny ImageNet is, by Fisher–Rao norm and SAM's.
    o1 = found[found["verdict"] == "better and flatter"]
    assert set(o1["source"] + " " + o1["dataset"]) == {"function_centric_2026 tiny_imagenet"}
    assert list(counted.columns) == SHARE_COLUMNS


def test_what_cannot_be_compared_has_no_cell_and_one_seed_leaves_all_open():
    means = {"baseline": row(1.0), "noise": row((2.0, math.nan)), "other": row(3.0)}
    found = outcomes([made_up(means)])
    cells = found.groupby("condition")["sharpness"].unique().map(list).to_dict()
    assert cells == {
        "noise": ["fisher_rao_norm"],
        "other": ["fisher_rao_norm", "sam_sharpness"],
    }
    values, conditions = values_and_conditions(np.random.default_rng(0), 20.0, seeds=1)
    alone = outcomes(measured(values, conditions, {}))
    assert set(alone["verdict"]) == {"open"}
    assert alone["p_value"].isna().all()


def test_conditions_that_are_not_matched_by_seed_are_left_out():
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=20.0)
    adopted = conditions.assign(matched=conditions["condition"] != "noise")
    assert set(outcomes(measured(values, adopted, {}))["condition"]) == {"baseline_sam"}


def test_a_baseline_that_is_not_matched_by_seed_is_compared_with_nothing():
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=20.0)
    adopted = conditions.assign(matched=conditions["condition"] != "baseline")
    assert outcomes(measured(values, adopted, {})).empty


def test_counts_are_those_of_the_cells():
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=1.0)
    found, counted = outcome_tables(values, conditions, smallest_differences={})
    whole = counted.set_index("sharpness").loc[ALL]
    for verdict in VERDICTS:
        assert whole[verdict.replace(" ", "_")] == (found["verdict"] == verdict).sum()
    assert whole["cells"] == len(found) == 4
    own = counted[counted["sharpness"] != ALL]
    assert own["cells"].sum() == whole["cells"]
    assert list(found.columns) == COLUMNS


def test_shares_stand_in_words_with_their_counts():
    means = {
        "baseline": row(1.0, 0.5, 0.5),
        "other": row(2.0, 0.9, 0.1),
        "same": row(1.0, 0.5, 0.5),
    }
    found = outcomes([made_up(means, 0.01, smallest=0.3)])
    shown = markdown(text(found, read_again(shares(found))))
    assert "4 (50 %)" in shown
    assert "0 (0 %)" in shown
    assert "Source" not in shown
    assert "No joint difference" in shown
    assert "o₂" in html(text(found, shares(found)))


def test_without_a_baseline_there_is_nothing_to_count():
    values, conditions = values_and_conditions(np.random.default_rng(0))
    found, counted = outcome_tables(
        values, read_again(conditions.assign(baseline=None)), smallest_differences={}
    )
    assert found.empty
    assert text(found, counted) == [NOTHING]


# Chance


STUDIES = 4000
# Three standard errors of a share of 2.5 % over so many studies.
AT_MOST = 0.025 + 3 * math.sqrt(0.025 * 0.975 / STUDIES)


@pytest.mark.parametrize("seeds", [3, 10])
@pytest.mark.parametrize(
    ("better", "sharper", "wrong"),
    [
        # Nothing differs, or everything by just what matters: none of the four is true.
        (0.0, 0.0, OUTCOMES),
        (DELTA, DELTA, OUTCOMES),
        # Far better, and sharper by just what matters, which is not more than that: sharper and
        # flatter are both false.
        (50.0, DELTA, OUTCOMES),
        # Far better and far sharper: all others are wrong.
        (50.0, 50.0, VERDICTS[1:5]),
        # Just more than what matters in both: "no joint difference" is wrong.
        (1.001 * DELTA, 1.001 * DELTA, ("no joint difference",)),
    ],
)
def test_a_false_statement_is_made_in_one_study_of_forty_at_most(seeds, better, sharper, wrong):
    random = np.random.default_rng(seeds)
    accuracy, sharpness = (
        differences(effect + random.normal(size=(seeds, STUDIES))) for effect in (better, sharper)
    )
    found = [
        joint(sides(first, ("better", "worse")), sides(second, ("sharper", "flatter")))
        for first, second in zip(accuracy, sharpness, strict=True)
    ]
    verdicts = pd.Series([one["verdict"] for one in found])
    assert max((verdicts == name).mean() for name in wrong) <= AT_MOST


def differences(values):
    """The differences from a baseline of ten, [seed, study], one for each study."""
    found = paired(10 + values, np.full(values.shape, 10.0), SmallestDifference(DELTA))
    estimates = (
        zip(*np.broadcast_arrays(*part), strict=True)
        for part in (found.estimate, found.above, found.below)
    )
    for estimate, above, below in zip(*estimates, strict=True):
        yield Difference(Estimate(*estimate), DELTA, Estimate(*above), Estimate(*below))
