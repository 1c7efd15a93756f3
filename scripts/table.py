"""Make tables of other tables, and what readers see of them."""

from pathlib import Path

from minimascope.analysis.registered import make_table
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.registry import TABLES

with job(snakemake):
    make_table(
        TABLES[settings(snakemake.params)["table"]],
        {**snakemake.input, **snakemake.output},
        # No input files: their paths would change with the checkout and rerun the job.
        Path(snakemake.scriptdir).parent / "resources" / "print",
        snakemake.params.arguments,
    )
