"""Let several networks of the same seeds and condition predict together, clean and corrupted."""

from itertools import chain

from minimascope.data.corruptions.copies import load_corrupted
from minimascope.evaluation.network_ensembles import network_ensembles
from minimascope.evaluation.predictions import load_predictions
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.models import load_model

with job(snakemake):
    config, device = settings(snakemake.params), job_device()
    models = [load_model(path, device)[0] for path in snakemake.input.models]
    files = progress(snakemake.input.corrupted, "corruptions", "kind")
    found = network_ensembles(
        config["networks"],
        [*map(load_predictions, snakemake.input.predictions)],
        models,
        chain.from_iterable(map(load_corrupted, files)),
        config["bins"],
        device,
    )
    write_json(snakemake.output.ensembles, found)
