import math
import re
import statistics
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from minimascope.analysis.measure_names import MEASURES, describe, measures_of
from minimascope.analysis.numbers import format_estimate, format_number, format_percent, span
from minimascope.analysis.render import html, latex, markdown
from minimascope.analysis.tables import (
    MAIN_MEASURES,
    main_table,
    main_tables,
    main_text,
    pair_matrix,
    summarise,
)
from minimascope.errors import InputError

VALUES = {
    ("weight_decay", "test_accuracy"): [0.71, 0.735, 0.722],
    ("weight_decay", "test_ece"): [0.186, 0.18, 0.19],
    ("weight_decay", "sam_sharpness"): [3.1e-5, 2.9e-5, 3.3e-5],
    ("baseline", "test_accuracy"): [0.69, 0.7, 0.705],
    ("baseline", "test_ece"): [0.12, 0.13, 0.11],
    ("baseline", "sam_sharpness"): [0.004, 0.005, 0.0045],
}
FAMILIES = {
    "test_accuracy": "evaluation",
    "test_ece": "evaluation",
    "sam_sharpness": "perturbation",
}
UNITS = {"test_accuracy": "fraction", "test_ece": "fraction", "sam_sharpness": "1"}
NO_PAIRS = pd.DataFrame(
    columns=[
        "dataset",
        "network",
        "condition_a",
        "seed_a",
        "condition_b",
        "seed_b",
        "view",
        "prediction_disagreement",
        "jensen_shannon_divergence",
        "l2_distance",
        "n",
    ]
)


def measures_frame(values=VALUES, network="resnet18"):
    return pd.DataFrame(
        {
            "dataset": "cifar10",
            "network": network,
            "condition": condition,
            "seed": seed,
            "view": "clean",
            "family": FAMILIES[measure],
            "measure": measure,
            "value": value,
            "unit": UNITS[measure],
            "protocol": "corrected",
            "n": 10_000,
            "standard_error": None,
            "noise_floor": None,
            "converged": True,
        }
        for (condition, measure), numbers in values.items()
        for seed, value in enumerate(numbers)
    )


def pairs_frame(disagreements, condition="baseline"):
    """One condition's pairs from {(seed, seed): disagreement}."""
    return pd.DataFrame(
        {
            "dataset": "cifar10",
            "network": "resnet18",
            "condition_a": condition,
            "seed_a": a,
            "condition_b": condition,
            "seed_b": b,
            "view": "clean",
            "prediction_disagreement": value,
            "jensen_shannon_divergence": value / 2,
            "l2_distance": value * 3,
            "n": 100,
        }
        for (a, b), value in disagreements.items()
    )


def table_of(values, disagreement=NO_PAIRS):
    return main_table(summarise(measures_frame(values), disagreement), "cifar10", "resnet18")


def row_of(summary, condition, measure):
    chosen = summary[(summary["condition"] == condition) & (summary["measure"] == measure)]
    assert len(chosen) == 1
    return chosen.iloc[0]


@pytest.mark.parametrize(("condition", "measure"), VALUES)
def test_summary_gives_mean_and_sample_standard_error(condition, measure):
    numbers = VALUES[condition, measure]
    row = row_of(summarise(measures_frame(), NO_PAIRS), condition, measure)
    assert row["mean"] == pytest.approx(statistics.fmean(numbers), rel=1e-12)
    assert row["sem"] == pytest.approx(statistics.stdev(numbers) / math.sqrt(3), rel=1e-12)
    assert (row["n_seeds"], row["unit"], row["protocol"]) == (3, UNITS[measure], "corrected")


def test_standard_error_of_a_single_seed_is_nan():
    row = row_of(
        summarise(measures_frame({("baseline", "test_ece"): [0.1]}), NO_PAIRS),
        "baseline",
        "test_ece",
    )
    assert row["mean"] == 0.1
    assert math.isnan(row["sem"])
    assert row["n_seeds"] == 1


