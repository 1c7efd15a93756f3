"""Calibration of all models, their other test sets, and what a condition's predict together."""

import time

import pandas as pd

from minimascope.evaluation.calibration import (
    calibration_rows,
    measure_rows,
    reliability_rows,
    risk_coverage_rows,
)
from minimascope.evaluation.ensembles import ensemble_table
from minimascope.evaluation.other_sets import measure_other_sets, shifted_rows, unseen_rows
from minimascope.evaluation.predictions import load_predictions
from minimascope.files import read_json, write_text
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.npz import read_npz

with job(snakemake):
    bins, files = settings(snakemake.params)["bins"], snakemake.input.predictions
    rows = {name: [] for name in ("calibration", "reliability", "risk_coverage")}
    rows |= {name: [] for name in ("shifted", "unseen") if snakemake.output.get(name)}
    for predictions in map(load_predictions, progress(files, "calibration", "model")):
        rows["calibration"] += calibration_rows(predictions, bins)
        rows["reliability"] += reliability_rows(predictions, bins)
        rows["risk_coverage"] += risk_coverage_rows(predictions)
        if predictions.others:
            start = time.perf_counter()
            found = {"shifted": shifted_rows(predictions, bins), "unseen": unseen_rows(predictions)}
            measured = measure_other_sets(**found)
            seconds = time.perf_counter() - start
            rows["calibration"] += measure_rows(predictions, measured, seconds)
            for name in rows.keys() & found.keys():
                rows[name] += [predictions.run | row for row in found[name]]
    tables = {name: pd.DataFrame(own) for name, own in rows.items()}
    if snakemake.output.get("ensembles"):
        models = map(load_predictions, progress(files, "ensembles", "model"))
        shares = (read_npz(path)["shares"] for path in snakemake.input.shares)
        corrupted = zip(map(read_json, snakemake.input.corrupted), shares, strict=True)
        tables["ensembles"] = ensemble_table(models, corrupted, bins)
    for name, table in tables.items():
        write_text(snakemake.output[name], table.to_csv(index=False))
