"""Take the network of a checkpoint that was trained elsewhere in place of training one."""

from pathlib import Path

import torch

from minimascope.adoption import Adoption, adopt
from minimascope.data.prepared import load_dataset
from minimascope.files import write_json
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.models import load_model, save_model

with job(snakemake):
    config, run = settings(snakemake.params)["adopted"], dict(snakemake.wildcards)
    dataset, data_hash = load_dataset(snakemake.input.data)
    ours, network, initial = load_model(snakemake.input.initial, torch.device("cpu"))
    (checkpoint,), started = snakemake.input.checkpoint, snakemake.input.started
    adoption = Adoption(
        run["condition"], Path(checkpoint), initial=Path(*started) if started else None, **config
    )
    model, normalize, known = adopt(
        adoption, ours.network, initial["normalize"], dataset, int(run["seed"])
    )
    print(f"warning: {known['doubt']}" if known["doubt"] else "the weights fit the training data")
    origin = {"data": data_hash, "initial": initial["content_sha256"]}
    save_model(snakemake.output.model, model, network, normalize, run=run, adopted=known, **origin)
    write_json(snakemake.output.about, {"run": run, **known, **origin})
