"""Measure families of sharpness, on the training data, of one network or of all of a condition."""

from minimascope.data.prepared import load_dataset
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import say
from minimascope.measurement import document
from minimascope.models import load_model
from minimascope.npz import write_npz
from minimascope.registry import find
from minimascope.sharpness.family import measure_family

with job(snakemake):
    spec, device = settings(snakemake.params), job_device()
    seeds, families = spec.pop("seeds"), spec.pop("families")
    del spec["code"]
    dataset, data_hash = load_dataset(snakemake.input.data)
    wildcards = {key: snakemake.wildcards[key] for key in ("dataset", "network", "condition")}
    for index, (seed, path) in enumerate(zip(seeds, snakemake.input.models, strict=True)):
        model, _, metadata = load_model(path, device)
        origin = {"model": metadata["content_sha256"], "data": data_hash}
        run = {**wildcards, "seed": str(seed)}
        for family, chosen in families.items():
            say(f"{family} of seed {seed}")
            measured, said = measure_family(
                model, dataset, int(seed), device, family=family, settings=chosen, **spec
            )
            if find("sharpness", family).arrays:
                write_npz(snakemake.output[f"{family}_arrays"][index], measured.arrays)
            content = document(family, measured, run=run, **said, **origin)
            # A measure of the user's own file is the one output of its job.
            write_json(snakemake.output.get(family, snakemake.output)[index], content)
