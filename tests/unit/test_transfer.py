"""Sharpness before and evaluations after a transfer, joined by what started from what."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from minimascope.analysis.render import markdown
from minimascope.analysis.transfer import text, transfer_tables
from minimascope.errors import InputError

CONDITIONS = [f"c{i}" for i in range(6)]
SHARPNESS = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6]
AFTER = [0.71, 0.82, 0.64, 0.75, 0.66, 0.73]


def frames() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return summary, means and conditions of a study with two data sets, listed in two orders."""
    summary = pd.DataFrame(
        {"measure": ["fisher_rao_norm", "test_accuracy"], "family": ["forward", "evaluation"]}
    ).assign(unit=["1", "fraction"], view="clean", dataset="first", network="vit", condition="c0")
    first = pd.DataFrame(
        {"condition": CONDITIONS, "fisher_rao_norm": SHARPNESS, "test_accuracy": 0.9}
    ).assign(dataset="first", n_untrained=0)
    second = pd.DataFrame(
        {"condition": CONDITIONS, "fisher_rao_norm": 1.0, "test_accuracy": AFTER}
    ).assign(dataset="second", n_untrained=[0, 1, 0, 0, 0, 0])
    means = pd.concat([second, first[::-1]]).assign(network="vit")
    means = means.assign(fisher_rao_norm_sem=0.1, test_accuracy_sem=0.01)
    conditions = means[["dataset", "network", "condition"]].copy()
    started = conditions["dataset"] == "second"
    conditions["start_dataset"] = np.where(started, "first", None)
    conditions["start_condition"] = conditions["condition"].where(started, None)
    return summary, means, conditions


def test_sharpness_before_is_correlated_with_evaluations_after():
    found, points = transfer_tables(*frames())
    assert set(found["dataset"]) == {"first → second"}
    row = found[found["network"] == "vit"].iloc[0]
    assert row["value"] == pytest.approx(stats.spearmanr(SHARPNESS, AFTER).statistic)
    assert (row["sharpness"], row["evaluation"]) == ("fisher_rao_norm", "test_accuracy")
    assert (row["n"], row["left_out"]) == (6, 1)
    points = points.set_index("condition")
    assert points.loc["c2", "fisher_rao_norm"] == 4.0
    assert points.loc["c2", "before_test_accuracy"] == 0.9
    assert points.loc["c2", "test_accuracy"] == 0.64


def test_a_condition_may_start_from_another_one():
    summary, means, conditions = frames()
    started = conditions["dataset"] == "second"
    conditions.loc[started, "start_condition"] = "c4"
    _, points = transfer_tables(summary, means, conditions)
    assert points["fisher_rao_norm"].tolist() == [9.0] * 6


def test_readers_see_before_and_after_and_the_correlation():
    shown = markdown(text(*transfer_tables(*frames())))
    assert "Fisher–Rao norm, before" in shown
    assert "Test accuracy, after" in shown
    assert "0.640 ± 0.010" in shown
    assert "first → second: Spearman's rank correlation of the sharpness of the minima" in shown


def test_conditions_without_starts_are_refused():
    summary, means, conditions = frames()
    with pytest.raises(InputError, match="start_dataset"):
        transfer_tables(summary, means, conditions.drop(columns="start_dataset"))
