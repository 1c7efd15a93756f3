"""Make one HTML page of a study's tables and figures, and of where its numbers come from."""

from pathlib import Path

import yaml

from minimascope.files import write_text
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.report.study import study_report

with job(snakemake):
    config = settings(snakemake.params)
    names, made = config.pop("readable"), config.pop("made")
    own = config.pop("own_docstrings")
    del config["code"], config["texts"]
    # No input files: their paths would change with the checkout and rerun the job.
    folder = Path(snakemake.scriptdir).parent / "report"
    page = study_report(
        (folder / "page.html.j2").read_text(encoding="utf-8"),
        (folder / "contents.yaml").read_text(encoding="utf-8"),
        names,
        snakemake.input.tables,
        snakemake.input.figures,
        snakemake.params.records,
        config,
        made,
        own,
        results=Path(snakemake.output.page).parents[1],
        checkout=folder.parent,
        papers=yaml.safe_load((folder.parent / "resources" / "papers.yaml").read_text("utf-8")),
    )
    write_text(snakemake.output.page, page)
