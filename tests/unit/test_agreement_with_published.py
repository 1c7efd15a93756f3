"""Our means beside the published ones: differences, verdicts and order."""

import io
import math
import re

import numpy as np
import pandas as pd
import pytest
from agreement_cases import (
    CONDITION_NAMES,
    HEADER,
    NEW,
    OLD,
    PUBLISHED,
    one_cell,
    ordered_cells,
    published_as_ours,
    published_rows,
    read_published,
    run_rows,
    summary_rows,
)
from scipy.stats import spearmanr, ttest_ind
from scipy.stats import t as student
from table_frames import read_again

from minimascope.analysis.agreement import (
    COLUMNS,
    VERDICTS,
    agreement_tables,
    compare,
    counts_by_measure,
    order_of_conditions,
    verdict_counts,
)
from minimascope.analysis.agreement_text import text as text_of
from minimascope.analysis.render import html, markdown
from minimascope.errors import InputError


@pytest.fixture(scope="module")
def all_published():
    tables = [
        read_published(PUBLISHED / f"{name}.csv") for name in ("deep_models", "sam_rho_sweep")
    ]
    return pd.concat(tables)  # rows of the two tables have the same index


@pytest.mark.parametrize(
    ("text", "unit"),
    [("0.720", 1e-3), ("1.291e-02", 1e-5), ("66.342", 1e-3), ("34", 1), ("-1.20", 1e-2)],
)
def test_the_rounding_is_that_of_the_last_published_digit(text, unit):
    row = published_rows(("baseline", "test_accuracy", text, "0.01")).iloc[0]
    # The spread of many numbers that all print so.
    hidden = np.linspace(-unit / 2, unit / 2, 100_001)
    assert row["rounding"] == pytest.approx(hidden.std(), rel=1e-4)
    assert row["mean"] == float(text)
    assert row["sem_rounding"] == pytest.approx(row["rounding"] / unit * 0.01)


def test_welchs_t_by_hand():
    published = published_rows(("baseline", "test_accuracy", "0.720", "0.002"))
    cell = one_cell(published, [("baseline", "test_accuracy", 0.73, 0.003, 4)])
    # (0.002² + 0.001²/12) 10/9 + 0.001²/12: n - 1, and rounding of the error and of the mean.
    drawn = (4e-6 + 1e-6 / 12) * 10 / 9
    variance = drawn + 1e-6 / 12
    assert cell["published_sem"] == pytest.approx(math.sqrt(variance))
    assert cell["difference"] == pytest.approx(0.01)
    assert cell["t"] == pytest.approx(0.01 / math.sqrt(variance + 9e-6))
    # Ten published seeds and four of ours; rounding is no estimate from seeds.
    df = (variance + 9e-6) ** 2 / (drawn**2 / 9 + 9e-6**2 / 3)
    assert cell["df"] == pytest.approx(df)
    assert cell["p_value"] == pytest.approx(2 * student.cdf(-cell["t"], df))
    assert (cell["verdict"], cell["error_from"]) == ("differs", "both")
    assert (cell["n_seeds"], cell["n_seeds_published"]) == (4, 10)
    assert (cell["dataset"], cell["network"]) == ("our_cifar", "our_resnet")
    assert (cell["published_dataset"], cell["architecture"]) == ("cifar10", "resnet18")


@pytest.mark.parametrize(("ours", "theirs"), [(2, 5), (3, 10), (10, 3)])
def test_the_test_is_scipys_from_the_seeds_themselves(ours, theirs):
    random = np.random.default_rng(ours)
    own, other = random.normal(0.7, 0.01, ours), random.normal(0.72, 0.02, theirs)
    error = f"{other.std() / theirs**0.5:.12f}"
    published = published_rows(("baseline", "test_accuracy", f"{other.mean():.12f}", error))
    estimate = ("baseline", "test_accuracy", own.mean(), own.std(ddof=1) / ours**0.5, ours)
    cell = one_cell(published.assign(n_seeds=theirs), [estimate])
    expected = ttest_ind(own, other, equal_var=False)
    found = [cell["t"], cell["df"], cell["p_value"]]
    assert found == pytest.approx([expected.statistic, expected.df, expected.pvalue], rel=1e-6)


