"""Verdicts are shown by claim and network, each once."""

import pandas as pd

from minimascope.analysis.render import html
from minimascope.analysis.verdict_matrix import MOST_COLUMNS, verdict_matrix

CLAIMS = {1: "First.", 5: "Of all."}


def rows(*found):
    columns = ["network", "claim", "verdict"]
    own = {"source": "", "dataset": "digits", "baseline": "baseline"}
    return pd.DataFrame(found, columns=columns).assign(
        **own, statement=[CLAIMS[row[1]] for row in found]
    )


def test_networks_are_columns_and_all_of_them_have_their_own():
    found = rows(("a", 1, "supported"), ("b", 1, "contradicted"), ("all", 5, "inconclusive"))
    matrix = verdict_matrix(found)
    assert list(matrix.columns) == ["a", "b", "all networks"]
    assert matrix.to_numpy().tolist() == [
        ["supported", "contradicted", ""],
        ["", "", "inconclusive"],
    ]
    shown = html([matrix])
    assert '<span class="label supported">supported</span>' in shown
    assert shown.count("<span") == len(found)


def test_what_is_said_of_all_is_said_of_a_single_network():
    matrix = verdict_matrix(rows(("a", 1, "supported"), ("all", 5, "not applicable")))
    assert matrix["a"].to_list() == ["supported", "not applicable"]
    assert '<span class="label not-applicable">' in html([matrix])


def test_many_networks_are_rows():
    names = [f"n{number}" for number in range(MOST_COLUMNS + 1)]
    matrix = verdict_matrix(rows(*((name, 1, "supported") for name in names)))
    assert list(matrix.index) == names
    assert list(matrix.columns) == ["1. First."]


def test_data_sets_papers_and_baselines_are_named_where_there_are_several():
    several = {"dataset": ["digits", "scenes"], "source": ["old", "new"], "baseline": ["x", "y"]}
    for column, values in several.items():
        found = rows(("a", 1, "supported"), ("a", 1, "contradicted")).assign(**{column: values})
        names = list(verdict_matrix(found).columns)
        assert len(names) == 2
        assert all(value in name for value, name in zip(values, names, strict=True))
