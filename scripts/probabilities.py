"""Calibration of all models, and what the networks of each condition predict together."""

import pandas as pd

from minimascope.evaluation.calibration import calibration_rows, reliability_rows
from minimascope.evaluation.ensembles import ensemble_table
from minimascope.evaluation.predictions import load_predictions
from minimascope.files import read_json, write_text
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.npz import read_npz

with job(snakemake):
    bins, files = settings(snakemake.params)["bins"], snakemake.input.predictions
    calibration, reliability = [], []
    for predictions in map(load_predictions, progress(files, "calibration", "model")):
        calibration += calibration_rows(predictions, bins)
        reliability += reliability_rows(predictions, bins)
    tables = {"calibration": pd.DataFrame(calibration), "reliability": pd.DataFrame(reliability)}
    if snakemake.output.get("ensembles"):
        models = map(load_predictions, progress(files, "ensembles", "model"))
        shares = (read_npz(path)["shares"] for path in snakemake.input.shares)
        corrupted = zip(map(read_json, snakemake.input.corrupted), shares, strict=True)
        tables["ensembles"] = ensemble_table(models, corrupted, bins)
    for name, table in tables.items():
        write_text(snakemake.output[name], table.to_csv(index=False))
