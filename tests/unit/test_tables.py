"""The papers' tables: what is marked in them, and how text and numbers are written."""

import math
import re

import pandas as pd
import pytest
from table_frames import NO_PAIRS, measure_rows, pair_rows

from minimascope.analysis import scaled
from minimascope.analysis.measure_names import MEASURES, describe, measures_of
from minimascope.analysis.numbers import format_estimate, format_number, format_percent, span
from minimascope.analysis.render import html, latex, markdown
from minimascope.analysis.summary import summarise
from minimascope.analysis.tables import (
    MAIN_MEASURES,
    NOTES,
    adversarial_table,
    adversarial_tables,
    at_minima,
    main_table,
    main_tables,
    main_text,
    sharpness_table,
    sharpness_tables,
)

VALUES = {
    ("weight_decay", "test_accuracy"): [0.71, 0.735, 0.722],
    ("weight_decay", "test_ece"): [0.186, 0.18, 0.19],
    ("weight_decay", "sam_sharpness"): [3.1e-5, 2.9e-5, 3.3e-5],
    ("baseline", "test_accuracy"): [0.69, 0.7, 0.705],
    ("baseline", "test_ece"): [0.12, 0.13, 0.11],
    ("baseline", "sam_sharpness"): [0.004, 0.005, 0.0045],
}


def table_of(values, disagreement=NO_PAIRS):
    return main_table(summarise(measure_rows(values), disagreement))


def sharpness_frame():
    """Three seeds each, of which some lie in the noise: values, standard error, noise floor."""
    parts = {
        ("baseline", "clean", "sam_sharpness"): ([1.0, 1.1, 0.9], 0.1, 0.01),
        ("augmentation", "clean", "sam_sharpness"): ([2.0, 2.1, 1.9], 0.1, 0.01),
        ("augmentation", "augmented", "sam_sharpness"): ([3.0, 3.1, 2.9], 1.6, 0.01),
        ("initial", "clean", "sam_sharpness"): ([9.0, 9.1, 8.9], 0.1, 0.01),
        ("augmentation", "clean", "sam_sharpness_published"): ([5.0, 5.0, 5.3], 0.1, 4.0),
        ("augmentation", "clean", "sam_sharpness_null"): ([4.0, 4.0, 4.0], 0.1, None),
        ("baseline", "clean", "sam_sharpness_published"): ([1.0, 1.1, 1.0], 0.1, 0.0),
    }
    return pd.concat(
        [
            measure_rows(
                {(condition, measure): values}, view=view, standard_error=error, noise_floor=floor
            )
            for (condition, view, measure), (values, error, floor) in parts.items()
        ],
        ignore_index=True,
    )


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
        (float("-inf"), float("nan"), "−∞"),
    ],
)
def test_estimates_are_printed_with_the_digits_their_error_allows(mean, error, text):
    assert format_estimate(mean, error) == text


@pytest.mark.parametrize("exponent", range(-12, 9))
@pytest.mark.parametrize("relative_error", [0.5, 0.03, 0.0007])
def test_printed_estimates_read_back_within_their_last_digit(exponent, relative_error):
    mean = 3.14159 * 10.0**exponent
    error = mean * relative_error
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    text = format_estimate(mean, error).translate(digits)
    plain = re.sub(r"\((.*) ± (.*)\) × 10(.*)", r"\1e\3 ± \2e\3", text)
    read_mean, read_error = map(float, plain.split(" ± "))
    assert read_error == pytest.approx(error, rel=0.05)
    assert abs(read_mean - mean) <= max(0.05 * error, 0.005 * mean)


def test_numbers_have_a_proper_minus_and_a_dash_where_there_are_none():
    assert format_number(-0.5, ".2f") == "−0.50"
    assert format_number(0.5, "+.1f") == "+0.5"
    assert format_percent(-0.123, "+.1f") == "−12.3 %"
    assert format_number(math.nan, ".2f") == format_percent(math.nan, ".1f") == "—"
    assert format_number(math.inf, ".2f") == "∞"
    assert (span([3, 3]), span([2, 3])) == ("3", "2–3")


