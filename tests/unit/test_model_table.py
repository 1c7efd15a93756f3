"""One row per trained model, and which settings set models apart."""

import pandas as pd
import pytest

from minimascope.analysis.model_table import (
    accuracies_of,
    converged,
    factors,
    model_table,
)
from minimascope.errors import InputError


def measure(condition="adam", seed=0, name="test_accuracy", value=0.5, view="clean", **other):
    family = "evaluation" if "accuracy" in name else "landscape"
    row = {"dataset": "scenes", "network": "cnn10", "condition": condition, "seed": seed}
    row |= {"view": view, "family": family, "measure": name, "value": value, "unit": "fraction"}
    return row | other


def condition(name="adam", control="baseline", rate=0.001, optimizer="adam", **other):
    row = {"dataset": "scenes", "network": "cnn10", "condition": name, "control": control}
    row |= {"optimizer.name": optimizer, "optimizer.lr": rate, "batch_size": 16, "epochs": 5}
    return row | other


def frames(measures, conditions):
    return pd.DataFrame(measures), pd.DataFrame(conditions)


def models_with(**columns):
    size = max(len(values) for values in columns.values())
    start = {"dataset": "d", "network": "n", "control": "baseline", "optimizer": "sgd"}
    return pd.DataFrame({**start, "learning_rate": 0.1, "batch_size": 8, **columns}, range(size))


def test_a_model_has_one_row_with_its_settings_and_measures():
    table = model_table(
        *frames(
            [
                measure(value=0.5),
                measure(name="asc_sharpness", value=80.0),
                measure(seed=1, value=0.6),
                measure("sgd", value=0.7),
            ],
            [condition(), condition("sgd", rate=0.1, optimizer="sgd")],
        )
    )
    settings = ["control", "optimizer", "learning_rate", "batch_size"]
    run = ["dataset", "network", "condition", "seed"]
    assert list(table.columns) == [*run, *settings, "test_accuracy", "asc_sharpness"]
    by_run = table.set_index(["condition", "seed"])
    assert by_run["test_accuracy"].to_dict() == {
        ("adam", 0): 0.5,
        ("adam", 1): 0.6,
        ("sgd", 0): 0.7,
    }
    assert by_run.loc[("adam", 0), "asc_sharpness"] == 80
    assert pd.isna(by_run.loc[("adam", 1), "asc_sharpness"])
    assert by_run.loc[("sgd", 0), settings].tolist() == ["baseline", "sgd", 0.1, 16]


def test_initial_weights_and_other_views_are_left_out():
    rows = [
        measure(value=0.5),
        measure(value=0.1, view="augmented"),
        measure("initial", value=0.0),
        measure("sgd", value=0.3, view="augmented"),
    ]
    table = model_table(*frames(rows, [condition(), condition("sgd", optimizer="sgd")]))
    assert table.set_index("condition")["test_accuracy"].to_dict() == {"adam": 0.5, "sgd": 0.3}


@pytest.mark.parametrize(
    ("measures", "conditions", "message"),
    [
        ([measure(), measure()], [condition()], "two values of test_accuracy for seed 0 of adam"),
        ([measure("sgd")], [condition()], "no condition 'sgd'"),
        ([measure()], [{"dataset": "scenes"}], "conditions: no column 'network'"),
        ([{"dataset": "scenes"}], [condition()], "measures: no column 'network'"),
    ],
)
def test_tables_that_do_not_fit_are_named(measures, conditions, message):
    with pytest.raises(InputError, match=message):
        model_table(*frames(measures, conditions))


def test_settings_that_do_not_vary_are_no_factors():
    assert factors(models_with(optimizer=["sgd", "adam"], batch_size=[8, 8])) == ["optimizer"]
    both = models_with(network=["a", "a", "b"], learning_rate=[0.1, 0.2, 0.1])
    assert factors(both) == ["learning_rate", "network"]
    assert factors(models_with(seed=[0, 1])) == []


def test_a_control_counts_only_where_it_is_more_than_a_name_of_the_other_settings():
    named = models_with(optimizer=["sgd", "adam"], control=["with_sgd", "with_adam"])
    assert factors(named) == ["optimizer"]
    sam = models_with(optimizer=["sgd", "adam", "sgd"], control=["baseline", "baseline", "sam"])
    assert factors(sam) == ["optimizer", "control"]


def test_models_below_the_minimum_training_accuracy_have_not_converged():
    models = models_with(train_accuracy=[0.9, 0.5, 0.49, float("nan")])
    assert converged(models, 0.5).index.tolist() == [0, 1]
    assert len(converged(models)) == 4
    assert len(converged(models.drop(columns="train_accuracy"))) == 4
    with pytest.raises(InputError, match="measure the family forward"):
        converged(models.drop(columns="train_accuracy"), 0.5)


def test_accuracies_are_found():
    models = models_with(accuracy_in_domain=[0.5], test_accuracy=[0.4], train_accuracy=[1.0])
    assert accuracies_of(models) == ["test_accuracy", "accuracy_in_domain"]
