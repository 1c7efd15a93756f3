"""Tables of sharpness by domain, and of training on some domains, on made-up studies."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from table_frames import read_again

from minimascope.analysis import domain_correlations, domain_sharpness, train_domains
from minimascope.analysis.collect import DOMAIN_MEASURE_COLUMNS, domain_measures_table
from minimascope.analysis.domain_sharpness import domain_sharpness_tables
from minimascope.analysis.render import markdown
from minimascope.analysis.train_domains import differences_by_training as differences_of
from minimascope.errors import InputError

RUN = ["dataset", "network", "condition", "seed"]
DEVICES = ("A", "B")


def study(datasets=("scenes",), conditions=6, seeds=3):
    """Models, whose sharpness on A is twice, and on B half, of that on all; and accuracies."""
    random = np.random.default_rng(4)
    names = [f"c{i}" for i in range(conditions)]
    runs = pd.DataFrame(product(datasets, ("cnn10",), names, range(seeds)), columns=RUN)
    models = runs.assign(trained=True, asc_sharpness=random.uniform(10, 90, len(runs)))
    factors = {"A": 2.0, "B": 0.5}
    measured = pd.concat(
        models[RUN].assign(
            kind="domain", name=name, value=factors[name] * models["asc_sharpness"], n=20
        )
        for name in DEVICES
    )
    measured = measured.assign(
        view="clean",
        family="landscape",
        measure="asc_sharpness",
        unit="percent",
        protocol="corrected",
        standard_error=np.nan,
        noise_floor=np.nan,
        converged=True,
    )
    domains = pd.concat(
        runs.assign(kind="domain", name=name, seen=True, accuracy=random.uniform(size=len(runs)))
        for name in DEVICES
    )
    return measured[DOMAIN_MEASURE_COLUMNS], domains.assign(n=30), models


def test_means_are_over_seeds_and_shares_of_the_value_on_all_data():
    measured, domains, models = study()
    means, _ = domain_sharpness_tables(measured, domains, models)
    means = means.set_index(["condition", "name"])
    own = models[models["condition"] == "c2"]["asc_sharpness"]
    row = means.loc[("c2", "A")]
    assert row["mean"] == pytest.approx(2 * own.mean())
    assert row["sem"] == pytest.approx(2 * stats.sem(own))
    assert (row["over_all"], row["over_all_sem"]) == (pytest.approx(2), pytest.approx(0))
    assert means.loc[("c2", "B"), "over_all"] == pytest.approx(0.5)
    assert (means["n_seeds"] == 3).all()


def test_correlations_are_of_sharpness_and_accuracy_on_the_same_domain():
    measured, domains, models = study()
    measured.loc[measured["name"] == "B", "value"] *= -1
    _, found = domain_sharpness_tables(measured, domains, models)
    means = domains.merge(measured, on=[*RUN, "kind", "name"])
    means = means.groupby(["name", "condition"])[["value", "accuracy"]].mean()
    rows = found[(found["network"] == "all") & (found["evaluation"] == "accuracy")]
    for name in DEVICES:
        expected = stats.spearmanr(means.loc[name, "value"], means.loc[name, "accuracy"])[0]
        assert rows.set_index("name").at[name, "value"] == pytest.approx(expected)


def test_networks_that_did_not_train_do_not_count():
    measured, domains, models = study()
    lost = (models["condition"] == "c0") & (models["seed"] == 0)
    means, _ = domain_sharpness_tables(measured, domains, models.assign(trained=~lost))
    counts = means.groupby("condition")["n_seeds"].first()
    assert counts.to_dict() == {"c0": 2, **{f"c{i}": 3 for i in range(1, 6)}}


def test_readers_see_domains_as_columns_and_then_the_correlations():
    tables = domain_sharpness_tables(*study())
    for means, found in (tables, map(read_again, tables)):
        first, *others = domain_sharpness.text(means, found)
        assert list(first.columns) == ["A", "B"]
        assert first.attrs["caption"].startswith("cnn10 on scenes: ASC sharpness (%) of the loss")
        assert "on the training samples of each domain alone" in others[0].attrs["caption"]


@pytest.mark.filterwarnings("error")
def test_readers_are_told_where_no_network_trained():
    measured, domains, models = study()
    tables = domain_sharpness_tables(measured, domains, models.assign(trained=False))
    for means, found in (tables, map(read_again, tables)):
        assert domain_sharpness.text(means, found) == [
            "No network whose sharpness was measured by domain has trained."
        ]
        assert domain_correlations.text(found) == [domain_correlations.NOTHING]


DRAWN = {"asc_sharpness": True, "sam_sharpness": True, "fisher_rao_norm": False}


@pytest.mark.parametrize(("measure", "drawn"), (DRAWN | {"relative_flatness": False}).items())
def test_captions_speak_of_directions_where_a_measure_has_some(measure, drawn):
    measured, domains, models = study()
    models = models.rename(columns={"asc_sharpness": measure})
    tables = domain_sharpness_tables(measured.assign(measure=measure), domains, models)
    caption = domain_sharpness.text(*tables)[0].attrs["caption"]
    assert ("same directions and perturbations" in caption) == drawn
    assert "each domain alone" in caption


def document(name, value, seed=0):
    row = {"measure": "asc_sharpness", "value": value, "unit": "percent", "n": 9}
    row |= {"protocol": "corrected", "standard_error": None, "noise_floor": None}
    run = {"dataset": "scenes", "network": "cnn10", "condition": "c0", "seed": seed}
    rows = [row | {"converged": True, "kind": "domain", "name": name}]
    return {"run": run, "view": "clean", "family": "landscape", "details": {"domains": rows}}


def test_documents_become_rows_and_none_become_an_empty_table():
    found = domain_measures_table({"a.json": document("A", 3.0), "b.json": document("B", 4.0)})
    assert list(found.columns) == DOMAIN_MEASURE_COLUMNS
    assert found[["name", "value", "n"]].to_numpy().tolist() == [["A", 3.0, 9], ["B", 4.0, 9]]
    empty = domain_measures_table({})
    assert list(empty.columns) == DOMAIN_MEASURE_COLUMNS
    assert empty.empty
    with pytest.raises(InputError, match=r"a.json: no document of measures by domain"):
        domain_measures_table({"a.json": document("A", 3.0) | {"details": {}}})


def two_data_sets(seeds=4):
    """Without A: 3 % less accurate on A in each seed, about, and half as sharp on B."""
    measured, domains, models = study(("scenes", "without_a"), conditions=2, seeds=seeds)
    random = np.random.default_rng(1)
    first, second = (models["dataset"] == name for name in ("scenes", "without_a"))
    models.loc[second, "asc_sharpness"] = models.loc[first, "asc_sharpness"].to_numpy() - 5
    keys = [*RUN, "kind", "name"]
    domains, measured = (table.sort_values(keys) for table in (domains, measured))
    for table, column, place, shift in (
        (domains, "accuracy", "A", -0.03),
        (measured, "value", "B", -4.0),
    ):
        rows = (table["dataset"] == "without_a") & (table["name"] == place)
        other = (table["dataset"] == "scenes") & (table["name"] == place)
        noise = random.normal(scale=abs(shift) / 20, size=rows.sum())
        table.loc[rows, column] = table.loc[other, column].to_numpy() + shift + noise
    measured = measured[(measured["dataset"] == "scenes") | (measured["name"] == "B")]
    values = models.rename(columns={"asc_sharpness": "value"}).assign(
        measure="asc_sharpness", family="landscape", unit="percent", noise_floor=np.nan
    )
    return values, domains, measured, models


REFERENCES = {"without_a": "scenes"}


def differences_by_training(*tables, smallest_differences=None, **others):
    """The differences with the usual smallest ones that matter."""
    return differences_of(*tables, smallest_differences=smallest_differences or {}, **others)


def test_training_without_a_domain_is_compared_seed_by_seed():
    values, domains, measured, models = two_data_sets()
    found = differences_by_training(values, domains, measured, models, references=REFERENCES)
    assert set(found["reference"]) == {"scenes"}
    for measure, name, table, column in (
        ("accuracy", "A", domains, "accuracy"),
        ("asc_sharpness", "B", measured, "value"),
    ):
        own = table[(table["name"] == name) & (table["condition"] == "c1")]
        wide = own.pivot(index="seed", columns="dataset", values=column)
        expected = stats.ttest_rel(wide["without_a"], wide["scenes"])
        rows = found[(found["measure"] == measure) & (found["name"] == name)]
        row = rows.set_index("condition").loc["c1"]
        assert row["difference"] == pytest.approx((wide["without_a"] - wide["scenes"]).mean())
        assert row["p_value"] == pytest.approx(expected.pvalue)
        interval = expected.confidence_interval()
        assert (row["lower"], row["upper"]) == pytest.approx((interval.low, interval.high))
        assert row["n"] == 4


def test_sharpness_is_compared_on_all_samples_and_on_domains_that_both_have():
    values, domains, measured, models = two_data_sets()
    found = differences_by_training(values, domains, measured, models, references=REFERENCES)
    places = {m: set(rows["name"]) for m, rows in found.groupby("measure")}
    assert places == {"accuracy": {"A", "B"}, "asc_sharpness": {"all", "B"}}
    assert found.groupby("measure")["tests"].first().to_dict()["accuracy"] == 4
    without = differences_by_training(
        values, domains, measured.iloc[:0], models, references=REFERENCES
    )
    assert set(without.loc[without["measure"] == "asc_sharpness", "name"]) == {"all"}


def test_what_matters_is_the_studys_own_and_never_below_the_noise_floor():
    values, domains, measured, models = two_data_sets()

    def smallest(values, measured, **smallest_differences):
        found = differences_by_training(
            *(values, domains, measured, models),
            references=REFERENCES,
            smallest_differences=smallest_differences,
        )
        one = found[found["condition"] == "c0"].set_index(["measure", "name"])
        places = (("asc_sharpness", "all"), ("asc_sharpness", "B"), ("accuracy", "A"))
        return [one.loc[place, "smallest_difference"] for place in places]

    usual = smallest(values, measured)
    assert usual[2] == 0.01
    assert smallest(values, measured, asc_sharpness=7, test_accuracy=0.02)[:2] == [7, 7]
    noisy = values.assign(noise_floor=np.where(values["dataset"] == "scenes", 40.0, 1.0))
    assert smallest(noisy, measured.assign(standard_error=30.0)) == [40, 30, 0.01]


def test_a_pair_counts_only_if_both_trained():
    values, domains, measured, models = two_data_sets()
    lost = (models["dataset"] == "scenes") & (models["seed"] == 3)
    models = models.assign(trained=~lost)
    found = differences_by_training(values, domains, measured, models, references=REFERENCES)
    assert (found["n"] == 3).all()
    assert (found["left_out"] == 1).all()


@pytest.mark.filterwarnings("error")
def test_a_condition_that_did_not_train_on_one_side_is_told():
    values, domains, measured, models = two_data_sets()
    lost = (models["dataset"] == "scenes") & (models["condition"] == "c1")
    found = differences_by_training(
        values, domains, measured, models.assign(trained=~lost), references=REFERENCES
    )
    counts = found.groupby("condition")[["n", "left_out"]].agg(["min", "max"])
    assert counts.loc["c0"].tolist() == [4, 4, 0, 0]
    assert counts.loc["c1"].tolist() == [0, 0, 4, 4]
    gone = found[found["condition"] == "c1"]
    assert gone[["difference", "lower", "p_value", "p_holm"]].isna().all(axis=None)
    assert (found.groupby("measure")["tests"].first() <= 2).all()
    for rows in (found, read_again(found)):
        [table] = train_domains.text(rows)
        assert set(table["c1"]) == {"—"}
        caption = table.attrs["caption"]
        assert "Left out, since they did not train: up to 4 networks of a comparison." in caption
        assert caption.endswith("—: of no seed did both networks train.")
    nothing = differences_by_training(
        values, domains, measured, models.assign(trained=False), references=REFERENCES
    )
    assert set(nothing["left_out"]) == {8}
    [line] = train_domains.text(read_again(nothing))
    assert line.startswith("Networks were trained both with and without some domains, but of no")


def test_readers_see_what_is_sure_and_how_many_pairs_there_are():
    found = differences_by_training(*two_data_sets(), references=REFERENCES)
    for rows in (found, read_again(found)):
        [table] = train_domains.text(rows)
        assert table.loc["Accuracy (fraction), A", "c0"].startswith("**−0.0299 [")
        assert "Pairs of seeds: up to 4." in table.attrs["caption"]
        assert "without_a minus scenes, cnn10" in markdown([table])
    assert train_domains.text(found.iloc[:0]) == [
        "No network was trained both with and without some domains."
    ]
