"""Collect the JSON documents of all runs in one tidy table, and their histories in another."""

import pandas as pd

from minimascope.analysis.collect import corruption_accuracies, network_table, provenance, tidy
from minimascope.analysis.trained import with_trained
from minimascope.files import read_json, write_text
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress

with job(snakemake):
    paths = progress(snakemake.input.documents, "collecting", "document")
    documents = {path: read_json(path) for path in paths}
    measures = tidy(documents, pd.read_csv(snakemake.input.calibration))
    measures = with_trained(measures, settings(snakemake.params)["trained"])
    write_text(snakemake.output.measures, measures.to_csv(index=False))
    evaluations = {path: documents[path] for path in snakemake.input.evaluations}
    write_text(snakemake.output.networks, network_table(evaluations).to_csv(index=False))
    write_text(snakemake.output.provenance, provenance(documents).to_csv(index=False))
    if place := snakemake.output.get("corruptions"):
        write_text(place, corruption_accuracies(evaluations).to_csv(index=False))
    if histories := [*map(pd.read_csv, snakemake.input.histories)]:
        write_text(snakemake.output.history, pd.concat(histories).to_csv(index=False))
