"""The claims about acoustic scenes, on the published models and on made-up networks."""

import dataclasses
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from claim_cases import made_up
from scipy import stats

from minimascope.analysis.claims import CLAIMS, claims, finding
from minimascope.analysis.evidence import (
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_APPLICABLE,
    SUPPORTED,
)
from minimascope.analysis.numbers import format_number
from minimascope.analysis.published_scenes import published_models, published_scene_claims
from minimascope.components import IMAGES, RECORDINGS

PUBLISHED = Path(__file__).parents[2] / "resources" / "published" / "asc_models.csv"
ACCURATE, OUTSIDE, DRIVER = 7, 8, 9


@pytest.fixture(scope="module")
def published():
    return published_scene_claims(published_models(pd.read_csv(PUBLISHED)))


def of(found, claim, network):
    [row] = found[(found["claim"] == claim) & (found["network"] == network)].to_dict("records")
    return row


def network(sharpness, inside, outside=None, name="cnn10", data=RECORDINGS):
    """A network whose conditions have these means."""
    outside = inside if outside is None else outside
    rows = {
        f"c{i}": {
            "asc_sharpness": x,
            "test_accuracy": y,
            "accuracy_in_domain": y,
            "accuracy_out_of_domain": z,
        }
        for i, (x, y, z) in enumerate(zip(sharpness, inside, outside, strict=True))
    }
    return dataclasses.replace(made_up(rows, baseline="", network=name), data=data)


def judged(claim, *networks):
    return finding(CLAIMS[claim], *networks)


def test_print_decides_none_of_the_claims(published):
    verdicts = {
        (row.claim, row.network): row.verdict
        for row in published.itertuples()
        if row.claim in (ACCURATE, OUTSIDE, DRIVER)
    }
    assert verdicts == {
        (ACCURATE, "cnn14"): INCONCLUSIVE,
        (ACCURATE, "cnn10"): INCONCLUSIVE,
        (ACCURATE, "all"): INCONCLUSIVE,
        (OUTSIDE, "cnn14"): INCONCLUSIVE,
        (OUTSIDE, "cnn10"): INCONCLUSIVE,
        (OUTSIDE, "all"): INCONCLUSIVE,
        (DRIVER, "all"): INCONCLUSIVE,
    }


def test_the_claims_of_the_paper_come_first_of_recordings(published):
    assert list(published["claim"].unique())[:3] == [ACCURATE, OUTSIDE, DRIVER]
    # Those of images that need a baseline, or SAM, are not listed at all.
    assert not {1, 2, 3} & set(published["claim"])


def test_claim_9_states_what_is_tested_which_is_more_than_a_main_driver():
    assert CLAIMS[DRIVER].statement == (
        "The optimiser drives sharpness more than each other setting."
    )


def test_the_numbers_in_print_are_those_of_scipy(published):
    rows = pd.read_csv(PUBLISHED)
    means = rows.groupby(["architecture", "optimiser", "learning_rate", "batch_size"])
    means = means.mean(numeric_only=True)
    inside, outside = (
        means[[f"accuracy_{device}" for device in devices]].mean(axis=1).round(12)
        for devices in (("A", "B", "C", "S1", "S2", "S3"), ("S4", "S5", "S6"))
    )
    accuracy = means["accuracy_all"].round(12)

    def within(values):
        """The mean of 13 conditions' correlation and 6 conditions', by degrees of freedom."""
        of_network = {
            name: stats.spearmanr(rows["sharpness_mean"], values.loc[rows.index])[0]
            for name, rows in means.groupby(level="architecture")
        }
        return (12 * of_network["cnn10"] + 5 * of_network["cnn14"]) / 17

    row = of(published, ACCURATE, "all")
    assert f"19 conditions within 2 networks: {within(accuracy):.2f} [" in row["numbers"]
    out, into = (within(values) for values in (outside, inside))
    sentence = of(published, OUTSIDE, "all")["numbers"]
    shown = [format_number(value, ".2f") for value in (out, into)]
    assert f"out-of-domain ({shown[0]}) minus in-domain ({shown[1]})" in sentence
    assert f": {out - into:.2f} [" in sentence
    # As resources/published/asc_expected.csv has the shares.
    assert "the optimiser 61 [" in of(published, DRIVER, "all")["numbers"]