def test_disagreement_is_averaged_over_unordered_pairs_with_a_jackknife_over_models():
    pairs = {(0, 1): 0.10, (0, 2): 0.14, (0, 3): 0.12, (1, 2): 0.20, (1, 3): 0.16, (2, 3): 0.11}
    without = [
        statistics.fmean(value for pair, value in pairs.items() if left_out not in pair)
        for left_out in range(4)
    ]
    centre = statistics.fmean(without)
    error = math.sqrt(3 / 4 * sum((value - centre) ** 2 for value in without))
    summary = summarise(measures_frame(), pairs_frame(pairs))
    row = row_of(summary, "baseline", "prediction_disagreement")
    assert row["mean"] == pytest.approx(statistics.fmean(pairs.values()), rel=1e-12)
    assert row["sem"] == pytest.approx(error, rel=1e-12)
    assert row["n_seeds"] == 4
    assert row_of(summary, "baseline", "l2_distance")["mean"] == pytest.approx(3 * row["mean"])


def test_disagreement_of_two_seeds_has_no_standard_error():
    summary = summarise(measures_frame(), pairs_frame({(0, 1): 0.25}))
    row = row_of(summary, "baseline", "prediction_disagreement")
    assert (row["mean"], row["n_seeds"]) == (0.25, 2)
    assert math.isnan(row["sem"])


def test_disagreement_on_augmented_test_images_says_so():
    pairs = pairs_frame({(0, 1): 0.25}).assign(view="augmented")
    summary = summarise(measures_frame(), pairs)
    assert row_of(summary, "baseline", "prediction_disagreement")["view"] == "augmented"


def test_disagreement_between_conditions_is_not_part_of_the_summary():
    pairs = pairs_frame({(0, 1): 0.2}).assign(condition_b="weight_decay")
    assert "prediction_disagreement" not in set(summarise(measures_frame(), pairs)["measure"])


def test_summary_keeps_protocols_and_networks_apart():
    corrected = measures_frame()
    published = corrected.assign(protocol="published", value=corrected["value"] + 1)
    vit = measures_frame(network="vit")
    summary = summarise(pd.concat([corrected, published, vit]), NO_PAIRS)
    assert len(summary) == 3 * len(VALUES)
    assert set(summary["n_seeds"]) == {3}


def test_a_value_collected_twice_is_refused():
    frame = measures_frame()
    with pytest.raises(
        InputError, match=r"two values of test_ece for seed 1 of baseline"
    ) as caught:
        summarise(
            pd.concat(
                [
                    frame,
                    frame.query("measure == 'test_ece' and seed == 1 and condition == 'baseline'"),
                ]
            ),
            NO_PAIRS,
        )
    assert "\n" not in str(caught.value)


def test_pair_matrix_is_symmetric_and_ordered_by_condition_then_seed():
    models = [("b", 10), ("b", 2), ("a", 2), ("a", 10)]
    rows = [(*x, *y, i) for i, (x, y) in enumerate(combinations(models, 2))]
    columns = ["condition_a", "seed_a", "condition_b", "seed_b", "prediction_disagreement"]
    matrix = pair_matrix(pd.DataFrame(rows, columns=columns), "prediction_disagreement")
    assert (
        list(matrix.index)
        == list(matrix.columns)
        == sorted(models, key=lambda m: ("ba".index(m[0]), m[1]))
    )
    for condition_a, seed_a, condition_b, seed_b, value in rows:
        first, second = (condition_a, seed_a), (condition_b, seed_b)
        assert matrix.loc[first, second] == matrix.loc[second, first] == value
    assert np.isnan(np.diag(matrix)).all()


