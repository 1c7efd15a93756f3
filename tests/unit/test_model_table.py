"""One row per trained model, and which settings set models apart."""

import pandas as pd
import pytest
from table_frames import measure_rows

from minimascope.analysis.model_table import (
    accuracies_of,
    factors,
    model_table,
)
from minimascope.errors import InputError


def rows(values, view="clean"):
    """The measures of a network from {(condition, measure): values}."""
    return measure_rows(values, dataset="scenes", network="cnn10", view=view)


def condition(name="adam", rate=0.001):
    row = {"dataset": "scenes", "network": "cnn10", "condition": name, "base_condition": "baseline"}
    return row | {"optimizer.name": name, "optimizer.lr": rate, "batch_size": 16, "epochs": 5}


CONDITIONS = pd.DataFrame([condition(), condition("sgd", 0.1)])
ONE = rows({("adam", "test_accuracy"): [0.5]})


def models_with(**columns):
    size = max(len(values) for values in columns.values())
    start = {"dataset": "d", "network": "n", "base_condition": "baseline", "optimizer": "sgd"}
    return pd.DataFrame({**start, "learning_rate": 0.1, "batch_size": 8, **columns}, range(size))


def test_a_model_has_one_row_with_its_settings_and_measures():
    values = {("adam", "test_accuracy"): [0.5, 0.6], ("adam", "asc_sharpness"): [80.0]}
    table = model_table(rows(values | {("sgd", "test_accuracy"): [0.7]}), CONDITIONS)
    settings = ["base_condition", "optimizer", "learning_rate", "batch_size", "trained"]
    run = ["dataset", "network", "condition", "seed"]
    assert list(table.columns) == [*run, *settings, "test_accuracy", "asc_sharpness"]
    by_run = table.set_index(["condition", "seed"])
    accuracies = {("adam", 0): 0.5, ("adam", 1): 0.6, ("sgd", 0): 0.7}
    assert by_run["test_accuracy"].to_dict() == accuracies
    assert by_run["asc_sharpness"].dropna().to_dict() == {("adam", 0): 80}
    assert by_run.loc[("sgd", 0), settings].tolist() == ["baseline", "sgd", 0.1, 16, True]


def test_a_model_that_did_not_train_says_so():
    values = {("adam", "test_accuracy"): [0.5, 0.6], ("adam", "asc_sharpness"): [80.0, 90.0]}
    table = model_table(rows(values).assign(trained=[True, False] * 2), CONDITIONS)
    assert table["trained"].tolist() == [True, False]


def test_initial_weights_and_other_views_are_left_out():
    clean = {("adam", "test_accuracy"): [0.5], ("initial", "test_accuracy"): [0.0]}
    augmented = {("adam", "test_accuracy"): [0.1], ("sgd", "test_accuracy"): [0.3]}
    table = model_table(pd.concat([rows(clean), rows(augmented, "augmented")]), CONDITIONS)
    assert table.set_index("condition")["test_accuracy"].to_dict() == {"adam": 0.5, "sgd": 0.3}


@pytest.mark.parametrize(
    ("measures", "conditions", "message"),
    [
        (pd.concat([ONE, ONE]), CONDITIONS, "two values of test_accuracy for seed 0 of adam"),
        (ONE.assign(condition="rmsprop"), CONDITIONS, "no condition 'rmsprop'"),
        (ONE, CONDITIONS[["dataset"]], "conditions: no column 'network'"),
        (ONE.drop(columns="trained"), CONDITIONS, "measures: no column 'trained'"),
        (ONE[["dataset"]], CONDITIONS, "measures: no column 'network'"),
    ],
)
def test_tables_that_do_not_fit_are_named(measures, conditions, message):
    with pytest.raises(InputError, match=message):
        model_table(measures, conditions)


def test_settings_that_do_not_vary_are_no_factors():
    assert factors(models_with(optimizer=["sgd", "adam"], batch_size=[8, 8])) == ["optimizer"]
    both = models_with(network=["a", "a", "b"], learning_rate=[0.1, 0.2, 0.1])
    assert factors(both) == ["learning_rate", "network"]
    assert factors(models_with(seed=[0, 1])) == []


def test_a_condition_counts_only_where_it_is_more_than_a_name_of_the_other_settings():
    named = models_with(optimizer=["sgd", "adam"], base_condition=["with_sgd", "with_adam"])
    assert factors(named) == ["optimizer"]
    sam = models_with(
        optimizer=["sgd", "adam", "sgd"], base_condition=["baseline", "baseline", "sam"]
    )
    assert factors(sam) == ["optimizer", "base_condition"]


def test_accuracies_are_found():
    models = models_with(accuracy_in_domain=[0.5], test_accuracy=[0.4], train_accuracy=[1.0])
    assert accuracies_of(models) == ["test_accuracy", "accuracy_in_domain"]
