"""Fill the pages that state findings with numbers of the tables in docs/results.

Between `<!-- made from docs/templates/NAME -->` and `<!-- end -->` a page has that template's text.
Its numbers are expressions, and its words about them stand behind a `given(…)`: where the tables no
longer say so, nothing is written. `--list` prints each statement with the tables it was made of.
Figures in docs/figures are drawn from tables, too.
"""

import argparse
import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from minimascope.analysis.numbers import format_estimate, format_interval, format_number
from minimascope.analysis.render import markdown
from minimascope.analysis.tables import main_table
from minimascope.analysis.wording import listed
from minimascope.plots.style import save_svg, styled
from minimascope.registry import find

ROOT = Path(__file__).parents[1]
RESULTS, TEMPLATES = ROOT / "docs" / "results", ROOT / "docs" / "templates"
# Figures of studies in docs/figures, README's and those of findings: study, and what they are of.
FIGURES = {
    "trends": ("digits", {"dataset": "digits"}),
    "interpolation": ("between_minima", {"dataset": "digits", "network": "vit"}),
    "edge_of_stability": ("edge_of_stability", {"dataset": "digits", "network": "mlp"}),
    "trajectory_loss": ("digits_trajectories", {"dataset": "digits", "network": "vit"}),
}
BLOCK = re.compile(r"(<!-- made from docs/templates/(\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
# Columns that an interval is of, whichever a table has.
ESTIMATES = ("slope", "difference", "value", "advantage")
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
COUNTS += ("eleven", "twelve")
read_table = cache(pd.read_csv)


class Study:
    """The tables of a study; which of them are read is noted in a list."""

    def __init__(self, name: str, read: list[str]) -> None:
        self._name, self._read = name, read

    def __getattr__(self, table: str) -> pd.DataFrame:
        if table.startswith("_"):
            raise AttributeError(table)
        self._read.append(f"{self._name}/{table}.csv")
        return read_table(RESULTS / self._name / f"{table}.csv")

    def rows(self, table: str, **values: object) -> pd.DataFrame:
        """Return the rows of a table whose columns have these values, or one of each list.

        Raises:
            ValueError: there are none.
        """
        found = getattr(self, table)
        for column, value in values.items():
            found = found[found[column].isin(value if isinstance(value, list) else [value])]
        if found.empty:
            raise ValueError(f"{self._name}: no row of {table} has {values}")
        return found

    def row(self, table: str, **values: object) -> Any:
        """Return the one row that fits. Raises a ValueError if there are several, or none."""
        (found,) = self.rows(table, **values).itertuples(index=False)
        return found

    def over_seeds(self, measure: str, condition: str, network: str, **of: str) -> Any:
        """Return the row of `summary`, on clean data."""
        of |= {"measure": measure, "condition": condition, "network": network, "view": "clean"}
        return self.row("summary", **of)

    def mean(self, *names: str, **of: str) -> float:
        """Return the mean `over_seeds`."""
        return self.over_seeds(*names, **of).mean

    def estimate(self, *names: str, **of: str) -> str:
        """Return ``mean ± standard error`` `over_seeds`."""
        found = self.over_seeds(*names, **of)
        return format_estimate(found.mean, found.sem)

    def interval(self, table: str, form: str = ".2f", factor: float = 1, **values: str) -> str:
        """Return ``value [lower, upper]`` of the one row that fits."""
        found = self.row(table, **values)
        column = next(name for name in ESTIMATES if hasattr(found, name))
        ends = (factor * getattr(found, name) for name in (column, "lower", "upper"))
        return format_interval(*ends, form)

    def factors(
        self, pairs: Sequence[tuple[str, str]], measures: Sequence[str], networks: Sequence[str]
    ) -> list[float]:
        """Return how many times as large the mean of the first of each pair is, each by each."""
        return [
            self.mean(measure, first, network) / self.mean(measure, second, network)
            for (first, second), measure, network in product(pairs, measures, networks)
        ]


def given(statement: object) -> str:
    """Return nothing where the tables say so. Raises a ValueError where they do not."""
    if not statement:
        raise ValueError("the tables no longer say what the text does; change the text")
    return ""


def to_from(values: Sequence[float], form: str) -> str:
    """Return the range of some values, for example ``1.1 to 2.0``."""
    ends = (format_number(end, form) for end in (min(values), max(values)))
    return " to ".join(dict.fromkeys(ends))


def reflowed(text: str) -> str:
    """Return a text with new line breaks in its paragraphs; tables keep theirs."""
    parts = re.split(r"\n{2,}", text.strip())
    filled = (fill(part, 110, break_long_words=False, break_on_hyphens=False) for part in parts)
    return "\n\n".join(a if "|" in a else b for a, b in zip(parts, filled, strict=True))


def render(name: str, page: Path) -> tuple[str, dict[str, list[str]]]:
    """Return the text of a template for a page, and the tables behind each of its statements.

    Raises:
        ValueError: its words are no longer true, or a table has no such row.
        FileNotFoundError: it asks for a table that is not there.
    """
    read: list[str] = []
    statements: dict[str, list[str]] = {}

    def statement(caller: Callable[[], str]) -> str:
        read.clear()
        text = reflowed(caller())
        tables = statements[text] = list(dict.fromkeys(read))
        places = [os.path.relpath(RESULTS / table, page.parent) for table in tables]
        links = [f"[{t.removesuffix('.csv')}]({p})" for t, p in zip(tables, places, strict=True)]
        gap = "\n\n" if text.endswith("|") else "\n"
        return f"{text}{gap}<sub>Tables: {listed(links)}.</sub>\n"

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"to": format_number, "words": COUNTS.__getitem__}
    studies = [path.name for path in RESULTS.iterdir() if path.is_dir()]
    environment.globals |= {name: Study(name, read) for name in studies}
    # What was run, and how long it took.
    tables = RESULTS.glob("*.csv")
    environment.globals |= {path.stem: pd.read_csv(path, keep_default_na=False) for path in tables}
    functions = (given, to_from, statement, format_estimate, main_table, markdown)
    environment.globals |= {function.__name__: function for function in functions}
    return environment.get_template(name).render().strip(), statements


def filled(page: Path) -> str:
    """Return a page with its blocks made again."""
    text = page.read_text(encoding="utf-8")
    return BLOCK.sub(lambda found: f"{found[1]}{render(found[2], page)[0]}\n{found[3]}", text)


def figure_file(name: str) -> Path:
    """Return where a figure of `FIGURES` is."""
    return ROOT / "docs" / "figures" / f"{name}.svg"


def figure(name: str) -> bytes:
    """Return a figure of `FIGURES`, from the tables of its study."""
    study, of = FIGURES[name]
    drawn = find("figures", name)
    tables = {table: read_table(RESULTS / study / f"{table}.csv") for table in drawn.needs}
    with styled():
        return save_svg(drawn.call(tables | of))


def pages() -> list[Path]:
    """Return the pages that have such a block."""
    every = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), RESULTS / "README.md"]
    return [page for page in every if BLOCK.search(page.read_text(encoding="utf-8"))]


def print_list(page: Path) -> None:
    """Print the statements of a page, and below each the tables it was made of."""
    for _, template, _ in BLOCK.findall(page.read_text(encoding="utf-8")):
        for text, tables in render(template, page)[1].items():
            print(f"{page.relative_to(ROOT)}: {text}\n    {', '.join(tables)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="print statements and their tables")
    wanted = parser.parse_args()
    if not wanted.list:
        for name in FIGURES:
            figure_file(name).write_bytes(figure(name))
    for place in pages():
        print_list(place) if wanted.list else place.write_text(filled(place), encoding="utf-8")
