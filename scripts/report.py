"""Make one HTML page of a study's tables and figures, and of where its numbers come from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import yaml
from plotly.offline import get_plotlyjs

from minimascope.analysis.collect import PROVENANCE_COLUMNS
from minimascope.analysis.render import html
from minimascope.files import write_text
from minimascope.jobs.job import job
from minimascope.plots.interactive import surfaces_figure
from minimascope.registry import TABLES, load
from minimascope.report.contents import sections
from minimascope.report.page import Files, render
from minimascope.report.provenance import jobs_table, provenance_tables

PARTS = ("page.html.j2", "contents.yaml")


def main() -> None:
    spec = json.loads(snakemake.params.spec)
    # Part of the workflow, whose hashes the specification has; as input files their paths would
    # change with the checkout, and rerun the job.
    template, contents = (
        (Path(snakemake.scriptdir).parent / "report" / name).read_text("utf-8") for name in PARTS
    )
    folder = Path(snakemake.output.page).parent
    tables = {Path(path).stem: path for path in snakemake.input.tables}
    # Also of what lies beside the study, in results/print.
    figures = {_name(Path(path), folder.parent): path for path in snakemake.input.figures}
    files = Files(
        tables={f"tables/{name}": readable(name, tables) for name in spec["tables"]},
        figures={n: Path(p).read_text("utf-8") for n, p in figures.items() if p.endswith(".svg")},
        surfaces=surfaces([n for n, p in figures.items() if p.endswith(".html")], tables),
        # Not of all: that of landscapes can have millions of rows.
        downloads={
            f"tables/{name}": Path(tables[name]).read_text("utf-8")
            for name in spec["tables"]
            if name in tables
        },
    )
    measures = read(tables, "measures", ["condition", "measure", "family", "unit"])
    provenance = provenance_tables(read(tables, "provenance", PROVENANCE_COLUMNS))
    named = spec["config"]["conditions"]
    page = render(
        template,
        sections(yaml.safe_load(contents), [*files.tables, *figures]),
        files,
        measures,
        {"Jobs": jobs_table(records(folder.parent)), **provenance},
        config=spec["config"],
        # In the study's order, which the sorted keys of the specification have not.
        conditions=[name for name in measures["condition"].unique() if name in named],
        configuration=yaml.safe_dump(spec["config"], allow_unicode=True),
        plotly=get_plotlyjs() if files.surfaces else "",
    )
    write_text(snakemake.output.page, page)


def _name(figure: Path, results: Path) -> str:
    """The name of a figure, such as ``figures/digits/vit/controls``, whichever results it is of."""
    return Path(*figure.relative_to(results).with_suffix("").parts[1:]).as_posix()


def readable(name: str, paths: Mapping[str, str]) -> str:
    """What readers see of a table, as HTML."""
    table = TABLES[name]
    return html(load(table.text)(*(pd.read_csv(paths[shown]) for shown in table.shows)))


def read(paths: Mapping[str, str], name: str, columns: Sequence[str]) -> pd.DataFrame:
    """A table; one without rows where the study trains no networks on data."""
    return pd.read_csv(paths[name]) if name in paths else pd.DataFrame(columns=columns)


def surfaces(names: Sequence[str], paths: Mapping[str, str]) -> dict[str, str]:
    """The interactive figures as JSON, by their names."""
    if not names:
        return {}
    landscape = pd.read_csv(paths["landscape"])
    return {name: surfaces_figure(landscape, *name.split("/")[1:3]).to_json() for name in names}


def records(results: Path) -> dict[str, pd.DataFrame]:
    """Snakemake's records of jobs, as far as they are there, by rule and wildcards."""
    paths = [path for path in map(Path, snakemake.params.records) if path.exists()]
    names = (Path(*path.relative_to(results).parts[2:]).as_posix() for path in paths)
    return {name: pd.read_csv(path, sep="\t") for name, path in zip(names, paths, strict=True)}


with job(snakemake):
    main()