@pytest.mark.parametrize(("ours", "theirs"), [(1, 10), (3, 10), (5, 10), (10, 10)])
def test_values_that_agree_differ_in_about_five_percent_of_cells(ours, theirs):
    draws = 2000
    random = np.random.default_rng(ours)
    own, other = random.normal(size=(draws, ours)), random.normal(size=(draws, theirs))
    errors = other.std(1) / theirs**0.5
    name, metric = "baseline", "test_accuracy"
    rows = [
        (name, metric, f"{a:.9f}", f"{b:.9f}") for a, b in zip(other.mean(1), errors, strict=True)
    ]
    datasets = [f"d{draw}" for draw in range(draws)]
    published = published_rows(*rows).assign(dataset=datasets, n_seeds=theirs)
    runs = run_rows([name]).loc[[0] * draws].assign(dataset=datasets, published_dataset=datasets)
    sem = own.std(1, ddof=1) / ours**0.5 if ours > 1 else math.nan
    summary = summary_rows((name, metric, 0.0, 0.0, ours)).loc[[0] * draws]
    summary = summary.assign(dataset=datasets, mean=own.mean(1), sem=sem)
    differing = (compare(summary, runs, published)["verdict"] == "differs").mean()
    # Two standard errors as a limit give 0.11 with three seeds and 0.08 with five.
    assert 0.035 < differing < 0.075


@pytest.mark.parametrize(
    ("metric", "published", "sem", "ours", "own_sem", "verdict"),
    [
        # With three seeds of ours and hardly any error of the published mean: t(2), 4.303.
        ("generalisation_gap", "20.0000", "0.0000", 41.4, 5.0, "agrees"),
        ("generalisation_gap", "20.0000", "0.0000", 41.6, 5.0, "differs"),
        ("generalisation_gap", "20.0000", "0.0000", -1.6, 5.0, "differs"),
        # An error published as zero is not: it hides a deviation over seeds of 0.0005 √10 / √3.
        ("test_accuracy", "0.908", "0.000", 0.9065, math.nan, "agrees"),
        ("test_accuracy", "0.908", "0.000", 0.9, 0.0, "differs"),
    ],
)
def test_the_limit_depends_on_the_numbers_of_seeds(metric, published, sem, ours, own_sem, verdict):
    rows = published_rows(("baseline", metric, published, sem))
    assert one_cell(rows, [("baseline", metric, ours, own_sem, 3)])["verdict"] == verdict


def test_one_seed_is_given_the_deviation_over_the_published_seeds():
    published = published_rows(("baseline", "corruption_accuracy", "58.6140", "0.2010"))
    cell = one_cell(published, [("baseline", "corruption_accuracy", 59.0, math.nan, 1)])
    deviation = 0.201 * math.sqrt(10) * math.sqrt(10 / 9)  # n - 1
    error = math.hypot(deviation, deviation / math.sqrt(10))
    assert cell["t"] == pytest.approx(0.386 / error, rel=1e-4)
    assert cell["df"] == pytest.approx(9, rel=1e-4)
    assert cell["error_from"] == "published"
    assert math.isnan(cell["ours_sem"])


def test_disagreement_published_is_over_ordered_pairs():
    published = published_rows(("baseline", "prediction_disagreement", "0.28200", "0.00100"))
    cell = one_cell(published, [("baseline", "prediction_disagreement", 0.29, 0.0, 3)])
    assert cell["published_sem"] == pytest.approx(0.001 * math.sqrt(90 / 89), rel=1e-4)
    assert "90 ordered pairs" in cell["note"]
    other = published_rows(("baseline", "test_accuracy", "0.7", "0.1"))
    assert one_cell(other, [("baseline", "test_accuracy", 0.7, 0.1, 3)])["note"] == ""
    pair = one_cell(published, [("baseline", "prediction_disagreement", 0.29, math.nan, 2)])
    spread = 0.001 * math.sqrt(90) * math.sqrt(90 / 89)
    assert pair["t"] == pytest.approx(0.008 / math.hypot(spread, 0.001), rel=1e-3)


