"""Measure families of sharpness, on the training data, of one network or of all of a condition."""

from dataclasses import asdict
from pathlib import Path

from minimascope.data.prepared import load_dataset
from minimascope.files import write_json
from minimascope.finished import FinishedParts
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import say
from minimascope.measurement import document
from minimascope.models import load_model
from minimascope.npz import write_npz
from minimascope.registry import find
from minimascope.sharpness.family import FamilySpec, measure_family

with job(snakemake):
    spec, device = settings(snakemake.params), job_device()
    seeds, families = spec.pop("seeds"), spec.pop("families")
    code, by_domain = spec.pop("code"), spec.pop("by_domain", ())
    dataset, data_hash = load_dataset(snakemake.input.data)
    wildcards = {key: snakemake.wildcards[key] for key in ("dataset", "network", "condition")}
    # None where no family takes them, or where trainings started from other weights.
    initial = snakemake.input.get("initial") or [None] * len(seeds)
    files = zip(seeds, snakemake.input.models, initial, strict=True)
    for index, (seed, trained, begun) in enumerate(files):
        model, _, metadata = load_model(trained, device)
        first = load_model(begun, device)[0] if begun else None
        origin = {"model": metadata["content_sha256"], "data": data_hash}
        run = {**wildcards, "seed": str(seed)}
        for family, chosen in families.items():
            say(f"{family} of seed {seed}")
            # A measure of the user's own file is the one output of its job.
            place = snakemake.output.get(family, snakemake.output)[index]
            own = FamilySpec(family, chosen, **spec, by_domain=family in by_domain)
            # No output: Snakemake removes outputs of an interrupted job.
            path = Path(place).with_suffix(".checkpoint.safetensors")
            about = {**asdict(own), **origin, "run": run, "code": code}
            finished = FinishedParts(path, about, device)
            measured, said = measure_family(model, dataset, int(seed), device, own, finished, first)
            if find("sharpness", family).arrays:
                write_npz(snakemake.output[f"{family}_arrays"][index], measured.arrays)
            write_json(place, document(family, measured, run=run, **said, **origin))
            finished.remove()
