"""The small study, finished once, and folders to run it in."""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from small_study import ROOT, STUDY, Project, copy_workflow


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small study, run to its end once for all workers of a test run; not to be changed."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    project = Project(shared / "checkout", shared / "finished")
    with FileLock(shared / "finished.lock"):
        if not project.folder.exists():
            copy_workflow(project.checkout)
            project.folder.mkdir()
            result = project.run(STUDY)
            assert result.returncode == 0, result.stdout
    return project


@pytest.fixture
def copied(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished study, to be changed."""
    folder = shutil.copytree(finished.folder, tmp_path / "copied")
    return Project(finished.checkout, folder)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The repository's own workflow and an empty folder."""
    folder = tmp_path / "run"
    folder.mkdir()
    return Project(ROOT, folder)
