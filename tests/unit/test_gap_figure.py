"""The table and the figure of what predicts the gap, as readers see them."""

import pytest
from figure_cases import figure_of, written
from gap_cases import sweep
from study_cases import study
from table_frames import read_again

from minimascope.analysis.gap_prediction import COLUMNS, gap_prediction
from minimascope.analysis.gap_prediction_text import text
from minimascope.study import products

PLACE = {"dataset": "digits", "network": "vit"}


def gap(base, rate, size, seed):
    return 3 + 2 * rate + (base == "decay") + 0.001 * seed


MEASURES = {
    # Wrong along the rate alone.
    "fisher_rao_norm": lambda base, rate, size, seed: -rate + 9 * (base == "decay"),
    "jacobian_norm": gap,
    "log_path_norm": lambda *cell: -gap(*cell),
    "boundary_distance": lambda *cell: 1.0,
}


@pytest.fixture(scope="module")
def found():
    return read_again(gap_prediction(*sweep(gap, MEASURES)))


def test_the_most_robust_measure_is_the_first_of_the_table(found):
    [table] = text(found)
    rows = table
    assert rows.index[0] == "Jacobian norm (training data)"
    assert rows.at["Jacobian norm (training data)", "Worst environment"] == "—"
    assert rows.at["Fisher–Rao norm", "Worst environment"].count("baseline-") == 2
    assert rows.at["Fisher–Rao norm", "Sign error, worst"].startswith("1.00 [")
    assert rows.at["Fisher–Rao norm", "τ, learning rate"] == "\N{MINUS SIGN}1.00"
    assert rows.at["ln path norm", "Kind"] == "norm or bound"
    assert "Environments: 18, pairs 54, and 18 within noise." in table.attrs["caption"]


def test_the_table_says_how_many_measures_are_no_better_or_worse_than_a_coin_for_sure(found):
    worst = (found["statistic"] == "sign_error_worst") & (found["axis"] == "all")
    measures = found.loc[worst, "measure"]

    def said(lower, upper):
        ends = found.assign(
            lower=found["lower"].mask(worst, found["measure"].map(lower)),
            upper=found["upper"].mask(worst, found["measure"].map(upper)),
        )
        [table] = text(ends)
        return table.attrs["caption"]

    every = dict.fromkeys(measures, 0.1), dict.fromkeys(measures, 0.6)
    assert "No measure can be told from a coin" in said(*every)
    assert "the order of the rows says nothing" in said(*every)
    surely = every[0], every[1] | {"jacobian_norm": 0.4}
    assert "3 of 4 measures cannot be told from a coin" in said(*surely)
    assert "from a coin" not in said(every[0], dict.fromkeys(measures, 0.4))


def test_the_figure_marks_the_worst_environment_and_not_the_mean(found):
    left, right = figure_of("gap_prediction", {"gap_prediction": found}, **PLACE).axes
    labels = [tick.get_text() for tick in left.get_yticklabels()]
    filled = {
        labels[round(line.get_ydata()[0])]: line.get_xdata()[0]
        for line in left.get_lines()
        if line.get_markersize() == 6 and line.get_linestyle() == "None"
    }
    assert filled == {
        "Jacobian norm (training data)": 0,
        "Distance to the boundary (training data)": 0.5,
        "Fisher–Rao norm": 1,
        "ln path norm": 1,
    }
    assert [tick.get_text() for tick in right.get_xticklabels()] == [
        "condition",
        "batch size",
        "learning rate",
    ]
    cells = {
        (round(cell.get_position()[0]), labels[round(cell.get_position()[1])]): cell.get_text()
        for cell in right.texts
    }
    assert (cells[0, "Fisher–Rao norm"], cells[2, "Fisher–Rao norm"]) == ("0.00", "1.00")
    # Along the batch size all gaps are the same.
    assert cells[1, "ln path norm"] == ""


def test_without_pairs_both_say_so():
    measures, conditions = sweep(gap, MEASURES, rates=(0.1,), sizes=(25,), bases=("baseline",))
    none = gap_prediction(measures, conditions)
    assert list(none.columns) == COLUMNS
    assert "no two conditions" in text(none)[0]
    figure = figure_of("gap_prediction", {"gap_prediction": none}, **PLACE)
    assert any("no two conditions" in line for line in written(figure))


def test_noise_alone_leaves_a_table_without_numbers_and_a_figure_that_says_why():
    tables = sweep(gap, MEASURES, n=20)
    found = read_again(gap_prediction(*tables))
    [table] = text(found)
    assert set(table["Sign error, worst"]) == {"—"}
    figure = figure_of("gap_prediction", {"gap_prediction": found}, **PLACE)
    assert any("clearly" in line for line in written(figure))


def test_studies_have_it_that_sweep_and_no_others_so_far():
    axes = {"axes": {"training.batch_size": [25, 100]}}
    assert "gap_prediction" not in products.tables(study())
    swept = study(sweeps={"sizes": axes})
    assert "gap_prediction" in products.tables(swept)
    assert "gap_prediction" in products.figures(swept)
