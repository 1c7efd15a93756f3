"""What `make run` shows: how many jobs there are, a line for each, and how the run ended.

Snakemake's own messages are in its log in .snakemake/log, as ever. Its warnings and errors are
shown, and what it says of waiting for files, trying again or making environments.
"""

import logging
import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.jobs import Job
from snakemake.logging import logger, show_logs
from snakemake_interface_logger_plugins.common import LogEvent

from .narrow import narrow
from .pace import Pace, duration, earlier_seconds

# Characters, where no terminal has a width.
WIDTH = 100
# A job that takes longer, in seconds, has a line when it ends, too.
LONG = 60
# So many lines of a failed job's log are shown.
TAIL = 40
# What Snakemake says in every run, and what is said of failed jobs in words of this screen.
ROUTINE = re.compile(
    "(Assuming unrestricted|Building DAG|Using shell|Group jobs: inactive|Conda environments: ign"
    "|Singularity containers: ign|Select jobs|Complete log|Elapsed time|SLURM run ID"
    r"|Cleaning up SLURM log|Job \S+ has been submitted|Exiting because a job execution failed)"
)
TOLD = re.compile(r"(returned non-zero exit status \d+|died with <Signals\.\w+: \d+>)\.\s*$")
# With Ctrl-C, and at the end of a run that did not finish.
STOPPED = "Terminating processes on user request"
UNFINISHED = "At least one job did not complete successfully."


@dataclass(frozen=True)
class Shown:
    """What is shown of a study: its name, the folder of its logs, its main tables, its report."""

    study: str
    logs: str
    tables: Sequence[str]
    report: str


def show(workflow: Any, shown: Shown) -> None:
    """Put a `Screen` in place of what Snakemake shows by default of a run of its `Workflow`."""
    for handler in [*logger.handlers]:
        if handler.name == "DefaultStreamHandler":
            logger.removeHandler(handler)
            logger.addHandler(Screen(workflow, shown, handler.stream))


