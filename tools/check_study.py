"""Check a study before Snakemake reads it, and print the name under which its results are kept."""

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
    path = parser.parse_args().study
    try:
        print(load_study(read_study_file(path), SCHEMA).name)
    except InputError as error:
        sys.exit(f"error in the configuration: {error}")


if __name__ == "__main__":
    main()
