"""The report of a study, from the files of its tables, figures and records."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..analysis.collect import NETWORK_COLUMNS, PROVENANCE_COLUMNS
from ..analysis.registered import shown
from ..analysis.render import html
from ..analysis.tables import in_view
from ..registry import find
from ..study.adopted import adopted_conditions
from ..tables_and_figures import PAGES
from .contents import TABLES_OF_FACTS, contents_of, sections
from .facts import facts_of
from .opening import data_in_words, held_out_in_words
from .page import Figure, Files, render
from .provenance import jobs_table, made_with, provenance_tables
from .tidy import tidy_tables

MEASURES_COLUMNS = ("dataset", "condition", "measure", "family", "unit", "n")


def study_report(
    template: str,
    contents: str,
    names: Sequence[str],
    tables: Iterable[str],
    figures: Iterable[str],
    records: Iterable[str],
    config: Mapping[str, Any],
    made: Iterable[str],
    own: Mapping[str, str],
    results: Path,
    checkout: Path,
    papers: Mapping[str, Mapping[str, Any]],
) -> str:
    """Return the report of a study as one HTML page.

    Args:
        template: see `page.render`.
        contents: see `contents.contents_of`.
        names: of the tables that readers see.
        tables: files of tables.
        figures: files of figures, SVG and HTML, of the study and beside it.
        records: files with Snakemake's records of jobs; those that are gone are left out.
        config: the study.
        made: names of all tables of the study.
        own: what functions of the user's own file say of themselves, by name.
        results: folder in which all studies have theirs.
        checkout: folder of the workflow.
        papers: resources/papers.yaml.
    """
    paths = {Path(path).stem: path for path in tables}
    drawn = {_name(Path(path), results): path for path in figures}
    view = config["analysis"]["figure_view"]
    files = _files(names, paths, drawn, results / config["study"], view)
    measures = _read(paths, "measures", MEASURES_COLUMNS)
    # With the measures of pairs of networks.
    summary = _read(paths, "summary", MEASURES_COLUMNS)
    jobs = jobs_table(_records(records, results))
    provenance = {"Made with": made_with(checkout, jobs), "Jobs": jobs}
    provenance |= provenance_tables(
        _read(paths, "provenance", PROVENANCE_COLUMNS), _read(paths, "networks", NETWORK_COLUMNS)
    )
    return render(
        template,
        sections(contents_of(contents, study_facts(config, paths)), [*files.tables, *drawn]),
        files,
        summary,
        provenance,
        own,
        config=config,
        data=data_in_words(
            config["datasets"],
            measures,
            pd.read_csv(paths["domains"], dtype={"name": str}) if "domains" in paths else None,
        ),
        held_out=held_out_in_words(_read(paths, "conditions", ("dataset", "condition")), measures),
        papers=papers,
        published=any(find("tables", name).published for name in names),
        tidy=tidy_tables(made),
        # In the study's order, which the sorted keys of the configuration have not.
        conditions=[c for c in measures["condition"].unique() if c in config["conditions"]],
        adopted=adopted_conditions(config),
        configuration=yaml.safe_dump(config, allow_unicode=True),
        plotly=_plotly() if files.surfaces else "",
    )


def study_facts(config: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    """Return what captions depend on; see `facts.Facts`.

    Args:
        config: the study.
        paths: files of its tables, by name; others than those of `TABLES_OF_FACTS` do not count.
    """
    tables = {name: pd.read_csv(paths[name]) for name in TABLES_OF_FACTS if name in paths}
    return facts_of(config, tables)._asdict()


def _files(
    names: Sequence[str],
    paths: Mapping[str, str],
    drawn: Mapping[str, str],
    home: Path,
    view: str,
) -> Files:
    """Return what the parts of a report are made of.

    Args:
        names: of the tables that readers see.
        paths: files of tables, by name.
        drawn: files of figures, likewise.
        home: folder of the report; figures of published results lie beside it.
        view: of the data, of interactive figures.
    """
    turned = [name for name, path in drawn.items() if path.endswith(".html")]
    return Files(
        tables={
            f"tables/{name}": html(shown(find("tables", name), paths), folded=True)
            for name in names
        },
        figures={
            name: Figure(_text(path), os.path.relpath(Path(path).with_suffix(""), home))
            for name, path in drawn.items()
            if path.endswith(".svg")
        },
        surfaces=_surfaces(turned, paths, view),
        # Not of all: that of landscapes can have millions of rows.
        downloads={f"tables/{name}": _text(paths[name]) for name in names if name in paths},
    )


def _records(records: Iterable[str], results: Path) -> dict[str, pd.DataFrame]:
    """Return Snakemake's records of jobs that are there, by their names."""
    return {
        Path(*Path(path).relative_to(results).parts[2:]).as_posix(): pd.read_csv(path, sep="\t")
        for path in records
        if Path(path).exists()
    }


def _name(figure: Path, results: Path) -> str:
    """Return a figure's name, such as ``figures/digits/vit/conditions``."""
    return Path(*figure.relative_to(results).with_suffix("").parts[1:]).as_posix()


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def _read(paths: Mapping[str, str], name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return a table; one without rows where the study trains no networks on data."""
    return pd.read_csv(paths[name]) if name in paths else pd.DataFrame(columns=columns)


def _plotly() -> str:
    """Return plotly's own code, which only surfaces need."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def _surfaces(names: Sequence[str], paths: Mapping[str, str], view: str) -> dict[str, str]:
    """Return the interactive figures of a view of the data as JSON, by their names."""
    found = {}
    for name in names:
        _, dataset, network, page = name.split("/")
        surfaces = PAGES[page]
        tables = {table: in_view(pd.read_csv(paths[table]), view) for table in surfaces.needs}
        of = {"dataset": dataset, "network": network}
        found[name] = surfaces.call(tables | of).to_json()
    return found
