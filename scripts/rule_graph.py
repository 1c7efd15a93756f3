"""Draw the output of `snakemake --rulegraph` (standard input) as an SVG file (argument)."""

import argparse
import sys
from pathlib import Path

from minimascope.files import write_text
from minimascope.plots.rule_graph import plot
from minimascope.plots.style import save_svg


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="the SVG file to write")
    arguments = parser.parse_args()
    write_text(arguments.output, save_svg(plot(sys.stdin.read())).decode())


if __name__ == "__main__":
    main()
