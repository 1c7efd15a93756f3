"""Tables of odd studies go through all of the registry: words instead of tracebacks."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from table_frames import NO_PAIRS, condition_rows, measure_rows, pair_rows

from minimascope.analysis.registered import make_table
from minimascope.tables_and_figures import TABLES

NAMES = ("baseline", "baseline_sam", "noise")
MADE = ("summary", "main", "sharpness", "statistics", "claims", "trends", "answer")
RESULTS = [name for name in TABLES if name in (*MADE, "models", "correlations")]
SETTINGS = {"base_condition": "baseline", "optimizer.name": "sgd", "optimizer.lr": 0.1}
SETTINGS |= {"batch_size": 32}


def tables(seeds=3):
    """Measures, pairs and conditions of a made-up study of one network."""
    random = np.random.default_rng(0)
    measures = ("fisher_rao_norm", "sam_sharpness", "test_accuracy", "test_nll")
    values = {
        (name, measure): 1 + i + random.random(seeds)
        for i, name in enumerate(NAMES)
        for measure in measures
    }
    pairs = [(a, b) for a in range(seeds) for b in range(a)]
    shares = [{pair: random.random() for pair in pairs} for _ in NAMES]
    of_pairs = [pair_rows(own, name) for own, name in zip(shares, NAMES, strict=True) if own]
    return {
        "measures": measure_rows(values),
        "disagreement": pd.concat(of_pairs or [NO_PAIRS]),
        "conditions": condition_rows(
            NAMES, [None, "baseline", "baseline"], without_sam=[None, "baseline", None]
        ).assign(**SETTINGS),
    }


def with_value(value, **where):
    def change(found):
        rows = found["measures"]
        here = np.logical_and.reduce([rows[name] == wanted for name, wanted in where.items()])
        found["measures"] = rows.assign(value=rows["value"].mask(here, value))

    return change


def untrained(found):
    found["measures"]["trained"] = False


def without_baseline(found):
    found["conditions"]["baseline"] = None


def without_sharpness(found):
    rows = found["measures"]
    found["measures"] = rows[rows["family"] == "evaluation"]


def without_pairs(found):
    found["disagreement"] = found["disagreement"].iloc[:0]


def without_common_seeds(found):
    rows = found["measures"]
    found["measures"] = rows.assign(seed=rows["seed"] + 10 * (rows["condition"] != "baseline"))
    without_pairs(found)


def alike(found):
    found["measures"]["value"] = 0.5


def numbered(found):
    for frame in found.values():
        frame.replace({"baseline": "1", "noise": "2"}, inplace=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: None, {"statistics": "Baseline: baseline."}),
        (with_value(np.inf, measure="fisher_rao_norm"), {"main": "∞"}),
        (with_value(np.inf, measure="test_nll", seed=0), {"statistics": "Test NLL"}),
        (with_value(np.nan, measure="fisher_rao_norm"), {"answer": "vit"}),
        (untrained, {"answer": "9 of 9 networks did not train", "claims": "not applicable"}),
        (without_baseline, {"statistics": "No condition is compared"}),
        (
            without_sharpness,
            {"answer": "were not measured together", "sharpness": "No measure of sharpness"},
        ),
        (without_pairs, {"answer": "vit"}),
        (without_common_seeds, {"statistics": "Not compared: baseline_sam and noise"}),
        (alike, {"answer": "is the same for all conditions"}),
        (numbered, {"statistics": "Baseline: 1.", "claims": "baseline 1"}),
    ],
)
def test_odd_tables_are_put_into_words(change, words, tmp_path):
    found = tables()
    change(found)
    shown = made(found, tmp_path)
    for name, text in words.items():
        assert text in shown[name], name


def test_a_single_seed_and_a_single_condition_are_put_into_words(tmp_path):
    shown = made(tables(seeds=1), tmp_path)
    assert "With one seed no difference" in shown["answer"]
    alone = tables()
    alone = {
        name: frame[frame.filter(regex="^condition").eq("baseline").all(axis=1)]
        for name, frame in alone.items()
    }
    shown = made(alone, tmp_path)
    assert "fewer than 3 conditions" in shown["answer"]
    assert "there is only one condition with networks that trained" in shown["claims"]


def made(found, folder) -> dict[str, str]:
    """What readers see of the tables of the registry, as Markdown."""
    for name, frame in found.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in RESULTS:
            table = TABLES[name]
            paths = {
                key: str(folder / f"{key}.csv")
                for key in (*table.needs, *table.gives, *table.shows)
            }
            paths |= {form: str(folder / f"{name}.{form}") for form in table.formats}
            smallest = {"smallest_differences": {}} if name in ("statistics", "claims") else {}
            smallest |= {"recordings": []} if name == "claims" else {}
            make_table(table, paths, Path(), smallest)
    return {name: (folder / f"{name}.md").read_text() for name in RESULTS if TABLES[name].text}
