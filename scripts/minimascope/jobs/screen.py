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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.jobs import Job
from snakemake.logging import logger, show_logs
from snakemake_interface_logger_plugins.common import LogEvent

from .estimate import Forecast, Machine, keep_expected
from .narrow import narrow
from .pace import Pace, duration, kind_of, kind_of_job

# Characters, where no terminal has a width.
WIDTH = 100
# A job that takes longer, in seconds, has a line when it ends, too.
LONG = 60
# Parts of the path of a study's logs.
FOLDER = 3
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
    """What is shown of a study: its name, its main tables, its report, and how long a run takes.

    ``forecast`` is told the machine, all jobs and those that have to run.
    """

    study: str
    tables: Sequence[str]
    report: str
    forecast: Callable[[Machine, Sequence[Job], Sequence[Job]], Forecast]


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

    def _outputs(self) -> set[str]:
        return {str(path) for job in self._jobs() for path in job.output}

    def _begin(self, record: logging.LogRecord) -> Iterator[str]:
        jobs = self._jobs()
        needed = [job for job in jobs if self._workflow.dag.needrun(job)]
        rules = Counter(job.rule.name for job in needed)
        self._total = len(needed)
        machine = _machine(self._workflow)
        expected = self._shown.forecast(machine, jobs, needed)
        left = Counter(map(kind_of_job, needed))
        self._pace = Pace(left, expected.seconds, None if machine.remote else machine.cores)
        if expected.seconds and not self._workflow.dryrun:
            keep_expected(self._shown.study, expected.seconds)
        if expected.warning:
            yield f"warning: {expected.warning}"
        logs = _folders(needed)
        # What `make run` makes first belongs to no study.
        of = (
            f"Study {self._shown.study}"
            if self._shown.report in self._outputs()
            else "Published results"
        )
        count = f"{of}: {self._total} of {len(jobs)} jobs"
        if self._workflow.dryrun:
            yield f"{count} would run, {expected.time}; `make explain` says why"
            yield from (f"{rules[rule]:>7}  {rule}" for rule in record.stats if rules[rule])
        else:
            yield f"{count} to do, {expected.time}; logs in {logs}"

    def _job_begins(self, record: logging.LogRecord) -> Iterator[str]:
        if not record.output or self._workflow.dryrun:
            return
        self._messages[record.jobid] = record.rule_msg or record.rule_name
        # Where it is tried again.
        self._failed.pop(record.jobid, None)
        kind = kind_of(record.rule_name, record.wildcards)
        self._pace.begin(record.jobid, kind, time.monotonic())
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
        return _cut(f"{time.strftime('%H:%M')}  {count}  {text}", left and f" ({left})")

    def _job_fails(self, record: logging.LogRecord) -> Iterator[str]:
        self._pace.running.pop(record.jobid, None)
        if self._stopped:
            return
        self._failed[record.jobid] = record.log
        self._messages.setdefault(record.jobid, record.rule_name)
        said = [*filter(None, [record.rule_msg]), *(f"{k} {v}" for k, v in record.aux.items())]
        # Its own words follow at the end of the run, where they are the last on the screen.
        yield self._line(": ".join([f"Failed: {self._failure(record.jobid)}", *said]))

    def _group_fails(self, record: logging.LogRecord) -> Iterator[str]:
        # What a cluster runs as one job; Snakemake tells of each of its members next.
        yield f"{record.msg} [{', '.join(record.aux_logs)}]"
        yield from _tails(record.aux_logs)

    def _failure(self, job: int) -> str:
        return f"{self._messages[job]} [{', '.join(self._failed[job])}]"

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
        failed = f", {len(self._failed)} failed" if self._failed else ""
        again = "; run again to continue" if self._stopped else ""
        yield f"{done} of {self._total} jobs done{failed or again}"
        for handler in logger.handlers:
            if isinstance(handler, logging.FileHandler):
                yield f"Snakemake's log: {os.path.relpath(handler.baseFilename)}"
        for job, logs in self._failed.items():
            yield self._failure(job)
            yield from _own_words(logs)

    def _print_results(self, tables: Sequence[str]) -> None:
        """Print the tables and the path of the report, if this run was to make them."""
        width = shutil.get_terminal_size((WIDTH, 0)).columns
        made = self._outputs()
        for path in filter(made.__contains__, tables):
            text = Path(path).read_text(encoding="utf-8")
            print(f"\n{narrow(text, width, sys.stdout.isatty())}\n", flush=True)
        if self._shown.report in made:
            print(f"Report: {self._shown.report}", flush=True)


def _machine(workflow: Any) -> Machine:
    gpus = workflow.global_resources.get("gpu")
    return Machine(workflow.cores or 1, gpus.value if gpus else 0, workflow.remote_exec)


def _folders(jobs: Iterable[Job]) -> str:
    """Return where the logs of jobs are: results/<study>/logs."""
    folders = {"/".join(Path(log).parts[:-1][:FOLDER]) for job in jobs for log in job.log}
    return " and ".join(sorted(folders))


def _cut(text: str, end: str) -> str:
    """Return a line no longer than the terminal is wide, if there is one; its end stays."""
    width = shutil.get_terminal_size((0, 0)).columns
    longest = width - len(end)
    return (f"{text[: longest - 1]}…" if 0 < longest < len(text) else text) + end


def _own_words(logs: Sequence[str]) -> Iterator[str]:
    """Yield how a failed job says why, or the end of its log where it does not."""
    for log in logs:
        lines = _lines(Path(log))
        reasons = [line for line in lines if line.startswith("error: ")]
        yield from reasons[-1:] or lines[-TAIL:]


def _lines(log: Path) -> list[str]:
    if not log.exists():
        return [f"{log}: no such log"]
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def _tails(logs: Sequence[str]) -> Iterator[str]:
    for log in logs:
        yield from [*show_logs([log])][-TAIL:]
