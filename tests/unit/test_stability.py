"""How many pairs of directions a mean needs, and whether models keep their order."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kendalltau
from torch import nn

from minimascope.analysis.stability import (
    MODEL_COLUMNS,
    ORDER_COLUMNS,
    VALUE_COLUMNS,
    order_stability,
    pair_values,
    stability,
)
from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.measurement import document
from minimascope.sharpness.landscape import measure
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.subject import Subject


def landscape(values, condition="sgd", seed=0, view="clean", seeds=None):
    run = {"dataset": "d", "network": "n", "condition": condition, "seed": seed}
    details = {"direction_seeds": seeds or list(range(42, 42 + len(values)))}
    return {"run": run, "view": view, "details": details | {"asc_sharpness": values}}


def table_of(matrix, **options):
    documents = {f"{i}.json": landscape(list(row), seed=i) for i, row in enumerate(matrix)}
    return pair_values(documents, **options)


def drawn(models=12, pairs=8, noise=0.5):
    random = np.random.default_rng(0)
    return np.exp(np.linspace(0, 3, models)[:, None] + noise * random.normal(size=(models, pairs)))


def test_documents_become_a_row_per_pair_of_trained_models():
    table = pair_values(
        {
            "a.json": landscape([10.0, 30.0]),
            "b.json": landscape([1.0, 2.0], view="augmented"),
            "c.json": landscape([5.0, 6.0], condition="initial"),
        }
    )
    assert list(table.columns) == VALUE_COLUMNS
    assert table["condition"].tolist() == ["sgd", "sgd"]
    assert table["direction_seed"].tolist() == [42, 43]
    assert table["value"].tolist() == [10, 30]


def test_documents_of_the_library_are_understood():
    torch.manual_seed(0)
    split = Split(torch.randn(8, 3), torch.arange(8) % 2)
    subject = Subject(nn.Linear(3, 2), Objective(split))
    measured = measure(subject, torch.Generator(), points=3, line_points=0)
    run = {"dataset": "d", "network": "n", "condition": "sgd", "seed": "0"}
    content = document("landscape", measured, run=run, view="clean")
    row = stability(pair_values({"a.json": content})).iloc[0]
    by_name = {found.measure: found for found in measured.measurements}
    assert row["mean"] == pytest.approx(by_name["asc_sharpness"].value)
    assert row["standard_error"] == pytest.approx(by_name["asc_sharpness"].standard_error)
    assert row["standard_deviation"] == pytest.approx(by_name["asc_sharpness_std"].value)
    assert row["cv"] == pytest.approx(by_name["asc_sharpness_cv"].value)


@pytest.mark.parametrize("key", ["run", "view", "details", ""])
def test_a_document_that_lacks_something_is_named(key):
    broken = landscape([1.0], seeds=[42, 43])  # and one value
    if key:
        broken = landscape([1.0])
        del broken[key]
    with pytest.raises(InputError, match=r"b\.json: no document of landscapes"):
        pair_values({"a.json": landscape([1.0]), "b.json": broken})


def test_a_model_tells_its_spread_and_the_pairs_it_needs():
    table = stability(table_of([[8.0, 10.0, 12.0]]), threshold=0.1)
    assert list(table.columns) == MODEL_COLUMNS
    row = table.iloc[0]
    assert (row["pairs"], row["mean"], row["standard_deviation"]) == (3, 10, 2)
    assert row["cv"] == pytest.approx(0.2)
    assert row["standard_error"] == pytest.approx(2 / math.sqrt(3))
    assert row["relative_standard_error"] == pytest.approx(0.2 / math.sqrt(3))
    assert row["pairs_needed"] == 4
    needed = row["cv"] / math.sqrt(row["pairs_needed"])
    assert needed <= 0.1 + 1e-12 < row["cv"] / math.sqrt(row["pairs_needed"] - 1)


def test_a_whole_number_of_pairs_is_not_rounded_up_by_floating_point():
    # (0.3 / 0.1)² comes out as a little more than 9.
    table = stability(table_of([[0.7, 1.0, 1.3]]), threshold=0.1)
    assert table["pairs_needed"].tolist() == [9]


def test_equal_values_need_one_pair_and_a_single_pair_tells_nothing():
    table = stability(table_of([[3.0, 3.0], [0.0, 0.0]]))
    assert table["pairs_needed"].tolist() == [1, pd.NA]
    single = stability(table_of([[3.0]])).iloc[0]
    assert single["mean"] == 3
    assert pd.isna(single[["standard_deviation", "cv", "standard_error", "pairs_needed"]]).all()


def test_the_order_by_the_first_pairs_is_compared_with_that_by_all():
    matrix = drawn()
    table = order_stability(table_of(matrix), splits=5)
    assert list(table.columns) == ORDER_COLUMNS
    first = table[table["kind"] == "first"]
    assert first["pairs"].tolist() == list(range(1, 9))
    expected = [kendalltau(matrix[:, :k].mean(1), matrix.mean(1)).statistic for k in range(1, 9)]
    np.testing.assert_allclose(first["tau"], expected)
    assert first["tau"].iloc[-1] == pytest.approx(1)
    assert set(table["models"]) == {12}
    assert set(table["total_pairs"]) == {8}


def test_halves_are_disjoint():
    random = np.random.default_rng(1)
    matrix = random.normal(10, 1, size=(30, 8))
    table = order_stability(table_of(matrix), splits=200)
    halves = table[table["kind"] == "split_half"].set_index("pairs")
    assert halves.index.tolist() == [1, 2, 3, 4]
    # Of independent noise, means agree by what they share, and disjoint sets share nothing.
    assert halves["tau"].abs().max() < 0.12
    assert (halves["tau_std"] > 0.02).all()


def test_halves_agree_more_the_more_pairs_they_have():
    halves = order_stability(table_of(drawn(noise=1.0)), splits=50)
    halves = halves[halves["kind"] == "split_half"]
    assert halves["tau"].is_monotonic_increasing
    assert (halves["tau_low"] <= halves["tau"]).all()
    assert (halves["tau"] <= halves["tau_high"]).all()
    perfect = order_stability(table_of(drawn(noise=0.0)), splits=5)
    np.testing.assert_allclose(perfect["tau"], 1)


def test_splits_are_the_same_again_and_three_pairs_have_none():
    values = table_of(drawn())
    pd.testing.assert_frame_equal(order_stability(values), order_stability(values))
    assert set(order_stability(table_of(drawn(pairs=3)))["kind"]) == {"first"}


def test_pairs_that_some_models_lack_are_not_compared():
    documents = {
        f"{i}.json": landscape([1.0 * i, 5.0 - i], seed=i, seeds=[42, 43]) for i in range(3)
    }
    documents["0.json"] = landscape([7.0], seeds=[43])
    table = order_stability(pair_values(documents))
    assert table["total_pairs"].tolist() == [1]
    assert table["note"].tolist() == ["1 of 2 pairs of directions are there for all models"]
    documents["0.json"] = landscape([7.0], seeds=[44])
    nothing = order_stability(pair_values(documents)).iloc[0]
    assert (nothing["pairs"], nothing["total_pairs"]) == (0, 0)
    assert nothing["note"] == "0 of 3 pairs of directions are there for all models"


def test_the_order_is_of_the_models_with_all_pairs_if_there_are_three():
    matrix = drawn(models=8, pairs=6)
    pairs = [6, 3, 6, 3, 6, 6, 3, 3]
    documents = {
        f"{i}.json": landscape(list(row[:own]), seed=i)
        for i, (row, own) in enumerate(zip(matrix, pairs, strict=True))
    }
    found = order_stability(pair_values(documents), splits=7)
    chosen = order_stability(table_of(matrix[[0, 2, 4, 5]]), splits=7)
    pd.testing.assert_frame_equal(found.drop(columns="note"), chosen.drop(columns="note"))
    assert set(found["note"]) == {"4 of 8 models have all 6 pairs of directions"}
    assert set(chosen["note"]) == {""}
    # With two of them there is no order but that of all, by the pairs that all have.
    for i in (4, 5):
        documents[f"{i}.json"] = landscape(list(matrix[i, :3]), seed=i)
    of_all = order_stability(pair_values(documents))
    assert set(of_all["models"]) == {8}
    assert set(of_all["total_pairs"]) == {3}


def test_two_models_or_equal_ones_have_no_order():
    two = order_stability(table_of(drawn(models=2)))
    assert two["tau"].isna().all()
    assert set(two["note"]) == {"fewer than 3 models"}
    table = order_stability(table_of([[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]]))
    assert np.isnan(table["tau"]).tolist() == [True, False]
    assert set(table["note"]) == {"a pair of directions gives all models the same value"}
