"""Generate acoustic scenes, recorded by several devices, in the layout of the official data."""

from pathlib import Path

from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.registry import SCENES

with job(snakemake):
    options = settings(snakemake.params)["source"]
    del options["source"]
    SCENES.load()(Path(snakemake.output.scenes), **options)
