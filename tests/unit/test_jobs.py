"""A job ends with one line where its user can help."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from minimascope import safetensors_files
from minimascope.errors import InputError
from minimascope.files import atomic
from minimascope.jobs.job import job
from minimascope.tensors import save_tensors

SCRIPTS = Path(__file__).parents[2] / "scripts"


@dataclass
class Task:
    """What Snakemake would tell."""

    folder: Path
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        return str(self.folder / "model")

    @property
    def log(self) -> list[str]:
        return [str(self.folder / "logs" / "train.log")]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return Task(tmp_path)


def log_of(task: Task) -> str:
    return Path(task.log[0]).read_text()


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
    "read-only disk": (full_disk(errno.EROFS), "model: Read-only file system; make it"),
    "no permission": (full_disk(errno.EACCES), "model: Permission denied; give yourself"),
    "a mistake": (mistake, "error: lr: too large; lower it"),
    "full GPU": (use_more_memory_than_there_is, "CUDA out of memory; use a GPU with more memory"),
}


@pytest.mark.parametrize(("fault", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_that_the_user_can_mend_is_one_line_in_log_and_on_screen(
    task, fault, message, capsys
):
    with pytest.raises(SystemExit) as ended, job(task):
        fault(Path(task.output))
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert log_of(task) == f"\n{line}\n"
    assert {path.name for path in task.folder.rglob("*")} == {"logs", "train.log"}


COMPILED = """
import sys, torch
from types import SimpleNamespace
from minimascope.jobs.job import job

with job(SimpleNamespace(log=sys.argv[1:], config={})):
    torch.compile(lambda inputs: inputs.sin().cos())(torch.ones(3))
"""


def test_a_compiler_that_is_missing_is_one_line(tmp_path):
    absent = {"PYTHONPATH": str(SCRIPTS), "CXX": "no-such-compiler"}
    absent["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path / "cache")
    result = subprocess.run(
        [sys.executable, "-c", COMPILED, tmp_path / "train.log"],
        env={**os.environ, **absent},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr == (
        "error: training.compile: needs a C++ compiler, and there is no no-such-compiler; install"
        " one (such as the package g++), or set compile to false\n"
    )


def test_a_log_on_a_full_disk_still_leaves_the_line_on_the_screen(task, capsys):
    log = Path(task.log[0])
    log.parent.mkdir()
    log.symlink_to("/dev/full")
    with pytest.raises(SystemExit) as ended, job(task):
        print("progress")
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: {log}: No space left on device; make room on its disk, and run again"
    with pytest.raises(SystemExit), job(task):
        mistake(log)
    assert capsys.readouterr().err == "error: lr: too large; lower it\n"


def test_safetensors_that_meet_a_full_disk_name_their_file(task, capsys, monkeypatch):
    def save_file(*_: object, **__: object) -> None:
        text = "Error while serializing: I/O error: No space left on device (os error 28)"
        raise SafetensorError(text)

    monkeypatch.setattr(safetensors_files, "save_file", save_file)
    with pytest.raises(SystemExit), job(task):
        save_tensors(task.output, {"a": torch.ones(10)})
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


def test_where_the_screen_of_make_shows_logs_a_job_leaves_its_words_to_it(
    task, capsys, monkeypatch
):
    monkeypatch.setenv("MINIMASCOPE_SCREEN", "1")
    with pytest.raises(SystemExit) as ended, job(task):
        mistake(Path(task.output))
    assert ended.value.code == 1
    with pytest.raises(SystemExit), job(task):
        _ = 1 / 0
    assert capsys.readouterr().err == ""
    assert "error: lr: too large; lower it\n" in log_of(task)
    assert "ZeroDivisionError" in log_of(task)
    log = Path(task.log[0])
    log.unlink()
    log.symlink_to("/dev/full")
    with pytest.raises(SystemExit), job(task):
        mistake(log)
    assert capsys.readouterr().err == "error: lr: too large; lower it\n"


def test_an_interrupted_job_ends_without_a_traceback(task, capsys):
    with pytest.raises(SystemExit) as ended, job(task):
        raise KeyboardInterrupt
    # As shells say that a command ended by Ctrl-C.
    assert ended.value.code == 130
    assert capsys.readouterr().err == ""
    assert log_of(task) == "\nstopped by the user\n"


@pytest.mark.parametrize("script", ["train", "toy_fits", "evaluate"])
def test_a_job_that_is_interrupted_while_it_imports_torch_says_nothing(script, tmp_path):
    # As Snakemake starts a script: what it tells the job lies in the main module.
    body = (SCRIPTS / f"{script}.py").read_text(encoding="utf-8").partition("with job(")[0]
    fake = tmp_path / "torch.py"
    fake.write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n")
    result = subprocess.run(
        [sys.executable, "-c", f"snakemake = None\n{body}"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{SCRIPTS}"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == -signal.SIGINT
    assert result.stderr == ""
