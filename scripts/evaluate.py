"""Predict the test split, clean and corrupted, and measure what one model alone can show."""

import json
import time
from dataclasses import asdict

from minimascope.data.augment import Augmentation, augment
from minimascope.data.corruptions.copies import load_corrupted
from minimascope.data.prepared import load_dataset
from minimascope.devices import device_name, precision
from minimascope.evaluation.domains import domain_rows, measure_domains
from minimascope.evaluation.predict import predict
from minimascope.evaluation.predictions import Predictions, measure_predictions, save_predictions
from minimascope.evaluation.robustness import corruption_accuracies, mean_corruption_accuracy
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.progress import progress
from minimascope.measurement import Measured, document
from minimascope.models import load_model
from minimascope.seeding import generator


def main() -> None:
    run, device = dict(snakemake.wildcards), job_device()
    augmentation = json.loads(snakemake.params.spec)["augment"]
    model, _, metadata = load_model(snakemake.input.model, device)
    dataset, data_hash = load_dataset(snakemake.input.data)
    start = time.perf_counter()
    corrupted = []
    inputs = dataset.test.inputs.to(device)
    if augmentation:
        draws = generator(int(run["seed"]), "augmented test images", device=device)
        inputs = augment(inputs, Augmentation(**augmentation), draws)
    with precision("fp32", device):
        logits = predict(model, inputs).cpu()
        for path in progress(snakemake.input.corrupted, "corruptions", "corruption"):
            corrupted += corruption_accuracies(model, load_corrupted(path), device)
    view = "augmented" if augmentation else "clean"
    predictions = Predictions(run, logits.numpy(), dataset.test.labels.numpy(), view)
    domains = domain_rows(predictions.logits, dataset)
    measurements = measure_predictions(predictions) + measure_domains(domains)
    details = {"corruptions": corrupted, "domains": domains}
    origin = {"model": metadata["content_sha256"], "data": data_hash}
    save_predictions(snakemake.output.predictions, predictions, **origin)
    origin |= {"run": run, "view": view, "device": device_name(device)}
    origin["seconds"] = time.perf_counter() - start
    content = document("evaluation", Measured(measurements, details), **origin)
    if corrupted:
        # Copies are taken as they are, also where the test images are augmented.
        mean = asdict(mean_corruption_accuracy(corrupted))
        content["measures"].append(mean | {"view": "clean"})
    write_json(snakemake.output.measures, content)


with job(snakemake):
    main()
