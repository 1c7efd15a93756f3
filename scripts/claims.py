"""Test the papers' claims on what was measured."""

import pandas as pd

from minimascope.analysis.claims import claims
from minimascope.analysis.claims_tables import to_html, to_markdown
from minimascope.analysis.comparable import measured
from minimascope.analysis.seeds import seed_values
from minimascope.files import write_text
from minimascope.jobs import job


def main() -> None:
    measures, disagreement, conditions = (
        pd.read_csv(snakemake.input[name]) for name in ("measures", "disagreement", "conditions")
    )
    found = claims(measured(seed_values(measures, disagreement), conditions))
    write_text(snakemake.output.table, found.to_csv(index=False))
    write_text(snakemake.output.markdown, to_markdown(found))
    write_text(snakemake.output.html, to_html(found))


with job(snakemake):
    main()