def test_the_main_table_has_the_papers_columns_in_order_and_conditions_as_given():
    table = table_of(VALUES, pair_rows({(0, 1): 0.1, (0, 2): 0.1, (1, 2): 0.1}))
    assert list(table.index) == ["weight_decay", "baseline"]
    assert list(table.columns) == [
        *("Test accuracy", "Test ECE", "Prediction disagreement", "SAM-sharpness")
    ]
    assert [MEASURES[measure].column_label for measure in MAIN_MEASURES] == [
        *("Generalisation gap (pp)", "Test accuracy", "In-domain accuracy"),
        *("Out-of-domain accuracy", "Domain gap (pp)", "Test ECE", "Corruption accuracy (%)"),
        *("Corruption accuracy, generated (%)", "Shifted accuracy", "AUROC, unseen classes"),
        *("Prediction disagreement", "Fisher–Rao norm"),
        *("SAM-sharpness", "Relative flatness", "ASC sharpness (%)"),
    ]
    assert "jackknife" in table.attrs["caption"]


def test_best_is_the_highest_accuracy_the_lowest_error_and_the_sharpest_is_marked():
    table = table_of(VALUES)
    marked = table.map(lambda cell: cell.startswith("**") and cell.endswith("**"))
    assert marked["Test accuracy"].to_dict() == {"weight_decay": True, "baseline": False}
    assert marked["Test ECE"].to_dict() == {"weight_decay": False, "baseline": True}
    assert marked["SAM-sharpness"].to_dict() == {"weight_decay": False, "baseline": True}
    assert table.attrs["caption"] == (
        "vit on digits: mean ± standard error over 3 seeds. Bold: the highest Test accuracy; the"
        " lowest Test ECE; the largest (the sharpest) SAM-sharpness."
    )


def test_no_gap_is_the_best():
    gaps = {"a": [-8.0, -8.1], "b": [0.1, 0.2], "c": [9.0, 9.1]}
    table = table_of({(name, "generalisation_gap"): pair for name, pair in gaps.items()})
    assert not table["Generalisation gap (pp)"].str.contains("*", regex=False).any()
    assert "Generalisation gap: none is best" in table.attrs["caption"]


@pytest.mark.parametrize("scale", [1e-9, 0.1, 1e5, 1e6, 1e12])
def test_all_values_that_print_like_the_best_are_marked(scale):
    pairs = {"a": [1, 2], "b": [2, 1 + 1e-5], "c": [1, 2.1], "d": [3, math.nan]}
    table = table_of({(c, "test_ece"): [scale * x for x in pair] for c, pair in pairs.items()})
    assert [cell.startswith("**") for cell in table["Test ECE"]] == [True, True, False, False]


def test_nothing_is_marked_where_there_is_nothing_to_compare():
    values = {("a", "test_accuracy"): [0.5, 0.6], ("a", "test_ece"): [0.1, 0.2]}
    table = table_of(values | {("b", "test_ece"): [0.3, 0.4]})
    assert table["Test accuracy"].to_dict() == {"a": "0.550 ± 0.050", "b": "—"}


def test_each_network_has_its_table():
    frame = pd.concat([measure_rows(VALUES), measure_rows(VALUES, network="vgg19")])
    summary = summarise(frame, NO_PAIRS)
    first, second = main_text(summary)
    assert first.equals(second)
    numbers = main_tables(summary)
    assert numbers["network"].unique().tolist() == ["vit", "vgg19"]


def test_the_numbers_of_a_table_are_a_row_each_and_say_in_words_what_is_marked():
    frame = sharpness_frame()
    frame.loc[4, "converged"] = False
    frame["trained"] = frame["view"] == "clean"
    summary = summarise(frame, NO_PAIRS)
    numbers = sharpness_tables(summary)
    keys = ["dataset", "network", "condition", "view", "measure"]
    assert not numbers.duplicated(keys).any()
    both = numbers.merge(summary, on=keys)
    assert len(both) == len(numbers)
    assert (both["mean_x"] == both["mean_y"]).all()
    assert both["standard_error"].equals(both["sem"])
    text = sharpness_table(summary).stack()
    assert (numbers["extreme"] == "sharpest").sum() == text.str.contains("**", regex=False).sum()
    assert set(numbers["extreme"]) == {"", "sharpest"}
    for mark, note in NOTES.items():
        assert numbers["notes"].str.contains(note).sum() == text.str.contains(mark).sum() > 0
    assert numbers.select_dtypes("number").columns.tolist() == [
        *("mean", "standard_error", "n_seeds", "n_untrained", "noise_floor", "n")
    ]


def test_values_under_twice_their_floor_are_marked_and_the_mark_is_explained():
    table = sharpness_table(summarise(sharpness_frame(), NO_PAIRS))
    marked = table.stack()[lambda cells: cells.str.contains("†")].index.tolist()
    assert sorted(marked) == [
        ("augmentation", "SAM-sharpness, published"),
        ("augmentation (augmented data)", "SAM-sharpness"),
    ]
    assert "†: less than 2 times" in table.attrs["caption"]
    assert r"$\dagger$" in latex([table])
    clean = sharpness_frame().query("condition == 'baseline'")
    assert "†" not in sharpness_table(summarise(clean, NO_PAIRS)).attrs["caption"]


