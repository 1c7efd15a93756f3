"""Evaluate the networks of each condition together, from their stored predictions."""

import json

from minimascope.evaluation.ensembles import ensemble_table
from minimascope.evaluation.predictions import load_predictions
from minimascope.files import read_json, write_text
from minimascope.jobs.job import job
from minimascope.jobs.progress import progress


def main() -> None:
    bins = json.loads(snakemake.params.spec)["bins"]
    paths = progress(snakemake.input.predictions, "ensembles", "model")
    corrupted = map(read_json, snakemake.input.corrupted)
    table = ensemble_table(map(load_predictions, paths), corrupted, bins)
    write_text(snakemake.output.table, table.to_csv(index=False))


with job(snakemake):
    main()