RISING = np.linspace(0.5, 0.6, 8)


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        (RISING, SUPPORTED),
        (-RISING, CONTRADICTED),
        (RISING[[3, 0, 6, 1, 7, 2, 5, 4]], INCONCLUSIVE),
    ],
)
def test_sharper_is_more_accurate_if_the_order_surely_is(accuracy, expected):
    sharpness = [1.0, 2, 4, 8, 16, 32, 64, 128]
    found = judged(ACCURATE, network(sharpness, accuracy))
    assert found.verdict == expected
    assert ("is above zero" in found.decisive) == (expected != CONTRADICTED)
    assert bool(found.unsure) == (expected == INCONCLUSIVE)


def test_four_conditions_have_too_few_orders():
    found = judged(ACCURATE, network([1.0, 2, 3, 4], RISING[:4]))
    assert found.verdict == INCONCLUSIVE
    assert found.unsure.startswith("No interval: too few")
    assert found.numbers.endswith("over 4 conditions: 1.00")


def test_more_so_out_of_domain_compares_both_correlations():
    sharpness, noise = np.arange(1.0, 17), np.random.default_rng(0).permutation(16) / 100
    rising = np.linspace(0.4, 0.6, 16)
    assert judged(OUTSIDE, network(sharpness, noise, rising)).verdict == SUPPORTED
    assert judged(OUTSIDE, network(sharpness, rising, noise)).verdict == CONTRADICTED
    assert judged(OUTSIDE, network(sharpness, rising, rising)).verdict == INCONCLUSIVE
    # Sharper is less accurate out-of-domain, too, although less so than in-domain.
    falling = (rising[::-1] + np.random.default_rng(1).normal(size=16) / 10).round(12)
    found = judged(OUTSIDE, network(sharpness, rising[::-1], falling))
    assert found.verdict != SUPPORTED
    assert "accuracy out-of-domain: \N{MINUS SIGN}0." in found.numbers


def test_there_is_a_verdict_on_each_network_and_one_on_all():
    sharpness = np.arange(1.0, 9)
    networks = [network(sharpness, RISING, name=name) for name in ("cnn10", "cnn14")]
    found = claims(networks)
    for claim in (ACCURATE, OUTSIDE):
        assert list(found.loc[found["claim"] == claim, "network"]) == ["cnn10", "cnn14", "all"]
    assert of(found, ACCURATE, "all")["numbers"].count("16 conditions within 2 networks") == 1
    alone = claims(networks[:1])
    assert list(alone.loc[alone["claim"] == ACCURATE, "network"]) == ["cnn10"]


def test_networks_that_differ_in_sharpness_and_accuracy_support_nothing():
    """Pooled, ρ is 0.75 and its test sure; within both networks no order is."""
    order = [3, 0, 6, 1, 7, 2, 5, 4]
    low = network(np.arange(1.0, 9), RISING[order], name="cnn10")
    high = network(np.arange(11.0, 19), 0.2 + RISING[order], name="cnn14")
    pooled = [[*np.arange(1.0, 9), *np.arange(11.0, 19)], [*RISING[order], *0.2 + RISING[order]]]
    assert stats.spearmanr(*pooled).pvalue < 0.01
    assert judged(ACCURATE, low, high).verdict == INCONCLUSIVE
    assert judged(OUTSIDE, low, high).verdict == INCONCLUSIVE


