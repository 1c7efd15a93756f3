"""Fetch the official archive of a published data set."""

from minimascope.data.download import download
from minimascope.data.official import OFFICIAL
from minimascope.jobs import job


def main() -> None:
    name = snakemake.wildcards.archive
    file = next(file for file in OFFICIAL.values() if file.name == name)
    download(file, snakemake.output.archive)


with job(snakemake.log[0], snakemake.threads):
    main()
