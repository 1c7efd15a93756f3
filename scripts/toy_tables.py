"""Tables and figures of the networks that learn toy functions."""

from minimascope.analysis.tables import to_html, to_markdown
from minimascope.analysis.toy_fits import fits_table, readable_table, summarise_fits
from minimascope.files import read_json, write_text
from minimascope.jobs import job
from minimascope.plots.style import save_svg
from minimascope.registry import TOY_FIGURES


def main() -> None:
    output = snakemake.output
    table = fits_table(map(read_json, snakemake.input.measures))
    summary = summarise_fits(table)
    readable = readable_table(summary)
    write_text(output.table, table.to_csv(index=False))
    write_text(output.summary, summary.to_csv(index=False))
    write_text(output.markdown, to_markdown(readable))
    write_text(output.html, to_html([readable]))
    for path, figure in zip(output.figures, TOY_FIGURES.values(), strict=True):
        write_text(path, save_svg(figure.load()(table)).decode())


with job(snakemake):
    main()