@pytest.mark.parametrize(
    ("lacking", "claim", "why"),
    [
        ("asc_sharpness", ACCURATE, "ASC sharpness was not measured, see sharpness.landscape"),
        ("accuracy_out_of_domain", OUTSIDE, "the data have no domains outside of training"),
    ],
)
def test_what_a_study_lacks_is_said(lacking, claim, why):
    whole = network(np.arange(1.0, 9), RISING)
    partial = dataclasses.replace(whole, means=whole.means.drop(columns=lacking))
    found = judged(claim, partial)
    assert (found.verdict, found.decisive) == (NOT_APPLICABLE, why)


def test_of_images_the_claims_are_listed_where_they_can_be_judged():
    images = network(np.arange(1.0, 9), RISING, data=IMAGES)
    assert ACCURATE in set(claims([images])["claim"])
    without = dataclasses.replace(images, means=images.means.drop(columns="asc_sharpness"))
    assert not {ACCURATE, OUTSIDE, DRIVER} & set(claims([without])["claim"])


def with_models(optimizer, rate, seeds=2, noise=0.2, rates=(1e-3, 1e-4)):
    """A network whose ln sharpness is a sum of effects of the optimiser and of the rate."""
    random = np.random.default_rng(2)
    settings = product(("sgd", "adam", "kfac"), rates, range(seeds))
    models = pd.DataFrame(settings, columns=["optimizer", "learning_rate", "seed"])
    steps = models["optimizer"].map({"sgd": -1, "adam": 0, "kfac": 1})
    logarithm = optimizer * steps + rate * (models["learning_rate"] > 5e-4)
    logarithm += noise * random.normal(size=len(models))
    models = models.assign(
        dataset="scenes",
        network="cnn10",
        condition=models["optimizer"] + models["learning_rate"].astype(str),
        base_condition=models["optimizer"],
        batch_size=16,
        trained=True,
        asc_sharpness=np.exp(logarithm),
    )
    return dataclasses.replace(network(np.arange(1.0, 9), RISING), models=models)


@pytest.mark.parametrize(
    ("effects", "expected"),
    [((2.0, 0.1), SUPPORTED), ((0.1, 4.0), CONTRADICTED), ((1.0, 1.6), INCONCLUSIVE)],
)
def test_the_optimiser_drives_sharpness_if_its_share_is_surely_the_largest(effects, expected):
    found = judged(DRIVER, with_models(*effects))
    assert found.verdict == expected
    assert "the learning rate" in found.numbers


def test_without_equal_settings_or_another_setting_there_is_nothing_to_compare():
    # Of each combination one network: the interactions leave no error.
    saturated = judged(DRIVER, with_models(2.0, 0.1, seeds=1))
    assert saturated.verdict == INCONCLUSIVE
    alone = judged(DRIVER, with_models(2.0, 0.1, rates=(1e-3,)))
    assert alone.verdict == NOT_APPLICABLE
    assert "the optimiser among them" in alone.decisive


def test_sharpness_without_a_spread_is_no_evidence():
    network_ = with_models(2.0, 0.1)
    exact = judged(DRIVER, with_models(2.0, 0.1, noise=0.0))
    assert exact.verdict == INCONCLUSIVE
    assert "no difference between networks of equal settings" in exact.unsure
    constant = network_.models.assign(asc_sharpness=1.0)
    same = judged(DRIVER, dataclasses.replace(network_, models=constant))
    assert (same.verdict, same.unsure) == (
        INCONCLUSIVE,
        "ASC sharpness: is the same for all models",
    )


def test_settings_that_go_together_cannot_be_told_apart():
    both = with_models(2.0, 0.1)
    models = both.models
    rates = models["optimizer"].map({"sgd": 1.0, "adam": 0.1, "kfac": 0.01})
    found = judged(DRIVER, dataclasses.replace(both, models=models.assign(learning_rate=rates)))
    assert found.verdict == INCONCLUSIVE
    assert "go together in this design" in found.unsure


def test_accuracies_that_are_all_the_same_are_named():
    x, alike = range(6), [0.5] * 6
    found = judged(OUTSIDE, network(x, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], alike))
    assert found.verdict == INCONCLUSIVE
    assert "out-of-domain accuracy is the same for all conditions" in found.unsure