class Screen(logging.Handler):
    """Shows the progress of a run line by line, and the main tables at its end."""

    def __init__(self, workflow: Any, shown: Shown, stream: TextIO) -> None:
        super().__init__(logging.INFO)
        self._workflow, self._shown, self._stream = workflow, shown, stream
        self._pace = Pace(Counter(), {})
        self._total = 0
        # What each job does, and the logs of those that have failed.
        self._messages: dict[int, str] = {}
        self._failed: dict[int, Sequence[str]] = {}
        self._stopped = False
        self._tellers = {
            LogEvent.RUN_INFO: self._begin,
            LogEvent.JOB_INFO: self._job_begins,
            LogEvent.JOB_FINISHED: self._job_ends,
            LogEvent.JOB_ERROR: self._job_fails,
            LogEvent.GROUP_ERROR: self._group_fails,
        }

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a message of Snakemake says, in this screen's words where it has some."""
        try:
            tell = self._tellers.get(getattr(record, "event", None), self._others)
            for line in tell(record):
                print(line, file=self._stream, flush=True)
        except Exception:
            # As all handlers of Python do: a fault here is shown and ends no run.
            self.handleError(record)

    def _jobs(self) -> list[Job]:
        # Those without output, `all`, only ask for others.
        return [job for job in self._workflow.dag.jobs if job.output]

    def _begin(self, record: logging.LogRecord) -> Iterator[str]:
        jobs = self._jobs()
        needed = Counter(job.rule.name for job in jobs if self._workflow.dag.needrun(job))
        self._total = needed.total()
        count = f"Study {self._shown.study}: {self._total} of {len(jobs)} jobs"
        if self._workflow.dryrun:
            yield f"{count} would run; `make explain` says why"
            yield from (f"{needed[rule]:>7}  {rule}" for rule in record.stats if needed[rule])
        else:
            self._pace = Pace(needed, earlier_seconds(jobs))
            yield f"{count} to do; logs in {self._shown.logs}"

    def _job_begins(self, record: logging.LogRecord) -> Iterator[str]:
        if not record.output or self._workflow.dryrun:
            return
        self._messages[record.jobid] = record.rule_msg or record.rule_name
        # Where it is tried again.
        self._failed.pop(record.jobid, None)
        self._pace.begin(record.jobid, record.rule_name, time.monotonic())
        yield self._line(self._messages[record.jobid])

    def _job_ends(self, record: logging.LogRecord) -> Iterator[str]:
        if record.job_id not in self._pace.running:
            return
        seconds = self._pace.finish(record.job_id, time.monotonic())
        if seconds > LONG:
            yield self._line(f"Finished after {duration(seconds)}: {self._messages[record.job_id]}")
        if not self._pace.left.total():
            yield f"{self._total} jobs done in {duration(time.monotonic() - self._pace.began)}"
            self._print_results(self._shown.tables)

    def _line(self, text: str) -> str:
        done = self._total - self._pace.left.total()
        count = f"{done:>{len(str(self._total))}} of {self._total}  {done / self._total:>4.0%}"
        # Where a job has failed, others will not run.
        left = "" if self._failed else self._pace.time_left(time.monotonic())
        return f"{time.strftime('%H:%M')}  {count}  {text}{left and f' ({left})'}"

    def _job_fails(self, record: logging.LogRecord) -> Iterator[str]:
        self._pace.running.pop(record.jobid, None)
        if self._stopped:
            return
        self._failed[record.jobid] = record.log
        self._messages.setdefault(record.jobid, record.rule_name)
        said = [*filter(None, [record.rule_msg]), *(f"{k} {v}" for k, v in record.aux.items())]
        yield ": ".join([f"error: {self._failure(record.jobid)}", *said])
        yield from _tails(record.log)

    def _group_fails(self, record: logging.LogRecord) -> Iterator[str]:
        # What a cluster runs as one job; Snakemake tells of each of its members next.
        yield f"{record.msg} [{', '.join(record.aux_logs)}]"
        yield from _tails(record.aux_logs)

    def _failure(self, job: int) -> str:
        return f"{self._messages[job]}: failed [{', '.join(self._failed[job])}]"

    def _others(self, record: logging.LogRecord) -> Iterator[str]:
        text = str(record.msg or "")
        if text == NOTHING_TO_BE_DONE_MSG:
            yield f"Nothing to do: all {len(self._jobs())} jobs of {self._shown.study} are done"
            self._print_results(tables=[])
        elif UNFINISHED in text:
            yield from self._unfinished()
        elif text.startswith(STOPPED):
            self._stopped = True
            yield text
        elif ROUTINE.match(text) or TOLD.search(text):
            return
        # Events at other levels are of use to programs alone.
        elif record.levelno >= logging.WARNING or not hasattr(record, "event"):
            yield text

    def _unfinished(self) -> Iterator[str]:
        done = self._total - self._pace.left.total()
        failed = f", {len(self._failed)} failed:" if self._failed else ""
        again = "; run again to go on" if self._stopped else ""
        yield f"{done} of {self._total} jobs done{failed or again}"
        yield from map(self._failure, self._failed)
        for handler in logger.handlers:
            if isinstance(handler, logging.FileHandler):
                yield f"Snakemake's log: {os.path.relpath(handler.baseFilename)}"

    def _print_results(self, tables: Sequence[str]) -> None:
        """Print the tables and the path of the report, if this run was to make them."""
        width = shutil.get_terminal_size((WIDTH, 0)).columns
        made = {str(path) for job in self._jobs() for path in job.output}
        for path in filter(made.__contains__, tables):
            text = Path(path).read_text(encoding="utf-8")
            print(f"\n{narrow(text, width, sys.stdout.isatty())}\n", flush=True)
        if self._shown.report in made:
            print(f"Report: {self._shown.report}", flush=True)


def _tails(logs: Sequence[str]) -> Iterator[str]:
    for log in logs:
        yield from [*show_logs([log])][-TAIL:]
