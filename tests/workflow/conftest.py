"""The small study, finished once, and folders to run it in."""

import shutil
from pathlib import Path

import pytest
from small_study import ROOT, STUDY, Project, copy_workflow, made_once


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small study, run to its end once for all workers of a test run; not to be changed."""
    checkout = made_once(tmp_path_factory, "checkout", copy_workflow)

    def run(folder: Path) -> None:
        Project(checkout, folder).finish(STUDY)

    return Project(checkout, made_once(tmp_path_factory, "finished", run))


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
