"""Jobs on one machine never share a GPU by accident; what a cluster assigned is taken as it is."""

import multiprocessing
import os
import secrets
import signal
import time
from types import SimpleNamespace

import pytest
import torch

from minimascope.jobs import gpus

PROCESSES = multiprocessing.get_context("fork")


@pytest.fixture
def names() -> list[str]:
    """GPUs of no other test."""
    return [secrets.token_hex(8) for _ in range(3)]


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gpus, "POLL", 0.01)
    monkeypatch.setattr(gpus, "_claims", [])
    gpus.job_device.cache_clear()
    yield
    gpus.job_device.cache_clear()
    for claim in gpus._claims:
        claim.close()


def compute(names: list[str], folder: str) -> None:
    """Claim a GPU and fail where another process is at it."""
    index = gpus.claim(names)
    place = os.path.join(folder, str(index))
    os.mkdir(place)
    time.sleep(0.05)
    os.rmdir(place)
    with open(os.path.join(folder, "done"), "a") as file:
        file.write(f"{index}\n")


def hold(names: list[str], claimed: multiprocessing.Queue) -> None:
    claimed.put(gpus.claim(names))
    time.sleep(600)


def test_more_jobs_than_gpus_take_turns_and_never_share(names, tmp_path):
    jobs = [PROCESSES.Process(target=compute, args=(names, str(tmp_path))) for _ in range(12)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
        assert job.exitcode == 0
    done = (tmp_path / "done").read_text().split()
    assert len(done) == 12
    # All three, unless the processes start one after another.
    assert set(done) <= {"0", "1", "2"}


def test_a_killed_job_frees_its_gpu(names, capsys):
    claimed = PROCESSES.Queue()
    jobs = [PROCESSES.Process(target=hold, args=(names, claimed)) for _ in names]
    for job in jobs:
        job.start()
    by_index = {}
    for _ in jobs:
        by_index[claimed.get(timeout=60)] = None
    assert sorted(by_index) == [0, 1, 2]
    os.kill(jobs[1].pid, signal.SIGKILL)
    jobs[1].join()
    assert gpus.claim(names) in (0, 1, 2)
    for job in (jobs[0], jobs[2]):
        job.kill()
        job.join()


def test_a_job_that_waits_says_so_once(names, capsys, monkeypatch):
    other = gpus.claim(names[:1])
    assert other == 0
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            gpus._claims.pop().close()

    monkeypatch.setattr(gpus.time, "sleep", nap)
    assert gpus.claim(names[:1]) == 0
    assert len(naps) == 3
    assert capsys.readouterr().out.count("waiting for a GPU: 1 here") == 1


@pytest.fixture
def machine(names, monkeypatch) -> list[torch.device]:
    """A machine with three GPUs that are not there, and the devices that were chosen."""
    chosen = []
    monkeypatch.setattr(gpus, "default_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
    properties = [SimpleNamespace(uuid=name) for name in names]
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties.__getitem__)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(gpus.time, "sleep", lambda _: pytest.fail("it waits"))
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return chosen


@pytest.mark.parametrize("on_a_cluster", [False, True])
def test_a_job_keeps_to_the_first_free_of_several_gpus(names, machine, monkeypatch, on_a_cluster):
    if on_a_cluster:
        monkeypatch.setenv("SLURM_JOB_ID", "7")
    gpus.claim(names[:1])
    assert gpus.job_device() == torch.device("cuda", 1)
    assert gpus.job_device() == torch.device("cuda", 1)
    assert machine == [torch.device("cuda", 1)]
    assert gpus.claim(names) == 2


def test_the_only_gpu_that_a_cluster_assigned_is_taken_as_it_is(names, machine, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    del names[1:]
    gpus.claim(names)
    assert gpus.job_device() == torch.device("cuda", 0)


def test_without_a_gpu_nothing_is_claimed(monkeypatch):
    monkeypatch.setattr(gpus, "default_device", lambda: torch.device("cpu"))
    assert gpus.job_device() == torch.device("cpu")
    assert gpus._claims == []