def test_an_uncertain_published_value_has_a_difference_but_no_verdict():
    published = published_rows(("baseline", "test_accuracy", "0.720", "0.002", OLD, "true"))
    cell = one_cell(published, [("baseline", "test_accuracy", 0.9, 0.001, 3)])
    assert cell["verdict"] == "published value uncertain"
    assert cell["difference"] == pytest.approx(0.18)
    assert cell["t"] > 50
    assert one_cell(published, [])["verdict"] == "not run"


def test_cells_without_a_value_of_ours_are_not_run_and_other_networks_have_no_cell():
    published = published_rows(
        ("baseline", "test_accuracy", "0.720", "0.002"),
        ("weight_decay", "test_accuracy", "0.721", "0.002"),
    )
    elsewhere = pd.concat([published, published.assign(architecture="vit")], ignore_index=True)
    summary = summary_rows(("baseline", "test_accuracy", math.nan, math.nan, 0))
    cells = compare(summary, run_rows(["baseline"]), elsewhere)
    assert list(cells.columns) == COLUMNS
    assert list(cells["published_condition"]) == ["baseline", "weight_decay"]
    assert set(cells["verdict"]) == {"not run"}
    assert cells["p_value"].isna().all()
    assert list(cells["condition"]) == ["our_baseline", ""]
    assert compare(summary, run_rows(pretrained=True), published).empty


def test_values_are_compared_in_the_view_that_was_published():
    metrics = {"fisher_rao_norm": "fisher_rao_norm", "test_accuracy": "test_accuracy"}
    published = published_rows(
        *[(c, m, "1.00", "0.10") for c in CONDITION_NAMES[1:3] for m in metrics]
    )
    both = [(c, m, 1.0, 0.1, 3) for c in CONDITION_NAMES[1:3] for m in metrics]
    augmented = [(c, m, 1.1, 0.1, 3, "augmented") for c, m, *_ in both]
    cells = compare(summary_rows(*both, *augmented), run_rows(), published)
    views = cells.set_index(["published_condition", "metric"])["view"].to_dict()
    assert views.pop(("augmentation", "fisher_rao_norm")) == "augmented"
    assert set(views.values()) == {"clean"}
    assert (cells["ours"] == cells["view"].map({"clean": 1.0, "augmented": 1.1})).all()
    only_clean = compare(summary_rows(*both), run_rows(), published)
    assert set(only_clean["view"]) == {"clean"}
    of_another = only_clean[only_clean["verdict"] == "another view"]
    assert of_another[["published_condition", "metric"]].to_numpy().tolist() == [
        ["augmentation", "fisher_rao_norm"]
    ]
    assert (of_another["ours"] == 1.0).all()
    assert "another view" not in set(cells["verdict"])


def test_a_value_that_was_published_of_clean_data_has_a_verdict_of_its_own():
    """Appendix F.1: 3.962 ± 0.292 on clean data, beside 3.940 ± 0.207 on augmented ones."""
    published = pd.concat(
        read_published(PUBLISHED / f"{name}.csv") for name in ("deep_models", "clean_views")
    )
    here = (published["dataset"] == "cifar10") & (published["architecture"] == "resnet18")
    own = published[
        here & (published["source"] == NEW) & (published["metric"] == "fisher_rao_norm")
    ]
    summary = summary_rows(
        ("augmentation", "fisher_rao_norm", 3.9, 0.2, 10),
        ("augmentation", "fisher_rao_norm", 9.0, 0.2, 10, "augmented"),
    )
    cells = compare(summary, run_rows(), own)
    found = cells[cells["published_condition"] == "augmentation"].set_index("published_view")
    assert found["published"].to_dict() == {"augmented": 3.940, "clean": 3.962}
    assert found["ours"].to_dict() == {"augmented": 9.0, "clean": 3.9}
    assert found["verdict"].to_dict() == {"augmented": "differs", "clean": "agrees"}
    # With ours n - 1 seeds are divided by, in print n: the published error is 0.292 · √(10/9).
    t = (3.9 - 3.962) / math.hypot(0.2, 0.292 * math.sqrt(10 / 9))
    assert found.loc["clean", "t"] == pytest.approx(t, rel=1e-4)
    counted = counts_by_measure(cells).set_index("table")["fisher_rao_norm"]
    assert counted.to_dict() == {"3": "0 of 1", "F.1": "1 of 1"}


