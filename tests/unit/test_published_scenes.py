"""The published models of acoustic scenes give the statistics that follow from them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from table_frames import read_again

from minimascope.analysis import relations
from minimascope.analysis.correlations import correlations
from minimascope.analysis.domain_correlations import domain_correlations
from minimascope.analysis.model_table import accuracies_of, factors
from minimascope.analysis.published_scenes import (
    as_expected,
    compare_with_expected,
    published_domains,
    published_means,
    published_models,
    published_pair_values,
    published_scene_claims,
    text,
)
from minimascope.analysis.render import html, markdown
from minimascope.analysis.stability import order_stability, stability
from minimascope.analysis.variance import variance_shares
from minimascope.errors import InputError

PUBLISHED = Path(__file__).parents[2] / "resources" / "published"


@pytest.fixture(scope="module")
def published():
    return pd.read_csv(PUBLISHED / "asc_models.csv")


@pytest.fixture(scope="module")
def expected():
    return pd.read_csv(PUBLISHED / "asc_expected.csv")


@pytest.fixture(scope="module")
def models(published):
    return published_models(published)


@pytest.fixture(scope="module")
def found(models):
    return correlations(published_means(models), ["asc_sharpness"], accuracies_of(models))


@pytest.fixture(scope="module")
def shares(models):
    return variance_shares(models, ["asc_sharpness"])


def test_all_expected_statistics_agree(models, expected):
    table = compare_with_expected(as_expected(models), expected)
    assert len(table) == 13
    assert table["agrees"].all()
    assert table["p_agrees"].all()
    # Much closer than what is asked for: to the printed digits.
    assert table["difference"].abs().max() < 1e-9
    assert table["p_relative_difference"].abs().max() < 1e-6
    assert (table["computed_n"] == table["expected_n"]).all()


def test_a_statistic_that_differs_or_is_missing_does_not_agree(models, expected):
    computed = as_expected(models)
    wrong = computed.assign(value=computed["value"] + 0.0021)
    assert not compare_with_expected(wrong, expected)["agrees"].any()
    close = computed.assign(value=computed["value"] + 0.0019)
    assert compare_with_expected(close, expected)["agrees"].all()
    far = compare_with_expected(computed.assign(p_value=computed["p_value"] * 1.06), expected)
    assert not far["p_agrees"].any()
    lacking = compare_with_expected(computed.iloc[1:], expected)
    assert (~lacking["agrees"]).sum() == 1
    assert (~lacking["p_agrees"]).sum() == 1
    with pytest.raises(pd.errors.MergeError):
        compare_with_expected(pd.concat([computed, computed]), expected)


def test_published_models_have_the_columns_of_a_study(models):
    assert len(models) == 38
    run = ["dataset", "network", "condition", "seed"]
    assert not models.duplicated(run).any()
    assert set(models["dataset"]) == {"dcase2020 (published)"}
    assert factors(models) == ["optimizer", "learning_rate", "batch_size", "network"]
    assert set(models["optimizer"]) == {"sgd", "adam", "kfac", "gdtuo"}
    assert len(accuracies_of(models)) == 3


def test_domains_average_the_right_devices(published, models):
    first = published.iloc[0]
    inside = np.mean([first[f"accuracy_{device}"] for device in ("A", "B", "C", "S1", "S2", "S3")])
    outside = np.mean([first[f"accuracy_{device}"] for device in ("S4", "S5", "S6")])
    row = models.iloc[0]
    assert row["accuracy_in_domain"] == pytest.approx(inside, abs=1e-12)
    assert row["accuracy_out_of_domain"] == pytest.approx(outside, abs=1e-12)
    # Floating point would break ties between means of the same numbers.
    means = models[["accuracy_in_domain", "accuracy_out_of_domain"]]
    assert means.equals(means.round(12))
    assert row["domain_gap"] == pytest.approx(100 * (inside - outside))


def test_accuracies_of_devices_and_cities_are_whole_numbers_of_clips(published, models):
    table = published_domains(published)
    correct = table["accuracy"] * table["n"]
    np.testing.assert_allclose(correct, correct.round(), atol=4e-4)
    assert (table["n"].groupby([table["seed"], table["kind"]]).sum() % 2968 == 0).all()
    for kind in ("domain", "city"):
        pooled = correct.round()[table["kind"] == kind]
        pooled = pooled.groupby([table["network"], table["condition"], table["seed"]]).sum() / 2968
        by_run = models.set_index(["network", "condition", "seed"])["test_accuracy"]
        np.testing.assert_allclose(pooled[by_run.index], by_run, atol=1e-6)
    seen = table[table["kind"] == "domain"].groupby("name")["seen"].first()
    assert sorted(seen.index[~seen.astype(bool)]) == ["S4", "S5", "S6"]
    assert table.loc[table["kind"] == "city", "seen"].isna().all()


def test_the_spread_over_directions_is_the_published_one(published, models):
    table = stability(published_pair_values(models))
    np.testing.assert_allclose(table["mean"], published["sharpness_mean"], rtol=1e-8)
    np.testing.assert_allclose(table["standard_deviation"], published["sharpness_std"], rtol=1e-8)
    assert set(table["pairs"]) == {3}
    assert order_stability(published_pair_values(models))["tau"].between(0.8, 1).all()


def test_a_column_that_print_lacks_is_named(published):
    with pytest.raises(InputError, match="published scenes: no column 'accuracy_S4'"):
        published_models(published.drop(columns="accuracy_S4"))
    with pytest.raises(InputError, match="published scenes: no column 'accuracy_lyon'"):
        published_domains(published.drop(columns="accuracy_lyon"))


def test_tables_to_read_hold_the_numbers_and_say_what_they_are(
    published, models, found, shares, expected
):
    compared = compare_with_expected(as_expected(models), expected)
    spread = stability(published_pair_values(models))
    claimed = published_scene_claims(models)
    by_domain = domain_correlations(published_domains(published), models, ["asc_sharpness"])
    parts = text(claimed, by_domain, compared, found, shares, spread)
    assert parts[0].loc["7. Sharper minima are more accurate.", "all networks"] == "inconclusive"
    *_, comparison, correlated, variance, sentence = parts
    assert comparison.attrs["caption"].endswith("13 of 13 agree.")
    disagreeing = compared.assign(p_agrees=False)
    wrong = text(claimed, by_domain, disagreeing, found, shares, spread)[-4]
    assert wrong.attrs["caption"].endswith("0 of 13 agree.")
    out_of_domain = correlated.loc["all"].set_index("Evaluation").iloc[2]
    assert out_of_domain["Spearman's ρ"] == "0.64 [0.25, 0.90], p = 0.0035"
    assert out_of_domain["n"] == 19
    assert "Note" not in correlated
    sharpness = variance.loc["ln ASC sharpness"].set_index("Setting")
    assert sharpness.loc["optimiser", "One-way"].startswith("60.5 [")
    together = sharpness.loc["optimiser × learning rate"]
    assert (together["One-way"], together["Joint"]) == ("", "")
    assert re.fullmatch(r"6\.2 \[\d\.\d, 1\d\.\d\] %", together["With interactions"])
    assert sharpness.loc["all together", "Joint"] == "81.8 %"
    # Two seeds of each condition are not independent draws.
    assert list(variance) == ["Setting", "One-way", "Joint", "With interactions", "n"]
    assert "There is no p-value" in variance.attrs["caption"]
    assert sentence.startswith("Over 3 pairs of directions 3 of 38 models")
    for page in (markdown(parts), html(parts).replace("\u00a0", " ")):
        assert comparison.attrs["caption"] in page
        assert sentence in page
        assert "60.5 [" in page


def test_tables_to_read_show_notes_p_values_and_who_was_left_out(models):
    means, accuracies = published_means(models), accuracies_of(models)
    untrained = means.assign(n_untrained=[0] * 2 + [2] * 17)
    untrained.loc[2:, accuracies] = np.nan
    few = correlations(untrained, ["asc_sharpness"], accuracies)
    single = models.drop_duplicates(["network", "condition"])
    line, variance = relations.text(few, variance_shares(single, ["asc_sharpness"]))
    assert "too few conditions for intervals" in line
    assert line.endswith("Left out, since they did not train: 34.")
    assert variance.loc["ln ASC sharpness", "p, one-way"].iloc[0] != "—"
    assert "F test" in variance.attrs["caption"]
    nothing = correlations(means.iloc[:0], ["asc_sharpness"], accuracies)
    assert relations.text(nothing, variance_shares(models.iloc[:0], ["asc_sharpness"])) == []


def test_notes_that_are_read_from_a_file_are_the_same(models, shares):
    means = published_means(models)
    one = means["network"] == means["network"].iloc[0]
    same = means.assign(asc_sharpness=means["asc_sharpness"].mask(one, 1.0))
    found = correlations(same, ["asc_sharpness"], accuracies_of(models))
    stored = read_again(found)
    assert stored["note"].isna().any()
    notes = [set(relations.text(table, shares)[0]["Note"]) for table in (found, stored)]
    assert notes[0] == notes[1]
    assert "" in notes[0]
