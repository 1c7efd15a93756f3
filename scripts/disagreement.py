"""Compare the predictions of all pairs of models of each network on each data set."""

from minimascope.evaluation.disagreement import compare_models
from minimascope.evaluation.predictions import load_predictions
from minimascope.files import write_text
from minimascope.jobs.job import job

with job(snakemake):
    models = map(load_predictions, snakemake.input.predictions)
    write_text(snakemake.output.table, compare_models(models).to_csv(index=False))
