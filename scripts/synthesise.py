"""Generate acoustic scenes, recorded by several devices, in the layout of the official data."""

import json
from pathlib import Path

from minimascope.jobs.job import job
from minimascope.registry import SCENES


def main() -> None:
    options = json.loads(snakemake.params.spec)["options"]
    SCENES.load()(Path(snakemake.output.scenes), **options)


with job(snakemake):
    main()