def test_the_published_clean_view_is_no_second_condition_in_the_order():
    cells = ordered_cells(("0.70", "0.75", "0.80"), (0.7, 0.8, 0.75))
    clean = cells[-1:].assign(published=9.0, published_view="clean")
    both = pd.concat([cells, clean])
    pd.testing.assert_frame_equal(order_of_conditions(both), order_of_conditions(cells))


@pytest.mark.parametrize("view", ["clean", "augmented"])
def test_the_published_sam_sharpness_augments_whatever_view_it_is_kept_with(view):
    published = published_rows(("augmentation", "sam_sharpness", "1.00", "0.10"))
    summary = summary_rows(("augmentation", "sam_sharpness_published", 1.1, 0.1, 3, view))
    cells = compare(summary, run_rows(), published)
    assert cells[["view", "verdict", "note"]].to_numpy().tolist() == [[view, "agrees", ""]]


@pytest.mark.parametrize(
    ("dataset", "view"), [("tiny_imagenet", "augmented"), ("cifar10", "clean")]
)
def test_augmented_test_images_are_those_of_tiny_imagenet_only(dataset, view):
    published = published_rows(("augmentation", "test_accuracy", "0.5", "0.1")).assign(
        dataset=dataset
    )
    summary = summary_rows(
        ("augmentation", "test_accuracy", 0.6, 0.1, 3),
        ("augmentation", "test_accuracy", 0.5, 0.1, 3, "augmented"),
    )
    cells = compare(summary, run_rows(published_dataset=dataset), published)
    assert list(cells["view"]) == [view]
    assert list(cells["note"]) == ["published on augmented test images" if view != "clean" else ""]


def test_each_metric_has_its_measure_and_the_older_source_five_layers():
    same = ["generalisation_gap", "test_accuracy", "corruption_accuracy"]
    same += ["prediction_disagreement", "fisher_rao_norm"]
    as_published = ["test_ece", "sam_sharpness", "relative_flatness"]
    measures = {m: m for m in same} | {m: f"{m}_published" for m in as_published}
    published = published_rows(
        *[("baseline", metric, "1", "1", source) for source in (NEW, OLD) for metric in measures]
    )
    cells = compare(summary_rows(), run_rows(), published).set_index(["source", "metric"])
    assert cells.loc[NEW, "measure"].to_dict() == measures
    differing = cells.loc[NEW, "measure"] != cells.loc[OLD, "measure"]
    assert list(differing[differing].index) == ["fisher_rao_norm"]
    assert cells.loc[(OLD, "fisher_rao_norm"), "measure"] == "fisher_rao_norm_l5"


def test_sweeps_are_matched_by_rho(all_published):
    published = all_published.query("architecture == 'resnet18' and dataset == 'cifar10'")
    published = published.query(f"source == '{NEW}' and metric == 'test_accuracy'")
    published = published[published["published_condition"] == "baseline_sam"]
    runs = pd.concat(
        [run_rows(["baseline_sam"]), run_rows(["baseline_sam"], condition="our_wide", rho=0.25)]
    )
    summary = summary_rows(
        ("baseline_sam", "test_accuracy", 0.79, 0.01, 3), ("wide", "test_accuracy", 0.84, 0.01, 3)
    )
    cells = compare(summary, runs, published).set_index("rho")
    assert cells["ours"].to_dict() == {0.05: 0.79, 0.25: 0.84}
    assert cells["published"].to_dict() == {0.05: 0.794, 0.25: 0.835}
    without = compare(summary, runs[runs["rho"] == 0.05], published).set_index("rho")
    assert without["verdict"].to_dict() == {0.05: "agrees", 0.25: "not run"}
    order = order_of_conditions(cells.reset_index())
    assert "baseline_sam, ρ = 0.25" in markdown(text_of(cells.reset_index(), order))
    assert "baseline_sam, ρ = 0.25" not in markdown(text_of(without.reset_index(), order))


