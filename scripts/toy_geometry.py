"""Hessian geometry of the analytic functions at their minima, next to the printed figures."""

import json
from io import StringIO

import pandas as pd

from minimascope.analysis.html import page, table_html
from minimascope.analysis.published import compare_toy_geometry
from minimascope.files import write_text
from minimascope.jobs import job
from minimascope.plots.style import save_svg
from minimascope.plots.toy_geometry import plot


def main() -> None:
    printed = json.loads(snakemake.params.spec)["printed"]
    table = compare_toy_geometry(pd.read_csv(StringIO(printed), dtype=str))
    write_text(snakemake.output.table, table.to_csv(index=False))
    shown = table.set_index("function").round({"computed": 6}).astype({"computed": str})
    write_text(snakemake.output.html, page(table_html(shown)))
    write_text(snakemake.output.figure, save_svg(plot(table)).decode())


with job(snakemake):
    main()
