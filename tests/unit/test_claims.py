"""Verdicts on claims: made-up networks for each, what must not change them, and chance."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from claim_cases import made_up, named, row, values_and_conditions
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from table_frames import condition_rows, measure_rows, read_again

from minimascope.analysis.claims import CLAIMS, COLUMNS, claims, finding
from minimascope.analysis.claims_text import text
from minimascope.analysis.comparable import measured
from minimascope.analysis.evidence import (
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_APPLICABLE,
    SIGNIFICANT,
    SUPPORTED,
)
from minimascope.analysis.render import markdown
from minimascope.components import IMAGES, RECORDINGS


def verdict(number, *networks):
    return finding(CLAIMS[number], *networks).verdict


def test_each_claim_is_quoted_from_the_papers_that_make_it():
    path = Path(__file__).parents[2] / "resources" / "papers.yaml"
    papers = yaml.safe_load(path.read_text(encoding="utf-8"))
    quoted = {number for paper in papers.values() for number in paper.get("claims", {})}
    assert quoted == set(CLAIMS)
    for number, claim in CLAIMS.items():
        assert claim.number == number
        assert {name for name in papers if number in papers[name].get("claims", {})} == {
            *claim.papers
        }


def test_claims_about_another_kind_of_data_are_listed_only_where_they_can_be_judged():
    """SAM is in no condition, and there is one network: of recordings nothing is said of both."""
    rows = {"baseline": row(1.0), "noise": row(3.0)}
    images = made_up(rows)
    recordings = dataclasses.replace(images, data=RECORDINGS)
    shown = {
        data: set(claims([network])["claim"])
        for data, network in (("images", images), ("recordings", recordings))
    }
    of_images = {number for number, claim in CLAIMS.items() if claim.data == IMAGES}
    judged = {1, 2, 4}
    assert of_images <= shown["images"]
    assert shown["recordings"] & of_images == judged


# Claim 1


@pytest.mark.parametrize(
    ("other", "error", "expected"),
    [
        (2.0, 0.1, SUPPORTED),
        (2.0, 0.9, INCONCLUSIVE),
        ((2.0, 0.5), 0.1, CONTRADICTED),
        ((2.0, 1.1), 0.1, INCONCLUSIVE),
        (1.0, 0.1, INCONCLUSIVE),
    ],
)
def test_the_baseline_is_the_flattest_if_all_others_are_sharper_on_all_measures(
    other, error, expected
):
    network = made_up({"baseline": row(1.0), "sam": row(other), "noise": row(3.0)}, error)
    assert verdict(1, network) == expected


@pytest.mark.parametrize("side", [1, -1])
def test_an_interval_that_ends_at_zero_is_the_boundary(side):
    width = stats.t.ppf(0.975, 9) * 0.1
    for factor, expected in ((1 + 1e-9, {1: SUPPORTED, -1: CONTRADICTED}), (1 - 1e-9, None)):
        means = {"baseline": {"fisher_rao_norm": 1.0}}
        means["sam"] = {"fisher_rao_norm": 1 + side * factor * width}
        found = verdict(1, made_up(means))
        assert found == (expected[side] if expected else INCONCLUSIVE)


def test_one_flatter_condition_of_many_needs_a_smaller_interval():
    """One of ten comparisons lies beyond 95 % by chance in every fourth study."""
    difference = 2.5 * 0.1
    others = {f"c{i}": row(1.0) for i in range(4)} | {"flat": row((1 - difference, 1.0))}
    assert stats.t.sf(2.5, 9) < SIGNIFICANT
    assert verdict(1, made_up({"baseline": row(1.0), **others})) == INCONCLUSIVE
    others["flat"] = row((1 - 2 * difference, 1.0))
    assert verdict(1, made_up({"baseline": row(1.0), **others})) == CONTRADICTED


def test_a_comparison_that_is_not_known_keeps_a_claim_about_all_open():
    means = {"baseline": row(1.0), "sam": row(2.0), "noise": row((2.0, math.nan))}
    found = finding(CLAIMS[1], made_up(means))
    assert found.evidence.verdict == INCONCLUSIVE
    assert found.numbers == (
        "Of 4 comparisons, the other condition is surely sharper in 3 and surely flatter in 0;"
        " 1 is not possible"
    )
    assert found.decisive == "SAM-sharpness of noise and baseline cannot be compared"


# Claim 2


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # The best on both evaluations is sharper.
        ([row(1.0), row(2.0, 0.9, 0.01)], SUPPORTED),
        # The best is flatter by one measure.
        ([row(1.0), row((2.0, 0.5), 0.9, 0.01)], CONTRADICTED),
        # The baseline is the best by one evaluation.
        ([row(1.0), row(2.0, 0.9, 0.3)], CONTRADICTED),
        # Which one is the best is not certain.
        ([row(1.0), row(2.0, 0.51, 0.09)], INCONCLUSIVE),
        # Two are candidates, and both are sharper.
        ([row(1.0), row(2.0, 0.9, 0.01), row(3.0, 0.89, 0.011)], SUPPORTED),
        # One of two candidates is flatter.
        ([row(1.0), row(2.0, 0.9, 0.01), row(0.5, 0.89, 0.011)], INCONCLUSIVE),
    ],
)
def test_the_best_is_sharper_if_that_holds_for_whichever_may_be_the_best(rows, expected):
    assert verdict(2, named(rows, 0.02)) == expected


# Claim 3


@pytest.mark.parametrize(
    ("with_sam", "error", "expected"),
    [
        ((2.0, 0.5), 0.1, SUPPORTED),
        ((0.5, 0.5), 0.1, CONTRADICTED),
        ((0.5, 1.0), 0.1, INCONCLUSIVE),
        ((2.0, 0.5), 0.9, INCONCLUSIVE),
    ],
)
def test_sam_does_not_only_flatten_if_it_sharpens_by_some_measure(with_sam, error, expected):
    rows = {"baseline": row(9.0), "plain": row(1.0), "plain_sam": row(with_sam)}
    assert verdict(3, made_up(rows, error)) == expected


def test_without_a_pair_that_differs_in_sam_alone_there_is_a_reason():
    found = finding(CLAIMS[3], made_up({"baseline": row(1.0), "other_sam": row(2.0)}))
    assert (found.verdict, found.decisive) == (
        NOT_APPLICABLE,
        "no two conditions differ in SAM alone",
    )


# Claim 4


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # The sharpest is the worst, by both evaluations or by one.
        ([row(1.0, 0.9, 0.01), row(2.0)], SUPPORTED),
        ([row(1.0, 0.9), row(2.0)], SUPPORTED),
        # It is the best by all.
        ([row(1.0), row(2.0, 0.9, 0.01)], CONTRADICTED),
        # It may be another one, or as good as another.
        ([row(1.0), row(1.01, 0.9, 0.01)], INCONCLUSIVE),
        ([row(1.0), row(2.0)], INCONCLUSIVE),
        # The sharpest differs between measures, one best: it cannot be both.
        ([row((1.0, 1.0)), row((2.0, 3.0), 0.9, 0.01), row((3.0, 2.0))], SUPPORTED),
    ],
)
def test_the_sharpest_is_not_always_the_best(rows, expected):
    assert verdict(4, named(rows, 0.01)) == expected


# Claim 5


def networks(offset, slope=1.0, noise=0.0):
    """Two networks in which accuracy rises with sharpness, the sharper one less accurate."""
    random = np.random.default_rng(0)

    def means(k, i):
        accuracy = slope * 0.1 * i + offset * k + noise * random.normal()
        return {"fisher_rao_norm": 10 ** (k + 0.1 * i), "test_accuracy": accuracy}

    return [
        made_up({f"c{i}": means(k, i) for i in range(6)}, network=name, baseline="c0")
        for k, name in enumerate(("vit", "resnet18"))
    ]


@pytest.mark.parametrize(
    ("offset", "noise", "expected"),
    [
        (-3.0, 0.01, SUPPORTED),
        (3.0, 0.01, CONTRADICTED),
        (-3.0, 0.5, INCONCLUSIVE),
        (-0.15, 0.01, INCONCLUSIVE),
    ],
)
def test_pooling_reverses_a_trend_if_all_signs_are_certain(offset, noise, expected):
    assert verdict(5, *networks(offset, noise=noise)) == expected
    assert verdict(5, *networks(-offset, slope=-1.0, noise=-noise)) == expected


def test_one_network_has_nothing_to_pool():
    found = finding(CLAIMS[5], *networks(-3.0)[:1])
    assert (found.verdict, found.decisive) == (NOT_APPLICABLE, "there is one network, vit")


# All claims


DIFFERENCES = st.floats(-3, 3).filter(lambda x: abs(x) > 1e-6)


@given(DIFFERENCES)
def test_the_opposite_sign_swaps_verdicts(difference):
    swapped = {SUPPORTED: CONTRADICTED, CONTRADICTED: SUPPORTED, INCONCLUSIVE: INCONCLUSIVE}

    def found(sign):
        means = {"baseline": {"fisher_rao_norm": 1.0}}
        means["baseline_sam"] = {"fisher_rao_norm": 1 + sign * difference}
        network = made_up(means, 0.5)
        return [verdict(number, network) for number in (1, 3)]

    assert found(-1) == [swapped[name] for name in found(1)]


@settings(deadline=None, max_examples=20)
@given(st.randoms(), st.sampled_from([0.0, 1.0, 20.0]))
def test_the_order_of_seeds_and_conditions_changes_no_verdict(random, effect):
    values, conditions = values_and_conditions(np.random.default_rng(1), effect)
    found = claims(measured(values, conditions, {})).set_index("claim")
    order = random.sample(range(len(values)), len(values))
    names = dict(zip(range(5), random.sample(range(5), 5), strict=True))
    shuffled = values.assign(seed=values["seed"].map(names)).iloc[order]
    again = claims(measured(shuffled, conditions.iloc[::-1], {})).set_index("claim")
    assert again["verdict"].to_dict() == found["verdict"].to_dict()
    np.testing.assert_allclose(again["p_for"], found["p_for"], rtol=1e-6)
    np.testing.assert_allclose(again["p_against"], found["p_against"], rtol=1e-6)


def test_each_baseline_of_a_sweep_has_claims_of_its_own():
    names = ("baseline", "baseline_sam", "baseline-lr1", "baseline_sam-lr1")
    values, conditions = values_and_conditions(np.random.default_rng(0), names=names)
    conditions["baseline"] = [None, "baseline", "baseline", "baseline-lr1"]
    conditions["without_sam"] = [None, "baseline", None, "baseline-lr1"]
    groups = {n.baseline: n for n in measured(values, conditions, {})}
    assert {name: network.conditions for name, network in groups.items()} == {
        "baseline": ("baseline", "baseline_sam"),
        "baseline-lr1": ("baseline-lr1", "baseline_sam-lr1"),
    }
    assert groups["baseline-lr1"].without_sam == {"baseline_sam-lr1": "baseline-lr1"}
    of_images = [claim for claim in CLAIMS.values() if claim.data == IMAGES]
    assert len(claims(groups.values())) == 2 * len(of_images)


def test_adopted_conditions_that_are_not_matched_are_left_out_of_claims_1_to_4():
    names = ("baseline", "baseline_sam", "theirs")
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=20.0, names=names)
    conditions["without_sam"] = [None, "baseline", None]
    adopted = conditions.assign(matched=conditions["condition"] != "theirs")
    both = ("baseline", "baseline_sam")
    here = [frame[frame["condition"].isin(both)] for frame in (values, conditions)]
    found, without = (
        claims(measured(*frames, {})).set_index("claim") for frames in ((values, adopted), here)
    )
    said = " Left out: theirs (adopted: not matched by seed)."
    for claim in (1, 2, 3, 4):
        assert found.loc[claim, "sentence"] == without.loc[claim, "sentence"] + said
        assert found.loc[claim, "p_for"] == without.loc[claim, "p_for"]
    assert said not in found.loc[5, "sentence"]
    matched = claims(measured(values, conditions, {})).set_index("claim")
    assert matched.loc[1, "numbers"] != found.loc[1, "numbers"]


def test_claims_about_a_baseline_do_not_apply_to_one_that_is_adopted():
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=20.0)
    adopted = conditions.assign(matched=conditions["condition"] != "baseline")
    found = claims(measured(values, adopted, {})).set_index("claim")
    assert set(found.loc[[1, 2], "verdict"]) == {NOT_APPLICABLE}
    assert "Left out: baseline (adopted: not matched by seed)" in found.loc[1, "sentence"]


def test_a_study_without_a_baseline_has_the_claims_that_need_none():
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=20.0)
    alone = read_again(conditions.assign(baseline=None))
    found = claims(measured(values, alone, {})).set_index("claim")
    assert found.loc[1, "decisive"] == found.loc[2, "decisive"]
    assert found.loc[1, "decisive"].startswith("no condition is compared with a baseline")
    assert found.loc[3, "verdict"] == SUPPORTED
    assert list(claims(measured(values, conditions, {})).columns) == COLUMNS


def test_claims_about_several_conditions_do_not_apply_to_one():
    for baseline in ("baseline", ""):
        alone = {"baseline": row(1.0)}
        found = claims(
            [made_up(alone, network=name, baseline=baseline) for name in ("vit", "vgg19")]
        )
        assert set(found["verdict"]) == {NOT_APPLICABLE}
        assert found[["p_for", "p_against"]].isna().all(axis=None)
        assert not found["sentence"].str.contains("analysis.baseline").any()
        one = "there is only one condition with networks that trained"
        assert set(found.loc[found["claim"] != 3, "decisive"]) == {one}
        assert f"Not applicable** for vit on digits: {one}." in markdown(text(found))


def test_slopes_have_their_interval_in_brackets():
    sentence = claims(networks(-3.0, noise=0.01)).set_index("claim").loc[5, "sentence"]
    slopes = re.findall(r"slope of .*: (\S+) \[(\S+), (\S+)\] \(n = \d+\)", sentence)
    assert len(slopes) == 1
    value, lower, upper = (float(number.replace("−", "-")) for number in slopes[0])
    assert lower < value < upper


def test_one_seed_decides_nothing():
    values, conditions = values_and_conditions(np.random.default_rng(0), 20.0, seeds=1)
    found = claims(measured(values, conditions, {})).set_index("claim")
    assert set(found.loc[[1, 2, 3, 4], "verdict"]) == {INCONCLUSIVE}
    assert set(found.loc[[1, 2, 3, 4], "unsure"]) == {"one seed, whose differences have no error"}
    assert found.loc[5, "verdict"] == NOT_APPLICABLE


# What does not matter, and what cannot be judged


def test_a_difference_in_the_fifth_digit_supports_nothing():
    """However certain it is: 0.666454 ± 0.000042 against 0.666452 ± 0.000042, by the same seeds."""
    noise = np.array([0.00004, -0.00005, 0.00001])
    plain = 0.666452 + noise
    values = measure_rows(
        {
            ("baseline", "fisher_rao_norm"): plain,
            ("baseline_sam", "fisher_rao_norm"): plain + 2e-6 + 1e-9 * noise / 4e-5,
        }
    )
    conditions = condition_rows(["baseline", "baseline_sam"], [None, "baseline"])
    conditions["without_sam"] = [None, "baseline"]
    found = claims(measured(values, conditions, {})).set_index("claim")
    assert found["verdict"].to_dict() == {
        1: CONTRADICTED,
        2: NOT_APPLICABLE,
        3: CONTRADICTED,
        4: NOT_APPLICABLE,
        5: NOT_APPLICABLE,
        6: NOT_APPLICABLE,
    }
    assert "is by itself surely within ± 0.0333" in found.loc[3, "sentence"]
    # Of a study that takes it for large it is one.
    tiny = {"fisher_rao_norm": 1e-6}
    found = claims(measured(values, conditions, tiny)).set_index("claim")
    assert found.loc[3, "verdict"] == SUPPORTED


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(0.4, SUPPORTED), (0.16, INCONCLUSIVE), (0.0, CONTRADICTED), (-0.4, CONTRADICTED)],
)
def test_a_claim_of_a_difference_is_one_of_what_matters(difference, expected):
    means = {"baseline": {"fisher_rao_norm": 1.0}}
    means["baseline_sam"] = {"fisher_rao_norm": 1.0 + difference}
    network = made_up(means, 0.05, smallest=0.15)
    assert {verdict(1, network), verdict(3, network)} == {expected}


def test_better_is_by_more_than_what_matters_where_lower_values_are_better():
    """Two errors that hardly differ: either condition may count as the best."""
    means = {"baseline": row(1.0, 0.5, 0.100), "sam": row(3.0, 0.9, 0.099)}
    known = made_up(means, 1e-6, smallest=0.01)
    assert verdict(2, made_up(means, 1e-6)) == SUPPORTED
    found = finding(CLAIMS[2], known)
    assert found.verdict == CONTRADICTED
    assert found.decisive.startswith("baseline is among the best. ")
    assert "Test ECE of sam is 0.0990000" in found.decisive


def test_nothing_is_ranked_by_a_gap():
    rows = {"baseline": row(1.0), "sam": row(2.0)}
    gaps = {
        name: {"fisher_rao_norm": mean["fisher_rao_norm"], "generalisation_gap": gap}
        for (name, mean), gap in zip(rows.items(), (3.0, -8.0), strict=True)
    }
    found = finding(CLAIMS[2], made_up(gaps))
    assert (found.verdict, found.decisive) == (
        NOT_APPLICABLE,
        "there is no evaluation by which a condition can be the best",
    )


def test_networks_that_did_not_train_are_left_out_and_counted():
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=20.0)
    whole = claims(measured(values, conditions, {}))
    stuck = values.assign(value=-1e9, trained=False, seed=values["seed"] + 100)
    stuck = stuck[(stuck["condition"] == "noise") & (stuck["seed"] < 102)]
    found = claims(measured(pd.concat([values, stuck]), conditions, {}))
    assert set(found["left_out"]) == {2}
    assert found["sentence"].str.endswith(" Left out: 2 networks that did not train.").all()
    pd.testing.assert_frame_equal(
        found.drop(columns=["left_out", "sentence"]), whole.drop(columns=["left_out", "sentence"])
    )


def test_claims_do_not_apply_where_no_network_trained():
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=20.0)
    found = claims(measured(values.assign(trained=False), conditions, {}))
    assert set(found["verdict"]) == {NOT_APPLICABLE}
    assert found["sentence"].str.contains("none of its networks trained").all()
    assert set(found["left_out"]) == {15}
    assert markdown(text(found))
    baseline = values.assign(trained=values["condition"] != "baseline")
    found = claims(measured(baseline, conditions, {})).set_index("claim")
    assert found.loc[1, "decisive"] == found.loc[2, "decisive"]
    assert found.loc[1, "decisive"] == "no network of the baseline trained"


def test_slopes_count_where_they_change_an_evaluation_by_what_matters():
    """Half a percentage point over the whole range of sharpness is no trend."""
    steep, flat = networks(-3.0, noise=1e-4), networks(-3.0, slope=0.01, noise=1e-4)
    assert verdict(5, *steep) == SUPPORTED
    assert verdict(5, *flat) == CONTRADICTED


def test_measures_that_only_another_network_has_are_left_out():
    whole = made_up({"baseline": row(1.0), "sam": row(2.0)})
    means = whole.means.assign(sam_sharpness=np.nan)
    partial = dataclasses.replace(whole, means=means)
    assert finding(CLAIMS[1], partial).numbers.startswith("Of 1 comparison, the other condition is")


@pytest.mark.parametrize("some", ["seed == 0", "condition != 'noise'"])
def test_measures_that_some_of_a_networks_seeds_or_conditions_have_decide_nothing(some):
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=20.0)
    landscapes = values[values["measure"] == "sam_sharpness"].query(some)
    both = pd.concat([values, landscapes.assign(measure="asc_sharpness", unit="percent")])
    found = claims(measured(both, conditions, {}))
    pd.testing.assert_frame_equal(found, claims(measured(values, conditions, {})))
    assert found["seeds_min"].eq(5).all()
