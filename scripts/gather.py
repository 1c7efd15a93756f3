"""Gather one kind of content of the documents of all models in one tidy table."""

from minimascope.files import read_json, write_text
from minimascope.jobs.job import job
from minimascope.jobs.progress import progress
from minimascope.npz import read_npz
from minimascope.tables_and_figures import GATHERED

with job(snakemake):
    paths = progress(snakemake.input.documents, "gathering", "document")
    documents = {path: read_json(path) for path in paths}
    arrays = snakemake.input.get("arrays")
    gather = GATHERED[snakemake.wildcards.gathered].load()
    table = gather(documents, map(read_npz, arrays)) if arrays else gather(documents)
    write_text(snakemake.output.table, table.to_csv(index=False))
