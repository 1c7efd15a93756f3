"""What every job of the workflow does besides its work."""

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import torch

from .errors import InputError


@contextmanager
def job(log: str, threads: int) -> Iterator[None]:
    """Send the output of a job, its progress bar included, to its log, and limit its threads.

    A user's mistake (`InputError`) ends the job with one line in the log and on the screen.
    """
    start = time.perf_counter()
    torch.set_num_threads(threads)
    screen = sys.stderr
    with (
        open(log, "w", buffering=1, encoding="utf-8") as file,
        redirect_stdout(file),
        redirect_stderr(file),
    ):
        try:
            yield
            print(f"finished in {time.perf_counter() - start:.1f} s", file=file)
        except InputError as error:
            # On a line of its own, also behind a progress bar that was cut off.
            print(f"\nerror: {error}", file=file)
            print(f"error: {error}", file=screen)
            sys.exit(1)
        except Exception:
            # Snakemake shows it on the screen; the log is where it is looked for later.
            traceback.print_exc(file=file)
            raise
