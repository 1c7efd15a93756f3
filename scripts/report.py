"""Make one HTML page of a study's tables and figures, and of where its numbers come from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import yaml
from plotly.offline import get_plotlyjs

from minimascope.analysis.collect import PROVENANCE_COLUMNS
from minimascope.files import write_text
from minimascope.jobs import job
from minimascope.plots.interactive import surfaces_figure
from minimascope.report.contents import sections
from minimascope.report.page import Files, render
from minimascope.report.provenance import jobs_table, provenance_tables


def main() -> None:
    spec = json.loads(snakemake.params.spec)
    # Part of the workflow, whose hashes the specification has; as input files their paths would
    # change with the checkout, and rerun the job.
    texts = Path(snakemake.scriptdir).parent / "report"
    contents = (texts / "contents.yaml").read_text("utf-8")
    folder = Path(snakemake.output.page).parent
    names = {Path(path).relative_to(folder).as_posix(): path for path in snakemake.input.shown}
    csv = {path.with_suffix(".html"): path for path in map(Path, snakemake.input.csv)}
    files = Files(
        texts={name: Path(path).read_text("utf-8") for name, path in names.items()},
        downloads={
            name: csv[Path(path)].read_text("utf-8")
            for name, path in names.items()
            if Path(path) in csv
        },
        surfaces=surfaces(names),
    )
    measures = read("measures", ["condition", "measure", "family", "unit"])
    provenance = provenance_tables(read("provenance", PROVENANCE_COLUMNS))
    named = spec["config"]["conditions"]
    page = render(
        (texts / "page.html.j2").read_text("utf-8"),
        sections(yaml.safe_load(contents), names),
        files,
        measures,
        {"Jobs": jobs_table(records(folder / "benchmarks")), **provenance},
        config=spec["config"],
        # In the study's order, which the sorted keys of the specification have not.
        conditions=[name for name in measures["condition"].unique() if name in named],
        configuration=yaml.safe_dump(spec["config"], allow_unicode=True),
        plotly=get_plotlyjs() if files.surfaces else "",
    )
    write_text(snakemake.output.page, page)


def read(name: str, columns: Sequence[str]) -> pd.DataFrame:
    """A table; one without rows where the study trains no networks on data."""
    path = snakemake.input.get(name)
    return pd.read_csv(path) if path else pd.DataFrame(columns=columns)


def surfaces(names: Mapping[str, str]) -> dict[str, str]:
    """The interactive figures as JSON, by the name of the page that holds one alone."""
    pages = [Path(name) for name in names if Path(name).name == "landscape.html"]
    if not pages:
        return {}
    landscape = pd.read_csv(snakemake.input.landscape)
    places = {page.as_posix(): page.parts[1:3] for page in pages}
    return {name: surfaces_figure(landscape, *place).to_json() for name, place in places.items()}


def records(folder: Path) -> dict[str, pd.DataFrame]:
    """Snakemake's records of jobs, as far as they are there."""
    paths = [path for path in map(Path, snakemake.params.records) if path.exists()]
    return {path.relative_to(folder).as_posix(): pd.read_csv(path, sep="\t") for path in paths}


with job(snakemake):
    main()
