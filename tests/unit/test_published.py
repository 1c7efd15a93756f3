from pathlib import Path

import pandas as pd
import pytest

from minimascope.analysis.toy_geometry import compare_toy_geometry
from minimascope.errors import InputError
from minimascope.plots.toy_geometry import plot
from minimascope.toy.functions import FUNCTIONS

PUBLISHED = Path(__file__).parents[2] / "resources" / "published"
KEY = ["function", "minimum_x", "minimum_y", "quantity"]
# resources/published/README.md, check 1.
DIFFER_AS_PUBLISHED = {
    ("himmelblau", -2.805118, 3.131312, "hessian_determinant"),
    ("himmelblau", -3.77931, -3.283186, "hessian_determinant"),
    ("himmelblau", 3.584428, -1.848126, "hessian_determinant"),
    ("rosenbrock", 1.0, 1.0, "max_eigenvalue"),
    ("rastrigin", 0.0, 0.0, "hessian_determinant"),
}


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / "toy_functions.csv")


@pytest.fixture(scope="module")
def comparison(published) -> pd.DataFrame:
    return compare_toy_geometry(published)


def changed(published: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    table = published.astype({column: object})
    table.loc[row, column] = value
    return table


def test_every_published_figure_has_a_row_and_the_five_known_ones_differ_and_say_why(comparison):
    assert len(comparison) == 40
    assert not comparison.duplicated(KEY).any()
    assert not comparison.isna().any(axis=None)
    differing = comparison[~comparison["agrees_as_published"]]
    assert set(differing[KEY].itertuples(index=False, name=None)) == DIFFER_AS_PUBLISHED
    assert comparison["agrees_six_significant"].all()
    assert differing["note"].str.contains("6 significant figures, padded").all()
    assert (comparison["note"] == "").sum() == 35


def test_comparison_is_the_published_check(comparison):
    check = pd.read_csv(PUBLISHED / "toy_functions_check.csv")
    both = comparison.merge(check, on=KEY, validate="one_to_one", suffixes=("", "_check"))
    assert len(both) == 40
    assert both["published"].tolist() == both["published_check"].tolist()
    assert both["computed"].tolist() == pytest.approx(
        both["computed_at_stated_minimum"].tolist(), rel=5e-9
    )
    assert both["difference"].tolist() == pytest.approx(
        both["published_minus_computed"].tolist(), abs=5e-7, rel=5e-4
    )
    assert both["agrees_as_published"].tolist() == both["agrees_three_decimals"].tolist()
    assert (
        both["agrees_six_significant"].tolist() == both["agrees_six_significant_figures"].tolist()
    )


def test_a_wrong_figure_is_not_called_padded(published):
    table = compare_toy_geometry(changed(published, 0, "hessian_trace", 108.001))
    row = table[table["quantity"] == "hessian_trace"].iloc[0]
    assert not row["agrees_as_published"]
    assert not row["agrees_six_significant"]
    assert row["note"].startswith("The published figure is not the value")


def test_a_figure_that_is_not_given_has_no_row(published):
    table = compare_toy_geometry(changed(published, 4, "condition_number", None))
    assert len(table) == 39
    sphere = table[table["function"] == "sphere"]
    assert "condition_number" not in sphere["quantity"].tolist()


def test_figures_may_come_as_text(comparison):
    text = pd.read_csv(PUBLISHED / "toy_functions.csv", dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(compare_toy_geometry(text), comparison)


def test_what_cannot_be_compared_is_named(published):
    with pytest.raises(InputError, match="no column 'hessian_trace'"):
        compare_toy_geometry(published.drop(columns="hessian_trace"))
    with pytest.raises(InputError, match=r"'max_eigenvalue': .*; give numbers only"):
        compare_toy_geometry(changed(published, 0, "max_eigenvalue", "large"))
    with pytest.raises(InputError, match="did you mean 'booth'"):
        compare_toy_geometry(changed(published, 0, "function", "boot"))


def test_figure_marks_every_minimum_with_its_largest_eigenvalue(comparison):
    panels = {axes.get_title(): axes for axes in plot(comparison).axes}
    for function in FUNCTIONS.values():
        axes = panels[function.label]
        marks = {(*line.get_xdata(), *line.get_ydata()) for line in axes.lines}
        assert marks == set(function.minima)
        assert {text.xy for text in axes.texts} == set(function.minima)
    assert {text.get_text() for text in panels["Himmelblau"].texts} == {
        "82.28",
        "80.55",
        "133.8",
        "105.4",
    }
    assert [text.get_text() for text in panels["Booth"].texts] == ["18"]


def test_figure_shows_all_functions_on_one_scale_of_colours(comparison):
    *panels, bar = plot(comparison).axes
    assert len(panels) == 7
    assert bar.get_ylabel() == "ln(1 + f)"
    contours = [axes.collections[-1] for axes in panels]
    assert len({contour.get_clim() for contour in contours}) == 1
    # Beyond the last level nothing would be drawn.
    assert all(contour.zmax <= contour.levels[-1] for contour in contours)


def test_figure_without_eigenvalues_is_refused(comparison):
    with pytest.raises(InputError, match="max_eigenvalue"):
        plot(comparison[comparison["quantity"] == "hessian_trace"])
