"""Draw figures from the tables they are made of."""

import pandas as pd
from matplotlib.figure import Figure

from minimascope.analysis.tables import in_view
from minimascope.files import write_bytes, write_text
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.plots.style import save_pdf, save_svg, styled
from minimascope.registry import find
from minimascope.tables_and_figures import OF_CLEAN_DATA, OF_VIEWS, PAGE_OF, PAGES

with job(snakemake):
    params = settings(snakemake.params)
    figures, view = params["figures"], params.get("view", "clean")
    # Domains may be numbered: 01 is a name.
    frames = {
        name: pd.read_csv(path, dtype={"name": str}) for name, path in snakemake.input.items()
    }
    # Functions of the user's own file get tables as they are.
    shown = {name: in_view(frames[name], view) for name in OF_VIEWS if name in frames}
    wanted = list(zip(figures, snakemake.output.figures, snakemake.output.pdfs, strict=True))
    for (name, of), svg, pdf in progress(wanted, "figures", "figure"):
        figure = find("figures", name)
        whole = figure.file or name == OF_CLEAN_DATA
        tables = frames if whole else frames | shown
        needed = {table: tables[table] for table in figure.needs}
        if name.startswith("published-"):
            # Published models' tables have the names that a study's have, with something before.
            needed = {table.removeprefix("asc_"): frame for table, frame in needed.items()}
        with styled():
            drawn = figure.call(needed | of["of"], **of["options"])
        figure.checked(drawn, Figure, "a matplotlib Figure")
        write_bytes(svg, save_svg(drawn))
        write_bytes(pdf, save_pdf(drawn))
    if snakemake.output.get("pages"):
        # Not before, since plotly takes a while.
        from minimascope.plots.interactive import page
    pages = [(PAGES[PAGE_OF[name]], of["of"]) for name, of in figures if name in PAGE_OF]
    for (surfaces, of), path in zip(pages, snakemake.output.get("pages", ()), strict=True):
        tables = frames | shown
        turnable = surfaces.call({table: tables[table] for table in surfaces.needs} | of)
        write_text(path, page(turnable))
