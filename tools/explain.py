"""Say in one screen what a run of a study would do and why; nothing is run or changed."""

import interruption  # noqa: F401

# isort: split
import argparse
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from snakemake.exceptions import WorkflowError

from minimascope.jobs.pace import duration
from minimascope.jobs.planning import Plan, PlannedJob, plan
from minimascope.study.file import read_study_file
from minimascope.study.loading import load_study
from minimascope.study.raw_data import data_lines
from minimascope.study.remarks import remarks

SCHEMA = Path(__file__).parents[1] / "resources" / "config.schema.yaml"
WIDTH = 100


def screen(planned: Plan) -> str:
    """Return a text with one line or two for each rule and reason."""
    if not planned.jobs:
        return f"Nothing would run: all {planned.size} jobs of the study are up to date."
    time = "" if planned.seconds is None else f", about {duration(planned.seconds)} by one at once"
    head = f"{len(planned.jobs)} of {planned.size} jobs would run{time}:"
    return "\n".join([head, "", *_lines(planned.jobs)])


def _lines(jobs: Sequence[PlannedJob]) -> Iterator[str]:
    # In the order in which the rules' first jobs would run.
    rules = list(dict.fromkeys(job.rule for job in jobs))
    groups = Counter((rules.index(job.rule), job.reasons) for job in jobs)
    width = max(map(len, rules))
    for index, reasons in sorted(groups):
        count = groups[index, reasons]
        start = f"{rules[index]:<{width}} {count:>5} {'jobs' if count > 1 else 'job '}  "
        yield textwrap.fill(
            "; ".join(reasons),
            WIDTH,
            initial_indent=start,
            subsequent_indent=" " * len(start),
            break_long_words=False,
            break_on_hyphens=False,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, nargs="?", default=Path("config.yaml"))
    study = parser.parse_args().study
    try:
        print(screen(plan(study, Path())))
        # By now the study is known to be one.
        checked = load_study(read_study_file(study), SCHEMA, study.parent)
        missing, said = data_lines(checked)
        for line in [*(f"data missing: {line}" for line in missing), *said, *remarks(checked)]:
            print(line)
    except (WorkflowError, OSError, UnicodeError) as error:
        sys.exit(f"error: {study}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
