"""From documents and predictions to tidy tables."""

import weakref
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from refusals import refused

from minimascope.analysis.collect import COLUMNS, network_table, rows_of, tidy
from minimascope.errors import InputError
from minimascope.evaluation.calibration import calibration_rows, reliability_rows
from minimascope.evaluation.disagreement import (
    compare_models,
    jensen_shannon_divergence,
    l2_distance,
)
from minimascope.evaluation.metrics import probabilities
from minimascope.evaluation.predictions import (
    Predictions,
    load_predictions,
    measure_predictions,
    save_predictions,
)
from minimascope.measurement import Measured, Measurement, document


def run(seed: int, condition: str = "baseline") -> dict[str, str]:
    return {"dataset": "d", "network": "n", "condition": condition, "seed": str(seed)}


def predictions(seed: int, condition: str = "baseline") -> Predictions:
    draws = np.random.default_rng(seed)
    logits = draws.normal(size=(50, 3)).astype(np.float32)
    return Predictions(run(seed, condition), logits, np.arange(50) % 3)


def documents(seeds=(0, 1)):
    result = {}
    for seed in seeds:
        train = [Measurement("train_accuracy", 0.9 + seed / 100, "fraction", 80)]
        origin = {"run": run(seed), "view": "clean", "seconds": 1.5}
        result[f"forward{seed}.json"] = document("forward", Measured(train), **origin)
        test = measure_predictions(predictions(seed))
        result[f"evaluation{seed}.json"] = document("evaluation", Measured(test), **origin)
    return result


def calibration(seeds=(0, 1)) -> pd.DataFrame:
    return pd.DataFrame([row for s in seeds for row in calibration_rows(predictions(s), 15)])


def test_every_number_has_a_row_that_says_what_it_is():
    table = tidy(documents(), calibration())
    assert list(table.columns) == COLUMNS
    assert len(table) == 2 * (1 + 3 + 2 + 1 + 4)
    needed = ["value", "unit", "protocol", "n", "seconds", "family"]
    assert table[needed].notna().all().all()
    published = table[table.measure == "test_ece_published"]
    assert set(published.protocol) == {"published"}


def test_a_measure_can_be_of_another_view_than_its_document():
    found = documents((0,))
    found["evaluation0.json"]["measures"][0]["view"] = "augmented"
    views = tidy(found, calibration((0,))).set_index("measure")["view"]
    assert views["test_accuracy"] == "augmented"
    assert views["test_nll"] == "clean"


def test_the_generalisation_gap_is_the_difference_of_accuracies_in_percentage_points():
    table = tidy(documents(), calibration()).set_index(["measure", "seed"]).value
    for seed in (0, 1):
        gap = 100 * (table["train_accuracy", seed] - table["test_accuracy", seed])
        assert table["generalisation_gap", seed] == pytest.approx(gap)


@pytest.mark.parametrize("key", ["run", "measures", "seconds", "family"])
def test_a_document_that_lacks_something_is_named(key):
    broken = documents()
    del broken["forward1.json"][key]
    with pytest.raises(InputError, match=r"forward1\.json: no document of measures"):
        tidy(broken, calibration())


def test_all_pairs_of_models_of_one_network_are_compared():
    models = [predictions(s, c) for s in (0, 1) for c in ("baseline", "sam")]
    stranger = predictions(9)
    stranger.run["network"] = "other"
    table = compare_models([*models, stranger])
    assert len(table) == 6
    assert set(table.network) == {"n"}
    same = table[(table.seed_a == "0") & (table.seed_b == "0")]
    assert same.prediction_disagreement.tolist() == [0]
    different = table[table.seed_a != table.seed_b]
    a, b = models[0].logits.argmax(1), models[2].logits.argmax(1)
    assert different.prediction_disagreement.iloc[0] == (a != b).sum() / 50
    assert (table.n == 50).all()


def test_predictions_come_back_and_give_a_row_for_each_bin(tmp_path):
    save_predictions(tmp_path / "p", predictions(3), model="hash")
    loaded = load_predictions(tmp_path / "p")
    assert loaded.run == run(3)
    np.testing.assert_array_equal(loaded.logits, predictions(3).logits)
    rows = reliability_rows(loaded, 10)
    assert len(rows) == 10
    assert sum(row["count"] for row in rows) == 50


def test_only_the_models_of_one_network_are_held_at_a_time():
    models, most = [], 0

    def loaded() -> Iterator[Predictions]:
        nonlocal most
        for network in "abcd":
            for seed in range(3):
                model = predictions(seed)
                model.run["network"] = network
                models.append(weakref.ref(model))
                most = max(most, sum(reference() is not None for reference in models))
                yield model
                del model

    table = compare_models(loaded())
    assert len(table) == 4 * 3
    # And the first of the next network, which shows that this one has no more.
    assert most <= 3 + 1


def test_pairs_have_the_values_of_the_single_functions():
    a, b = predictions(0), predictions(1)
    (row,) = compare_models([a, b]).itertuples()
    p, q = probabilities(a.logits), probabilities(b.logits)
    assert row.jensen_shannon_divergence == jensen_shannon_divergence(p, q)
    assert row.l2_distance == l2_distance(p, q)


def test_predictions_of_other_samples_are_not_compared():
    others = predictions(1)
    others.labels[0] += 1
    message = "predictions of d/n/baseline/0 and d/n/baseline/1: other samples"
    with pytest.raises(InputError, match=message):
        compare_models([predictions(0), others])


def test_the_size_of_each_network_is_told_once_for_each_norm():
    size = {"norm": "batch", "parameters": 12, "weight_layers": 2}
    evaluations = {
        f"{seed}.json": {"run": run(seed), "details": {"network": size}} for seed in range(3)
    }
    other = run(0) | {"network": "m"}
    evaluations["m.json"] = {"run": other, "details": {"network": size | {"parameters": 7}}}
    none = {"norm": "none", "parameters": 10}
    evaluations["none.json"] = {
        "run": run(0) | {"condition": "no_norm"},
        "details": {"network": size | none},
    }
    table = network_table(evaluations)
    assert table.to_dict("records") == [
        {"dataset": "d", "network": "n", **size},
        {"dataset": "d", "network": "m", **size, "parameters": 7},
        {"dataset": "d", "network": "n", **size, **none},
    ]


def test_a_document_says_what_is_missing_in_it():
    with refused("x.json: no evaluation ('view' is missing); delete it and run again"):
        rows_of({"x.json": {}}, lambda document: [document["view"]], "evaluation")
