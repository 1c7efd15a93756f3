"""A job runs once at a time, and ends with one line where its user can help."""

import errno
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from minimascope import safetensors_files
from minimascope.errors import InputError
from minimascope.files import atomic, write_text
from minimascope.jobs import locks
from minimascope.jobs.job import job
from minimascope.tensors import save_tensors

PROCESSES = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "POLL", 0.01)


@dataclass
class Task:
    """What Snakemake would tell."""

    folder: Path
    params: dict[str, str] = field(default_factory=lambda: {"spec": "the same"})
    rule: str = "train"

    @property
    def input(self) -> list[str]:
        return [str(self.folder / "data")]

    @property
    def output(self) -> list[str]:
        return [str(self.folder / name) for name in ("model", "history")]

    @property
    def log(self) -> list[str]:
        return [str(self.folder / "logs" / "train.log")]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    (tmp_path / "data").write_text("inputs")
    return Task(tmp_path)


def log_of(task: Task) -> str:
    return Path(task.log[0]).read_text()


def work(task: Task, gate: Path | None = None) -> None:
    """Do a job that notes its process, and ends when the gate opens."""
    with job(task):
        print(f"computed by {os.getpid()}")
        with (task.folder / "computed").open("a") as file:
            file.write(f"{os.getpid()}\n")
        while gate and not gate.exists():
            time.sleep(0.005)
        for path in task.output:
            write_text(path, str(os.getpid()))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def started(task: Task, gate: Path) -> multiprocessing.Process:
    """Start a job and wait until it has begun to compute."""
    process = PROCESSES.Process(target=work, args=(task, gate))
    process.start()
    wait_for(lambda: computed(task) == 1)
    return process


def computed(task: Task) -> int:
    file = task.folder / "computed"
    return len(file.read_text().split()) if file.exists() else 0


def work_after_waiting(task: Task, waiting: Path) -> None:
    """Do a job, and note that it waits for another."""
    lock = locks.lock_descriptor

    def noted(descriptor: int, **options: float) -> bool:
        if options.get("blocking", True):
            waiting.touch()
        return lock(descriptor, **options)

    locks.lock_descriptor = noted
    work(task)


def second_copy(task: Task, gate: Path, meanwhile: Callable[[], None]) -> int:
    """Start a copy of a job that runs, let the first end once the copy waits; return its exit."""
    waiting = task.folder / "waiting"
    process = PROCESSES.Process(target=work_after_waiting, args=(task, waiting))
    process.start()
    wait_for(waiting.exists)
    assert computed(task) == 1
    meanwhile()
    gate.touch()
    process.join(60)
    return process.exitcode


def leave(task: Task) -> None:
    """Change nothing while a copy waits."""


def remove_log(task: Task) -> None:
    Path(task.log[0]).unlink()


@pytest.mark.parametrize("meanwhile", [leave, remove_log])
def test_a_second_copy_leaves_the_work_to_the_first(task, meanwhile, capfd):
    gate = task.folder / "gate"
    first = started(task, gate)
    assert second_copy(task, gate, lambda: meanwhile(task)) == 0
    first.join()
    assert first.exitcode == 0
    assert computed(task) == 1
    assert {Path(path).read_text() for path in task.output} == {str(first.pid)}
    assert f"computed by {first.pid}" in log_of(task)
    assert "finished in" in log_of(task)
    last = log_of(task).splitlines()[-1]
    assert last == f"started again, and left to process {first.pid} on {os.uname().nodename}"
    (line,) = [text for text in capfd.readouterr().err.splitlines() if "waiting" in text]
    assert f"{os.uname().nodename}, process {first.pid}" in line
    assert {path.name for path in task.folder.rglob("*")} == {
        *("data", "model", "history", "computed", "gate", "waiting", "logs", "train.log")
    }


def other_parameters(task: Task) -> Task:
    return Task(task.folder, {"spec": "another"})


