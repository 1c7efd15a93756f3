"""Calibration of all models from their stored predictions."""

import pandas as pd

from minimascope.evaluation.calibration import calibration_rows, reliability_rows
from minimascope.evaluation.predictions import load_predictions
from minimascope.files import write_text
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress

with job(snakemake):
    bins = settings(snakemake.params)["bins"]
    calibration, reliability = [], []
    for path in progress(snakemake.input.predictions, "calibration", "model"):
        predictions = load_predictions(path)
        calibration += calibration_rows(predictions, bins)
        reliability += reliability_rows(predictions, bins)
    write_text(snakemake.output.calibration, pd.DataFrame(calibration).to_csv(index=False))
    write_text(snakemake.output.reliability, pd.DataFrame(reliability).to_csv(index=False))
