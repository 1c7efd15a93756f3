"""Run Snakemake without what it prints before it reads the workflow: which profiles it uses."""

import interruption  # noqa: F401

# isort: split
import io
import sys
from contextlib import redirect_stderr

from snakemake.cli import args_to_api, parse_args

PROFILES = "for setting default command line arguments."


def main() -> None:
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            parser, arguments = parse_args(None)
    finally:
        lines = said.getvalue().splitlines(keepends=True)
        sys.stderr.writelines(line for line in lines if not line.endswith(f"{PROFILES}\n"))
    sys.exit(0 if args_to_api(arguments, parser) else 1)


if __name__ == "__main__":
    main()
