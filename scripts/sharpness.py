"""Measure one family of sharpness, on the training data."""

from minimascope.data.prepared import load_dataset
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.measurement import document
from minimascope.models import load_model
from minimascope.npz import write_npz
from minimascope.sharpness.family import measure_family

with job(snakemake):
    spec, device = settings(snakemake.params), job_device()
    del spec["code"]
    run = {key: snakemake.wildcards[key] for key in ("dataset", "network", "condition", "seed")}
    model, _, metadata = load_model(snakemake.input.model, device)
    dataset, data_hash = load_dataset(snakemake.input.data)
    measured, origin = measure_family(model, dataset, int(run["seed"]), device, **spec)
    hashes = {"model": metadata["content_sha256"], "data": data_hash}
    if snakemake.output.get("arrays"):
        write_npz(snakemake.output.arrays, measured.arrays)
    content = document(spec["family"], measured, run=run, **origin, **hashes)
    write_json(snakemake.output.measures, content)
