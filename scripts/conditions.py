"""Write what each condition of the study is, as a table."""

import json

import pandas as pd

from minimascope.io import write_text
from minimascope.jobs import job


def main() -> None:
    rows = json.loads(snakemake.params.spec)["rows"]
    write_text(snakemake.output.table, pd.DataFrame(rows).to_csv(index=False))


with job(snakemake.log[0], snakemake.threads):
    main()
