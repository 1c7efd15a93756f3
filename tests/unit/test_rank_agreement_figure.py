"""The figure of orders shows what the table of rank agreement holds."""

import numpy as np
import pandas as pd
import pytest

from minimascope.analysis.trends import rank_agreement
from minimascope.plots.rank_agreement import plot
from minimascope.plots.style import save_svg

RUN = {"dataset": "digits", "network": "vit"}
NAMES = ["fisher_rao_norm", "own_measure", "test_accuracy", "test_nll"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(6, len(NAMES)))
    models = pd.DataFrame(values, columns=NAMES).assign(**RUN)
    return rank_agreement(models[:4], models, NAMES)


def tau(table: pd.DataFrame, first: str, second: str, over: str) -> float:
    rows = table[(table["first"] == first) & (table["second"] == second) & (table["over"] == over)]
    return rows["tau"].item()


def test_conditions_are_below_the_diagonal_and_models_above(table):
    axes = plot(table, **RUN).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    # Of evaluations those of the main table.
    assert labels == ["Fisher–Rao norm", "own_measure", "Test accuracy"]
    matrix = axes.images[0].get_array().filled(np.nan)
    for column in range(len(labels)):
        assert np.isnan(matrix[column, column])
        for row in range(column + 1, len(labels)):
            pair = NAMES[column], NAMES[row]
            assert matrix[row, column] == tau(table, *pair, "conditions")
            assert matrix[column, row] == tau(table, *pair, "models")
    lines = [line.get_ydata()[0] for line in axes.lines]
    assert lines[0] == 1.5, "between the measures of sharpness and the evaluation"


def test_every_known_pair_has_its_number(table):
    axes = plot(table, **RUN).axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert len(texts) == 6
    value = tau(table, "fisher_rao_norm", "own_measure", "models")
    assert texts[1, 0] == f"{value:.1f}".replace("-", "−")


def test_one_condition_and_model_have_no_order():
    one = pd.DataFrame([{**RUN, "fisher_rao_norm": 1.0, "test_accuracy": 0.5}])
    figure = plot(rank_agreement(one, one, ["fisher_rao_norm", "test_accuracy"]), **RUN)
    assert any("too few" in text.get_text() for text in figure.texts)
    assert save_svg(figure).startswith(b"<?xml")
