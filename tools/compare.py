"""Set two studies, or two runs of a study, side by side: every measure that both have."""

import interruption  # noqa: F401

# isort: split
import argparse
import sys
from pathlib import Path

import pandas as pd

from minimascope.analysis.render import html, markdown, page
from minimascope.analysis.runs import COLUMNS, MARKED, compare_runs, run_tables
from minimascope.errors import InputError
from minimascope.files import write_text

RESULTS = Path("results")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    run = "results of a study: its name, or the folder that holds its tables"
    parser.add_argument("first", help=run)
    parser.add_argument("second", help=run)
    parser.add_argument(
        "--output", type=Path, help="folder (default: results/compared/FIRST-SECOND)"
    )
    arguments = parser.parse_args()
    names = names_of(arguments.first, arguments.second)
    output = arguments.output or RESULTS / "compared" / "-".join(names)
    try:
        found = compare_runs(*(tables_of(run) for run in (arguments.first, arguments.second)))
    except InputError as error:
        sys.exit(f"error: {error}")
    tables = run_tables(found, names)
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / "comparison.csv", found.to_csv(index=False))
    write_text(output / "comparison.md", markdown(tables))
    write_text(output / "comparison.html", page(html(tables)))
    apart = (found["difference"].abs() >= MARKED * found["standard_error"]) & found["difference"]
    print(f"{apart.sum()} of {len(found)} numbers are {MARKED} standard errors apart or more.")
    print(f"Comparison: {output / 'comparison.html'}")


def folder_of(run: str) -> Path:
    """The folder of a study's results, by its path or its name."""
    return Path(run) if Path(run, "tables").is_dir() else RESULTS / run


def names_of(first: str, second: str) -> tuple[str, str]:
    """What the runs are called: their folders' names, told apart where they are the same."""
    names = folder_of(first).resolve().name, folder_of(second).resolve().name
    return names if names[0] != names[1] else (f"{names[0]}-A", f"{names[1]}-B")


def tables_of(run: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables that are compared.

    Raises:
        InputError: a table is not there, cannot be read, or is of an older version.
    """
    paths = [folder_of(run) / "tables" / f"{name}.csv" for name in ("measures", "disagreement")]
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such table; finish the study with `make run`, or name it")
    try:
        measures, disagreement = map(pd.read_csv, paths)
    except (ValueError, OSError) as error:
        raise InputError(f"{paths[0].parent}: {' '.join(str(error).split())}") from error
    if missing := [name for name in COLUMNS if name not in measures]:
        raise InputError(
            f"{paths[0]}: made by an older version, without {missing[0]}; run `make run` with its"
            " study first"
        )
    return measures, disagreement


if __name__ == "__main__":
    main()
