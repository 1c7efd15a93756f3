"""Evaluate the networks of a condition together on corrupted copies of the test split."""

import time

from minimascope.data.corruptions.copies import load_corrupted
from minimascope.devices import device_name, precision
from minimascope.evaluation.corrupted_ensembles import corrupted_hits, measure_corrupted
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.progress import progress
from minimascope.models import load_model

with job(snakemake):
    run, device = dict(snakemake.wildcards), job_device()
    loaded = [load_model(path, device) for path in snakemake.input.models]
    start = time.perf_counter()
    copies = map(load_corrupted, progress(snakemake.input.corrupted, "corruptions", "corruption"))
    with precision("fp32", device):
        shares, rows = corrupted_hits([model for model, _, _ in loaded], copies, device)
    row = {**run, "view": "clean", **measure_corrupted(shares, rows)}
    content = {
        "run": run,
        "measures": [row | {"seconds": time.perf_counter() - start}],
        "models": [metadata["content_sha256"] for _, _, metadata in loaded],
        "device": device_name(device),
        "details": {"corruptions": rows},
    }
    write_json(snakemake.output.measures, content)
