"""Evaluate the networks of each condition together, from their stored predictions."""

from minimascope.evaluation.ensembles import ensemble_table
from minimascope.evaluation.predictions import load_predictions
from minimascope.files import read_json, write_text
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress

with job(snakemake):
    bins = settings(snakemake.params)["bins"]
    paths = progress(snakemake.input.predictions, "ensembles", "model")
    corrupted = map(read_json, snakemake.input.corrupted)
    table = ensemble_table(map(load_predictions, paths), corrupted, bins)
    write_text(snakemake.output.table, table.to_csv(index=False))
