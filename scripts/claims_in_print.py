"""Test the papers' claims on the numbers that they print."""

import io
import json

from minimascope.analysis.agreement import read_printed
from minimascope.analysis.claims import claims
from minimascope.analysis.claims_tables import to_html, to_markdown
from minimascope.analysis.comparable import in_print
from minimascope.files import write_text
from minimascope.jobs import job


def main() -> None:
    printed = read_printed(io.StringIO(json.loads(snakemake.params.spec)["printed"]))
    found = claims(in_print(printed))
    write_text(snakemake.output.table, found.to_csv(index=False))
    write_text(snakemake.output.markdown, to_markdown(found))
    write_text(snakemake.output.html, to_html(found))


with job(snakemake):
    main()
