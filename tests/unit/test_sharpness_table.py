"""The table of all sharpness measures: floors, views and what is compared."""

import pandas as pd
import pytest
from test_tables import NO_PAIRS

from minimascope.analysis.render import latex
from minimascope.analysis.tables import (
    BELOW_FLOOR,
    at_minima,
    main_table,
    sharpness_table,
    summarise,
)


def sharpness_frame():
    """Values, standard errors and floors of three seeds, of which some lie in the noise."""
    rows = {
        # condition, view, measure: values, standard error, noise floor
        ("baseline", "clean", "sam_sharpness"): ([1.0, 1.1, 0.9], 0.1, 0.01),
        ("augmentation", "clean", "sam_sharpness"): ([2.0, 2.1, 1.9], 0.1, 0.01),
        ("augmentation", "augmented", "sam_sharpness"): ([3.0, 3.1, 2.9], 1.6, 0.01),
        ("initial", "clean", "sam_sharpness"): ([9.0, 9.1, 8.9], 0.1, 0.01),
        ("augmentation", "clean", "sam_sharpness_published"): ([5.0, 5.0, 5.3], 0.1, 4.0),
        ("augmentation", "clean", "sam_sharpness_null"): ([4.0, 4.0, 4.0], 0.1, None),
        ("baseline", "clean", "sam_sharpness_published"): ([1.0, 1.1, 1.0], 0.1, 0.0),
    }
    return pd.DataFrame(
        {
            "dataset": "d",
            "network": "n",
            "condition": condition,
            "seed": seed,
            "view": view,
            "family": "perturbation",
            "measure": measure,
            "value": value,
            "unit": "1",
            "protocol": "published" if measure != "sam_sharpness" else "corrected",
            "standard_error": error,
            "noise_floor": floor,
            "converged": True,
        }
        for (condition, view, measure), (values, error, floor) in rows.items()
        for seed, value in enumerate(values)
    )


def test_the_floor_of_a_mean_is_the_larger_of_error_and_floor_averaged_over_seeds():
    summary = summarise(sharpness_frame(), NO_PAIRS).set_index(["condition", "view", "measure"])
    floors = summary["noise_floor"]
    assert floors["baseline", "clean", "sam_sharpness"] == pytest.approx(0.1)
    assert floors["augmentation", "clean", "sam_sharpness_published"] == pytest.approx(4.0)


def test_values_under_twice_their_floor_are_marked_and_the_mark_is_explained():
    table = sharpness_table(summarise(sharpness_frame(), NO_PAIRS), "d", "n")
    marked = {
        (condition, column)
        for column in table
        for condition, cell in table[column].items()
        if BELOW_FLOOR in cell
    }
    assert marked == {
        ("augmentation", "SAM-sharpness, published"),
        ("augmentation (augmented data)", "SAM-sharpness"),
    }
    assert f"{BELOW_FLOOR}: less than 2 times" in table.attrs["caption"]
    assert r"$\dagger$" in latex([table])
    clean = sharpness_frame().query("condition == 'baseline'")
    table = sharpness_table(summarise(clean, NO_PAIRS), "d", "n")
    assert BELOW_FLOOR not in table.attrs["caption"]


def test_the_sharpness_table_has_views_and_initial_weights_but_compares_minima():
    table = sharpness_table(summarise(sharpness_frame(), NO_PAIRS), "d", "n")
    assert list(table.index) == [
        *("baseline", "augmentation", "augmentation (augmented data)", "initial")
    ]
    bold = [name for name, cell in table["SAM-sharpness"].items() if "**" in cell]
    assert bold == ["augmentation"]
    assert table.loc["initial", "SAM-sharpness, null"] == "—"
    assert not table["SAM-sharpness, published"].str.contains("**", regex=False).any()


def test_a_value_of_a_solver_that_stopped_early_is_marked_and_explained():
    frame = sharpness_frame()
    stopped = (frame["condition"] == "augmentation") & (frame["view"] == "clean")
    stopped &= (frame["measure"] == "sam_sharpness") & (frame["seed"] == 1)
    table = sharpness_table(summarise(frame.assign(converged=~stopped), NO_PAIRS), "d", "n")
    marked = table["SAM-sharpness"].str.endswith(" ‡")
    assert marked[marked].index.tolist() == ["augmentation"]
    assert "‡: in at least one seed the solver stopped" in table.attrs["caption"]
    assert r"$\ddagger$" in latex([table])
    table = sharpness_table(summarise(frame, NO_PAIRS), "d", "n")
    assert "‡" not in table.attrs["caption"]


def test_the_main_table_shows_trained_networks_in_one_view():
    frame = sharpness_frame()
    rows = at_minima(frame).groupby(["condition", "measure"])["view"].unique().map(list)
    assert rows["augmentation", "sam_sharpness"] == ["clean"]
    assert "initial" not in rows.index.get_level_values(0)
    augmented = frame[(frame["view"] == "augmented") | (frame["condition"] == "baseline")]
    rows = at_minima(augmented).groupby(["condition", "measure"])["view"].unique().map(list)
    assert rows["augmentation", "sam_sharpness"] == ["augmented"]
    table = main_table(summarise(frame, NO_PAIRS), "d", "n")
    assert list(table.index) == ["baseline", "augmentation"]
