"""Gather the accuracy of all models in each domain and each city in one table."""

from minimascope.analysis.collect import domain_table
from minimascope.files import read_json, write_text
from minimascope.jobs import job
from minimascope.progress import progress


def main() -> None:
    paths = progress(snakemake.input.evaluations, "gathering", "document")
    table = domain_table({path: read_json(path) for path in paths})
    write_text(snakemake.output.table, table.to_csv(index=False))


with job(snakemake):
    main()
