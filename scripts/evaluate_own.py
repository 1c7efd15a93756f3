"""Compute the numbers of an evaluation of the user's own file, of one network."""

import time

import torch

from minimascope.data.prepared import load_dataset
from minimascope.devices import device_name, precision
from minimascope.evaluation.predictions import load_predictions
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.measurement import document
from minimascope.models import load_model
from minimascope.own_measurements import measured_by_own
from minimascope.registry import find
from minimascope.seeding import generator

with job(snakemake):
    spec, device = settings(snakemake.params), job_device()
    run = dict(snakemake.wildcards)
    name = run.pop("evaluation")
    model, _, metadata = load_model(snakemake.input.model, device)
    dataset, data_hash = load_dataset(snakemake.input.data)
    predictions, test = load_predictions(snakemake.input.predictions), dataset.test.to(device)
    given = {
        "model": model,
        "inputs": test.inputs,
        "labels": test.labels,
        "logits": torch.from_numpy(predictions.logits).to(device),
        "classes": dataset.classes,
        "generator": generator(int(run["seed"]), name, device=device),
    }
    component, start = find("evaluations", name), time.perf_counter()
    with precision("fp32", device):
        measured = measured_by_own(component, component.call(given, **spec["options"]), len(test))
    content = document(
        "evaluation",
        measured,
        run=run,
        view="clean",
        settings=spec["options"],
        seconds=time.perf_counter() - start,
        device=device_name(device),
        model=metadata["content_sha256"],
        data=data_hash,
    )
    write_json(snakemake.output.measures, content)