@pytest.mark.parametrize(
    ("mean", "error", "text"),
    [
        (28.05, 0.1754, "28.05 ± 0.18"),
        (0.72, 0.00204, "0.7200 ± 0.0020"),
        (5.0, 0.0996, "5.00 ± 0.10"),  # the error has two digits after rounding up
        (5.571, 1.5, "5.57 ± 1.50"),  # the mean has three
        (12345.6, 230.0, "12346 ± 230"),
        (9.9996, float("nan"), "10.0"),
        (0.72, float("nan"), "0.720"),
        (0.72, 0.0, "0.720 ± 0.000"),
        (0.3833, 3.9e-17, "0.383 ± 0.000"),  # equal values that were averaged
        (0.0, 0.0, "0.00 ± 0.00"),
        (-1.5, 0.25, "−1.50 ± 0.25"),
        (0.0012, 0.34, "0.001 ± 0.340"),  # digits counted from the larger error
        (0.00123, 0.00005, "0.001230 ± 0.000050"),
        (1.234e-5, 2.3e-7, "(1.234 ± 0.023) × 10⁻⁵"),
        (0.00099996, float("nan"), "0.00100"),
        (2.5e7, 1.0e6, "(2.50 ± 0.10) × 10⁷"),
        (-4e-12, float("nan"), "−4.00 × 10⁻¹²"),
        (float("nan"), float("nan"), "—"),
    ],
)
def test_estimates_are_printed_with_the_digits_their_error_allows(mean, error, text):
    assert format_estimate(mean, error) == text


@pytest.mark.parametrize("exponent", range(-12, 9))
@pytest.mark.parametrize("relative_error", [0.5, 0.03, 0.0007])
def test_printed_estimates_read_back_within_their_last_digit(exponent, relative_error):
    mean = 3.14159 * 10.0**exponent
    error = mean * relative_error
    text = format_estimate(mean, error)
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    plain = re.sub(r"\((.*) ± (.*)\) × 10(.*)", r"\1e\3 ± \2e\3", text.translate(digits))
    read_mean, read_error = map(float, plain.split(" ± "))
    assert read_error == pytest.approx(error, rel=0.05)
    assert abs(read_mean - mean) <= max(0.05 * error, 0.005 * mean)


def test_main_table_has_the_papers_columns_in_order_and_conditions_as_given():
    table = table_of(VALUES, pairs_frame({(0, 1): 0.1, (0, 2): 0.1, (1, 2): 0.1}))
    assert list(table.index) == ["weight_decay", "baseline"]
    assert list(table.columns) == [
        "Test accuracy",
        "Test ECE",
        "Prediction disagreement",
        "SAM-sharpness",
    ]
    assert [MEASURES[measure].column_label for measure in MAIN_MEASURES] == [
        "Generalisation gap (pp)",
        "Test accuracy",
        "In-domain accuracy",
        "Out-of-domain accuracy",
        "Domain gap (pp)",
        "Test ECE",
        "Corruption accuracy (%)",
        "Corruption accuracy, generated (%)",
        "Prediction disagreement",
        "Fisher–Rao norm",
        "SAM-sharpness",
        "Relative flatness",
        "ASC sharpness (%)",
    ]


def test_best_is_the_highest_accuracy_the_lowest_error_and_the_sharpest_is_marked():
    table = table_of(VALUES)
    marked = table.map(lambda cell: cell.startswith("**") and cell.endswith("**"))
    assert marked["Test accuracy"].to_dict() == {"weight_decay": True, "baseline": False}
    assert marked["Test ECE"].to_dict() == {"weight_decay": False, "baseline": True}
    assert marked["SAM-sharpness"].to_dict() == {"weight_decay": False, "baseline": True}
    assert "SAM-sharpness the largest, that is the sharpest" in table.attrs["caption"]
    assert "over 3 seeds" in table.attrs["caption"]


@pytest.mark.parametrize("scale", [1e-9, 0.1, 1e5, 1e6, 1e12])
def test_all_values_that_print_like_the_best_are_marked(scale):
    pairs = {"a": [1, 2], "b": [2, 1 + 1e-5], "c": [1, 2.1], "d": [3, math.nan]}
    table = table_of({(c, "test_ece"): [scale * x for x in pair] for c, pair in pairs.items()})
    assert [cell.startswith("**") for cell in table["Test ECE"]] == [True, True, False, False]


def test_nothing_is_marked_where_there_is_nothing_to_compare():
    table = table_of(
        {
            ("a", "test_accuracy"): [0.5, 0.6],
            ("a", "test_ece"): [0.1, 0.2],
            ("b", "test_ece"): [0.3, 0.4],
        }
    )
    assert table.loc["a", "Test accuracy"] == "0.550 ± 0.050"
    assert table.loc["b", "Test accuracy"] == "—"