def test_the_sharpness_table_has_views_and_initial_weights_but_compares_minima():
    table = sharpness_table(summarise(sharpness_frame(), NO_PAIRS))
    assert list(table.index) == [
        *("baseline", "augmentation", "augmentation (augmented data)", "initial")
    ]
    bold = [name for name, cell in table["SAM-sharpness"].items() if "**" in cell]
    assert bold == ["augmentation"]
    assert table.loc["initial", "SAM-sharpness, null"] == "—"
    assert not table["SAM-sharpness, published"].str.contains("**", regex=False).any()


@pytest.mark.parametrize(
    ("measure", "units"),
    [
        ("adversarial_accuracy_linf_8_255", "those of pictures in bytes are fractions of their"),
        ("adversarial_accuracy_log_mel_linf_0p5", "Radii are in dB of the log-mels."),
    ],
)
def test_radii_are_said_to_be_in_the_units_of_what_is_attacked(measure, units):
    rows = summarise(measure_rows({("baseline", measure): [0.3, 0.4]}), NO_PAIRS)
    caption = adversarial_table(rows).attrs["caption"]
    assert units in caption
    assert caption.count("Radii") == 1


def test_a_value_of_a_solver_that_stopped_early_is_marked_and_explained():
    frame = sharpness_frame()
    frame.loc[4, "converged"] = False
    table = sharpness_table(summarise(frame, NO_PAIRS))
    marked = table["SAM-sharpness"].str.endswith(" ‡")
    assert marked[marked].index.tolist() == ["augmentation"]
    assert "‡: in at least one seed the solver stopped" in table.attrs["caption"]
    assert r"$\ddagger$" in latex([table])
    assert "‡" not in sharpness_table(summarise(sharpness_frame(), NO_PAIRS)).attrs["caption"]


def test_the_main_table_shows_trained_networks_in_one_view():
    frame = sharpness_frame()
    rows = at_minima(frame).groupby(["condition", "measure"])["view"].unique().map(list)
    assert rows["augmentation", "sam_sharpness"] == ["clean"]
    assert "initial" not in rows.index.get_level_values(0)
    augmented = frame[(frame["view"] == "augmented") | (frame["condition"] == "baseline")]
    rows = at_minima(augmented).groupby(["condition", "measure"])["view"].unique().map(list)
    assert rows["augmentation", "sam_sharpness"] == ["augmented"]
    assert list(main_table(summarise(frame, NO_PAIRS)).index) == ["baseline", "augmentation"]


def test_a_column_is_of_one_notation():
    sharpness = {"a": [6.2e-5, 7.4e-5], "b": [0.0013, 0.0014], "c": [1.2, 1.6], "d": [0.0, 0.0]}
    table = table_of({(name, "sam_sharpness"): values for name, values in sharpness.items()})
    assert list(table["SAM-sharpness"]) == [
        *("(6.80 ± 0.60) × 10⁻⁵", "(1.350 ± 0.050) × 10⁻³"),
        *("**1.40 ± 0.20**", "0.00 ± 0.00"),
    ]


def test_a_column_without_errors_has_no_bold_and_is_not_said_to_have():
    values = {("a", "test_ece"): [0.1, 0.2], ("b", "test_ece"): [0.3, 0.3]}
    pairs = {(name, "prediction_disagreement"): [0.1 + 0.1 * i] for i, name in enumerate("ab")}
    table = table_of(values | pairs)
    assert list(table["Prediction disagreement"]) == ["0.100", "0.200"]
    caption = table.attrs["caption"]
    assert "jackknife standard error; one pair of seeds has none." in caption
    assert "the lowest Test ECE." in caption


def test_markdown_keeps_digits_and_marks():
    table = table_of({("a", "test_ece"): [0.1, 0.14], ("b", "test_ece"): [0.2, 0.28]})
    lines = markdown([table]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:4]]
    assert cells[0] == ["Condition", "Test ECE"]
    assert cells[2:] == [["a", "**0.120 ± 0.020**"], ["b", "0.240 ± 0.040"]]  # no 0.12
    assert lines[-1] == table.attrs["caption"]


def test_latex_is_balanced_and_escaped():
    table = table_of(VALUES)
    text = latex([table])
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
    [alignment] = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + len(table)
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(alignment)} == {4}