def test_order_is_a_rank_correlation_over_the_conditions_that_both_have():
    cells = ordered_cells(("0.70", "0.75", "0.80", "0.80", "0.72"), (0.7, 0.8, 0.75, 0.9))
    [order] = order_of_conditions(cells).to_dict("records")
    expected = spearmanr([0.7, 0.75, 0.8, 0.8], [0.7, 0.8, 0.75, 0.9]).statistic
    assert order["value"] == pytest.approx(expected)
    assert (order["n"], order["source"], order["network"]) == (4, NEW, "our_resnet")
    assert order["note"].startswith("too few")
    assert math.isnan(order["p_value"])


@pytest.mark.parametrize(
    ("changes", "conditions", "rho"),
    [({}, 4, -0.2), ({"uncertain": [False, False, False, True]}, 3, 1)],
)
def test_order_leaves_out_uncertain_published_values(changes, conditions, rho):
    cells = ordered_cells(("0.70", "0.75", "0.80", "0.60"), (0.7, 0.75, 0.8, 0.9), **changes)
    [order] = order_of_conditions(cells).to_dict("records")
    assert (order["n"], order["value"]) == (conditions, pytest.approx(rho))


def test_order_leaves_out_sweeps_and_needs_three_conditions():
    sure = ordered_cells(("0.70", "0.75", "0.80", "0.60"), (0.7, 0.8, 0.75, 0.9))
    swept = sure.assign(rho=[math.nan, 0.05, math.nan, 0.25])
    [order] = order_of_conditions(swept).to_dict("records")
    assert (order["n"], order["value"]) == (3, pytest.approx(0.5))
    assert order_of_conditions(swept[1:]).empty


def test_verdicts_are_counted():
    published, unsure = ("0.70", "0.75", "0.80", "0.60"), [False, False, True, False]
    cells = ordered_cells(published, (0.7, 0.9, 0.8), uncertain=unsure)
    [counts] = verdict_counts(cells).to_dict("records")
    assert {verdict: counts[verdict] for verdict in VERDICTS} == {
        "agrees": 1,
        "differs": 1,
        "published value uncertain": 1,
        "another view": 0,
        "not run": 1,
    }
    assert counts["source"] == NEW
    [row] = counts_by_measure(cells).to_dict("records")
    assert (row["table"], row["all"], row["test_accuracy"]) == ("3", "1 of 2", "1 of 2")


@pytest.mark.parametrize("source", [NEW, OLD])
def test_print_agrees_with_itself_in_every_cell_and_order(all_published, source):
    assert len(all_published.query("rho.isna()")) == 450
    published = all_published[all_published["source"] == source]
    runs, summary = published_as_ours(published)
    cells = compare(summary, runs, published)
    assert len(cells) == len(published)
    assert (cells["difference"] == 0).all()
    expected = np.where(published["uncertain"], "published value uncertain", "agrees")
    assert sorted(cells["verdict"]) == sorted(expected)
    order = order_of_conditions(cells)
    assert order["value"].to_numpy() == pytest.approx(1)
    assert len(order) >= 19
    # Far off, hardly any cell agrees.
    wrong = compare(summary.assign(mean=summary["mean"] * 1.5, sem=0.0), runs, published)
    assert (wrong["verdict"] == "agrees").mean() < 0.2


@pytest.mark.parametrize(
    ("table", "column"),
    [("summary", "n_seeds"), ("runs", "architecture"), ("published", "rounding")],
)
def test_missing_columns_are_named(table, column):
    tables = {
        "summary": summary_rows(),
        "runs": run_rows(),
        "published": published_rows(("baseline", "test_accuracy", "0.7", "0.1")),
    }
    tables[table] = tables[table].drop(columns=column)
    with pytest.raises(InputError, match=f"{table}: no column '{column}'"):
        compare(**tables)


