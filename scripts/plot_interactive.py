"""Draw the landscapes of one network on one data set as a page that a reader can turn."""

import pandas as pd

from minimascope.files import write_text
from minimascope.jobs.job import job
from minimascope.plots.interactive import page

with job(snakemake):
    landscape = pd.read_csv(snakemake.input.landscape)
    write_text(snakemake.output.page, page(landscape, **snakemake.wildcards))
