"""What the registry says of tables fits their functions, and each other."""

import inspect

import pandas as pd
import pytest
from study_cases import BASE, ROOT, SCHEMA, study

from minimascope.analysis.registered import read_table
from minimascope.components import load
from minimascope.registry import PRETRAINED
from minimascope.study import products
from minimascope.study.loading import load_study
from minimascope.study.products import MODEL_TABLES
from minimascope.study.published import PUBLISHED_NETWORKS
from minimascope.tables_and_figures import (
    ALL_FIGURES,
    DATASET_FIGURES,
    FIGURES,
    GATHERED,
    PUBLISHED_FIGURES,
    STUDY_FIGURES,
    TABLES,
)

FIRST = {*MODEL_TABLES, *GATHERED, "corruption_accuracies", "ensembles"}
FIRST |= {"shifted_accuracies", "unseen_scores"}
GIVEN = {name for table in TABLES.values() for name in table.gives}


def test_each_table_is_given_by_one_function_and_needs_only_given_ones():
    assert len(GIVEN) == sum(len(table.gives) for table in TABLES.values())
    assert GIVEN.isdisjoint(FIRST)
    for name, table in TABLES.items():
        assert {*table.needs, *table.shows} <= FIRST | GIVEN, name


def test_names_in_files_are_text_also_where_they_look_like_numbers(tmp_path):
    conditions = pd.DataFrame({"condition": ["1", "2"], "baseline": [None, "1"], "seed": [0, 1]})
    conditions.to_csv(tmp_path / "conditions.csv", index=False)
    found = read_table(str(tmp_path / "conditions.csv"))
    assert found["baseline"].dropna().tolist() == ["1"]
    assert found["condition"].tolist() == ["1", "2"]
    assert found["seed"].tolist() == [0, 1]


def test_numbered_domains_keep_their_names(tmp_path):
    path = tmp_path / "domains.csv"
    path.write_text("condition,kind,name,accuracy\nbaseline,domain,01,0.5\nbaseline,domain,1,1\n")
    assert read_table(path)["name"].tolist() == ["01", "1"]


def test_the_order_of_the_registry_leaves_out_no_table(monkeypatch):
    expected = products.tables(study(seeds=[0, 1]))
    monkeypatch.setattr("minimascope.study.products.TABLES", dict(reversed(TABLES.items())))
    assert products.tables(study(seeds=[0, 1])) == expected


@pytest.mark.parametrize("name", TABLES)
def test_functions_take_as_many_tables_as_they_are_given(name):
    table = TABLES[name]
    # Settings come as keywords.
    inspect.signature(table.load()).bind_partial(*table.needs, *table.published)
    if table.text:
        inspect.signature(load(table.text)).bind(*table.shows)
    assert bool(table.text) == bool(table.shows) == bool(table.formats)


def test_every_figure_is_drawn_from_tables_that_some_study_has():
    kinds = FIGURES, DATASET_FIGURES, STUDY_FIGURES, PUBLISHED_FIGURES
    assert len(ALL_FIGURES) == sum(map(len, kinds))
    for name, figure in ALL_FIGURES.items():
        assert set(figure.needs) <= FIRST | GIVEN, name


def shown(source: str, network: str, **own) -> set[str]:
    """Return the tables of published results that a study is shown beside."""
    own |= {
        "datasets": {"data": {"source": source}},
        "networks": {"own": {"architecture": network}},
    }
    found = products.tables(load_study(BASE | own, SCHEMA))
    return {name for name, table in found.items() if table.published}


OF_IMAGES = {"published_claims", "published_outcomes", "published_interactions"}


def test_published_results_are_shown_where_they_are_of_the_same_networks_or_recordings():
    assert shown("digits", "resnet18") == set()
    assert shown("synthetic_scenes", "cnn10") == set()
    assert shown("cifar10", "mlp") == set()
    assert shown("cifar10", "resnet18") == {*OF_IMAGES, "agreement"}
    assert shown("tiny_imagenet", "resnet18") == set()
    assert shown("tiny_imagenet", "pretrained_resnet18") == {*OF_IMAGES, "agreement"}
    assert shown("dcase2020", "cnn10") == {"asc_reanalysis"}


def test_published_results_of_the_same_kind_of_data_are_shown_where_asked_for_and_only_then():
    asked = {"compare_with_published": True}
    assert shown("digits", "resnet18", **asked) == OF_IMAGES
    assert shown("circles", "mlp", **asked) == set()
    assert shown("synthetic_scenes", "cnn10", **asked) == {"asc_reanalysis"}
    unwanted = {"compare_with_published": False}
    assert shown("cifar10", "resnet18", **unwanted) == set()
    assert shown("dcase2020", "cnn10", **unwanted) == set()
    toys = {"toy_functions": True}
    assert shown("digits", "resnet18", **toys) == {"toy_geometry"}
    assert shown("cifar10", "resnet18", **unwanted, **toys) == {"toy_geometry"}


def test_the_networks_that_count_as_published_are_those_of_the_published_table():
    rows = pd.read_csv(ROOT / "resources" / "published" / "deep_models.csv")
    names = rows["pretrained"].map({True: PRETRAINED, False: ""}) + rows["architecture"]
    found = names.groupby(rows["dataset"]).unique().map(set).to_dict()
    assert found == {dataset: set(names) for dataset, names in PUBLISHED_NETWORKS.items()}


def test_a_single_seed_has_no_ensembles_and_one_pair_of_directions_no_stability():
    several = study(seeds=[0, 1], sharpness={"landscape": {"direction_seeds": [1, 2]}})
    assert {"ensembles", "stability"} <= products.tables(several).keys()
    assert {"ensembles", "stability"} <= {*products.dataset_figures(several, "small")}
    single = study(seeds=[0], sharpness={"landscape": {"direction_seeds": [1]}})
    assert not {"ensembles", "stability"} & products.tables(single).keys()
    assert not {"ensembles", "stability"} & {*products.dataset_figures(single, "small")}
    assert "landscape" in products.gathered(single)


def test_a_plane_along_eigenvectors_has_a_table_and_a_figure():
    plain, other = (
        study(sharpness={"landscape": {"eigenvectors": wanted}}) for wanted in (False, True)
    )
    name = "landscape_eigenvectors"
    assert [name in each for each in (products.gathered(plain), products.figures(plain))] == [
        False,
        False,
    ]
    assert [name in each for each in (products.gathered(other), products.figures(other))] == [
        True,
        True,
    ]
