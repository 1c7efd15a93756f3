"""Say how far a study has come: networks trained and in training, jobs done, and the time left."""

import interruption  # noqa: F401

# isort: split
import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.jobs import Job

from minimascope.jobs.estimate import job_seconds, kept_expected
from minimascope.jobs.pace import earlier_seconds
from minimascope.jobs.planning import planned_workflow
from minimascope.jobs.status import running, screen
from minimascope.study.file import read_study_file
from minimascope.study.loading import load_study
from minimascope.study.study import Study

SCHEMA = Path(__file__).parents[1] / "resources" / "config.schema.yaml"


def expected_seconds(study: Study, jobs: Sequence[Job]) -> dict[str, float] | None:
    """Return what each kind of jobs takes: by records, by what the run expects, or by a trial."""
    kept = kept_expected(study.name)
    return kept | earlier_seconds(jobs) if kept else job_seconds(study, jobs, remote=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, nargs="?", default=Path("config.yaml"))
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="jobs at once")
    arguments = parser.parse_args()
    try:
        with planned_workflow(arguments.study, Path()) as workflow:
            study = load_study(read_study_file(arguments.study), SCHEMA, arguments.study.parent)
            going_on = running(Path("results", study.name, "logs", "study.txt"))
            expected = partial(expected_seconds, study)
            lines = screen(workflow.dag, arguments.cores, going_on, expected)
        print("\n".join(lines))
    except (WorkflowError, OSError, UnicodeError) as error:
        sys.exit(f"error: {arguments.study}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
