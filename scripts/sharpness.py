"""Measure one family of sharpness, on the training data."""

import json
import time

from minimascope.data.augment import Augmentation
from minimascope.data.label_noise import with_label_noise
from minimascope.data.prepared import load_dataset
from minimascope.devices import device_name, precision
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.measurement import document
from minimascope.models import load_model
from minimascope.npz import write_npz
from minimascope.registry import SHARPNESS
from minimascope.seeding import generator
from minimascope.sharpness.subject import Subject


def main() -> None:
    spec, wildcards = json.loads(snakemake.params.spec), snakemake.wildcards
    family, device = spec["family"], job_device()
    run = {key: wildcards[key] for key in ("dataset", "network", "condition", "seed")}
    model, _, metadata = load_model(snakemake.input.model, device)
    dataset, data_hash = load_dataset(snakemake.input.data)
    augmentation = Augmentation(**spec["augment"]) if spec["augment"] else None
    classes, seed = len(dataset.classes), int(run["seed"])
    split = with_label_noise(dataset.train, spec["label_noise"], classes, seed).to(device)
    subject = Subject(model, split, augmentation, None, spec["weight_decay"])
    if spec["view"] == "augmented":
        # The same stream for all conditions of a seed, so that they see the same images.
        subject = subject.augmented(generator(seed, "augmented view", device=device))
    draws = generator(seed, family, device=device)
    start = time.perf_counter()
    with precision("fp32", device):
        measured = SHARPNESS[family].load()(subject, draws, **spec["settings"])
    provenance = {
        "run": run,
        "view": spec["view"],
        "settings": spec["settings"],
        "seconds": time.perf_counter() - start,
        "device": device_name(device),
        "model": metadata["content_sha256"],
        "data": data_hash,
    }
    if "arrays" in snakemake.output.keys():  # noqa: SIM118
        write_npz(snakemake.output.arrays, measured.arrays)
    write_json(snakemake.output.measures, document(family, measured, **provenance))


with job(snakemake):
    main()
