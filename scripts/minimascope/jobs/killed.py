"""One line about each job that a signal has killed.

Snakemake says in one message how the command of a job ended and in another which job that was,
between them what else is going on.
"""

import logging
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

from snakemake_interface_logger_plugins.common import LogEvent

from .job import SCREEN

# How Python words the end of a command, and that of a shell whose command was killed.
BY_SIGNAL = re.compile(r"(?:died with <Signals\.(\w+): \d+>|exit status (1[2-9]\d))\.\s*$")
# What the system sends to a process for what its own compiled code does.
FAULTS = {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV"}
# Where Python's account of a fault begins.
STACK = "Fatal Python error"
WILDCARDS = re.compile(r"/logs/[^/]+/(.+)\.log$")


class KilledJobs(logging.Handler):
    """Says which job was killed by which signal, and where to look, after Snakemake's own messages.

    The line goes to the screen and to the end of the job's log, from where a cluster's Snakemake
    shows it. Interruptions by the user (SIGINT) are not told.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._signals: dict[int | None, str | None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a signal, or tell it where Snakemake says which job has failed."""
        # Both messages come from the thread that waited for the job, one after the other.
        if getattr(record, "event", None) == LogEvent.JOB_ERROR:
            name = self._signals.pop(record.thread, None)
            if name not in (None, "SIGINT") and record.log:
                _tell(record.rule_name, name, Path(record.log[0]))
        else:
            self._signals[record.thread] = signal_in(record.getMessage())


def signal_in(message: str) -> str | None:
    """Return the name of the signal by which a command ended, if a message says so."""
    found = BY_SIGNAL.search(message)
    if found is None:
        return None
    if found[1]:
        return found[1]
    number = int(found[2]) - 128
    return signal.Signals(number).name if number in set(signal.Signals) else None


def _tell(rule: str, name: str, log: Path) -> None:
    wildcards = WILDCARDS.search(log.as_posix())
    job = f"{rule} {wildcards[1]}" if wildcards and wildcards[1] != "all" else rule
    line = f"error: {job}: killed by {name}, {_advice(name, log)} [{log}]"
    told = False
    # The disk can be what killed the job.
    with suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            print(line, file=file)
        told = SCREEN in os.environ
    # That screen shows the end of the log.
    if not told:
        print(line, file=sys.stderr, flush=True)


def _advice(name: str, log: Path) -> str:
    if name == "SIGKILL":
        return "as the system does if memory runs out; give it more, or run fewer jobs at once"
    if name not in FAULTS:
        return "from outside; run again"
    known = "a fault in compiled code; docs/environments.md has those that are known"
    with suppress(OSError):
        if STACK in log.read_text(encoding="utf-8", errors="replace"):
            return f"{known}, and the end of the log says where"
    return known
