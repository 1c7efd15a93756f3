"""What every job of the workflow does besides its work."""

import errno
import faulthandler
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, Protocol

from .. import own_parts
from ..errors import InputError
from .progress import LINES, progress_shown

# How a user can mend errors of the operating system.
REMEDIES = {
    errno.ENOSPC: "make room on its disk, and run again",
    errno.EDQUOT: "make room within your quota, and run again",
    errno.EROFS: "make it writable, or work in another folder",
    errno.EACCES: "give yourself permission to read and write it, and run again",
    errno.EPERM: "give yourself permission to read and write it, and run again",
}
# What torch.compile needs on a CPU, and what torch says of it, whatever that is wrapped in.
NO_COMPILER = (
    "training.compile: needs a C++ compiler, and there is no {}; install one (such as the package"
    " g++), or set compile to false"
)
NO_COMPILER_OF_TORCH = "No working C++ compiler found"


def compiler() -> str:
    """Return the name of the C++ compiler that torch takes."""
    return os.environ.get("CXX", "g++")


# The key of Snakemake's configuration under which jobs find the path of the user's own file.
PARTS = "minimascope_parts"
# Set where `screen.Screen` shows a run.
SCREEN = "MINIMASCOPE_SCREEN"
# How shells say that Ctrl-C ended a command.
INTERRUPTED = 128 + signal.SIGINT


class Task(Protocol):
    """What Snakemake tells a script about its job."""

    log: Sequence[str]
    config: Mapping[str, Any]


@contextmanager
def job(task: Task) -> Iterator[None]:
    """Do the work in the block, its output and progress in the job's log.

    A user's mistake (`InputError`), and a disk or GPU that is full, end the job with one line in
    the log and on the screen.

    A job can be started twice: requeued and submitted again by a cluster, or by two Snakemakes.
    Both then compute the same bytes, and their files appear whole.
    """
    log, screen, told = Path(task.log[0]), sys.stderr, []
    own_parts.use(task.config.get(PARTS))
    # From here on the log says that a job was interrupted.
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with _logged(log, told):
            yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        line = _one_line(error, log)
        # That screen shows the end of the log.
        if not (told and SCREEN in os.environ):
            if line is None:
                raise
            print(f"error: {line}", file=screen)
        sys.exit(1)


@contextmanager
def _logged(log: Path, told: list[BaseException]) -> Iterator[None]:
    """Send what is printed to a log, and how it ended; add to ``told`` the error that it has."""
    start = time.perf_counter()
    # Snakemake removes an older log. One that is here belongs to a second copy of this job.
    file = open(log, "a+", buffering=1, encoding="utf-8")  # noqa: SIM115
    try:
        output = redirect_stdout(file), redirect_stderr(file)
        with output[0], output[1], _faults_told(file), progress_shown(LINES):
            yield
        print(f"finished in {time.perf_counter() - start:.1f} s", file=file)
        _keep(file, log)
        file.close()
    except BaseException as error:
        # The log can be what the disk has no room for; the error is what counts.
        with suppress(OSError):
            if own_parts.fault_in(error) and isinstance(error, Exception):
                traceback.print_exc(file=file)
            if line := _one_line(error, log):
                # On a line of its own, also behind one that was cut off.
                print(f"\nerror: {line}", file=file)
            elif isinstance(error, KeyboardInterrupt):
                print("\nstopped by the user", file=file)
            else:
                traceback.print_exc(file=file)
            _keep(file, log)
            told.append(error)
        with suppress(OSError):
            file.close()
        raise


@contextmanager
def _faults_told(file: Any) -> Iterator[None]:
    """Write Python's stack to a log where compiled code fails in the block."""
    before = faulthandler.is_enabled()
    faulthandler.enable(file)
    try:
        yield
    finally:
        faulthandler.disable()
        if before:
            faulthandler.enable(sys.__stderr__)


def _keep(file: Any, log: Path) -> None:
    """Put a log back that Snakemake removed when it started the job a second time."""
    if not log.exists():
        file.seek(0)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(file.read(), encoding="utf-8")


def _one_line(error: BaseException, log: Path) -> str | None:
    """Return the message about an error that the user can mend; None for other errors."""
    if isinstance(error, InputError):
        return str(error)
    # torch's, by name: most jobs do without torch.
    if type(error).__name__ == "OutOfMemoryError":
        reason = str(error).partition(". ")[0]
        return f"{log}: {reason}; use a GPU with more memory, or a smaller network or data set"
    if NO_COMPILER_OF_TORCH in str(error):
        return NO_COMPILER.format(compiler())
    if isinstance(error, OSError) and error.errno in REMEDIES:
        # Errors of opening name the file, and those of writing an output do (`files.atomic`).
        place, reason = error.filename or log, os.strerror(error.errno)
        return f"{place}: {reason}; {REMEDIES[error.errno]}"
    return own_parts.fault_in(error)
