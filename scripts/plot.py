"""Draw one figure from the tables it is made of."""

import pandas as pd

from minimascope.files import write_text
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.plots.style import save_svg, styled
from minimascope.registry import ALL_FIGURES

with job(snakemake):
    frames = {name: pd.read_csv(path) for name, path in snakemake.input.items()}
    draw = ALL_FIGURES[snakemake.wildcards.figure].load()
    with styled():
        figure = draw(**frames, **settings(snakemake.params)["of"])
    write_text(snakemake.output.figure, save_svg(figure).decode())
