"""Measure one family of sharpness, the one that the rule is named for, on the training data."""

import json
import time

from minimascope.data.prepared import load_dataset
from minimascope.devices import default_device, device_name, precision
from minimascope.io import write_json
from minimascope.jobs import job
from minimascope.measurement import document
from minimascope.models import load_model
from minimascope.registry import SHARPNESS
from minimascope.seeding import generator


def main() -> None:
    family, run, device = snakemake.rule, dict(snakemake.wildcards), default_device()
    settings = json.loads(snakemake.params.spec)["settings"]
    model, _, metadata = load_model(snakemake.input.model, device)
    dataset, data_hash = load_dataset(snakemake.input.data)
    draws = generator(int(run["seed"]), family, device=device)
    start = time.perf_counter()
    with precision("fp32", device):
        measurements = SHARPNESS[family].load()(model, dataset.train.to(device), draws, **settings)
    provenance = {
        "run": run,
        "settings": settings,
        "seconds": time.perf_counter() - start,
        "device": device_name(device),
        "model": metadata["content_sha256"],
        "data": data_hash,
    }
    write_json(snakemake.output.measures, document(family, measurements, **provenance))


with job(snakemake.log[0], snakemake.threads):
    main()
