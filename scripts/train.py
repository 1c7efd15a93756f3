"""Train one network under one condition with one seed, continuing where a killed job stopped."""

import json
import os
from dataclasses import replace

import torch

from minimascope.canonical import canonical_json
from minimascope.checkpoints import CheckpointFile
from minimascope.data.label_noise import with_label_noise
from minimascope.data.prepared import load_dataset
from minimascope.files import write_rows
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.models import load_model, save_model
from minimascope.training import TrainingSpec, train


def main() -> None:
    config = json.loads(snakemake.params.spec)
    run = dict(snakemake.wildcards)
    spec = TrainingSpec.from_config(config["training"])
    if spec.deterministic:
        # Read when CUDA starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    dataset, data_hash = load_dataset(snakemake.input.data)
    seed, classes = int(run["seed"]), len(dataset.classes)
    noisy = with_label_noise(dataset.train, config["label_noise"], classes, seed)
    dataset = replace(dataset, train=noisy)
    model, network, initial = load_model(snakemake.input.initial, job_device(), spec.dropout)
    identity = {
        "run": run,
        "config": config,
        "data": data_hash,
        "initial": initial["content_sha256"],
        "torch": torch.__version__,
    }
    checkpoint = CheckpointFile(snakemake.params.checkpoint, canonical_json(identity))
    history = train(model, dataset, spec, seed, checkpoint)
    write_rows(snakemake.output.history, [run | row for row in history])
    origin = {"data": data_hash, "initial": initial["content_sha256"]}
    metadata = {"run": run, "training": config["training"], **origin}
    save_model(snakemake.output.model, model, network, initial["normalize"], **metadata)
    checkpoint.remove()


with job(snakemake):
    main()
