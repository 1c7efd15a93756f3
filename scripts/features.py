"""Compute the log-mel features of all recordings and write them in the one prepared format."""

from minimascope.data.features import extract, numbered
from minimascope.data.log_mel_spec import LogMel
from minimascope.data.prepared import save_dataset
from minimascope.data.recordings import read_recordings
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings

with job(snakemake):
    spec = settings(snakemake.params)
    options = dict(spec["features"])
    seconds, mixed_rates = options.pop("seconds"), options.pop("mixed_rates")
    recordings = read_recordings(snakemake.input.table)
    part = numbered(recordings, spec["part"])
    dataset = extract(recordings, LogMel(**options), seconds, mixed_rates, job_device(), part)
    save_dataset(snakemake.output.data, dataset, features=spec["features"])
    print(f"{len(dataset.train)} training and {len(dataset.test)} test recordings")