def other_data(task: Task) -> Task:
    (task.folder / "data").write_text("new inputs")
    return task


@pytest.mark.parametrize("change", [other_parameters, other_data])
def test_a_second_job_for_other_results_computes_them_afterwards(task, change):
    gate = task.folder / "gate"
    first = started(task, gate)
    assert second_copy(change(task), gate, lambda: None) == 0
    first.join()
    assert computed(task) == 2
    assert Path(task.output[0]).read_text() != str(first.pid)


def test_a_second_copy_computes_what_the_first_was_killed_at(task):
    gate = task.folder / "gate"
    first = started(task, gate)
    write_text(task.output[0], "before it was killed")

    def kill() -> None:
        os.kill(first.pid, signal.SIGKILL)
        first.join()

    assert second_copy(task, gate, kill) == 0
    assert computed(task) == 2
    assert first.exitcode == -signal.SIGKILL
    assert not list(task.folder.rglob(".*"))


def full_disk(number: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with atomic(path):
            raise OSError(number, os.strerror(number))

    return write


def mistake(path: Path) -> None:
    raise InputError("lr: too large; lower it")


def use_more_memory_than_there_is(path: Path) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has")


FAULTS = {
    "full disk": (full_disk(errno.ENOSPC), "model: No space left on device; make room"),
    "quota": (full_disk(errno.EDQUOT), "model: Disk quota exceeded; make room within"),
    "read-only disk": (full_disk(errno.EROFS), "model: Read-only file system; it must be"),
    "no permission": (full_disk(errno.EACCES), "model: Permission denied; permit yourself"),
    "a mistake": (mistake, "error: lr: too large; lower it"),
    "full GPU": (use_more_memory_than_there_is, "CUDA out of memory; use a GPU with more memory"),
}


@pytest.mark.parametrize(("fault", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_that_the_user_can_mend_is_one_line_in_log_and_on_screen(
    task, fault, message, capsys
):
    with pytest.raises(SystemExit) as ended, job(task):
        fault(Path(task.output[0]))
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert log_of(task) == f"\n{line}\n"
    assert {path.name for path in task.folder.rglob("*")} == {"data", "logs", "train.log"}


def test_a_log_on_a_full_disk_still_leaves_the_line_on_the_screen(task, capsys):
    log = Path(task.log[0])
    log.parent.mkdir()
    log.symlink_to("/dev/full")
    with pytest.raises(SystemExit) as ended, job(task):
        print("progress")
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: {log}: No space left on device; make room on its disk, and run again"


def test_a_mistake_is_told_also_where_the_log_cannot_be_written(task, capsys):
    log = Path(task.log[0])
    log.parent.mkdir()
    log.symlink_to("/dev/full")
    with pytest.raises(SystemExit), job(task):
        mistake(log)
    assert capsys.readouterr().err == "error: lr: too large; lower it\n"


def test_safetensors_that_meet_a_full_disk_name_their_file(task, capsys, monkeypatch):
    def save_file(*_: object, **__: object) -> None:
        text = "Error while serializing: I/O error: No space left on device (os error 28)"
        raise SafetensorError(text)

    monkeypatch.setattr(safetensors_files, "save_file", save_file)
    with pytest.raises(SystemExit), job(task):
        save_tensors(task.output[0], {"a": torch.ones(10)})
    assert "model: No space left on device; make room" in capsys.readouterr().err


def test_a_defect_is_a_traceback_in_the_log_and_no_clean_end(task):
    with pytest.raises(ZeroDivisionError), job(task):
        _ = 1 / 0
    assert "Traceback" in log_of(task)
    assert "ZeroDivisionError" in log_of(task)


def test_a_log_whose_folder_vanishes_is_written_in_the_end(task):
    with job(task):
        print("working")
        shutil.rmtree(Path(task.log[0]).parent)
    assert log_of(task).startswith("working\nfinished in")