def test_unusable_print_is_refused():
    with pytest.raises(InputError, match="'0,7' is no number"):
        published_rows(("baseline", "test_accuracy", '"0,7"', "0.1"))
    with pytest.raises(InputError, match="'perhaps'"):
        published_rows(("baseline", "test_accuracy", "0.7", "0.1", NEW, "perhaps"))
    with pytest.raises(InputError, match="no column 'uncertain'"):
        read_published(io.StringIO(HEADER.replace(",uncertain", "")))
    cell = f"{NEW},3,cifar10,resnet18,false,baseline,test_accuracy,0.7,0.1,none,{{}},false,"
    for seeds, message in (("", "is empty"), ("1", "below 2"), ("x", "'n_seeds': .*numbers only")):
        with pytest.raises(InputError, match=message):
            read_published(io.StringIO(f"{HEADER}\n{cell.format(seeds)}"))
    unknown = published_rows(("baseline", "test_accuraci", "0.7", "0.1"))
    with pytest.raises(InputError, match="did you mean 'test_accuracy'"):
        compare(summary_rows(), run_rows(), unknown)


def test_two_conditions_for_one_published_condition_are_refused():
    twice = pd.concat([run_rows(["baseline"]), run_rows(["baseline"], condition="again")])
    published = published_rows(("baseline", "test_accuracy", "0.7", "0.1"))
    with pytest.raises(InputError, match="again is not the only condition"):
        compare(summary_rows(), twice, published)


def test_text_shows_every_cell_with_notes_and_captions():
    cells = ordered_cells(("0.700", "0.750", "0.800"), (0.7, 0.9, 0.81))
    cells["note"] = ["", "read <twice>", "read <twice>"]
    order = order_of_conditions(cells)
    shown, page = (render(text_of(cells, order)) for render in (markdown, html))
    for condition in CONDITION_NAMES[:3]:
        assert len(re.findall(rf"\| +our_{condition} +\|", shown)) == 1
    rows = [line for line in shown.splitlines() if "0.9000 ± 0.0010" in line]
    assert len(rows) == 1
    assert "**differs**" in rows[0]
    assert "0.7500 ± 0.0011" in rows[0]
    assert "Note 1: read <twice>." in shown
    assert "Note 2" not in shown
    of_training = "easures on training data (sharpness, generalisation gap) of conditions with"
    for words in ("p ≥ 0.05", "5 %", "mini-batches", "jackknife", "L + 1 = 6", of_training):
        assert words in shown
        assert words in page.replace("\u00a0", " ")
    assert "<b>differs</b>" in page
    assert "read &lt;twice&gt;" in page
    assert page.count("<table") == 4
    # Numbers of tables become floats where one has none.
    cells["table"] = ["3", "", "4"]
    stored = read_again(cells)
    assert markdown(text_of(stored, order)) == markdown(text_of(cells, order))


def test_values_that_the_study_has_not_run_are_counted_and_have_no_row():
    cells = ordered_cells(("0.700", "0.750", "0.800"), (0.7, 0.9, 0.81))
    order = order_of_conditions(cells)
    cells.loc[0, "verdict"] = "not run"
    counts, *_, rows = (part for part in text_of(cells, order) if isinstance(part, pd.DataFrame))
    assert counts["not run"].to_list() == [1]
    assert list(rows["Condition"]) == [f"our_{condition}" for condition in CONDITION_NAMES[1:3]]


def test_a_study_without_published_networks_says_so():
    cells = compare(summary_rows(), run_rows(), published_rows().iloc[:0])
    order = order_of_conditions(cells)
    assert verdict_counts(cells).empty
    assert "No published value" in markdown(text_of(cells, order))
    assert "No published value" in html(text_of(cells, order))


def test_conditions_that_name_no_published_data_set_have_no_cells():
    """A column without any name is read from a file as one of numbers."""
    runs = run_rows(published_dataset=np.nan, like_base_condition=True).drop(columns="rho")
    runs = runs.rename(columns={"published_condition": "base_condition"})
    published = pd.read_csv(PUBLISHED / "deep_models.csv", dtype=str, keep_default_na=False)
    cells, order = agreement_tables(summary_rows(), read_again(runs), published)
    assert cells.empty
    assert "No published value" in markdown(text_of(read_again(cells), read_again(order)))
