"""One process at a time holds a lock, others wait and say for whom, and killed holders free it."""

import errno
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from minimascope.jobs import locks
from minimascope.jobs.locks import Holder, alone

PROCESSES = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "POLL", 0.01)


def started(target, *arguments) -> multiprocessing.Process:
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    return process


def ended(processes: list[multiprocessing.Process]) -> None:
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.005)


def hold_until(lock: Path, work: str, inside: Path, end: Path) -> None:
    with alone(lock, work, print):
        inside.touch()
        wait_for(end)


def enter_alone(lock: Path, busy: Path, times: int) -> None:
    for _ in range(times):
        with alone(lock, "work", lambda _: None):
            busy.touch(exist_ok=False)
            time.sleep(0.001)
            busy.unlink()


def test_processes_are_inside_one_after_the_other_and_leave_no_file(tmp_path):
    lock, busy = tmp_path / ".lock", tmp_path / "busy"
    ended([started(enter_alone, lock, busy, 40) for _ in range(6)])
    assert list(tmp_path.iterdir()) == []


def test_a_process_says_for_whom_it_waits_and_learns_what_that_one_did(tmp_path):
    lock, inside, end = (tmp_path / name for name in (".lock", "inside", "end"))
    holder = started(hold_until, lock, "the same work", inside, end)
    wait_for(inside)
    said = []

    def say(text: str) -> None:
        said.append(text)
        end.touch()

    with alone(lock, "the same work", say) as before:
        assert before == Holder(os.uname().nodename, holder.pid, "the same work")
    ended([holder])
    (line,) = said
    assert f"{os.uname().nodename}, process {holder.pid}" in line
    with alone(lock, "work", said.append) as before:
        assert before is None
    assert len(said) == 1


def test_a_killed_holder_frees_its_lock(tmp_path):
    lock, inside = tmp_path / ".lock", tmp_path / "inside"
    holder = started(hold_until, lock, "work", inside, tmp_path / "never")
    wait_for(inside)
    said = []

    def kill(text: str) -> None:
        said.append(text)
        os.kill(holder.pid, signal.SIGKILL)

    with alone(lock, "work", kill):
        assert len(said) == 1
    holder.join()
    assert not lock.exists()


def test_what_a_killed_holder_left_is_no_hindrance(tmp_path):
    lock, inside = tmp_path / ".lock", tmp_path / "inside"
    holder = started(hold_until, lock, "work", inside, tmp_path / "never")
    wait_for(inside)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert lock.exists()
    with alone(lock, "work", pytest.fail) as before:
        assert before is None
    assert not lock.exists()


def test_where_files_cannot_be_locked_that_is_said_and_the_work_goes_on(tmp_path, monkeypatch):
    def unsupported(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr("fcntl.flock", unsupported)
    said = []
    with alone(tmp_path / ".lock", "work", said.append) as before:
        assert before is None
    (line,) = said
    assert "cannot be locked (Operation not supported)" in line
    assert list(tmp_path.iterdir()) == []
