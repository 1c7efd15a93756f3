"""Draw figures from the tables they are made of."""

import pandas as pd
from matplotlib.figure import Figure

from minimascope.files import write_bytes, write_text
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.plots.style import save_pdf, save_svg, styled
from minimascope.registry import find
from minimascope.tables_and_figures import PAGE

with job(snakemake):
    figures = settings(snakemake.params)["figures"]
    frames = {name: pd.read_csv(path) for name, path in snakemake.input.items()}
    wanted = list(zip(figures, snakemake.output.figures, snakemake.output.pdfs, strict=True))
    for (name, of), svg, pdf in progress(wanted, "figures", "figure"):
        figure = find("figures", name)
        needed = {table: frames[table] for table in figure.needs}
        if name.startswith("published-"):
            # Published models' tables have the names that a study's have, with something before.
            needed = {table.removeprefix("asc_"): frame for table, frame in needed.items()}
        with styled():
            drawn = figure.call(needed | of["of"], **of["options"])
        figure.checked(drawn, Figure, "a matplotlib Figure")
        write_bytes(svg, save_svg(drawn))
        write_bytes(pdf, save_pdf(drawn))
    if page := snakemake.output.get("page"):
        write_text(page, PAGE.load()(frames["landscape"], **of["of"]))
