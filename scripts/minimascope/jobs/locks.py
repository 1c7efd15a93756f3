"""Locks that the kernel frees when their holder ends, however it ends."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import lock_descriptor

# Seconds between two looks at a lock that another process holds.
POLL = 0.5


@dataclass(frozen=True)
class Holder:
    """A process that holds a lock, and the digest of what it is at work on."""

    host: str
    pid: int
    work: str

    @classmethod
    def here(cls, work: str) -> "Holder":
        """Return this process."""
        return cls(socket.gethostname(), os.getpid(), work)


@contextmanager
def alone(path: Path, work: str, say: Callable[[str], None]) -> Iterator[Holder | None]:
    """Hold a lock inside the block, and yield the process that was waited for last, if any.

    The lock is a file that is there as long as it is held, or until the next one holds it if its
    holder was killed. Where files cannot be locked, the block is entered without.

    Args:
        path: of the file.
        work: what this process is at work on, for those that wait for it.
        say: takes a sentence about whom this process waits for, or why it cannot.
    """
    descriptor, before = _acquire(path, say)
    try:
        if descriptor is not None:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(Holder.here(work))).encode(), 0)
        yield before
    finally:
        # Others may wait at this file: they see that it is gone, and make a new one.
        path.unlink(missing_ok=True)
        if descriptor is not None:
            os.close(descriptor)


def _acquire(path: Path, say: Callable[[str], None]) -> tuple[int | None, Holder | None]:
    """Return the locked descriptor, None where there are no locks, and who had it before."""
    before = None
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not lock_descriptor(descriptor, blocking=False):
                holder = _holder(descriptor)
                place = f"{holder.host}, process {holder.pid}" if holder else "another process"
                say(f"waiting for the same job to end, which is running already ({place})")
                lock_descriptor(descriptor, poll_interval=POLL)
                before = _holder(descriptor)
        except OSError as error:
            os.close(descriptor)
            reason = error.strerror or error
            say(f"{path.parent}: files here cannot be locked ({reason}); start no job twice")
            return None, before
        if os.fstat(descriptor).st_nlink:
            return descriptor, before
        os.close(descriptor)


def _holder(descriptor: int) -> Holder | None:
    """Return who wrote into a lock's file; None while that is not there as a whole."""
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None
