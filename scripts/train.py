"""Train one network under one condition with one seed, continuing where a killed job stopped."""

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

# First, since it decides what an interruption does while torch is imported.
import minimascope  # noqa: F401

# isort: split
from minimascope.checkpoints import CheckpointFile
from minimascope.data.label_noise import with_label_noise
from minimascope.data.prepared import load_dataset
from minimascope.files import write_rows
from minimascope.initial_weights import with_norm
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.models import load_model, save_model
from minimascope.networks.starting import start_from
from minimascope.optim.averaging import chosen_in_words
from minimascope.snapshot_files import SnapshotFiles
from minimascope.snapshots import Moment
from minimascope.training import TrainingSpec, train

with job(snakemake):
    config, run = settings(snakemake.params), dict(snakemake.wildcards)
    new_head = config["training"].pop("new_head", False)
    spec = TrainingSpec.from_config(config["training"])
    if spec.deterministic:
        # Read when CUDA starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    dataset, data_hash = load_dataset(snakemake.input.data)
    seed, classes = int(run["seed"]), len(dataset.classes)
    noisy = with_label_noise(dataset.train, config["label_noise"], classes, seed)
    device = job_device()
    model, network, initial = load_model(snakemake.input.initial, device, spec.dropout)
    origin = {"data": data_hash, "initial": initial["content_sha256"]}
    if spec.norm is not None:
        model, network = with_norm(model, network, spec.norm, seed)
    for path in snakemake.input.weights:
        head = start_from(model.network, network, Path(path), new_head)
        print(f"started from {path}, with a {head} head")
        origin |= {"weights": sha256(Path(path).read_bytes()).hexdigest(), "head": head}
    identity = {"run": run, "config": config, **origin}
    checkpoint = CheckpointFile(snakemake.params.checkpoint, identity, device)
    metadata = {"run": run, "training": config["training"], **origin}
    places = {Moment.named(Path(p).stem): p for p in snakemake.output.get("snapshots", ())}
    snapshots = SnapshotFiles(places, network, initial["normalize"], **metadata)
    noisy = replace(dataset, train=noisy)
    history = train(model, noisy, spec, seed, checkpoint, snapshots if places else None)
    if words := chosen_in_words(history):
        print(words)
    snapshots.finish()
    write_rows(snakemake.output.history, [run | row for row in history])
    save_model(snakemake.output.model, model, network, initial["normalize"], **metadata)
    checkpoint.remove()
    snapshots.remove()
