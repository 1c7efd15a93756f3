"""Draw one figure from the tables it is made of."""

import json

import pandas as pd

from minimascope.files import write_text
from minimascope.jobs.job import job
from minimascope.plots.style import save_svg, styled
from minimascope.registry import load


def main() -> None:
    spec = json.loads(snakemake.params.spec)
    frames = {name: pd.read_csv(path) for name, path in snakemake.input.items()}
    with styled():
        figure = load(spec["figure"])(**frames, **spec["of"])
    write_text(snakemake.output.figure, save_svg(figure).decode())


with job(snakemake):
    main()
