"""Fetch the official archive of a published data set."""

from minimascope.data.download import download
from minimascope.data.official import official_file
from minimascope.jobs.job import job

with job(snakemake):
    download(official_file(snakemake.wildcards.archive), snakemake.output.archive)
