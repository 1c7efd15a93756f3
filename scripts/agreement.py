"""Set our means beside those in print."""

import io
import json

import pandas as pd

from minimascope.analysis.agreement import compare, order_of_controls, read_printed
from minimascope.analysis.agreement_tables import to_html, to_markdown
from minimascope.analysis.printed import runs_in_print
from minimascope.files import write_text
from minimascope.jobs import job


def main() -> None:
    printed = json.loads(snakemake.params.spec)["printed"]
    tables = pd.concat([read_printed(io.StringIO(text)) for text in printed])
    runs = runs_in_print(pd.read_csv(snakemake.input.conditions))
    cells = compare(pd.read_csv(snakemake.input.summary), runs, tables)
    order = order_of_controls(cells)
    write_text(snakemake.output.table, cells.to_csv(index=False))
    write_text(snakemake.output.order, order.to_csv(index=False))
    write_text(snakemake.output.markdown, to_markdown(cells, order))
    write_text(snakemake.output.html, to_html(cells, order))


with job(snakemake):
    main()
