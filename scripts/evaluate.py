"""Predict the test split, clean and corrupted, and measure what a condition's networks can show."""

from itertools import chain

from minimascope.data.augment import Augmentation
from minimascope.data.corruptions.copies import load_corrupted
from minimascope.data.other_sets import load_other_set
from minimascope.data.prepared import load_dataset
from minimascope.evaluation.condition import Member, evaluate
from minimascope.evaluation.predictions import save_predictions
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.models import load_model
from minimascope.networks import norm_of
from minimascope.npz import write_npz

with job(snakemake):
    config, run, device = settings(snakemake.params), dict(snakemake.wildcards), job_device()
    augment, members = config["augment"], []
    for seed, path in zip(config["seeds"], snakemake.input.models, strict=True):
        model, network, metadata = load_model(path, device)
        names, digest = run | {"seed": str(seed)}, metadata["content_sha256"]
        members.append(Member(model, names, digest, norm_of(network)))
    dataset, data_hash = load_dataset(snakemake.input.data)
    files = progress(snakemake.input.corrupted, "corruptions", "kind")
    copies = chain.from_iterable(map(load_corrupted, files))
    others = map(load_other_set, snakemake.input.others)
    augmentation = Augmentation.from_config(augment)
    evaluated, (together, shares) = evaluate(
        members, dataset, data_hash, copies, others, augmentation, device
    )
    outputs = snakemake.output.predictions, snakemake.output.measures
    for (predictions, document), *paths in zip(evaluated, *outputs, strict=True):
        origin = {key: document[key] for key in ("model", "data")}
        save_predictions(paths[0], predictions, **origin)
        write_json(paths[1], document)
    write_json(snakemake.output.ensemble, together)
    write_npz(snakemake.output.shares, {"shares": shares})
