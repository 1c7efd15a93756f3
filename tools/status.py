"""Say how far a study has come: networks trained and in training, jobs done, and the time left."""

import interruption  # noqa: F401

# isort: split
import argparse
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from minimascope.jobs.planning import planned_workflow
from minimascope.jobs.status import running, screen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, nargs="?", default=Path("config.yaml"))
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="jobs at once")
    arguments = parser.parse_args()
    try:
        with planned_workflow(arguments.study, Path()) as workflow:
            lines = screen(workflow.dag, arguments.cores, running(Path()))
        print("\n".join(lines))
    except (WorkflowError, OSError, UnicodeError) as error:
        sys.exit(f"error: {arguments.study}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
