"""Whether networks have a best value of sharpness in common: made-up networks, and chance."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from claim_cases import made_up, row
from scipy import stats
from table_frames import condition_rows, measure_rows

from minimascope.analysis.claims import CLAIMS, claims, finding
from minimascope.analysis.comparable import measured
from minimascope.analysis.evidence import (
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_APPLICABLE,
    SUPPORTED,
)

CLAIM = CLAIMS[6]


def place(best, network="vit", dataset="digits", error=0.01, smallest=0.05):
    """A network whose regularised condition is the best by all evaluations, at a sharpness."""
    means = {"baseline": row(5.0), "sam": row(best, 0.9, 0.01)}
    made = made_up(means, error, network=network, smallest=smallest)
    return dataclasses.replace(made, dataset=dataset)


@pytest.mark.parametrize(
    ("sharpness", "error", "expected"),
    [
        ((1.0, 2.0), 0.01, SUPPORTED),
        # In five per cent of each other: one value is the best in both.
        ((1.0, 1.01), 0.001, CONTRADICTED),
        ((1.0, 1.05), 0.01, INCONCLUSIVE),
        ((1.0, 2.0), 0.9, INCONCLUSIVE),
        # Two of three differ, which is enough.
        ((1.0, 1.0, 2.0), 0.01, SUPPORTED),
        # By one of the measures all are alike.
        ((1.0, (2.0, 1.0)), 0.001, CONTRADICTED),
        # Of three, pairs cannot show that one value is common to all.
        ((1.0, 1.0, 1.01), 0.001, INCONCLUSIVE),
    ],
)
def test_best_conditions_at_different_sharpness_have_no_value_in_common(sharpness, error, expected):
    networks = [place(best, f"n{i}", error=error) for i, best in enumerate(sharpness)]
    assert finding(CLAIM, *networks).verdict == expected
    # Another data set is another place, too.
    networks = [place(best, dataset=f"d{i}", error=error) for i, best in enumerate(sharpness)]
    assert finding(CLAIM, *networks).verdict == expected


def test_whichever_condition_may_be_the_best_counts():
    """By accuracy the sharp and the flat condition of one network are alike."""
    either = made_up({"baseline": row(1.0, 0.9, 0.01), "sam": row(2.0, 0.9, 0.01)}, 0.001)
    assert finding(CLAIM, either, place(1.0, "other", error=0.001)).verdict != SUPPORTED
    assert finding(CLAIM, either, place(3.0, "other", error=0.001)).verdict == SUPPORTED


def test_three_networks_can_share_values_in_pairs_and_have_none_in_common():
    """Best at 1 and 3, at 1 and 2, and at 2 and 3."""
    networks = [
        made_up(
            {"baseline": row(9.0), "one": row(one, 0.9, 0.01), "two": row(two, 0.9, 0.01)},
            0.001,
            network=f"n{one}{two}",
            smallest=0.05,
        )
        for one, two in ((1.0, 3.0), (1.0, 2.0), (2.0, 3.0))
    ]
    assert finding(CLAIM, *networks).verdict == INCONCLUSIVE
    assert finding(CLAIM, *networks[:2]).verdict == CONTRADICTED


def test_a_condition_that_is_alone_in_its_network_is_its_best():
    alone = made_up({"baseline": row(3.0)}, 0.001, network="alone")
    assert finding(CLAIM, place(1.0, error=0.001), alone).verdict == SUPPORTED
    alike = made_up({"baseline": row(1.0)}, 0.001, network="alone")
    assert finding(CLAIM, place(1.0, error=0.001, smallest=0.05), alike).verdict == CONTRADICTED


def test_the_p_value_is_made_of_welchs_tests_and_bonferronis_factors():
    """Two networks with a single condition that can be the best each, by one pair of measures."""
    names = ["fisher_rao_norm", "test_accuracy"]
    networks = []
    for best, network in ((1.0, "vit"), (1.3, "vgg19")):
        one = place(best, network, error=0.05)
        networks.append(dataclasses.replace(one, means=one.means[names], errors=one.errors[names]))
    evidence = finding(CLAIM, *networks).evidence
    deviation = 0.05 * math.sqrt(10)

    def p(factor, alternative):
        """Of the second mean against the first times a factor; the error of the first counts."""
        return stats.ttest_ind_from_stats(
            1.3, deviation, 10, factor * 1.0, factor * deviation, 10, False, alternative
        ).pvalue

    # Sharper or flatter (2), one of three ways to have nothing in common (3).
    expected = 3 * 2 * min(p(1.05, "greater"), p(0.95, "less"))
    assert evidence.p_for == pytest.approx(expected, rel=1e-6)
    assert evidence.p_for < 0.05


def test_one_network_on_one_data_set_has_nothing_to_compare_with():
    found = finding(CLAIM, place(1.0))
    assert (found.verdict, found.decisive) == (
        NOT_APPLICABLE,
        "there is one network, vit, on one data set",
    )
    apart = place(1.0, "other")
    apart = dataclasses.replace(
        apart, means=apart.means[["sam_sharpness", "test_ece"]], errors=apart.errors
    )
    alone = place(1.0)
    alone = dataclasses.replace(alone, means=alone.means[["fisher_rao_norm", "test_accuracy"]])
    assert finding(CLAIM, alone, apart).verdict == NOT_APPLICABLE


def test_the_row_is_about_all_networks_and_names_the_ends():
    networks = [place(1.0, "vit"), place(4.0, "vgg19", dataset="scenes")]
    found = claims(networks)
    [said] = found[found["claim"] == 6].to_dict("records")
    assert (said["dataset"], said["network"]) == ("all", "all")
    assert said["sentence"].startswith(
        "Supported for all networks on all data sets. By means, the intervals of the best"
        " conditions' sharpness have no value in common in 4 of 4 pairs of an evaluation and a"
        " measure. With the best test accuracy: Fisher–Rao norm from 1.000 ± 0.010 (sam in vit on"
        " digits) to 4.000 ± 0.010 (sam in vgg19 on scenes)"
    )
    alike = claims([place(1.0, "vit"), place(1.0, "vgg19")])
    sentence = alike[alike["claim"] == 6]["sentence"].iloc[0]
    assert "for all networks on digits" in sentence
    assert "in common in 0 of 4 pairs" in sentence


def test_of_published_networks_the_sentence_says_that_amounts_of_data_differ():
    networks = [place(1.0, "vit"), place(4.0, "vgg19", dataset="cifar100")]
    said = "on a part of the training data"
    assert said not in finding(CLAIM, *networks).numbers
    published = [dataclasses.replace(network, source="paper") for network in networks]
    assert said in finding(CLAIM, *published).numbers


STUDIES = 300


def test_networks_with_the_same_best_sharpness_are_rarely_said_to_have_none_in_common():
    """Three networks, the best of which lie at the edge of what matters."""
    random, wrong = np.random.default_rng(8), 0
    smallest = {"fisher_rao_norm": 0.5, "sam_sharpness": 0.5}
    for _ in range(STUDIES):
        rows = []
        for i in range(3):
            values, conditions = study(random, 0.5 * (i == 2))
            rows.append((values.assign(network=f"n{i}"), conditions.assign(network=f"n{i}")))
        values, conditions = (pd.concat(parts) for parts in zip(*rows, strict=True))
        networks = list(measured(values, conditions, smallest))
        wrong += finding(CLAIM, *networks).verdict == SUPPORTED
    assert wrong / STUDIES <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / STUDIES)


def study(random, shift):
    """A network whose second condition is surely the best, at a sharpness of 10 and a shift."""
    drawn = {
        (name, measure): centre + random.normal(size=4) * spread
        for name, sharp, good in (("baseline", 5.0, 0.2), ("sam", 10.0 + shift, 0.9))
        for measure, centre, spread in (
            ("fisher_rao_norm", sharp, 0.3),
            ("test_accuracy", good, 0.001),
        )
    }
    return measure_rows(drawn), condition_rows(("baseline", "sam"), (None, "baseline"))
