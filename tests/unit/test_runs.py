"""Two runs side by side: paired where they can be, and said to be equal where they are."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from table_frames import NO_PAIRS, measure_rows
from tools import run_tool

from minimascope.analysis.runs import compare_runs, run_tables
from minimascope.errors import InputError

ROOT = Path(__file__).parents[2]


def run(values: dict[int, float], condition: str = "baseline") -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = measure_rows({(condition, "test_nll"): list(values.values())}, unit="nats")
    return rows.assign(seed=list(values)), NO_PAIRS


FIRST = {0: 0.5, 1: 0.7, 2: 0.65}
SECOND = {2: 0.75, 0: 0.58, 1: 0.81}


def test_runs_with_the_same_seeds_are_compared_pair_by_pair():
    (row,) = compare_runs(run(FIRST), run(SECOND)).itertuples()
    differences = [SECOND[seed] - FIRST[seed] for seed in FIRST]
    assert row.pairing == "by seed"
    assert row.difference == pytest.approx(np.mean(differences))
    assert row.standard_error == pytest.approx(stats.sem(differences))
    assert (row.first, row.second) == pytest.approx((np.mean(list(FIRST.values())), 0.7133333333))
    assert row.first_error == pytest.approx(stats.sem(list(FIRST.values())))
    assert (row.first_seeds, row.second_seeds) == (3, 3)


def test_runs_with_other_seeds_are_compared_as_independent():
    second = {seed + 1: value for seed, value in SECOND.items()}
    (row,) = compare_runs(run(FIRST), run(second)).itertuples()
    errors = [stats.sem(list(values.values())) for values in (FIRST, second)]
    assert row.pairing == "none"
    assert row.difference == pytest.approx(np.mean([0.75, 0.58, 0.81]) - np.mean([0.5, 0.7, 0.65]))
    assert row.standard_error == pytest.approx(np.sqrt(errors[0] ** 2 + errors[1] ** 2))


def test_one_seed_has_a_difference_without_an_error():
    (row,) = compare_runs(run({0: 1.0}), run({0: 1.5})).itertuples()
    assert row.difference == pytest.approx(0.5)
    assert np.isnan(row.standard_error)
    (table,) = run_tables(compare_runs(run({0: 1.0}), run({0: 1.5})), ("a", "b"))
    assert table["Difference"].to_list() == ["0.500"]


def test_exchanging_the_runs_changes_the_sign_alone():
    (there,) = compare_runs(run(FIRST), run(SECOND)).itertuples()
    (back,) = compare_runs(run(SECOND), run(FIRST)).itertuples()
    assert there.difference == pytest.approx(-back.difference)
    assert there.standard_error == pytest.approx(back.standard_error)


def test_only_conditions_that_both_have_are_compared():
    first = pd.concat([run(FIRST)[0], run(FIRST, "sam")[0]]), run(FIRST)[1]
    assert compare_runs(first, run(SECOND, "sam"))["condition"].to_list() == ["sam"]
    with pytest.raises(InputError, match="no measure of a condition in common"):
        compare_runs(run(FIRST), run(SECOND, "sam"))


@pytest.mark.parametrize(
    ("second", "text"),
    [
        (FIRST, "equal"),
        ({seed: value + 1e-15 for seed, value in FIRST.items()}, "equal"),
        (SECOND, "**0.0967 ± 0.0088**"),
        ({0: 0.6, 1: 0.6, 2: 0.65}, "0.0000 ± 0.0577"),
    ],
)
def test_the_table_says_what_is_equal_and_marks_what_is_apart(second, text):
    (table,) = run_tables(compare_runs(run(FIRST), run(second)), ("a", "b"))
    (shown,) = table["Difference"]
    assert shown == text
    assert list(table.columns) == ["Condition", "a", "b", "Difference", "Seeds"]
    assert table.attrs["caption"].startswith("vit on digits.")


def test_values_in_doubt_are_counted_and_marked():
    measures, pairs = run(FIRST)
    doubtful = measures.assign(trained=[True, False, False], converged=[True, True, False])
    found = compare_runs(run(SECOND), (doubtful, pairs))
    (row,) = found.itertuples()
    assert (row.first_untrained, row.first_unconverged) == (0, 0)
    assert (row.second_untrained, row.second_unconverged) == (2, 1)
    (table,) = run_tables(found, ("a", "b"))
    assert table["b"].item().endswith(" § ‡")
    assert "§" not in table["a"].item()
    assert "§: the network of at least one seed did not train" in table.attrs["caption"]
    (plain,) = run_tables(compare_runs(run(SECOND), run(FIRST)), ("a", "b"))
    assert "§" not in plain.attrs["caption"]


def compare(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_tool("compare", *arguments, cwd=folder)


def test_runs_are_named_by_study_or_folder_and_faults_are_one_line(tmp_path: Path):
    for name, values in (("results/a", FIRST), ("elsewhere/a", SECOND)):
        tables = tmp_path / name / "tables"
        tables.mkdir(parents=True)
        for table, rows in zip(("measures", "disagreement"), run(values), strict=True):
            rows.to_csv(tables / f"{table}.csv", index=False)
    result = compare("a", "elsewhere/a", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "1 of 1 numbers are 2 standard errors apart or more." in result.stdout
    written = tmp_path / "results" / "compared" / "a-A-a-B"
    assert {path.name for path in written.iterdir()} == {
        f"comparison.{suffix}" for suffix in ("csv", "md", "html")
    }
    assert "0.0967 ± 0.0088" in (written / "comparison.md").read_text(encoding="utf-8")
    result = compare("a", "b", folder=tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "error: results/b/tables/measures.csv: no such table; finish the study with `make run`, or"
        " name it"
    ]
    path = tmp_path / "results" / "a" / "tables" / "measures.csv"
    pd.read_csv(path).drop(columns="trained").to_csv(path, index=False)
    (line,) = compare("a", "elsewhere/a", folder=tmp_path).stderr.splitlines()
    assert line.endswith(
        "measures.csv: made by an older version, without trained; run `make run` with its study"
        " first"
    )
