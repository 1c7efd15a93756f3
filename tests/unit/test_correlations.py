"""Correlations over the means of conditions: of which, with which, and as text."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from table_frames import read_again

from minimascope.analysis.correlations import COLUMNS, cells, correlate, correlations, to_read
from minimascope.errors import InputError

EVALUATIONS = ["test_accuracy", "accuracy_in_domain"]


def means(networks=("cnn10", "cnn14"), n=10):
    random = np.random.default_rng(3)
    x = random.lognormal(4, 1, n * len(networks))
    y = 0.5 + 0.05 * np.log(x) + 0.05 * random.normal(size=len(x))
    return pd.DataFrame(
        {
            "dataset": "scenes",
            "network": np.repeat(networks, n),
            "n_untrained": 0,
            "asc_sharpness": x,
            "test_accuracy": y,
            "accuracy_in_domain": 1 - y,
        }
    )


def test_all_networks_and_each_of_them_have_rows():
    table = correlations(means(), ["asc_sharpness"], EVALUATIONS)
    assert list(table.columns) == COLUMNS
    assert table["network"].tolist() == ["all", "all", "cnn10", "cnn10", "cnn14", "cnn14"]
    assert table["n"].tolist() == [20, 20, 10, 10, 10, 10]
    assert set(table["statistic"]) == {"spearman"}
    part = means().iloc[10:]
    expected = stats.spearmanr(part["asc_sharpness"], part["test_accuracy"]).statistic
    assert table["value"].tolist()[4:] == pytest.approx([expected, -expected])
    both = pd.concat([means(), means(("vit",)).assign(dataset="digits")])
    apart = correlations(both, ["asc_sharpness"], EVALUATIONS)
    assert apart[apart["dataset"] == "digits"].groupby("network")["n"].first().to_dict() == {
        "all": 10,
        "vit": 10,
    }


def test_tables_to_read_show_a_single_network_once():
    several, single = (
        correlations(means(networks), ["asc_sharpness"], EVALUATIONS)
        for networks in (("cnn10", "cnn14"), ("vit",))
    )
    assert len(to_read(several)) == len(several)
    assert to_read(single)["network"].tolist() == ["vit", "vit"]


def test_models_that_did_not_train_are_counted_and_their_conditions_left_out():
    frame = means(("cnn10",))
    frame.loc[[2, 5], "n_untrained"] = [1, 3]
    frame.loc[5, ["asc_sharpness", *EVALUATIONS]] = np.nan
    table = correlations(frame, ["asc_sharpness"], EVALUATIONS)
    assert set(table["left_out"]) == {4}
    assert set(table["n"]) == {9}


def test_accuracies_equal_but_for_rounding_errors_are_ties():
    y = np.array([0.1 + 0.2, 0.3, 0.5, 0.4])
    assert y[0] != y[1]
    x = np.array([2.0, 1.0, 4.0, 3.0])
    expected = stats.spearmanr(x, [0.3, 0.3, 0.5, 0.4]).statistic
    assert correlate(x, y)["value"] == pytest.approx(expected)
    # Small sharpness keeps its digits.
    assert correlate(x * 1e-15, y)["value"] == pytest.approx(expected)


def test_cells_hold_value_interval_and_p_or_the_words_too_few():
    def shown(n, strength=1.0):
        x = np.arange(n)
        found = correlate(x, strength * x + np.sin(9 * x) * (1 - strength) * n)
        (row,) = read_again(pd.DataFrame([found])).itertuples()
        return cells(row)

    assert shown(4) == {
        "Spearman's ρ": "1.00 (too few)",
        "n": 4,
        "Note": "too few: no order of 4 conditions reaches p = 0.05",
    }
    assert shown(5) == {"Spearman's ρ": "1.00 [0.31, 1.00], p = 0.017", "n": 5, "Note": ""}
    assert shown(30)["Spearman's ρ"].endswith("1.00], p < 0.001")
    assert shown(2)["Spearman's ρ"] == "—"


def test_a_measure_that_is_missing_is_named():
    with pytest.raises(InputError, match="means: no column 'hessian_trace'"):
        correlations(means(), ["hessian_trace"], EVALUATIONS)