def test_html_has_one_row_of_headers_marks_the_best_and_holds_the_caption():
    table = table_of({("a", "test_ece"): [0.1, 0.14], ("c", "test_ece"): [0.2, 0.28]})
    text = html([table])
    assert re.findall(r"<b>([^<]*)</b>", text) == ["0.120\u00a0±\u00a00.020"]
    assert re.findall(r"<th>(.*)</th>", text.partition("</thead>")[0]) == ["Condition", "Test ECE"]
    assert table.attrs["caption"] in text.replace("\u00a0", " ")
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
        *("fisher_rao_norm", "relative_flatness", "zeta", "alpha")
    ]
    assert list(measures_of(frame, "evaluation", "training")) == ["test_ece", "train_loss"]


def test_a_measure_at_a_further_radius_is_named_with_it_and_comes_after_its_like():
    usual, further = describe("sam_sharpness"), describe("sam_sharpness_0p025", "perturbation")
    assert further.label == "SAM-sharpness, radius 0.025"
    assert (further.unit, further.category) == (usual.unit, usual.category)
    assert further.log_axis
    assert describe("sam_sharpness_signed_2").label == "SAM-sharpness, signed, radius 2"
    assert describe("sam_sharpness_signed_2").category == "diagnostic"
    names = ("own", "asc_sharpness", "sam_sharpness_0p5", "sam_sharpness_0p025", "sam_sharpness")
    frame = pd.DataFrame({"measure": names, "family": "perturbation", "unit": "1"})
    assert [*measures_of(frame, "sharpness")] == [
        *("sam_sharpness", "sam_sharpness_0p025", "sam_sharpness_0p5", "asc_sharpness", "own"),
    ]


def test_no_value_is_marked_where_all_are_alike():
    table = table_of({(c, "test_accuracy"): [0.5, 0.6] for c in "ab"})
    assert table["Test accuracy"].to_dict() == dict.fromkeys("ab", "0.550 ± 0.050")


def test_the_table_of_temperatures_says_of_how_many_test_samples_it_is():
    values = {("baseline", "temperature"): [0.8, 0.9], ("baseline", "test_ece"): [0.1, 0.2]}
    found = scaled.scaled_table(summarise(measure_rows(values, n=400), NO_PAIRS))
    assert found["n"].eq(400).all()
    assert scaled.text(found)[0].attrs["caption"] == "vit on digits, 2 seeds, 400 test samples."


def test_the_table_of_attacks_says_of_how_many_samples_it_is_and_what_that_means():
    accuracy, radius = "adversarial_accuracy_linf_8_255", "adversarial_radius_linf"
    values = {("baseline", accuracy): [0.5, 0.6], ("baseline", radius): [0.02, 0.03]}
    values |= {("sam", name): [0.1, 0.2] for name in (accuracy, radius)}
    summary = summarise(measure_rows(values, n=400), NO_PAIRS)
    caption = adversarial_table(summary).attrs["caption"]
    assert "Of 400 attacked test samples, the same for all networks" in caption
    assert "± does not count which these are" in caption
    assert "up to 0.025" in caption  # 0.5 / √400
    assert adversarial_tables(summary)["n"].eq(400).all()


def test_measures_of_fewer_samples_than_the_others_are_named_with_how_many():
    values = {("baseline", name): [1.0, 1.1] for name in ("sam_sharpness", "fisher_rao_norm")}
    frame = measure_rows(values | {("baseline", "boundary_distance_attack"): [0.1, 0.2]}, n=300)
    frame["family"] = "input"
    alike = sharpness_table(summarise(frame, NO_PAIRS)).attrs["caption"]
    assert "Samples" not in alike
    frame.loc[frame["measure"] == "boundary_distance_attack", "n"] = 20
    caption = sharpness_table(summarise(frame, NO_PAIRS)).attrs["caption"]
    label = MEASURES["boundary_distance_attack"].label
    assert f"Samples behind a value: 300, but 20 of {label}." in caption


def test_a_table_of_sharpness_says_where_the_reason_of_an_empty_cell_stands():
    values = {("baseline", name): [1.0, 1.1] for name in ("sam_sharpness", "fisher_rao_norm")}
    frame = measure_rows(values | {("sam", "sam_sharpness"): [1.0, 1.2]})
    frame["family"] = "forward"
    caption = sharpness_table(summarise(frame, NO_PAIRS)).attrs["caption"]
    assert "—: no value; where a measure was left out, details.left_out" in caption
    whole = sharpness_table(summarise(frame[frame["condition"] == "baseline"], NO_PAIRS))
    assert "left_out" not in whole.attrs["caption"]
