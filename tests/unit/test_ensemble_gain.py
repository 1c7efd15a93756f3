"""What goes with the gain of ensembles: against SciPy, and in tables and a figure to read."""

import math
from itertools import product
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from minimascope.analysis.ensemble_gain import COLUMNS, gain_correlations, gains_table, text
from minimascope.analysis.render import html, markdown
from minimascope.errors import InputError
from minimascope.plots.ensembles import plot
from minimascope.plots.style import save_svg

UNITS = {"test_accuracy": "fraction", "test_ece": "fraction", "corruption_accuracy": "percent"}
PREDICTORS = {
    "prediction_disagreement": "evaluation",
    "fisher_rao_norm": "forward",
    "sam_sharpness": "perturbation",
}


def frames(
    networks: tuple[str, ...] = ("resnet18", "vit"), conditions: int = 5
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ensembles and a summary of so many conditions, with an initial one in the latter."""
    random = np.random.default_rng(0)
    names = [f"condition{i}" for i in range(conditions)]
    keys = ["network", "condition", "measure"]
    ensembles = pd.DataFrame(product(networks, names, UNITS), columns=keys).assign(
        dataset="digits",
        members=3,
        ensemble=0.9,
        members_mean=0.88,
        members_error=0.01,
        best_member=0.89,
        gain_error=0.1,
        unit=lambda rows: rows["measure"].map(UNITS),
        gain=lambda rows: random.normal(size=len(rows)),
    )
    predicting = product(networks, ["initial", *names], PREDICTORS)
    summary = pd.DataFrame(predicting, columns=keys).assign(
        dataset="digits",
        view="clean",
        sem=0.02,
        n_seeds=3,
        n_untrained=0,
        unit="1",
        family=lambda rows: rows["measure"].map(PREDICTORS),
        mean=lambda rows: random.uniform(0.1, 1, len(rows)),
    )
    return ensembles, summary


def test_gains_stand_beside_the_predictors_of_their_condition():
    ensembles, summary = frames()
    table = gains_table(ensembles, summary).set_index(["network", "condition"])
    assert len(table) == 10
    for key, row in table.iterrows():
        own = ensembles.set_index(["network", "condition", "measure"])
        of_members = summary.set_index(["network", "condition", "measure"])
        for measure in UNITS:
            assert row[f"gain_{measure}"] == own.loc[(*key, measure), "gain"]
            assert row[f"gain_{measure}_error"] == 0.1
        for predictor in PREDICTORS:
            assert row[predictor] == of_members.loc[(*key, predictor), "mean"]
            assert row[f"{predictor}_error"] == 0.02


def test_correlations_are_scipys_over_conditions_within_networks_and_over_all():
    ensembles, summary = frames()
    found = gain_correlations(ensembles, summary)
    assert list(found.columns) == COLUMNS
    # of 2 networks and both together, 3 predictors, 3 gains
    assert len(found) == 3 * 3 * 3
    table = gains_table(ensembles, summary)
    for network in ("resnet18", "vit", "all"):
        rows = table if network == "all" else table[table["network"] == network]
        expected = stats.spearmanr(rows["fisher_rao_norm"], rows["gain_test_ece"]).statistic
        row = found[
            (found["network"] == network)
            & (found["predictor"] == "fisher_rao_norm")
            & (found["gain_of"] == "test_ece")
        ].iloc[0]
        assert row["value"] == pytest.approx(expected)
        assert row["n"] == len(rows)
        assert row["lower"] <= row["value"] <= row["upper"]
    kinds = found.drop_duplicates("predictor").set_index("predictor")["kind"].to_dict()
    assert kinds.pop("prediction_disagreement") == "diversity"
    assert set(kinds.values()) == {"sharpness"}


def test_disagreements_that_are_equal_up_to_rounding_are_ties():
    ensembles, summary = frames(("vit",))
    rows = summary["measure"] == "prediction_disagreement"
    noise = 1e-16 * np.arange(rows.sum())
    summary.loc[rows, "mean"] = 0.1 + noise
    found = gain_correlations(ensembles, summary)
    of_diversity = found[found["predictor"] == "prediction_disagreement"]
    assert of_diversity["value"].isna().all()
    assert set(of_diversity["note"]) == {"prediction_disagreement is the same for all conditions"}


def test_two_conditions_have_no_correlation_and_say_so():
    found = gain_correlations(*frames(("vit",), conditions=2))
    assert found["value"].isna().all()
    assert set(found["note"]) == {"fewer than 3 conditions"}


def test_ensembles_with_a_member_that_did_not_train_are_left_out_and_counted():
    ensembles, summary = frames()
    bad = (summary["network"] == "vit") & (summary["condition"] == "condition1")
    summary.loc[bad, "n_untrained"] = 1
    found = gain_correlations(ensembles, summary)
    assert found.groupby("network")["n"].first().to_dict() == {"all": 9, "resnet18": 5, "vit": 4}
    assert set(found.loc[found["network"] == "vit", "note"].str[:7]) == {"too few"}
    *_, gains = text(ensembles, summary, found)
    assert gains.attrs["caption"].endswith(
        "Left out: ensembles with a member that did not train, 1."
    )
    assert "Left out" not in text(*frames(), found)[-1].attrs["caption"]


def test_ensembles_without_measures_of_pairs_are_shown_without_a_disagreement():
    ensembles, summary = frames()
    single = summary[summary["measure"] != "prediction_disagreement"]
    shown = markdown(text(ensembles, single, gain_correlations(ensembles, single)))
    assert "Disagreement" not in shown.splitlines()[0]
    assert "Accuracy of members" in shown


def test_a_table_without_gains_is_refused():
    ensembles, summary = frames()
    with pytest.raises(InputError, match="ensembles: no column 'gain'"):
        gains_table(ensembles.drop(columns="gain"), summary)


def test_tables_to_read_have_a_row_per_condition_and_gains_in_percentage_points():
    ensembles, summary = frames()
    ensembles.loc[0, ["gain", "gain_error"]] = 0.0123, 0.0045
    found = gain_correlations(ensembles, summary)
    *tables, gains = text(ensembles, summary, found)
    assert [len(table) for table in tables] == [5, 5]
    assert tables[0].loc["condition0", "Gain, accuracy (pp)"] == "1.23 ± 0.45"
    assert tables[0].loc["condition0", "Accuracy of members"] == "0.880 ± 0.010"
    assert "Gain, Corruption accuracy (pp)" in tables[0]
    assert len(gains) == 3 * 3 * 3
    shown, page = (render(text(ensembles, summary, found)) for render in (markdown, html))
    assert shown.count("1.23 ± 0.45") == 1
    assert page.count("1.23\u00a0±\u00a00.45") == 1
    assert "Krogh" in shown


def texts(figure) -> str:
    return " ".join(axes.get_title() for axes in figure.axes)


def conditions_of(summary):
    rows = summary[["dataset", "network", "condition"]].drop_duplicates()
    return rows.assign(base_condition=rows["condition"])


@pytest.mark.parametrize("networks", [("resnet18", "vit"), ("vit",)], ids=["two", "one"])
def test_the_figure_sets_every_gain_against_disagreement_and_each_sharpness(networks):
    ensembles, summary = frames(networks)
    found = gain_correlations(ensembles, summary)
    figure = plot(ensembles, summary, found, conditions_of(summary), "digits")
    assert len(figure.axes) == 3 * 3
    assert figure.axes[0].get_ylabel() == "Gain, accuracy (pp)"
    table = gains_table(ensembles, summary)
    dots = [bars.lines[0].get_xydata()[0] for bars in figure.axes[0].containers]
    expected = table[["prediction_disagreement", "gain_test_accuracy"]] * [1, 100]
    np.testing.assert_allclose(dots, expected)
    assert texts(figure).count("vit (5): ") == (9 if len(networks) > 1 else 0)
    ElementTree.fromstring(save_svg(figure))


def test_the_figure_can_be_drawn_where_nothing_can_be_correlated():
    ensembles, summary = frames(("vit",), conditions=1)
    ensembles.loc[:, "gain_error"] = math.nan
    summary.loc[summary["measure"] == "sam_sharpness", "mean"] = -1e-9
    found = gain_correlations(ensembles, summary)
    figure = plot(ensembles, summary, found, conditions_of(summary), "digits")
    assert "no ρ: " in texts(figure)
    save_svg(figure)
    with pytest.raises(InputError, match="no data on other"):
        plot(ensembles, summary, found, conditions_of(summary), "other")
