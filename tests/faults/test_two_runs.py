"""Two runs in one folder, and what a run that was killed leaves to the next one."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_study import ROOT, Project, copy_workflow
from tiny_study import (
    CHECKPOINT,
    DATA,
    INITIAL,
    MODEL,
    TINY,
    assert_same_results,
    kill_all,
    run_to,
    start,
    targets,
    unlock,
    wait_until,
)

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

LONG = TINY | {"training": TINY["training"] | {"epochs": 100_000}}


def make(project: Project, target: str) -> subprocess.CompletedProcess:
    """Call make where checkout and working folder are one, with this test's own Python."""
    study = next(project.folder.parent.glob("study-*.yaml"))
    return subprocess.run(
        ["make", target, f"BIN={Path(sys.executable).parent}", "READY=Makefile", f"STUDY={study}"],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def checked_out(project: Project) -> Project:
    """Return a project whose checkout is its working folder, as most users have it."""
    copy_workflow(project.folder)
    shutil.copytree(ROOT / "tools", project.folder / "tools")
    # The last one is the newest, so that nothing is installed.
    for name in ("requirements.txt", "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, project.folder)
    return Project(project.folder, project.folder)


def test_a_second_run_of_a_study_is_refused_and_harms_nothing(
    project: Project, undisturbed: Project, tmp_path: Path
):
    first = start(project, MODEL, output=tmp_path / "screen.txt")
    try:
        log = project.results("logs/prepare/cifar10.log")
        wait_until(log.exists, first, "it began")
        second = project.run(TINY, *targets(MODEL))
        assert second.returncode == 1
        assert "Directory cannot be locked" in second.stdout
        assert str(project.folder) in second.stdout
        assert "Traceback" not in second.stdout
        assert first.wait(timeout=300) == 0
    finally:
        kill_all(first)
    assert_same_results(project, undisturbed)


def test_two_studies_run_side_by_side_in_one_folder(
    project: Project, undisturbed: Project, tmp_path: Path
):
    other = TINY | {"study": "other"}
    runs = [
        subprocess.Popen(
            project.command(study, "--", f"results/{study['study']}/{INITIAL}"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for study in (TINY, other)
    ]
    assert [run.wait(timeout=300) for run in runs] == [0, 0]
    for study in ("small", "other"):
        for name in (DATA, INITIAL):
            made = project.folder / "results" / study / name
            assert made.read_bytes() == undisturbed.results(name).read_bytes()


def test_a_killed_run_leaves_a_lock_and_one_that_lives_keeps_its_own(
    project: Project, undisturbed: Project, tmp_path: Path
):
    project = checked_out(project)
    begun = project.results(CHECKPOINT)
    process = start(project, MODEL, study=LONG, output=tmp_path / "screen.txt")
    try:
        wait_until(begun.exists, process, "it trained")
        refused = make(project, "unlock")
        assert refused.returncode != 0
        assert "error: nothing was unlocked; a run in this folder" in refused.stdout
        assert list((project.folder / ".snakemake" / "locks").iterdir())
    finally:
        kill_all(process)
    refused = project.run(TINY, *targets(MODEL))
    assert refused.returncode == 1
    assert "Directory cannot be locked" in refused.stdout

    unlocked = make(project, "unlock")
    assert unlocked.returncode == 0, unlocked.stdout
    run_to(project, MODEL)
    assert_same_results(project, undisturbed)


def test_an_orphaned_job_and_the_next_run_do_each_other_no_harm(
    project: Project, undisturbed: Project, tmp_path: Path
):
    process = start(project, MODEL, output=tmp_path / "screen.txt")
    try:
        wait_until(project.results(CHECKPOINT).exists, process, "it trained")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        unlock(project)
        run_to(project, MODEL)
    finally:
        kill_all(process)
    assert_same_results(project, undisturbed)
