"""Check a study before Snakemake reads it, and print the name under which its results are kept.

With --compared the exit status says whether published results are shown beside it.
"""

import argparse
import sys
from pathlib import Path

from minimascope.errors import InputError
from minimascope.study.file import read_study_file
from minimascope.study.loading import load_study

SCHEMA = Path(__file__).parents[1] / "resources" / "config.schema.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, help="the study's YAML file")
    parser.add_argument("--compared", action="store_true")
    arguments = parser.parse_args()
    try:
        study = load_study(read_study_file(arguments.study), SCHEMA)
    except InputError as error:
        sys.exit(f"error in the configuration: {error}")
    print(study.name)
    if arguments.compared and not study.compared:
        sys.exit(1)


if __name__ == "__main__":
    main()
