"""Differences between two means: against SciPy, and what they hold in simulations."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from claim_cases import difference_of, values_and_conditions
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import simulate_intervals
from minimascope.analysis.claims import claims
from minimascope.analysis.comparable import measured
from minimascope.analysis.differences import (
    EQUIVALENT,
    LARGER,
    OPEN,
    SMALLER,
    TOO_FEW,
    Estimate,
    mean_over_seeds,
    p_above,
    paired,
    paired_differences,
    share_interval,
    t_interval,
    welch,
)
from minimascope.analysis.evidence import CONTRADICTED, SUPPORTED
from minimascope.analysis.findings import difference_in_words
from minimascope.analysis.measure_names import MEASURES
from minimascope.analysis.smallest_difference import SmallestDifference
from minimascope.errors import InputError

ROOT = Path(__file__).parents[2]
SEEDS, STUDIES = simulate_intervals.SEEDS, simulate_intervals.STUDIES
# Of a share of 2.5 % over so many studies, three standard errors.
MARGIN = 3 * math.sqrt(0.025 * 0.975 / STUDIES)


# Against SciPy


def test_a_paired_difference_has_the_interval_and_p_values_of_students_t():
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=0.5)
    [network] = measured(values, conditions, {"sam_sharpness": 0.3})
    rows = values[values["measure"] == "sam_sharpness"]
    seeds = rows.pivot(index="seed", columns="condition", values="value")
    found = network.differences["sam_sharpness", "noise", "baseline"]
    expected = stats.ttest_rel(seeds["noise"], seeds["baseline"])
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    beyond = stats.ttest_rel(seeds["noise"], seeds["baseline"] + 0.3, alternative="greater").pvalue
    below = stats.ttest_rel(seeds["noise"], seeds["baseline"] - 0.3, alternative="less").pvalue
    assert found.larger().p_for == pytest.approx(beyond)
    assert found.smaller().p_for == pytest.approx(below)
    assert found.larger().p_against == pytest.approx(1 - beyond)


def test_a_share_of_the_reference_is_tested_with_the_error_of_the_reference():
    """A tenth more, and a tenth less, than the reference: paired t tests of 1.1 b and of 0.9 b."""
    baseline = np.array([4.0, 6.0, 3.5, 8.0, 5.0])
    values = baseline * [1.2, 1.25, 1.1, 1.3, 1.15]
    tenth = SmallestDifference(0.1, relative=True)
    for sign in (1, -1):
        found = paired(sign * values, sign * baseline, tenth)
        larger = stats.ttest_rel(values, 1.1 * baseline, alternative="greater").pvalue
        smaller = stats.ttest_rel(values, 0.9 * baseline, alternative="less").pvalue
        sides = found.larger(), found.smaller()
        assert [side.p_for for side in sides[::sign]] == pytest.approx([larger, smaller])
        assert found.smallest == pytest.approx(0.1 * baseline.mean())
    # The difference itself, and a floor that is more than the share, are numbers.
    assert found.estimate.value == pytest.approx((baseline - values).mean())
    above_floor = stats.ttest_rel(values, baseline + 1.0, alternative="greater").pvalue
    assert paired(values, baseline, tenth, 1.0).larger().p_for == pytest.approx(above_floor)
    assert paired(values, baseline, tenth, 0.3).larger().p_for == pytest.approx(larger)


def test_the_interval_of_a_share_has_ends_that_the_paired_t_test_just_rejects():
    baseline = np.array([4.0, 6.0, 3.5, 8.0, 5.0])
    values = np.array([5.0, 5.5, 4.0, 9.0, 6.5])
    for sign in (1, -1):
        lower, upper = share_interval(sign * values, sign * baseline)
        for end in (lower, upper):
            assert stats.ttest_rel(values, (1 + sign * end) * baseline).pvalue == pytest.approx(
                0.05
            )
        assert lower < sign * (values - baseline).mean() / baseline.mean() < upper


def test_a_share_of_what_may_be_zero_has_no_interval():
    assert np.isnan(share_interval([1.0, 2.0, 1.5], [-0.1, 0.2, 0.1])).all()
    assert np.isnan(share_interval([1.0], [2.0])).all()


@given(st.lists(st.tuples(st.floats(1, 3), st.floats(5, 6)), min_size=3, max_size=8))
def test_verdicts_on_a_share_are_what_its_interval_says(pairs):
    change, baseline = np.round(np.transpose(pairs), 3)
    values = baseline * change / 2
    found = paired(values, baseline, SmallestDifference(0.2, relative=True))
    lower, upper = share_interval(values, baseline)
    if not found.known or math.isnan(lower) or min(abs(abs(np.array([lower, upper])) - 0.2)) < 1e-6:
        return
    if lower > 0.2:
        expected = LARGER
    elif upper < -0.2:
        expected = SMALLER
    else:
        expected = EQUIVALENT if lower > -0.2 and upper < 0.2 else OPEN
    assert found.verdict == expected


def test_words_say_that_the_share_decides_where_the_interval_alone_says_something_else():
    baseline = np.array([15.5, 19.9])
    share, number = SmallestDifference(0.05, relative=True), SmallestDifference(0.885)
    of_share, of_number = (
        paired(baseline - [1.92, 1.80], baseline, each) for each in (share, number)
    )
    # Surely lower by more than 0.885, but not by more than 5 % of a mean that is hardly known.
    assert of_share.interval[1] < -0.885
    assert (of_share.verdict, of_number.verdict) == (OPEN, SMALLER)
    why = (
        "is not surely beyond or within ± 0.885 as a share of the reference's mean, whose own error"
    )
    assert why in difference_in_words(of_share)
    assert difference_in_words(of_number).endswith("by itself surely below −0.885")


@pytest.mark.parametrize(
    ("smallest", "factor", "less"),
    [
        (SmallestDifference(0.02), 1, 0.02),
        (SmallestDifference(0.05, relative=True), 1.05, 0),
    ],
)
def test_a_difference_of_published_means_has_the_p_value_of_welchs_t(smallest, factor, less):
    found = welch(Estimate(0.8, 0.03, 9), Estimate(0.7, 0.01, 4), smallest).larger()
    expected = stats.ttest_ind_from_stats(
        *(0.8, 0.03 * math.sqrt(10), 10),
        *(factor * 0.7 + less, factor * 0.01 * math.sqrt(5), 5),
        equal_var=False,
        alternative="greater",
    )
    assert found.p_for == pytest.approx(expected.pvalue)


@given(
    st.floats(-3, 3),
    st.floats(0.01, 2),
    st.integers(1, 30),
    st.floats(0, 2).filter(lambda x: x == 0 or x > 1e-3),
)
def test_verdicts_are_what_the_interval_says(value, error, df, smallest):
    difference = difference_of(value, error, df, smallest)
    lower, upper = difference.interval
    ends = [lower - smallest, upper + smallest, lower + smallest, upper - smallest]
    if min(map(abs, ends)) < 1e-9:
        return
    if lower > smallest:
        expected = LARGER
    elif upper < -smallest:
        expected = SMALLER
    else:
        expected = EQUIVALENT if lower > -smallest and upper < smallest else OPEN
    assert difference.verdict == expected


@given(st.floats(-3, 3), st.floats(0.01, 2), st.floats(0.001, 2))
def test_the_other_direction_swaps_larger_and_smaller(value, error, smallest):
    one = difference_of(value, error, 4, smallest)
    other = difference_of(-value, error, 4, smallest)
    assert one.larger() == other.smaller()
    # Being smaller is more than not being larger.
    assert one.smaller().p_for >= (~one.larger()).p_for


@pytest.mark.parametrize("error", [0.0, 1e-17, math.nan])
def test_a_difference_without_an_error_is_evidence_of_nothing(error):
    for value in (1.0, -1.0):
        found = difference_of(value, error, 2, 0.1)
        assert (found.larger().p_for, found.larger().p_against) == (1, 1)
        assert found.verdict == OPEN
        assert np.isnan([*found.interval, found.p_value]).all()
    assert difference_of(1.0, math.nan, 0, 0.1).verdict == TOO_FEW


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


# What matters


def test_the_smallest_difference_is_a_share_or_a_number_and_not_below_the_floor():
    share = SmallestDifference.parse("5 %", "here")
    assert share == SmallestDifference(0.05, relative=True) == SmallestDifference.parse("5%", "")
    assert share.of(-4.0) == pytest.approx(0.2)
    assert share.of(4.0, floor=0.3) == 0.3
    assert share.of(4.0, floor=math.nan) == pytest.approx(0.2)
    assert SmallestDifference.parse(0.01, "here").of(4.0, floor=0.001) == 0.01
    for wrong in ("5", "five %", "-5 %", 0, "0 %"):
        with pytest.raises(InputError, match="here: "):
            SmallestDifference.parse(wrong, "here")


def test_the_docs_list_the_smallest_difference_and_the_best_of_every_measure():
    document = (ROOT / "docs/claims.md").read_text(encoding="utf-8")
    for measure, name in MEASURES.items():
        best = name.direction.removesuffix(" is better")
        smallest = name.smallest_difference.in_words(name.unit)
        if name.category == "diagnostic":
            continue
        if name.category == "complexity":
            expected = "0.05" if measure.startswith("log_") else "5 % of the reference"
            assert (smallest, best) == (expected, "none"), measure
            continue
        assert f"| `{measure}` | {smallest} | {best} |\n" in document
    families = (
        "| those of the families `input` and `norms` | 5 % of the reference, 0.05 of a logarithm"
    )
    assert families in document


# Simulations


def studies(seeds, difference):
    """Errors of estimates over paired seeds, of normal differences, [study]."""
    random = np.random.default_rng(seeds)
    return mean_over_seeds(difference + random.normal(size=(seeds, STUDIES)))


@pytest.mark.parametrize("seeds", SEEDS)
def test_the_paired_interval_holds_the_true_difference_in_95_percent(seeds):
    lower, upper = t_interval(*studies(seeds, 0.7))
    assert (lower > 0.7).mean() == pytest.approx(0.025, abs=MARGIN)
    assert (upper < 0.7).mean() == pytest.approx(0.025, abs=MARGIN)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("smallest", [0.0, 0.5, 3.0, 20.0])
def test_at_the_boundary_each_side_is_wrong_in_two_and_a_half_percent(seeds, smallest):
    """Larger, and no difference: both are wrong claims of what is exactly the boundary."""
    value, error, df = studies(seeds, smallest)
    larger = p_above(value - smallest, error, df) <= 0.025
    below, above = p_above(smallest - value, error, df), p_above(value + smallest, error, df)
    equivalent = np.maximum(below, above) <= 0.025
    assert larger.mean() == pytest.approx(0.025, abs=MARGIN)
    assert equivalent.mean() <= 0.025 + MARGIN
    if smallest == 20:
        assert equivalent.mean() == pytest.approx(0.025, abs=MARGIN)


@pytest.mark.parametrize("seeds", SEEDS)
def test_a_share_of_a_baseline_that_varies_is_wrong_no_more_often(seeds):
    """Where δ was taken for known, "larger" was wrong in 13 % with three seeds, 22 % with ten."""
    normal = simulate_intervals.normal_baseline(np.random.default_rng(seeds), seeds)
    wrong = simulate_intervals.wrong_verdicts(*normal)
    assert max(wrong.values()) <= 0.025 + MARGIN
    # Skewed baselines make "larger" wrong up to twice as often.
    skewed = simulate_intervals.skewed_baseline(np.random.default_rng(seeds), seeds)
    assert max(simulate_intervals.wrong_verdicts(*skewed).values()) <= 0.05 + MARGIN


@pytest.mark.parametrize("seeds", SEEDS)
def test_no_difference_is_wrong_a_little_more_often_where_floor_and_share_are_equal(seeds):
    """Which of the two δ is depends on the seeds; docs/claims.md says how often that is wrong."""
    random = np.random.default_rng(0)
    reference = 1 + 0.1 * random.normal(size=(seeds, STUDIES))
    values = reference + 0.05 + 0.01 * random.normal(size=reference.shape)
    floors = np.full(STUDIES, 0.05)
    found = paired(values, reference, SmallestDifference(0.05, relative=True), floors)
    p = p_above(*found.above)
    assert np.mean(p <= 0.025) <= 0.02 + MARGIN
    stated = {2: 0.026, 3: 0.032, 5: 0.034, 10: 0.034}[seeds]
    assert np.mean(1 - p <= 0.025) == pytest.approx(stated, abs=2 * MARGIN)


def test_equivalence_is_found_where_seeds_hardly_differ():
    value, error, df = studies(5, 0.0)
    sides = p_above(value + 5, error, df), p_above(5 - value, error, df)
    assert (np.maximum(*sides) <= 0.025).mean() > 0.9


def verdicts_of(studies, effect, smallest):
    """The verdicts on claims of made-up studies, by claim."""
    random = np.random.default_rng(3)
    given_ = {"fisher_rao_norm": smallest, "sam_sharpness": smallest, "test_accuracy": smallest}
    found = [
        claims(measured(*values_and_conditions(random, effect, names=NAMES), given_))
        for _ in range(studies)
    ]
    return pd.concat(found).groupby("claim")["verdict"]


NAMES = ("baseline", "baseline_sam")
STUDIES_OF_CLAIMS = 300
# Three standard errors of a share of 5 % over so many studies.
AT_MOST = 0.05 + 3 * math.sqrt(0.05 * 0.95 / STUDIES_OF_CLAIMS)


@pytest.mark.parametrize(("effect", "smallest"), [(0.0, 0.5), (0.99, 1.0), (-0.99, 1.0)])
def test_differences_that_do_not_matter_are_rarely_said_to(effect, smallest):
    """By chance alone, or just inside of what matters: nothing is sharper or better."""
    wrong = verdicts_of(STUDIES_OF_CLAIMS, effect, smallest).agg(lambda v: (v == SUPPORTED).mean())
    assert (wrong <= AT_MOST).all()


def test_differences_that_matter_are_rarely_said_not_to():
    """Just outside: the other condition is sharper and better, so claims 1 to 3 hold."""
    wrong = verdicts_of(STUDIES_OF_CLAIMS, 1.01, 1.0).agg(lambda v: (v == CONTRADICTED).mean())
    assert (wrong[[1, 2, 3]] <= AT_MOST).all()


def test_intervals_of_measures_of_pairs_hold_with_three_seeds_and_are_none_with_two():
    for draw in (simulate_intervals.pairs_by_model, simulate_intervals.pairs_by_pair):
        assert math.isnan(simulate_intervals.coverage(draw(np.random.default_rng(0), 2)))
        error = 3 * math.sqrt(0.05 * 0.95 / simulate_intervals.STUDIES_OF_PAIRS)
        for seeds in (3, 5, 10):
            found = simulate_intervals.coverage(draw(np.random.default_rng(seeds), seeds))
            assert found >= 0.95 - error


def test_the_docs_hold_the_simulations():
    document = (ROOT / "docs/claims.md").read_text(encoding="utf-8")
    for table in (simulate_intervals.differences_table(), simulate_intervals.verdicts_table()):
        assert "\n".join(table) in document
