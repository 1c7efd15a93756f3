"""The tables of docs/tables.md, and whether a study's are as documented and linked to."""

import re
from collections.abc import Iterable

import pandas as pd
from small_study import ROOT, Project

ALONG_AND_BETWEEN = (
    "trajectory",
    "trajectory_summary",
    "partings",
    "interpolation",
    "barriers",
    "barrier_means",
)


def documented_tables() -> dict[str, str]:
    """Return what docs/tables.md says of each table's columns."""
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `(\w+)\.csv` \| (.*) \|$", text, flags=re.MULTILINE))


def check_columns(project: Project, names: Iterable[str]) -> None:
    """Check that tables have the columns that are documented and stand in the report."""
    page = project.results("report.html").read_text(encoding="utf-8")
    documented = documented_tables()
    for name in names:
        cell = documented[name]
        assert f'<a href="tables/{name}.csv">' in page, name
        columns = re.findall(r"`([\w.]+)`", cell)
        found = list(pd.read_csv(project.results(f"tables/{name}.csv"), nrows=1))
        # Some have columns of the study's own after these.
        assert columns == (found[: len(columns)] if "and one for each" in cell else found), name
