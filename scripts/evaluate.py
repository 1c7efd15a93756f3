"""Predict the test split, clean and corrupted, and measure what one model alone can show."""

from minimascope.data.augment import Augmentation
from minimascope.data.corruptions.copies import load_corrupted
from minimascope.data.prepared import load_dataset
from minimascope.evaluation.one_model import evaluate
from minimascope.evaluation.predictions import save_predictions
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.models import load_model

with job(snakemake):
    run, device = dict(snakemake.wildcards), job_device()
    augment = settings(snakemake.params)["augment"]
    model, _, metadata = load_model(snakemake.input.model, device)
    dataset, data_hash = load_dataset(snakemake.input.data)
    origin = {"model": metadata["content_sha256"], "data": data_hash}
    copies = map(load_corrupted, progress(snakemake.input.corrupted, "corruptions", "corruption"))
    augmentation = Augmentation(**augment) if augment else None
    predictions, document = evaluate(model, dataset, copies, run, augmentation, device, origin)
    save_predictions(snakemake.output.predictions, predictions, **origin)
    write_json(snakemake.output.measures, document)
