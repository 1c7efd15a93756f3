"""Make tables of other tables, and what readers see of them."""

from pathlib import Path

from minimascope.analysis.registered import make_table
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.registry import find

with job(snakemake):
    paths = {**snakemake.input, **snakemake.output}
    # No input files: their paths would change with the checkout and rerun the job.
    published = Path(snakemake.scriptdir).parent / "resources" / "published"
    for name in progress(settings(snakemake.params)["tables"], "tables", "table"):
        table = find("tables", name)
        own = {end: paths[f"{name}_{end}"] for end in table.formats}
        make_table(table, paths | own, published, snakemake.params.arguments.get(name, {}))
