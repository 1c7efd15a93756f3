"""How sharpness goes with accuracy in each domain, against the published rows and by hand."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from table_frames import read_again

from minimascope.analysis.domain_correlations import (
    COLUMNS,
    domain_correlation_table,
    domain_correlations,
    text,
)
from minimascope.analysis.published_scenes import published_domains, published_models
from minimascope.analysis.render import markdown
from minimascope.errors import InputError

PUBLISHED = Path(__file__).parents[2] / "resources" / "published" / "asc_models.csv"
DEVICES = ("A", "B", "C", "S1", "S2", "S3", "S4", "S5", "S6")


@pytest.fixture(scope="module")
def published():
    return pd.read_csv(PUBLISHED)


@pytest.fixture(scope="module")
def found(published):
    domains, models = published_domains(published), published_models(published)
    return domain_correlations(domains, models, ["asc_sharpness"])


def of(found, network="all", evaluation="accuracy", kind="domain"):
    rows = found[(found["network"] == network) & (found["evaluation"] == evaluation)]
    return rows[rows["kind"] == kind].set_index("name")


def test_over_the_38_published_rows_flat_minima_favour_device_a(found):
    """The correlations that the rows give with SciPy alone, to two digits."""
    accuracy = of(found)["value_models"]
    assert accuracy[["A", "S1", "S2", "S5"]].round(2).tolist() == [-0.14, 0.02, 0.48, 0.60]
    above_others = of(found, evaluation="accuracy_above_others")["value_models"]
    assert round(above_others["A"], 2) == -0.56
    assert (of(found)["n_models"] == 38).all()


def test_correlations_over_models_are_scipys_of_the_printed_columns(found, published):
    sharpness = published["sharpness_mean"]
    accuracies = published[[f"accuracy_{device}" for device in DEVICES]]
    accuracy, above = of(found), of(found, evaluation="accuracy_above_others")
    for device in DEVICES:
        own = accuracies[f"accuracy_{device}"]
        rest = accuracies.drop(columns=f"accuracy_{device}").mean(axis=1)
        expected = [stats.spearmanr(sharpness, y.round(12))[0] for y in (own, own - rest)]
        assert [row.at[device, "value_models"] for row in (accuracy, above)] == pytest.approx(
            expected
        )


def test_intervals_are_over_the_means_of_conditions(found, published):
    keys = ["architecture", "optimiser", "learning_rate", "batch_size"]
    means = published.groupby(keys).mean(numeric_only=True)
    rho = {
        name: stats.spearmanr(own["sharpness_mean"], own["accuracy_vienna"].round(12))[0]
        for name, own in means.groupby(level="architecture")
    }
    rho["all"] = (12 * rho["cnn10"] + 5 * rho["cnn14"]) / 17
    for network, own in (("all", means), ("cnn10", means.loc["cnn10"])):
        rows = of(found, network, kind="city")
        assert rows.at["vienna", "value"] == pytest.approx(rho[network])
        assert (rows["n"] == len(own)).all()
        assert rows["lower"].lt(rows["value"]).all()
        assert rows["upper"].gt(rows["value"]).all()


def test_p_values_are_corrected_for_the_domains_of_a_network_together(found):
    for network, kind in product(("all", "cnn10"), ("domain", "city")):
        rows = of(found, network, kind=kind)
        assert (rows["tests"] == len(rows)).all()
        ordered = rows["p_value"].sort_values()
        steps = ordered * np.arange(len(ordered), 0, -1)
        expected = steps.cummax().clip(upper=1)
        pd.testing.assert_series_equal(
            rows["p_holm"].loc[expected.index], expected, check_names=False
        )


def test_which_domains_were_in_training_is_told_and_of_cities_nothing_is(found):
    seen = of(found)["seen"]
    assert seen[["A", "S3"]].all()
    assert not seen[["S4", "S6"]].any()
    assert of(found, kind="city")["seen"].isna().all()


def made_up(conditions=6, seeds=2, untrained=()):
    """Models whose accuracy in x rises with sharpness, and falls in y."""
    runs = pd.DataFrame(product(range(conditions), range(seeds)), columns=["rank", "seed"])
    runs = runs.assign(
        dataset="scenes",
        network="cnn10",
        condition="c" + runs["rank"].astype(str),
        asc_sharpness=1.0,
    )
    runs["asc_sharpness"] = 10.0 + runs["rank"] + 0.1 * runs["seed"]
    models = runs.assign(trained=~runs["rank"].isin(untrained))
    signs = {"x": 1, "y": -1}
    domains = [
        runs.assign(kind="domain", name=name, seen=True, accuracy=0.5 + sign * runs["rank"] / 100)
        for name, sign in signs.items()
    ]
    return pd.concat(domains, ignore_index=True), models


def test_a_perfect_order_is_perfect_and_the_two_of_a_pair_are_mirror_images():
    domains, models = made_up()
    found = domain_correlations(domains, models, ["asc_sharpness"])
    assert list(found.columns) == COLUMNS
    assert of(found)["value"].to_dict() == {"x": pytest.approx(1), "y": pytest.approx(-1)}
    above = of(found, evaluation="accuracy_above_others")
    assert above["value"].to_dict() == {"x": pytest.approx(1), "y": pytest.approx(-1)}


def test_a_difference_between_networks_is_no_correlation():
    """Each network's order says nothing; the second is sharper and more accurate on x."""
    domains, models = made_up(conditions=8)
    order = np.array([3, 0, 6, 1, 7, 2, 5, 4])
    domains["accuracy"] = 0.3 + order[domains["rank"]] / 100
    other_domains = domains.assign(network="vit", accuracy=domains["accuracy"] + 0.3)
    other_models = models.assign(network="vit", asc_sharpness=models["asc_sharpness"] + 50)
    domains = pd.concat([domains, other_domains], ignore_index=True)
    models = pd.concat([models, other_models], ignore_index=True)
    row = of(domain_correlations(domains, models, ["asc_sharpness"])).loc["x"]
    assert row["value_models"] > 0.7
    assert row["value"] == pytest.approx(stats.spearmanr(range(8), order)[0])
    assert row["p_value"] > 0.2
    assert row["n"] == 16