def test_an_unknown_network_is_refused():
    with pytest.raises(InputError, match="no measurements of vit on cifar10"):
        main_table(summarise(measures_frame(), NO_PAIRS), "cifar10", "vit")


def test_main_tables_holds_each_network_once():
    frame = pd.concat([measures_frame(), measures_frame(network="vit")])
    summary = summarise(frame, NO_PAIRS)
    first, second = main_text(summary)
    assert first.equals(second)
    names = dict(iter(main_tables(summary).groupby(["dataset", "network"], sort=False)))
    assert list(names) == [("cifar10", "resnet18"), ("cifar10", "vit")]
    for rows in names.values():
        assert rows.set_index("Condition")[first.columns].equals(first)


def test_markdown_keeps_digits_and_marks():
    table = table_of({("a", "test_ece"): [0.1], ("b", "test_ece"): [0.2]})
    lines = markdown([table]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:4]]
    assert cells[0] == ["Condition", "Test ECE"]
    assert cells[2:] == [["a", "**0.100**"], ["b", "0.200"]]  # no 0.1, no 0.2
    assert lines[-1] == table.attrs["caption"]


def test_latex_is_balanced_and_escaped():
    text = latex([table_of(VALUES)])
    begun = re.findall(r"\\begin\{(\w+)\}", text)
    assert begun == ["table", "tabular"]
    assert re.findall(r"\\end\{(\w+)\}", text) == begun[::-1]
    without_escapes = re.sub(r"\\[\\_%&#${}]", "", text)
    assert without_escapes.count("{") == without_escapes.count("}")
    assert without_escapes.count("$") % 2 == 0
    assert "_" not in without_escapes
    assert "weight\\_decay" in text
    assert r"\textbf{0.7223 $\pm$ 0.0072}" in text
    assert r"(3.10 $\pm$ 0.12) $\times$ 10$^{-5}$" in text
    assert "**" not in text
    assert text.isascii()
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))


def test_every_latex_row_has_as_many_cells_as_the_table_has_columns():
    table = table_of(VALUES)
    text = latex([table])
    [alignment] = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + len(table)
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(alignment)} == {4}


def test_html_marks_the_best_and_holds_the_caption():
    table = table_of({("a", "test_ece"): [0.1], ("c", "test_ece"): [0.2]})
    text = html([table])
    assert re.findall(r"<(?:b|strong)>([^<]*)</(?:b|strong)>", text) == ["0.100"]
    assert "**" not in text
    assert re.findall(r"<th>(.*)</th>", text.partition("</thead>")[0]) == ["Condition", "Test ECE"]
    assert table.attrs["caption"] in text
    assert text.count("<table") == text.count("</table>") == 1


def test_an_unknown_measure_goes_by_its_own_name_and_its_family():
    assert describe("spectral_norm", "hessian", "1").axis_label == "spectral_norm (–)"
    assert describe("spectral_norm", "hessian", "1").category == "sharpness"
    assert describe("worst_group", "evaluation", "percent").category == "evaluation"
    assert describe("worst_group", "evaluation", "percent").axis_label == "worst_group (%)"


def test_measures_of_a_category_come_in_the_registrys_order_then_in_the_datas():
    names = ["zeta", "relative_flatness", "alpha", "test_ece", "fisher_rao_norm", "train_loss"]
    frame = pd.DataFrame({"measure": names, "family": "forward", "unit": "1"})
    assert list(measures_of(frame, "sharpness")) == [
        "fisher_rao_norm",
        "relative_flatness",
        "zeta",
        "alpha",
    ]
    assert list(measures_of(frame, "evaluation", "training")) == ["test_ece", "train_loss"]


def test_numbers_have_a_proper_minus_and_a_dash_where_there_are_none():
    assert format_number(-0.5, ".2f") == "−0.50"
    assert format_number(0.5, "+.1f") == "+0.5"
    assert format_percent(-0.123, "+.1f") == "−12.3 %"
    assert format_number(math.nan, ".2f") == format_percent(math.nan, ".1f") == "—"
    assert (span([3, 3]), span([2, 3])) == ("3", "2–3")