def test_networks_that_did_not_train_are_left_out_and_counted():
    domains, models = made_up(untrained=(5,))
    domains.loc[domains["condition"] == "c5", "accuracy"] = 0.0
    found = domain_correlations(domains, models, ["asc_sharpness"])
    assert (found["n"] == 5).all()
    assert (found["left_out"] == 2).all()
    assert of(found).at["x", "value"] == pytest.approx(1)


def test_a_single_domain_has_no_others_and_few_conditions_have_no_interval():
    domains, models = made_up(conditions=4)
    alone = domain_correlations(domains[domains["name"] == "x"], models, ["asc_sharpness"])
    assert set(alone["evaluation"]) == {"accuracy"}
    assert alone["lower"].isna().all()
    [line] = text(alone)
    assert "too few conditions for intervals" in line


def test_a_study_has_them_of_all_its_measures_of_sharpness():
    domains, models = made_up()
    models["sam_sharpness"] = -models["asc_sharpness"]
    keys = ["dataset", "network", "condition"]
    summary = (
        models[keys]
        .drop_duplicates()
        .merge(
            pd.DataFrame({"measure": ["asc_sharpness", "sam_sharpness", "test_accuracy"]}),
            how="cross",
        )
    )
    families = {"asc_sharpness": "landscape", "sam_sharpness": "perturbation"}
    summary = summary.assign(
        view="clean", unit="1", family=summary["measure"].map(families).fillna("evaluation")
    )
    found = domain_correlation_table(domains, summary, models)
    assert set(found["sharpness"]) == {"asc_sharpness", "sam_sharpness"}
    rows = found[found["sharpness"] == "sam_sharpness"]
    assert of(rows).at["x", "value"] == pytest.approx(-1)


def test_readers_see_a_column_for_each_network_and_what_is_sure(found):
    for rows in (found, read_again(found)):
        *tables, how = text(rows)
        assert len(tables) == 4
        devices = tables[0]
        assert list(devices.columns) == ["all", "cnn14", "cnn10"]
        assert devices.loc["(S5)", "all"] == "0.55 [0.11, 0.89], p = 0.019"
        assert devices.loc["A", "all"] == "−0.24 [−0.72, 0.30], p = 0.33"
        assert "Conditions: all 19, cnn14 6, cnn10 13." in devices.attrs["caption"]
        assert "In brackets" in devices.attrs["caption"]
        assert "In brackets" not in tables[2].attrs["caption"]
        assert "Holm" in how
        assert "the more accurate there, or the further above the others" in how
        assert "vienna" in markdown(tables)


def test_what_is_sure_for_all_domains_together_is_bold(found):
    [accuracy, *_] = text(found.assign(p_holm=found["p_holm"].where(found["name"] != "S5", 0.05)))
    bold = accuracy["all"].str.startswith("**")
    assert list(bold.index[bold]) == ["(S5)"]


def test_what_is_the_same_for_all_conditions_is_told_in_words():
    domains, models = made_up()
    found = domain_correlations(domains.assign(accuracy=0.5), models, ["asc_sharpness"])
    notes = found.groupby("evaluation")["note"].agg(set)
    same = "is the same for all conditions"
    assert notes["accuracy"] == {f"accuracy {same}"}
    above = "how far accuracy is above the mean of the others"
    assert notes["accuracy_above_others"] == {f"{above} {same}"}


def test_a_column_that_a_table_lacks_is_named():
    domains, models = made_up()
    with pytest.raises(InputError, match="models: no column 'sam_sharpness'"):
        domain_correlations(domains, models, ["sam_sharpness"])
    with pytest.raises(InputError, match="domains: no column 'seen'"):
        domain_correlations(domains.drop(columns="seen"), models, ["asc_sharpness"])
